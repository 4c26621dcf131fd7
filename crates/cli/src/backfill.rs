//! `shenfen backfill`: reads every picture of a folder, archive or manifest and stores each result once, however often it is
//! interrupted.

mod feed;
mod progress;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use clap::builder::FalseyValueParser;
use shenfen_store::{Access, BatchProgress, Batches, SqliteStore};
use shenfen_worker::{Archives, Backfill, Ended, Report, Settings, Source};

use crate::broker::BrokerArgs;
use crate::database::DatabaseArgs;
use crate::pictures::ReadingArgs;
use crate::signals::watch_for_stop;
use crate::table::Table;
use crate::tenant::TenantArgs;

use progress::Progress;

/// Read a folder, archive or manifest of pictures into the database; resumes where it was interrupted
#[derive(Args)]
pub(crate) struct BackfillArgs {
    /// A folder, a picture, an archive (.zip, .tar, .tar.gz, .tgz or .tar.zst), or a manifest (.csv or .jsonl with path and,
    /// optionally, reference and side)
    #[arg(value_name = "PATH")]
    path: PathBuf,

    /// Name of the batch [default: name of the folder, archive or manifest]
    #[arg(long, env = "SHENFEN_BATCH", value_name = "NAME")]
    batch: Option<String>,

    /// Exit with status 2 if any picture of the batch is not OK
    #[arg(long, env = "SHENFEN_STRICT", value_parser = FalseyValueParser::new())]
    strict: bool,

    #[command(flatten)]
    tenant: TenantArgs,

    #[command(flatten)]
    database: DatabaseArgs,

    #[command(flatten)]
    broker: BrokerArgs,

    /// With --broker: the folder that workers use as their --image-root [default: PATH, or the folder of the archive or manifest]
    #[arg(long, env = "SHENFEN_IMAGE_ROOT", value_name = "DIR")]
    image_root: Option<PathBuf>,

    /// With --broker: maximum number of jobs of the batch in the broker at once
    #[arg(long, env = "SHENFEN_WINDOW", value_name = "N", default_value_t = 10_000)]
    window: u64,

    #[command(flatten)]
    reading: ReadingArgs,
}

/// Runs the command.
///
/// # Errors
/// When the path does not exist or holds no picture, or the database fails.
pub(crate) fn run(args: BackfillArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start the runtime")?;
    match args.broker.choice()? {
        Some(broker) => runtime.block_on(feed::run(args, broker)),
        None => runtime.block_on(backfill(args)),
    }
}

async fn backfill(args: BackfillArgs) -> anyhow::Result<ExitCode> {
    let source = Source::open_with(&args.path, Archives::Decompressed)?;
    let batch = args.batch.clone().unwrap_or_else(|| source.name().to_owned());
    // Take the lock before loading the networks, so that a second process fails at once.
    let store = args.database.open(Access::Work, args.tenant.tenant).await?;
    let open_before = store.batch(&batch).await?.map_or(0, |batch| batch.open());
    let Some(queue) = store.queue(&batch) else { bail!("the database was opened read-only") };
    let reader = args.reading.reader()?;
    let stop = watch_for_stop();

    let mut progress = Progress::start(&batch, open_before);
    let settings = Settings { memory: args.reading.memory(), ..Settings::with_threads(args.reading.threads()) };
    let backfill = Backfill::new(queue, reader, &batch, settings).with_decompressed(source.decompressed());
    let outcome = backfill.run(source, stop, |event| progress.note(&event)).await;
    progress.finish();
    let report = outcome?;
    let code = conclude(&args, &store, &batch, &report).await?;
    store.close().await;
    Ok(code)
}

/// Prints what was done and what to do next.
async fn conclude(args: &BackfillArgs, store: &SqliteStore, batch: &str, report: &Report) -> anyhow::Result<ExitCode> {
    let path = args.path.display();
    if report.listed == 0 && report.stored == 0 && report.unavailable == 0 {
        if report.ended == Ended::Stopped {
            bail!("stopped before anything was read; run the same command again to resume");
        }
        if report.unreadable > 0 {
            bail!("nothing in {path} could be read");
        }
        let others = if report.left_out > 0 { format!(" ({} other files)", report.left_out) } else { String::new() };
        bail!("no pictures in {path}{others}; supported extensions: .jpg, .jpeg, .png, .webp, .bmp, .tif, .tiff");
    }
    let Some(counts) = store.batch(batch).await? else { bail!("the batch {batch} is no longer in the database") };
    let mut out = io::stdout().lock();
    if report.ended == Ended::Complete && report.stored == 0 && report.new == 0 {
        writeln!(out, "nothing to do: all {} pictures of {path} are done", report.listed)?;
    }
    print_summary(&mut out, &counts)?;
    if report.left_out > 0 {
        writeln!(out, "skipped: {} files (unsupported extension, archive inside, symlink or hidden)", report.left_out)?;
    }
    if report.ended == Ended::Stopped {
        bail!("stopped with {} or more pictures left; run the same command again to resume", counts.open());
    }
    if report.unavailable > 0 {
        bail!(
            "{} pictures could not be read now, for faults of disk, network or system; run the same command again to read them",
            report.unavailable
        );
    }
    print_next(&mut out, args, batch, &counts)?;
    Ok(if report.unreadable > 0 {
        ExitCode::FAILURE
    } else if args.strict && counts.not_ok + counts.dead > 0 {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    })
}

fn print_summary(out: &mut impl Write, counts: &BatchProgress) -> io::Result<()> {
    let heads = ["BATCH", "PICTURES", "OK", "REVIEW", "FAILED", "NOT READ"];
    let numbers = [counts.total(), counts.accepted, counts.review, counts.failed, counts.open() + counts.dead]
        .map(|n| n.to_string());
    let [total, accepted, review, failed, rest] = numbers;
    Table::new(heads).print(out, &[[counts.name.clone(), total, accepted, review, failed, rest]])
}

fn print_next(out: &mut impl Write, args: &BackfillArgs, batch: &str, counts: &BatchProgress) -> io::Result<()> {
    let database = args.database.as_typed();
    writeln!(out, "next:")?;
    writeln!(out, "  shenfen results --batch '{batch}'{database}                     all results")?;
    if counts.review > 0 {
        writeln!(out, "  shenfen results --batch '{batch}' --decision review{database}   results to review")?;
    }
    if counts.failed > 0 {
        writeln!(out, "  shenfen results --batch '{batch}' --decision reject{database}   failures and their reasons")?;
    }
    Ok(())
}
