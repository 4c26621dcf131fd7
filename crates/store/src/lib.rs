//! Jobs, their results and their batches, stored so that a crash at any moment loses and duplicates nothing.
//!
//! The traits in [`port`] are what the worker and the command line need. [`sqlite`] is the embedded implementation in one
//! file, without a server; [`postgres`] is the one beside a broker, for any number of workers. The only crate that uses sqlx.

pub mod job;
pub mod port;
pub mod result;

mod access;
pub mod audit;
mod batch;
mod erase;
mod error;
mod flat;
mod shown;

pub mod postgres;
pub mod sqlite;

mod stored;
mod timestamp;
mod words;

pub use access::Access;
pub use audit::{AuditAction, AuditChain, AuditEntry, AuditFault, AuditRecord, Recorded};
pub use batch::{BatchProgress, BatchState};
pub use erase::{EraseScope, Erased};
pub use error::StoreError;
pub use flat::{FlatBatch, WholeRow};
pub use job::{ClaimedJob, Finished, NewJob, Outcome};
pub use port::{Audit, Batches, ClaimOutcome, Dispatch, Erase, JobQueue, JobStatus, JobStore, Jobs, Results};
pub use postgres::PostgresStore;
pub use result::{ResultFilter, ResultRow, Sides};
pub use shown::ShownRow;
pub use sqlite::{SqliteQueue, SqliteStore};
