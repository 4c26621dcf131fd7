//! What can go wrong with a job, and what becomes of it: the one table.
//!
//! | failure | becomes |
//! | --- | --- |
//! | the message is no job | dead letter at once |
//! | its picture is missing, forbidden, too large or no picture | a stored result that says why (`images`, `picture`) |
//! | its picture cannot be had now: server, network, image root | retry, then dead letter |
//! | the networks failed | retry, then dead letter |
//! | the reader panicked | dead letter at once: it would again |
//! | its reading ended the process too often | dead letter at once |
//! | the database takes its result never | dead letter at once |
//! | its batch is paused | retry, not counted |
//! | the database is away before it is claimed | retry, not counted: a delivery that waits for hours would be counted by the broker |
//! | the broker is away, or the database once it is claimed | waits, is not the job's failure |

use shenfen_core::{ReaderFault, Refusal};
use shenfen_queue::RetryStep;

/// Why a job has no result yet, or never will.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("its picture cannot be had now: {0}")]
    Unavailable(String),
    #[error(transparent)]
    Reader(#[from] ReaderFault),
    #[error("reading it ended the worker {0} times")]
    Exhausted(u32),
    #[error("the database does not take its result: {0}")]
    NotStorable(String),
    #[error("its batch is paused")]
    Paused,
    #[error("the database is away")]
    DatabaseAway,
}

/// Why a picture could not be fetched.
pub(crate) enum FetchError {
    /// Never will be: the job's result says why.
    Refused(Refusal),
    /// Perhaps later.
    Later(Failure),
}

/// What becomes of a job that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// Published anew after a wait; `failures` is what its message then says.
    Retry { step: RetryStep, failures: u32 },
    /// Set aside for a person.
    DeadLetter,
}

impl Failure {
    /// What becomes of a job that has failed `failures` times before, of which `most` may be followed by a retry.
    pub(crate) fn disposition(&self, failures: u32, most: u32) -> Disposition {
        match self {
            Failure::Paused | Failure::DatabaseAway => Disposition::Retry { step: RetryStep::Seconds30, failures },
            Failure::Unavailable(_) | Failure::Reader(ReaderFault::Engine(_) | ReaderFault::Unavailable(_))
                if failures < most =>
            {
                let failures = failures + 1;
                Disposition::Retry { step: RetryStep::after(failures), failures }
            }
            Failure::Unavailable(_) | Failure::Reader(_) | Failure::Exhausted(_) | Failure::NotStorable(_) => {
                Disposition::DeadLetter
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_transient_failures_with_growing_waits_then_dead_letters() {
        let away = Failure::Unavailable("timed out".into());
        let steps: Vec<_> = (0..6).map(|failures| away.disposition(failures, 5)).collect();
        let waits = [RetryStep::Seconds5, RetryStep::Seconds30, RetryStep::Minutes5, RetryStep::Minutes30];
        for (failures, step) in waits.into_iter().chain([RetryStep::Minutes30]).enumerate() {
            assert_eq!(steps[failures], Disposition::Retry { step, failures: failures as u32 + 1 });
        }
        assert_eq!(steps[5], Disposition::DeadLetter);
    }

    #[test]
    fn dead_letters_permanent_failures_at_once() {
        let panicked = Failure::Reader(ReaderFault::Panicked("a.rs:1".into()));
        for failure in [panicked, Failure::Exhausted(10)] {
            assert_eq!(failure.disposition(0, 5), Disposition::DeadLetter, "{failure}");
        }
    }

    #[test]
    fn what_is_not_the_jobs_fault_counts_no_failure() {
        for (failure, failures) in
            [Failure::Paused, Failure::DatabaseAway].iter().flat_map(|f| [(f, 0), (f, 3), (f, 100)])
        {
            let Disposition::Retry { failures: after, .. } = failure.disposition(failures, 5) else { panic!() };
            assert_eq!(after, failures);
        }
    }
}
