//! A backfill under way: one loop that lists, enqueues, claims and stores, beside the reading threads.

use shenfen_core::{Job, JobId, ReaderFault, RequestedSide};
use shenfen_store::{ClaimedJob, Finished, JobQueue, Outcome};
use tokio::sync::mpsc::{self, Receiver, UnboundedReceiver, UnboundedSender};
use tokio::sync::watch;
use tokio::time::{Duration, Instant};

use super::{BackfillError, Ended, Event, Report, Settings};
use crate::listing::Piece;
use crate::picture::{PictureReader, load, read_loaded};
use crate::pool::{NoRoom, ReaderPool, Returned, Room};
use crate::source::{DecompressedTar, Entry, archive};

/// A claimed picture on its way to a reading thread.
pub(super) struct ToRead {
    id: JobId,
    attempt: u32,
    path: String,
    side: RequestedSide,
}

/// What came of reading a claimed picture.
pub(super) enum Reading {
    /// The end of its job.
    Ended(Outcome),
    /// Its bytes cannot be had now, for this reason.
    Unavailable(String),
}

/// Reads a claimed picture.
///
/// # Errors
/// When there is no room for it now.
pub(super) fn read<R: PictureReader>(
    reader: &mut R,
    work: &ToRead,
    room: &Room,
    decompressed: Option<&DecompressedTar>,
) -> Result<Reading, NoRoom> {
    let _span = tracing::debug_span!("read", job.id = %work.id, job.attempt = work.attempt).entered();
    let loaded = match Entry::of_path(&work.path) {
        Some(entry) => archive::load(&entry, decompressed, reader.max_bytes()),
        None => load(&work.path, reader.max_bytes()),
    };
    let read = read_loaded(reader, loaded, work.side, room)?;
    Ok(match read.outcome.into_result(reader.model()) {
        Ok(result) => Reading::Ended(Outcome::Read { result: Box::new(result), image_sha256: read.image_sha256 }),
        Err(ReaderFault::Unavailable(reason)) => Reading::Unavailable(reason),
        Err(fault) => Reading::Ended(Outcome::Dead { reason: fault.to_string() }),
    })
}

/// What came back from the reading threads.
enum Back {
    /// The end of a job.
    Ended(Finished),
    /// A job whose picture cannot be had now.
    Unavailable { job: Job, reason: String },
    /// A job that they did not begin.
    NotBegun(JobId),
}

/// Ends that wait to be stored together.
struct Unstored {
    ends: Vec<Finished>,
    since: Instant,
}

/// A backfill under way.
pub(super) struct Run<Q, O> {
    queue: Q,
    readers: ReaderPool<ToRead, Reading>,
    returned: UnboundedReceiver<Back>,
    replies: UnboundedSender<Back>,
    /// `None` when it has ended or is not wanted any more.
    listing: Option<Receiver<Piece>>,
    settings: Settings,
    window: usize,
    observe: O,
    /// Jobs with the reading threads.
    in_hand: usize,
    /// Whether the queue may have something to claim.
    may_claim: bool,
    /// Claimed jobs whose pictures cannot be had now. They stay claimed until everything else is done, so that they do not come again
    /// at once.
    unavailable: Vec<JobId>,
    unstored: Unstored,
    report: Report,
}

