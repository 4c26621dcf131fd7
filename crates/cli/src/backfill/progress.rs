//! A backfill's progress on standard error: a bar on a terminal, a line every few seconds elsewhere.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use shenfen_core::{Decision, Status};
use shenfen_store::{Finished, Outcome};
use shenfen_worker::Event;

use crate::pictures::reasons;

/// Interval between progress lines where standard error is not a terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Failures that are shown one by one.
const FAILURES_SHOWN: u64 = 20;

/// What has happened so far.
pub(super) struct Progress {
    batch: String,
    bar: Option<ProgressBar>,
    started: Instant,
    last_line: Instant,
    /// Pictures to read in this run, as far as they are listed.
    total: u64,
    listing: bool,
    done: u64,
    accepted: u64,
    review: u64,
    failed: u64,
    /// Attempts at pictures that could not be had.
    unavailable: u64,
}

impl Progress {
    /// Shows the progress of a batch that has `open` pictures left from earlier runs.
    pub(super) fn start(batch: &str, open: u64) -> Progress {
        let bar = io::stderr().is_terminal().then(|| bar(open));
        let now = Instant::now();
        Progress {
            batch: batch.to_owned(),
            bar,
            started: now,
            last_line: now,
            total: open,
            listing: true,
            done: 0,
            accepted: 0,
            review: 0,
            failed: 0,
            unavailable: 0,
        }
    }

    /// Takes note of an event.
    pub(super) fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::Recovered(recovered) => {
                if recovered.dead > 0 {
                    self.total = self.total.saturating_sub(recovered.dead);
                    let dead = recovered.dead;
                    self.tell(&format!("{dead} pictures are dead: the process ended repeatedly while reading them"));
                }
            }
            Event::Listed { new, .. } => self.total += new,
            Event::Unreadable(error) => self.tell(&format!("error: {error}")),
            Event::ListingEnded => self.listing = false,
            Event::Unavailable { source, reason } => {
                self.unavailable += 1;
                if self.unavailable <= FAILURES_SHOWN {
                    self.tell(&format!("{source}: cannot be read now: {reason}"));
                }
            }
            Event::WaitingForPictures { pictures, wait } => {
                let seconds = wait.as_secs();
                self.tell(&format!("{pictures} pictures could not be read; trying again in {seconds} s"));
            }
            Event::Stored(finished) => self.count(finished),
            Event::Stopping => self.tell("stopping after the pictures being read; press Ctrl-C again to stop at once"),
        }
        self.show();
    }

    /// Ends the display.
    pub(super) fn finish(&self) {
        match &self.bar {
            Some(bar) => {
                bar.abandon();
                // The bar leaves the cursor at its end.
                drop(writeln!(io::stderr()));
            }
            None if self.done > 0 => self.tell(&self.to_string()),
            None => {}
        }
    }

    fn count(&mut self, finished: &Finished) {
        self.done += 1;
        let (decision, reason) = match &finished.outcome {
            Outcome::Dead { reason } => (Decision::Reject, Some(reason.clone())),
            Outcome::Read { result, .. } if result.status != Status::Ok => {
                (result.decision, Some(format!("{}: {}", result.status.as_str(), reasons(result))))
            }
            Outcome::Read { result, .. } => (result.decision, None),
        };
        match decision {
            Decision::Accept => self.accepted += 1,
            Decision::Review => self.review += 1,
            Decision::Reject => self.failed += 1,
        }
        let Some(reason) = reason else { return };
        match self.failed {
            ..=FAILURES_SHOWN => self.tell(&format!("{}: {reason}", finished.job.source)),
            failed if failed == FAILURES_SHOWN + 1 => {
                self.tell("more pictures failed; `shenfen results` shows all of them")
            }
            _ => {}
        }
    }

    fn show(&mut self) {
        if let Some(bar) = &self.bar {
            bar.set_length(self.total);
            bar.set_position(self.done);
            let (accepted, review, failed) = (self.accepted, self.review, self.failed);
            bar.set_message(format!("{accepted} OK, {review} review, {failed} failed"));
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            self.tell(&self.to_string());
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

impl fmt::Display for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Progress { batch, done, total, accepted, review, failed, .. } = self;
        let more = if self.listing { " or more" } else { "" };
        let rate = *done as f64 / self.started.elapsed().as_secs_f64().max(0.001);
        write!(formatter, "{batch}: {done} of {total}{more}, {rate:.1}/s")?;
        if *done > 0 && done < total {
            write!(formatter, ", {:.0} s left", (total - done) as f64 / rate)?;
        }
        write!(formatter, ", {accepted} OK, {review} review, {failed} failed")
    }
}

fn bar(open: u64) -> ProgressBar {
    let template = "{wide_bar} {pos}/{len}  {per_sec}  ETA {eta}  {msg}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(open).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
