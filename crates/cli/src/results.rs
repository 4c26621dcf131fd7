//! `shenfen results`: prints stored results or writes them to a file, any number of them.

mod columns;
mod csv_file;
mod deferred;
mod format;
mod parquet_file;
mod xlsx;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use shenfen_core::{Decision, Status};
use shenfen_store::{
    Access, Audit, AuditAction, AuditRecord, Recorded, ResultFilter, Results, ShownRow, Sides, WholeRow,
};

use self::csv_file::{CsvFile, Reader};
use self::format::Format;
use self::parquet_file::ParquetFile;
use self::xlsx::{SheetLimit, Workbook};
use crate::actor::actor;
use crate::database::{DatabaseArgs, Store};
use crate::private_file::Draft;
use crate::signals;
use crate::table::Table;
use crate::tenant::TenantArgs;

/// Rows fetched at a time.
const PAGE: u32 = 500;

/// Show stored results, or export them to a file
#[derive(Args)]
pub(crate) struct ResultsArgs {
    /// Only results of this batch
    #[arg(long, env = "SHENFEN_BATCH", value_name = "NAME")]
    batch: Option<String>,

    /// Only results with this status: OK, FAIL, IMAGE_INVALID_FORMAT, IMAGE_INVALID_SIZE
    #[arg(long, env = "SHENFEN_STATUS", value_parser = parse_status)]
    status: Option<Status>,

    /// Only results with this decision: accept, review or reject
    #[arg(long, env = "SHENFEN_DECISION", value_parser = parse_decision)]
    decision: Option<Decision>,

    /// Show names, numbers and addresses in clear, which the audit log records, and not masked
    #[arg(long, requires = "reason")]
    reveal: bool,

    /// Why they are looked at in clear
    #[arg(long, value_name = "TEXT", requires = "reveal")]
    reason: Option<String>,

    /// Output format [default: that of the ending of --output; without it table on a terminal, otherwise json]
    #[arg(long, env = "SHENFEN_FORMAT", value_enum)]
    format: Option<Format>,

    /// Write to this file, which appears when it is complete and only its owner may read:
    /// .csv, .jsonl, .xlsx, .parquet
    #[arg(long, short, env = "SHENFEN_OUTPUT", value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    tenant: TenantArgs,

    #[command(flatten)]
    database: DatabaseArgs,
}

fn parse_status(text: &str) -> Result<Status, String> {
    let known = [
        Status::Ok,
        Status::Fail,
        Status::InvalidRequest,
        Status::ImageInvalidFormat,
        Status::ImageInvalidSize,
        Status::RetryLater,
    ];
    known.into_iter().find(|status| status.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| {
        let known = known.map(Status::as_str);
        format!("expected one of {}", known.join(", "))
    })
}

fn parse_decision(text: &str) -> Result<Decision, String> {
    let known = [Decision::Accept, Decision::Review, Decision::Reject];
    known
        .into_iter()
        .find(|decision| decision.as_str() == text)
        .ok_or_else(|| "expected accept, review or reject".into())
}

/// Runs the command.
///
/// # Errors
/// When the database cannot be read or the output not be written.
pub(crate) fn run(args: ResultsArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(results(args))
}

async fn results(args: ResultsArgs) -> anyhow::Result<ExitCode> {
    let format = Format::choose(args.format, args.output.as_deref())?;
    let access = if args.reveal { Access::Reveal } else { Access::Read };
    let store = args.database.open_to_read(access, args.tenant.tenant).await?;
    let recorded = if args.reveal { Some(store.record(&reveal(&args)).await?) } else { None };
    let filter = ResultFilter { batch: args.batch, status: args.status, decision: args.decision };
    let pages = Pages { store: &store, filter: &filter, recorded, after: 0 };
    match args.output {
        Some(path) => write_file(pages, format, &path).await?,
        None => print(pages, format).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What the audit log says before results are shown in clear.
fn reveal(args: &ResultsArgs) -> AuditRecord {
    let mut subject = "results".to_owned();
    if let Some(batch) = &args.batch {
        subject += &format!(" of batch {batch}");
    }
    if let Some(status) = args.status {
        subject += &format!(" with status {}", status.as_str());
    }
    if let Some(decision) = args.decision {
        subject += &format!(" with decision {}", decision.as_str());
    }
    if args.output.is_some() {
        subject += ", to a file";
    }
    AuditRecord {
        tenant: Some(args.tenant.tenant),
        actor: actor(),
        action: AuditAction::Reveal,
        subject,
        amount: None,
        reason: args.reason.clone().unwrap_or_default(),
    }
}

async fn print(mut pages: Pages<'_>, format: Format) -> anyhow::Result<()> {
    let mut sink = text_sink(format, BufWriter::new(io::stdout()))?;
    while let Some(page) = pages.next().await? {
        sink.write(page)?;
    }
    sink.finish()
}

/// Writes a file. An interrupted export leaves nothing.
async fn write_file(mut pages: Pages<'_>, format: Format, path: &Path) -> anyhow::Result<()> {
    let cannot_write = || format!("cannot write {}", path.display());
    let stop_requested = signals::watch_for_stop();
    let draft = Draft::begin(path).with_context(cannot_write)?;
    let out = BufWriter::new(draft.writer().with_context(cannot_write)?);
    let mut sink = match format {
        Format::Xlsx => Workbook::begin(out, SheetLimit::EXCEL).map(|book| Box::new(book) as Box<dyn Sink>),
        Format::Parquet => ParquetFile::begin(out).map(|file| Box::new(file) as Box<dyn Sink>),
        Format::Table | Format::Json | Format::Csv | Format::CsvExcel => text_sink(format, out),
    }
    .with_context(cannot_write)?;
    let progress = Progress::start();
    while let Some(page) = pages.next().await? {
        if *stop_requested.borrow() {
            bail!("interrupted: {} is not written", path.display());
        }
        progress.note(page.len());
        sink.write(page).with_context(cannot_write)?;
    }
    sink.finish().and_then(|()| Ok(draft.complete()?)).with_context(cannot_write)?;
    progress.finish(path);
    Ok(())
}

/// The results, page by page, as they may be shown.
struct Pages<'a> {
    store: &'a Store,
    filter: &'a ResultFilter,
    /// What allows them to be shown in clear.
    recorded: Option<Recorded>,
    after: i64,
}

impl Pages<'_> {
    /// The next page; `None` at the end.
    async fn next(&mut self) -> anyhow::Result<Option<Vec<ShownRow>>> {
        let page = self.store.page(self.filter, self.after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(None) };
        self.after = last.seq;
        let shown = page.into_iter().map(|row| match &self.recorded {
            Some(recorded) => Ok(ShownRow::revealed(row, recorded)),
            None => ShownRow::masked(row),
        });
        shown.collect::<Result<_, _>>().map(Some).context("a stored result is not one of ours")
    }
}

