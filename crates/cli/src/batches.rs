//! `shenfen batches`: the progress of each batch; pausing, resuming and cancelling one.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use shenfen_store::{Access, Audit, AuditAction, AuditRecord, BatchProgress, BatchState, Batches, Dispatch, FlatBatch};

use crate::actor::actor;
use crate::database::DatabaseArgs;
use crate::table::{Format, Table};
use crate::tenant::TenantArgs;

/// Show the progress of each batch; pause, resume or cancel one
#[derive(Args)]
pub(crate) struct BatchesArgs {
    /// Output format [default: table on a terminal, otherwise json, one object per line]
    #[arg(long, global = true, env = "SHENFEN_FORMAT", value_enum)]
    format: Option<Format>,

    #[command(flatten)]
    tenant: TenantArgs,

    #[command(flatten)]
    database: DatabaseArgs,

    #[command(subcommand)]
    change: Option<Change>,
}

#[derive(Subcommand)]
enum Change {
    /// Finish the pictures being read and let the rest wait
    Pause(NameArgs),
    /// Resume a paused batch
    Resume(NameArgs),
    /// Cancel the rest of a batch; this is final
    Cancel(NameArgs),
}

#[derive(Args)]
struct NameArgs {
    /// Name of the batch
    #[arg(value_name = "NAME")]
    name: String,
}

/// Runs the command.
///
/// # Errors
/// When the database cannot be read or changed, the batch does not exist, or the output cannot be written.
pub(crate) fn run(args: BatchesArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let batches = runtime.context("cannot start the runtime")?.block_on(async {
        let (name, state) = match &args.change {
            None => return Ok(args.database.open_to_read(Access::Read, args.tenant.tenant).await?.batches().await?),
            Some(Change::Pause(NameArgs { name })) => (name, BatchState::Paused),
            Some(Change::Resume(NameArgs { name })) => (name, BatchState::Active),
            Some(Change::Cancel(NameArgs { name })) => (name, BatchState::Cancelled),
        };
        change(&args, name, state).await.map(|batch| vec![batch])
    })?;
    let mut out = BufWriter::new(io::stdout());
    match Format::or_default(args.format) {
        Format::Table => {
            let heads = ["BATCH", "STATE", "PICTURES", "QUEUED", "DONE", "OK", "REVIEW", "FAILED", "RATE", "ETA"];
            Table::new(heads).print(&mut out, &batches.iter().map(table_row).collect::<Vec<_>>())?;
        }
        Format::Json => {
            for batch in &batches {
                serde_json::to_writer(&mut out, &FlatBatch::of(batch))?;
                out.write_all(b"\n")?;
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Changes the state of a batch, which the audit log records, and returns its progress.
async fn change(args: &BatchesArgs, name: &str, state: BatchState) -> anyhow::Result<BatchProgress> {
    let store = args.database.open_server(Access::Work, args.tenant.tenant).await?;
    let record = AuditRecord {
        tenant: Some(args.tenant.tenant),
        actor: actor(),
        action: match state {
            BatchState::Paused => AuditAction::Pause,
            BatchState::Active => AuditAction::Resume,
            BatchState::Cancelled => AuditAction::Cancel,
        },
        subject: format!("batch {name}"),
        amount: None,
        reason: String::new(),
    };
    store.record(&record).await?;
    let now = store.set_batch_state(name, state).await?;
    let batch = store.batch(name).await?;
    match (now, batch) {
        (Some(now), Some(batch)) if now == state => Ok(batch),
        (Some(_), Some(_)) => bail!("the batch {name} was cancelled, which is final"),
        _ => bail!("there is no batch {name} in the database {}", store.name()),
    }
}

/// Jobs without a result count as failed here: a person wants to know how many need care.
fn table_row(batch: &BatchProgress) -> [String; 10] {
    [
        batch.name.clone(),
        batch.state.as_str().to_owned(),
        batch.total().to_string(),
        batch.open().to_string(),
        batch.results().to_string(),
        batch.accepted.to_string(),
        batch.review.to_string(),
        (batch.failed + batch.dead).to_string(),
        batch.rate.map(|rate| format!("{rate:.1}/s")).unwrap_or_default(),
        batch.eta().map(in_words).unwrap_or_default(),
    ]
}

fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}
