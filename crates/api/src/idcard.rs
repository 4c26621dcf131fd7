//! `POST /idcard`: checks an ID number and returns what it encodes.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use shenfen_core::id_number::{Answer, Lenient};
use shenfen_core::{IdNumber, Status};
use thiserror::Error;

use crate::answer::{QueryError, detail, json, private, status, status_only};
use crate::body::BodyError;
use crate::fields::{Field, FieldError, Plus, field};
use crate::service::{Refusal, Service, log_refusal};

/// A number takes 18 bytes; the rest is for other form fields.
const MOST_BYTES: usize = 64 << 10;

/// Why there is no number to check.
#[derive(Debug, Error)]
enum Refused {
    #[error(transparent)]
    Refusal(#[from] Refusal),
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error("id: {0}")]
    Field(#[from] FieldError),
}

pub(crate) async fn answer(State(service): State<Arc<Service>>, request: Request) -> Response {
    let (id, detail) = match parse(&service, request).await {
        Ok(parsed) => parsed,
        Err(refused) => {
            log_refusal(&refused);
            return status_only(refused.status());
        }
    };
    let today = service.today.date();
    let outcome = IdNumber::parse(&id, today).map(Lenient::from);
    let answer = if detail { Answer::detailed(&outcome, today) } else { Answer::documented(&outcome) };
    private(json(&answer), if outcome.is_ok() { "ok" } else { "fail" })
}

/// The number, and whether the complete answer is requested.
async fn parse(service: &Service, request: Request) -> Result<(String, bool), Refused> {
    let request = service.authenticate(request, MOST_BYTES).await?;
    let detail = detail(&request.uri)?;
    match field(&request.headers, &request.body.bytes, "id", Plus::Space)? {
        Field::Text(id) => Ok((id, detail)),
        Field::File(_) => Err(FieldError::NotText.into()),
    }
}

impl Refused {
    fn status(&self) -> Status {
        match self {
            // There is no picture here that could be too large.
            Refused::Refusal(Refusal::Body(BodyError::TooLarge)) => Status::InvalidRequest,
            Refused::Refusal(refusal) => status(*refusal),
            Refused::Query(_) | Refused::Field(_) => Status::InvalidRequest,
        }
    }
}
