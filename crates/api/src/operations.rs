//! Probes and metrics: liveness, readiness, and the counters for Prometheus. Only numbers and states, so no key is needed;
//! still, listen on an address that only the monitoring can reach.

use std::io;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Something with readiness and metrics.
pub trait Observed: Clone + Send + Sync + 'static {
    /// Whether it is ready for work, or what it waits for.
    fn ready(&self) -> impl Future<Output = Result<(), String>> + Send;

    /// Its metrics in the Prometheus text format.
    fn render(&self) -> String;
}

impl Observed for shenfen_worker::service::Metrics {
    async fn ready(&self) -> Result<(), String> {
        self.ready()
    }

    fn render(&self) -> String {
        self.render()
    }
}

/// Answers `/livez`, `/readyz` and `/metrics` until `stop` turns true.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, observed: impl Observed, mut stop: watch::Receiver<bool>) -> io::Result<()> {
    let stopped = async move {
        // A dropped sender counts as a stop.
        let _ = stop.wait_for(|&stop| stop).await;
    };
    axum::serve(listener, router(observed)).with_graceful_shutdown(stopped).await
}

/// Probes and metrics.
pub fn router(observed: impl Observed) -> Router {
    probes(observed.clone()).route(
        "/metrics",
        get(move || async move {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], observed.render())
        }),
    )
}

/// `/livez` and `/readyz`.
pub fn probes(observed: impl Observed) -> Router {
    Router::new().route("/livez", get(|| async { "alive\n" })).route(
        "/readyz",
        get(move || async move {
            match observed.ready().await {
                Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
                Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
            }
        }),
    )
}
