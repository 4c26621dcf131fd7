//! A job in hand and the states it goes through.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use shenfen_core::{Decision, Job, JobKey, Refusal};
use shenfen_queue::Message;

use super::Tag;

/// Where a job in hand is. `docs/job_states.md` draws the way from one state to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobState {
    /// Delivered; the job store has not been asked about it yet.
    Arrived,
    /// The job store is being asked whether the job may be read.
    Claiming,
    /// A poison candidate, which may have ended a worker: waits until no other job is claimed.
    PoisonCandidateWaiting,
    /// The job store is being asked about a poison candidate whose turn it is.
    ClaimingAlone,
    /// Claimed; its picture is on its way from a web server.
    Fetching,
    /// Claimed; waits for a reading thread.
    Ready,
    /// With the reading threads.
    Reading,
    /// Its end waits for the commit that stores it.
    Committing,
    /// It failed and is being published again, for a later attempt.
    PublishingRetry,
    /// It failed and is being published as a dead letter.
    PublishingDeadLetter,
    /// Its retry is published; the claim is being released, then its deliveries are acknowledged.
    ReleasingRetried,
    /// It was claimed and has no end; the claim is being released, then its deliveries are given back.
    ReleasingUnread,
    /// Waits until no more deliveries can arrive, then its deliveries are given back.
    Requeuing,
}

impl JobState {
    /// All of them, in the order of the enum.
    pub(crate) const ALL: [JobState; 13] = [
        JobState::Arrived,
        JobState::Claiming,
        JobState::PoisonCandidateWaiting,
        JobState::ClaimingAlone,
        JobState::Fetching,
        JobState::Ready,
        JobState::Reading,
        JobState::Committing,
        JobState::PublishingRetry,
        JobState::PublishingDeadLetter,
        JobState::ReleasingRetried,
        JobState::ReleasingUnread,
        JobState::Requeuing,
    ];

    /// The states that may follow this one.
    pub(crate) fn next(self) -> &'static [JobState] {
        use JobState::{
            Arrived, Claiming, ClaimingAlone, Committing, Fetching, PoisonCandidateWaiting, PublishingDeadLetter,
            PublishingRetry, Reading, Ready, ReleasingRetried, ReleasingUnread, Requeuing,
        };
        match self {
            Arrived => &[Claiming, PublishingRetry],
            Claiming => &[
                Fetching,
                Ready,
                PoisonCandidateWaiting,
                PublishingRetry,
                PublishingDeadLetter,
                ReleasingUnread,
                Requeuing,
            ],
            PoisonCandidateWaiting => &[ClaimingAlone, PublishingRetry],
            ClaimingAlone => &[
                Fetching,
                Ready,
                PoisonCandidateWaiting,
                PublishingRetry,
                PublishingDeadLetter,
                ReleasingUnread,
                Requeuing,
            ],
            Fetching => &[Ready, PublishingRetry, PublishingDeadLetter, ReleasingUnread],
            Ready => &[Reading, ReleasingUnread],
            Reading => &[Committing, PublishingRetry, PublishingDeadLetter, ReleasingUnread],
            Committing => &[PublishingDeadLetter],
            PublishingRetry => &[ReleasingRetried, ReleasingUnread, Requeuing],
            PublishingDeadLetter => &[Committing, ReleasingUnread, Requeuing],
            ReleasingRetried => &[],
            ReleasingUnread => &[Requeuing],
            Requeuing => &[],
        }
    }
}

/// How a job ended whose end is being committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With a result of this decision.
    Result(Decision),
    /// As a dead letter, which is published already.
    DeadLetter,
}

/// A job in hand.
pub(crate) struct HeldJob {
    pub(crate) job: Job,
    pub(crate) message: Arc<Message>,
    /// The AMQP message id, which a message that is published again keeps.
    pub(crate) message_id: Option<String>,
    /// How many attempts had failed before it came here.
    pub(crate) failures: u32,
    /// The number of the claim that the job store counts for it, if it counts one.
    pub(crate) attempt: Option<u32>,
    /// Its deliveries: more than one when it was delivered again while it was in hand, none when their connections were
    /// lost.
    pub(crate) tags: Vec<Tag>,
    /// The job as it was delivered again since it is being published for a retry: that may be the retry itself, so it is not
    /// settled with the other deliveries but arrives anew after them.
    pub(crate) again: Option<Box<HeldJob>>,
    /// The picture from the web, or why there is none.
    pub(crate) picture: Option<Result<Vec<u8>, Refusal>>,
    /// The end that is being committed.
    pub(crate) end: Option<End>,
    /// Why it failed.
    pub(crate) reason: Option<String>,
    state: JobState,
    entered: u64,
}

