//! Responses of the two documented endpoints: always HTTP 200, with the status in the body.

use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use shenfen_core::Status;
use thiserror::Error;

use crate::body::BodyError;
use crate::fields::{Plus, decoded, pairs};
use crate::service::Refusal;
use crate::signing::Denied;

/// Value of `Retry-After` in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// The outcome of a request for log and metrics: one of a fixed set of words.
#[derive(Clone, Copy)]
pub(crate) struct Outcome(pub(crate) &'static str);

/// The documented body of a status without data.
#[derive(Serialize)]
struct StatusBody {
    status: Status,
    message: &'static str,
}

/// A status with its documented message.
pub(crate) fn status_only(status: Status) -> Response {
    of_status(status, &StatusBody { status, message: message(status) })
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
    // Serialisation cannot fail: the keys of all our types are strings.
    let body = serde_json::to_vec(body).unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// A response that no cache may store.
pub(crate) fn private(body: impl IntoResponse, outcome: &'static str) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.extensions_mut().insert(Outcome(outcome));
    response
}

/// The status of a refused request. A body that is too large can only contain a picture that is too large.
pub(crate) fn status(refusal: Refusal) -> Status {
    match refusal {
        Refusal::Denied(Denied::RateLimited { .. } | Denied::Full) | Refusal::Body(BodyError::Busy) => {
            Status::RetryLater
        }
        Refusal::Body(BodyError::TooLarge) => Status::ImageInvalidSize,
        Refusal::Denied(_) | Refusal::Body(BodyError::Slow | BodyError::Cut) => Status::InvalidRequest,
    }
}

/// A parameter stands in the query twice, or with another value than 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the query parameter {0} must be 0 or 1, given once")]
pub(crate) struct QueryError(&'static str);

/// Whether the complete result is requested: `?detail=1`.
pub(crate) fn detail(uri: &Uri) -> Result<bool, QueryError> {
    switch(uri, "detail")
}

/// Whether the cards set upright are requested: `?crops=1`.
pub(crate) fn crops(uri: &Uri) -> Result<bool, QueryError> {
    switch(uri, "crops")
}

fn switch(uri: &Uri, name: &'static str) -> Result<bool, QueryError> {
    let mut given = None;
    for (key, value) in pairs(uri.query().unwrap_or_default().as_bytes()) {
        if decoded(key, Plus::Space) == name.as_bytes() {
            let value = match &*decoded(value, Plus::Space) {
                b"1" | b"true" => true,
                b"0" | b"false" | b"" => false,
                _ => return Err(QueryError(name)),
            };
            if given.replace(value).is_some() {
                return Err(QueryError(name));
            }
        }
    }
    Ok(given.unwrap_or(false))
}

/// The documented messages.
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
