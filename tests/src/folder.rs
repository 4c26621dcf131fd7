//! A temporary folder that is removed with all processes in it when the test process ends.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// A temporary folder. When it is dropped, or when this process ends in any way, every process whose working directory is in
/// it is killed and the folder is removed.
pub(crate) struct Folder {
    path: PathBuf,
    guard: Child,
}

impl Folder {
    pub(crate) fn create() -> Result<Self> {
        let temporary =
            tempfile::Builder::new().prefix("shenfen-test-").tempdir().context("make a temporary folder")?;
        // A database started by root runs as another user, who needs access.
        fs::set_permissions(temporary.path(), Permissions::from_mode(0o755))?;
        // Without symlinks, as the system reports working directories.
        let path = temporary.path().canonicalize()?;
        let guard = Command::new("sh")
            .args(["-c", include_str!("guard.sh"), "guard"])
            .arg(&path)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // In a process group of its own, so that signals of the terminal do not reach it.
            .process_group(0)
            .spawn()
            .context("start the guard of a temporary folder")?;
        // From here on the guard removes it.
        let _ = temporary.keep();
        Ok(Self { path, guard })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // Wait, so that nothing is left when a test ends. A failure cannot be handled here.
        let _ = self.guard.wait();
    }
}
