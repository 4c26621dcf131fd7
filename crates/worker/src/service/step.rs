//! The service as a state machine: what happened goes in, what to do comes out.
//!
//! [`step`] is a pure function. It waits for nothing and knows no broker, job store, thread or clock; the driver does what
//! it says and turns the answers into events. What it guarantees, whatever the order of events (`step/tests.rs`):
//!
//! - A delivery is acknowledged only after the commit of its job's end, or of an earlier one, or after its retry is
//!   published.
//! - A job that is delivered again while it is in hand has one end, and all its deliveries are settled together.
//! - A poison candidate, a job that may have ended a worker, is claimed only when no other job is, and no other job while
//!   it is.
//! - At most twice the window of jobs is claimed, and [`Limits::fetches`] more while pictures come from the web: a crash
//!   counts against every claimed job.
//! - After a stop nothing more is claimed, what is being read is finished, and the rest is given back without a claim.

mod claiming;
mod ending;
mod event;
mod job;

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use shenfen_core::JobKey;

pub(crate) use event::{Arrival, Counter, Effect, Event, Line, Malformed, ReadResult, Republish, Tag, Work};
pub(crate) use job::JobState;
use job::{HeldJob, Jobs};

use super::failure::Failure;

/// The limits that the step keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The most jobs with the reading threads.
    pub(crate) window: usize,
    /// Pictures fetched from the web at the same time.
    pub(crate) fetches: usize,
    /// How many failures that may pass are followed by another attempt.
    pub(crate) retries: u32,
    /// How long what was begun may take once the service is told to stop.
    pub(crate) drain: Duration,
}

/// A message that is no job, on its way to the dead letters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MalformedState {
    Publishing,
    /// Waits until no more deliveries can arrive, then it is given back.
    Requeuing,
}

/// Everything that the service knows.
pub(crate) struct State {
    limits: Limits,
    jobs: Jobs,
    malformed: BTreeMap<Tag, MalformedState>,
    /// The poison candidate whose turn it is.
    alone: Option<JobKey>,
    deliveries_open: bool,
    /// Whether the job store is away for so long that nothing is asked of it.
    database_away: bool,
    /// By when everything must be finished, once the service is told to stop.
    deadline: Option<Instant>,
    time_over: bool,
    stored: u64,
}

/// Takes note of `event`, which happened at `now`, and returns what to do, in this order.
pub(crate) fn step(state: &mut State, event: Event, now: Instant) -> Vec<Effect> {
    let mut effects = Vec::new();
    state.apply(event, now, &mut effects);
    state.claim_next(&mut effects);
    state.supply_readers(&mut effects);
    effects
}

impl State {
    /// Nothing in hand.
    pub(crate) fn new(limits: Limits) -> State {
        State {
            limits,
            jobs: Jobs::default(),
            malformed: BTreeMap::new(),
            alone: None,
            deliveries_open: true,
            database_away: false,
            deadline: None,
            time_over: false,
            stored: 0,
        }
    }

    /// Jobs received and not settled yet.
    pub(crate) fn in_hand(&self) -> usize {
        self.jobs.len()
    }

    /// Ends stored so far.
    pub(crate) fn stored(&self) -> u64 {
        self.stored
    }

