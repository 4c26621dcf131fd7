//! The state and progress of a batch.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Whether the jobs of a batch are read. Batches of an embedded store are always active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchState {
    /// Its jobs are read.
    #[default]
    Active,
    /// Its jobs wait until it is resumed.
    Paused,
    /// Its remaining jobs will not be read.
    Cancelled,
}

impl BatchState {
    /// The name in tables, JSON and commands.
    pub fn as_str(self) -> &'static str {
        match self {
            BatchState::Active => "active",
            BatchState::Paused => "paused",
            BatchState::Cancelled => "cancelled",
        }
    }
}

/// The counts of one batch. Every job is counted in exactly one of `queued`, `running`, `accepted`, `review`, `failed`, `dead`
/// and `cancelled`.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchProgress {
    /// The batch's name.
    pub name: String,
    /// Its state.
    pub state: BatchState,
    /// When its first job was enqueued.
    pub created_at: OffsetDateTime,
    /// Jobs that wait, here or in the broker.
    pub queued: u64,
    /// Jobs that a worker has claimed.
    pub running: u64,
    /// Results that were accepted.
    pub accepted: u64,
    /// Results that a person should review.
    pub review: u64,
    /// Results that were rejected, including pictures that could not be read.
    pub failed: u64,
    /// Dead letters.
    pub dead: u64,
    /// Jobs that were cancelled before they were read.
    pub cancelled: u64,
    /// Results whose status is not `OK`; a part of `failed`.
    pub not_ok: u64,
    /// Recent results per second; `None` if there were none within the last minute.
    pub rate: Option<f64>,
}

impl BatchProgress {
    /// All jobs.
    pub fn total(&self) -> u64 {
        self.open() + self.results() + self.dead + self.cancelled
    }

    /// Jobs that have not ended.
    pub fn open(&self) -> u64 {
        self.queued + self.running
    }

    /// Jobs with a result.
    pub fn results(&self) -> u64 {
        self.accepted + self.review + self.failed
    }

    /// Time to finish the open jobs at the current rate; `None` without open jobs or without a rate.
    pub fn eta(&self) -> Option<Duration> {
        let rate = self.rate.filter(|_| self.open() > 0)?;
        Duration::try_from_secs_f64(self.open() as f64 / rate).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(queued: u64, rate: Option<f64>) -> BatchProgress {
        BatchProgress {
            name: "kyc".into(),
            state: BatchState::Active,
            created_at: OffsetDateTime::UNIX_EPOCH,
            queued,
            running: 10,
            accepted: 3,
            review: 2,
            failed: 1,
            dead: 1,
            cancelled: 5,
            not_ok: 1,
            rate,
        }
    }

    #[test]
    fn eta_is_open_jobs_over_rate() {
        assert_eq!(batch(90, Some(4.0)).eta(), Some(Duration::from_secs(25)));
        assert_eq!(batch(90, None).eta(), None);
        assert_eq!(batch(90, Some(0.0)).eta(), None);
    }

    #[test]
    fn total_counts_every_job_once() {
        assert_eq!(batch(90, None).total(), 90 + 10 + 3 + 2 + 1 + 1 + 5);
    }
}
