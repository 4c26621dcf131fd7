//! What the worker and the command line need of a store, whatever it is made of.
//!
//! The embedded store implements all three traits over one SQLite file. A broker with a database beside it fits the
//! same shape: claiming is receiving, completing is a commit followed by the acknowledgement, and giving back is a
//! negative acknowledgement. The methods return futures that are `Send` and the traits are used as type parameters, not
//! as objects: the program picks its backend once, at the start, and no call is boxed.

use std::future::Future;

use crate::batch::BatchProgress;
use crate::error::StoreError;
use crate::job::{ClaimedJob, Finished, Job, JobId};
use crate::result::{ResultFilter, ResultRow};

/// What [`JobQueue::recover`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Jobs that a worker had left in the middle and that wait again.
    pub returned: u64,
    /// Jobs given up, because their workers ended too often in the middle of them.
    pub dead: u64,
}

/// What [`JobQueue::complete`] changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Completed {
    /// Results and dead letters stored.
    pub stored: u64,
    /// Jobs that had their end already, which stays as it was.
    pub repeated: u64,
}

/// Jobs in flight. Every job that was enqueued ends as exactly one result or one dead letter, however often its worker
/// is killed on the way.
pub trait JobQueue: Send + Sync {
    /// Adds jobs and returns how many were new. A job whose identifier is known changes nothing, whatever its state.
    fn enqueue(&self, jobs: &[Job]) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Takes back what workers that are no more had claimed. Call it before the first claim.
    fn recover(&self) -> impl Future<Output = Result<Recovered, StoreError>> + Send;

    /// Claims up to `limit` jobs, oldest first. A job claimed by nobody else is this worker's until it completes it, gives
    /// it back or ends. Empty when there is nothing to claim now, which may change when claimed jobs are completed.
    fn claim(&self, limit: usize) -> impl Future<Output = Result<Vec<ClaimedJob>, StoreError>> + Send;

    /// Returns claimed jobs that were not begun; it costs them no attempt.
    fn give_back(&self, jobs: &[JobId]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Stores the ends of jobs and takes the jobs off the queue: all of them or, on an error, none. When it returns they
    /// survive a crash. Repeating an end changes nothing.
    fn complete(&self, finished: &[Finished]) -> impl Future<Output = Result<Completed, StoreError>> + Send;
}

/// The table of results.
pub trait Results: Send + Sync {
    /// Up to `limit` results in the order in which they were stored, beginning after the one whose
    /// [`ResultRow::seq`] is `after`. Empty at the end. Pages, not one long cursor, so that a reader who takes hours
    /// keeps no transaction open.
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
