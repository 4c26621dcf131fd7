//! `shenfen dead`: lists, retries and deletes dead letters.

use std::collections::HashSet;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};
use serde::Serialize;
use shenfen_core::{JobId, JobKey, Tenant};
use shenfen_queue::{Broker, DeadLetter, DeadLetters, Depths, Filter};
use shenfen_store::{Access, Audit, AuditAction, AuditRecord, JobStore};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::actor::actor;
use crate::broker::BrokerArgs;
use crate::database::DatabaseArgs;
use crate::table::{Format, Table};

/// Jobs reopened by one statement.
const REOPENED_AT_ONCE: usize = 1000;

/// List dead letters (jobs that failed for good), retry them or delete them
#[derive(Args)]
pub(crate) struct DeadArgs {
    #[command(flatten)]
    broker: BrokerArgs,

    /// Only dead letters of this tenant's jobs [default: of all tenants]
    #[arg(long, global = true, value_name = "NAME")]
    tenant: Option<Tenant>,

    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List dead letters and their reasons, oldest first, without their content
    List(ListArgs),
    /// Publish dead letters as new jobs, with attempts counted from zero
    Redrive(RedriveArgs),
    /// Delete dead letters permanently
    Purge(PurgeArgs),
}

#[derive(Args)]
struct ListArgs {
    #[command(flatten)]
    selection: Selection,

    /// Read only the oldest N
    #[arg(long, env = "SHENFEN_LIMIT", value_name = "N", default_value_t = 1000)]
    limit: usize,

    /// Output format [default: table on a terminal, otherwise json, one object per line]
    #[arg(long, env = "SHENFEN_FORMAT", value_enum)]
    format: Option<Format>,
}

#[derive(Args)]
struct RedriveArgs {
    #[command(flatten)]
    selection: Selection,

    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Args)]
struct PurgeArgs {
    #[command(flatten)]
    selection: Selection,

    #[command(flatten)]
    database: DatabaseArgs,

    /// Confirm the deletion
    #[arg(long, env = "SHENFEN_YES", value_parser = FalseyValueParser::new())]
    yes: bool,
}

/// Which dead letters to use. Not from the environment: a forgotten variable must not choose what is deleted.
#[derive(Args)]
#[group(multiple = false)]
struct Selection {
    /// All dead letters
    #[arg(long)]
    all: bool,

    /// Dead letters of this job; may be given several times
    #[arg(long, value_name = "ID")]
    id: Vec<JobId>,

    /// Dead letters whose reason contains this text
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Dead letters of this batch
    #[arg(long, value_name = "NAME")]
    batch: Option<String>,

    /// Dead letters that named a tenant which their queue may not, as for a worker that is now started with other --tenants
    #[arg(long)]
    refused: bool,
}

impl Selection {
    /// The selection among the dead letters of a tenant, or of all; `None` without one.
    fn filter(&self, tenant: Option<Tenant>) -> Option<Filter> {
        let filter = match self {
            Selection { all: true, .. } => Some(Filter::All),
            Selection { reason: Some(text), .. } => Some(Filter::Reason(text.clone())),
            Selection { batch: Some(name), .. } => Some(Filter::Batch(name.clone())),
            Selection { refused: true, .. } => Some(Filter::Refused),
            Selection { id, .. } if !id.is_empty() => Some(Filter::Jobs(id.iter().copied().collect())),
            _ => None,
        };
        match tenant {
            Some(tenant) => filter.map(|filter| Filter::OfTenant(tenant, Box::new(filter))),
            None => filter,
        }
    }

    /// The selection as the audit log has it.
    fn in_words(&self) -> String {
        match self {
            Selection { all: true, .. } => "all dead letters".to_owned(),
            Selection { reason: Some(text), .. } => format!("dead letters with the reason {text}"),
            Selection { batch: Some(name), .. } => format!("dead letters of batch {name}"),
            Selection { refused: true, .. } => "refused dead letters".to_owned(),
            Selection { id, .. } => {
                let ids: Vec<String> = id.iter().map(JobId::to_string).collect();
                format!("dead letters of {}", ids.join(", "))
            }
        }
    }

