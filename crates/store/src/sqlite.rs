//! The embedded store: queue, results and batches in one SQLite file.
//!
//! Any number of processes may read it; one at a time works on it, enforced by a lock on a file beside it that the operating
//! system releases when the process ends, however it ends. So a claim needs no expiry: a job that is claimed when a worker
//! opens the store belongs to a process that has ended.

mod audit;
mod batches;
mod erase;
mod failure;
mod identity;
mod open;
mod queue;
mod results;
mod schema;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::SqlitePool;

use crate::error::StoreError;

use identity::FileIdentity;

pub use crate::access::Access;
pub use open::OpenOptions;
pub use queue::SqliteQueue;

/// An open store. Clones share it.
#[derive(Clone)]
pub struct SqliteStore {
    path: Arc<PathBuf>,
    /// One connection, since SQLite has one writer: waiting for it here is fair and cheap, waiting inside SQLite is neither.
    writer: SqlitePool,
    readers: SqlitePool,
    /// The file that was opened.
    file: FileIdentity,
    /// Held while this process works on the store; `None` for read access.
    lock: Option<Arc<File>>,
}

impl SqliteStore {
    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes the store and checkpoints its write-ahead log. Dropping it loses nothing either.
    pub async fn close(self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Checks that the open file is still at its path, where others look for the results.
    fn check_file(&self) -> Result<(), StoreError> {
        self.file.check(&self.path)
    }

    fn damaged_row(&self, column: &str) -> StoreError {
        StoreError::damaged_row(failure::name(&self.path), column)
    }

    fn error(&self, operation: &'static str) -> impl Fn(sqlx::Error) -> StoreError + '_ {
        move |source| failure::of(&self.path, operation, source)
    }
}
