//! What the step says, done.

use std::sync::Arc;
use std::time::Instant;

use shenfen_core::{Job, JobKey};
use shenfen_queue::{Message, Outgoing};
use shenfen_store::port::JobStore;

use super::Driver;
use crate::pool::Returned;
use crate::service::crash::crash_point;
use crate::service::failure::{Failure, FetchError};
use crate::service::metrics::Stage;
use crate::service::outage::{DatabaseOutage, gone};
use crate::service::settle::{Settle, publish};
use crate::service::step::{Counter, Effect, Event, Line, Malformed, Republish, Work};
use crate::stop::stop_requested;

impl<S: JobStore + Clone + 'static> Driver<S> {
    pub(super) fn execute(&mut self, effect: Effect) {
        match effect {
            Effect::Claim { jobs, alone } => self.claim(jobs, alone),
            Effect::Fetch(key, message) => self.fetch(key, message),
            Effect::Read(work) => self.read(work),
            Effect::Commit(finished) => drop(self.ends.send(finished)),
            Effect::Publish(failed) => self.republish(failed),
            Effect::PublishMalformed(malformed) => self.publish_malformed(malformed),
            Effect::Release(keys) => self.release(keys),
            Effect::Ack(tag) => {
                if let Some(receipt) = self.receipts.remove(&tag) {
                    let _ = self.settle.send(Settle::Ack(receipt));
                }
            }
            Effect::Requeue(tag) => {
                if let Some(receipt) = self.receipts.remove(&tag) {
                    let _ = self.settle.send(Settle::Requeue(receipt));
                }
            }
            Effect::DrainReaders => self.readers.drain(),
            Effect::PauseDeliveries => drop(self.pause_deliveries.send_replace(true)),
            Effect::ResumeDeliveries => drop(self.pause_deliveries.send_replace(false)),
            Effect::StopDeliveries => self.stop_deliveries.notify_one(),
            Effect::Count(counter) => self.count(counter),
            Effect::Log(line) => log(&line),
        }
    }

    /// Asks the job store until it answers. After a request to stop, or once the store is away for long, it waits for the answer
    /// under way, so that no claim goes unnoticed, and asks no more.
    fn claim(&self, jobs: Vec<Job>, alone: bool) {
        let (store, answers) = (self.store.clone(), self.answers.clone());
        let (mut stop, mut away) = (self.stop.clone(), self.database_away.clone());
        let mut outage = DatabaseOutage::new(&self.metrics);
        tokio::spawn(async move {
            let keys: Vec<JobKey> = jobs.iter().map(|job| job.key()).collect();
            let event = loop {
                let answer = match &jobs[..] {
                    [candidate] if alone => store.claim_alone(candidate).await.map(|outcome| vec![outcome]),
                    jobs => store.claim(jobs).await,
                };
                let error = match answer {
                    Ok(outcomes) => {
                        outage.ended();
                        break Event::Claimed(keys.into_iter().zip(outcomes).collect());
                    }
                    Err(error) => error,
                };
                tokio::select! {
                    () = outage.wait_after(&error) => {}
                    () = stop_requested(&mut stop) => break Event::NotClaimed(keys),
                    () = gone(&mut away) => break Event::NotClaimed(keys),
                }
            };
            let _ = answers.send(event);
        });
    }

    fn fetch(&self, key: JobKey, message: Arc<Message>) {
        let (images, metrics, max_bytes) = (self.images.clone(), self.metrics.clone(), self.max_bytes);
        let (slots, answers) = (Arc::clone(&self.fetches), self.answers.clone());
        tokio::spawn(async move {
            let _slot = slots.acquire().await;
            let begin = Instant::now();
            let fetching =
                move || images.fetch(message.tenant, &message.image, max_bytes).map(std::borrow::Cow::into_owned);
            let fetched = match tokio::task::spawn_blocking(fetching).await {
                Ok(Ok(bytes)) => Ok(Ok(bytes)),
                Ok(Err(FetchError::Refused(error))) => Ok(Err(error)),
                Ok(Err(FetchError::Later(failure))) => Err(failure),
                Err(_) => Err(Failure::Unavailable("fetching it failed".into())),
            };
            metrics.took(Stage::Fetch, begin.elapsed());
            let _ = answers.send(Event::Fetched(key, fetched));
        });
    }

    fn read(&self, work: Work) {
        let (key, answers) = (work.key, self.answers.clone());
        let reply = move |returned| {
            let event = match returned {
                Returned::Done(outcome) => Event::Read(key, outcome),
                Returned::Panicked(fault) => Event::Read(key, Err(Failure::Reader(fault))),
                Returned::NotBegun => Event::NotRead(key),
            };
            let _ = answers.send(event);
        };
        match self.readers.submit(work, reply) {
            Ok(place) => place.keep(),
            // The step hands out no more than the window, which is less than the pool takes.
            Err(full) => {
                tracing::error!(job.id = %key, %full, "a job was handed out beyond the window");
                let _ = self.answers.send(Event::NotRead(key));
            }
        }
    }

    fn republish(&self, failed: Republish) {
        let (publisher, answers, mut stop) = (self.publisher.clone(), self.answers.clone(), self.stop.clone());
        tokio::spawn(async move {
            let Republish { key, route, message, message_id, failures, reason } = failed;
            let outgoing = Outgoing { route, body: message.to_json(), message_id, failures, reason: Some(reason) };
            let published = publish(&publisher, &outgoing, &mut stop).await;
            crash_point("after-publish");
            let _ = answers.send(if published { Event::Published(key) } else { Event::NotPublished(key) });
        });
    }

    fn publish_malformed(&self, malformed: Malformed) {
        let (publisher, answers, mut stop) = (self.publisher.clone(), self.answers.clone(), self.stop.clone());
        let slots = Arc::clone(&self.malformed);
        tokio::spawn(async move {
            let _slot = slots.acquire().await;
            let Malformed { tag, reason, route, body, message_id } = malformed;
            let outgoing = Outgoing { route, body, message_id, failures: 0, reason: Some(reason) };
            let published = publish(&publisher, &outgoing, &mut stop).await;
            let _ = answers.send(Event::MalformedPublished(tag, published));
        });
    }

    fn release(&self, keys: Vec<JobKey>) {
        let (store, answers) = (self.store.clone(), self.answers.clone());
        tokio::spawn(async move {
            // A claim that is not released costs the job an attempt of many, no more.
            if let Err(error) = store.release(&keys).await {
                tracing::warn!(%error, jobs = keys.len(), "cannot release the claims of jobs that were not read");
            }
            let _ = answers.send(Event::Released(keys));
        });
    }

    fn count(&self, counter: Counter) {
        match counter {
            Counter::Received => self.metrics.received(),
            Counter::Stored(decision) => self.metrics.stored(decision),
            Counter::Dead => self.metrics.dead(),
            Counter::Retried => self.metrics.retried(),
            Counter::Repeated => self.metrics.repeated(1),
            Counter::GivenBack => self.metrics.given_back(1),
        }
    }
}

fn log(line: &Line) {
    match line {
        Line::Malformed(reason) => tracing::warn!(reason, "a message is no job: dead letter"),
        Line::Failed { key, reason, disposition } => {
            tracing::warn!(job.id = %key, reason, ?disposition, "a job failed")
        }
        Line::GivingBack(in_hand) => {
            tracing::warn!(
                in_hand,
                "the database stays away: no more jobs are received, and those not begun are given back"
            );
        }
        Line::ReadAlone(key) => tracing::warn!(job.id = %key, "a job that may have ended a worker is read alone"),
        Line::DeadEndNotStored { key, reason } => {
            tracing::error!(job.id = %key, reason, "the dead end of a job cannot be stored; its dead letter is published");
        }
        Line::Stopping(in_hand) => tracing::info!(in_hand, "stopping: finishing what was begun"),
        Line::TimeOver(in_hand) => {
            tracing::warn!(in_hand, "the time to finish is over; the broker delivers the rest again");
        }
    }
}
