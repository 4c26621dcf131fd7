//! Starting, signalling and waiting for the processes of a server.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// Time limit for starting or stopping a server on a busy machine.
pub(crate) const STEP_TIMEOUT: Duration = Duration::from_secs(120);

/// A running server: its first process, and all others that work in the same folder.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    /// The working directory of all its processes, and of no others.
    home: PathBuf,
    /// The file that its output is written to.
    output: PathBuf,
}

impl Process {
    /// Starts a command in the folder `home`, with its output in the file `output`.
    pub(crate) fn spawn(name: &'static str, mut command: Command, home: &Path, output: &Path) -> Result<Self> {
        let file = fs::File::options().create(true).append(true).open(output)?;
        let child = command
            .current_dir(home)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            // In a process group of its own, so that signals of the terminal do not reach it.
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {name}"))?;
        Ok(Self { name, child, home: home.to_owned(), output: output.to_owned() })
    }

    /// The id of the first process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `ready` returns true. Fails when the server ends or takes too long.
    pub(crate) async fn until(&mut self, mut ready: impl AsyncFnMut(&Self) -> bool) -> Result<()> {
        let begun = Instant::now();
        while !ready(self).await {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended at its start ({status}):\n{}", self.name, self.last_words());
            }
            ensure!(begun.elapsed() < STEP_TIMEOUT, "{} did not start in time:\n{}", self.name, self.last_words());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Kills all its processes at once, as when the machine loses power.
    pub(crate) fn kill(mut self) -> Result<()> {
        // Stopped first, so that it neither cleans up nor starts anything while the others are found.
        self.freeze()?;
        for pid in self.others() {
            signal(pid, Signal::KILL);
        }
        self.child.kill()?;
        self.child.wait()?;
        let begun = Instant::now();
        while !self.others().is_empty() {
            ensure!(begun.elapsed() < STEP_TIMEOUT, "{} did not die", self.name);
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Stops all its processes (SIGSTOP): connections stay open, and nothing answers.
    pub(crate) fn freeze(&mut self) -> Result<()> {
        self.signal(Signal::STOP)?;
        // Only a stopped process starts no others.
        let begun = Instant::now();
        while !halted(self.child.id()) {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} has ended by itself ({status}):\n{}", self.name, self.last_words());
            }
            ensure!(begun.elapsed() < STEP_TIMEOUT, "{} did not halt", self.name);
            std::thread::sleep(Duration::from_millis(1));
        }
        for pid in self.others() {
            signal(pid, Signal::STOP);
        }
        Ok(())
    }

    /// Resumes all its processes.
    pub(crate) fn thaw(&mut self) -> Result<()> {
        for pid in self.others() {
            signal(pid, Signal::CONT);
        }
        self.signal(Signal::CONT)
    }

    /// Sends a signal that ends it, and waits until it has ended.
    pub(crate) async fn end(mut self, by: Signal) -> Result<ExitStatus> {
        self.thaw()?;
        self.signal(by)?;
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(begun.elapsed() < STEP_TIMEOUT, "{} did not end:\n{}", self.name, self.last_words());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn signal(&mut self, which: Signal) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} has ended by itself ({status}):\n{}", self.name, self.last_words());
        }
        // Not yet waited for, so the id is still its own.
        signal(self.child.id(), which);
        Ok(())
    }

    /// The processes that work in its folder, without the first one.
    fn others(&self) -> Vec<u32> {
        let Ok(all) = fs::read_dir("/proc") else { return Vec::new() };
        all.filter_map(|entry| {
            let entry = entry.ok()?;
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let at = fs::read_link(entry.path().join("cwd")).ok()?;
            (pid != self.child.id() && at.starts_with(&self.home)).then_some(pid)
        })
        .collect()
    }

    /// The end of its output.
    fn last_words(&self) -> String {
        let output = fs::read(&self.output).unwrap_or_default();
        let output = String::from_utf8_lossy(&output);
        let lines: Vec<&str> = output.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The other processes end with their folder. A failure cannot be handled here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that has already ended counts as signalled.
fn signal(pid: u32, which: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, which);
    }
}

/// Whether a process is stopped by a signal.
fn halted(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state follows the name, which is in parentheses.
    status.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
}

/// Runs a command and returns its output, or an error with its standard error.
pub(crate) async fn output_of(command: Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut command = tokio::process::Command::from(command);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(STEP_TIMEOUT, command.output())
        .await
        .with_context(|| format!("{name} took too long"))?
        .with_context(|| format!("start {name}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} failed ({}):\n{said}{complaint}", output.status);
    Ok(said)
}
