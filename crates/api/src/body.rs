//! Request bodies, read within bounds: of bytes, of time, and of the memory that all of them take together.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

/// Memory for bodies is handed out in pieces of this size.
const PIECE: usize = 64 << 10;
/// A body too large is read on and thrown away up to here, so that a client that answers only to the end of its sending
/// gets to know why it was refused.
const READ_AWAY: u64 = 256 << 20;

/// What bodies may cost.
#[derive(Clone, Debug)]
pub struct BodyLimits {
    /// From the end of the headers to the end of the body.
    pub whole: Duration,
    /// Between two pieces of it.
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

/// Why there is no body. Never what was in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BodyError {
    /// More bytes than this request may have.
    #[error("the body is too large")]
    TooLarge,
    /// It did not come in time.
    #[error("the body did not come in time")]
    Slow,
    /// The connection ended in the middle of it, or it is not framed as HTTP says.
    #[error("the body is cut off")]
    Cut,
    /// Other bodies take all the memory that there is for them.
    #[error("too many bodies at the same time")]
    Busy,
}

/// Reads bodies. Cloning shares the memory.
#[derive(Clone, Debug)]
pub struct Bodies {
    limits: BodyLimits,
    memory: Arc<Semaphore>,
}

/// A body with the memory that it was given. Dropping it gives the memory back.
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

    /// Bytes that bodies take now, in whole pieces.
    pub(crate) fn held(&self) -> usize {
        let pieces = self.limits.memory.div_ceil(PIECE);
        pieces.saturating_sub(self.memory.available_permits()) * PIECE
    }

    /// Reads a body of at most `most` bytes.
    ///
    /// # Errors
    /// When it is too large, too slow or cut off, or there is no memory for it.
    pub async fn read(&self, headers: &HeaderMap, body: Body, most: usize) -> Result<Received, BodyError> {
        let deadline = Instant::now() + self.limits.whole;
        let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > most as u64) {
            // A client that asks before it sends is told before it sends.
            if !headers.contains_key(header::EXPECT) && declared <= Some(READ_AWAY) {
                self.read_away(body, deadline).await;
            }
            return Err(BodyError::TooLarge);
        }
        let mut received = Received { bytes: Vec::new(), memory: None };
        let mut body = body;
        while let Some(piece) = self.next(&mut body, deadline).await? {
            if received.bytes.len() + piece.len() > most {
                drop((received, piece));
                self.read_away(body, deadline).await;
                return Err(BodyError::TooLarge);
            }
            self.pay(&mut received, piece.len())?;
            received.bytes.extend_from_slice(&piece);
        }
        Ok(received)
    }

    /// Throws a body away that nobody will read, as far as it is worth it.
    pub async fn discard(&self, headers: &HeaderMap, body: Body) {
        if !headers.contains_key(header::EXPECT) {
            self.read_away(body, Instant::now() + self.limits.whole).await;
        }
    }

    async fn read_away(&self, mut body: Body, deadline: Instant) {
        let mut bytes = 0;
        while let Ok(Some(piece)) = self.next(&mut body, deadline).await {
            bytes += piece.len() as u64;
            if bytes > READ_AWAY {
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
                    // What is no data is a trailer.
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// Takes memory for so many more bytes. Waiting for it would keep others waiting for what is already here.
    fn pay(&self, received: &mut Received, more: usize) -> Result<(), BodyError> {
        let paid = received.memory.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let needed = (received.bytes.len() + more).div_ceil(PIECE).saturating_sub(paid);
        if needed > 0 {
            let needed = u32::try_from(needed).map_err(|_| BodyError::Busy)?;
            let memory = Arc::clone(&self.memory).try_acquire_many_owned(needed).map_err(|_| BodyError::Busy)?;
            match &mut received.memory {
                Some(paid) => paid.merge(memory),
                none => *none = Some(memory),
            }
        }
        Ok(())
    }
}
