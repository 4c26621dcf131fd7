//! `shenfen results`: prints stored results, any number of them.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use shenfen_core::{Decision, Status};
use shenfen_store::{
    Access, Audit, AuditAction, AuditRecord, FlatRow, ResultFilter, Results, ShownRow, Sides, WholeRow,
};

use crate::actor::actor;
use crate::database::DatabaseArgs;
use crate::table::{Format, Table};
use crate::tenant::TenantArgs;

/// Rows fetched at a time.
const PAGE: u32 = 500;

/// Show stored results
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

    /// Output format [default: table on a terminal, otherwise json, one object per line]
    #[arg(long, env = "SHENFEN_FORMAT", value_enum)]
    format: Option<ExportFormat>,

    #[command(flatten)]
    tenant: TenantArgs,

    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum ExportFormat {
    /// An aligned table.
    Table,
    /// JSON Lines with the complete results.
    Json,
    /// All columns except the complete result.
    Csv,
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
    let access = if args.reveal { Access::Reveal } else { Access::Read };
    let store = args.database.open_to_read(access, args.tenant.tenant).await?;
    let recorded = if args.reveal { Some(store.record(&reveal(&args)).await?) } else { None };
    let filter = ResultFilter { batch: args.batch, status: args.status, decision: args.decision };
    let format = args.format.unwrap_or(match Format::or_default(None) {
        Format::Table => ExportFormat::Table,
        Format::Json => ExportFormat::Json,
    });
    let out = BufWriter::new(io::stdout());
    let mut export = match format {
        ExportFormat::Table => Export::Table { out, table: Table::new(HEADS) },
        ExportFormat::Json => Export::Json(out),
        ExportFormat::Csv => Export::Csv(Box::new(csv::Writer::from_writer(out))),
    };
    let mut after = 0;
    loop {
        let page = store.page(&filter, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(ExitCode::SUCCESS) };
        after = last.seq;
        let shown = page.into_iter().map(|row| match &recorded {
            Some(recorded) => Ok(ShownRow::revealed(row, recorded)),
            None => ShownRow::masked(row),
        });
        export.write(&shown.collect::<Result<Vec<_>, _>>().context("a stored result is not one of ours")?)?;
    }
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
    AuditRecord {
        tenant: Some(args.tenant.tenant),
        actor: actor(),
        action: AuditAction::Reveal,
        subject,
        amount: None,
        reason: args.reason.clone().unwrap_or_default(),
    }
}

const HEADS: [&str; 10] =
    ["SOURCE", "STATUS", "DECISION", "SIDE", "NAME", "NUMBER", "BORN", "VALID TO", "CONFIDENCE", "REMARKS"];

/// Prints results.
enum Export {
    Table { out: BufWriter<io::Stdout>, table: Table },
    Json(BufWriter<io::Stdout>),
    Csv(Box<csv::Writer<BufWriter<io::Stdout>>>),
}

impl Export {
    fn write(&mut self, rows: &[ShownRow]) -> anyhow::Result<()> {
        match self {
            Export::Table { out, table } => {
                table.print(out, &rows.iter().map(table_row).collect::<Vec<_>>())?;
                out.flush()?;
            }
            Export::Json(out) => {
                for row in rows {
                    let row = WholeRow::of(row).context("a stored result is not valid JSON")?;
                    serde_json::to_writer(&mut *out, &row)?;
                    out.write_all(b"\n")?;
                }
                out.flush()?;
            }
            Export::Csv(out) => {
                for row in rows {
                    out.serialize(FlatRow::of(row))?;
                }
                out.flush()?;
            }
        }
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
