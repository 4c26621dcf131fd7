//! Request bodies, read within limits on size, time, and the memory of all of them together.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

/// Memory for bodies is reserved in units of this size.
const PIECE: usize = 64 << 10;
/// A body that is too large is read and discarded up to here, so that a client that reads the response only after sending
/// the whole body learns why it was refused.
const DISCARD_LIMIT: u64 = 256 << 20;

/// Limits on request bodies.
#[derive(Clone, Debug)]
pub struct BodyLimits {
    /// Time from the end of the headers to the end of the body.
    pub whole: Duration,
    /// Time between two chunks of it.
    pub pause: Duration,
    /// Bytes that all bodies in memory may take together.
    pub memory: usize,
}

impl Default for BodyLimits {
    /// 30 seconds, 10 seconds, 256 MiB.
    fn default() -> BodyLimits {
        BodyLimits { whole: Duration::from_secs(30), pause: Duration::from_secs(10), memory: 256 << 20 }
    }
}

/// Why a body could not be read. Contains nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BodyError {
    /// More bytes than this endpoint accepts.
    #[error("the body is too large")]
    TooLarge,
    /// It did not arrive in time.
    #[error("the body did not arrive in time")]
    Slow,
    /// The connection ended before the body did, or its framing is invalid.
    #[error("the body is truncated")]
    Cut,
    /// Other bodies use all the memory reserved for them.
    #[error("too many request bodies at the same time")]
    Busy,
}

/// Reads bodies. Cloning shares the memory.
#[derive(Clone, Debug)]
pub struct Bodies {
    limits: BodyLimits,
    memory: Arc<Semaphore>,
}

/// A body with its reserved memory, which dropping it frees.
pub struct Received {
    /// Its bytes.
    pub bytes: Vec<u8>,
    memory: Option<OwnedSemaphorePermit>,
}

impl Bodies {
    /// Bodies within these limits.
    pub fn new(limits: BodyLimits) -> Bodies {
        let memory = Arc::new(Semaphore::new(limits.memory.div_ceil(PIECE)));
        Bodies { limits, memory }
    }

    /// Bytes reserved for bodies now.
    pub(crate) fn held(&self) -> usize {
        let pieces = self.limits.memory.div_ceil(PIECE);
        pieces.saturating_sub(self.memory.available_permits()) * PIECE
    }

    /// Reads a body of at most `most` bytes.
    ///
    /// # Errors
    /// When it is too large, too slow or truncated, or there is no memory for it.
    pub async fn read(&self, headers: &HeaderMap, body: Body, most: usize) -> Result<Received, BodyError> {
        let deadline = Instant::now() + self.limits.whole;
        let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > most as u64) {
            // A client that sends Expect: 100-continue has not sent the body.
            if !headers.contains_key(header::EXPECT) && declared <= Some(DISCARD_LIMIT) {
                self.discard_rest(body, deadline).await;
            }
            return Err(BodyError::TooLarge);
        }
        let mut received = Received { bytes: Vec::new(), memory: None };
        let mut body = body;
        while let Some(piece) = self.next(&mut body, deadline).await? {
            if received.bytes.len() + piece.len() > most {
                drop((received, piece));
                self.discard_rest(body, deadline).await;
                return Err(BodyError::TooLarge);
            }
            self.reserve(&mut received, piece.len())?;
            received.bytes.extend_from_slice(&piece);
        }
        Ok(received)
    }

    /// Reads and discards a body that is not needed, up to a limit.
    pub async fn discard(&self, headers: &HeaderMap, body: Body) {
        if !headers.contains_key(header::EXPECT) {
            self.discard_rest(body, Instant::now() + self.limits.whole).await;
        }
    }

    async fn discard_rest(&self, mut body: Body, deadline: Instant) {
        let mut bytes = 0;
        while let Ok(Some(piece)) = self.next(&mut body, deadline).await {
            bytes += piece.len() as u64;
            if bytes > DISCARD_LIMIT {
                break;
            }
        }
    }

    async fn next(&self, body: &mut Body, deadline: Instant) -> Result<Option<axum::body::Bytes>, BodyError> {
        loop {
            let frame = timeout_at(deadline, timeout(self.limits.pause, body.frame())).await;
            match frame {
                Err(_) | Ok(Err(_)) => return Err(BodyError::Slow),
                Ok(Ok(None)) => return Ok(None),
                Ok(Ok(Some(Err(_)))) => return Err(BodyError::Cut),
                Ok(Ok(Some(Ok(frame)))) => {
                    // Anything else is a trailer.
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// Reserves memory for `more` bytes. It does not wait: a waiting body would hold the memory it has.
    fn reserve(&self, received: &mut Received, more: usize) -> Result<(), BodyError> {
        let reserved = received.memory.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let needed = (received.bytes.len() + more).div_ceil(PIECE).saturating_sub(reserved);
        if needed > 0 {
            let needed = u32::try_from(needed).map_err(|_| BodyError::Busy)?;
            let memory = Arc::clone(&self.memory).try_acquire_many_owned(needed).map_err(|_| BodyError::Busy)?;
            match &mut received.memory {
                Some(reserved) => reserved.merge(memory),
                none => *none = Some(memory),
            }
        }
        Ok(())
    }
}
