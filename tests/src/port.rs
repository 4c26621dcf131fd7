//! Free ports.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Result, bail};

/// Below the ephemeral ports of outgoing connections, so that the port of a killed server is still free when it restarts.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// A free port of the loopback address, chosen at random, so that concurrent tests do not collide.
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
