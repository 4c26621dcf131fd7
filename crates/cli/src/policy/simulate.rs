//! `shenfen policy simulate`: what a policy would make of stored results.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Write};

use anyhow::Context;
use clap::Args;
use serde::Serialize;
use shenfen_core::{Decision, FieldName, Finding, PictureResult, Policy, Rule, Severity};
use shenfen_store::{Access, ResultFilter, Results};

use super::PolicyArgs;
use crate::database::DatabaseArgs;
use crate::table::{Format, Table};
use crate::tenant::TenantArgs;

/// Results fetched at a time.
const PAGE: u32 = 500;

/// In place of a rule where the thresholds of the card's confidence made the difference.
const CONFIDENCE: &str = "confidence";

#[derive(Args)]
pub(super) struct SimulateArgs {
    #[command(flatten)]
    policy: PolicyArgs,

    /// Only results of this batch
    #[arg(long, env = "SHENFEN_BATCH", value_name = "NAME")]
    batch: Option<String>,

    /// Output format [default: table on a terminal, otherwise json, one object per line]
    #[arg(long, env = "SHENFEN_FORMAT", value_enum)]
    format: Option<Format>,

    #[command(flatten)]
    tenant: TenantArgs,

    #[command(flatten)]
    database: DatabaseArgs,
}

/// Runs the command.
///
/// # Errors
/// When the policy is wrong, the database cannot be read, or the output cannot be written.
pub(super) fn run(args: &SimulateArgs) -> anyhow::Result<()> {
    let policy = args.policy.policy()?;
    let default = Policy::default();
    if (policy.correct_from, policy.trust_correction_from) != (default.correct_from, default.trust_correction_from) {
        let note = "correct_from and trust_correction_from take part only when a picture is read";
        writeln!(io::stderr(), "note: {note}; their effect is not shown")?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let changes = runtime.context("cannot start the runtime")?.block_on(changes(args, &policy))?;
    changes.print(&mut BufWriter::new(io::stdout()), Format::or_default(args.format))?;
    Ok(())
}

async fn changes(args: &SimulateArgs, policy: &Policy) -> anyhow::Result<Changes> {
    let store = args.database.open_to_read(Access::Read, args.tenant.tenant).await?;
    let filter = ResultFilter { batch: args.batch.clone(), ..ResultFilter::default() };
    let mut changes = Changes::default();
    let mut after = 0;
    loop {
        let page = store.page(&filter, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(changes) };
        after = last.seq;
        for row in &page {
            let stored = serde_json::from_str(&row.result);
            let stored = stored.with_context(|| format!("cannot read the stored result of job {}", row.job_id))?;
            changes.add(&stored, policy);
        }
    }
}

/// How many pictures go from one decision to another.
#[derive(Default)]
struct Changes(BTreeMap<(Decision, Decision), Change>);

#[derive(Default)]
struct Change {
    pictures: u64,
    rules: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct Line<'a> {
    from: Decision,
    to: Decision,
    pictures: u64,
    rules: &'a BTreeMap<&'static str, u64>,
}

impl Changes {
    fn add(&mut self, stored: &PictureResult, policy: &Policy) {
        let now = policy.reconsider(stored);
        let change = self.0.entry((stored.decision, now.decision)).or_default();
        change.pictures += 1;
        if stored.decision == now.decision {
            return;
        }
        let is_stricter = now.decision > stored.decision;
        for rule in responsible(&stored.findings, &now.findings, is_stricter) {
            *change.rules.entry(rule).or_default() += 1;
        }
    }

    fn print(&self, out: &mut impl Write, format: Format) -> io::Result<()> {
        match format {
            Format::Table => {
                let in_words = |rules: &BTreeMap<&str, u64>| {
                    rules.iter().map(|(rule, count)| format!("{rule} {count}")).collect::<Vec<_>>().join(", ")
                };
                let row = |(&(from, to), change): (&(Decision, Decision), &Change)| {
                    let Change { pictures, rules } = change;
                    [from.as_str().to_owned(), to.as_str().to_owned(), pictures.to_string(), in_words(rules)]
                };
                let rows: Vec<[String; 4]> = self.0.iter().map(row).collect();
                Table::new(["NOW", "THEN", "PICTURES", "RULES"]).print(out, &rows)?;
            }
            Format::Json => {
                for (&(from, to), Change { pictures, rules }) in &self.0 {
                    serde_json::to_writer(&mut *out, &Line { from, to, pictures: *pictures, rules })?;
                    out.write_all(b"\n")?;
                }
            }
        }
        out.flush()
    }
}

/// The rules whose findings became more severe, or less; where none did, those of the errors, which lead to something else now;
/// without errors it was the confidence.
fn responsible(stored: &[Finding], now: &[Finding], is_stricter: bool) -> BTreeSet<&'static str> {
    let (before, after) = (worst(stored), worst(now));
    let (less, more) = if is_stricter { (before, &after) } else { (after.clone(), &before) };
    let changed = more.iter().filter(|(key, severity)| less.get(key).copied().unwrap_or(Severity::Info) < **severity);
    let changed: BTreeSet<&str> = changed.map(|((rule, _), _)| rule.name()).collect();
    if !changed.is_empty() {
        return changed;
    }
    let errors = now.iter().filter(|finding| finding.severity == Severity::Error);
    let errors: BTreeSet<&str> = errors.map(|finding| finding.rule.name()).collect();
    if errors.is_empty() { BTreeSet::from([CONFIDENCE]) } else { errors }
}

fn worst(findings: &[Finding]) -> BTreeMap<(Rule, Option<FieldName>), Severity> {
    let mut worst = BTreeMap::new();
    for finding in findings {
        let severity = worst.entry((finding.rule, finding.field)).or_insert(finding.severity);
        *severity = (*severity).max(finding.severity);
    }
    worst
}
