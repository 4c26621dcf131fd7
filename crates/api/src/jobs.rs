//! `POST /v1/jobs` publishes a job. `GET /v1/results/{job_id}` returns its result, `GET /v1/batches/{name}` the progress of a
//! batch.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde_json::json;
use shenfen_core::{JobId, JobKey, Tenant};
use shenfen_queue::{Error as QueueError, Image, Message, Outgoing, Publisher, Route};
use shenfen_store::{AuditAction, AuditRecord, FlatBatch, JobStatus, ShownRow, StoreError, WholeRow};
use shenfen_worker::service::job_of;
use tokio::time::timeout;

use crate::answer;
use crate::keys::Key;
use crate::problem::Problem;
use crate::service::{Authenticated, Service, log_refusal};
use crate::store::LazyStore;

/// RabbitMQ's default limit on a message.
const MOST_BYTES: usize = 16 << 20;
/// How long to wait for the broker to confirm a job.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum length of an idempotency key, and of a reason, in bytes.
const LONGEST_KEY: usize = 200;
/// The header that says why a result is looked at.
const REASON: &str = "shenfen-reason";

/// The job of docs/publish.md as JSON; `v` may be left out.
///
/// A job that is sent twice is one job: it is identified by its `job_id`, else by the client's `Idempotency-Key`, else by its
/// content. A key that is used again for another picture refers to the first one.
pub(crate) async fn submit(State(service): State<Arc<Service>>, request: Request) -> Result<Response, Problem> {
    let request = service.authenticate(request, MOST_BYTES).await.inspect_err(|error| log_refusal(error))?;
    let Some(publisher) = &service.publisher else { return Err(not_configured("broker")) };
    let id = idempotency_key(&request.headers, request.key.as_deref())?;
    let message = message(&request, id.as_deref())?;
    let message = sealed(&service, message)?;
    publish(publisher, &message).await?;
    if let Some(store) = &service.store {
        // The broker has it, so it is accepted: the worker that claims it records it as well.
        if let Err(error) = store.note_published(&job_of(&message)).await {
            tracing::warn!(%error, job.id = %message.key(), "cannot record a published job");
        }
    }
    let job_id = message.job_id.to_string();
    let location = [(header::LOCATION, format!("/v1/results/{job_id}"))];
    let body = answer::json(&json!({"job_id": job_id, "batch": message.batch}));
    Ok(answer::private((StatusCode::ACCEPTED, location, body), "accepted"))
}

/// The result of a job of the client's tenant: 200 with its row, 202 while there is none yet, 410 when there will be none. The row is masked
/// unless the key reveals, which the audit log records first.
pub(crate) async fn result(
    State(service): State<Arc<Service>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let (store, request) = authenticated_store(&service, request).await?;
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "there is no such job");
    let id: JobId = id.ok().and_then(|Path(id)| id.parse().ok()).ok_or_else(unknown)?;
    let open = |state: &str| {
        let body = answer::json(&json!({"job_id": id.to_string(), "state": state}));
        Ok(answer::private((StatusCode::ACCEPTED, [(header::RETRY_AFTER, "1")], body), "open"))
    };
    match store.status(JobKey { tenant: request.tenant(), id }).await.map_err(unavailable)?.ok_or_else(unknown)? {
        JobStatus::Waiting => open("queued"),
        JobStatus::Running => open("running"),
        JobStatus::Done(row) => {
            let damaged = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the stored result is damaged");
            let shown = match reveal(&request, id)? {
                Some(record) => ShownRow::revealed(*row, &store.record(&record).await.map_err(unavailable)?),
                None => ShownRow::masked(*row).map_err(damaged)?,
            };
            let row = WholeRow::of(&shown).map_err(damaged)?;
            Ok(answer::private(answer::json(&row), "done"))
        }
        JobStatus::Dead { reason } => Err(Problem::new(StatusCode::GONE, format!("the job failed: {reason}"))),
        JobStatus::Cancelled => Err(Problem::new(StatusCode::GONE, "the job was cancelled")),
    }
}

/// The progress of a batch of the client's tenant.
pub(crate) async fn batch(
    State(service): State<Arc<Service>>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let (store, request) = authenticated_store(&service, request).await?;
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "there is no such batch");
    let Path(name) = name.map_err(|_| unknown())?;
    // PostgreSQL text cannot contain NUL, so there is no such batch.
    let batch =
        if name.contains('\0') { None } else { store.batch(request.tenant(), &name).await.map_err(unavailable)? };
    let batch = batch.ok_or_else(unknown)?;
    Ok(answer::private(answer::json(&FlatBatch::of(&batch)), "done"))
}

