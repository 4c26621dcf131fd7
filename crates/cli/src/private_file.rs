//! Files with personal data: their owner's alone.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

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
