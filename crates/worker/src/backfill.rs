//! A backfill: every picture of a listing read once and its result stored once, through any number of interruptions.
//!
//! One task lists, enqueues, claims and stores, since a store has one writer anyway; the reading is done by threads of its
//! own. What is in memory is bounded by the window of claimed jobs and one piece of the listing, whatever there is to do.

mod run;

use std::io;
use std::time::Duration;

use shenfen_core::Tenant;
use shenfen_store::port::Recovered;
use shenfen_store::{Finished, JobQueue, StoreError};
use thiserror::Error;
use tokio::sync::watch;

use crate::listing::list_jobs;
use crate::picture::PictureReader;
use crate::pool::{PoolSettings, ReaderPool, Room};
use crate::source::{DecompressedTar, Found, SourceError};
use run::{Run, ToRead, read};

/// Claimed jobs for each reading thread. Enough that the threads do not wait while results are being stored.
const WINDOW_PER_THREAD: usize = 8;

/// How a backfill runs.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Reading threads, at least one.
    pub threads: usize,
    /// Bytes of memory for large pictures that are read at once ([`crate::Room`]).
    pub memory: u64,
    /// So many results are stored in one transaction.
    pub commit_rows: usize,
    /// No result waits longer than this to be stored.
    pub commit_after: Duration,
    /// Once all else is done, how long to wait before pictures that could not be had are tried again, time after time.
    pub waits_for_pictures: [Duration; 2],
}

impl Settings {
    /// `threads` reading threads without a limit on the memory for large pictures; 64 results or half a second a transaction; pictures tried
    /// again after 1 and 5 seconds.
    pub fn with_threads(threads: usize) -> Settings {
        Settings {
            threads: threads.max(1),
            memory: u64::MAX,
            commit_rows: 64,
            commit_after: Duration::from_millis(500),
            waits_for_pictures: [Duration::from_secs(1), Duration::from_secs(5)],
        }
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
    /// A picture cannot be had now: a fault of the system below, which may pass.
    Unavailable {
        /// The picture, as the user named it.
        source: &'a str,
        /// What the system said.
        reason: &'a str,
    },
    /// Everything else is done; after a wait, pictures that could not be had are tried again.
    WaitingForPictures {
        /// How many there are.
        pictures: u64,
        /// How long it waits.
        wait: Duration,
    },
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
    /// Pictures that could not be had, for faults that may pass. Their jobs stay open.
    pub unavailable: u64,
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
    /// The reading threads cannot be started.
    #[error("the reading threads cannot be started")]
    Threads(#[source] io::Error),
}

/// A queue to work through, and a reader to do it with.
pub struct Backfill<Q, R> {
    queue: Q,
    reader: R,
    batch: String,
    settings: Settings,
    decompressed: Option<DecompressedTar>,
}

impl<Q: JobQueue, R: PictureReader> Backfill<Q, R> {
    /// A backfill of `batch`, whose queue this is.
    pub fn new(queue: Q, reader: R, batch: impl Into<String>, settings: Settings) -> Backfill<Q, R> {
        Backfill { queue, reader, batch: batch.into(), settings, decompressed: None }
    }

    /// The same, which reads the pictures of a compressed tar from what it was decompressed into ([`crate::Source::decompressed`]).
    #[must_use]
    pub fn with_decompressed(self, decompressed: Option<DecompressedTar>) -> Backfill<Q, R> {
        Backfill { decompressed, ..self }
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
        let Backfill { queue, reader, batch, settings, decompressed } = self;
        let window = settings.threads * WINDOW_PER_THREAD;
        let pool = PoolSettings { threads: settings.threads, waiting: window, memory: settings.memory };
        let readers = ReaderPool::start(&reader, pool, move |reader: &mut R, work: &ToRead, room: &Room| {
            read(reader, work, room, decompressed.as_ref())
        })
        .map_err(BackfillError::Threads)?;
        let listing = list_jobs(listing, move |picture| Ok(picture.into_job(Tenant::DEFAULT, &batch)));
        let mut run = Run::new(queue, readers, listing, settings, window, observe);
        let outcome = run.work_through(stop).await;
        let (readers, report) = run.end();
        readers.stop().await;
        outcome.map(|()| report)
    }
}
