//! `POST /idcard`: is this number right, and what does it say.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use shenfen_core::id_number::{Answer, Lenient};
use shenfen_core::{IdNumber, Status};
use thiserror::Error;

use crate::answer::{QueryError, detail, json, private, sentence, status};
use crate::body::BodyError;
use crate::fields::{Field, FieldError, Plus, field};
use crate::service::{Refusal, Service, log_refusal};

/// A number takes 18 bytes; this leaves room for what clients add.
const MOST_BYTES: usize = 64 << 10;

/// Why there is no number to look at.
#[derive(Debug, Error)]
enum Refused {
    #[error(transparent)]
    NotLetIn(#[from] Refusal),
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error("id: {0}")]
    Field(#[from] FieldError),
}

pub(crate) async fn answer(State(service): State<Arc<Service>>, request: Request) -> Response {
    let (id, detail) = match asked(&service, request).await {
        Ok(asked) => asked,
        Err(refused) => {
            log_refusal(&refused);
            return sentence(refused.status());
        }
    };
    let today = service.today.date();
    let outcome = IdNumber::parse(&id, today).map(Lenient::from);
    let answer = if detail { Answer::detailed(&outcome, today) } else { Answer::documented(&outcome) };
    private(json(&answer), if outcome.is_ok() { "ok" } else { "fail" })
}

/// The number, and whether all about it is asked for.
async fn asked(service: &Service, request: Request) -> Result<(String, bool), Refused> {
    let request = service.authenticate(request, MOST_BYTES).await?;
    let detail = detail(&request.uri)?;
    match field(&request.headers, &request.body.bytes, "id", Plus::Blank)? {
        Field::Text(id) => Ok((id, detail)),
        Field::File(_) => Err(FieldError::NoText.into()),
    }
}

impl Refused {
    fn status(&self) -> Status {
        match self {
            // There is no picture that could be too large.
            Refused::NotLetIn(Refusal::Body(BodyError::TooLarge)) => Status::InvalidRequest,
            Refused::NotLetIn(refusal) => status(*refusal),
            Refused::Query(_) | Refused::Field(_) => Status::InvalidRequest,
        }
    }
}
