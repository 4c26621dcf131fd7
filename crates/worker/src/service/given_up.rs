//! Jobs that the broker gave up by itself, at its delivery limit. No worker saw their end, so it is noted here: a job that
//! is a dead letter never stays open in the database, and its batch ends.

use std::time::Duration;

use shenfen_queue::{Broker, DeadLetters, Depths, Error};
use shenfen_store::port::JobStore;
use shenfen_store::{Finished, Outcome};
use tokio::time::sleep;

use super::intake::job_of;
use super::tenants::QueueTenants;

/// Interval at which the number of dead letters is looked at, which costs a few questions about queues. They themselves are looked
/// at when it has changed.
const BETWEEN_LOOKS: Duration = Duration::from_secs(10);
/// Dead letters looked at, the oldest first. Nothing of them but names is kept meanwhile.
const MOST: usize = 10_000;
/// Ends stored together.
const GROUP: usize = 64;

/// Notes their ends again and again, without end.
pub(crate) async fn note_given_up<S: JobStore>(store: &S, broker: Broker, tenants: QueueTenants) -> ! {
    let (letters, depths) = (DeadLetters::new(broker.clone()), Depths::new(broker));
    let mut known = 0;
    loop {
        match depths.read().await.map(|depth| depth.dead) {
            Ok(count) if count == known || count == 0 => known = count,
            Ok(count) => match note(store, &letters, &tenants).await {
                Ok(true) => known = count,
                Ok(false) => {}
                Err(error) => tracing::debug!(%error, "cannot look at the dead letters"),
            },
            Err(error) => tracing::debug!(%error, "cannot count the dead letters"),
        }
        sleep(BETWEEN_LOOKS).await;
    }
}

/// Stores the ends that are missing; false where the database did not take one. What has its end stays as it is.
async fn note<S: JobStore>(store: &S, letters: &DeadLetters, tenants: &QueueTenants) -> Result<bool, Error> {
    let given_up = letters.given_up_by_broker(MOST).await?;
    let ends: Vec<Finished> = given_up
        .jobs
        .iter()
        .filter(|message| tenants.allow(message.tenant))
        .map(|message| Finished {
            job: job_of(message),
            attempt: 0,
            outcome: Outcome::Dead { reason: "the broker delivered it again and again without an answer".into() },
        })
        .collect();
    let mut all = true;
    for group in ends.chunks(GROUP) {
        match store.complete(group).await {
            Ok(completed) if completed.stored > 0 => {
                tracing::warn!(jobs = completed.stored, "the broker gave jobs up: their ends are noted");
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, jobs = group.len(), "cannot note the ends of jobs that the broker gave up");
                all = false;
            }
        }
    }
    given_up.put_back().await?;
    Ok(all)
}
