//! From a job's arrival to what the reading threads make of it.

use std::sync::Arc;

use shenfen_core::{JobKey, Refusal};
use shenfen_queue::Image;
use shenfen_store::Outcome;
use shenfen_store::port::ClaimOutcome;

use super::event::{Counter, Effect, Line, ReadResult, Work};
use super::job::{End, JobState};
use super::{Limits, State};
use crate::service::failure::Failure;

impl State {
    /// Asks the job store about the next jobs.
    pub(super) fn claim_next(&mut self, effects: &mut Vec<Effect>) {
        let asking = self.jobs.count(&[JobState::Claiming, JobState::ClaimingAlone]) > 0;
        if self.is_stopping() || self.database_away || asking || self.alone.is_some() {
            return;
        }
        let candidate = self.jobs.keys(JobState::PoisonCandidateWaiting).next();
        if let Some(candidate) = candidate {
            return self.claim_alone(candidate, effects);
        }
        let Limits { window, fetches, .. } = self.limits;
        let to_read = self.jobs.count(&[JobState::Ready, JobState::Reading]);
        let to_fetch = self.jobs.count(&[JobState::Fetching]);
        let room = (2 * window).saturating_sub(to_read).min((2 * window + fetches).saturating_sub(to_read + to_fetch));
        let next: Vec<JobKey> = self.jobs.keys(JobState::Arrived).take(room).collect();
        if next.is_empty() {
            return;
        }
        next.iter().for_each(|&key| self.jobs.enter(key, JobState::Claiming));
        let jobs = next.iter().filter_map(|&key| self.jobs.get(key)).map(|held| held.job.clone()).collect();
        effects.push(Effect::Claim { jobs, alone: false });
    }

    /// Asks about a poison candidate, once no other job could be blamed for what it does.
    pub(super) fn claim_alone(&mut self, candidate: JobKey, effects: &mut Vec<Effect>) {
        let waiting = self.jobs.count(&[JobState::Arrived, JobState::PoisonCandidateWaiting]);
        if waiting < self.jobs.len() {
            return;
        }
        let Some(held) = self.jobs.get(candidate) else { return };
        effects.push(Effect::Log(Line::ReadAlone(candidate)));
        effects.push(Effect::Claim { jobs: vec![held.job.clone()], alone: true });
        self.jobs.enter(candidate, JobState::ClaimingAlone);
        self.alone = Some(candidate);
    }

    pub(super) fn claimed(&mut self, key: JobKey, answer: ClaimOutcome, effects: &mut Vec<Effect>) {
        let stopping = self.is_stopping();
        let Some(held) = self.jobs.in_state(key, &[JobState::Claiming, JobState::ClaimingAlone]) else { return };
        match answer {
            ClaimOutcome::Claimed { attempt } => {
                held.attempt = Some(attempt);
                let message = Arc::clone(&held.message);
                if stopping {
                    self.release_unread(vec![key], effects);
                } else if matches!(message.image, Image::Url(_)) {
                    self.jobs.enter(key, JobState::Fetching);
                    effects.push(Effect::Fetch(key, message));
                } else {
                    self.jobs.enter(key, JobState::Ready);
                }
            }
            ClaimOutcome::PoisonCandidate if held.tags.is_empty() => self.let_go(key),
            ClaimOutcome::PoisonCandidate if stopping => self.requeue(key, effects),
            ClaimOutcome::PoisonCandidate => {
                self.jobs.enter(key, JobState::PoisonCandidateWaiting);
                self.alone = self.alone.filter(|&alone| alone != key);
            }
            ClaimOutcome::AlreadyEnded => {
                effects.push(Effect::Count(Counter::Repeated));
                self.acknowledge(key, effects);
            }
            ClaimOutcome::Exhausted { attempts } => {
                // The job store has counted this claim, too.
                held.attempt = Some(attempts + 1);
                self.fail(key, &Failure::Exhausted(attempts), effects);
            }
            ClaimOutcome::BatchPaused => self.fail(key, &Failure::Paused, effects),
        }
    }

    /// The job store was not reached: after a stop a job is given back, otherwise it is published anew.
    pub(super) fn not_claimed(&mut self, key: JobKey, effects: &mut Vec<Effect>) {
        let stopping = self.is_stopping();
        match self.jobs.in_state(key, &[JobState::Claiming, JobState::ClaimingAlone]) {
            None => {}
            Some(_) if stopping => self.requeue(key, effects),
            // Its connection was lost, so the broker has it already.
            Some(held) if held.tags.is_empty() => self.let_go(key),
            Some(_) => self.fail(key, &Failure::DatabaseAway, effects),
        }
    }

    pub(super) fn fetched(
        &mut self,
        key: JobKey,
        fetched: Result<Result<Vec<u8>, Refusal>, Failure>,
        effects: &mut Vec<Effect>,
    ) {
        let stopping = self.is_stopping();
        let Some(held) = self.jobs.in_state(key, &[JobState::Fetching]) else { return };
        match fetched {
            Err(failure) => self.fail(key, &failure, effects),
            Ok(_) if stopping => self.release_unread(vec![key], effects),
            Ok(picture) => {
                held.picture = Some(picture);
                self.jobs.enter(key, JobState::Ready);
            }
        }
    }

    /// Keeps the reading threads supplied. After a stop no job is ready.
    pub(super) fn supply_readers(&mut self, effects: &mut Vec<Effect>) {
        let room = self.limits.window.saturating_sub(self.jobs.count(&[JobState::Reading]));
        let next: Vec<JobKey> = self.jobs.keys(JobState::Ready).take(room).collect();
        for key in next {
            self.jobs.enter(key, JobState::Reading);
            let Some(held) = self.jobs.get_mut(key) else { continue };
            effects.push(Effect::Read(Work {
                key,
                attempt: held.attempt.unwrap_or(0),
                message: Arc::clone(&held.message),
                side: held.job.side,
                fetched: held.picture.take(),
            }));
        }
    }

    pub(super) fn read(&mut self, key: JobKey, read: Result<ReadResult, Failure>, effects: &mut Vec<Effect>) {
        let Some(held) = self.jobs.in_state(key, &[JobState::Reading]) else { return };
        match read {
            Ok((result, image_sha256)) => {
                held.end = Some(End::Result(result.decision));
                self.commit(key, Outcome::Read { result, image_sha256 }, effects);
            }
            Err(failure) => self.fail(key, &failure, effects),
        }
    }
}
