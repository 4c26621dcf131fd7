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
use crate::service::Service;
use crate::{idcard, jobs, ocr_cn, operations, pages, problem};

/// All routes of the service.
pub fn router(service: Arc<Service>) -> Router {
    let observed = ObservedService { service: Arc::clone(&service), readiness: Arc::default() };
    let observing = from_fn_with_state(Arc::clone(&service), observe);
    client_routes(service).merge(operations::router(observed)).merge(pages::router()).layer(observing)
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

/// Counts and logs every request, without any of its content.
async fn observe(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let path = path.as_ref().map_or("other", MatchedPath::as_str);
    let response = next.run(request).await;
    let outcome = response.extensions().get().map_or("done", |&Outcome(outcome)| outcome);
    let elapsed = begin.elapsed();
    service.metrics.answered(path, outcome, elapsed);
    tracing::info!(path, outcome, elapsed_ms = elapsed.as_secs_f64() * 1000.0, "answered");
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
