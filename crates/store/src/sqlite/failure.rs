//! SQLite's errors as the store's.

use std::path::Path;

use crate::error::StoreError;

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

/// A database file's name in errors.
pub(super) fn name(path: &Path) -> String {
    path.display().to_string()
}

/// Names the trouble behind an error of the database file at `path`, met while trying to `operation`.
pub(super) fn of(path: &Path, operation: &'static str, source: sqlx::Error) -> StoreError {
    let database = name(path);
    let extended = match &source {
        sqlx::Error::Database(error) => error.code().and_then(|code| code.parse::<i32>().ok()),
        _ => None,
    };
    let reason = || source.to_string();
    // The low byte of an extended code is the primary one.
    match extended.map(|code| (code, code & 0xFF)) {
        Some((code::IO_ERROR_SHM_SIZE, _) | (_, code::FULL)) => StoreError::Full { database },
        Some((_, code::BUSY)) => StoreError::InUse { database },
        Some((_, code::READ_ONLY | code::IO_ERROR)) => StoreError::CannotWrite { reason: reason(), database },
        Some((_, code::CANNOT_OPEN)) => StoreError::CannotOpen { reason: reason(), database },
        Some((_, code::CORRUPT)) => StoreError::Damaged { reason: reason(), database },
        Some((_, code::NOT_A_DATABASE)) => StoreError::NotOurs { database },
        _ => StoreError::Database { database, operation, source: source.into() },
    }
}
