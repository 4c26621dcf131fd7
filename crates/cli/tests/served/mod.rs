//! A running `shenfen serve` and a minimal HTTP client.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

/// Longer than anything that ends takes.
const LONG: Duration = Duration::from_secs(60);

/// The service on a port of its own, stopped at the end of the test.
pub(crate) struct Served {
    child: Child,
    address: String,
    log: Option<JoinHandle<String>>,
}

/// An answer: its status, head and body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Served {
    /// Starts the command, which must be `serve --listen 127.0.0.1:0` with more.
    pub(crate) fn start(command: &mut Command) -> Served {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        let (sender, address) = mpsc::channel();
        let log = thread::spawn(move || {
            let mut log = String::new();
            for line in lines.lines() {
                let line = line.unwrap();
                if let Some((_, address)) = line.split_once("listening on http://") {
                    let _ = sender.send(address.trim().to_owned());
                }
                log.push_str(&line);
                log.push('\n');
            }
            log
        });
        let address = address.recv_timeout(LONG).expect("the service should listen by now");
        Served { child, address, log: Some(log) }
    }

    /// Its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// One request on a connection of its own.
    pub(crate) fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        Served::ask_at(&self.address, method, target, headers, body)
    }

    /// As [`Served::ask`], at another of its addresses.
    pub(crate) fn ask_at(host: &str, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        let mut head = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
        head.push_str(&format!("content-length: {}\r\n", body.len()));
        headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        stream.write_all(&[head.as_bytes(), b"\r\n", body].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// A form.
    pub(crate) fn post(&self, target: &str, body: &str) -> Answer {
        self.ask("POST", target, &[("content-type", "application/x-www-form-urlencoded")], body.as_bytes())
    }

    /// Stops it with SIGTERM and returns its exit code and its log.
    pub(crate) fn stop(mut self) -> (Option<i32>, String) {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(asked.success());
        let code = self.child.wait().unwrap().code();
        (code, self.log.take().unwrap().join().unwrap())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{}\n{}", self.head, self.body))
    }
}
