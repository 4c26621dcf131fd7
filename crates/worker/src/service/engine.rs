//! The loop that owns the jobs in hand, from their delivery to its acknowledgement.
//!
//! Each job is in one place at a time: arrived; begun in the ledger; being fetched; ready; with the readers; ending. Calls
//! that wait (ledger, publisher, commits, fetches) run in tasks, whose answers come back as events, so the loop itself
//! never waits for anything but news.

mod begin;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;

use shenfen_core::{Decision, Job, JobId, Refusal};
use shenfen_queue::{Consumer, Delivery, Message, Outgoing, Publisher, Receipt, Route};
use shenfen_store::port::{ClaimOutcome, JobStore};
use shenfen_store::{Finished, Outcome};
use tokio::sync::mpsc::{self, Receiver, UnboundedReceiver, UnboundedSender};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant, timeout};

use super::commit::commit_all;
use super::crash::crash_point;
use super::failure::{Disposition, Failure};
use super::images::Images;
use super::intake::{Arrived, Malformed, parse};
use super::metrics::Metrics;
use super::reading::{Read, Work, read};
use super::settle::{Settle, publish, settle_all};
use super::{Service, ServiceError, ServiceReport, ServiceSettings, stop_requested};
use crate::picture::PictureReader;
use crate::readers::{Readers, Returned};

/// Jobs with the readers for each thread: one that it reads and what it reads next.
const WINDOW_PER_THREAD: usize = 4;
/// Pictures fetched from the web at the same time.
const FETCHES: usize = 16;
/// How long the broker may take to stop handing out jobs.
const DRAIN_ANSWER: Duration = Duration::from_secs(5);

/// News from a task.
pub(crate) enum Event {
    /// What the ledger says of jobs that arrived.
    Begun(Vec<(JobId, ClaimOutcome)>),
    /// The ledger was not reached before the service was told to stop.
    NotBegun(Vec<JobId>),
    /// A picture came from the web, or did not.
    Fetched(JobId, Fetched),
    /// The ends of these jobs are stored.
    Committed(Vec<JobId>),
    /// The database takes the end of this job never.
    NotStorable(JobId, String),
    /// A job that failed was published anew for later.
    Retried(JobId),
    /// A job that failed was published as a dead letter.
    Buried(JobId, String),
    /// A failed job could not be published before the service was told to stop.
    NotPublished(JobId),
    /// The ledger took the beginning of these jobs back, or was not reached.
    Unbegun(Vec<JobId>),
}

/// A picture from the web, or the reason for which the job's result is a refusal, or its failure.
type Fetched = Result<Result<Vec<u8>, Refusal>, Failure>;

/// A job in hand.
struct Held {
    job: Job,
    message: Arc<Message>,
    message_id: Option<String>,
    /// How often it failed before it came here.
    failures: u32,
    /// Which beginning this is; 0 before the first.
    attempt: u32,
    /// More than one when it was delivered again while it was in hand.
    receipts: Vec<Receipt>,
    fetched: Option<Result<Vec<u8>, Refusal>>,
    /// What its result says, once it is read.
    decision: Option<Decision>,
}

pub(crate) struct Engine<L> {
    ledger: L,
    publisher: Publisher,
    images: Images,
    settings: ServiceSettings,
    metrics: Metrics,
    readers: Readers<Work, Read>,
    window: usize,
    ends: UnboundedSender<Finished>,
    settle: UnboundedSender<Settle>,
    settler: JoinHandle<()>,
    events: UnboundedReceiver<Event>,
    news: UnboundedSender<Event>,
    /// Turns true when nobody waits for the tasks any more.
    give_up: watch::Sender<bool>,
    stop: watch::Receiver<bool>,
    fetches: Arc<Semaphore>,
    held: HashMap<JobId, Held>,
    arrived: VecDeque<JobId>,
    ready: VecDeque<JobId>,
    /// Jobs that may have ended a worker, not begun yet: each is read with nothing beside it.
    suspects: VecDeque<JobId>,
    /// The suspect whose turn it is.
    alone: Option<JobId>,
    /// Whether the ledger is being asked.
    asking: bool,
    /// Jobs begun and not ended, the ones being fetched left out.
    begun: usize,
    fetching: usize,
    reading: usize,
    /// Dead letters under way that are no jobs.
    malformed: Arc<Semaphore>,
    stopping: bool,
    stored: u64,
}

