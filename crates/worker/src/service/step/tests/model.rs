//! A small model of everything around the step: a broker, a job store and whoever answers. It checks every effect against
//! what may be done at that moment.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use shenfen_core::{
    CardValidity, Decision, Elapsed, JobKey, ModelInfo, PictureResult, ReaderFault, RequestedSide, Status, Tenant,
};
use shenfen_queue::{Image, Message, Route};
use shenfen_store::port::ClaimOutcome;
use shenfen_store::{Finished, Outcome};
use uuid::Uuid;

use super::checks::Progress;
use crate::service::failure::Failure;
use crate::service::intake::job_of;
use crate::service::step::{Arrival, Event, Limits, Malformed, Republish, State, Tag, step};

pub(super) const LIMITS: Limits = Limits { window: 3, fetches: 2, retries: 2, drain: Duration::from_secs(30) };
/// How often the model's job store lets a job be claimed, and from when on it is a poison candidate.
const MAX_ATTEMPTS: u32 = 10;
const POISON_CANDIDATE_ATTEMPTS: u32 = 3;
/// The most deliveries that are out at once.
const PREFETCH: usize = 24;

/// A message on its way: a job's, with the failures that it carries, or one that is no job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letter {
    Job { number: u64, failures: u32 },
    Malformed(u64),
}

impl Letter {
    /// Whether it is about this job.
    pub(super) fn is_of(self, number: u64) -> bool {
        matches!(self, Letter::Job { number: other, .. } if other == number)
    }
}

/// What a job's picture is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Inline,
    Web,
    /// Ends the process that reads it.
    Poison,
}

/// How a job ended, by the job store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Result,
    DeadLetter,
}

/// What the job store knows of a job.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    pub(super) attempts: u32,
    /// Attempts that a crash left counted, or a release that did not arrive.
    pub(super) lost_attempts: u32,
    pub(super) end: Option<End>,
}

/// Something that the step asked for and that is not answered yet.
pub(super) enum Pending {
    Claim { jobs: Vec<u64>, alone: bool },
    Fetch(u64),
    Read(u64),
    Commit(Finished),
    Publish(Republish),
    Malformed(Malformed),
    Release(Vec<u64>),
    Close,
}

pub(super) struct World {
    pub(super) state: State,
    pub(super) now: Instant,
    pub(super) queue: VecDeque<Letter>,
    pub(super) retries: Vec<Letter>,
    pub(super) dead_letters: Vec<Letter>,
    pub(super) unsettled: BTreeMap<Tag, Letter>,
    pub(super) jobs: BTreeMap<u64, Kind>,
    pub(super) malformed: u64,
    pub(super) entries: BTreeMap<u64, Entry>,
    pub(super) paused: bool,
    /// Whether the job store is away, and whether the broker is to deliver nothing meanwhile.
    pub(super) away: bool,
    pub(super) deliveries_paused: bool,
    pub(super) pending: Vec<Pending>,
    pub(super) stopping: bool,
    pub(super) closed: bool,
    /// The jobs that the worker has begun and not let go of.
    pub(super) progress: BTreeMap<u64, Progress>,
    /// The poison candidate among them, if it is one.
    pub(super) alone: Option<u64>,
    /// Jobs whose retry is published, so that their deliveries may be retried now.
    pub(super) retried: BTreeSet<u64>,
    /// Jobs that are published anew without having been claimed.
    pub(super) unclaimed: BTreeSet<u64>,
    tags: Tag,
}

/// Two tenants' jobs share an identifier each.
pub(super) fn job_key(number: u64) -> JobKey {
    let tenant = if number.is_multiple_of(2) { Tenant::DEFAULT } else { "other".parse().unwrap() };
    JobKey { tenant, id: Uuid::from_u128((number / 2).into()).into() }
}

pub(super) fn number_of(key: JobKey) -> u64 {
    Uuid::from(key.id).as_u128() as u64 * 2 + u64::from(key.tenant != Tenant::DEFAULT)
}

