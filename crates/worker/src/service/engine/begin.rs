//! From arrived to ready: the ledger says what may be read, suspects wait for their turn, pictures come from the web.

use std::sync::Arc;

use shenfen_core::{Job, JobId};
use shenfen_ocr::Limits;
use shenfen_queue::{Image, Receipt};
use shenfen_store::port::{ClaimOutcome, JobStore};
use tokio::time::Instant;

use super::{Engine, Event};
use crate::service::commit::Patience;
use crate::service::failure::Failure;
use crate::service::images::FetchError;
use crate::service::metrics::Stage;
use crate::service::stop_requested;

impl<L: JobStore + Clone + 'static> Engine<L> {
    /// Asks the ledger about the next jobs that arrived, no more than can be read soon: a crash blames what was begun.
    pub(super) fn begin(&mut self) {
        if self.asking || self.stopping || self.alone.is_some() {
            return;
        }
        if !self.suspects.is_empty() {
            return self.begin_suspect();
        }
        let room = (2 * self.window).saturating_sub(self.ready.len() + self.reading);
        let mut ids: Vec<JobId> = self.arrived.drain(..room.min(self.arrived.len())).collect();
        ids.retain(|&id| self.still_ours(id));
        if ids.is_empty() {
            return;
        }
        self.ask(ids);
    }

    /// The next suspect, once nothing else could be blamed for what it does.
    fn begin_suspect(&mut self) {
        if self.begun > 0 || self.fetching > 0 {
            return;
        }
        let Some(id) = self.suspects.pop_front().filter(|&id| self.still_ours(id)) else { return };
        tracing::warn!(job.id = %id, "a job that may have ended a worker is read alone");
        self.alone = Some(id);
        self.ask(vec![id]);
    }

    /// What came over a connection that is lost comes again: nothing is begun for it.
    fn still_ours(&mut self, id: JobId) -> bool {
        let live = self.held.get(&id).is_some_and(|held| held.receipts.iter().any(Receipt::is_live));
        if !live {
            self.held.remove(&id);
        }
        live
    }

    /// Has the ledger asked about jobs for as long as it takes, or until the service is told to stop.
    fn ask(&mut self, ids: Vec<JobId>) {
        let jobs: Vec<Job> = ids.iter().filter_map(|id| self.held.get(id)).map(|held| held.job.clone()).collect();
        self.asking = true;
        let (ledger, news, metrics, mut stop) =
            (self.ledger.clone(), self.news.clone(), self.metrics.clone(), self.stop.clone());
        let alone = self.alone.is_some();
        tokio::spawn(async move {
            let mut patience = Patience::default();
            let asking = async {
                loop {
                    let answer = match &jobs[..] {
                        [suspect] if alone => ledger.claim_alone(suspect).await.map(|beginning| vec![beginning]),
                        jobs => ledger.claim(jobs).await,
                    };
                    match answer {
                        Ok(beginnings) => break beginnings,
                        Err(error) => patience.wait_after(&error, &metrics).await,
                    }
                }
            };
            let event = tokio::select! {
                beginnings = asking => Event::Begun(ids.into_iter().zip(beginnings).collect()),
                () = stop_requested(&mut stop) => Event::NotBegun(ids),
            };
            if matches!(event, Event::Begun(_)) {
                patience.ended(&metrics);
            }
            let _ = news.send(event);
        });
    }

    pub(super) fn begun(&mut self, id: JobId, beginning: ClaimOutcome) {
        match beginning {
            ClaimOutcome::Claimed { attempt } => {
                let Some(held) = self.held.get_mut(&id) else { return };
                held.attempt = attempt;
                if matches!(held.message.image, Image::Url(_)) {
                    self.fetch(id);
                } else {
                    self.begun += 1;
                    self.ready.push_back(id);
                }
            }
            ClaimOutcome::PoisonCandidate => self.suspects.push_back(id),
            ClaimOutcome::AlreadyEnded => {
                self.metrics.repeated(1);
                self.release(id);
            }
            ClaimOutcome::Exhausted { attempts } => self.fail(id, Failure::Exhausted(attempts)),
            ClaimOutcome::BatchPaused => self.fail(id, Failure::Paused),
        }
    }

    pub(super) fn fetch(&mut self, id: JobId) {
        let Some(held) = self.held.get(&id) else { return };
        self.fetching += 1;
        let (message, images, metrics) = (Arc::clone(&held.message), self.images.clone(), self.metrics.clone());
        let (slots, news) = (Arc::clone(&self.fetches), self.news.clone());
        tokio::spawn(async move {
            let _slot = slots.acquire().await;
            let begin = Instant::now();
            // Whatever the reader's own limit is, it says so in the result.
            let most = Limits::default().max_bytes;
            let fetching =
                tokio::task::spawn_blocking(move || images.fetch(&message.image, most).map(|bytes| bytes.into_owned()));
            let fetched = match fetching.await {
                Ok(Ok(bytes)) => Ok(Ok(bytes)),
                Ok(Err(FetchError::Refused(error))) => Ok(Err(error)),
                Ok(Err(FetchError::Later(failure))) => Err(failure),
                Err(_) => Err(Failure::Unavailable("fetching it failed".into())),
            };
            metrics.took(Stage::Fetch, begin.elapsed());
            let _ = news.send(Event::Fetched(id, fetched));
        });
    }
}
