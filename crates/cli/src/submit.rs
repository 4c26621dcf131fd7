//! `shenfen submit`: publishes pictures as jobs and prints each when the broker has confirmed it.

mod jobs;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;
use shenfen_core::RequestedSide;
use shenfen_queue::{Backoff, Error, Outgoing, Publisher};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::broker::{BrokerArgs, reach};
use crate::keyring::RecipientArgs;
use crate::table::{Format, Table};
use crate::tenant::TenantArgs;
use jobs::{Chunk, Jobs, Named, Prepared};

/// How often a message that could not be published is tried again, after waits of up to 1, 2, 4, 8 and 16 seconds.
const RETRIES: u32 = 5;

/// Publish pictures as jobs for the workers
///
/// Prints the identifier of each job once the broker has confirmed it. The identifier is derived from batch, reference, side
/// and picture, so submitting the same picture again does not create a second job.
#[derive(Args)]
pub(crate) struct SubmitArgs {
    /// Pictures, folders of pictures, or manifests (.csv or .jsonl with path and, optionally, reference and side)
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// Batch of the jobs
    #[arg(long, env = "SHENFEN_BATCH", value_name = "NAME", default_value = "default")]
    batch: String,

    /// Your own identifier, such as a customer number, where the manifest gives none
    #[arg(long, env = "SHENFEN_REFERENCE", value_name = "TEXT")]
    reference: Option<String>,

    /// Side that the pictures show, where the manifest gives none: auto, front or back
    #[arg(long, env = "SHENFEN_SIDE", value_name = "SIDE", default_value = "auto")]
    side: RequestedSide,

    /// Publish paths relative to this folder, the workers' --image-root, instead of the pictures themselves
    #[arg(long, env = "SHENFEN_BY_PATH", value_name = "ROOT")]
    by_path: Option<PathBuf>,

    #[command(flatten)]
    tenant: TenantArgs,

    #[command(flatten)]
    recipients: RecipientArgs,

    /// Output format [default: table on a terminal, otherwise json, one object per line]
    #[arg(long, env = "SHENFEN_FORMAT", value_enum)]
    format: Option<Format>,

    #[command(flatten)]
    broker: BrokerArgs,
}

/// Runs the command.
///
/// # Errors
/// When a path does not exist, no picture is found, the broker fails, or the output cannot be written.
pub(crate) fn run(args: SubmitArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(submit(args))
}

async fn submit(args: SubmitArgs) -> anyhow::Result<ExitCode> {
    let broker = args.broker.required()?;
    let jobs = Jobs::new(&args, broker.limits.max_body)?;
    let publisher = Publisher::new(broker.clone());
    reach(&publisher, &broker).await?;

    // Files are read on a thread of their own, one chunk ahead, so that the connection stays alive however slow they are.
    let (sender, mut chunks) = mpsc::channel(1);
    thread::spawn(move || {
        for chunk in jobs.chunks() {
            if sender.blocking_send(chunk).is_err() {
                break;
            }
        }
    });
    let mut report = Report::new(&args);
    while let Some(Chunk { jobs, faults }) = chunks.recv().await {
        faults.iter().for_each(|fault| report.note_failure(fault));
        report.publish(&publisher, jobs).await?;
    }
    report.bar.finish_and_clear();
    publisher.close().await;
    match (report.published, report.failed) {
        (0, 0) => bail!("no pictures found; supported extensions: .jpg, .jpeg, .png, .webp, .bmp, .tif, .tiff"),
        (_, 0) => Ok(ExitCode::SUCCESS),
        (published, failed) => {
            let _ = writeln!(io::stderr(), "{published} published, {failed} not published");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Publishes jobs and prints those that are confirmed.
struct Report {
    out: BufWriter<io::Stdout>,
    format: Format,
    table: Table,
    bar: ProgressBar,
    batch: String,
    published: u64,
    failed: u64,
}

/// One line of JSON: a confirmed job.
#[derive(Serialize)]
struct Line<'a> {
    job_id: &'a str,
    batch: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    source: &'a str,
}

impl Report {
    fn new(args: &SubmitArgs) -> Report {
        // On a terminal the printed jobs show the progress.
        let bar = if io::stdout().is_terminal() { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        Report {
            out: BufWriter::new(io::stdout()),
            format: Format::or_default(args.format),
            table: Table::new(["JOB", "BATCH", "REFERENCE", "SOURCE"]),
            bar,
            batch: args.batch.clone(),
            published: 0,
            failed: 0,
        }
    }

    /// Publishes jobs and prints each when it is confirmed. Transient failures are retried.
    async fn publish(&mut self, publisher: &Publisher, mut jobs: Vec<Prepared>) -> anyhow::Result<()> {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(16));
        for retry in 0.. {
            let (messages, named): (Vec<Outgoing>, Vec<_>) =
                jobs.into_iter().map(|Prepared { message, named }| (message, named)).unzip();
            let outcomes = publisher.publish_all(&messages).await;
            jobs = Vec::new();
            let mut trouble = None;
            for ((message, named), outcome) in messages.into_iter().zip(named).zip(outcomes) {
                match outcome {
                    Ok(()) => self.print(&message, &named)?,
                    Err(error) if error.is_transient() => {
                        trouble = Some(error);
                        jobs.push(Prepared { message, named });
                    }
                    Err(error @ Error::TooLarge { .. }) => self.note_failure(&format!("{}: {error}", named.source)),
                    Err(error) => return Err(error).context(self.so_far()),
                }
            }
            self.out.flush()?;
            let Some(error) = trouble else { break };
            if retry == RETRIES {
                return Err(error).context(self.so_far());
            }
            self.tell(&format!("{error}; retrying"));
            sleep(backoff.wait()).await;
        }
        Ok(())
    }

    fn print(&mut self, message: &Outgoing, named: &Named) -> io::Result<()> {
        self.published += 1;
        self.bar.set_message(format!("{} published", self.published));
        self.bar.tick();
        let job_id = message.message_id.as_deref().unwrap_or_default();
        let (batch, reference, source) = (self.batch.as_str(), named.reference.as_deref(), named.source.as_str());
        match self.format {
            Format::Json => {
                serde_json::to_writer(&mut self.out, &Line { job_id, batch, reference, source })?;
                self.out.write_all(b"\n")
            }
            Format::Table => {
                let row = [format!("{job_id:36}"), batch.into(), reference.unwrap_or_default().into(), source.into()];
                self.table.print(&mut self.out, &[row])
            }
        }
    }

    fn note_failure(&mut self, fault: &str) {
        self.failed += 1;
        self.tell(&format!("error: {fault}"));
    }

    /// A line of its own, above the progress.
    fn tell(&self, line: &str) {
        // Nothing can be done if standard error is closed.
        self.bar.suspend(|| drop(writeln!(io::stderr(), "{line}")));
    }

    fn so_far(&self) -> String {
        format!("stopped after {} jobs were published", self.published)
    }
}
