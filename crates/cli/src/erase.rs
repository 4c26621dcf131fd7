//! `shenfen erase`: deletes what is stored about the people of a batch or of a reference.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use clap::builder::FalseyValueParser;
use shenfen_core::Tenant;
use shenfen_queue::{DeadLetters, Filter};
use shenfen_store::sqlite::OpenOptions;
use shenfen_store::{Access, Audit, AuditAction, AuditRecord, Erase, EraseScope};

use crate::actor::actor;
use crate::broker::BrokerArgs;
use crate::database::{DatabaseArgs, DatabaseChoice, Store};
use crate::tenant::TenantArgs;

/// Results and jobs erased by one statement.
const PIECE: u32 = 1000;

/// Erase the results of a batch or of a reference, and what is known of their jobs; this is final
///
/// What stays is that the jobs have ended, so that none is read again. Jobs that have not ended must end or be cancelled first.
#[derive(Args)]
pub(crate) struct EraseArgs {
    #[command(flatten)]
    scope: Scope,

    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: String,

    /// Confirm the erasure
    #[arg(long, env = "SHENFEN_YES", value_parser = FalseyValueParser::new())]
    yes: bool,

    #[command(flatten)]
    tenant: TenantArgs,

    #[command(flatten)]
    database: DatabaseArgs,

    #[command(flatten)]
    broker: BrokerArgs,
}

/// What to erase. Not from the environment: a forgotten variable must not choose what is deleted.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Scope {
    /// Everything of this batch
    #[arg(long, value_name = "NAME")]
    batch: Option<String>,

    /// Every picture with this reference, such as a customer number
    #[arg(long, value_name = "TEXT")]
    reference: Option<String>,
}

impl Scope {
    fn scope(&self) -> EraseScope {
        match (&self.batch, &self.reference) {
            (Some(batch), _) => EraseScope::Batch(batch.clone()),
            (None, reference) => EraseScope::Reference(reference.clone().unwrap_or_default()),
        }
    }

    /// The dead letters of the same scope.
    fn dead_letters(&self, tenant: Tenant) -> Filter {
        let filter = match self.scope() {
            EraseScope::Batch(batch) => Filter::Batch(batch),
            EraseScope::Reference(reference) => Filter::Reference(reference),
        };
        Filter::OfTenant(tenant, Box::new(filter))
    }

    fn in_words(&self) -> String {
        match (&self.batch, &self.reference) {
            (Some(batch), _) => format!("batch {batch}"),
            (None, reference) => format!("reference {}", reference.as_deref().unwrap_or_default()),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// When something of it has not ended, the database or the broker fails, or the erasure is not confirmed.
pub(crate) fn run(args: &EraseArgs) -> anyhow::Result<ExitCode> {
    if !args.yes {
        bail!("this erases results permanently: look at them with `shenfen results`, then add --yes");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(erase(args))?;
    Ok(ExitCode::SUCCESS)
}

async fn erase(args: &EraseArgs) -> anyhow::Result<()> {
    let tenant = args.tenant.tenant;
    let broker = args.broker.choice()?;
    let store = match args.database.choice()? {
        // Not to be made by this command.
        DatabaseChoice::File(path) if !path.exists() => Store::File(OpenOptions::new(path, Access::Read).open().await?),
        DatabaseChoice::File(_) => Store::File(args.database.open(Access::Work, tenant).await?),
        DatabaseChoice::Postgres(_) => Store::Server(args.database.open_server(Access::Work, tenant).await?),
    };
    let scope = args.scope.scope();
    let open = store.open_jobs(&scope).await?;
    if open > 0 {
        bail!("{open} of these jobs have not ended: let them end, or cancel their batch with `shenfen batches cancel`");
    }
    let recorded = store
        .record(&AuditRecord {
            tenant: Some(tenant),
            actor: actor(),
            action: AuditAction::Erase,
            subject: args.scope.in_words(),
            amount: None,
            reason: args.reason.clone(),
        })
        .await?;
    let (mut results, mut jobs) = (0, 0);
    loop {
        let erased = store.erase(&scope, PIECE).await?;
        if erased.is_empty() {
            break;
        }
        results += erased.results;
        jobs += erased.jobs;
    }
    store
        .finish_erasing()
        .await
        .context("erased, but the write-ahead log still has it: end other programs, and run this again")?;
    let letters = match broker {
        // Chosen by what they say themselves, so that those of jobs that were erased before go as well.
        Some(broker) => DeadLetters::new(broker).purge(&args.scope.dead_letters(tenant)).await?,
        None => 0,
    };
    writeln!(io::stdout(), "erased {results} results, {jobs} jobs, {letters} dead letters")?;
    writeln!(io::stdout(), "audit entry {}, hash {}", recorded.seq(), recorded.hash())?;
    Ok(())
}