    /// Whether the service was told to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.deadline.is_some()
    }

    /// When [`Event::TimePassed`] is due.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether there is nothing left to do after a stop, or no time left to do it.
    pub(crate) fn is_over(&self) -> bool {
        let nothing_left = self.jobs.len() == 0 && self.malformed.is_empty() && !self.deliveries_open;
        self.time_over || (self.is_stopping() && nothing_left)
    }

    fn apply(&mut self, event: Event, now: Instant, effects: &mut Vec<Effect>) {
        match event {
            Event::Delivered(arrivals) => arrivals.into_iter().for_each(|arrival| self.arrive(arrival, effects)),
            Event::Lost(tags) => self.lose(&tags.into_iter().collect()),
            Event::Claimed(answers) => answers.into_iter().for_each(|(key, answer)| self.claimed(key, answer, effects)),
            Event::NotClaimed(keys) => keys.into_iter().for_each(|key| self.not_claimed(key, effects)),
            Event::Fetched(key, fetched) => self.fetched(key, fetched, effects),
            Event::Read(key, read) => self.read(key, read, effects),
            Event::NotRead(key) => {
                if self.jobs.in_state(key, &[JobState::Reading]).is_some() {
                    self.release_unread(vec![key], effects);
                }
            }
            Event::Committed(keys) => keys.into_iter().for_each(|key| self.committed(key, effects)),
            Event::NotStorable(key, reason) => self.not_storable(key, reason, effects),
            Event::Published(key) => self.published(key, effects),
            Event::NotPublished(key) => self.not_published(key, effects),
            Event::Released(keys) => keys.into_iter().for_each(|key| self.released(key, effects)),
            Event::MalformedPublished(tag, confirmed) => self.malformed_published(tag, confirmed, effects),
            Event::DatabaseAway => self.lose_database(effects),
            Event::DatabaseBack => {
                if std::mem::take(&mut self.database_away) && !self.is_stopping() {
                    effects.push(Effect::ResumeDeliveries);
                }
            }
            Event::StopRequested => self.stop(now, effects),
            Event::DeliveriesClosed => self.close(effects),
            Event::TimePassed => {
                if self.deadline.is_some_and(|deadline| now >= deadline) && !self.is_over() {
                    self.time_over = true;
                    effects.push(Effect::Log(Line::TimeOver(self.jobs.len())));
                }
            }
        }
    }

    /// Takes a message in hand. A job that is in hand already only has one more delivery to settle at its end.
    fn arrive(&mut self, arrival: Arrival, effects: &mut Vec<Effect>) {
        effects.push(Effect::Count(Counter::Received));
        match arrival {
            Arrival::Job { tag, job, message, message_id, failures } => {
                let key = job.key();
                let arrived = HeldJob::new(job, message, message_id, failures, tag);
                match self.jobs.get_mut(key) {
                    Some(held) => held.deliver_again(arrived),
                    None => self.jobs.insert(arrived),
                }
                if self.database_away {
                    self.give_back_arrived(effects);
                }
            }
            Arrival::Malformed(malformed) => {
                self.malformed.insert(malformed.tag, MalformedState::Publishing);
                effects.push(Effect::Log(Line::Malformed(malformed.reason.clone())));
                effects.push(Effect::PublishMalformed(malformed));
            }
        }
    }

    /// Forgets deliveries of lost connections. A job that is not claimed and has none left is the broker's again; one that
    /// is claimed goes on, so that the work is not done twice.
    fn lose(&mut self, tags: &HashSet<Tag>) {
        self.malformed.retain(|tag, _| !tags.contains(tag));
        for key in self.jobs.forget(tags) {
            let unclaimed = [JobState::Arrived, JobState::PoisonCandidateWaiting, JobState::Requeuing];
            if self.jobs.in_state(key, &unclaimed).is_some() {
                self.jobs.remove(key);
            }
        }
    }

    /// Has nothing more delivered, and jobs that are not claimed published anew, so that none waits here for as long as an outage may
    /// last: a broker takes back what is not acknowledged in time, and counts that against the message. Jobs that are claimed go on:
    /// their ends wait for the job store, and what is taken back of them has its end when it comes again.
    fn lose_database(&mut self, effects: &mut Vec<Effect>) {
        if self.is_stopping() || std::mem::replace(&mut self.database_away, true) {
            return;
        }
        effects.push(Effect::Log(Line::GivingBack(self.jobs.len())));
        effects.push(Effect::PauseDeliveries);
        self.give_back_arrived(effects);
    }

    fn give_back_arrived(&mut self, effects: &mut Vec<Effect>) {
        for state in [JobState::Arrived, JobState::PoisonCandidateWaiting] {
            let waiting: Vec<JobKey> = self.jobs.keys(state).collect();
            waiting.into_iter().for_each(|key| self.fail(key, &Failure::DatabaseAway, effects));
        }
    }

    fn stop(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if self.is_stopping() {
            return;
        }
        self.deadline = Some(now + self.limits.drain);
        effects.push(Effect::Log(Line::Stopping(self.jobs.len())));
        effects.push(Effect::StopDeliveries);
        effects.push(Effect::DrainReaders);
        let ready = self.jobs.keys(JobState::Ready).collect();
        self.release_unread(ready, effects);
        if !self.deliveries_open {
            self.requeue_waiting(effects);
        }
    }

    fn close(&mut self, effects: &mut Vec<Effect>) {
        self.deliveries_open = false;
        if self.is_stopping() {
            self.requeue_waiting(effects);
        }
    }
}

#[cfg(test)]
mod tests;