/// Where results go, in one format.
trait Sink {
    /// Writes results.
    fn write(&mut self, rows: Vec<ShownRow>) -> anyhow::Result<()>;

    /// Writes what belongs after the last one.
    fn finish(self: Box<Self>) -> anyhow::Result<()>;
}

/// The formats that are text, which can go anywhere.
fn text_sink<'a>(format: Format, out: impl Write + 'a) -> anyhow::Result<Box<dyn Sink + 'a>> {
    Ok(match format {
        Format::Table => Box::new(TableText { out, table: Table::new(HEADS) }),
        Format::Csv => Box::new(CsvFile::begin(out, Reader::Program)?),
        Format::CsvExcel => Box::new(CsvFile::begin(out, Reader::Spreadsheet)?),
        Format::Json => Box::new(JsonLines(out)),
        Format::Xlsx | Format::Parquet => bail!("this format needs a file"),
    })
}

/// A line on standard error. Nothing can be done if that is closed.
fn tell(line: &str) {
    drop(writeln!(io::stderr(), "{line}"));
}

/// The rows so far, on standard error if that is a terminal.
struct Progress(ProgressBar);

impl Progress {
    fn start() -> Progress {
        // Draws nothing where standard error is not a terminal.
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} results  {per_sec}") {
            bar.set_style(style);
        }
        Progress(bar)
    }

    fn note(&self, rows: usize) {
        self.0.inc(rows as u64);
    }

    fn finish(&self, path: &Path) {
        self.0.finish_and_clear();
        tell(&format!("{} results written to {}", self.0.position(), path.display()));
    }
}

const HEADS: [&str; 10] =
    ["SOURCE", "STATUS", "DECISION", "SIDE", "NAME", "NUMBER", "BORN", "VALID TO", "CONFIDENCE", "REMARKS"];

struct TableText<W> {
    out: W,
    table: Table,
}

impl<W: Write> Sink for TableText<W> {
    fn write(&mut self, rows: Vec<ShownRow>) -> anyhow::Result<()> {
        self.table.print(&mut self.out, &rows.iter().map(table_row).collect::<Vec<_>>())?;
        Ok(self.out.flush()?)
    }

    fn finish(self: Box<Self>) -> anyhow::Result<()> {
        Ok(())
    }
}

struct JsonLines<W>(W);

impl<W: Write> Sink for JsonLines<W> {
    fn write(&mut self, rows: Vec<ShownRow>) -> anyhow::Result<()> {
        for row in &rows {
            let row = WholeRow::of(row).context("a stored result is not valid JSON")?;
            serde_json::to_writer(&mut self.0, &row)?;
            self.0.write_all(b"\n")?;
        }
        Ok(self.0.flush()?)
    }

    fn finish(self: Box<Self>) -> anyhow::Result<()> {
        Ok(())
    }
}

fn table_row(shown: &ShownRow) -> [String; 10] {
    let row = shown.row();
    let valid_to = match row.columns.valid_to {
        _ if row.columns.long_term => "长期".to_owned(),
        Some(date) => date.to_string(),
        None => String::new(),
    };
    let remarks =
        serde_json::from_str(&row.result).map_or_else(|_| String::new(), |result| crate::pictures::reasons(&result));
    [
        row.source.clone(),
        row.status.as_str().to_owned(),
        row.decision.as_str().to_owned(),
        row.sides.map_or("", Sides::as_str).to_owned(),
        row.columns.name.clone(),
        row.columns.identity_no.clone(),
        row.columns.birth_date.map(|date| date.to_string()).unwrap_or_default(),
        valid_to,
        row.confidence.map(|confidence| format!("{confidence:.3}")).unwrap_or_default(),
        remarks,
    ]
}