pub(super) fn result() -> PictureResult {
    PictureResult {
        status: Status::Ok,
        message: BTreeMap::new(),
        cards: Vec::new(),
        findings: Vec::new(),
        decision: Decision::Accept,
        model: ModelInfo { name: "model".into(), version: "1".into(), sha256: "0".into() },
        validity: CardValidity::Unknown,
        policy: None,
        elapsed_ms: Elapsed::default(),
    }
}

impl World {
    pub(super) fn new() -> World {
        World {
            state: State::new(LIMITS),
            now: Instant::now(),
            queue: VecDeque::new(),
            retries: Vec::new(),
            dead_letters: Vec::new(),
            unsettled: BTreeMap::new(),
            jobs: BTreeMap::new(),
            malformed: 0,
            entries: BTreeMap::new(),
            paused: false,
            away: false,
            deliveries_paused: false,
            pending: Vec::new(),
            stopping: false,
            closed: false,
            progress: BTreeMap::new(),
            alone: None,
            retried: BTreeSet::new(),
            unclaimed: BTreeSet::new(),
            tags: 0,
        }
    }

    /// Publishes a job of this kind.
    pub(super) fn publish(&mut self, kind: Kind) {
        let number = self.jobs.len() as u64 + 1;
        self.jobs.insert(number, kind);
        self.queue.push_back(Letter::Job { number, failures: 0 });
    }

    fn message(&self, number: u64) -> Message {
        let image = match self.jobs[&number] {
            Kind::Web => Image::Url("https://cards.example.com/a.jpg".into()),
            Kind::Inline | Kind::Poison => Image::Inline(vec![1]),
        };
        let JobKey { tenant, id: job_id } = job_key(number);
        Message { tenant, job_id, batch: "test".into(), reference: None, side: RequestedSide::Auto, image }
    }

    /// Lets the broker deliver up to `most` messages.
    pub(super) fn deliver(&mut self, most: usize) {
        let room = PREFETCH.saturating_sub(self.unsettled.len());
        let count = most.min(room).min(self.queue.len());
        if self.closed || self.deliveries_paused || count == 0 {
            return;
        }
        let letters: Vec<Letter> = self.queue.drain(..count).collect();
        let arrivals = letters.into_iter().map(|letter| self.arrival(letter)).collect();
        self.tell(Event::Delivered(arrivals));
    }

    fn arrival(&mut self, letter: Letter) -> Arrival {
        self.tags += 1;
        let tag = self.tags;
        self.unsettled.insert(tag, letter);
        match letter {
            Letter::Job { number, failures } => {
                let message = Arc::new(self.message(number));
                Arrival::Job { tag, job: job_of(&message), message, message_id: None, failures }
            }
            Letter::Malformed(_) => Arrival::Malformed(Malformed {
                tag,
                reason: "v must be 1".into(),
                route: Route::Dead,
                body: Vec::new(),
                message_id: None,
            }),
        }
    }

    /// Every delivery comes again, under another name.
    pub(super) fn lose_connection(&mut self) {
        let lost = std::mem::take(&mut self.unsettled);
        self.queue.extend(lost.values().copied());
        self.tell(Event::Lost(lost.into_keys().collect()));
    }

    /// The process ends in the middle of everything; what it asked for last may have been done. Jobs that were claimed keep
    /// their attempt counted.
    pub(super) fn crash(&mut self, requests_arrived: bool) {
        for pending in std::mem::take(&mut self.pending) {
            match pending {
                Pending::Commit(finished) if requests_arrived => self.store(&finished),
                Pending::Publish(failed) if requests_arrived => self.confirm(&failed),
                _ => {}
            }
        }
        for (number, progress) in std::mem::take(&mut self.progress) {
            let entry = self.entries.entry(number).or_default();
            if progress != Progress::Claiming && entry.attempts > entry.lost_attempts {
                entry.lost_attempts = entry.attempts;
            }
        }
        self.queue.extend(std::mem::take(&mut self.unsettled).into_values());
        self.alone = None;
        self.restart();
    }

