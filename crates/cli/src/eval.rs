//! `shenfen eval`: how well labelled pictures are read, so that users can measure on their own.

mod calibration;
mod labels;
mod score;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use clap::builder::FalseyValueParser;
use shenfen_core::{PictureResult, Side};
use shenfen_store::RequestedSide;
use shenfen_worker::{PictureRef, ReadFile, read_in_order};

use crate::pictures::{ReadingArgs, reasons};
use crate::table::{Format, Table};

use calibration::Bin;
use labels::{LabelledPicture, read_labels};
use score::{Misread, Scores, SliceScore, Tally};

/// Compare what is read in labelled pictures with their labels.
#[derive(Args)]
pub(crate) struct EvalArgs {
    /// A folder with labels.jsonl: {"path", "side", "fields": {...}, "slice"?} a line
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// Write every field that was read otherwise than labelled to this file, as JSON Lines; it holds personal data
    #[arg(long, env = "SHENFEN_ERRORS", value_name = "FILE")]
    errors: Option<PathBuf>,

    /// Output [default: table on a terminal, otherwise json]
    #[arg(long, env = "SHENFEN_FORMAT", value_enum)]
    format: Option<Format>,

    /// Exit with 2 if any picture is not wholly right
    #[arg(long, env = "SHENFEN_STRICT", value_parser = FalseyValueParser::new())]
    strict: bool,

    #[command(flatten)]
    reading: ReadingArgs,
}

/// Runs the command.
///
/// # Errors
/// When the labels or a labelled picture cannot be read, or the output cannot be written.
pub(crate) fn run(args: EvalArgs) -> anyhow::Result<ExitCode> {
    let pictures = read_labels(&args.folder)?;
    let mut errors = args.errors.map(ErrorFile::create).transpose()?;
    let reader = args.reading.reader()?;
    let mut scores = Scores::default();
    let mut labelled = pictures.iter();
    let mut failed = None;
    let references: Vec<PictureRef> = pictures.iter().map(reference).collect::<anyhow::Result<_>>()?;
    read_in_order(&reader, args.reading.threads(), references.into_iter(), |picture, read| {
        let Some(labels) = labelled.next() else { return ControlFlow::Break(()) };
        let kept = opened(&picture, read).and_then(|result| {
            let misread = scores.add(labels, &result);
            errors.as_mut().map_or(Ok(()), |file| file.write(&misread))
        });
        match kept {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    if let Some(error) = failed {
        return Err(error);
    }
    if let Some(file) = errors {
        file.finish()?;
    }
    let mut out = BufWriter::new(io::stdout());
    match Format::or_default(args.format) {
        Format::Json => {
            serde_json::to_writer(&mut out, &scores)?;
            out.write_all(b"\n")?;
        }
        Format::Table => print(&mut out, &scores)?,
    }
    out.flush()?;
    Ok(if args.strict && scores.pictures.exact < scores.pictures.total { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

/// The result of a picture whose bytes could be had. Labels without their picture are a mistake in the labelled set, and
/// must not pass for a misreading.
fn opened(picture: &PictureRef, read: ReadFile) -> anyhow::Result<PictureResult> {
    match read.result {
        Ok(result) if read.image_sha256.is_some() => Ok(result),
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
    Ok(PictureRef { source: path.clone(), path, reference: None, side: RequestedSide::Auto })
}

fn print(out: &mut impl Write, scores: &Scores) -> io::Result<()> {
    let row = |name: &str, tally: &Tally| {
        let characters = tally.characters().map(percent).unwrap_or_default();
        [name.to_owned(), tally.total.to_string(), tally.exact.to_string(), percent(tally.accuracy()), characters]
    };
    let mut rows: Vec<_> = scores.fields.iter().map(|(field, tally)| row(field.as_str(), tally)).collect();
    for (side, name) in [(Side::Front, "all of front"), (Side::Back, "all of back")] {
        rows.extend(scores.sides.get(&side).map(|tally| row(name, tally)));
    }
    rows.push(row("all fields", &scores.all));
    rows.push(row("pictures", &scores.pictures));
    Table::new(["FIELD", "LABELS", "RIGHT", "ACCURACY", "CHARACTERS"]).print(out, &rows)?;
    if !scores.slices.is_empty() {
        let row = |(slice, score): (&String, &SliceScore)| {
            let right = format!("{} of {}", score.pictures.exact, score.pictures.total);
            [slice.clone(), percent(score.fields.accuracy()), percent(score.pictures.accuracy()), right]
        };
        let rows: Vec<_> = scores.slices.iter().map(row).collect();
        writeln!(out)?;
        Table::new(["SLICE", "FIELDS", "PICTURES", "WHOLLY RIGHT"]).print(out, &rows)?;
    }
    let row = |(decision, tally): (&String, &Tally)| {
        [decision.clone(), tally.total.to_string(), tally.exact.to_string(), percent(tally.accuracy())]
    };
    let rows: Vec<_> = scores.decisions.iter().map(row).collect();
    writeln!(out)?;
    Table::new(["DECISION", "PICTURES", "WHOLLY RIGHT", "PRECISION"]).print(out, &rows)?;
    writeln!(out)?;
    match scores.accepted.precision {
        Some(precision) => {
            writeln!(out, "accepted: {}, {} of these right", percent(scores.accepted.share), percent(precision))
        }
        None => writeln!(out, "accepted: none"),
    }?;
    let Some(error) = scores.calibration.error() else { return Ok(()) };
    writeln!(out, "expected calibration error of the fields' confidences: {error:.4}")?;
    let row = |bin: &Bin| {
        let range = format!("{:.1} to {:.1}", bin.from, bin.to);
        [range, bin.fields.to_string(), percent(bin.confidence), percent(bin.right)]
    };
    let rows: Vec<_> = scores.calibration.bins().iter().map(row).collect();
    Table::new(["CONFIDENCE", "FIELDS", "MEAN", "RIGHT"]).print(out, &rows)
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// The text of a field of the card that a label is about; empty when it was not read.
fn text_of(result: &PictureResult, card: Option<usize>, field: shenfen_core::FieldName) -> (&str, f32) {
    let found = card.and_then(|card| result.cards.get(card)).and_then(|card| card.fields.get(&field));
    found.map_or(("", 0.0), |field| (field.text.as_str(), field.confidence))
}
