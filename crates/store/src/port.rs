//! The interface of a store, independent of its database.
//!
//! Both stores accept jobs, store their outcomes and show results and batches. In between they differ: the embedded one is
//! the queue itself ([`JobQueue`]); the server's one tracks jobs that a broker delivers ([`JobStore`], [`Dispatch`]). The methods
//! return futures that are `Send`, and the traits are used as type parameters, not as objects: the program chooses its
//! backend once, at startup, and no call is boxed.

use std::future::Future;
use std::time::Duration;

use crate::audit::{AuditEntry, AuditRecord, Recorded};
use crate::batch::{BatchProgress, BatchState};
use crate::erase::{EraseScope, Erased};
use crate::error::StoreError;
use crate::job::{ClaimedJob, Finished, NewJob};
use crate::result::{ResultFilter, ResultRow};
use shenfen_core::{Job, JobId, JobKey};

/// What [`JobQueue::recover`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Jobs whose worker had ended while it read them, and that are queued again.
    pub returned: u64,
    /// Jobs that are dead, because their workers ended too often while they read them.
    pub dead: u64,
}

/// What [`Jobs::complete`] changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Completed {
    /// Results and dead letters stored.
    pub stored: u64,
    /// Jobs that had already ended and stay as they were.
    pub repeated: u64,
}

/// Adding and completing jobs. Every enqueued job ends as exactly one result or one dead letter, however often its worker is
/// killed.
pub trait Jobs: Send + Sync {
    /// Adds jobs and returns how many were new. A job whose identifier is known is ignored, whatever its state.
    fn enqueue(&self, jobs: &[NewJob]) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Stores the outcomes of jobs: all of them or, on an error, none. When it returns they survive a crash. Repeating an
    /// outcome changes nothing, and the first outcome of a job stands.
    fn complete(&self, finished: &[Finished]) -> impl Future<Output = Result<Completed, StoreError>> + Send;
}

/// Jobs in progress where the store is also the queue.
pub trait JobQueue: Jobs {
    /// Recovers the claims of workers that have ended. Call it before the first claim.
    fn recover(&self) -> impl Future<Output = Result<Recovered, StoreError>> + Send;

    /// Claims up to `limit` jobs, oldest first. A claimed job belongs to this worker until it completes or releases it, or
    /// ends. Empty when there is nothing to claim now, which may change when claimed jobs are completed.
    fn claim(&self, limit: usize) -> impl Future<Output = Result<Vec<ClaimedJob>, StoreError>> + Send;

    /// Releases claims on jobs that were not read after all; this does not count as an attempt.
    fn release(&self, jobs: &[JobId]) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// The answer to a claim on a job that the broker delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// Claimed: read it. This is attempt number `attempt`, from 1.
    Claimed {
        /// The attempt's number.
        attempt: u32,
    },
    /// It has its result or dead letter already, or was cancelled: only acknowledge it.
    AlreadyEnded,
    /// It was claimed [`MAX_ATTEMPTS`](crate::job::MAX_ATTEMPTS) times without ending: complete it as dead.
    Exhausted {
        /// How often it was claimed.
        attempts: u32,
    },
    /// It was claimed [`POISON_CANDIDATE_ATTEMPTS`](crate::job::POISON_CANDIDATE_ATTEMPTS) times without ending, so it may
    /// be what kills its workers. Nothing was counted. [Claim it alone](JobStore::claim_alone) when nothing else is in
    /// progress, so that no other job is blamed for a crash that it causes.
    PoisonCandidate,
    /// Its batch is paused: send it to a retry.
    BatchPaused,
}

/// The state of a job.
#[derive(Clone, PartialEq)]
pub enum JobStatus {
    /// It is queued, here or in the broker.
    Waiting,
    /// A worker has claimed it.
    Running,
    /// It has its result.
    Done(Box<ResultRow>),
    /// It is a dead letter.
    Dead {
        /// Why, without personal data.
        reason: String,
    },
    /// It was cancelled before it was read.
    Cancelled,
}

