//! What the step may do, and when.

use shenfen_queue::Route;
use shenfen_store::Outcome;

use super::model::{Kind, LIMITS, Letter, Pending, World, job_key, number_of, result};
use crate::service::step::{Effect, Event, Tag, Work};
use Progress::{
    Claimed, Claiming, Committing, DeadLetterPublished, Fetching, Publishing, PublishingStopped, Read, Reading,
    Releasing, RetryPublished,
};

/// How far a job in progress is, as far as the effects and answers so far say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Claiming,
    Claimed,
    Fetching,
    Reading,
    Read,
    Committing,
    Publishing(Route),
    /// Publishing it failed, and the service is stopping.
    PublishingStopped,
    DeadLetterPublished,
    RetryPublished,
    Releasing {
        then_ack: bool,
    },
}

impl World {
    fn expect(&mut self, number: u64, expected: &[Progress], next: Progress) {
        let now = self.progress.get(&number).copied();
        assert!(now.is_some_and(|now| expected.contains(&now)), "job {number} is {now:?}, before {next:?}");
        self.progress.insert(number, next);
    }

    fn count(&self, which: impl Fn(&u64, Progress) -> bool) -> usize {
        self.progress.iter().filter(|&(number, &progress)| which(number, progress)).count()
    }

    /// Whether the dead letter of a job is published.
    pub(super) fn has_dead_letter(&self, number: u64) -> bool {
        self.dead_letters.iter().any(|letter| letter.is_of(number))
    }

    /// Checks an effect against what may be done now, and notes what is to be answered.
    pub(super) fn check(&mut self, effect: Effect) {
        match effect {
            Effect::Claim { jobs, alone } => {
                self.check_claim(jobs.iter().map(|job| number_of(job.key())).collect(), alone)
            }
            Effect::Fetch(key, _) => {
                let number = number_of(key);
                assert_eq!(self.jobs[&number], Kind::Web);
                self.expect(number, &[Claimed], Fetching);
                self.pending.push(Pending::Fetch(number));
            }
            Effect::Read(work) => self.check_read(&work),
            Effect::Commit(finished) => {
                let number = number_of(finished.job.key());
                let before = match finished.outcome {
                    Outcome::Read { .. } => Read,
                    Outcome::Dead { .. } => DeadLetterPublished,
                };
                self.expect(number, &[before], Committing);
                self.pending.push(Pending::Commit(finished));
            }
            Effect::Publish(failed) => {
                let number = number_of(failed.key);
                if !self.progress.contains_key(&number) {
                    assert!(self.away, "job {number} is published anew before it is claimed");
                    self.progress.insert(number, Claiming);
                }
                if self.progress[&number] == Claiming {
                    self.unclaimed.insert(number);
                }
                self.expect(number, &[Claiming, Claimed, Fetching, Read, Committing], Publishing(failed.route));
                self.pending.push(Pending::Publish(failed));
            }
            Effect::PublishMalformed(malformed) => {
                assert!(self.unsettled.contains_key(&malformed.tag));
                self.pending.push(Pending::Malformed(malformed));
            }
            Effect::Release(keys) => {
                let numbers: Vec<u64> = keys.into_iter().map(number_of).collect();
                for &number in &numbers {
                    let then_ack = self.progress.get(&number) == Some(&RetryPublished);
                    let before = [RetryPublished, Claimed, Fetching, Reading, PublishingStopped];
                    self.expect(number, &before, Releasing { then_ack });
                }
                self.pending.push(Pending::Release(numbers));
            }
            Effect::Ack(tag) => self.check_ack(tag),
            Effect::Requeue(tag) => {
                assert!(self.stopping && self.closed, "given back while it would be delivered here again");
                let letter = self.unsettled.remove(&tag).expect("a delivery is settled once");
                self.queue.push_back(letter);
            }
            Effect::PauseDeliveries => self.deliveries_paused = true,
            Effect::ResumeDeliveries => self.deliveries_paused = false,
            Effect::StopDeliveries => self.pending.push(Pending::Close),
            Effect::DrainReaders | Effect::Count(_) | Effect::Log(_) => {}
        }
    }

    fn check_claim(&mut self, numbers: Vec<u64>, alone: bool) {
        assert!(!self.stopping, "nothing is claimed after a stop");
        assert!(!self.away, "nothing is claimed while the job store is away");
        assert!(self.alone.is_none(), "claimed beside a poison candidate: {numbers:?}");
        if alone {
            assert!(self.progress.is_empty(), "a poison candidate is claimed beside {:?}", self.progress);
            assert_eq!(numbers.len(), 1);
            self.alone = Some(numbers[0]);
        }
        for &number in &numbers {
            assert!(
                self.unsettled.values().any(|letter| letter.is_of(number)),
                "job {number} is claimed without a delivery"
            );
            assert_eq!(self.progress.insert(number, Claiming), None, "job {number} is claimed twice");
        }
        let claimed = |progress| matches!(progress, Claiming | Claimed | Fetching | Reading);
        let from_web = |number: &u64| self.jobs[number] == Kind::Web;
        assert!(self.count(|_, progress| claimed(progress)) <= 2 * LIMITS.window + LIMITS.fetches);
        assert!(self.count(|number, progress| claimed(progress) && !from_web(number)) <= 2 * LIMITS.window);
        self.pending.push(Pending::Claim { jobs: numbers, alone });
    }

    fn check_read(&mut self, work: &Work) {
        let number = number_of(work.key);
        assert!(!self.stopping, "nothing is begun after a stop");
        assert_eq!(work.attempt, self.entries[&number].attempts);
        self.expect(number, &[Claimed], Reading);
        assert!(self.count(|_, progress| progress == Reading) <= LIMITS.window);
        self.pending.push(Pending::Read(number));
    }

    fn check_ack(&mut self, tag: Tag) {
        let letter = self.unsettled.remove(&tag).expect("a delivery is settled once");
        match letter {
            Letter::Job { number, .. } => {
                let stored = self.entries.get(&number).is_some_and(|entry| entry.end.is_some());
                let ended = stored || self.has_dead_letter(number);
                assert!(ended || self.retried.contains(&number), "job {number} is acknowledged before its commit");
            }
            Letter::Malformed(_) => assert!(self.dead_letters.contains(&letter)),
        }
    }

    /// An answer that nobody waits for; nothing may be done about it.
    pub(super) fn stray_answer(&mut self, choice: u64) {
        let number = choice / 8 % (self.jobs.len() as u64 + 1) + 1;
        let (key, progress) = (job_key(number), self.progress.get(&number).copied());
        match (choice % 8, progress) {
            (0, progress) if progress != Some(Committing) => self.tell(Event::Committed(vec![key])),
            (1, progress) if !matches!(progress, Some(Publishing(_))) => self.tell(Event::Published(key)),
            (2, progress) if !matches!(progress, Some(Releasing { .. })) => self.tell(Event::Released(vec![key])),
            (3, progress) if progress != Some(Reading) => self.tell(Event::Read(key, Ok((Box::new(result()), None)))),
            (4, progress) if progress != Some(Fetching) => self.tell(Event::Fetched(key, Ok(Ok(vec![1])))),
            (5, progress) if progress != Some(Committing) => self.tell(Event::NotStorable(key, "stray".into())),
            (6, progress) if progress != Some(Reading) => self.tell(Event::NotRead(key)),
            _ => {}
        }
    }
}
