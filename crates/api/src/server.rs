//! Connections: so many at once, each within limits of time, and an end that lets them finish.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::metrics::Metrics;
use crate::write_timeout::WriteTimeout;

/// The most bytes of a request's line and headers.
const HEAD: usize = 32 << 10;
/// How long to wait when the system has no more handles to give.
const BREATHER: Duration = Duration::from_millis(100);

/// What a connection may cost.
#[derive(Clone, Debug)]
pub struct ServerLimits {
    /// Connections at once; further ones wait to be accepted.
    pub connections: usize,
    /// For a TLS handshake.
    pub handshake: Duration,
    /// To the end of a request's headers, from the connection's start or the answer before: a connection may be idle for
    /// as long.
    pub headers: Duration,
    /// A client that takes nothing of its answer for so long is given up.
    pub write: Duration,
    /// Once told to stop, for what was accepted to come to its end.
    pub drain: Duration,
}

impl Default for ServerLimits {
    /// 1,000 connections; 10, 15, 15 and 30 seconds.
    fn default() -> ServerLimits {
        ServerLimits {
            connections: 1000,
            handshake: Duration::from_secs(10),
            headers: Duration::from_secs(15),
            write: Duration::from_secs(15),
            drain: Duration::from_secs(30),
        }
    }
}

/// Serves until `stop` turns true; then accepts nothing new and finishes what was accepted. Returns how many connections
/// were cut because the time for that was over.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    limits: ServerLimits,
    metrics: Metrics,
    mut stop: watch::Receiver<bool>,
) -> usize {
    let most = u32::try_from(limits.connections).unwrap_or(u32::MAX).clamp(1, 1 << 20);
    let places = Arc::new(Semaphore::new(most as usize));
    // Dropped at the end, which ends the connections that are still there.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let accepted = async {
            // The semaphore is never closed.
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, stream) = tokio::select! {
            accepted = accepted => accepted,
            Some(_) = connections.join_next() => continue,
            _ = stop.wait_for(|&stop| stop) => break,
        };
        let stream = match stream {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                sleep(BREATHER).await;
                continue;
            }
        };
        let (tls, router, limits, stop) = (tls.clone(), router.clone(), limits.clone(), stop.clone());
        let connected = metrics.connected();
        connections.spawn(async move {
            if let Err(error) = connection(stream, tls, router, limits, stop).await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop((place, connected));
        });
    }
    drop(listener);
    let finished = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(limits.drain, finished).await;
    connections.len()
}

async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    limits: ServerLimits,
    stop: watch::Receiver<bool>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match tls {
        None => http(stream, router, limits, stop).await,
        Some(tls) => {
            let handshake = timeout(limits.handshake, tls.accept(stream)).await;
            http(handshake.map_err(|_| io::ErrorKind::TimedOut)??, router, limits, stop).await
        }
    }
}

/// One connection, request after request. A client that goes away ends its request where it stands.
async fn http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    limits: ServerLimits,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let stream = TokioIo::new(WriteTimeout::new(stream, limits.write));
    let mut protocol = http1::Builder::new();
    protocol.timer(TokioTimer::new()).header_read_timeout(limits.headers).max_buf_size(HEAD);
    let mut connection = pin!(protocol.serve_connection(stream, TowerToHyperService::new(router)));
    let stopped = async {
        // Nobody who could stop it is as good as a stop.
        let _ = stop.wait_for(|&stop| stop).await;
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    ended.map_err(io::Error::other)
}
