//! From a job's end, or its failure, to the settlement of its deliveries.

use std::sync::Arc;

use shenfen_core::JobKey;
use shenfen_queue::Route;
use shenfen_store::{Finished, Outcome};

use super::event::{Counter, Effect, Line, Republish, Tag};
use super::job::{End, HeldJob, JobState};
use super::{MalformedState, State};
use crate::service::failure::{Disposition, Failure};

impl State {
    pub(super) fn commit(&mut self, key: JobKey, outcome: Outcome, effects: &mut Vec<Effect>) {
        let Some(held) = self.jobs.get(key) else { return };
        let attempt = held.attempt.unwrap_or(0);
        effects.push(Effect::Commit(Finished { job: held.job.clone(), attempt, outcome }));
        self.jobs.enter(key, JobState::Committing);
    }

    pub(super) fn committed(&mut self, key: JobKey, effects: &mut Vec<Effect>) {
        let Some(held) = self.jobs.in_state(key, &[JobState::Committing]) else { return };
        let counter = match held.end {
            Some(End::Result(decision)) => Counter::Stored(decision),
            Some(End::DeadLetter) | None => Counter::Dead,
        };
        self.stored += 1;
        effects.push(Effect::Count(counter));
        self.acknowledge(key, effects);
    }

    pub(super) fn not_storable(&mut self, key: JobKey, reason: String, effects: &mut Vec<Effect>) {
        let Some(held) = self.jobs.in_state(key, &[JobState::Committing]) else { return };
        if held.end == Some(End::DeadLetter) {
            // The letter is the job's end. Publishing another one would go on for ever.
            effects.push(Effect::Log(Line::DeadEndNotStored { key, reason }));
            effects.push(Effect::Count(Counter::Dead));
            return self.acknowledge(key, effects);
        }
        self.fail(key, &Failure::NotStorable(reason), effects);
    }

    /// Has a failed job published again, for later or as a dead letter. Its deliveries are acknowledged only after that.
    pub(super) fn fail(&mut self, key: JobKey, failure: &Failure, effects: &mut Vec<Effect>) {
        let Some(held) = self.jobs.get_mut(key) else { return };
        let reason = failure.to_string();
        let disposition = failure.disposition(held.failures, self.limits.retries);
        let (route, failures, state) = match disposition {
            Disposition::Retry { step, failures } => (Route::Retry(step), failures, JobState::PublishingRetry),
            Disposition::DeadLetter => (Route::Dead, held.failures, JobState::PublishingDeadLetter),
        };
        held.end = None;
        held.reason = Some(reason.clone());
        let (message, message_id) = (Arc::clone(&held.message), held.message_id.clone());
        // One line says it for all jobs of an outage.
        if *failure != Failure::DatabaseAway {
            effects.push(Effect::Log(Line::Failed { key, reason: reason.clone(), disposition }));
        }
        effects.push(Effect::Publish(Republish { key, route, message, message_id, failures, reason }));
        self.jobs.enter(key, state);
    }

    pub(super) fn published(&mut self, key: JobKey, effects: &mut Vec<Effect>) {
        let publishing = [JobState::PublishingRetry, JobState::PublishingDeadLetter];
        let Some(held) = self.jobs.in_state(key, &publishing) else { return };
        if held.state() == JobState::PublishingDeadLetter {
            held.end = Some(End::DeadLetter);
            let reason = held.reason.take().unwrap_or_default();
            return self.commit(key, Outcome::Dead { reason }, effects);
        }
        effects.push(Effect::Count(Counter::Retried));
        if held.attempt.is_some() {
            self.jobs.enter(key, JobState::ReleasingRetried);
            effects.push(Effect::Release(vec![key]));
        } else {
            self.acknowledge(key, effects);
        }
    }

