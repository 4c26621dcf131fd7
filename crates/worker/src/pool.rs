//! The reading threads. Reading is pure computation and takes whole cores, so it stays away from the threads that serve the
//! network and the database. One design for every command: a bounded queue of work before threads that each own a reader.
//!
//! The memory that large pictures take at once is bounded as well (`room`): one that does not fit beside those being read is put off, and its thread
//! goes on with the next piece of work.

mod room;

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use shenfen_core::ReaderFault;
use thiserror::Error;

use crate::panics;
use crate::picture::PictureReader;
use room::Rooms;

pub use room::{NoRoom, OWN, Room};

/// The size of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    /// Reading threads, at least one.
    pub threads: usize,
    /// Pieces of work that may wait while all threads read.
    pub waiting: usize,
    /// Bytes of memory for large pictures that are read at once ([`Room`]). One that takes more is read alone.
    pub memory: u64,
}

/// What became of a piece of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Returned<E> {
    /// It was done, with this outcome.
    Done(E),
    /// It panicked. The thread goes on with another reader.
    Panicked(ReaderFault),
    /// The pool was drained or closed before it was begun.
    NotBegun,
}

/// Every place is taken: all threads read and the queue before them is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the queue of pictures is full")]
pub struct PoolFull;

/// How busy a pool is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolLoad {
    /// Pieces of work that wait.
    pub waiting: usize,
    /// Pieces of work that threads are doing.
    pub reading: usize,
}

/// Reading threads that turn work `W` into outcomes `E`. Dropping the pool closes it: what waits is returned as not begun,
/// and each thread ends after the picture that it is reading.
pub struct ReaderPool<W, E> {
    shared: Arc<Shared<W, E>>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared<W, E> {
    queue: Mutex<Queue<W, E>>,
    /// Work has come, or the pool has closed.
    changed: Condvar,
    /// The most pieces of work waiting or being done.
    places: usize,
}

struct Queue<W, E> {
    waiting: VecDeque<Waiting<W, E>>,
    /// What large pictures take, and those that there was no room for.
    rooms: Rooms<Waiting<W, E>>,
    reading: usize,
    tickets: u64,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Takes no more work; the threads stay.
    Drained,
    Closed,
}

struct Waiting<W, E> {
    ticket: u64,
    work: W,
    reply: Reply<E>,
}

type Reply<E> = Box<dyn FnOnce(Returned<E>) + Send>;

impl<W: Send + 'static, E: 'static> ReaderPool<W, E> {
    /// Starts the threads, each with another reader of this kind, with which it does `read` for each piece of work. Work whose `read` finds
    /// no room is read again, from its beginning, when there is room.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start<R: PictureReader>(
        reader: &R,
        settings: PoolSettings,
        read: impl Fn(&mut R, &W, &Room) -> Result<E, NoRoom> + Clone + Send + 'static,
    ) -> io::Result<ReaderPool<W, E>> {
        let threads = settings.threads.max(1);
        let rooms = Rooms::new(settings.memory);
        let queue = Queue { waiting: VecDeque::new(), rooms, reading: 0, tickets: 0, phase: Phase::Open };
        let places = threads.saturating_add(settings.waiting);
        let shared = Arc::new(Shared { queue: Mutex::new(queue), changed: Condvar::new(), places });
        // Made first, so that its drop ends the threads that did start if one does not.
        let mut pool = ReaderPool { shared, threads: Vec::with_capacity(threads) };
        for number in 0..threads {
            let (shared, reader, read) = (Arc::clone(&pool.shared), reader.another(), read.clone());
            let thread = thread::Builder::new().name(format!("reader-{number}"));
            pool.threads.push(thread.spawn(move || shared.work(reader, read))?);
        }
        Ok(pool)
    }

    /// Puts work into the queue. `reply` gets what became of it, on the thread that did it; it must not block. Once the pool
    /// is drained it gets [`Returned::NotBegun`] at once.
    ///
    /// Dropping the returned place takes work that still waits out of the queue, without a reply.
    ///
    /// # Errors
    /// When every place is taken; `reply` is dropped then.
    pub fn submit(&self, work: W, reply: impl FnOnce(Returned<E>) + Send + 'static) -> Result<Place<W, E>, PoolFull> {
        let mut queue = self.shared.queue();
        if queue.phase != Phase::Open {
            drop(queue);
            reply(Returned::NotBegun);
            return Ok(Place { held: None });
        }
        if queue.all_waiting() + queue.reading >= self.shared.places {
            return Err(PoolFull);
        }
        queue.tickets += 1;
        let ticket = queue.tickets;
        queue.waiting.push_back(Waiting { ticket, work, reply: Box::new(reply) });
        drop(queue);
        self.shared.changed.notify_one();
        Ok(Place { held: Some((Arc::clone(&self.shared), ticket)) })
    }

    /// Takes no more work, and returns what waits as not begun. What is being read is read to its end.
    pub fn drain(&self) {
        self.shared.end(Phase::Drained);
    }

    /// How busy it is.
    pub fn load(&self) -> PoolLoad {
        let queue = self.shared.queue();
        PoolLoad { waiting: queue.all_waiting(), reading: queue.reading }
    }

    /// Closes the pool and waits until its threads have ended, each after the picture that it is reading.
    pub fn join(mut self) {
        self.shared.end(Phase::Closed);
        for thread in std::mem::take(&mut self.threads) {
            if thread.join().is_err() {
                tracing::error!("a reading thread ended by a panic");
            }
        }
    }

