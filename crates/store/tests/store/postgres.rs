//! The PostgreSQL store: the conformance suite with an in-memory broker, and what only this store does.

mod access;
mod audit;
mod dispatch;
mod documented;
mod job_store;
mod server;
mod tenants;

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use shenfen_core::{Job, JobId, JobKey};
use shenfen_store::{ClaimOutcome, Dispatch, JobStore, Jobs, PostgresStore};

use crate::conformance::{Taken, World, conformance_tests};
use crate::made::{dead, job, number_of};
use server::TestDatabase;

const NEVER: Duration = Duration::from_secs(3600);

struct Postgres {
    store: PostgresStore,
    broker: Mutex<Broker>,
    database: TestDatabase,
}

/// Messages that wait, and those that a worker has not acknowledged.
#[derive(Default)]
struct Broker {
    waiting: VecDeque<Job>,
    unacknowledged: Vec<Job>,
}

impl Postgres {
    async fn new() -> Postgres {
        let database = TestDatabase::new().await;
        Postgres { store: database.open().await, broker: Mutex::default(), database }
    }

    /// Publishes all open jobs of the batch.
    async fn publish(&self, batch: &str) {
        loop {
            let open = self.store.unsent(batch, NEVER, 3).await.unwrap();
            if open.is_empty() {
                return;
            }
            let jobs = open.iter().map(|open| job(batch, number_of(&open.message)));
            self.broker.lock().unwrap().waiting.extend(jobs);
            self.store.mark_sent(&open.iter().map(|open| open.id).collect::<Vec<_>>()).await.unwrap();
        }
    }

    /// The next delivery.
    fn deliver(&self) -> Option<Job> {
        let mut broker = self.broker.lock().unwrap();
        let job = broker.waiting.pop_front()?;
        broker.unacknowledged.push(job.clone());
        Some(job)
    }

    fn acknowledge(&self, id: JobId) {
        self.broker.lock().unwrap().unacknowledged.retain(|job| job.id != id);
    }
}

impl World for Postgres {
    type Jobs = PostgresStore;
    type Tables = PostgresStore;

    fn jobs(&self, _batch: &str) -> PostgresStore {
        self.store.clone()
    }

    fn tables(&self) -> &PostgresStore {
        &self.store
    }

    async fn take(&self, batch: &str, limit: usize) -> Vec<Taken> {
        self.publish(batch).await;
        let mut taken = Vec::new();
        while taken.len() < limit {
            let Some(job) = self.deliver() else { break };
            let mut outcome = self.store.claim(std::slice::from_ref(&job)).await.unwrap()[0];
            if outcome == ClaimOutcome::PoisonCandidate {
                outcome = self.store.claim_alone(&job).await.unwrap();
            }
            match outcome {
                ClaimOutcome::Claimed { attempt } => taken.push(Taken { job, attempt }),
                ClaimOutcome::AlreadyEnded => self.acknowledge(job.id),
                ClaimOutcome::Exhausted { attempts } => {
                    self.store.complete(&[dead(&job, attempts)]).await.unwrap();
                    self.acknowledge(job.id);
                }
                ClaimOutcome::BatchPaused => panic!("the batch is not paused"),
                ClaimOutcome::PoisonCandidate => panic!("it was claimed alone"),
            }
        }
        taken
    }

    async fn release(&self, _batch: &str, taken: &[Taken]) {
        let keys: Vec<JobKey> = taken.iter().map(|taken| taken.job.key()).collect();
        self.store.release(&keys).await.unwrap();
        let mut broker = self.broker.lock().unwrap();
        broker.unacknowledged.retain(|job| !keys.contains(&job.key()));
        taken.iter().rev().for_each(|taken| broker.waiting.push_front(taken.job.clone()));
    }

    async fn restart(self) -> Postgres {
        {
            let mut broker = self.broker.lock().unwrap();
            let returned = std::mem::take(&mut broker.unacknowledged);
            returned.into_iter().rev().for_each(|job| broker.waiting.push_front(job));
        }
        Postgres { store: self.database.open().await, ..self }
    }
}

conformance_tests!(Postgres);
