//! The thin shell around [`step`]: it does what the step says, and turns the answers into events.
//!
//! Calls that wait (job store, publisher, commits, fetches) run in tasks, so the loop itself never waits for anything but
//! news. Receipts, metrics, the log and the clock are here and not in the step.

mod effects;
mod renew;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use shenfen_queue::{Consumer, Delivery, Health, Publisher, Receipt};
use shenfen_store::Finished;
use shenfen_store::port::JobStore;
use tokio::pin;
use tokio::sync::mpsc::{self, Receiver, UnboundedReceiver, UnboundedSender};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::{Duration, timeout};

use super::commit::{CommitOutcome, commit_all};
use super::crash::crash_point;
use super::failure::Failure;
use super::images::Images;
use super::intake::arrival;
use super::metrics::Metrics;
use super::outage::watch_database;
use super::reading::read;
use super::settle::{Settle, settle_all};
use super::step::{Arrival, Event, Limits, ReadResult, State, Tag, Work, step};
use super::tenants::QueueTenants;
use super::{Service, ServiceReport, ServiceSettings};
use crate::picture::PictureReader;
use crate::pool::{PoolSettings, ReaderPool, Room};
use crate::stop::stop_requested;
use renew::{RENEWED_FROM, Renewal};

/// Jobs with the readers for each thread: one that it reads and what it reads next.
const WINDOW_PER_THREAD: usize = 4;
/// Pictures fetched from the web at the same time.
const FETCHES: usize = 16;
/// Malformed messages published at the same time.
const MALFORMED: usize = 16;
/// How long the broker may take to stop delivering.
const DRAIN_ANSWER: Duration = Duration::from_secs(5);

/// What came of reading a job.
type ReadOutcome = Result<ReadResult, Failure>;

pub(crate) struct Driver<S> {
    state: State,
    receipts: HashMap<Tag, Receipt>,
    tags: Tag,
    store: S,
    publisher: Publisher,
    images: Images,
    tenants: QueueTenants,
    /// The most bytes of a picture that the reader takes.
    max_bytes: usize,
    readers: ReaderPool<Work, ReadOutcome>,
    metrics: Metrics,
    ends: UnboundedSender<Finished>,
    commits: UnboundedReceiver<CommitOutcome>,
    settle: UnboundedSender<Settle>,
    settler: JoinHandle<()>,
    events: UnboundedReceiver<Event>,
    answers: UnboundedSender<Event>,
    /// Turns true when nobody waits for the commits any more.
    give_up: watch::Sender<bool>,
    stop: watch::Receiver<bool>,
    stop_deliveries: Arc<Notify>,
    /// True while nothing is to be delivered.
    pause_deliveries: watch::Sender<bool>,
    /// True while the database is away for long.
    database_away: watch::Receiver<bool>,
    fetches: Arc<Semaphore>,
    malformed: Arc<Semaphore>,
}

