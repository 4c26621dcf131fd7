//! SIGINT and SIGTERM: the first one finishes the work in progress, the second one exits at once.

use std::io::{self, Write};
use std::process;

use tokio::sync::watch;

/// The exit code of a program that was interrupted: 128 and the signal's number.
const INTERRUPTED: i32 = 130;

/// Turns true at the first signal. The second one ends the process where it stands, which loses nothing that was stored.
pub(crate) fn watch_for_stop() -> watch::Receiver<bool> {
    let (stop, stop_requested) = watch::channel(false);
    tokio::spawn(async move {
        while signal().await.is_ok() {
            if stop.send_replace(true) {
                let _ = writeln!(io::stderr(), "stopped at once; run the same command again to resume");
                process::exit(INTERRUPTED);
            }
        }
    });
    stop_requested
}

#[cfg(unix)]
async fn signal() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn signal() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
