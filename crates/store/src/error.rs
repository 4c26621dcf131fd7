//! Errors of a store, one variant for each case that a caller or a person handles differently.

use std::error::Error;

use thiserror::Error;

/// A failed operation of a store. The text names the database (a file, or `NAME on HOST:PORT`, never a password) and the
/// cause, never the data to be stored.
#[derive(Debug, Error)]
pub enum StoreError {
    /// There is no such database file, and this access does not create one.
    #[error("there is no database {database}")]
    Missing {
        /// The database.
        database: String,
    },
    /// The server's database has no tables of this program, or older ones than it needs, and this access does not create
    /// them.
    #[error("the database {database} has no tables for this version of shenfen")]
    NoTables {
        /// The database.
        database: String,
    },
    /// The URL of a server's database is invalid.
    #[error("invalid database URL: {reason}")]
    BadAddress {
        /// What is wrong with it.
        reason: String,
    },
    /// The file cannot be opened or created.
    #[error("cannot open the database {database}: {reason}")]
    CannotOpen {
        /// The database.
        database: String,
        /// The error of the operating system.
        reason: String,
    },
    /// The server cannot be reached, does not answer in time, or is too busy. The operation may or may not have been done;
    /// retrying it later is correct and harmless.
    #[error("the database {database} is unavailable: {reason}")]
    Unavailable {
        /// The database.
        database: String,
        /// The cause.
        reason: String,
    },
    /// Unknown user, wrong password, unknown database, or missing privileges.
    #[error("the database {database} refuses access: {reason}")]
    Denied {
        /// The database.
        database: String,
        /// The server's message.
        reason: String,
    },
    /// The server stores the database's text in another encoding than UTF-8.
    #[error("the database {database} stores text as {encoding}, which cannot hold every name")]
    NotUtf8 {
        /// The database.
        database: String,
        /// Its encoding, by PostgreSQL's name.
        encoding: String,
    },
    /// The database is not one of this program.
    #[error("{database} is not a shenfen database")]
    NotOurs {
        /// The database.
        database: String,
    },
    /// It was written by a newer version, whose tables this one does not know.
    #[error(
        "the database {database} is from a newer version of shenfen: it has version {found}, this program supports up \
         to {known}"
    )]
    Newer {
        /// The database.
        database: String,
        /// The version of its tables.
        found: i64,
        /// The newest version that this program supports.
        known: i64,
    },
    /// Another process is using it.
    #[error("another process is using the database {database}")]
    InUse {
        /// The database.
        database: String,
    },
    /// The file was deleted or replaced after it was opened: what is written to it cannot be found again.
    #[error(
        "the database {database} was deleted or replaced while it was in use; what this run stored in it since then is lost"
    )]
    Gone {
        /// The database.
        database: String,
    },
    /// The disk is full, or the database reached its size limit.
    #[error("no space left to write the database {database}")]
    Full {
        /// The database.
        database: String,
    },
    /// The database cannot be written.
    #[error("cannot write the database {database}: {reason}")]
    CannotWrite {
        /// The database.
        database: String,
        /// The database's message.
        reason: String,
    },
    /// The database rejects at least one of the rows, however often it is retried.
    #[error("the database {database} rejects a row: {reason}")]
    Rejected {
        /// The database.
        database: String,
        /// The database's message, without the row.
        reason: String,
    },
    /// The database is corrupt.
    #[error("the database {database} is damaged: {reason}")]
    Damaged {
        /// The database.
        database: String,
        /// The message of the database or of the decoder of a row.
        reason: String,
    },
    /// Any other error of the database.
    #[error("the database {database} failed to {operation}")]
    Database {
        /// The database.
        database: String,
        /// The operation.
        operation: &'static str,
        /// The database's message.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl StoreError {
    /// Whether the same call may succeed later: the database is unavailable, its disk is full, or it cannot be written at the
    /// moment.
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

    /// A row with an invalid column.
    pub(crate) fn damaged_row(database: impl Into<String>, column: &str) -> StoreError {
        StoreError::Damaged { database: database.into(), reason: format!("a row has no valid {column}") }
    }
}
