//! The command that runs others with services: what they get, and that nothing is left behind.

#![expect(clippy::unwrap_used, reason = "a failure of a helper fails the test")]

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Says where the services are, then waits to be let go.
const TELL: &str = "echo $SHENFEN_TEST_DATABASE; echo $SHENFEN_TEST_BROKER; read -r _; exit 7";

#[test]
fn returns_the_exit_status_and_cleans_up() {
    let folder = temporary();
    let mut running = start(folder.path());
    let services = services(&mut running);
    assert!(services.iter().all(|service| TcpStream::connect(service).is_ok()), "{services:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);

    drop(running.stdin.take());

    assert_eq!(running.wait().unwrap().code(), Some(7));
    assert!(services.iter().all(|service| TcpStream::connect(service).is_err()), "{services:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn cleans_up_when_killed() {
    let folder = temporary();
    let mut running = start(folder.path());
    let services = services(&mut running);

    running.kill().unwrap();
    running.wait().unwrap();

    let begun = Instant::now();
    while fs::read_dir(folder.path()).unwrap().count() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "its folders are still there");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(services.iter().all(|service| TcpStream::connect(service).is_err()), "{services:?}");
}

/// A folder that a database, which root starts as another user, can get through.
fn temporary() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    folder
}

fn start(temporary: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_with-services"))
        .args(["sh", "-c", TELL])
        .env("TMPDIR", temporary)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Hosts and ports of the services that the command was told of.
fn services(running: &mut Child) -> Vec<String> {
    let mut told = BufReader::new(running.stdout.as_mut().unwrap().by_ref()).lines();
    let mut next = || {
        let url = told.next().unwrap().unwrap();
        let (_, after) = url.split_once('@').unwrap();
        after.split('/').next().unwrap().to_owned()
    };
    vec![next(), next()]
}
