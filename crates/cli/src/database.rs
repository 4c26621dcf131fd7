//! The embedded database as an argument, and what to do when it fails.

use std::error::Error;
use std::path::PathBuf;

use clap::Args;
use shenfen_store::sqlite::{Access, OpenOptions};
use shenfen_store::{SqliteStore, StoreError};
use shenfen_worker::BackfillError;

/// Where results are kept.
#[derive(Args)]
pub(crate) struct DatabaseArgs {
    /// The database file
    #[arg(long, env = "SHENFEN_DATABASE", default_value = "shenfen.db", value_name = "FILE")]
    database: PathBuf,
}

impl DatabaseArgs {
    /// Opens it.
    pub(crate) async fn open(&self, access: Access) -> Result<SqliteStore, StoreError> {
        OpenOptions::new(&self.database, access).open().await
    }

    /// The words that choose the same database in another command; empty for the default one.
    pub(crate) fn as_typed(&self) -> String {
        match self.database.to_str() {
            Some("shenfen.db") => String::new(),
            _ => format!(" --database '{}'", self.database.display()),
        }
    }
}

/// What a person can do about an error of the store.
pub(crate) fn advice(error: &anyhow::Error) -> Option<&'static str> {
    let error = error.chain().find_map(of_the_store)?;
    Some(match error {
        StoreError::Missing { .. } => "run `shenfen backfill` first, or name another one with --database",
        StoreError::CannotOpen { .. } => "check the folder and its permissions, or name another file with --database",
        StoreError::NoTables { .. } => "run `shenfen migrate`",
        StoreError::BadAddress { .. } => "it looks like postgres://USER:PASSWORD@HOST:PORT/NAME",
        StoreError::Away { .. } => "check that it runs and can be reached, and try again: what was done is kept",
        StoreError::Denied { .. } => "check user, password and name in --database, and what the user may do",
        StoreError::Rejected { .. } => "please report it",
        StoreError::NotOurs { .. } => "name another file with --database",
        StoreError::Newer { .. } => "install that version, or name another file with --database",
        StoreError::InUse { .. } => "wait for it to end, or name another file with --database",
        StoreError::Full { .. } | StoreError::CannotWrite { .. } => {
            "make room or check the permissions and run the same command again: what was done is kept"
        }
        StoreError::Damaged { .. } => "restore it from a backup, or start another one with --database",
        StoreError::Database { .. } => "run the same command again: what was done is kept",
    })
}

/// A backfill's error shows itself as the store's, whose place in the chain it takes.
fn of_the_store<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a StoreError> {
    match cause.downcast_ref::<BackfillError>() {
        Some(BackfillError::Store(error)) => Some(error),
        _ => cause.downcast_ref(),
    }
}
