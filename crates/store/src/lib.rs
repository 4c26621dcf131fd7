//! Jobs, their results and their batches, kept so that a crash at any moment loses and doubles nothing.
//!
//! The traits in [`port`] are what the worker and the command line need; [`sqlite`] is the embedded implementation, one
//! file without any service. The only crate that names sqlx.

pub mod job;
pub mod port;
pub mod result;

mod batch;
mod error;

pub mod sqlite;

mod timestamp;

pub use batch::BatchProgress;
pub use error::StoreError;
pub use job::{ClaimedJob, Finished, Job, JobId, Outcome, RequestedSide};
pub use port::{Batches, JobQueue, Results};
pub use result::{ResultFilter, ResultRow, Sides};
pub use sqlite::{SqliteQueue, SqliteStore};
