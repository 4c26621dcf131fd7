//! Free ports.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Result, bail};

/// Below those that the system gives to outgoing connections: a server that is killed finds its port free again.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// A port of the loopback address that nobody listens on. Chosen at random, so that tests that run at the same time
/// do not meet.
pub(crate) fn free_port() -> Result<u16> {
    for _ in 0..100 {
        let random = RandomState::new().build_hasher().finish();
        let port = RANGE.start + (random % RANGE.len() as u64) as u16;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port found between {} and {}", RANGE.start, RANGE.end)
}
