//! Opening the file: who may, how safely it writes, and whether it is ours.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};

use super::identity::FileIdentity;
use super::{SqliteStore, failure, schema};
use crate::access::Access;
use crate::error::StoreError;

/// Readers beside the one writer; a person's queries and a progress display need no more.
const READERS: u32 = 2;

/// How long a statement waits for another process's transaction. They are all short.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How to open a store.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    path: PathBuf,
    access: Access,
    max_pages: Option<u32>,
}

impl OpenOptions {
    /// The database file `path`, for `access`.
    pub fn new(path: impl Into<PathBuf>, access: Access) -> OpenOptions {
        OpenOptions { path: path.into(), access, max_pages: None }
    }

    /// Lets the file grow to this many pages of 4096 bytes and no further; writing then fails with
    /// [`StoreError::Full`], as on a full disk.
    pub fn max_pages(self, max_pages: u32) -> OpenOptions {
        OpenOptions { max_pages: Some(max_pages), ..self }
    }

    /// Opens the store and brings its tables up to date.
    ///
    /// # Errors
    /// When the file is missing (and only to be read), cannot be opened or written, is no database of ours, is from a
    /// newer version, or another process works on it.
    pub async fn open(self) -> Result<SqliteStore, StoreError> {
        let OpenOptions { path, access, max_pages } = self;
        let lock = match access {
            Access::Work => Some(Arc::new(lock(&path)?)),
            Access::Read | Access::Reveal if path.exists() => None,
            Access::Read | Access::Reveal => return Err(StoreError::Missing { database: failure::name(&path) }),
        };
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(access == Access::Work)
            // Every commit is on the disk when it returns: a power cut loses nothing either. Commits are batched, so
            // this costs a few milliseconds for dozens of pictures.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let limited = match max_pages {
            Some(pages) => options.clone().pragma("max_page_count", pages.to_string()),
            None => options.clone(),
        };
        let failed = |source| failure::of(&path, "open", source);
        let writer = SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let writer = writer.connect_with(limited).await.map_err(failed)?;
        schema::bring_up_to_date(&writer, &path, access).await?;
        let file = FileIdentity::opened(&path)?;
        let readers = SqlitePoolOptions::new().max_connections(READERS).connect_lazy_with(options);
        Ok(SqliteStore { path: Arc::new(path), writer, readers, file, lock })
    }
}

/// Takes the lock that one working process holds. Its file stays behind: removing it would let two processes hold locks
/// on two files of the same name.
fn lock(path: &Path) -> Result<File, StoreError> {
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push("-lock");
    let cannot_open = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::StorageFull => StoreError::Full { database: failure::name(path) },
        _ => StoreError::CannotOpen { database: failure::name(path), reason: error.to_string() },
    };
    let file = File::options().create(true).append(true).open(lock_path).map_err(cannot_open)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { database: failure::name(path) }),
        Err(TryLockError::Error(error)) => Err(cannot_open(error)),
    }
}
