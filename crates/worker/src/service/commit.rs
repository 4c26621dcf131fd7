//! Group commit: ends of jobs that come close together are stored in one transaction.

use std::ops::ControlFlow;
use std::time::Duration;

use shenfen_core::JobId;
use shenfen_queue::Backoff;
use shenfen_store::port::JobStore;
use shenfen_store::{Finished, StoreError};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout_at};

use super::crash::crash_point;
use super::engine::Event;
use super::metrics::{Metrics, Stage};
use super::{ServiceSettings, stop_requested};

/// Waits between attempts to reach the database or the broker.
pub(crate) fn retry_backoff() -> Backoff {
    Backoff::new(Duration::from_millis(100), Duration::from_secs(10))
}

/// A database that may be away: says so once when it goes and once when it is back.
pub(crate) struct Patience {
    failures: u32,
    backoff: Backoff,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience { failures: 0, backoff: retry_backoff() }
    }
}

impl Patience {
    /// Waits after a failure, longer each time.
    pub(crate) async fn wait_after(&mut self, error: &StoreError, metrics: &Metrics) {
        if self.failures == 0 {
            tracing::warn!(%error, "waiting for the database");
        }
        metrics.database_away(true);
        self.failures += 1;
        sleep(self.backoff.wait()).await;
    }

    /// Notes a success.
    pub(crate) fn ended(&mut self, metrics: &Metrics) {
        if self.failures > 0 {
            tracing::info!(failures = self.failures, "the database is back");
            metrics.database_away(false);
            self.failures = 0;
            self.backoff.reset();
        }
    }
}

/// Stores ends until there are no more to come; what became of each is told to the engine. A database that is away is
/// waited for, until `give_up` turns true.
pub(crate) async fn commit_all<L: JobStore>(
    ledger: L,
    settings: ServiceSettings,
    metrics: Metrics,
    mut ends: mpsc::UnboundedReceiver<Finished>,
    events: mpsc::UnboundedSender<Event>,
    mut give_up: watch::Receiver<bool>,
) {
    let mut group = Vec::new();
    while let Some(first) = ends.recv().await {
        group.push(first);
        let deadline = Instant::now() + settings.commit_after;
        while group.len() < settings.commit_rows {
            match timeout_at(deadline, ends.recv()).await {
                Ok(Some(end)) => group.push(end),
                Ok(None) | Err(_) => break,
            }
        }
        let storing = store(&ledger, std::mem::take(&mut group), &metrics, &events);
        tokio::select! {
            flow = storing => if flow.is_break() { return },
            // Whoever holds the sender is gone, or nobody waits any more.
            () = stop_requested(&mut give_up) => return,
        }
    }
}

/// Stores a group; where the database takes one of its rows never, the others are stored without it.
async fn store<L: JobStore>(
    ledger: &L,
    group: Vec<Finished>,
    metrics: &Metrics,
    events: &mpsc::UnboundedSender<Event>,
) -> ControlFlow<()> {
    let mut patience = Patience::default();
    let mut groups = vec![group];
    while let Some(group) = groups.pop() {
        crash_point("before-commit");
        let begin = Instant::now();
        let event = match ledger.complete(&group).await {
            Ok(completed) => {
                crash_point("after-commit");
                patience.ended(metrics);
                metrics.took(Stage::Commit, begin.elapsed());
                metrics.repeated(completed.repeated);
                Event::Committed(group.iter().map(|end| end.job.id).collect())
            }
            Err(StoreError::Rejected { reason, .. }) => match halves(group) {
                Ok([one, other]) => {
                    groups.extend([one, other]);
                    continue;
                }
                Err(job) => Event::NotStorable(job, reason),
            },
            Err(error) => {
                patience.wait_after(&error, metrics).await;
                groups.push(group);
                continue;
            }
        };
        if events.send(event).is_err() {
            return ControlFlow::Break(());
        }
    }
    ControlFlow::Continue(())
}

/// A group in two; of a single one its job.
fn halves(mut group: Vec<Finished>) -> Result<[Vec<Finished>; 2], JobId> {
    if let [one] = group.as_slice() {
        return Err(one.job.id);
    }
    let other = group.split_off(group.len() / 2);
    Ok([group, other])
}
