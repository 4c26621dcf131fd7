//! What the worker and the command line need of a store, whatever it is made of.
//!
//! Both stores take jobs in, store their ends and show results and batches. Between that they differ: the embedded one is
//! the queue itself ([`JobQueue`]), the server's one keeps the books for a broker ([`Ledger`], [`Dispatch`]). The methods
//! return futures that are `Send` and the traits are used as type parameters, not as objects: the program picks its
//! backend once, at the start, and no call is boxed.

use std::future::Future;
use std::time::Duration;

use crate::batch::{BatchProgress, BatchState};
use crate::error::StoreError;
use crate::job::{ClaimedJob, Finished, Job, JobId, NewJob};
use crate::result::{ResultFilter, ResultRow};

/// What [`JobQueue::recover`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Jobs that a worker had left in the middle and that wait again.
    pub returned: u64,
    /// Jobs given up, because their workers ended too often in the middle of them.
    pub dead: u64,
}

/// What [`Jobs::complete`] changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Completed {
    /// Results and dead letters stored.
    pub stored: u64,
    /// Jobs that had their end already, which stays as it was.
    pub repeated: u64,
}

/// How jobs begin and end. Every job that was enqueued ends as exactly one result or one dead letter, however often its
/// worker is killed on the way.
pub trait Jobs: Send + Sync {
    /// Adds jobs and returns how many were new. A job whose identifier is known changes nothing, whatever its state.
    fn enqueue(&self, jobs: &[NewJob]) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Stores the ends of jobs: all of them or, on an error, none. When it returns they survive a crash. Repeating an end
    /// changes nothing, and the first end of a job stands.
    fn complete(&self, finished: &[Finished]) -> impl Future<Output = Result<Completed, StoreError>> + Send;
}

/// Jobs in flight where the store is the queue.
pub trait JobQueue: Jobs {
    /// Takes back what workers that are no more had claimed. Call it before the first claim.
    fn recover(&self) -> impl Future<Output = Result<Recovered, StoreError>> + Send;

    /// Claims up to `limit` jobs, oldest first. A job claimed by nobody else is this worker's until it completes it, gives
    /// it back or ends. Empty when there is nothing to claim now, which may change when claimed jobs are completed.
    fn claim(&self, limit: usize) -> impl Future<Output = Result<Vec<ClaimedJob>, StoreError>> + Send;

    /// Returns claimed jobs that were not begun; it costs them no attempt.
    fn give_back(&self, jobs: &[JobId]) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// What to do with a job that has arrived from the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// Read it. This is attempt number `attempt`, from 1.
    Go {
        /// The attempt's number.
        attempt: u32,
    },
    /// It has its end already or was cancelled: only acknowledge it.
    Ended,
    /// It was begun [`MAX_ATTEMPTS`](crate::job::MAX_ATTEMPTS) times without an end: complete it as dead.
    Worn {
        /// How often it was begun.
        attempts: u32,
    },
    /// It was begun [`SUSPECT_ATTEMPTS`](crate::job::SUSPECT_ATTEMPTS) times without an end, so it may be what ends its
    /// workers: nothing was counted. [Begin it alone](Ledger::begin_alone) when nothing else is in hand, so that no other
    /// job is blamed for what it does.
    Suspect,
    /// Its batch is paused: send it to a retry.
    Paused,
}

/// How far a job is.
#[derive(Clone, PartialEq)]
pub enum Standing {
    /// It waits, here or with the broker.
    Waiting,
    /// A worker has begun it.
    Running,
    /// It has its result.
    Done(Box<ResultRow>),
    /// It was given up.
    Dead {
        /// Why, without personal data.
        reason: String,
    },
    /// It was cancelled before it was read.
    Cancelled,
}

/// The books about jobs that a broker hands out: what is known, how often it was begun, how it ended.
pub trait Ledger: Jobs {
    /// Notes that these jobs arrived and are about to be read, unknown ones among them, and says for each, in the same
    /// order, what to do. A job that is there twice counts once. Any number of workers may do this at once.
    ///
    /// A crash of the database server may forget the last of these notes, which costs a count and nothing else.
    fn begin(&self, jobs: &[Job]) -> impl Future<Output = Result<Vec<Beginning>, StoreError>> + Send;

    /// As [`Ledger::begin`], for a suspect with which nothing else is being read; never answers [`Beginning::Suspect`].
    fn begin_alone(&self, suspect: &Job) -> impl Future<Output = Result<Beginning, StoreError>> + Send;

    /// Takes the beginning of these jobs back: they were not read after all and go back to the broker. It costs them no
    /// attempt.
    fn unbegin(&self, jobs: &[JobId]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Opens dead jobs again, whose dead letters are about to be published anew, with no attempt counted. Returns how
    /// many of these were dead; the others stay as they are.
    fn reopen(&self, jobs: &[JobId]) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Notes jobs that somebody published to the broker without enqueueing them here, so that they are known before a
    /// worker begins them. What is known already stays as it is.
    fn note_published(&self, jobs: &[Job]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// How far a job is; `None` for one that is not known.
    fn standing(&self, job: JobId) -> impl Future<Output = Result<Option<Standing>, StoreError>> + Send;
}

/// A job that the broker does not have.
#[derive(Clone, PartialEq, Eq)]
pub struct Undispatched {
    /// The job.
    pub id: JobId,
    /// The message to publish.
    pub message: String,
}

/// Feeding enqueued jobs to a broker a window at a time, so that millions of them never pile up there.
pub trait Dispatch: Send + Sync {
    /// Up to `limit` jobs of the batch to publish, oldest first: those that were not yet published, and those that were
    /// but have not moved for `lost_after`, since a message may have been lost with its broker. Empty while the batch is
    /// paused and once it is cancelled. Publishing one twice is harmless.
    fn undispatched(
        &self,
        batch: &str,
        lost_after: Duration,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Undispatched>, StoreError>> + Send;

    /// Notes that the broker confirmed these jobs.
    fn mark_sent(&self, jobs: &[JobId]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// How many jobs of the batch are with the broker or being read.
    fn window(&self, batch: &str) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Pauses, resumes or cancels a batch and returns the state that it now has; `None` when there is none of that name.
    /// Cancelling is final: it ends all jobs that are not being read, and one that is may still bring its result.
    fn set_batch_state(
        &self,
        batch: &str,
        state: BatchState,
    ) -> impl Future<Output = Result<Option<BatchState>, StoreError>> + Send;
}

/// The table of results.
pub trait Results: Send + Sync {
    /// Up to `limit` results in the order in which they were stored, beginning after the one whose
    /// [`ResultRow::seq`] is `after`. Empty at the end. Pages, not one long cursor, so that a reader who takes hours
    /// keeps no transaction open. Results stored meanwhile come on later pages, none is left out.
    fn page(
        &self,
        filter: &ResultFilter,
        after: i64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<ResultRow>, StoreError>> + Send;
}

/// The batches and how far they are.
pub trait Batches: Send + Sync {
    /// Every batch, oldest first.
    fn batches(&self) -> impl Future<Output = Result<Vec<BatchProgress>, StoreError>> + Send;

    /// One batch; `None` when there is none of that name.
    fn batch(&self, name: &str) -> impl Future<Output = Result<Option<BatchProgress>, StoreError>> + Send;
}
