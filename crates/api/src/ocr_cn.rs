//! `POST /v1/ocr_cn`: reads the card in a picture.

mod crops;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde::Serialize;
use shenfen_core::{PictureResult, Refusal, Rule, Status};
use shenfen_worker::NotRead;
use thiserror::Error;

use crate::answer::{self, QueryError, detail, of_status, status, status_only};
use crate::encoding;
use crate::fields::{Field, FieldError, Plus, field};
use crate::service::{self, Authenticated, Service, log_refusal};
use crops::EncodedCrops;

/// Maximum size of a picture file: 2 MiB.
pub const MAX_PICTURE: usize = 2 << 20;

/// Maximum size of a body: base64 makes four bytes of three, and percent-encoding at worst three of one.
const MOST_BYTES: usize = 9 << 20;

/// Why a picture was not read.
#[derive(Debug, Error)]
enum Refused {
    #[error(transparent)]
    Refusal(#[from] service::Refusal),
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error("img: {0}")]
    Field(#[from] FieldError),
    #[error("img is not base64")]
    NoBase64,
    #[error("img is empty")]
    Empty,
    #[error("the picture has {0} bytes; the limit is {MAX_PICTURE}")]
    TooLarge(usize),
    #[error(transparent)]
    NotRead(#[from] NotRead),
}

/// The documented answer.
#[derive(Serialize)]
struct Fields<'a> {
    status: Status,
    message: &'a BTreeMap<String, String>,
}

/// An answer with what was asked for beside it.
#[derive(Serialize)]
struct Answer<'a, T> {
    #[serde(flatten)]
    body: &'a T,
    #[serde(skip_serializing_if = "Option::is_none")]
    crops: Option<Vec<EncodedCrops>>,
}

/// What was read in a picture.
struct Read {
    result: PictureResult,
    /// If they were asked for.
    crops: Option<Vec<EncodedCrops>>,
}

pub(crate) async fn answer(State(service): State<Arc<Service>>, request: Request) -> Response {
    let detail_requested = detail(request.uri());
    let Read { result, crops } = match read(&service, request).await {
        Ok(read) => read,
        Err(refused) => {
            refused.log();
            let status = refused.status();
            if detail_requested != Ok(true) {
                return status_only(status);
            }
            Read { result: service.reading_queue.refuse(refused.refusal()), crops: None }
        }
    };
    match (detail_requested, result.status) {
        (Ok(true), status) => of_status(status, &Answer { body: &result, crops }),
        (_, Status::Ok) => {
            let body = Fields { status: Status::Ok, message: &result.message };
            of_status(Status::Ok, &Answer { body: &body, crops })
        }
        (_, status) => status_only(status),
    }
}

async fn read(service: &Service, request: Request) -> Result<Read, Refused> {
    let request = service.authenticate(request, MOST_BYTES).await?;
    detail(&request.uri)?;
    let wants_crops = answer::crops(&request.uri)?;
    let picture = picture(request)?;
    if !wants_crops {
        return Ok(Read { result: service.reading_queue.read(picture).await?, crops: None });
    }
    let (result, crops) = service.reading_queue.read_with_crops(picture, service.limits).await?;
    Ok(Read { result, crops: Some(crops::encoded(crops)) })
}

/// The picture's bytes; the body is freed.
fn picture(request: Authenticated) -> Result<Vec<u8>, Refused> {
    let picture = match field(&request.headers, &request.body.bytes, "img", Plus::Literal)? {
        Field::Text(text) => encoding::decode(text).ok_or(Refused::NoBase64)?,
        // Some clients send everything as a file, base64 too, which no picture's bytes are.
        Field::File(bytes) => match std::str::from_utf8(&bytes).ok().and_then(|text| encoding::decode(text.to_owned()))
        {
            Some(decoded) if !decoded.is_empty() => decoded,
            _ => bytes,
        },
    };
    match picture.len() {
        0 => Err(Refused::Empty),
        bytes if bytes > MAX_PICTURE => Err(Refused::TooLarge(bytes)),
        _ => Ok(picture),
    }
}

impl Refused {
    fn status(&self) -> Status {
        match self {
            Refused::Refusal(refusal) => status(*refusal),
            Refused::Query(_) | Refused::Field(_) | Refused::NoBase64 | Refused::Empty => Status::InvalidRequest,
            Refused::TooLarge(_) => Status::ImageInvalidSize,
            Refused::NotRead(_) => Status::RetryLater,
        }
    }

    /// The refusal that `?detail=1` returns.
    fn refusal(&self) -> Refusal {
        let rule = match self.status() {
            Status::ImageInvalidSize => Rule::PictureBytes,
            Status::RetryLater => Rule::Busy,
            _ => Rule::RequestInvalid,
        };
        Refusal::new(rule, self.to_string())
    }

    fn log(&self) {
        match self {
            Refused::NotRead(NotRead::Fault(fault)) => tracing::error!(%fault, "the reader failed on a picture"),
            other => log_refusal(other),
        }
    }
}
