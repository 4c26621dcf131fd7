//! Whether the file that is open is still the one at its path. SQLite keeps writing to a file that was deleted or replaced,
//! and everything written to it is gone when it is closed.

use std::path::Path;

use super::failure;
use crate::error::StoreError;

/// Tells one file from another, whatever their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    /// The file at `path`; `None` if there is none.
    #[cfg(unix)]
    fn of(path: &Path) -> Option<FileIdentity> {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(path).ok().map(|file| FileIdentity { device: file.dev(), inode: file.ino() })
    }

    /// Elsewhere an open file cannot be deleted, so there is nothing to tell apart.
    #[cfg(not(unix))]
    fn of(path: &Path) -> Option<FileIdentity> {
        path.exists().then_some(FileIdentity { device: 0, inode: 0 })
    }

    /// The file at `path`, which has just been opened.
    ///
    /// # Errors
    /// When it is there no more.
    pub(super) fn opened(path: &Path) -> Result<FileIdentity, StoreError> {
        FileIdentity::of(path).ok_or_else(|| gone(path))
    }

    /// # Errors
    /// When the file at `path` is another one, or none.
    pub(super) fn check(self, path: &Path) -> Result<(), StoreError> {
        if FileIdentity::of(path) == Some(self) { Ok(()) } else { Err(gone(path)) }
    }
}

fn gone(path: &Path) -> StoreError {
    StoreError::Gone { database: failure::name(path) }
}
