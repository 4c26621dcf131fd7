//! Group commit: ends of jobs that come close together are stored in one transaction.

use std::ops::ControlFlow;

use shenfen_core::JobKey;
use shenfen_store::port::JobStore;
use shenfen_store::{Finished, StoreError};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

use super::ServiceSettings;
use super::crash::crash_point;
use super::metrics::{Metrics, Stage};
use super::outage::DatabaseOutage;
use crate::stop::stop_requested;

/// What became of ends.
pub(crate) enum CommitOutcome {
    /// These jobs have theirs stored.
    Stored(Vec<JobKey>),
    /// The database will never take the end of this job.
    Rejected {
        /// The job.
        job: JobKey,
        /// Why, without personal data.
        reason: String,
    },
}

/// Stores ends until there are no more to come; what became of each is told to `outcomes`. A database that is away is
/// waited for, until `give_up` turns true.
pub(crate) async fn commit_all<S: JobStore>(
    store: S,
    settings: ServiceSettings,
    metrics: Metrics,
    mut ends: mpsc::UnboundedReceiver<Finished>,
    outcomes: mpsc::UnboundedSender<CommitOutcome>,
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
        let storing = store_group(&store, std::mem::take(&mut group), &metrics, &outcomes);
        tokio::select! {
            flow = storing => if flow.is_break() { return },
            // Whoever holds the sender is gone, or nobody waits any more.
            () = stop_requested(&mut give_up) => return,
        }
    }
}

/// Stores a group; where the database takes one of its rows never, the others are stored without it.
async fn store_group<S: JobStore>(
    store: &S,
    group: Vec<Finished>,
    metrics: &Metrics,
    outcomes: &mpsc::UnboundedSender<CommitOutcome>,
) -> ControlFlow<()> {
    let mut outage = DatabaseOutage::new(metrics);
    let mut groups = vec![group];
    while let Some(group) = groups.pop() {
        crash_point("before-commit");
        let begin = Instant::now();
        let outcome = match store.complete(&group).await {
            Ok(completed) => {
                crash_point("after-commit");
                outage.ended();
                metrics.took(Stage::Commit, begin.elapsed());
                metrics.repeated(completed.repeated);
                CommitOutcome::Stored(group.iter().map(|end| end.job.key()).collect())
            }
            Err(StoreError::Rejected { reason, .. }) => match halves(group) {
                Ok([one, other]) => {
                    groups.extend([one, other]);
                    continue;
                }
                Err(job) => CommitOutcome::Rejected { job, reason },
            },
            Err(error) => {
                outage.wait_after(&error).await;
                groups.push(group);
                continue;
            }
        };
        if outcomes.send(outcome).is_err() {
            return ControlFlow::Break(());
        }
    }
    ControlFlow::Continue(())
}

/// A group in two; of a single one its job.
fn halves(mut group: Vec<Finished>) -> Result<[Vec<Finished>; 2], JobKey> {
    if let [one] = group.as_slice() {
        return Err(one.job.key());
    }
    let other = group.split_off(group.len() / 2);
    Ok([group, other])
}