    /// A worker that has just begun.
    pub(super) fn restart(&mut self) {
        self.state = State::new(LIMITS);
        self.pending.clear();
        self.unclaimed.clear();
        (self.stopping, self.closed) = (false, false);
        (self.away, self.deliveries_paused) = (false, false);
    }

    /// The job store goes away for long, or comes back.
    pub(super) fn database(&mut self, away: bool) {
        self.away = away;
        self.tell(if away { Event::DatabaseAway } else { Event::DatabaseBack });
        assert!(self.stopping || self.deliveries_paused == away, "it receives jobs that it can do nothing about");
    }

    pub(super) fn stop(&mut self) {
        self.stopping = true;
        self.tell(Event::StopRequested);
    }

    /// Tells the step what happened, and checks and notes what it does about it.
    pub(super) fn tell(&mut self, event: Event) {
        let effects = step(&mut self.state, event, self.now);
        effects.into_iter().for_each(|effect| self.check(effect));
        assert!(self.state.jobs.is_consistent(), "the lists by state differ from the jobs");
        let without_delivery = self.progress.len();
        assert!(self.state.in_hand() <= self.unsettled.len() + without_delivery, "a job is held for nothing");
    }

    /// Answers one request; with a fault of the given sort where it is one that can happen now. Returns whether the process
    /// goes on.
    pub(super) fn answer(&mut self, index: usize, fault: Option<u16>) {
        let stopping = self.stopping;
        match self.pending.swap_remove(index) {
            Pending::Claim { jobs, .. } if fault.is_some() && (stopping || self.away) => {
                // Those without a delivery are the broker's already.
                let is_delivered = |number: u64| self.unsettled.values().any(|letter| letter.is_of(number));
                let gone: Vec<u64> = jobs.iter().copied().filter(|&number| stopping || !is_delivered(number)).collect();
                self.leave(&gone);
                self.tell(Event::NotClaimed(jobs.into_iter().map(job_key).collect()));
            }
            Pending::Claim { jobs, alone } => {
                let answers = jobs.iter().map(|&number| (job_key(number), self.claim(number, alone))).collect();
                self.tell(Event::Claimed(answers));
            }
            Pending::Fetch(number) => {
                self.progress.insert(number, Progress::Claimed);
                let away = || Failure::Unavailable("away".into());
                self.tell(Event::Fetched(job_key(number), if fault.is_some() { Err(away()) } else { Ok(Ok(vec![1])) }));
            }
            Pending::Read(number) if self.jobs[&number] == Kind::Poison => self.crash(false),
            Pending::Read(number) => self.answer_read(number, fault),
            Pending::Commit(finished) => self.answer_commit(finished, fault),
            Pending::Publish(failed) => self.answer_publish(failed, fault),
            Pending::Malformed(Malformed { tag, .. }) => {
                let published = fault.is_none() || !stopping;
                if let Some(letter) = self.unsettled.get(&tag).filter(|_| published) {
                    self.dead_letters.push(*letter);
                }
                self.tell(Event::MalformedPublished(tag, published));
            }
            Pending::Release(numbers) => {
                for &number in &numbers {
                    let entry = self.entries.entry(number).or_default();
                    if fault.is_some() {
                        entry.lost_attempts = entry.attempts;
                    } else if entry.end.is_none() {
                        entry.attempts -= 1;
                    }
                    if self.progress.get(&number) == Some(&(Progress::Releasing { then_ack: true })) {
                        self.retried.insert(number);
                    }
                }
                self.leave(&numbers);
                self.tell(Event::Released(numbers.iter().copied().map(job_key).collect()));
                self.retried.retain(|number| !numbers.contains(number));
            }
            Pending::Close => {
                self.closed = true;
                self.tell(Event::DeliveriesClosed);
            }
        }
    }

