//! Files with personal data: their owner's alone.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// An empty file with owner-only permissions, whatever they were before.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    file.set_len(0)?;
    Ok(file)
}

/// A file that is being written and has its name only when it is complete: until then it is a hidden one beside it,
/// which is removed if it is given up.
pub(crate) struct Draft {
    file: NamedTempFile,
    path: PathBuf,
}

impl Draft {
    /// Begins a file with owner-only permissions.
    ///
    /// # Errors
    /// When the folder is not there or cannot be written to, or something other than a file has the name.
    pub(crate) fn begin(path: &Path) -> io::Result<Draft> {
        if path.metadata().is_ok_and(|present| !present.is_file()) {
            return Err(io::Error::other("it is no ordinary file"));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Private from the beginning: that is how such files are made on Unix. Elsewhere the folder's permissions count.
        let file = tempfile::Builder::new().prefix(".shenfen-").suffix(".part").tempfile_in(folder)?;
        Ok(Draft { file, path: path.to_owned() })
    }

    /// Another handle of the file, to write to.
    ///
    /// # Errors
    /// When the process may have no more.
    pub(crate) fn writer(&self) -> io::Result<File> {
        self.file.as_file().try_clone()
    }

    /// Puts the file into its place, where it replaces one of that name.
    ///
    /// # Errors
    /// When it cannot be brought to the disk or renamed.
    pub(crate) fn complete(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(self.path).map(drop).map_err(|error| error.error)
    }
}
