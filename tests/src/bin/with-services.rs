//! Runs a command with a private database and a private broker, which are stopped when it ends:
//!
//! ```sh
//! with-services cargo test
//! ```
//!
//! Their URLs are in `SHENFEN_TEST_DATABASE` and `SHENFEN_TEST_BROKER`. Returns the exit status of the command.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitCode;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use shenfen_tests::{Postgres, Rabbit};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments.next().context("usage: with-services COMMAND [ARGUMENT]...")?;

    let (postgres, rabbit) = tokio::try_join!(Postgres::start(), Rabbit::start())?;
    let child = Command::new(&program)
        .args(arguments)
        .env("SHENFEN_TEST_DATABASE", postgres.url())
        .env("SHENFEN_TEST_BROKER", rabbit.url())
        .spawn()
        .with_context(|| format!("start {}", program.display()))?;
    let code = outlive(child).await?;
    Ok(ExitCode::from(code))
}

/// Waits for the command and returns its status as a shell does. SIGTERM is passed on to it.
async fn outlive(mut child: Child) -> Result<u8> {
    let mut terminate = signal(SignalKind::terminate())?;
    // The terminal sends this signal to the command as well.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {
                if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id as i32)) {
                    let _ = kill_process(pid, Signal::TERM);
                }
            }
        }
    };
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    Ok(u8::try_from(code).unwrap_or(1))
}
