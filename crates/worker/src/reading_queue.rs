//! A bounded queue of pictures before reading threads, for callers who wait for the answer. A caller that finds it full is
//! told so at once, and one that goes away leaves it: nothing piles up that nobody waits for.

use std::io;
use std::time::Duration;

use shenfen_core::{ModelInfo, PictureResult, ReaderFault, Refusal, RequestedSide};
use thiserror::Error;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::picture::{PictureReader, ReadFile, read_bytes};
use crate::pool::{PoolFull, PoolLoad, PoolSettings, ReaderPool, Returned};

/// The queue. Dropping it ends its threads, each after the picture that it is reading.
#[derive(Debug)]
pub struct ReadingQueue {
    pool: ReaderPool<Vec<u8>, ReadFile>,
    model: ModelInfo,
    deadline: Duration,
}

/// The limits of a queue.
#[derive(Clone, Copy, Debug)]
pub struct ReadingQueueSettings {
    /// Reading threads, at least one.
    pub threads: usize,
    /// Pictures that may wait while all threads read.
    pub depth: usize,
    /// The longest time from joining the queue to the answer.
    pub deadline: Duration,
}

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotRead {
    /// Every place was taken.
    #[error(transparent)]
    Full(#[from] PoolFull),
    /// The time was over before the picture was read.
    #[error("the picture was not read in time")]
    Late,
    /// The reader failed, which is a fault of the program and not of the picture.
    #[error(transparent)]
    Fault(ReaderFault),
    /// The threads are ending.
    #[error("the reading threads are stopping")]
    Stopped,
}

impl ReadingQueue {
    /// Starts the threads, each with another reader of this kind.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start<R: PictureReader>(reader: &R, settings: ReadingQueueSettings) -> io::Result<ReadingQueue> {
        let pool = PoolSettings { threads: settings.threads, waiting: settings.depth };
        let read = |reader: &mut R, picture: Vec<u8>| read_bytes(reader, &picture, RequestedSide::Auto);
        let pool = ReaderPool::start(reader, pool, read)?;
        Ok(ReadingQueue { pool, model: reader.model().clone(), deadline: settings.deadline })
    }

    /// The result of a picture, once its turn has come. Dropping the future gives the place up; a picture that is being
    /// read by then is read to its end.
    ///
    /// # Errors
    /// When the queue is full or the time is over, or the reader failed.
    pub async fn read(&self, picture: Vec<u8>) -> Result<PictureResult, NotRead> {
        let (answer, answered) = oneshot::channel();
        // Nobody may wait for the answer any more.
        let _place = self.pool.submit(picture, move |returned| drop(answer.send(returned)))?;
        match timeout(self.deadline, answered).await {
            Ok(Ok(Returned::Done(read))) => read.outcome.into_result(&self.model).map_err(NotRead::Fault),
            Ok(Ok(Returned::Panicked(fault))) => Err(NotRead::Fault(fault)),
            Ok(Ok(Returned::NotBegun) | Err(_)) => Err(NotRead::Stopped),
            Err(_) => Err(NotRead::Late),
        }
    }

    /// The result of a picture that never got here, for this reason.
    pub fn refuse(&self, reason: Refusal) -> PictureResult {
        reason.into_result(self.model.clone())
    }

    /// Pictures that wait, and pictures that are being read.
    pub fn load(&self) -> (usize, usize) {
        let PoolLoad { waiting, reading } = self.pool.load();
        (waiting, reading)
    }
}

#[cfg(test)]
mod tests;
