//! `shenfen eval`: how well labelled pictures are read, so that users can measure on their own.

mod automatic_share;
mod calibration;
mod cover;
mod dump;
mod html;
mod labels;
mod locating;
mod quality;
mod report;
mod score;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use clap::builder::FalseyValueParser;
use shenfen_core::{ModelInfo, PictureResult, RequestedSide};
use shenfen_worker::{PictureReader, PictureRef, ReadFile, read_in_order};

use crate::engine::EngineArgs;
use crate::pictures::{ReadingArgs, reasons};
use crate::table::{Format, Table};

use cover::CoverArgs;
use dump::DumpFile;
use html::Report;
use labels::{LabelledPicture, read_labels};
use report::{Section, sections};
use score::{Misread, Scores, assign};

/// Compare what is read in labelled pictures with their labels.
#[derive(Args)]
pub(crate) struct EvalArgs {
    /// A folder with labels.jsonl: {"path", "side", "fields": {...}, "slice"?, "quad"?} a line; "slice" is a name or a list of names, "quad" the card's four corners from its own top left
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// Write every field that was read otherwise than labelled to this file, as JSON Lines; it holds personal data
    #[arg(long, env = "SHENFEN_ERRORS", value_name = "FILE")]
    errors: Option<PathBuf>,

    /// Write a report with the misread fields as pictures to this file, as HTML; it holds personal data
    #[arg(long, env = "SHENFEN_HTML", value_name = "FILE")]
    html: Option<PathBuf>,

    /// Write everything that the engine saw in each picture to this file, as JSON Lines (docs/accuracy.md), for fitting; it
    /// holds all personal data of the cards in clear, and is created so that only its owner can read it
    #[arg(long, env = "SHENFEN_DUMP", value_name = "FILE")]
    dump: Option<PathBuf>,

    /// Output [default: table on a terminal, otherwise json]
    #[arg(long, env = "SHENFEN_FORMAT", value_enum)]
    format: Option<Format>,

    /// Exit with 2 if any picture is not wholly right
    #[arg(long, env = "SHENFEN_STRICT", value_parser = FalseyValueParser::new())]
    strict: bool,

    #[command(flatten)]
    cover: CoverArgs,

    #[command(flatten)]
    reading: ReadingArgs,

    #[command(flatten)]
    engine: EngineArgs,
}

