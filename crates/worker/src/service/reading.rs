//! What happens on a reading thread: the picture, if it is not here yet, and what it says.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use shenfen_core::{JobId, PictureResult, Refusal, RequestedSide};
use shenfen_queue::Message;

use super::failure::Failure;
use super::images::{FetchError, Images};
use super::metrics::Metrics;
use crate::picture::{PictureReader, read_bytes, refused};

/// A job for a reading thread.
pub(crate) struct Work {
    pub(crate) id: JobId,
    pub(crate) attempt: u32,
    pub(crate) message: Arc<Message>,
    pub(crate) side: RequestedSide,
    pub(crate) fetched: Option<Result<Vec<u8>, Refusal>>,
}

/// What came of it.
pub(crate) struct Read {
    pub(crate) id: JobId,
    pub(crate) outcome: Result<(Box<PictureResult>, Option<String>), Failure>,
}

/// Reads one job.
pub(crate) fn read<R: PictureReader>(reader: &mut R, work: Work, images: &Images, metrics: &Metrics) -> Read {
    let Work { id, attempt, message, side, fetched } = work;
    let _span = tracing::info_span!("read", job.id = %id, job.attempt = attempt).entered();
    let begin = Instant::now();
    let fetched = match &fetched {
        Some(Ok(bytes)) => Ok(Cow::Borrowed(bytes.as_slice())),
        Some(Err(error)) => Err(FetchError::Refused(error.clone())),
        None => images.fetch(&message.image, reader.max_bytes()),
    };
    let read = match fetched {
        Ok(bytes) => read_bytes(reader, &bytes, side),
        Err(FetchError::Refused(reason)) => refused(reason),
        Err(FetchError::Later(failure)) => return Read { id, outcome: Err(failure) },
    };
    let outcome = match read.outcome.into_result(reader.model()) {
        Ok(result) => {
            metrics.read(&result, begin.elapsed());
            tracing::info!(status = ?result.status, decision = ?result.decision, "read");
            Ok((Box::new(result), read.image_sha256))
        }
        Err(fault) => Err(Failure::Reader(fault)),
    };
    Read { id, outcome }
}
