//! A backfill: every picture of a listing read once and its result stored once, through any number of interruptions.
//!
//! One task lists, enqueues, claims and stores, since a store has one writer anyway; the reading is done by threads of its
//! own. What is in memory is bounded by the window of claimed jobs and one piece of the listing, whatever there is to do.

use std::io;
use std::time::Duration;

use shenfen_core::JobId;
use shenfen_store::port::Recovered;
use shenfen_store::{ClaimedJob, Finished, JobQueue, NewJob, Outcome, StoreError};
use thiserror::Error;
use tokio::sync::mpsc::{self, Receiver};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::picture::{PictureReader, read_file};
use crate::readers::{Readers, Returned};
use crate::source::{Found, SourceError};

/// Pictures enqueued in one transaction.
const PIECE: usize = 512;

/// Claimed jobs for each reading thread. Enough that the threads do not wait while results are being stored.
const WINDOW_PER_THREAD: usize = 8;

/// How a backfill runs.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Reading threads, at least one.
    pub threads: usize,
    /// So many results are stored in one transaction.
    pub commit_rows: usize,
    /// No result waits longer than this to be stored.
    pub commit_after: Duration,
}

impl Settings {
    /// `threads` reading threads; 64 results or half a second a transaction.
    pub fn with_threads(threads: usize) -> Settings {
        Settings { threads: threads.max(1), commit_rows: 64, commit_after: Duration::from_millis(500) }
    }
}

/// What happens while a backfill runs.
pub enum Event<'a> {
    /// What earlier runs had left.
    Recovered(Recovered),
    /// Pictures were listed; `new` of them had not been known.
    Listed {
        /// Pictures of this piece.
        pictures: u64,
        /// Those among them that are new.
        new: u64,
    },
    /// Something in the listing could not be looked into.
    Unreadable(&'a SourceError),
    /// The listing is complete.
    ListingEnded,
    /// A job's end was stored.
    Stored(&'a Finished),
    /// It was told to stop and finishes what was begun.
    Stopping,
}

/// How a backfill ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything listed is done.
    Complete,
    /// It was told to stop; the rest waits in the store.
    Stopped,
}

/// What a backfill did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// How it ended.
    pub ended: Ended,
    /// Pictures listed.
    pub listed: u64,
    /// Files left out because they are no pictures by their names, links or hidden.
    pub left_out: u64,
    /// Places in the listing that could not be looked into.
    pub unreadable: u64,
    /// Pictures that were new to the store.
    pub new: u64,
    /// Jobs ended by this run.
    pub stored: u64,
}

/// A backfill cannot go on. What was stored stays stored.
#[derive(Debug, Error)]
pub enum BackfillError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The reading threads cannot be started, or all of them have ended.
    #[error("the reading threads failed")]
    Threads(#[source] io::Error),
}

/// A queue to work through, and a reader to do it with.
pub struct Backfill<Q, R> {
    queue: Q,
    reader: R,
    batch: String,
    settings: Settings,
}

impl<Q: JobQueue, R: PictureReader> Backfill<Q, R> {
    /// A backfill of `batch`, whose queue this is.
    pub fn new(queue: Q, reader: R, batch: impl Into<String>, settings: Settings) -> Backfill<Q, R> {
        Backfill { queue, reader, batch: batch.into(), settings }
    }

    /// Enqueues what `listing` shows and reads everything that is open in the batch. Once `stop` turns true it finishes
    /// what was begun, stores it and returns; it may also be dropped, or the process killed, at any moment.
    ///
    /// # Errors
    /// When the store fails or no reading thread can be had.
    pub async fn run(
        self,
        listing: impl Iterator<Item = Found> + Send + 'static,
        stop: watch::Receiver<bool>,
        observe: impl FnMut(Event<'_>),
    ) -> Result<Report, BackfillError> {
        let Backfill { queue, reader, batch, settings } = self;
        let window = settings.threads * WINDOW_PER_THREAD;
        let readers = Readers::start(&reader, settings.threads, window, read).map_err(BackfillError::Threads)?;
        let listing = Some(list(listing, batch));
        let report = Report { ended: Ended::Complete, listed: 0, left_out: 0, unreadable: 0, new: 0, stored: 0 };
        let may_claim = true;
        let unstored = Unstored { ends: Vec::new(), since: Instant::now() };
        let mut run =
            Run { queue, readers, listing, settings, window, observe, in_hand: 0, may_claim, unstored, report };
        let outcome = run.work_through(stop).await;
        run.readers.stop().await;
        outcome.map(|()| run.report)
    }
}

fn read<R: PictureReader>(reader: &mut R, claimed: ClaimedJob) -> Finished {
    let _span = tracing::debug_span!("read", job.id = %claimed.job.id, job.attempt = claimed.attempt).entered();
    let read = read_file(reader, &claimed.path, claimed.job.side);
    let outcome = match read.outcome.into_result(reader.model()) {
        Ok(result) => Outcome::Read { result: Box::new(result), image_sha256: read.image_sha256 },
        Err(fault) => Outcome::Dead { reason: fault.to_string() },
    };
    Finished { job: claimed.job, attempt: claimed.attempt, outcome }
}

/// A piece of the listing.
#[derive(Default)]
struct Piece {
    jobs: Vec<NewJob>,
    left_out: u64,
    unreadable: Vec<SourceError>,
}

/// Lists on a thread that may wait for disks, a few pieces ahead of the store.
fn list(listing: impl Iterator<Item = Found> + Send + 'static, batch: String) -> Receiver<Piece> {
    let (pieces, receiver) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        let mut piece = Piece::default();
        for found in listing {
            match found {
                Found::Picture(picture) => piece.jobs.push(picture.into_job(&batch)),
                Found::Other => piece.left_out += 1,
                Found::Unreadable(error) => piece.unreadable.push(error),
            }
            if piece.jobs.len() >= PIECE && pieces.blocking_send(std::mem::take(&mut piece)).is_err() {
                return;
            }
        }
        // A receiver that is gone wants no more.
        let _ = pieces.blocking_send(piece);
    });
    receiver
}

