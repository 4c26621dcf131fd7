//! A backfill over a broker: a listing is put into the database whole, and fed to the broker a window at a time, so that
//! millions of jobs never pile up there. Workers elsewhere do the reading; this watches how far they all are.
//!
//! What is in the database is what counts: a feed that is killed goes on where it was, two feeds of one batch do no harm,
//! and a message that was lost with its broker is published again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use shenfen_core::{JobId, Tenant};
use shenfen_queue::{Error as QueueError, Image, Message, Outgoing, Publisher, Route};
use shenfen_store::port::{Batches, Dispatch, Jobs};
use shenfen_store::{BatchProgress, BatchState, NewJob, StoreError};
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::listing::list_jobs;
use crate::source::{Entry, Found, PictureRef, SourceError};
use crate::stop::stop_requested;

/// Messages published together.
const VOLLEY: usize = 512;
/// How often the window is filled and the progress told.
const TICK: Duration = Duration::from_millis(500);
/// Counting a batch of millions takes a while: the next count waits so many times as long as the last one took, so that the
/// database has a fiftieth of its work from it, and no longer than that.
const LOOK_SHARE: u32 = 50;
const LONGEST_LOOK: Duration = Duration::from_secs(30);
/// A published job that has not moved for so long is published again.
const LOST_AFTER: Duration = Duration::from_secs(15 * 60);

/// How a feed runs.
#[derive(Clone, Debug)]
pub struct FeedSettings {
    /// The most jobs of the batch that are with the broker and the workers at once.
    pub window: u64,
    /// The folder that messages name pictures relative to. Workers see the same pictures below their own `--image-root`.
    pub image_root: PathBuf,
}

/// What happens while a feed runs.
pub enum FeedEvent<'a> {
    /// Pictures were listed; `new` of them had not been known.
    Listed {
        /// Pictures of this piece.
        pictures: u64,
        /// Those among them that are new.
        new: u64,
    },
    /// Something in the listing could not be looked into, or lies outside the image root.
    Unreadable(String),
    /// How far the batch is.
    Progress(&'a BatchProgress),
    /// The broker is not there; what it should get waits.
    Waiting(String),
}

/// How a feed ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedEnd {
    /// Every job of the batch has its end.
    Complete,
    /// It was told to stop; workers go on with what the broker has, and the same command feeds the rest.
    Stopped,
    /// The batch was cancelled.
    Cancelled,
}

/// What a feed did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedReport {
    /// How it ended.
    pub end: FeedEnd,
    /// Pictures listed.
    pub listed: u64,
    /// Pictures that were new.
    pub new: u64,
    /// Files left out because they are no pictures by their names, links or hidden.
    pub left_out: u64,
    /// Places in the listing that could not be looked into or lie outside the image root.
    pub unreadable: u64,
    /// Messages that the broker confirmed.
    pub published: u64,
}

/// A feed cannot go on. What is in the database stays there.
#[derive(Debug, Error)]
pub enum FeedError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The broker refuses, and waiting would not help.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// A batch, the database that holds its jobs, and the way to its broker.
pub struct Feed<S> {
    store: S,
    publisher: Publisher,
    tenant: Tenant,
    batch: String,
    settings: FeedSettings,
}

impl<S: Jobs + Dispatch + Batches> Feed<S> {
    /// A feed of `batch` of a tenant, which is also the store's.
    pub fn new(
        store: S,
        publisher: Publisher,
        tenant: Tenant,
        batch: impl Into<String>,
        settings: FeedSettings,
    ) -> Feed<S> {
        Feed { store, publisher, tenant, batch: batch.into(), settings }
    }

