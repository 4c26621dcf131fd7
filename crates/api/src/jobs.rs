//! `POST /v1/jobs`: a picture for the workers. `GET /v1/results/{job_id}` and `GET /v1/batches/{name}`: what became of it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde_json::json;
use shenfen_core::JobId;
use shenfen_queue::{Error as QueueError, Message, Outgoing, Publisher, Route};
use shenfen_store::{FlatBatch, JobStatus, StoreError, WholeRow};
use shenfen_worker::service::job_of;
use tokio::time::timeout;

use crate::answer;
use crate::keys::Key;
use crate::problem::Problem;
use crate::service::{Service, log_refusal};
use crate::store::LazyStore;

/// What RabbitMQ takes in one message, unless it is configured to take more.
const MOST_BYTES: usize = 16 << 20;
/// For the broker to take a job.
const PATIENCE: Duration = Duration::from_secs(10);
/// Far more than any key that is made for one request has.
const LONGEST_KEY: usize = 200;

/// The job of docs/publish.md as JSON; `v` may be left out.
///
/// Whoever sends one job twice gets one job: it is known by its `job_id`, else by the client's `Idempotency-Key`, else by
/// its content. A key that is used again for another picture stands for the first one.
pub(crate) async fn submit(State(service): State<Arc<Service>>, request: Request) -> Result<Response, Problem> {
    let request = service.authenticate(request, MOST_BYTES).await.inspect_err(|error| log_refusal(error))?;
    let Some(publisher) = &service.publisher else { return Err(not_configured("broker")) };
    let id = idempotency_key(&request.headers, request.key.as_deref())?;
    let message = message(&request.headers, &request.body.bytes, id.as_deref())?;
    publish(publisher, &message).await?;
    if let Some(store) = &service.store {
        // It is with the broker, so it is accepted: the worker that begins it will note it as well.
        if let Err(error) = store.note_published(&job_of(&message)).await {
            tracing::warn!(%error, job.id = %message.job_id, "a published job is not noted yet");
        }
    }
    let job_id = message.job_id.to_string();
    let location = [(header::LOCATION, format!("/v1/results/{job_id}"))];
    let body = answer::json(&json!({"job_id": job_id, "batch": message.batch}));
    Ok(answer::private((StatusCode::ACCEPTED, location, body), "accepted"))
}

/// The result of a job: 200 with its row, 202 while there is none yet, 410 when there will be none.
pub(crate) async fn result(
    State(service): State<Arc<Service>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let store = authenticated_store(&service, request).await?;
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "there is no such job");
    let id: JobId = id.ok().and_then(|Path(id)| id.parse().ok()).ok_or_else(unknown)?;
    let open = |state: &str| {
        let body = answer::json(&json!({"job_id": id.to_string(), "state": state}));
        Ok(answer::private((StatusCode::ACCEPTED, [(header::RETRY_AFTER, "1")], body), "open"))
    };
    match store.status(id).await.map_err(away)?.ok_or_else(unknown)? {
        JobStatus::Waiting => open("queued"),
        JobStatus::Running => open("running"),
        JobStatus::Done(row) => {
            let row = WholeRow::of(&row);
            let row =
                row.map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the stored result is damaged"))?;
            Ok(answer::private(answer::json(&row), "done"))
        }
        JobStatus::Dead { reason } => Err(Problem::new(StatusCode::GONE, format!("the job was given up: {reason}"))),
        JobStatus::Cancelled => Err(Problem::new(StatusCode::GONE, "the job was cancelled")),
    }
}

/// How far a batch is.
pub(crate) async fn batch(
    State(service): State<Arc<Service>>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let store = authenticated_store(&service, request).await?;
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "there is no such batch");
    let Path(name) = name.map_err(|_| unknown())?;
    // What no text of a database can be.
    let batch = if name.contains('\0') { None } else { store.batch(&name).await.map_err(away)? };
    let batch = batch.ok_or_else(unknown)?;
    Ok(answer::private(answer::json(&FlatBatch::of(&batch)), "done"))
}

async fn authenticated_store(service: &Service, request: Request) -> Result<&LazyStore, Problem> {
    service.authenticate(request, 0).await.inspect_err(|error| log_refusal(error))?;
    service.store.as_ref().ok_or_else(|| not_configured("database"))
}

/// A client's own name for a request, apart from those of other clients.
fn idempotency_key(headers: &HeaderMap, key: Option<&Key>) -> Result<Option<String>, Problem> {
    let mut given = headers.get_all("idempotency-key").iter();
    let (first, None) = (given.next(), given.next()) else {
        return Err(bad_request("there are two headers idempotency-key"));
    };
    let Some(first) = first else { return Ok(None) };
    let client = key.map_or("", |key| &key.client);
    match first.to_str() {
        Ok(own) if (1..=LONGEST_KEY).contains(&own.len()) => Ok(Some(format!("http:{client}:{own}"))),
        _ => Err(bad_request("the header idempotency-key must be 1 to 200 characters of ASCII")),
    }
}

fn message(headers: &HeaderMap, body: &[u8], id: Option<&str>) -> Result<Message, Problem> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.map(|value| value.split(';').next().unwrap_or_default().trim());
    if media_type.is_some_and(|media_type| !media_type.eq_ignore_ascii_case("application/json")) {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body must be application/json"));
    }
    Message::parse_without_version(body, id).map_err(|error| bad_request(error.to_string()))
}

async fn publish(publisher: &Publisher, message: &Message) -> Result<(), Problem> {
    let outgoing = Outgoing {
        route: Route::Jobs,
        body: message.to_json(),
        message_id: Some(message.job_id.to_string()),
        failures: 0,
        reason: None,
    };
    let trouble = match timeout(PATIENCE, publisher.publish(&outgoing)).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error @ QueueError::TooLarge { .. })) => {
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()));
        }
        Ok(Err(error)) => error.to_string(),
        Err(elapsed) => elapsed.to_string(),
    };
    tracing::warn!(error = trouble, "a job cannot be published");
    Err(Problem::unavailable("the queue takes no jobs now; sending the same job again does not double it"))
}

fn away(error: StoreError) -> Problem {
    tracing::warn!(%error, "the database does not answer");
    Problem::unavailable("the database is not available now")
}

fn not_configured(what: &str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("this service was started without a {what}"))
}

fn bad_request(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}
