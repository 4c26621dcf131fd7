//! The answers of the two documented endpoints: HTTP 200 whatever happened, with the status in the body.

use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use shenfen_core::Status;
use thiserror::Error;

use crate::body::BodyError;
use crate::fields::{Plus, decoded, pairs};
use crate::service::Refusal;
use crate::signing::Denied;

/// Seconds after which it is worth trying again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// What became of a request, for the log and the counts: one of a few fixed words.
#[derive(Clone, Copy)]
pub(crate) struct Outcome(pub(crate) &'static str);

/// A status without anything else, as documented.
#[derive(Serialize)]
struct Sentence {
    status: Status,
    message: &'static str,
}

/// A status with its documented sentence.
pub(crate) fn sentence(status: Status) -> Response {
    of_status(status, &Sentence { status, message: message(status) })
}

/// A body with a documented status.
pub(crate) fn of_status(status: Status, body: &impl Serialize) -> Response {
    let mut response = private(json(body), status.as_str());
    if status == Status::RetryLater {
        response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    response
}

/// A body of JSON.
pub(crate) fn json(body: &impl Serialize) -> Response {
    // Nothing that we send fails to become JSON: its keys are all text.
    let body = serde_json::to_vec(body).unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// A response that nobody on the way may keep.
pub(crate) fn private(body: impl IntoResponse, outcome: &'static str) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.extensions_mut().insert(Outcome(outcome));
    response
}

/// The status of a request that was not let in. A body too large can only be a picture too large.
pub(crate) fn status(refusal: Refusal) -> Status {
    match refusal {
        Refusal::Denied(Denied::RateLimited { .. } | Denied::Full) | Refusal::Body(BodyError::Busy) => {
            Status::RetryLater
        }
        Refusal::Body(BodyError::TooLarge) => Status::ImageInvalidSize,
        Refusal::Denied(_) | Refusal::Body(BodyError::Slow | BodyError::Cut) => Status::InvalidRequest,
    }
}

/// `detail` stands in the query twice, or with another value than 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("detail in the query is not understood")]
pub(crate) struct QueryError;

/// Whether more than the documented fields are asked for: `?detail=1`.
pub(crate) fn detail(uri: &Uri) -> Result<bool, QueryError> {
    let mut asked = None;
    for (key, value) in pairs(uri.query().unwrap_or_default().as_bytes()) {
        if decoded(key, Plus::Blank) == &b"detail"[..] {
            let value = match &*decoded(value, Plus::Blank) {
                b"1" | b"true" => true,
                b"0" | b"false" | b"" => false,
                _ => return Err(QueryError),
            };
            if asked.replace(value).is_some() {
                return Err(QueryError);
            }
        }
    }
    Ok(asked.unwrap_or(false))
}

/// The documented sentences.
fn message(status: Status) -> &'static str {
    match status {
        Status::Ok => "",
        Status::Fail => "check input image and retry",
        Status::InvalidRequest => "check request params",
        Status::ImageInvalidFormat => "image format not support",
        Status::ImageInvalidSize => "image larger than 2M",
        Status::RetryLater => "Service is not available right now, please try again later",
    }
}