    pub(super) fn not_published(&mut self, key: JobKey, effects: &mut Vec<Effect>) {
        let publishing = [JobState::PublishingRetry, JobState::PublishingDeadLetter];
        let Some(held) = self.jobs.in_state(key, &publishing) else { return };
        if held.attempt.is_some() {
            self.release_unread(vec![key], effects);
        } else {
            self.requeue(key, effects);
        }
    }

    /// Releases the claims of jobs, which are then given back: none of them costs the job an attempt.
    pub(super) fn release_unread(&mut self, keys: Vec<JobKey>, effects: &mut Vec<Effect>) {
        if keys.is_empty() {
            return;
        }
        keys.iter().for_each(|&key| self.jobs.enter(key, JobState::ReleasingUnread));
        effects.push(Effect::Release(keys));
    }

    pub(super) fn released(&mut self, key: JobKey, effects: &mut Vec<Effect>) {
        match self.jobs.get(key).map(HeldJob::state) {
            Some(JobState::ReleasingRetried) => self.acknowledge(key, effects),
            Some(JobState::ReleasingUnread) => self.requeue(key, effects),
            _ => {}
        }
    }

    pub(super) fn malformed_published(&mut self, tag: Tag, confirmed: bool, effects: &mut Vec<Effect>) {
        if confirmed {
            effects.push(Effect::Count(Counter::Dead));
        }
        match self.malformed.get_mut(&tag) {
            Some(_) if confirmed => {
                self.malformed.remove(&tag);
                effects.push(Effect::Ack(tag));
            }
            Some(state) if self.deliveries_open => *state = MalformedState::Requeuing,
            Some(_) => {
                self.malformed.remove(&tag);
                effects.push(Effect::Requeue(tag));
            }
            None => {}
        }
    }

    /// Gives back everything that waits for nothing but the end of deliveries.
    pub(super) fn requeue_waiting(&mut self, effects: &mut Vec<Effect>) {
        for state in [JobState::Arrived, JobState::PoisonCandidateWaiting, JobState::Requeuing] {
            let waiting: Vec<JobKey> = self.jobs.keys(state).collect();
            waiting.into_iter().for_each(|key| self.requeue(key, effects));
        }
        let requeuing = |&(_, &state): &(&Tag, &MalformedState)| state == MalformedState::Requeuing;
        let tags: Vec<Tag> = self.malformed.iter().filter(requeuing).map(|(&tag, _)| tag).collect();
        for tag in tags {
            self.malformed.remove(&tag);
            effects.push(Effect::Requeue(tag));
        }
    }

    /// Gives the deliveries of a job back to the broker, but not while it would deliver them here again and count that
    /// against the message.
    pub(super) fn requeue(&mut self, key: JobKey, effects: &mut Vec<Effect>) {
        let Some(held) = self.jobs.get_mut(key) else { return };
        if let Some(again) = held.again.take() {
            held.tags.extend(again.tags);
        }
        if self.deliveries_open && !held.tags.is_empty() {
            return self.jobs.enter(key, JobState::Requeuing);
        }
        let tags = std::mem::take(&mut held.tags);
        effects.push(Effect::Count(Counter::GivenBack));
        effects.extend(tags.into_iter().map(Effect::Requeue));
        self.let_go(key);
    }

    /// Acknowledges the deliveries of a job that needs nothing more. Where it was delivered again since its retry was
    /// published, it arrives anew.
    pub(super) fn acknowledge(&mut self, key: JobKey, effects: &mut Vec<Effect>) {
        let Some(held) = self.jobs.get_mut(key) else { return };
        let (tags, again) = (std::mem::take(&mut held.tags), held.again.take());
        effects.extend(tags.into_iter().map(Effect::Ack));
        self.let_go(key);
        if let Some(again) = again {
            self.jobs.insert(*again);
            if self.is_stopping() && !self.deliveries_open {
                self.requeue(key, effects);
            }
        }
    }

    pub(super) fn let_go(&mut self, key: JobKey) {
        self.jobs.remove(key);
        self.alone = self.alone.filter(|&alone| alone != key);
    }
}
