//! A proxy that simulates network failures.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// A proxy between clients and a server, in this process. It forwards everything until told otherwise. Dropping it closes all
/// connections. It runs on the runtime that started it, whose threads must not be blocked.
pub struct Proxy {
    address: SocketAddr,
    line: Arc<Line>,
    accepting: JoinHandle<()>,
}

/// The direction of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client: requests, publishes, acknowledgements, COMMIT.
    ToServer,
    /// From the server: replies, deliveries, confirms.
    ToClient,
}

/// State shared by all connections.
struct Line {
    conditions: watch::Sender<Conditions>,
    /// The bytes that may still pass, per direction, before all connections are cut.
    allowances: Mutex<[Option<u64>; 2]>,
}

#[derive(Clone, Copy)]
struct Conditions {
    flow: Flow,
    delay: Duration,
    /// How often connections were cut: those that were opened before the last cut must end.
    cuts: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Open,
    Held,
    Refused,
}

impl Proxy {
    /// A proxy in front of the server at `target`, on a port of its own.
    ///
    /// # Errors
    ///
    /// When no port is free.
    pub async fn start(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("listen as a proxy")?;
        let address = listener.local_addr()?;
        let conditions = Conditions { flow: Flow::Open, delay: Duration::ZERO, cuts: 0 };
        let line = Arc::new(Line { conditions: watch::Sender::new(conditions), allowances: Mutex::new([None; 2]) });
        let accepting = tokio::spawn(accept(listener, target, Arc::clone(&line)));
        Ok(Self { address, line, accepting })
    }

    /// The address that it listens on: pass it to `url_of` of [`crate::Postgres`] and [`crate::Rabbit`].
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Forwards again at full speed, as at the start. What a black hole held back arrives late, as after a real network
    /// partition. Limits set by [`Self::cut_after`] are lifted.
    pub fn forward(&self) {
        *self.line.allowances() = [None; 2];
        self.line.conditions.send_modify(|now| {
            now.flow = Flow::Open;
            now.delay = Duration::ZERO;
        });
    }

    /// Connections stay open, new ones are accepted, and nothing is forwarded in either direction, neither bytes nor
    /// the end of a connection.
    pub fn black_hole(&self) {
        self.line.conditions.send_modify(|now| now.flow = Flow::Held);
    }

    /// Cuts all connections, and closes new ones at once.
    pub fn refuse(&self) {
        self.line.conditions.send_modify(|now| {
            now.flow = Flow::Refused;
            now.cuts += 1;
        });
    }

    /// Resets all connections. New ones are forwarded as before.
    pub fn cut(&self) {
        self.line.cut();
    }

    /// Forwards that many more bytes in one direction, counted over all connections, and cuts all connections at the next
    /// byte. That byte and all after it never arrive. Happens once, until it is set again.
    pub fn cut_after(&self, direction: Direction, bytes: u64) {
        self.line.allowances()[direction as usize] = Some(bytes);
    }

    /// From now on everything is delayed by this much, and a connection forwards at most 64 KiB per delay.
    pub fn delay(&self, by: Duration) {
        self.line.conditions.send_modify(|now| now.delay = by);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // The connections end with it.
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, line: Arc<Line>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // The client has already disconnected.
                let Ok((client, _)) = accepted else { continue };
                let conditions = line.conditions.subscribe();
                connections.spawn(serve(client, target, Arc::clone(&line), conditions));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Serves one connection until it ends or is cut.
async fn serve(mut client: TcpStream, target: SocketAddr, line: Arc<Line>, conditions: watch::Receiver<Conditions>) {
    let begun = *conditions.borrow();
    let mut server = None;
    let mut watching = conditions.clone();
    let served = async {
        if begun.flow == Flow::Refused {
            return;
        }
        line.until_open().await;
        let Ok(connected) = TcpStream::connect(target).await else { return };
        let server = server.insert(connected);
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        // Ends early when either side was reset or a limit was reached.
        let _ = tokio::try_join!(
            pump(from_client, to_server, Direction::ToServer, &line),
            pump(from_server, to_client, Direction::ToClient, &line),
        );
    };
    tokio::select! {
        // In this order, since the connection that hits a limit ends and cuts at once.
        biased;
        () = served => {}
        _ = watching.wait_for(|now| now.cuts != begun.cuts) => {
            // Reset instead of a clean close.
            let _ = client.set_zero_linger();
            let _ = server.map(|server| server.set_zero_linger());
        }
    }
}

/// Forwards one direction of a connection until its end.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    direction: Direction,
    line: &Line,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        let delay = line.conditions.borrow().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        // Bytes that were read before the direction was blocked are not forwarded.
        line.until_open().await;
        if read == 0 {
            return to.shutdown().await;
        }
        let allowed = line.allow(direction, read);
        to.write_all(&buffer[..allowed]).await?;
        if allowed < read {
            line.cut();
            // Closes this connection cleanly: a reset could overtake the bytes that must arrive.
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
    }
}

impl Line {
    fn cut(&self) {
        self.conditions.send_modify(|now| now.cuts += 1);
    }

    /// How many of these bytes may pass. Fewer than all means that the rest is dropped and the limit is used up.
    fn allow(&self, direction: Direction, bytes: usize) -> usize {
        let mut allowances = self.allowances();
        let allowance = &mut allowances[direction as usize];
        let Some(left) = *allowance else { return bytes };
        if left < bytes as u64 {
            *allowance = None;
            return left as usize;
        }
        *allowance = Some(left - bytes as u64);
        bytes
    }

    async fn until_open(&self) {
        // Fails only when the sender is dropped, which is part of this.
        let _ = self.conditions.subscribe().wait_for(|now| now.flow == Flow::Open).await;
    }

    fn allowances(&self) -> std::sync::MutexGuard<'_, [Option<u64>; 2]> {
        self.allowances.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
