//! What machines that look after a worker ask it: is it alive, can it work, what has it counted. Numbers and states only,
//! so it needs no key; still, listen where only those machines can reach it.

use std::io;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use shenfen_worker::service::Metrics;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Answers `/livez`, `/readyz` and `/metrics` until `stop` turns true.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, metrics: Metrics, mut stop: watch::Receiver<bool>) -> io::Result<()> {
    let stopped = async move {
        // Nobody who could stop it is as good as a stop.
        let _ = stop.wait_for(|&stop| stop).await;
    };
    axum::serve(listener, router(metrics)).with_graceful_shutdown(stopped).await
}

/// The routes.
pub fn router(metrics: Metrics) -> Router {
    let ready = metrics.clone();
    Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route(
            "/readyz",
            get(move || async move {
                match ready.ready() {
                    Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
                    Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
                }
            }),
        )
        .route(
            "/metrics",
            get(move || async move {
                ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render())
            }),
        )
}
