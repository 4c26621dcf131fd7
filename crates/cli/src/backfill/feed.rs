//! A backfill through a broker: this process lists pictures and publishes jobs, workers read them, and the progress shown is
//! that of all workers.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use shenfen_queue::{Broker, Publisher};
use shenfen_store::{Access, BatchProgress, BatchState, Batches};
use shenfen_worker::{Archives, Feed, FeedEnd, FeedEvent, FeedSettings, Source};

use super::{BackfillArgs, print_next, print_summary};
use crate::broker::reach;
use crate::signals::watch_for_stop;

/// Interval between progress lines where standard error is not a terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Lists pictures, publishes jobs and shows progress until every job of the batch has ended.
///
/// # Errors
/// When the path does not exist, or broker or database refuse.
pub(super) async fn run(args: BackfillArgs, broker: Broker) -> anyhow::Result<ExitCode> {
    if args.reading.names_policy() {
        bail!("with --broker the workers decide: give --policy to `shenfen worker`");
    }
    let source = Source::open_with(&args.path, Archives::InPlace)?;
    let batch = args.batch.clone().unwrap_or_else(|| source.name().to_owned());
    let image_root = image_root(&args)?;
    let tenant = args.tenant.tenant;
    let store = args.database.open_server(Access::Work, tenant).await?;
    let publisher = Publisher::new(broker.clone());
    reach(&publisher, &broker).await?;
    let mut progress = Progress::start(&batch);
    progress
        .tell(&format!("workers need these pictures below their --image-root; here that is {}", image_root.display()));
    let settings = FeedSettings { window: args.window, image_root };
    let feed = Feed::new(store.clone(), publisher, tenant, &batch, settings);
    let outcome = feed.run(source, watch_for_stop(), |event| progress.note(event)).await;
    progress.finish();
    let report = outcome?;

    let path = args.path.display();
    let Some(counts) = store.batch(&batch).await? else {
        if report.unreadable > 0 {
            bail!("nothing in {path} could be read");
        }
        bail!("no pictures in {path}; supported extensions: .jpg, .jpeg, .png, .webp, .bmp, .tif, .tiff");
    };
    let mut out = io::stdout().lock();
    if report.end == FeedEnd::Complete && report.new == 0 && report.published == 0 {
        writeln!(out, "nothing to do: all {} pictures of {path} are done", report.listed)?;
    }
    print_summary(&mut out, &counts)?;
    if report.left_out > 0 {
        writeln!(out, "skipped: {} files (unsupported extension, archive inside, symlink or hidden)", report.left_out)?;
    }
    match report.end {
        FeedEnd::Stopped => bail!(
            "stopped publishing; workers continue with what the broker has, and the same command publishes the rest of {} open jobs",
            counts.open()
        ),
        FeedEnd::Cancelled => bail!("the batch {batch} was cancelled"),
        FeedEnd::Complete => print_next(&mut out, &args, &batch, &counts)?,
    }
    Ok(if report.unreadable > 0 {
        ExitCode::FAILURE
    } else if args.strict && counts.not_ok + counts.dead > 0 {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    })
}

/// The folder that paths in messages are relative to: the one given, else the folder to be read, or that of the archive or manifest.
fn image_root(args: &BackfillArgs) -> anyhow::Result<PathBuf> {
    let root = match &args.image_root {
        Some(root) => root.as_path(),
        None if args.path.is_dir() => &args.path,
        None => args.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")),
    };
    root.canonicalize().with_context(|| format!("cannot open the image root {}", root.display()))
}

/// The progress shown: a bar on a terminal, a line every few seconds elsewhere.
struct Progress {
    batch: String,
    bar: Option<ProgressBar>,
    last_line: Option<Instant>,
    state: BatchState,
    waiting: bool,
}

impl Progress {
    fn start(batch: &str) -> Progress {
        let bar = io::stderr().is_terminal().then(|| {
            let template = "{wide_bar} {pos}/{len}  {msg}";
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(0).with_style(style)
        });
        Progress { batch: batch.to_owned(), bar, last_line: None, state: BatchState::Active, waiting: false }
    }

    fn note(&mut self, event: FeedEvent<'_>) {
        match event {
            FeedEvent::Listed { .. } => {}
            FeedEvent::Unreadable(error) => self.tell(&format!("error: {error}")),
            FeedEvent::Waiting(reason) => {
                if !self.waiting {
                    self.tell(&format!("waiting for the broker: {reason}"));
                }
                self.waiting = true;
            }
            FeedEvent::Progress(counts) => self.show(counts),
        }
    }

    fn show(&mut self, counts: &BatchProgress) {
        if counts.state != self.state {
            self.state = counts.state;
            match counts.state {
                BatchState::Paused => self.tell("the batch is paused; `shenfen batches resume` resumes it"),
                BatchState::Active => self.tell("the batch is resumed"),
                BatchState::Cancelled => {}
            }
        }
        let done = counts.total() - counts.open();
        if let Some(bar) = &self.bar {
            bar.set_length(counts.total());
            bar.set_position(done);
            bar.set_message(words(counts));
        } else if self.last_line.is_none_or(|last| last.elapsed() >= LINE_EVERY) || counts.open() == 0 {
            self.last_line = Some(Instant::now());
            self.tell(&format!("{}: {done} of {}, {}", self.batch, counts.total(), words(counts)));
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
            // The bar leaves the cursor at its end.
            drop(writeln!(io::stderr()));
        }
    }

    /// A line of its own, above the bar where there is one.
    fn tell(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            // Nothing can be done if standard error is closed.
            None => drop(writeln!(io::stderr(), "{line}")),
        }
    }
}

/// Rate and time left of all workers together, and the results so far.
fn words(counts: &BatchProgress) -> String {
    let mut words = match counts.rate {
        Some(rate) => format!("{rate:.1}/s"),
        None => "no recent results".to_owned(),
    };
    if let Some(left) = counts.eta() {
        words += &format!(", {} s left", left.as_secs());
    }
    let BatchProgress { accepted, review, failed, dead, .. } = counts;
    words + &format!(", {accepted} OK, {review} review, {failed} failed, {dead} dead")
}