impl<Q: JobQueue, O: FnMut(Event<'_>)> Run<Q, O> {
    pub(super) fn new(
        queue: Q,
        readers: ReaderPool<ToRead, Reading>,
        listing: Receiver<Piece>,
        settings: Settings,
        window: usize,
        observe: O,
    ) -> Run<Q, O> {
        let (replies, returned) = mpsc::unbounded_channel();
        Run {
            queue,
            readers,
            returned,
            replies,
            listing: Some(listing),
            settings,
            window,
            observe,
            in_hand: 0,
            may_claim: true,
            unavailable: Vec::new(),
            unstored: Unstored { ends: Vec::new(), since: Instant::now() },
            report: Report {
                ended: Ended::Complete,
                listed: 0,
                left_out: 0,
                unreadable: 0,
                unavailable: 0,
                new: 0,
                stored: 0,
            },
        }
    }

    /// The threads, to be ended, and what was done.
    pub(super) fn end(self) -> (ReaderPool<ToRead, Reading>, Report) {
        (self.readers, self.report)
    }

    pub(super) async fn work_through(&mut self, mut stop: watch::Receiver<bool>) -> Result<(), BackfillError> {
        let recovered = self.queue.recover().await?;
        (self.observe)(Event::Recovered(recovered));
        let mut not_begun = Vec::new();
        let mut waits = self.settings.waits_for_pictures.into_iter();
        loop {
            let stopping = self.report.ended == Ended::Stopped;
            if !stopping {
                self.claim().await?;
            }
            if self.in_hand == 0 {
                let stored = self.store().await?;
                let all_listed = self.listing.is_none();
                if stopping {
                    break;
                }
                if all_listed && !self.may_claim {
                    match waits.next().filter(|_| !self.unavailable.is_empty()) {
                        Some(wait) => self.try_again_after(wait, &mut stop).await?,
                        None => break,
                    }
                    continue;
                }
                if stored {
                    continue;
                }
            }
            let store_at = self.unstored.since + self.settings.commit_after;
            tokio::select! {
                piece = next(&mut self.listing) => self.enqueue(piece).await?,
                Some(back) = self.returned.recv() => {
                    self.in_hand -= 1;
                    match back {
                        Back::Ended(finished) => self.keep(finished).await?,
                        Back::Unavailable { job, reason } => {
                            (self.observe)(Event::Unavailable { source: &job.source, reason: &reason });
                            self.unavailable.push(job.id);
                        }
                        Back::NotBegun(job) => not_begun.push(job),
                    }
                }
                () = tokio::time::sleep_until(store_at), if !self.unstored.ends.is_empty() => {
                    self.store().await?;
                }
                true = told_to_stop(&mut stop), if !stopping => self.begin_to_stop(),
            }
        }
        self.report.unavailable = self.unavailable.len() as u64;
        not_begun.append(&mut self.unavailable);
        self.release(&not_begun).await
    }

    /// Waits, and lets the pictures that could not be had be claimed again.
    async fn try_again_after(&mut self, wait: Duration, stop: &mut watch::Receiver<bool>) -> Result<(), BackfillError> {
        (self.observe)(Event::WaitingForPictures { pictures: self.unavailable.len() as u64, wait });
        tokio::select! {
            () = tokio::time::sleep(wait) => {
                let unavailable = std::mem::take(&mut self.unavailable);
                self.release(&unavailable).await?;
                self.may_claim = true;
            }
            true = told_to_stop(stop) => self.begin_to_stop(),
        }
        Ok(())
    }

    /// Keeps the threads supplied. Claims many jobs at a time, since every claim is a transaction.
    async fn claim(&mut self) -> Result<(), BackfillError> {
        if !self.may_claim || self.in_hand > self.window / 2 {
            return Ok(());
        }
        let claimed: Vec<ClaimedJob> = self.queue.claim(self.window - self.in_hand).await?;
        self.may_claim = !claimed.is_empty();
        claimed.into_iter().for_each(|job| self.hand_over(job));
        Ok(())
    }

    fn hand_over(&mut self, claimed: ClaimedJob) {
        let ClaimedJob { job, path, attempt } = claimed;
        let work = ToRead { id: job.id, attempt, path, side: job.side };
        let replies = self.replies.clone();
        let reply = move |returned| drop(replies.send(back(job, attempt, returned)));
        // The window is smaller than the pool, so there is always a place.
        if let Ok(place) = self.readers.submit(work, reply) {
            place.keep();
            self.in_hand += 1;
        }
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

    async fn release(&mut self, not_begun: &[JobId]) -> Result<(), BackfillError> {
        if !not_begun.is_empty() {
            self.queue.release(not_begun).await?;
        }
        Ok(())
    }
}

fn back(job: Job, attempt: u32, returned: Returned<Reading>) -> Back {
    match returned {
        Returned::Done(Reading::Ended(outcome)) => Back::Ended(Finished { job, attempt, outcome }),
        Returned::Done(Reading::Unavailable(reason)) => Back::Unavailable { job, reason },
        Returned::Panicked(fault) => {
            Back::Ended(Finished { job, attempt, outcome: Outcome::Dead { reason: fault.to_string() } })
        }
        Returned::NotBegun => Back::NotBegun(job.id),
    }
}

/// The next piece of the listing; `None` at its end. Waits for ever where there is no listing.
async fn next(listing: &mut Option<Receiver<Piece>>) -> Option<Piece> {
    match listing {
        Some(pieces) => pieces.recv().await,
        None => std::future::pending().await,
    }
}

/// Waits for the request to stop. False when nobody can make it any more.
async fn told_to_stop(stop: &mut watch::Receiver<bool>) -> bool {
    stop.wait_for(|&stop| stop).await.is_ok()
}
