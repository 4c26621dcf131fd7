//! A bounded queue of pictures before reading threads, for callers who wait for the answer. A caller that finds it full is
//! told so at once, and one that goes away leaves it: nothing piles up that nobody waits for.

use std::io;
use std::time::Duration;

use shenfen_core::{ModelInfo, PictureResult, ReadOutcome, ReaderFault, Refusal, RequestedSide};
use shenfen_ocr::Limits;
use thiserror::Error;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::crops::{CardCrops, crops};
use crate::picture::{PictureReader, read_bytes};
use crate::pool::{NoRoom, PoolFull, PoolLoad, PoolSettings, ReaderPool, Returned, Room};

/// The queue. Dropping it ends its threads, each after the picture that it is reading.
#[derive(Debug)]
pub struct ReadingQueue {
    pool: ReaderPool<ToRead, Answer>,
    model: ModelInfo,
    deadline: Duration,
}

/// The limits of a queue.
#[derive(Clone, Copy, Debug)]
pub struct ReadingQueueSettings {
    /// Reading threads, at least one.
    pub threads: usize,
    /// Bytes of memory for large pictures that are read at once ([`Room`]).
    pub memory: u64,
    /// Pictures that may wait while all threads read.
    pub depth: usize,
    /// The longest time from joining the queue to the answer.
    pub deadline: Duration,
}

/// A picture in the queue.
struct ToRead {
    picture: Vec<u8>,
    /// Whether its cards are cut out as well, within these limits of the picture.
    crops: Option<Limits>,
}

/// What came of a picture.
struct Answer {
    outcome: ReadOutcome,
    crops: Option<Vec<Option<CardCrops>>>,
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
        let ReadingQueueSettings { threads, memory, depth, .. } = settings;
        let pool = ReaderPool::start(reader, PoolSettings { threads, waiting: depth, memory }, read::<R>)?;
        Ok(ReadingQueue { pool, model: reader.model().clone(), deadline: settings.deadline })
    }

    /// The result of a picture, once its turn has come. Dropping the future gives the place up; a picture that is being
    /// read by then is read to its end.
    ///
    /// # Errors
    /// When the queue is full or the time is over, or the reader failed.
    pub async fn read(&self, picture: Vec<u8>) -> Result<PictureResult, NotRead> {
        self.answer(ToRead { picture, crops: None }).await.map(|(result, _)| result)
    }

    /// The same, and the crops of its cards, in their order, where the picture is within `limits`. `None` for a card whose corners enclose
    /// no area.
    ///
    /// # Errors
    /// As [`ReadingQueue::read`].
    pub async fn read_with_crops(
        &self,
        picture: Vec<u8>,
        limits: Limits,
    ) -> Result<(PictureResult, Vec<Option<CardCrops>>), NotRead> {
        let (result, crops) = self.answer(ToRead { picture, crops: Some(limits) }).await?;
        Ok((result, crops.unwrap_or_default()))
    }

    async fn answer(&self, work: ToRead) -> Result<(PictureResult, Option<Vec<Option<CardCrops>>>), NotRead> {
        let (answer, answered) = oneshot::channel();
        // Nobody may wait for the answer any more.
        let _place = self.pool.submit(work, move |returned| drop(answer.send(returned)))?;
        match timeout(self.deadline, answered).await {
            Ok(Ok(Returned::Done(Answer { outcome, crops }))) => {
                outcome.into_result(&self.model).map(|result| (result, crops)).map_err(NotRead::Fault)
            }
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

/// Reads a picture. Its cards are cut out on the same thread, in the memory that it may take.
fn read<R: PictureReader>(reader: &mut R, work: &ToRead, room: &Room) -> Result<Answer, NoRoom> {
    let outcome = read_bytes(reader, &work.picture, RequestedSide::Auto, room)?.outcome;
    let crops = match (&work.crops, &outcome) {
        // It has been read a moment ago, so what fails now is no picture's fault. The result is worth more than its crops.
        (Some(limits), ReadOutcome::Read(result)) => crops(&work.picture, limits, result)
            .inspect_err(|error| tracing::error!(%error, "cannot cut the cards out of a picture"))
            .ok(),
        _ => None,
    };
    Ok(Answer { outcome, crops })
}

#[cfg(test)]
mod tests;