impl<S: JobStore + Clone + 'static> Driver<S> {
    pub(crate) fn start<R: PictureReader>(
        service: Service<S, R>,
        publisher: Publisher,
        stop: watch::Receiver<bool>,
    ) -> io::Result<Driver<S>> {
        let Service { store, reader, images, tenants, settings, metrics, .. } = service;
        let window = settings.threads * WINDOW_PER_THREAD;
        let readers = {
            let (images, metrics) = (images.clone(), metrics.clone());
            let read = move |reader: &mut R, work: &Work, room: &Room| read(reader, work, room, &images, &metrics);
            let pool = PoolSettings { threads: settings.threads, waiting: window, memory: settings.memory };
            ReaderPool::start(&reader, pool, read)?
        };
        let (answers, events) = mpsc::unbounded_channel();
        let (ends, uncommitted) = mpsc::unbounded_channel();
        let (committed, commits) = mpsc::unbounded_channel();
        let (give_up, given_up) = watch::channel(false);
        let ServiceSettings { threads, retries, drain, give_back_after, .. } = settings;
        let (away, database_away) = watch::channel(false);
        tokio::spawn(watch_database(store.clone(), metrics.clone(), give_back_after, away));
        tokio::spawn(commit_all(store.clone(), settings, metrics.clone(), uncommitted, committed, given_up));
        let (settle, unsettled) = mpsc::unbounded_channel();
        let settler = tokio::spawn(settle_all(unsettled));
        metrics.threads(threads);
        Ok(Driver {
            state: State::new(Limits { window, fetches: FETCHES, retries, drain }),
            receipts: HashMap::new(),
            tags: 0,
            store,
            publisher,
            images,
            tenants,
            max_bytes: reader.max_bytes(),
            readers,
            metrics,
            ends,
            commits,
            settle,
            settler,
            events,
            answers,
            give_up,
            stop,
            stop_deliveries: Arc::new(Notify::new()),
            pause_deliveries: watch::channel(false).0,
            database_away,
            fetches: Arc::new(Semaphore::new(FETCHES)),
            malformed: Arc::new(Semaphore::new(MALFORMED)),
        })
    }

    /// Works until told to stop and then until nothing is in hand, or the time for that is over.
    pub(crate) async fn run(mut self, consumer: &Consumer, mut deliveries: Receiver<Delivery>) -> ServiceReport {
        let mut health = consumer.watch();
        let mut stop = self.stop.clone();
        let mut paused = self.pause_deliveries.subscribe();
        let mut database_away = self.database_away.clone();
        let stop_deliveries = Arc::clone(&self.stop_deliveries);
        let no_answer = async {
            stop_deliveries.notified().await;
            if timeout(DRAIN_ANSWER, consumer.drain()).await.is_ok() {
                // The receiver of deliveries ends by itself.
                std::future::pending::<()>().await;
            }
        };
        pin!(no_answer);
        let mut open = true;
        while !self.state.is_over() {
            let wake_at = self.state.wake_at();
            let event = tokio::select! {
                delivery = deliveries.recv(), if open => match delivery {
                    Some(delivery) => self.delivered(delivery, &mut deliveries),
                    None => {
                        open = false;
                        Event::DeliveriesClosed
                    }
                },
                () = &mut no_answer, if open => {
                    // Without a broker there is nothing to be delivered.
                    open = false;
                    Event::DeliveriesClosed
                }
                Some(event) = self.events.recv() => event,
                Some(outcome) = self.commits.recv() => outcome.into(),
                Ok(()) = health.changed() => match self.lost(&mut health) {
                    Some(event) => event,
                    None => continue,
                },
                Ok(()) = paused.changed() => {
                    if *paused.borrow_and_update() { consumer.pause() } else { consumer.resume() }
                    continue;
                }
                Ok(()) = database_away.changed() => {
                    if *database_away.borrow_and_update() { Event::DatabaseAway } else { Event::DatabaseBack }
                }
                () = stop_requested(&mut stop), if !self.state.is_stopping() => Event::StopRequested,
                () = sleep_until(wake_at) => Event::TimePassed,
            };
            self.take_note(event);
        }
        self.finish().await
    }

    fn take_note(&mut self, event: Event) {
        match &event {
            Event::Claimed(_) => crash_point("after-begin"),
            Event::Read(_, Ok(_)) => crash_point("after-read"),
            _ => {}
        }
        let effects = step(&mut self.state, event, Instant::now());
        effects.into_iter().for_each(|effect| self.execute(effect));
        self.metrics.in_hand(self.state.in_hand());
    }

    /// A delivery and those that wait behind it. One whose connection is lost already comes again.
    fn delivered(&mut self, first: Delivery, deliveries: &mut Receiver<Delivery>) -> Event {
        crash_point("after-receive");
        let mut arrivals = Vec::new();
        let mut next = Some(first);
        while let Some(delivery) = next {
            if delivery.is_live() {
                arrivals.extend(self.take_in_hand(delivery));
            }
            next = deliveries.try_recv().ok();
        }
        Event::Delivered(arrivals)
    }

    /// What a delivery says; nothing of one that is renewed, since its copy arrives.
    fn take_in_hand(&mut self, delivery: Delivery) -> Option<Arrival> {
        self.tags += 1;
        let often = delivery.deliveries >= RENEWED_FROM;
        match arrival(delivery, self.tags, &self.tenants) {
            (Arrival::Job { message, message_id, failures, .. }, receipt) if often => {
                self.renew(Renewal { message, message_id, failures, receipt });
                None
            }
            (arrival, receipt) => {
                self.receipts.insert(self.tags, receipt);
                Some(arrival)
            }
        }
    }

    /// The deliveries whose connections are lost, after a change of the consumer's health.
    fn lost(&mut self, health: &mut watch::Receiver<Health>) -> Option<Event> {
        health.mark_unchanged();
        let lost: Vec<Tag> =
            self.receipts.iter().filter(|(_, receipt)| !receipt.is_live()).map(|(&tag, _)| tag).collect();
        lost.iter().for_each(|tag| drop(self.receipts.remove(tag)));
        (!lost.is_empty()).then_some(Event::Lost(lost))
    }

    async fn finish(self) -> ServiceReport {
        let report = ServiceReport { stored: self.state.stored(), abandoned: self.state.in_hand() };
        self.give_up.send_replace(true);
        // Every receipt still held is given back as it is dropped.
        drop((self.receipts, self.settle));
        let _ = timeout(DRAIN_ANSWER, self.settler).await;
        if report.abandoned == 0 {
            self.readers.stop().await;
        }
        report
    }
}

impl From<CommitOutcome> for Event {
    fn from(outcome: CommitOutcome) -> Event {
        match outcome {
            CommitOutcome::Stored(jobs) => Event::Committed(jobs),
            CommitOutcome::Rejected { job, reason } => Event::NotStorable(job, reason),
        }
    }
}

/// Waits for a moment; for ever without one.
async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}
