//! Errors of all endpoints except the two documented ones: HTTP status codes and problem details (RFC 9457).

use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::answer::{json, private};
use crate::body::BodyError;
use crate::service::Refusal;
use crate::signing::Denied;

/// A problem. Its detail is for people and contains no personal data.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) detail: String,
    retry_after: Option<u64>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem { status, detail: detail.into(), retry_after: None }
    }

    /// Something is temporarily unavailable.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Problem {
        Problem { retry_after: Some(5), ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let status = match refusal {
            Refusal::Denied(Denied::RateLimited { wait }) => {
                let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, refusal.to_string());
                return Problem { retry_after: Some(wait.as_secs() + 1), ..problem };
            }
            Refusal::Denied(Denied::Full) | Refusal::Body(BodyError::Busy) => {
                return Problem::unavailable(refusal.to_string());
            }
            Refusal::Denied(_) => StatusCode::UNAUTHORIZED,
            Refusal::Body(BodyError::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Body(BodyError::Slow) => StatusCode::REQUEST_TIMEOUT,
            Refusal::Body(BodyError::Cut) => StatusCode::BAD_REQUEST,
        };
        Problem::new(status, refusal.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Problem");
        let body = Body { kind: "about:blank", title, status: self.status.as_u16(), detail: &self.detail };
        let mut response = private((self.status, json(&body)), title);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("credit-v1"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

pub(crate) async fn not_found(_: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is no such path")
}

pub(crate) async fn not_allowed(method: Method) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("this path does not support {method}"))
}
