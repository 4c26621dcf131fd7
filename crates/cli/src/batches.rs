//! `shenfen batches`: how far each batch is.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde::Serialize;
use shenfen_store::sqlite::Access;
use shenfen_store::{BatchProgress, Batches};

use crate::database::DatabaseArgs;
use crate::table::{Format, Table};

/// Show the progress of each batch.
#[derive(Args)]
pub(crate) struct BatchesArgs {
    /// Output [default: table on a terminal, otherwise json, one object a line]
    #[arg(long, env = "SHENFEN_FORMAT", value_enum)]
    format: Option<Format>,

    #[command(flatten)]
    database: DatabaseArgs,
}

/// Runs the command.
///
/// # Errors
/// When the database cannot be read or the output not be written.
pub(crate) fn run(args: BatchesArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let batches = runtime.context("cannot start the runtime")?.block_on(async {
        let store = args.database.open(Access::Read).await?;
        store.batches().await
    })?;
    let mut out = BufWriter::new(io::stdout());
    match Format::or_default(args.format) {
        Format::Table => {
            let heads = ["BATCH", "PICTURES", "QUEUED", "DONE", "OK", "REVIEW", "FAILED", "RATE", "ETA"];
            Table::new(heads).print(&mut out, &batches.iter().map(table_row).collect::<Vec<_>>())?;
        }
        Format::Json => {
            for batch in &batches {
                serde_json::to_writer(&mut out, &Line::of(batch))?;
                out.write_all(b"\n")?;
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct Line<'a> {
    batch: &'a str,
    total: u64,
    queued: u64,
    running: u64,
    done: u64,
    ok: u64,
    review: u64,
    failed: u64,
    dead: u64,
    rate: Option<f64>,
    eta_seconds: Option<f64>,
}

impl Line<'_> {
    fn of(batch: &BatchProgress) -> Line<'_> {
        Line {
            batch: &batch.name,
            total: batch.total(),
            queued: batch.queued,
            running: batch.running,
            done: batch.results(),
            ok: batch.accepted,
            review: batch.review,
            failed: batch.failed,
            dead: batch.dead,
            rate: batch.rate,
            eta_seconds: batch.eta().map(|eta| eta.as_secs_f64()),
        }
    }
}

/// Jobs without a result count as failed here: a person wants to know how many need care.
fn table_row(batch: &BatchProgress) -> [String; 9] {
    [
        batch.name.clone(),
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
