//! What can go wrong with a store, told apart where a caller or a person does something different about it.

use std::error::Error;

use thiserror::Error;

/// A store failed. The text names the database (a file, or `NAME on HOST:PORT`, never a password) and the trouble, never
/// what was to be stored.
#[derive(Debug, Error)]
pub enum StoreError {
    /// There is no such database file, and this access does not make one.
    #[error("there is no database {database}")]
    Missing {
        /// The database.
        database: String,
    },
    /// The server's database has no tables of ours, or older ones than this program needs, and this access does not
    /// make them.
    #[error("the database {database} has no tables for this version of shenfen")]
    NoTables {
        /// The database.
        database: String,
    },
    /// The address of a server's database is not one.
    #[error("the address of the database is not understood: {reason}")]
    BadAddress {
        /// What is wrong with it.
        reason: String,
    },
    /// The file cannot be opened or made.
    #[error("cannot open the database {database}: {reason}")]
    CannotOpen {
        /// The database.
        database: String,
        /// What the system said.
        reason: String,
    },
    /// The server cannot be reached, does not answer in time, or is too busy. What was asked for may or may not have
    /// been done; asking for it again later is right and harmless.
    #[error("the database {database} is not available now: {reason}")]
    Unavailable {
        /// The database.
        database: String,
        /// What was seen of it.
        reason: String,
    },
    /// The server knows no such user, password or database, or does not let the user do this.
    #[error("the database {database} refuses access: {reason}")]
    Denied {
        /// The database.
        database: String,
        /// What the server said.
        reason: String,
    },
    /// The database is something else, or another program's.
    #[error("{database} is not a database of shenfen")]
    NotOurs {
        /// The database.
        database: String,
    },
    /// A newer program wrote it, and this one does not know its tables.
    #[error(
        "the database {database} is from a newer version of shenfen: it has version {found}, this program knows up to \
         {known}"
    )]
    Newer {
        /// The database.
        database: String,
        /// The version of its tables.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// Another process works on it.
    #[error("another process is working on the database {database}")]
    InUse {
        /// The database.
        database: String,
    },
    /// No room left on the disk, or the database reached its limit.
    #[error("no room left to write the database {database}")]
    Full {
        /// The database.
        database: String,
    },
    /// The database refuses to be written.
    #[error("cannot write the database {database}: {reason}")]
    CannotWrite {
        /// The database.
        database: String,
        /// What the database said.
        reason: String,
    },
    /// The database is well but takes at least one of these rows never, however often it is tried.
    #[error("the database {database} does not take a row: {reason}")]
    Rejected {
        /// The database.
        database: String,
        /// What the database said, without the row.
        reason: String,
    },
    /// The database's content is broken.
    #[error("the database {database} is damaged: {reason}")]
    Damaged {
        /// The database.
        database: String,
        /// What the database or the decoding of a row said.
        reason: String,
    },
    /// Anything else that the database reports.
    #[error("the database {database} failed to {operation}")]
    Database {
        /// The database.
        database: String,
        /// What was being done.
        operation: &'static str,
        /// What the database said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl StoreError {
    /// Whether the same call may succeed later without any change to it: the database is away, its disk is full, or it
    /// cannot be written just now.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            StoreError::Unavailable { .. }
                | StoreError::Full { .. }
                | StoreError::CannotWrite { .. }
                | StoreError::InUse { .. }
                | StoreError::Database { .. }
        )
    }

    /// A row that no version of this program wrote.
    pub(crate) fn damaged_row(database: impl Into<String>, column: &str) -> StoreError {
        StoreError::Damaged { database: database.into(), reason: format!("a row has no valid {column}") }
    }
}