/// What is to be recorded before a client sees a result in clear; `None` for one whose key shows it masked.
fn reveal(request: &Authenticated, id: JobId) -> Result<Option<AuditRecord>, Problem> {
    let Some(key) = request.key.as_deref().filter(|key| key.reveals) else { return Ok(None) };
    let reason = request.headers.get(REASON).map_or(Ok(String::new()), |reason| {
        let text = std::str::from_utf8(reason.as_bytes()).ok().filter(|text| text.len() <= LONGEST_KEY);
        text.map(str::to_owned)
            .ok_or_else(|| bad_request("the header Shenfen-Reason must be UTF-8 of at most 200 bytes"))
    })?;
    Ok(Some(AuditRecord {
        tenant: Some(key.tenant),
        actor: format!("key {} of {}", key.ak, key.client),
        action: AuditAction::Reveal,
        subject: format!("job {id}"),
        amount: Some(1),
        reason,
    }))
}

/// The database, and the request of a client that may ask it.
async fn authenticated_store(service: &Service, request: Request) -> Result<(&LazyStore, Authenticated), Problem> {
    let request = service.authenticate(request, 0).await.inspect_err(|error| log_refusal(error))?;
    let store = service.store.as_ref().ok_or_else(|| not_configured("database"))?;
    Ok((store, request))
}

/// The idempotency key of a request, kept apart from those of other clients.
fn idempotency_key(headers: &HeaderMap, key: Option<&Key>) -> Result<Option<String>, Problem> {
    let mut given = headers.get_all("idempotency-key").iter();
    let (first, None) = (given.next(), given.next()) else {
        return Err(bad_request("the header Idempotency-Key must be given once"));
    };
    let Some(first) = first else { return Ok(None) };
    let client = key.map_or("", |key| &key.client);
    match first.to_str() {
        Ok(own) if (1..=LONGEST_KEY).contains(&own.len()) => Ok(Some(format!("http:{client}:{own}"))),
        _ => Err(bad_request("the header Idempotency-Key must be 1 to 200 ASCII characters")),
    }
}

/// The job that the body describes, as one of the client's tenant.
fn message(request: &Authenticated, id: Option<&str>) -> Result<Message, Problem> {
    let content_type = request.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.map(|value| value.split(';').next().unwrap_or_default().trim());
    if media_type.is_some_and(|media_type| !media_type.eq_ignore_ascii_case("application/json")) {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body must be application/json"));
    }
    let message = Message::parse_without_version(&request.body.bytes, id);
    let message = message.map_err(|error| bad_request(error.to_string()))?;
    let tenant = request.tenant();
    if message.tenant != tenant && message.tenant != Tenant::DEFAULT {
        return Err(bad_request("tenant must be that of the key, or left out"));
    }
    Ok(message.of_tenant(tenant))
}

/// The job with its picture sealed, if it came in clear and there is anyone to seal it for.
fn sealed(service: &Service, message: Message) -> Result<Message, Problem> {
    match (&service.recipients, &message.image) {
        (Some(recipients), Image::Inline(picture)) => {
            let sealed = recipients.seal(picture).map_err(|error| {
                tracing::error!(%error, "cannot seal a picture");
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the picture cannot be sealed")
            })?;
            Ok(message.with_sealed(sealed))
        }
        _ => Ok(message),
    }
}

async fn publish(publisher: &Publisher, message: &Message) -> Result<(), Problem> {
    let outgoing = Outgoing {
        route: Route::Jobs,
        body: message.to_json(),
        message_id: Some(message.job_id.to_string()),
        failures: 0,
        reason: None,
    };
    let trouble = match timeout(PUBLISH_TIMEOUT, publisher.publish(&outgoing)).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error @ QueueError::TooLarge { .. })) => {
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()));
        }
        Ok(Err(error)) => error.to_string(),
        Err(elapsed) => elapsed.to_string(),
    };
    tracing::warn!(error = trouble, "cannot publish a job");
    Err(Problem::unavailable("the queue does not accept jobs at the moment; it is safe to send the same job again"))
}

fn unavailable(error: StoreError) -> Problem {
    tracing::warn!(%error, "the database is unavailable");
    Problem::unavailable("the database is not available at the moment")
}

fn not_configured(what: &str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("this service was started without a {what}"))
}

fn bad_request(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}
