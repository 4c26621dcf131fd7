//! All routes of the service and their handlers.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};

use crate::answer::Outcome;
use crate::metrics::Levels;
use crate::operations::Observed;
use crate::readiness::Readiness;
use crate::server::Peer;
use crate::service::{Caller, Service};
use crate::{idcard, jobs, ocr_cn, operations, pages, problem};

/// Where the service's metrics are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsRoute {
    /// Beside the routes for clients.
    Here,
    /// Not here: whoever can reach the clients' address need not see them.
    Elsewhere,
}

/// All routes of the service, and of its probes.
pub fn router(service: Arc<Service>, metrics: MetricsRoute) -> Router {
    let observing = from_fn_with_state(Arc::clone(&service), observe);
    let observed = observed(Arc::clone(&service));
    let operations = match metrics {
        MetricsRoute::Here => operations::router(observed),
        MetricsRoute::Elsewhere => operations::probes(observed),
    };
    client_routes(service).merge(operations).merge(pages::router()).layer(observing)
}

/// The service as [`operations::serve`] shows it.
pub fn observed(service: Arc<Service>) -> impl Observed {
    ObservedService { service, readiness: Arc::default() }
}

/// The routes for clients. Every handler begins with [`Service::authenticate`].
fn client_routes(service: Arc<Service>) -> Router {
    Router::new()
        .route("/idcard", post(idcard::answer))
        .route("/v1/ocr_cn", post(ocr_cn::answer))
        .route("/v1/jobs", post(jobs::submit))
        .route("/v1/results/{job_id}", get(jobs::result))
        .route("/v1/batches/{name}", get(jobs::batch))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::not_allowed)
        .with_state(service)
}

/// Counts and logs every request: who made it and what came of it, without any of its content.
async fn observe(State(service): State<Arc<Service>>, mut request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let caller = Caller::default();
    request.extensions_mut().insert(caller.clone());
    let peer = request.extensions().get().map(|&Peer(address)| tracing::field::display(address));
    let path = request.extensions().get::<MatchedPath>().cloned();
    let path = path.as_ref().map_or("other", MatchedPath::as_str);
    let response = next.run(request).await;
    let outcome = response.extensions().get().map_or("done", |&Outcome(outcome)| outcome);
    let elapsed = begin.elapsed();
    service.metrics.answered(path, outcome, elapsed);
    let key = caller.key();
    let (ak, client) = (key.map(|key| key.ak.as_str()), key.map(|key| key.client.as_str()));
    let elapsed_ms = elapsed.as_secs_f64() * 1000.0;
    tracing::info!(path, outcome, elapsed_ms, peer, key = ak, client, "answered");
    response
}

/// The service as probes and Prometheus see it. It is ready while broker and database answer, if it has them; a full queue is full
/// for moments only.
#[derive(Clone)]
struct ObservedService {
    service: Arc<Service>,
    readiness: Arc<Readiness>,
}

impl Observed for ObservedService {
    async fn ready(&self) -> Result<(), String> {
        self.readiness.of(&self.service).await
    }

    fn render(&self) -> String {
        let service = &self.service;
        let (pictures_waiting, pictures_reading) = service.reading_queue.load();
        service.metrics.render(Levels { body_bytes: service.bodies.held(), pictures_waiting, pictures_reading })
    }
}
