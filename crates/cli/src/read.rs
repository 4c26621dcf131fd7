//! `shenfen read`: prints one result per picture and stores nothing.

mod crops;

use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use clap::builder::FalseyValueParser;
use serde::Serialize;
use shenfen_core::{ModelInfo, PictureResult, Status};
use shenfen_worker::{Found, PictureReader, PictureRef, ReadFile, Source, read_in_order};

use crate::engine::EngineArgs;
use crate::pictures::{ReadingArgs, reasons};
use crate::table::{Format, Table};
use crops::{CropFiles, CropFolder};

/// Read pictures of cards and print one result per picture
#[derive(Args)]
pub(crate) struct ReadArgs {
    /// Pictures, folders of pictures, or manifests
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// Output format [default: table on a terminal, otherwise json, one object per line]
    #[arg(long, env = "SHENFEN_FORMAT", value_enum)]
    format: Option<Format>,

    /// Exit with status 2 if any picture is not OK
    #[arg(long, env = "SHENFEN_STRICT", value_parser = FalseyValueParser::new())]
    strict: bool,

    /// Write the cards set upright and their portraits into this folder, as JPEG files that only you can read
    #[arg(long, env = "SHENFEN_CROPS", value_name = "DIR")]
    crops: Option<PathBuf>,

    #[command(flatten)]
    reading: ReadingArgs,

    #[command(flatten)]
    engine: EngineArgs,
}

/// Runs the command.
///
/// # Errors
/// When a path does not exist, no picture is found, or the output cannot be written.
pub(crate) fn run(args: ReadArgs) -> anyhow::Result<ExitCode> {
    let sources = args.paths.iter().map(|path| Source::open(path)).collect::<Result<Vec<_>, _>>()?;
    let reader = args.reading.reader_for(args.engine.engine()?)?;
    let mut unreadable = 0_u64;
    let pictures = sources.into_iter().flatten().filter_map(|found| match found {
        Found::Picture(picture) => Some(picture),
        Found::Other => None,
        Found::Unreadable(error) => {
            unreadable += 1;
            let _ = writeln!(io::stderr(), "error: {error}");
            None
        }
    });
    let crops = args.crops.map(|folder| CropFolder::new(folder, args.reading.limits()));
    let mut report = Report::new(reader.model().clone(), Format::or_default(args.format), crops);
    let mut printed = Ok(());
    let hand_on = |picture, read| match report.print(&picture, read) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            printed = Err(error);
            ControlFlow::Break(())
        }
    };
    read_in_order(&reader, args.reading.threads(), args.reading.memory(), pictures, hand_on)
        .context("cannot start the reading threads")?;
    printed?;
    report.out.flush()?;
    if unreadable > 0 || report.crashed > 0 {
        return Ok(ExitCode::FAILURE);
    }
    if report.pictures == 0 {
        bail!("no pictures found; supported extensions: .jpg, .jpeg, .png, .webp, .bmp, .tif, .tiff");
    }
    Ok(if args.strict && report.not_ok > 0 { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

/// Prints results.
struct Report {
    out: BufWriter<io::Stdout>,
    model: ModelInfo,
    format: Format,
    table: Table,
    crops: Option<CropFolder>,
    pictures: u64,
    not_ok: u64,
    crashed: u64,
}

/// One line of JSON: the result and the picture it belongs to.
#[derive(Serialize)]
struct Line<'a> {
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(flatten)]
    result: &'a PictureResult,
    #[serde(skip_serializing_if = "Option::is_none")]
    crops: Option<Vec<CropFiles>>,
}

impl Report {
    fn new(model: ModelInfo, format: Format, crops: Option<CropFolder>) -> Report {
        let table = Table::new(["SOURCE", "STATUS", "DECISION", "NAME", "NUMBER", "VALID", "REMARKS"]);
        Report { out: BufWriter::new(io::stdout()), model, format, table, crops, pictures: 0, not_ok: 0, crashed: 0 }
    }

    fn print(&mut self, picture: &PictureRef, read: ReadFile) -> anyhow::Result<()> {
        self.pictures += 1;
        let result = match read.outcome.into_result(&self.model) {
            Ok(result) => result,
            Err(reason) => {
                self.crashed += 1;
                writeln!(io::stderr(), "error: {}: {reason}", picture.source)?;
                return Ok(());
            }
        };
        self.not_ok += u64::from(result.status != Status::Ok);
        let crops = self.crops.as_ref().map(|folder| folder.write(picture, &result)).transpose()?;
        match self.format {
            Format::Json => {
                let (source, reference) = (picture.source.as_str(), picture.reference.as_deref());
                serde_json::to_writer(&mut self.out, &Line { source, reference, result: &result, crops })?;
                self.out.write_all(b"\n")?;
            }
            Format::Table => self.table.print(&mut self.out, &[row(picture, &result)])?,
        }
        // A result is printed as soon as it is available.
        Ok(self.out.flush()?)
    }
}

fn row(picture: &PictureRef, result: &PictureResult) -> [String; 7] {
    let field = |name: &str| result.message.get(name).cloned().unwrap_or_default();
    [
        format!("{:28}", picture.source),
        format!("{:6}", result.status.as_str()),
        result.decision.as_str().to_owned(),
        format!("{:8}", field("name")),
        format!("{:18}", field("identityNo")),
        format!("{:21}", field("effectiveDate")),
        reasons(result),
    ]
}
