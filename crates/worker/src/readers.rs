//! The threads that read: claimed jobs in, ended jobs out. Reading is pure computation and takes whole cores, so it stays
//! away from the threads that serve the queue and the store.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use shenfen_store::{ClaimedJob, Finished, Outcome};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::picture::{PictureReader, read_file};

/// What became of a claimed job.
pub(crate) enum Returned {
    /// It was read, or found to be unreadable.
    Finished(Finished),
    /// The threads were told to stop before it was begun.
    NotBegun(ClaimedJob),
}

/// The reading threads. Dropping `jobs` ends them once it is empty.
pub(crate) struct Readers {
    pub(crate) jobs: Sender<ClaimedJob>,
    pub(crate) returned: Receiver<Returned>,
    draining: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    /// Starts `threads` threads with room for `window` jobs between here and there, in each direction.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start<R: PictureReader>(reader: &R, threads: usize, window: usize) -> io::Result<Readers> {
        let (jobs, queue) = channel::<ClaimedJob>(window);
        let (ends, returned) = channel(window);
        let queue = Arc::new(Mutex::new(queue));
        let draining = Arc::new(AtomicBool::new(false));
        let start = |number: usize| {
            let (mut reader, queue, ends, draining) =
                (reader.another(), Arc::clone(&queue), ends.clone(), Arc::clone(&draining));
            thread::Builder::new().name(format!("reader-{number}")).spawn(move || {
                while let Some(claimed) = next(&queue) {
                    let end = if draining.load(Ordering::Relaxed) {
                        Returned::NotBegun(claimed)
                    } else {
                        Returned::Finished(read(&mut reader, claimed))
                    };
                    if ends.blocking_send(end).is_err() {
                        break;
                    }
                }
            })
        };
        let threads = (0..threads).map(start).collect::<io::Result<Vec<_>>>()?;
        Ok(Readers { jobs, returned, draining, threads })
    }

    /// From now on jobs come back unread.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Ends the threads, each after the picture it is reading.
    pub(crate) async fn stop(self) {
        let Readers { jobs, returned, draining, threads } = self;
        draining.store(true, Ordering::Relaxed);
        drop((jobs, returned));
        let joined =
            tokio::task::spawn_blocking(move || threads.into_iter().map(JoinHandle::join).all(|end| end.is_ok()));
        if !joined.await.unwrap_or(false) {
            tracing::error!("a reading thread ended by a panic");
        }
    }
}

/// The next job. One thread waits for it, the others wait for that one: a job wakes a single thread.
fn next(queue: &Mutex<Receiver<ClaimedJob>>) -> Option<ClaimedJob> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
}

fn read<R: PictureReader>(reader: &mut R, claimed: ClaimedJob) -> Finished {
    let _span = tracing::debug_span!("read", job.id = %claimed.job.id, job.attempt = claimed.attempt).entered();
    let read = read_file(reader, &claimed.path, claimed.job.side);
    let outcome = match read.result {
        Ok(result) => Outcome::Read { result: Box::new(result), image_sha256: read.image_sha256 },
        Err(reason) => Outcome::Dead { reason },
    };
    Finished { job: claimed.job, attempt: claimed.attempt, outcome }
}
