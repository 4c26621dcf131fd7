//! What machines that look after a process ask it: is it alive, can it work, what has it counted. Numbers and states only,
//! so it needs no key; still, listen where only those machines can reach it.

use std::io;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Something that is looked after.
pub trait Observed: Clone + Send + Sync + 'static {
    /// Whether it can do its work now.
    ///
    /// # Errors
    /// What it waits for.
    fn ready(&self) -> Result<(), String>;

    /// What it has counted, as Prometheus reads it.
    fn render(&self) -> String;
}

impl Observed for shenfen_worker::service::Metrics {
    fn ready(&self) -> Result<(), String> {
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
        // Nobody who could stop it is as good as a stop.
        let _ = stop.wait_for(|&stop| stop).await;
    };
    axum::serve(listener, router(observed)).with_graceful_shutdown(stopped).await
}

/// The routes.
pub fn router(observed: impl Observed) -> Router {
    let ready = observed.clone();
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
                ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], observed.render())
            }),
        )
}
