//! How far a batch is.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Whether a batch is being worked on. An embedded one always is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchState {
    /// Its jobs are read.
    #[default]
    Active,
    /// Its jobs wait until it is resumed.
    Paused,
    /// What was not read will not be.
    Cancelled,
}

/// The counts of one batch. Every job stands in exactly one of `queued`, `running`, `accepted`, `review`, `failed`, `dead`
/// and `cancelled`.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchProgress {
    /// The batch's name.
    pub name: String,
    /// Whether it is being worked on.
    pub state: BatchState,
    /// When its first job came.
    pub created_at: OffsetDateTime,
    /// Jobs that wait, here or with the broker.
    pub queued: u64,
    /// Jobs that a worker has claimed or begun.
    pub running: u64,
    /// Results that were accepted.
    pub accepted: u64,
    /// Results that a person should look at.
    pub review: u64,
    /// Results that were rejected, pictures that could not be read among them.
    pub failed: u64,
    /// Jobs without a result.
    pub dead: u64,
    /// Jobs that were cancelled before they were read.
    pub cancelled: u64,
    /// Results whose status is not `OK`; they are among `failed`.
    pub not_ok: u64,
    /// Results a second of late; `None` when none came within the last minute.
    pub rate: Option<f64>,
}

impl BatchProgress {
    /// All of its jobs.
    pub fn total(&self) -> u64 {
        self.open() + self.results() + self.dead + self.cancelled
    }

    /// Jobs that have no end yet.
    pub fn open(&self) -> u64 {
        self.queued + self.running
    }

    /// Jobs with a result.
    pub fn results(&self) -> u64 {
        self.accepted + self.review + self.failed
    }

    /// How long the open jobs take at the present rate; `None` when nothing is open or nothing moves.
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
    fn the_rest_takes_as_long_as_its_count_over_the_rate() {
        assert_eq!(batch(90, Some(4.0)).eta(), Some(Duration::from_secs(25)));
        assert_eq!(batch(90, None).eta(), None);
        assert_eq!(batch(90, Some(0.0)).eta(), None);
    }

    #[test]
    fn every_job_counts_once() {
        assert_eq!(batch(90, None).total(), 90 + 10 + 3 + 2 + 1 + 1 + 5);
    }
}
