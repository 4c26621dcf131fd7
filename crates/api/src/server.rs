//! Accepts connections, limits their number and duration, and drains them at the end.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::idle::{Activity, IdleConnections};
use crate::metrics::Metrics;
use crate::write_timeout::WriteTimeout;

/// Maximum size of the request line and headers.
const MAX_HEAD: usize = 32 << 10;
/// Time for an idle connection that gives way to write the end of its last response.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Pause after a failed accept, as when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Limits on connections.
#[derive(Clone, Debug)]
pub struct ServerLimits {
    /// Maximum number of open connections. For another one, the connection that has been idle for longest is closed; while all of them
    /// have requests, it waits.
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

/// The other end of a request's connection: the client, or the proxy before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

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
    let idle = IdleConnections::default();
    // Dropping it closes the connections that are still open.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            _ = stop.wait_for(|&stop| stop) => break,
        };
        let (stream, peer) = match stream {
            Ok((stream, address)) => (stream, Peer(address)),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if permits.available_permits() == 0 {
            idle.make_room();
        }
        let permit = tokio::select! {
            // The semaphore is never closed.
            permit = Arc::clone(&permits).acquire_owned() => permit,
            _ = stop.wait_for(|&stop| stop) => break,
        };
        let (tls, router, limits, stop) = (tls.clone(), router.clone(), limits.clone(), stop.clone());
        let (connected, activity) = (metrics.connected(), idle.connected());
        connections.spawn(async move {
            if let Err(error) = connection((stream, peer), tls, router, activity, limits, stop).await {
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
    (stream, peer): (TcpStream, Peer),
    tls: Option<TlsAcceptor>,
    router: Router,
    activity: Arc<Activity>,
    limits: ServerLimits,
    stop: watch::Receiver<bool>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match tls {
        None => http(stream, peer, router, activity, limits, stop).await,
        Some(tls) => {
            let handshake = tokio::select! {
                handshake = timeout(limits.handshake, tls.accept(stream)) => handshake,
                () = activity.asked_to_give_way() => return Ok(()),
            };
            http(handshake.map_err(|_| io::ErrorKind::TimedOut)??, peer, router, activity, limits, stop).await
        }
    }
}

/// One connection, request after request. When the client disconnects, its request is dropped.
async fn http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    router: Router,
    activity: Arc<Activity>,
    limits: ServerLimits,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let stream = TokioIo::new(WriteTimeout::new(stream, limits.write));
    let mut protocol = http1::Builder::new();
    protocol.timer(TokioTimer::new()).header_read_timeout(limits.headers).max_buf_size(MAX_HEAD);
    let answering = TowerToHyperService::new(router);
    let of_requests = Arc::clone(&activity);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let (activity, answer) = (Arc::clone(&of_requests), answering.call(request));
        activity.busy();
        async move {
            let answer = answer.await;
            activity.idle();
            answer
        }
    });
    let mut connection = pin!(protocol.serve_connection(stream, service));
    let stopped = async {
        // A dropped sender counts as a stop.
        let _ = stop.wait_for(|&stop| stop).await;
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = activity.asked_to_give_way() => {
            connection.as_mut().graceful_shutdown();
            timeout(LAST_WORDS, connection).await.unwrap_or(Ok(()))
        }
        () = stopped => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    ended.map_err(io::Error::other)
}
