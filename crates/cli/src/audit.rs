//! `shenfen audit`: shows, checks and exports the audit log.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use shenfen_core::Tenant;
use shenfen_store::{Access, Audit, AuditChain, AuditEntry, AuditFault};

use crate::database::{DatabaseArgs, Store};
use crate::table::Table;

/// Entries fetched at a time.
const PAGE: u32 = 500;

/// Show, check or export the audit log: who saw results in clear, redrove or deleted dead letters, paused or cancelled batches
#[derive(Args)]
pub(crate) struct AuditArgs {
    #[command(flatten)]
    database: DatabaseArgs,

    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show the entries, oldest first
    List,
    /// Check that no entry was changed, removed or moved, and print the number of entries and the hash of the last one
    Verify {
        /// A hash that an earlier check printed: finds out as well that entries were removed at the end
        #[arg(long, value_name = "HASH")]
        hash: Option<String>,
    },
    /// Print the entries as JSON, one object per line
    Export,
}

/// Runs the command.
///
/// # Errors
/// When the database cannot be read, the log was tampered with, or the output cannot be written.
pub(crate) fn run(args: AuditArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(async {
        let store = args.database.open_to_read(Access::Read, Tenant::DEFAULT).await?;
        match args.action {
            Action::List => list(&store).await,
            Action::Verify { hash } => verify(&store, hash.as_deref()).await,
            Action::Export => export(&store).await,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn list(store: &Store) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout());
    let mut table = Table::new(["NUMBER", "TIME", "TENANT", "ACTION", "AMOUNT", "ACTOR", "SUBJECT", "REASON"]);
    let mut after = 0;
    loop {
        let page = store.audit_page(after, PAGE).await?;
        table.print(&mut out, &page.iter().map(table_row).collect::<Vec<_>>())?;
        match page.last() {
            Some(entry) => after = entry.seq,
            None => return Ok(out.flush()?),
        }
    }
}

async fn verify(store: &Store, kept: Option<&str>) -> anyhow::Result<()> {
    let mut chain = AuditChain::default();
    let mut found = kept.is_none();
    loop {
        let page = store.audit_page(chain.entries(), PAGE).await?;
        if page.is_empty() {
            break;
        }
        for entry in &page {
            chain.check(entry)?;
            found |= kept == Some(entry.hash.as_str());
        }
    }
    if !found {
        bail!(AuditFault::Lost);
    }
    writeln!(io::stdout(), "{} entries, last hash {}", chain.entries(), chain.hash())?;
    Ok(())
}

async fn export(store: &Store) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout());
    let mut after = 0;
    loop {
        let page = store.audit_page(after, PAGE).await?;
        for entry in &page {
            let AuditEntry { seq, tenant, actor, action, subject, amount, reason, previous_hash, hash, .. } = entry;
            let line = json!({
                "seq": seq, "at": entry.time(), "tenant": tenant, "actor": actor, "action": action, "subject": subject,
                "amount": amount, "reason": reason, "previous_hash": previous_hash, "hash": hash,
            });
            writeln!(out, "{line}")?;
        }
        match page.last() {
            Some(entry) => after = entry.seq,
            None => return Ok(out.flush()?),
        }
    }
}

fn table_row(entry: &AuditEntry) -> [String; 8] {
    [
        entry.seq.to_string(),
        entry.time(),
        entry.tenant.clone(),
        entry.action.clone(),
        entry.amount.map(|amount| amount.to_string()).unwrap_or_default(),
        entry.actor.clone(),
        entry.subject.clone(),
        entry.reason.clone(),
    ]
}
