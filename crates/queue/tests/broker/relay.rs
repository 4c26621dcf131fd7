//! A proxy between a client and the broker that cuts connections or drops their data.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    swallows: Arc<AtomicBool>,
    cuts: broadcast::Sender<()>,
}

impl Relay {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let relay = Self {
            address: listener.local_addr().unwrap(),
            swallows: Arc::new(AtomicBool::new(false)),
            cuts: broadcast::channel(8).0,
        };
        let (swallows, cuts) = (relay.swallows.clone(), relay.cuts.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(target).await else { continue };
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                for (from, to) in [(from_client, to_server), (from_server, to_client)] {
                    tokio::spawn(carry(from, to, swallows.clone(), cuts.subscribe()));
                }
            }
        });
        relay
    }

    /// Cuts all connections; new ones are forwarded.
    pub(crate) fn cut(&self) {
        let _ = self.cuts.send(());
    }

    /// Whether all data is dropped without either side noticing.
    pub(crate) fn swallow(&self, swallows: bool) {
        self.swallows.store(swallows, Ordering::SeqCst);
    }
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    swallows: Arc<AtomicBool>,
    mut cuts: broadcast::Receiver<()>,
) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = tokio::select! {
            _ = cuts.recv() => return,
            read = from.read(&mut buffer) => read.unwrap_or(0),
        };
        if read == 0 {
            return;
        }
        if !swallows.load(Ordering::SeqCst) && to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