    /// As [`ReaderPool::join`], without blocking the runtime's thread.
    pub async fn stop(self) {
        let joined = tokio::task::spawn_blocking(move || self.join()).await;
        if joined.is_err() {
            tracing::error!("the reading threads could not be awaited");
        }
    }
}

impl<W, E> Drop for ReaderPool<W, E> {
    fn drop(&mut self) {
        self.shared.end(Phase::Closed);
    }
}

impl<W, E> fmt::Debug for ReaderPool<W, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = self.shared.queue();
        write!(f, "ReaderPool({} waiting, {} being read)", queue.all_waiting(), queue.reading)
    }
}

impl<W, E> Shared<W, E> {
    fn queue(&self) -> MutexGuard<'_, Queue<W, E>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A thread: reads until the pool is closed.
    fn work<R: PictureReader>(&self, mut reader: R, read: impl Fn(&mut R, &W, &Room) -> Result<E, NoRoom>) {
        while let Some((waiting, held)) = self.next() {
            let held = Cell::new(held);
            let take = |bytes| self.take_room(bytes, &held);
            let read = panics::catch(|| read(&mut reader, &waiting.work, &Room::new(&take)));
            let returned = match read {
                Ok(Ok(outcome)) => Returned::Done(outcome),
                Ok(Err(NoRoom { bytes })) => {
                    self.postpone(waiting, bytes, held.get());
                    continue;
                }
                Err(place) => {
                    reader = reader.another();
                    Returned::Panicked(ReaderFault::Panicked(place))
                }
            };
            // Before the reply, so that whoever has it finds the place free.
            self.leave(&mut self.queue(), held.get());
            (waiting.reply)(returned);
        }
    }

    /// The next piece of work, once there is one, and the bytes that it holds; `None` when the pool is closed. Large pictures that there is
    /// room for now come first, since they have waited longest.
    fn next(&self) -> Option<(Waiting<W, E>, u64)> {
        let is_idle = |queue: &mut Queue<W, E>| {
            queue.waiting.is_empty() && !queue.rooms.has_next() && queue.phase != Phase::Closed
        };
        let mut queue = self.changed.wait_while(self.queue(), is_idle).unwrap_or_else(PoisonError::into_inner);
        let next = queue.rooms.next().or_else(|| Some((queue.waiting.pop_front()?, 0)))?;
        queue.reading += 1;
        Some(next)
    }

    /// Takes room for a piece of work that holds `held` bytes.
    fn take_room(&self, bytes: u64, held: &Cell<u64>) -> Result<(), NoRoom> {
        if bytes <= held.get() {
            return Ok(());
        }
        // Work that holds some and wants more begins again: waiting with what it holds, it might wait for another that does the same.
        if held.get() > 0 || !self.queue().rooms.take(bytes) {
            return Err(NoRoom { bytes });
        }
        held.set(bytes);
        Ok(())
    }

    /// Puts off work that there is no room for.
    fn postpone(&self, waiting: Waiting<W, E>, bytes: u64, held: u64) {
        let mut queue = self.queue();
        self.leave(&mut queue, held);
        if queue.phase == Phase::Open {
            return queue.rooms.postpone(waiting, bytes);
        }
        drop(queue);
        (waiting.reply)(Returned::NotBegun);
    }

    /// A thread has ended a piece of work, and with it the memory that this held is free.
    fn leave(&self, queue: &mut Queue<W, E>, held: u64) {
        queue.reading -= 1;
        if held > 0 {
            queue.rooms.give_back(held);
            self.changed.notify_all();
        }
    }

    fn end(&self, phase: Phase) {
        let mut queue = self.queue();
        if queue.phase != Phase::Closed {
            queue.phase = phase;
        }
        let (waiting, postponed) = (std::mem::take(&mut queue.waiting), queue.rooms.take_waiting());
        drop(queue);
        self.changed.notify_all();
        waiting.into_iter().chain(postponed).for_each(|waiting| (waiting.reply)(Returned::NotBegun));
    }
}

impl<W, E> Queue<W, E> {
    fn all_waiting(&self) -> usize {
        self.waiting.len() + self.rooms.waiting()
    }
}

/// A place in the queue, given up when dropped.
#[must_use = "dropping it cancels the work"]
pub struct Place<W, E> {
    held: Option<(Arc<Shared<W, E>>, u64)>,
}

impl<W, E> Place<W, E> {
    /// Keeps the place until the work is done.
    pub fn keep(mut self) {
        self.held = None;
    }
}

impl<W, E> Drop for Place<W, E> {
    fn drop(&mut self) {
        let Some((shared, ticket)) = self.held.take() else { return };
        let mut queue = shared.queue();
        // Tickets rise along the queue.
        let waiting = match queue.waiting.binary_search_by_key(&ticket, |waiting| waiting.ticket) {
            Ok(place) => queue.waiting.remove(place),
            Err(_) => queue.rooms.remove(|waiting| waiting.ticket == ticket),
        };
        drop(queue);
        // What waited for room behind it may have room now.
        shared.changed.notify_one();
        drop(waiting);
    }
}

impl<W, E> fmt::Debug for Place<W, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({:?})", self.held.as_ref().map(|&(_, ticket)| ticket))
    }
}

#[cfg(test)]
mod tests;
