//! A network that fails as told.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Stands between clients and a server, in this process, and forwards what they send until told otherwise. Dropping it
/// cuts all connections. Works within the runtime that started it, whose threads must not be blocked meanwhile.
pub struct Proxy {
    address: SocketAddr,
    line: Arc<Line>,
    accepting: JoinHandle<()>,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client: requests, publishes, acknowledgements, COMMIT.
    ToServer,
    /// From the server: replies, deliveries, confirms.
    ToClient,
}

/// What all connections share.
struct Line {
    conditions: watch::Sender<Conditions>,
    /// The bytes that may still pass, per direction, before all is cut.
    allowances: Mutex<[Option<u64>; 2]>,
}

#[derive(Clone, Copy)]
struct Conditions {
    flow: Flow,
    delay: Duration,
    /// How often connections were cut: those that began before the last time are to end.
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
    /// When no port can be had.
    pub async fn start(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("listen as a proxy")?;
        let address = listener.local_addr()?;
        let conditions = Conditions { flow: Flow::Open, delay: Duration::ZERO, cuts: 0 };
        let line = Arc::new(Line { conditions: watch::Sender::new(conditions), allowances: Mutex::new([None; 2]) });
        let accepting = tokio::spawn(accept(listener, target, Arc::clone(&line)));
        Ok(Self { address, line, accepting })
    }

    /// Where it listens: give it to `url_of` of [`crate::Postgres`] and [`crate::Rabbit`].
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Forwards again, at full speed, as at its start. What a black hole held back arrives late, as it does after a
    /// real partition of the network. Limits set by [`Self::cut_after`] are lifted.
    pub fn forward(&self) {
        *self.line.allowances() = [None; 2];
        self.line.conditions.send_modify(|now| {
            now.flow = Flow::Open;
            now.delay = Duration::ZERO;
        });
    }

    /// Connections stay open, new ones are accepted, and nothing goes through in either direction: neither bytes nor
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

    /// Resets all connections. New ones are served as before.
    pub fn cut(&self) {
        self.line.cut();
    }

    /// Lets that many more bytes go through in one direction, those of all connections together, and cuts all when
    /// another one comes. That one and what follows it never arrive. Happens once, until it is set again.
    pub fn cut_after(&self, direction: Direction, bytes: u64) {
        self.line.allowances()[direction as usize] = Some(bytes);
    }

    /// From now on everything that is sent arrives later by this much, and a connection forwards no more than 64 KiB
    /// in such a time.
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
                // A client that is gone again already.
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
        // Ends early when either side was reset or a limit was hit.
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
            // Reset, not ended in order.
            let _ = client.set_zero_linger();
            let _ = server.map(|server| server.set_zero_linger());
        }
    }
}

/// Forwards one direction of a connection, to its end.
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
        // What was read before the way was closed does not slip through.
        line.until_open().await;
        if read == 0 {
            return to.shutdown().await;
        }
        let allowed = line.allow(direction, read);
        to.write_all(&buffer[..allowed]).await?;
        if allowed < read {
            line.cut();
            // Ends this connection by itself, in order: a reset could overtake the bytes that are to arrive.
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
    }
}

impl Line {
    fn cut(&self) {
        self.conditions.send_modify(|now| now.cuts += 1);
    }

    /// How many of these bytes may pass. Fewer than all: the rest is to be cut off, and the limit is spent.
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
        // Fails only when the sender is gone, which is part of this.
        let _ = self.conditions.subscribe().wait_for(|now| now.flow == Flow::Open).await;
    }

    fn allowances(&self) -> std::sync::MutexGuard<'_, [Option<u64>; 2]> {
        self.allowances.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