/// The record of jobs that a broker delivers: which are known, how often each was claimed, how it ended.
pub trait JobStore: Jobs {
    /// Checks that the store answers and can be written to, for whoever has nothing else to ask of it.
    fn ping(&self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Claims jobs that were delivered and are about to be read, unknown ones included, and returns one outcome per job, in
    /// the same order. A job that is listed twice counts once. Any number of workers may do this at once.
    ///
    /// A crash of the database server may lose the most recent claims, which costs a count and nothing else.
    fn claim(&self, jobs: &[Job]) -> impl Future<Output = Result<Vec<ClaimOutcome>, StoreError>> + Send;

    /// As [`JobStore::claim`], for a poison candidate while nothing else is being read; never returns
    /// [`ClaimOutcome::PoisonCandidate`].
    fn claim_alone(&self, candidate: &Job) -> impl Future<Output = Result<ClaimOutcome, StoreError>> + Send;

    /// Releases claims on jobs that were not read after all and go back to the broker; this does not count as an attempt.
    fn release(&self, jobs: &[JobKey]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Opens dead jobs again, whose dead letters are about to be published again, with no attempt counted. Returns how
    /// many of these were dead; the others stay as they are.
    fn reopen(&self, jobs: &[JobKey]) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Records jobs that were published to the broker without being enqueued here, so that they are known before a worker
    /// claims them. Known jobs stay as they are.
    fn note_published(&self, jobs: &[Job]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The state of a job of the store's tenant; `None` if it is not known.
    fn status(&self, job: JobId) -> impl Future<Output = Result<Option<JobStatus>, StoreError>> + Send;
}

/// An enqueued job that the broker does not have.
#[derive(Clone, PartialEq, Eq)]
pub struct Unsent {
    /// The job.
    pub id: JobId,
    /// The message to publish.
    pub message: String,
}

/// Publishing enqueued jobs to a broker through a window, so that millions of them never accumulate there.
pub trait Dispatch: Send + Sync {
    /// Up to `limit` jobs of the batch to publish, oldest first: those not yet published, and those published that have not
    /// changed for `lost_after`, since a message may be lost with its broker. Empty while the batch is paused and once it is
    /// cancelled. Publishing one twice is harmless.
    fn unsent(
        &self,
        batch: &str,
        lost_after: Duration,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Unsent>, StoreError>> + Send;

    /// Records that the broker confirmed these jobs.
    fn mark_sent(&self, jobs: &[JobId]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The number of jobs of the batch that are in the broker or being read.
    fn window(&self, batch: &str) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Pauses, resumes or cancels a batch and returns its new state; `None` if there is no such batch.
    /// Cancelling is final: it ends all jobs that are not being read; one that is being read may still store its result.
    fn set_batch_state(
        &self,
        batch: &str,
        state: BatchState,
    ) -> impl Future<Output = Result<Option<BatchState>, StoreError>> + Send;
}

/// Access to stored results.
pub trait Results: Send + Sync {
    /// Up to `limit` results in the order in which they were stored, beginning after the one whose
    /// [`ResultRow::seq`] is `after`. Empty at the end. Pages and not one long cursor, so that a reader that takes hours
    /// keeps no transaction open. Results stored meanwhile are on later pages; none is missed.
    fn page(
        &self,
        filter: &ResultFilter,
        after: i64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<ResultRow>, StoreError>> + Send;
}

/// The audit log.
pub trait Audit: Send + Sync {
    /// Adds an entry. When it returns the entry survives a crash, so only then the act may be done.
    fn record(&self, record: &AuditRecord) -> impl Future<Output = Result<Recorded, StoreError>> + Send;

    /// Up to `limit` entries of all tenants after the one with the number `after`, in order.
    fn audit_page(&self, after: i64, limit: u32) -> impl Future<Output = Result<Vec<AuditEntry>, StoreError>> + Send;
}

/// Erasing, for good, what is stored about people.
pub trait Erase: Send + Sync {
    /// How many jobs of the scope have not ended.
    fn open_jobs(&self, scope: &EraseScope) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Deletes up to `limit` results of the scope, and clears what up to `limit` of its jobs say of their pictures. Jobs that have not ended
    /// stay as they are; those that have stay known, so that none is read again. Call it until there is nothing left.
    fn erase(&self, scope: &EraseScope, limit: u32) -> impl Future<Output = Result<Erased, StoreError>> + Send;

    /// Leaves nothing of what was erased in the files of the store, as far as that is the store's to do.
    fn finish_erasing(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Batches and their progress.
pub trait Batches: Send + Sync {
    /// Every batch, oldest first.
    fn batches(&self) -> impl Future<Output = Result<Vec<BatchProgress>, StoreError>> + Send;

    /// One batch; `None` if there is none of that name.
    fn batch(&self, name: &str) -> impl Future<Output = Result<Option<BatchProgress>, StoreError>> + Send;
}
