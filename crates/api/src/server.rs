//! Accepts connections, limits their number and duration, and drains them at the end.

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

/// Maximum size of the request line and headers.
const MAX_HEAD: usize = 32 << 10;
/// Pause after a failed accept, as when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Limits on connections.
#[derive(Clone, Debug)]
pub struct ServerLimits {
    /// Maximum number of open connections; further ones wait to be accepted.
    pub connections: usize,
    /// Time for a TLS handshake.
    pub handshake: Duration,
    /// Time from the start of the connection or the previous response to the end of a request's headers, and so the time
    /// a connection may be idle.
    pub headers: Duration,
    /// Time after which a client that reads nothing of its response is disconnected.
    pub write: Duration,
    /// Time to finish accepted requests when stopped.
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

/// Serves until `stop` turns true, then finishes accepted requests. Returns how many connections were closed because they did
/// not finish in time.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    limits: ServerLimits,
    metrics: Metrics,
    mut stop: watch::Receiver<bool>,
) -> usize {
    let most = u32::try_from(limits.connections).unwrap_or(u32::MAX).clamp(1, 1 << 20);
    let permits = Arc::new(Semaphore::new(most as usize));
    // Dropping it closes the connections that are still open.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let accepted = async {
            // The semaphore is never closed.
            let permit = Arc::clone(&permits).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, stream) = tokio::select! {
            accepted = accepted => accepted,
            Some(_) = connections.join_next() => continue,
            _ = stop.wait_for(|&stop| stop) => break,
        };
        let stream = match stream {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (tls, router, limits, stop) = (tls.clone(), router.clone(), limits.clone(), stop.clone());
        let connected = metrics.connected();
        connections.spawn(async move {
            if let Err(error) = connection(stream, tls, router, limits, stop).await {
                tracing::debug!(%error, "a connection failed");
            }
            drop((permit, connected));
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

/// One connection, request after request. When the client disconnects, its request is dropped.
async fn http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    limits: ServerLimits,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let stream = TokioIo::new(WriteTimeout::new(stream, limits.write));
    let mut protocol = http1::Builder::new();
    protocol.timer(TokioTimer::new()).header_read_timeout(limits.headers).max_buf_size(MAX_HEAD);
    let mut connection = pin!(protocol.serve_connection(stream, TowerToHyperService::new(router)));
    let stopped = async {
        // A dropped sender counts as a stop.
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
