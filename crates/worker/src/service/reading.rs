//! What happens on a reading thread: the picture, if it is not here yet, and what it says.

use std::borrow::Cow;
use std::time::Instant;

use super::failure::{Failure, FetchError};
use super::images::Images;
use super::metrics::Metrics;
use super::step::{ReadResult, Work};
use crate::picture::{PictureReader, read_bytes, refused};
use crate::pool::{NoRoom, Room};

/// Reads one job.
///
/// # Errors
/// When there is no room for its picture now.
pub(crate) fn read<R: PictureReader>(
    reader: &mut R,
    work: &Work,
    room: &Room,
    images: &Images,
    metrics: &Metrics,
) -> Result<Result<ReadResult, Failure>, NoRoom> {
    let Work { key, attempt, message, side, fetched } = work;
    let _span = tracing::info_span!("read", job.id = %key, job.attempt = attempt).entered();
    let begin = Instant::now();
    let fetched = match fetched {
        Some(Ok(bytes)) => Ok(Cow::Borrowed(bytes.as_slice())),
        Some(Err(error)) => Err(FetchError::Refused(error.clone())),
        None => images.fetch(message.tenant, &message.image, reader.max_bytes()),
    };
    let read = match fetched {
        Ok(bytes) => read_bytes(reader, &bytes, *side, room)?,
        Err(FetchError::Refused(error)) => refused(error),
        Err(FetchError::Later(failure)) => return Ok(Err(failure)),
    };
    Ok(match read.outcome.into_result(reader.model()) {
        Ok(result) => {
            metrics.read(&result, begin.elapsed());
            tracing::info!(status = ?result.status, decision = ?result.decision, "read");
            Ok((Box::new(result), read.image_sha256))
        }
        Err(fault) => Err(Failure::Reader(fault)),
    })
}