/// Runs the command.
///
/// # Errors
/// When the labels or a labelled picture cannot be read, or the output cannot be written.
pub(crate) fn run(args: EvalArgs) -> anyhow::Result<ExitCode> {
    let pictures = read_labels(&args.folder)?;
    if args.cover.is_asked_for() {
        return cover(&args, &pictures);
    }
    let mut errors = args.errors.map(ErrorFile::create).transpose()?;
    let mut report = args.html.map(|path| Report::create(path, args.reading.limits())).transpose()?;
    let mut dump = args.dump.map(|path| DumpFile::create(path, args.reading.today().date())).transpose()?;
    let reader = args.reading.reader_for(args.engine.engine()?)?;
    let reader = if dump.is_some() { reader.recording() } else { reader };
    let mut scores = Scores::default();
    let mut labelled = pictures.iter();
    let mut failed = None;
    let references: Vec<PictureRef> = pictures.iter().map(reference).collect::<anyhow::Result<_>>()?;
    let hand_on = |picture: PictureRef, mut read: ReadFile| {
        let Some(labels) = labelled.next() else { return ControlFlow::Break(()) };
        let recording = read.recording.take();
        let kept = opened(&picture, read, reader.model()).and_then(|result| {
            let assigned = assign(&labels.cards, &result);
            dump.as_mut().map_or(Ok(()), |file| file.write(labels, &assigned, &result, recording.as_ref()))?;
            let misread = scores.add(labels, &assigned, &result);
            errors.as_mut().map_or(Ok(()), |file| file.write(&misread))?;
            report.as_mut().map_or(Ok(()), |report| report.add(&labels.path, &misread))
        });
        match kept {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    };
    read_in_order(&reader, args.reading.threads(), args.reading.memory(), references.into_iter(), hand_on)
        .context("cannot start the reading threads")?;
    if let Some(error) = failed {
        return Err(error);
    }
    if let Some(file) = errors {
        file.finish()?;
    }
    if let Some(file) = dump {
        file.finish()?;
    }
    if let Some(report) = report {
        report.finish(&args.folder, &sections(&scores))?;
    }
    let mut out = BufWriter::new(io::stdout());
    match Format::or_default(args.format) {
        Format::Json => {
            serde_json::to_writer(&mut out, &scores)?;
            out.write_all(b"\n")?;
        }
        Format::Table => print(&mut out, &sections(&scores))?,
    }
    out.flush()?;
    Ok(if args.strict && scores.whole.pictures.exact < scores.whole.pictures.total {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    })
}

/// Runs the cover test instead of scoring.
fn cover(args: &EvalArgs, pictures: &[LabelledPicture]) -> anyhow::Result<ExitCode> {
    let reading = cover::Reading {
        models: args.reading.models_for(args.engine.engine()?)?,
        limits: args.reading.limits(),
        today: args.reading.today().date(),
        policy: args.reading.policy()?,
        threads: args.reading.threads(),
    };
    let scores = args.cover.run(pictures, &reading)?;
    let mut out = BufWriter::new(io::stdout());
    match Format::or_default(args.format) {
        Format::Json => {
            serde_json::to_writer(&mut out, &scores)?;
            out.write_all(b"\n")?;
        }
        Format::Table => print(&mut out, &scores.sections())?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The result of a picture whose bytes could be had. Labels without their picture are a mistake in the labelled set, and
/// must not pass for a misreading.
fn opened(picture: &PictureRef, read: ReadFile, model: &ModelInfo) -> anyhow::Result<PictureResult> {
    let has_bytes = read.image_sha256.is_some();
    match read.outcome.into_result(model) {
        Ok(result) if has_bytes => Ok(result),
        Ok(result) => bail!("{}: {}; mend the labels or the folder", picture.source, reasons(&result)),
        Err(reason) => bail!("{}: {reason}", picture.source),
    }
}

/// Where misread fields are written.
struct ErrorFile {
    path: PathBuf,
    out: BufWriter<File>,
}

impl ErrorFile {
    fn create(path: PathBuf) -> anyhow::Result<ErrorFile> {
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(ErrorFile { path, out: BufWriter::new(file) })
    }

    fn write(&mut self, misread: &[Misread]) -> anyhow::Result<()> {
        for error in misread {
            let written = serde_json::to_writer(&mut self.out, error).map_err(io::Error::from);
            let written = written.and_then(|()| self.out.write_all(b"\n"));
            written.with_context(|| format!("cannot write {}", self.path.display()))?;
        }
        Ok(())
    }

    fn finish(mut self) -> anyhow::Result<()> {
        self.out.flush().with_context(|| format!("cannot write {}", self.path.display()))
    }
}

fn reference(labelled: &LabelledPicture) -> anyhow::Result<PictureRef> {
    let path = labelled.path.to_str().context("a path in the labels is not UTF-8")?.to_owned();
    Ok(PictureRef { source: path.clone(), path, entry: None, reference: None, side: RequestedSide::Auto })
}

fn print(out: &mut impl Write, sections: &[Section]) -> io::Result<()> {
    for (index, section) in sections.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        for line in &section.before {
            writeln!(out, "{line}")?;
        }
        Table::new(section.head.iter().map(String::as_str)).print(out, &section.rows)?;
    }
    Ok(())
}

/// The text of a field of the card that a label is about; empty when it was not read.
fn text_of(result: &PictureResult, card: Option<usize>, field: shenfen_core::FieldName) -> (&str, f32) {
    let found = card.and_then(|card| result.cards.get(card)).and_then(|card| card.fields.get(&field));
    found.map_or(("", 0.0), |field| (field.text.as_str(), field.confidence))
}