/// Ends that wait to be stored together.
struct Unstored {
    ends: Vec<Finished>,
    since: Instant,
}

/// A backfill under way.
struct Run<Q, O> {
    queue: Q,
    readers: Readers<ClaimedJob, Finished>,
    /// `None` when it has ended or is not wanted any more.
    listing: Option<Receiver<Piece>>,
    settings: Settings,
    window: usize,
    observe: O,
    /// Jobs with the reading threads.
    in_hand: usize,
    /// Whether the queue may have something to claim.
    may_claim: bool,
    unstored: Unstored,
    report: Report,
}

impl<Q: JobQueue, O: FnMut(Event<'_>)> Run<Q, O> {
    async fn work_through(&mut self, mut stop: watch::Receiver<bool>) -> Result<(), BackfillError> {
        let recovered = self.queue.recover().await?;
        (self.observe)(Event::Recovered(recovered));
        let mut not_begun = Vec::new();
        loop {
            let stopping = self.report.ended == Ended::Stopped;
            if !stopping {
                self.claim().await?;
            }
            if self.in_hand == 0 {
                let stored = self.store().await?;
                let all_listed = self.listing.is_none();
                if stopping || (all_listed && !self.may_claim) {
                    break;
                }
                if stored {
                    continue;
                }
            }
            let store_at = self.unstored.since + self.settings.commit_after;
            tokio::select! {
                piece = next(&mut self.listing) => self.enqueue(piece).await?,
                returned = self.readers.returned.recv() => {
                    self.in_hand -= 1;
                    match returned.ok_or_else(all_ended)? {
                        Returned::Done(finished) => self.keep(finished).await?,
                        Returned::NotBegun(claimed) => not_begun.push(claimed.job.id),
                    }
                }
                () = tokio::time::sleep_until(store_at), if !self.unstored.ends.is_empty() => {
                    self.store().await?;
                }
                true = stop_requested(&mut stop), if !stopping => self.begin_to_stop(),
            }
        }
        self.give_back(&not_begun).await
    }

    /// Keeps the threads supplied. Claims many jobs at a time, since every claim is a transaction.
    async fn claim(&mut self) -> Result<(), BackfillError> {
        if !self.may_claim || self.in_hand > self.window / 2 {
            return Ok(());
        }
        let claimed: Vec<ClaimedJob> = self.queue.claim(self.window - self.in_hand).await?;
        self.may_claim = !claimed.is_empty();
        for job in claimed {
            // The window bounds what is in hand, so there is always room; the threads end only after this sender.
            if self.readers.work.send(job).await.is_ok() {
                self.in_hand += 1;
            }
        }
        Ok(())
    }

    async fn enqueue(&mut self, piece: Option<Piece>) -> Result<(), BackfillError> {
        let Some(piece) = piece else {
            self.listing = None;
            (self.observe)(Event::ListingEnded);
            return Ok(());
        };
        let new = self.queue.enqueue(&piece.jobs).await?;
        let pictures = piece.jobs.len() as u64;
        self.report.listed += pictures;
        self.report.new += new;
        self.report.left_out += piece.left_out;
        self.report.unreadable += piece.unreadable.len() as u64;
        self.may_claim |= new > 0;
        piece.unreadable.iter().for_each(|error| (self.observe)(Event::Unreadable(error)));
        (self.observe)(Event::Listed { pictures, new });
        Ok(())
    }

    async fn keep(&mut self, finished: Finished) -> Result<(), BackfillError> {
        if self.unstored.ends.is_empty() {
            self.unstored.since = Instant::now();
        }
        self.unstored.ends.push(finished);
        if self.unstored.ends.len() >= self.settings.commit_rows {
            self.store().await?;
        }
        Ok(())
    }

    /// Stores what waits; false when nothing did.
    async fn store(&mut self) -> Result<bool, BackfillError> {
        if self.unstored.ends.is_empty() {
            return Ok(false);
        }
        let completed = self.queue.complete(&self.unstored.ends).await?;
        self.report.stored += completed.stored;
        // What was claimed has become less, which may free a job that had to wait for that.
        self.may_claim = true;
        for finished in self.unstored.ends.drain(..) {
            if let Outcome::Dead { reason } = &finished.outcome {
                tracing::error!(job.id = %finished.job.id, reason, "job given up");
            }
            (self.observe)(Event::Stored(&finished));
        }
        Ok(true)
    }

    fn begin_to_stop(&mut self) {
        self.report.ended = Ended::Stopped;
        self.listing = None;
        self.readers.drain();
        (self.observe)(Event::Stopping);
    }

    async fn give_back(&mut self, not_begun: &[JobId]) -> Result<(), BackfillError> {
        if !not_begun.is_empty() {
            self.queue.release(not_begun).await?;
        }
        Ok(())
    }
}

/// The next piece of the listing; `None` at its end. Waits for ever where there is no listing.
async fn next(listing: &mut Option<Receiver<Piece>>) -> Option<Piece> {
    match listing {
        Some(pieces) => pieces.recv().await,
        None => std::future::pending().await,
    }
}

fn all_ended() -> BackfillError {
    BackfillError::Threads(io::Error::other("all of them have ended"))
}

/// Waits until stopping is asked for. False when nobody can ask any more.
async fn stop_requested(stop: &mut watch::Receiver<bool>) -> bool {
    stop.wait_for(|&stop| stop).await.is_ok()
}