impl<L: JobStore + Clone + 'static> Engine<L> {
    pub(crate) fn start<R: PictureReader>(
        service: Service<L, R>,
        publisher: Publisher,
        stop: watch::Receiver<bool>,
    ) -> io::Result<Engine<L>> {
        let Service { ledger, reader, images, settings, metrics, .. } = service;
        let window = settings.threads * WINDOW_PER_THREAD;
        let read = {
            let (images, metrics) = (images.clone(), metrics.clone());
            move |reader: &mut R, work: Work| read(reader, work, &images, &metrics)
        };
        let readers = Readers::start(&reader, settings.threads, window, read)?;
        let (news, events) = mpsc::unbounded_channel();
        let (ends, unstored) = mpsc::unbounded_channel();
        let (give_up, given_up) = watch::channel(false);
        let committing =
            commit_all(ledger.clone(), settings.clone(), metrics.clone(), unstored, news.clone(), given_up);
        tokio::spawn(committing);
        let (settle, unsettled) = mpsc::unbounded_channel();
        let settler = tokio::spawn(settle_all(unsettled));
        metrics.threads(settings.threads);
        Ok(Engine {
            ledger,
            publisher,
            images,
            settings,
            metrics,
            readers,
            window,
            ends,
            settle,
            settler,
            events,
            news,
            give_up,
            stop,
            fetches: Arc::new(Semaphore::new(FETCHES)),
            held: HashMap::new(),
            arrived: VecDeque::new(),
            ready: VecDeque::new(),
            suspects: VecDeque::new(),
            alone: None,
            asking: false,
            begun: 0,
            fetching: 0,
            reading: 0,
            malformed: Arc::new(Semaphore::new(FETCHES)),
            stopping: false,
            stored: 0,
        })
    }

    /// Works until told to stop and then until nothing is in hand, or the time for that is over.
    pub(crate) async fn run(
        mut self,
        consumer: &Consumer,
        mut deliveries: Receiver<Delivery>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<ServiceReport, ServiceError> {
        let mut deadline = None;
        let mut open = true;
        loop {
            self.begin();
            self.feed();
            self.metrics.in_hand(self.held.len());
            if self.stopping && self.held.is_empty() && !open {
                break;
            }
            let over = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                delivery = deliveries.recv(), if open => match delivery {
                    Some(delivery) => {
                        self.arrive(delivery);
                        while let Ok(delivery) = deliveries.try_recv() {
                            self.arrive(delivery);
                        }
                    }
                    None => open = false,
                },
                Some(event) = self.events.recv() => self.note(event),
                returned = self.readers.returned.recv() => match returned {
                    Some(returned) => self.returned(returned),
                    None => {
                        let ended = io::Error::other("all of them have ended");
                        return Err(ServiceError::Threads(ended));
                    }
                },
                () = stop_requested(&mut stop), if !self.stopping => {
                    tracing::info!(in_hand = self.held.len(), "stopping: finishing what was begun");
                    deadline = Some(Instant::now() + self.settings.drain);
                    self.stopping = true;
                    self.readers.drain();
                    if timeout(DRAIN_ANSWER, consumer.drain()).await.is_err() {
                        // Without a broker there is nothing to hand out.
                        open = false;
                    }
                    self.give_back_unread();
                }
                () = over => {
                    tracing::warn!(in_hand = self.held.len(), "the time to finish is over; the broker delivers the rest again");
                    break;
                }
            }
        }
        self.finish().await
    }

    async fn finish(self) -> Result<ServiceReport, ServiceError> {
        let report = ServiceReport { stored: self.stored, abandoned: self.held.len() };
        self.give_up.send_replace(true);
        // Every receipt still held is given back as it is dropped.
        drop((self.held, self.settle));
        let _ = timeout(DRAIN_ANSWER, self.settler).await;
        if report.abandoned == 0 {
            self.readers.stop().await;
        }
        Ok(report)
    }

    /// Takes a delivery in hand. One of a job that is in hand already waits for the same end.
    fn arrive(&mut self, delivery: Delivery) {
        crash_point("after-receive");
        if self.stopping {
            self.metrics.given_back(1);
            let _ = self.settle.send(Settle::GiveBack(delivery.receipt));
            return;
        }
        self.metrics.received();
        match parse(delivery) {
            Ok(Arrived { job, message, message_id, failures, receipt }) => match self.held.entry(job.id) {
                Entry::Occupied(mut held) => held.get_mut().receipts.push(receipt),
                Entry::Vacant(place) => {
                    self.arrived.push_back(job.id);
                    place.insert(Held {
                        job,
                        message,
                        message_id,
                        failures,
                        attempt: 0,
                        receipts: vec![receipt],
                        fetched: None,
                        decision: None,
                    });
                }
            },
            Err(malformed) => self.bury_malformed(*malformed),
        }
    }

    /// A message that is no job goes to the dead letters as it came.
    fn bury_malformed(&self, malformed: Malformed) {
        let Malformed { error, body, message_id, receipt } = malformed;
        let (publisher, settle, metrics) = (self.publisher.clone(), self.settle.clone(), self.metrics.clone());
        let (slots, mut stop) = (Arc::clone(&self.malformed), self.stop.clone());
        tracing::warn!(reason = %error, "a message is no job: dead letter");
        tokio::spawn(async move {
            let _slot = slots.acquire().await;
            let reason = Some(error.to_string());
            let outgoing = Outgoing { route: Route::Dead, body, message_id, failures: 0, reason };
            let settled = if publish(&publisher, &outgoing, &mut stop).await {
                metrics.dead();
                Settle::Ack(receipt)
            } else {
                Settle::GiveBack(receipt)
            };
            let _ = settle.send(settled);
        });
    }

    /// Keeps the threads supplied.
    fn feed(&mut self) {
        while !self.stopping
            && self.reading < self.window
            && let Some(id) = self.ready.pop_front()
        {
            self.hand_over(id);
        }
    }

    fn hand_over(&mut self, id: JobId) {
        let Some(held) = self.held.get_mut(&id) else { return };
        let work = Work {
            id,
            attempt: held.attempt,
            message: Arc::clone(&held.message),
            side: held.job.side,
            fetched: held.fetched.take(),
        };
        // The window is as large as the channel, and the threads end only after this sender.
        if self.readers.work.try_send(work).is_ok() {
            self.reading += 1;
        }
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Begun(beginnings) => {
                crash_point("after-begin");
                self.asking = false;
                beginnings.into_iter().for_each(|(id, beginning)| self.begun(id, beginning));
                if self.stopping {
                    self.give_back_unread();
                }
            }
            Event::NotBegun(ids) => {
                self.asking = false;
                ids.into_iter().for_each(|id| self.give_back(id));
            }
            Event::Fetched(id, fetched) => {
                self.fetching -= 1;
                self.begun += 1;
                match fetched {
                    Ok(fetched) => {
                        if let Some(held) = self.held.get_mut(&id) {
                            held.fetched = Some(fetched);
                        }
                        self.ready.push_back(id);
                        if self.stopping {
                            self.give_back_unread();
                        }
                    }
                    Err(failure) => self.fail(id, failure),
                }
            }
            Event::Committed(ids) => ids.into_iter().for_each(|id| self.committed(id)),
            Event::NotStorable(id, reason) => self.fail(id, Failure::NotStorable(reason)),
            Event::Retried(id) => {
                self.metrics.retried();
                self.release(id);
            }
            Event::Buried(id, reason) => self.end(id, Outcome::Dead { reason }),
            Event::NotPublished(id) => self.give_back(id),
            Event::Unbegun(ids) => ids.into_iter().for_each(|id| self.give_back(id)),
        }
    }

    fn returned(&mut self, returned: Returned<Work, Read>) {
        self.reading -= 1;
        match returned {
            Returned::Done(Read { id, outcome: Ok((result, image_sha256)) }) => {
                crash_point("after-read");
                if let Some(held) = self.held.get_mut(&id) {
                    held.decision = Some(result.decision);
                }
                self.end(id, Outcome::Read { result, image_sha256 });
            }
            Returned::Done(Read { id, outcome: Err(failure) }) => self.fail(id, failure),
            Returned::NotBegun(work) => self.unbegin(vec![work.id]),
        }
    }

    /// Has a job's end stored.
    fn end(&self, id: JobId, outcome: Outcome) {
        let Some(held) = self.held.get(&id) else { return };
        let finished = Finished { job: held.job.clone(), attempt: held.attempt, outcome };
        let _ = self.ends.send(finished);
    }

    fn committed(&mut self, id: JobId) {
        self.stored += 1;
        match self.held.get(&id).and_then(|held| held.decision) {
            Some(decision) => self.metrics.stored(decision),
            None => self.metrics.dead(),
        }
        self.release(id);
    }

    /// Has a failed job published anew, for later or as a dead letter. Its delivery is acknowledged only after that.
    fn fail(&mut self, id: JobId, failure: Failure) {
        let Some(held) = self.held.get_mut(&id) else { return };
        held.decision = None;
        let reason = failure.to_string();
        let disposition = failure.disposition(held.failures, self.settings.retries);
        let (route, failures) = match disposition {
            Disposition::Retry { step, failures } => (Route::Retry(step), failures),
            Disposition::DeadLetter => (Route::Dead, held.failures),
        };
        tracing::warn!(job.id = %id, reason, ?disposition, "a job failed");
        let was_begun = held.attempt > 0;
        let (message, message_id) = (Arc::clone(&held.message), held.message_id.clone());
        let (publisher, ledger, news, mut stop) =
            (self.publisher.clone(), self.ledger.clone(), self.news.clone(), self.stop.clone());
        tokio::spawn(async move {
            let body = message.to_json();
            let outgoing = Outgoing { route, body, message_id, failures, reason: Some(reason.clone()) };
            let published = publish(&publisher, &outgoing, &mut stop).await;
            crash_point("after-publish");
            let event = match (published, disposition) {
                (false, _) => Event::NotPublished(id),
                (true, Disposition::DeadLetter) => Event::Buried(id, reason),
                (true, Disposition::Retry { .. }) => {
                    // A beginning that is not taken back costs the job an attempt of many, no more.
                    if was_begun && let Err(error) = ledger.release(&[id]).await {
                        tracing::warn!(job.id = %id, %error, "cannot note that a job waits for its retry");
                    }
                    Event::Retried(id)
                }
            };
            let _ = news.send(event);
        });
    }

    /// While stopping: gives back what no thread has begun to read.
    fn give_back_unread(&mut self) {
        let unbegun: Vec<JobId> = self.arrived.drain(..).chain(self.suspects.drain(..)).collect();
        unbegun.into_iter().for_each(|id| self.give_back(id));
        let begun: Vec<JobId> = self.ready.drain(..).collect();
        self.unbegin(begun);
    }

    /// Takes the beginning of jobs back; then they are given back.
    fn unbegin(&self, ids: Vec<JobId>) {
        if ids.is_empty() {
            return;
        }
        let (ledger, news) = (self.ledger.clone(), self.news.clone());
        tokio::spawn(async move {
            if let Err(error) = ledger.release(&ids).await {
                tracing::warn!(%error, jobs = ids.len(), "cannot note that jobs were not begun after all");
            }
            let _ = news.send(Event::Unbegun(ids));
        });
    }

    /// Acknowledges all deliveries of a job whose end is stored.
    fn release(&mut self, id: JobId) {
        for receipt in self.let_go(id) {
            let _ = self.settle.send(Settle::Ack(receipt));
        }
    }

    /// Gives all deliveries of a job back to the broker.
    fn give_back(&mut self, id: JobId) {
        self.metrics.given_back(1);
        for receipt in self.let_go(id) {
            let _ = self.settle.send(Settle::GiveBack(receipt));
        }
    }

    fn let_go(&mut self, id: JobId) -> Vec<Receipt> {
        let Some(held) = self.held.remove(&id) else { return Vec::new() };
        self.alone = self.alone.filter(|&suspect| suspect != id);
        if held.attempt > 0 {
            self.begun = self.begun.saturating_sub(1);
        }
        held.receipts
    }
}
