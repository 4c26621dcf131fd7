//! The threads that read: work in, what came of it out. Reading is pure computation and takes whole cores, so it stays
//! away from the threads that serve the queue and the store.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::picture::PictureReader;

/// What became of a piece of work.
pub(crate) enum Returned<W, E> {
    /// It was done, and this came of it.
    Done(E),
    /// The threads were told to stop before it was begun.
    NotBegun(W),
}

/// The reading threads. Dropping `work` ends them once it is empty.
pub(crate) struct Readers<W, E> {
    pub(crate) work: Sender<W>,
    pub(crate) returned: Receiver<Returned<W, E>>,
    draining: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl<W: Send + 'static, E: Send + 'static> Readers<W, E> {
    /// Starts `threads` threads that `read`, with room for `window` pieces of work between here and there, in each
    /// direction.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start<R: PictureReader>(
        reader: &R,
        threads: usize,
        window: usize,
        read: impl Fn(&mut R, W) -> E + Clone + Send + 'static,
    ) -> io::Result<Readers<W, E>> {
        let (work, queue) = channel::<W>(window);
        let (ends, returned) = channel(window);
        let queue = Arc::new(Mutex::new(queue));
        let draining = Arc::new(AtomicBool::new(false));
        let start = |number: usize| {
            let (mut reader, read) = (reader.another(), read.clone());
            let (queue, ends, draining) = (Arc::clone(&queue), ends.clone(), Arc::clone(&draining));
            thread::Builder::new().name(format!("reader-{number}")).spawn(move || {
                while let Some(work) = next(&queue) {
                    let end = if draining.load(Ordering::Relaxed) {
                        Returned::NotBegun(work)
                    } else {
                        Returned::Done(read(&mut reader, work))
                    };
                    if ends.blocking_send(end).is_err() {
                        break;
                    }
                }
            })
        };
        let threads = (0..threads).map(start).collect::<io::Result<Vec<_>>>()?;
        Ok(Readers { work, returned, draining, threads })
    }

    /// From now on work comes back undone.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Ends the threads, each after the picture it is reading.
    pub(crate) async fn stop(self) {
        let Readers { work, returned, draining, threads } = self;
        draining.store(true, Ordering::Relaxed);
        drop((work, returned));
        let joined =
            tokio::task::spawn_blocking(move || threads.into_iter().map(JoinHandle::join).all(|end| end.is_ok()));
        if !joined.await.unwrap_or(false) {
            tracing::error!("a reading thread ended by a panic");
        }
    }
}

/// The next piece of work. One thread waits for it, the others wait for that one: a piece wakes a single thread.
fn next<W>(queue: &Mutex<Receiver<W>>) -> Option<W> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
}
