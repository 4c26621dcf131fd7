//! A temporary folder that does not outlive the tests' process, nor does anything that works in it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// A temporary folder. When it is dropped, or when this process ends in any way, every process whose working folder
/// lies in it is killed and the folder removed.
pub(crate) struct Folder {
    path: PathBuf,
    guard: Child,
}

impl Folder {
    pub(crate) fn create() -> Result<Self> {
        let temporary =
            tempfile::Builder::new().prefix("shenfen-test-").tempdir().context("make a temporary folder")?;
        // A database started by root runs as another user, who must get through.
        fs::set_permissions(temporary.path(), Permissions::from_mode(0o755))?;
        // Links resolved, as the system shows processes' working folders.
        let path = temporary.path().canonicalize()?;
        let guard = Command::new("sh")
            .args(["-c", include_str!("guard.sh"), "guard"])
            .arg(&path)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Not reached by what a terminal sends to the tests.
            .process_group(0)
            .spawn()
            .context("start the guard of a temporary folder")?;
        // The guard removes it from here on.
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
        // Waited for, so that nothing is left when a test ends. Nothing can be done about a failure.
        let _ = self.guard.wait();
    }
}