    /// These jobs are in progress no more.
    fn leave(&mut self, numbers: &[u64]) {
        self.progress.retain(|number, _| !numbers.contains(number));
        self.alone = self.alone.filter(|alone| !numbers.contains(alone));
    }

    fn claim(&mut self, number: u64, alone: bool) -> ClaimOutcome {
        let entry = self.entries.entry(number).or_default();
        if entry.end.is_some() {
            self.leave(&[number]);
            return ClaimOutcome::AlreadyEnded;
        }
        if self.paused {
            return ClaimOutcome::BatchPaused;
        }
        if entry.attempts >= POISON_CANDIDATE_ATTEMPTS && !alone {
            self.leave(&[number]);
            return ClaimOutcome::PoisonCandidate;
        }
        entry.attempts += 1;
        let attempts = entry.attempts;
        self.progress.insert(number, Progress::Claimed);
        match attempts {
            attempts if attempts > MAX_ATTEMPTS => ClaimOutcome::Exhausted { attempts: attempts - 1 },
            attempt => ClaimOutcome::Claimed { attempt },
        }
    }

    fn answer_read(&mut self, number: u64, fault: Option<u16>) {
        let key = job_key(number);
        if self.stopping && fault == Some(0) {
            return self.tell(Event::NotRead(key));
        }
        self.progress.insert(number, Progress::Read);
        let outcome = match fault {
            None => Ok((Box::new(result()), None)),
            Some(sort) if sort % 3 == 0 => Err(Failure::Reader(ReaderFault::Panicked("a.rs:1".into()))),
            Some(sort) if sort % 3 == 1 => Err(Failure::Reader(ReaderFault::Engine("no memory".into()))),
            Some(_) => Err(Failure::Unavailable("away".into())),
        };
        self.tell(Event::Read(key, outcome));
    }

    fn answer_commit(&mut self, finished: Finished, fault: Option<u16>) {
        let (key, number) = (finished.job.key(), number_of(finished.job.key()));
        if fault.is_some() {
            if matches!(finished.outcome, Outcome::Dead { .. }) {
                let entry = self.entries.entry(number).or_default();
                entry.lost_attempts = entry.attempts;
                self.leave(&[number]);
            }
            return self.tell(Event::NotStorable(key, "no such row".into()));
        }
        self.store(&finished);
        self.leave(&[number]);
        self.tell(Event::Committed(vec![key]));
    }

    /// The first end of a job stands.
    fn store(&mut self, finished: &Finished) {
        let entry = self.entries.entry(number_of(finished.job.key())).or_default();
        if entry.end.is_none() {
            let is_result = matches!(finished.outcome, Outcome::Read { .. });
            entry.end = Some(if is_result { End::Result } else { End::DeadLetter });
        }
    }

    /// The broker has the message.
    fn confirm(&mut self, failed: &Republish) {
        let letter = Letter::Job { number: number_of(failed.key), failures: failed.failures };
        match failed.route {
            Route::Dead | Route::Refused => self.dead_letters.push(letter),
            Route::Retry(_) | Route::Jobs => self.retries.push(letter),
        }
    }

    fn answer_publish(&mut self, failed: Republish, fault: Option<u16>) {
        let (key, number) = (failed.key, number_of(failed.key));
        let claimed = !self.unclaimed.remove(&number);
        if fault.is_some() && self.stopping {
            if claimed {
                self.progress.insert(number, Progress::PublishingStopped);
            } else {
                self.leave(&[number]);
            }
            return self.tell(Event::NotPublished(key));
        }
        // A confirm that was lost doubles the message.
        (0..=u8::from(fault.is_some())).for_each(|_| self.confirm(&failed));
        if failed.route == Route::Dead {
            self.progress.insert(number, Progress::DeadLetterPublished);
        } else if claimed {
            self.progress.insert(number, Progress::RetryPublished);
        } else {
            self.leave(&[number]);
            self.retried.insert(number);
        }
        self.tell(Event::Published(key));
        if !claimed {
            self.retried.remove(&number);
        }
    }
}
