//! What can go wrong with a store, told apart where a caller or a person does something different about it.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// A store failed. The text names the file and the trouble, never what was to be stored.
#[derive(Debug, Error)]
pub enum StoreError {
    /// There is no such database, and this access does not make one.
    #[error("there is no database {}", path.display())]
    Missing {
        /// The database file.
        path: PathBuf,
    },
    /// The file cannot be opened or made.
    #[error("cannot open the database {}: {reason}", path.display())]
    CannotOpen {
        /// The database file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The file is something else, or another program's database.
    #[error("{} is not a database of shenfen", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// A newer program wrote it, and this one does not know its tables.
    #[error(
        "the database {} is from a newer version of shenfen: it has version {found}, this program knows up to {known}",
        path.display()
    )]
    Newer {
        /// The database file.
        path: PathBuf,
        /// The version of its tables.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// Another process works on it.
    #[error("another process is working on the database {}", path.display())]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// No room left on the disk, or the database reached its limit.
    #[error("no room left to write the database {}", path.display())]
    Full {
        /// The database file.
        path: PathBuf,
    },
    /// The file system refuses to write.
    #[error("cannot write the database {}: {reason}", path.display())]
    CannotWrite {
        /// The database file.
        path: PathBuf,
        /// What the database said.
        reason: String,
    },
    /// The file's content is broken.
    #[error("the database {} is damaged: {reason}", path.display())]
    Damaged {
        /// The database file.
        path: PathBuf,
        /// What the database or the decoding of a row said.
        reason: String,
    },
    /// Anything else that the database reports.
    #[error("the database {} failed to {operation}", path.display())]
    Database {
        /// The database file.
        path: PathBuf,
        /// What was being done.
        operation: &'static str,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
}

/// SQLite's primary result codes (sqlite.org/rescode.html) that mean something to the caller.
mod code {
    pub(super) const BUSY: i32 = 5;
    pub(super) const READ_ONLY: i32 = 8;
    pub(super) const IO_ERROR: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANNOT_OPEN: i32 = 14;
    pub(super) const NOT_A_DATABASE: i32 = 26;
    /// Extended: no room for the shared index of the write-ahead log.
    pub(super) const IO_ERROR_SHM_SIZE: i32 = 4874;
}

impl StoreError {
    /// Names the trouble behind an error of the database file at `path`, met while trying to `operation`.
    pub(crate) fn of(path: &Path, operation: &'static str, source: sqlx::Error) -> StoreError {
        let path = path.to_path_buf();
        let extended = match &source {
            sqlx::Error::Database(error) => error.code().and_then(|code| code.parse::<i32>().ok()),
            _ => None,
        };
        let reason = || source.to_string();
        // The low byte of an extended code is the primary one.
        match extended.map(|code| (code, code & 0xFF)) {
            Some((code::IO_ERROR_SHM_SIZE, _) | (_, code::FULL)) => StoreError::Full { path },
            Some((_, code::BUSY)) => StoreError::InUse { path },
            Some((_, code::READ_ONLY | code::IO_ERROR)) => StoreError::CannotWrite { reason: reason(), path },
            Some((_, code::CANNOT_OPEN)) => StoreError::CannotOpen { reason: reason(), path },
            Some((_, code::CORRUPT)) => StoreError::Damaged { reason: reason(), path },
            Some((_, code::NOT_A_DATABASE)) => StoreError::NotOurs { path },
            _ => StoreError::Database { path, operation, source },
        }
    }

    /// A row that no version of this program wrote.
    pub(crate) fn damaged_row(path: &Path, column: &str) -> StoreError {
        let reason = format!("a row has no valid {column}");
        StoreError::Damaged { path: path.to_path_buf(), reason }
    }
}
