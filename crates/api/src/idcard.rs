//! `POST /idcard`: is this number right, and what does it say.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use shenfen_core::id_number::{Answer, Lenient};
use shenfen_core::{IdNumber, Status};

use crate::answer::{detail, json, private, sentence, status};
use crate::body::BodyError;
use crate::fields::{Field, FieldError, Plus, field};
use crate::service::{Refusal, Service, log_refusal};

/// A number takes 18 bytes; this leaves room for what clients add.
const MOST_BYTES: usize = 64 << 10;

pub(crate) async fn answer(State(service): State<Arc<Service>>, request: Request) -> Response {
    let request = match service.admit(request, MOST_BYTES).await {
        Ok(request) => request,
        Err(refusal) => {
            log_refusal(&refusal);
            // There is no picture that could be too large.
            let too_large = refusal == Refusal::Body(BodyError::TooLarge);
            return sentence(if too_large { Status::InvalidRequest } else { status(refusal) });
        }
    };
    let id = match field(&request.headers, &request.body.bytes, "id", Plus::Blank) {
        Ok(Field::Text(id)) => Ok(id),
        Ok(Field::File(_)) => Err(FieldError::NoText),
        Err(error) => Err(error),
    };
    let (id, detail) = match (id, detail(&request.uri)) {
        (Ok(id), Some(detail)) => (id, detail),
        (Err(error), _) => {
            log_refusal(&error);
            return sentence(Status::InvalidRequest);
        }
        (Ok(_), None) => return sentence(Status::InvalidRequest),
    };
    let today = service.today.date();
    let outcome = IdNumber::parse(&id, today).map(Lenient::from);
    let answer = if detail { Answer::detailed(&outcome, today) } else { Answer::documented(&outcome) };
    private(json(&answer), if outcome.is_ok() { "ok" } else { "fail" })
}