    /// Puts the listing into the database and feeds the broker until every job of the batch has its end, or `stop` turns
    /// true. A broker that is away is waited for.
    ///
    /// # Errors
    /// When the database fails, or the broker refuses for good.
    pub async fn run(
        self,
        listing: impl Iterator<Item = Found> + Send + 'static,
        mut stop: watch::Receiver<bool>,
        mut observe: impl FnMut(FeedEvent<'_>),
    ) -> Result<FeedReport, FeedError> {
        let mut report =
            FeedReport { end: FeedEnd::Complete, listed: 0, new: 0, left_out: 0, unreadable: 0, published: 0 };
        let (tenant, batch, root) = (self.tenant, self.batch.clone(), self.settings.image_root.clone());
        let mut pieces = list_jobs(listing, move |picture| job(picture, tenant, &batch, &root));
        let mut listing = true;
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look_at = Instant::now();
        loop {
            tokio::select! {
                piece = pieces.recv(), if listing => match piece {
                    Some(piece) => {
                        let new = self.store.enqueue(&piece.jobs).await?;
                        let pictures = piece.jobs.len() as u64;
                        report.listed += pictures;
                        report.new += new;
                        report.left_out += piece.left_out;
                        report.unreadable += piece.unreadable.len() as u64;
                        piece.unreadable.iter().for_each(|error| observe(FeedEvent::Unreadable(error.to_string())));
                        observe(FeedEvent::Listed { pictures, new });
                    }
                    None => listing = false,
                },
                _ = tick.tick() => {
                    let filled = self.fill_window(&mut observe).await?;
                    report.published += filled.published;
                    let begin = Instant::now();
                    if begin < look_at && filled.in_flight > 0 {
                        continue;
                    }
                    let Some(progress) = self.store.batch(&self.batch).await? else {
                        if listing { continue }
                        return Ok(report);
                    };
                    look_at = begin + (begin.elapsed() * LOOK_SHARE).min(LONGEST_LOOK);
                    observe(FeedEvent::Progress(&progress));
                    if progress.state == BatchState::Cancelled {
                        return Ok(FeedReport { end: FeedEnd::Cancelled, ..report });
                    }
                    if !listing && progress.open() == 0 {
                        return Ok(report);
                    }
                }
                () = stop_requested(&mut stop) => return Ok(FeedReport { end: FeedEnd::Stopped, ..report }),
            }
        }
    }

    /// Publishes what there is room for.
    async fn fill_window(&self, observe: &mut impl FnMut(FeedEvent<'_>)) -> Result<Filled, FeedError> {
        let mut published = 0;
        loop {
            let in_flight = self.store.window(&self.batch).await?;
            let room = self.settings.window.saturating_sub(in_flight);
            let most = VOLLEY.min(usize::try_from(room).unwrap_or(VOLLEY));
            if most == 0 {
                return Ok(Filled { published, in_flight });
            }
            let jobs = self.store.unsent(&self.batch, LOST_AFTER, most).await?;
            if jobs.is_empty() {
                return Ok(Filled { published, in_flight });
            }
            let messages: Vec<Outgoing> = jobs
                .iter()
                .map(|job| Outgoing {
                    route: Route::Jobs,
                    body: job.message.clone().into_bytes(),
                    message_id: Some(job.id.to_string()),
                    failures: 0,
                    reason: None,
                })
                .collect();
            let outcomes = self.publisher.publish_all(&messages).await;
            let confirmed: Vec<JobId> =
                jobs.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_ok()).map(|(job, _)| job.id).collect();
            self.store.mark_sent(&confirmed).await?;
            published += confirmed.len() as u64;
            if let Some(error) = outcomes.into_iter().find_map(Result::err) {
                if !error.is_transient() {
                    return Err(error.into());
                }
                observe(FeedEvent::Waiting(error.to_string()));
                return Ok(Filled { published, in_flight });
            }
        }
    }
}

/// What was published, and what was with the broker before the last of it.
struct Filled {
    published: u64,
    in_flight: u64,
}

/// The job of a picture, with the message that names it relative to the root.
fn job(picture: PictureRef, tenant: Tenant, batch: &str, root: &Path) -> Result<NewJob, SourceError> {
    let entry = picture.entry.clone();
    let file = entry.as_ref().map_or_else(|| picture.path.clone(), |entry| entry.archive.clone());
    let NewJob { job, .. } = picture.into_job(tenant, batch);
    let outside = || SourceError::OutsideRoot { picture: job.source.clone(), root: root.to_path_buf() };
    let full = Path::new(&file)
        .canonicalize()
        .map_err(|error| SourceError::Unreadable { path: PathBuf::from(&job.source), reason: error.to_string() })?;
    let relative = full.strip_prefix(root).map_err(|_| outside())?;
    let relative = relative.to_str().ok_or_else(outside)?.to_owned();
    let relative = match entry {
        Some(entry) => Entry { archive: relative, ..entry }.to_string(),
        None => relative,
    };
    let message = Message {
        tenant,
        job_id: job.id,
        batch: job.batch.clone(),
        reference: job.reference.clone(),
        side: job.side,
        image: Image::Path(relative),
    };
    let text = String::from_utf8(message.to_json()).map_err(|_| outside())?;
    Ok(NewJob { job, picture: text })
}