    /// The selection of a command that needs one.
    fn required(&self, tenant: Option<Tenant>) -> anyhow::Result<Filter> {
        match self.filter(tenant) {
            Some(filter) => Ok(filter),
            None => bail!("choose dead letters with --id ID, --batch NAME, --reason TEXT, --refused or --all"),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// When broker or database fail, or the output cannot be written.
pub(crate) fn run(args: DeadArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start the runtime")?;
    let broker = args.broker.required()?;
    runtime.block_on(async {
        match args.action {
            Action::List(list_args) => list(broker, &list_args, args.tenant).await,
            Action::Redrive(redrive_args) => redrive(broker, &redrive_args, args.tenant).await,
            Action::Purge(purge_args) => purge(broker, &purge_args, args.tenant).await,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn list(broker: Broker, args: &ListArgs, tenant: Option<Tenant>) -> anyhow::Result<()> {
    let all = || tenant.map_or(Filter::All, |tenant| Filter::OfTenant(tenant, Box::new(Filter::All)));
    let filter = args.selection.filter(tenant).unwrap_or_else(all);
    let letters = DeadLetters::new(broker.clone()).list(args.limit).await?;
    let mut out = BufWriter::new(io::stdout());
    let chosen = letters.iter().filter(|letter| filter.accepts(letter));
    match Format::or_default(args.format) {
        Format::Table => {
            let heads = ["JOB", "BATCH", "REFERENCE", "ATTEMPTS", "SINCE", "REASON"];
            Table::new(heads).print(&mut out, &chosen.map(table_row).collect::<Vec<_>>())?;
        }
        Format::Json => {
            for letter in chosen {
                serde_json::to_writer(&mut out, &Line::of(letter))?;
                out.write_all(b"\n")?;
            }
        }
    }
    out.flush()?;
    let all = Depths::new(broker).read().await?.dead as usize;
    if all > args.limit {
        let _ = writeln!(io::stderr(), "these are from the oldest {} of {all}; --limit reads more", args.limit);
    }
    Ok(())
}

/// The database first: a worker only acknowledges a job that it finds dead there, so the letter would be lost. A message that was refused
/// is no job's, so it is only published again.
async fn redrive(broker: Broker, args: &RedriveArgs, tenant: Option<Tenant>) -> anyhow::Result<()> {
    let filter = args.selection.required(tenant)?;
    let store = args.database.open_server(Access::Work, Tenant::DEFAULT).await?;
    let letters = DeadLetters::new(broker);
    if filter == Filter::Refused {
        store.record(&act(AuditAction::Redrive, &args.selection, tenant, None)).await?;
        let count = letters.redrive(&filter).await?;
        writeln!(io::stdout(), "{count} published again")?;
        return Ok(());
    }
    let found = letters.list(usize::MAX).await?;
    let (jobs, no_jobs): (Vec<&DeadLetter>, Vec<&DeadLetter>) =
        found.iter().filter(|letter| filter.accepts(letter)).partition(|letter| letter.job.is_some());
    let jobs: HashSet<JobKey> = jobs.into_iter().filter_map(|letter| letter.job).collect();
    let keys: Vec<JobKey> = jobs.iter().copied().collect();
    if !keys.is_empty() {
        store.record(&act(AuditAction::Redrive, &args.selection, tenant, Some(keys.len() as u64))).await?;
    }
    for keys in keys.chunks(REOPENED_AT_ONCE) {
        store.reopen(keys).await?;
    }
    // Only those that were reopened, not jobs that died meanwhile.
    let count = if jobs.is_empty() { 0 } else { letters.redrive(&Filter::Keys(jobs)).await? };
    writeln!(io::stdout(), "{count} published again")?;
    if !no_jobs.is_empty() {
        let count = no_jobs.len();
        writeln!(io::stdout(), "{count} left unchanged: they are not valid jobs and would fail again")?;
    }
    Ok(())
}

async fn purge(broker: Broker, args: &PurgeArgs, tenant: Option<Tenant>) -> anyhow::Result<()> {
    let filter = args.selection.required(tenant)?;
    if !args.yes {
        bail!("this deletes dead letters permanently: check them with `shenfen dead list`, then add --yes");
    }
    let store = args.database.open_server(Access::Work, Tenant::DEFAULT).await?;
    store.record(&act(AuditAction::Purge, &args.selection, tenant, None)).await?;
    let count = DeadLetters::new(broker).purge(&filter).await?;
    writeln!(io::stdout(), "{count} deleted")?;
    Ok(())
}

/// What the audit log says of a change to dead letters.
fn act(action: AuditAction, selection: &Selection, tenant: Option<Tenant>, amount: Option<u64>) -> AuditRecord {
    AuditRecord { tenant, actor: actor(), action, subject: selection.in_words(), amount, reason: String::new() }
}

/// One line of JSON: a dead letter without its content.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<Tenant>,
    job_id: Option<JobId>,
    message_id: Option<&'a str>,
    batch: Option<&'a str>,
    reference: Option<&'a str>,
    reason: &'a str,
    attempts: u32,
    since: Option<String>,
    bytes: usize,
}

impl Line<'_> {
    fn of(letter: &DeadLetter) -> Line<'_> {
        Line {
            tenant: letter.job.map(|job| job.tenant).filter(|tenant| *tenant != Tenant::DEFAULT),
            job_id: letter.job.map(|job| job.id),
            message_id: letter.message_id.as_deref(),
            batch: letter.batch.as_deref(),
            reference: letter.reference.as_deref(),
            reason: &letter.reason,
            attempts: letter.failures,
            since: since(letter),
            bytes: letter.bytes,
        }
    }
}

fn table_row(letter: &DeadLetter) -> [String; 6] {
    [
        letter.job.map_or_else(|| "no job".to_owned(), |job| job.to_string()),
        letter.batch.clone().unwrap_or_default(),
        letter.reference.clone().unwrap_or_default(),
        letter.failures.to_string(),
        since(letter).unwrap_or_default(),
        letter.reason.clone(),
    ]
}

fn since(letter: &DeadLetter) -> Option<String> {
    let instant = OffsetDateTime::from_unix_timestamp(i64::try_from(letter.at?).ok()?).ok()?;
    instant.format(&Rfc3339).ok()
}
