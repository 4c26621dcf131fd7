//! A bounded line of pictures before reading threads of their own, for callers who wait for the answer. Who finds it full
//! is told so at once, and who goes away leaves it: nothing piles up that nobody waits for.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use std::{fmt, io};

use shenfen_core::{ModelInfo, PictureResult, ReaderFault, Refusal, RequestedSide};
use thiserror::Error;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::picture::{PictureReader, ReadFile, read_bytes};

/// The line. Dropping it ends its threads, each after the picture it is reading.
pub struct ReadingQueue {
    shared: Arc<Shared>,
    model: ModelInfo,
    deadline: Duration,
}

/// How long a line is, and how long anybody stands in it.
#[derive(Clone, Copy, Debug)]
pub struct ReadingQueueSettings {
    /// Reading threads, at least one.
    pub threads: usize,
    /// Pictures that may wait while all threads read.
    pub depth: usize,
    /// The longest time from joining the line to the answer.
    pub deadline: Duration,
}

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotRead {
    /// Every place was taken.
    #[error("the line of waiting pictures is full")]
    Full,
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

struct Shared {
    state: Mutex<State>,
    /// Somebody joined, or the line closed.
    news: Condvar,
    /// The most pictures waiting or being read.
    most: usize,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    reading: usize,
    tickets: u64,
    closed: bool,
}

struct Waiting {
    ticket: u64,
    picture: Vec<u8>,
    answer: oneshot::Sender<ReadFile>,
}

impl ReadingQueue {
    /// Starts the threads, each with another reader of this kind.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start<R: PictureReader>(reader: &R, settings: ReadingQueueSettings) -> io::Result<ReadingQueue> {
        let threads = settings.threads.max(1);
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            news: Condvar::new(),
            most: threads.saturating_add(settings.depth),
        });
        // Made first, so that its drop ends the threads that did start if one does not.
        let line =
            ReadingQueue { shared: Arc::clone(&shared), model: reader.model().clone(), deadline: settings.deadline };
        for number in 0..threads {
            let (shared, reader) = (Arc::clone(&shared), reader.another());
            thread::Builder::new().name(format!("reader-{number}")).spawn(move || shared.work(reader))?;
        }
        Ok(line)
    }

    /// The result of a picture, once its turn has come. Dropping the future gives the place up; a picture that is being
    /// read by then is read to its end.
    ///
    /// # Errors
    /// When the line is full or the time is over, or the reader failed.
    pub async fn read(&self, picture: Vec<u8>) -> Result<PictureResult, NotRead> {
        let (answer, answered) = oneshot::channel();
        let _place = self.shared.join(picture, answer)?;
        match timeout(self.deadline, answered).await {
            Ok(Ok(read)) => read.outcome.into_result(&self.model).map_err(NotRead::Fault),
            Ok(Err(_)) => Err(NotRead::Stopped),
            Err(_) => Err(NotRead::Late),
        }
    }

    /// The result of a picture that never got here, for this reason.
    pub fn refuse(&self, reason: Refusal) -> PictureResult {
        reason.into_result(self.model.clone())
    }

    /// Pictures that wait, and pictures that are being read.
    pub fn load(&self) -> (usize, usize) {
        let state = self.shared.state();
        (state.waiting.len(), state.reading)
    }
}

impl Drop for ReadingQueue {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.closed = true;
        state.waiting.clear();
        drop(state);
        self.shared.news.notify_all();
    }
}

impl fmt::Debug for ReadingQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (waiting, reading) = self.load();
        write!(f, "ReadingQueue({waiting} waiting, {reading} being read)")
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(&self, picture: Vec<u8>, answer: oneshot::Sender<ReadFile>) -> Result<Place<'_>, NotRead> {
        let mut state = self.state();
        if state.waiting.len() + state.reading >= self.most {
            return Err(NotRead::Full);
        }
        state.tickets += 1;
        let ticket = state.tickets;
        state.waiting.push_back(Waiting { ticket, picture, answer });
        drop(state);
        self.news.notify_one();
        Ok(Place { shared: self, ticket })
    }

    /// A thread: reads until the line is closed.
    fn work<R: PictureReader>(&self, mut reader: R) {
        let mut state = self.state();
        while !state.closed {
            let Some(Waiting { picture, answer, .. }) = state.waiting.pop_front() else {
                state = self.news.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            state.reading += 1;
            drop(state);
            let read = read_bytes(&mut reader, &picture, RequestedSide::Auto);
            drop(picture);
            state = self.state();
            state.reading -= 1;
            // Only now, so that whoever has an answer finds the place free. Nobody may wait for it any more.
            let _ = answer.send(read);
        }
    }
}

/// A place in the line, given up when dropped.
struct Place<'a> {
    shared: &'a Shared,
    ticket: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        // Tickets rise along the line.
        if let Ok(place) = state.waiting.binary_search_by_key(&self.ticket, |waiting| waiting.ticket) {
            state.waiting.remove(place);
        }
    }
}

#[cfg(test)]
mod tests;