impl HeldJob {
    /// A job that has just arrived.
    pub(crate) fn new(job: Job, message: Arc<Message>, message_id: Option<String>, failures: u32, tag: Tag) -> HeldJob {
        HeldJob {
            job,
            message,
            message_id,
            failures,
            attempt: None,
            tags: vec![tag],
            again: None,
            picture: None,
            end: None,
            reason: None,
            state: JobState::Arrived,
            entered: 0,
        }
    }

    /// Adds a delivery of this job, which waits for the same end.
    pub(crate) fn deliver_again(&mut self, other: HeldJob) {
        if matches!(self.state, JobState::PublishingRetry | JobState::ReleasingRetried) {
            match &mut self.again {
                Some(again) => {
                    again.failures = again.failures.max(other.failures);
                    again.tags.extend(other.tags);
                }
                None => self.again = Some(Box::new(other)),
            }
        } else {
            self.tags.extend(other.tags);
        }
    }

    /// Where it is.
    pub(crate) fn state(&self) -> JobState {
        self.state
    }
}

/// The jobs in hand. The only place that changes a job's state, so that the order within each state and the counts cannot
/// differ from the jobs themselves.
#[derive(Default)]
pub(crate) struct Jobs {
    held: HashMap<JobKey, HeldJob>,
    /// The jobs of each state, in the order in which they entered it.
    by_state: [BTreeMap<u64, JobKey>; JobState::ALL.len()],
    entries: u64,
}

impl Jobs {
    /// Takes a job in hand.
    pub(crate) fn insert(&mut self, mut job: HeldJob) {
        self.entries += 1;
        job.entered = self.entries;
        self.by_state[job.state as usize].insert(job.entered, job.job.key());
        self.held.insert(job.job.key(), job);
    }

    /// The job of this identifier, if it is in hand.
    pub(crate) fn get(&self, key: JobKey) -> Option<&HeldJob> {
        self.held.get(&key)
    }

    /// As [`Jobs::get`], to change everything but its state.
    pub(crate) fn get_mut(&mut self, key: JobKey) -> Option<&mut HeldJob> {
        self.held.get_mut(&key)
    }

    /// The job of this identifier if it is in one of these states.
    pub(crate) fn in_state(&mut self, key: JobKey, states: &[JobState]) -> Option<&mut HeldJob> {
        self.held.get_mut(&key).filter(|job| states.contains(&job.state))
    }

    /// Moves a job to its next state.
    pub(crate) fn enter(&mut self, key: JobKey, state: JobState) {
        let Some(job) = self.held.get_mut(&key) else { return };
        debug_assert!(job.state.next().contains(&state), "{:?} must not become {state:?}", job.state);
        self.by_state[job.state as usize].remove(&job.entered);
        self.entries += 1;
        job.entered = self.entries;
        job.state = state;
        self.by_state[state as usize].insert(job.entered, key);
    }

    /// Lets go of a job.
    pub(crate) fn remove(&mut self, key: JobKey) -> Option<HeldJob> {
        let job = self.held.remove(&key)?;
        self.by_state[job.state as usize].remove(&job.entered);
        Some(job)
    }

    /// How many jobs are in one of these states.
    pub(crate) fn count(&self, states: &[JobState]) -> usize {
        states.iter().map(|&state| self.by_state[state as usize].len()).sum()
    }

    /// The jobs of a state, in the order in which they entered it.
    pub(crate) fn keys(&self, state: JobState) -> impl Iterator<Item = JobKey> + '_ {
        self.by_state[state as usize].values().copied()
    }

    /// How many jobs are in hand.
    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// Removes these deliveries, whose connections were lost, and returns the jobs that have none left.
    pub(crate) fn forget(&mut self, lost: &HashSet<Tag>) -> Vec<JobKey> {
        let mut without = Vec::new();
        for job in self.held.values_mut() {
            let before = job.tags.len();
            job.tags.retain(|tag| !lost.contains(tag));
            if let Some(again) = &mut job.again {
                again.tags.retain(|tag| !lost.contains(tag));
            }
            job.again.take_if(|again| again.tags.is_empty());
            if job.tags.is_empty() && before > 0 {
                without.push(job.job.key());
            }
        }
        without
    }
}

#[cfg(test)]
impl Jobs {
    /// Whether the lists by state hold each job exactly once, where it is.
    pub(crate) fn is_consistent(&self) -> bool {
        let listed: usize = self.by_state.iter().map(BTreeMap::len).sum();
        let in_its_list = |job: &HeldJob| self.by_state[job.state as usize].get(&job.entered) == Some(&job.job.key());
        listed == self.held.len() && self.held.values().all(in_its_list)
    }
}
