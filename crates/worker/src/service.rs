//! The service: jobs from a broker, read, and their ends stored in a database, so that nothing is lost and nothing counts
//! twice.
//!
//! A job's delivery is acknowledged only after the commit that holds its end, so whatever is killed when, the job comes
//! again. What comes again is told apart by its identifier: the job store says whether it has its end. What to do is decided
//! by a pure state machine (`step`); a thin `driver` does it, in tasks beside its loop and on reading threads.

mod commit;
mod crash;
mod driver;
mod failure;
mod given_up;
mod images;
mod intake;
mod metrics;
mod outage;
mod reading;
mod settle;
mod step;
mod tenants;
mod web;

use std::time::Duration;

use shenfen_queue::{Broker, Consumer, ConsumerSettings, Publisher};
use shenfen_store::port::JobStore;
use thiserror::Error;
use tokio::sync::watch;

use crate::picture::PictureReader;

pub use images::{ImageRootError, Images};
pub use intake::job_of;
pub use metrics::{Metrics, Stage};
pub use tenants::QueueTenants;
pub use web::{WebHosts, WebHostsError};

/// How a service runs.
#[derive(Clone, Debug)]
pub struct ServiceSettings {
    /// Reading threads, at least one.
    pub threads: usize,
    /// Bytes of memory for large pictures that are read at once ([`crate::Room`]).
    pub memory: u64,
    /// The most jobs in hand: with their pictures this bounds the memory, and enough of them keep the threads busy.
    pub prefetch: u16,
    /// So many ends are committed together.
    pub commit_rows: usize,
    /// No end waits longer than this for others to be committed with.
    pub commit_after: Duration,
    /// How often a job is tried again after a failure that may pass, before it becomes a dead letter.
    pub retries: u32,
    /// How long the database may be away before no more jobs are received and those not begun are given back to the broker. A
    /// broker takes back what is not acknowledged in time (`consumer_timeout`, by default 30 minutes) and counts that against the
    /// message.
    pub give_back_after: Duration,
    /// How long what was begun may take once it is told to stop.
    pub drain: Duration,
}

impl ServiceSettings {
    /// `threads` reading threads and what goes well with them, without a limit on the memory for large pictures.
    pub fn with_threads(threads: usize) -> ServiceSettings {
        let threads = threads.max(1);
        ServiceSettings {
            threads,
            memory: u64::MAX,
            prefetch: u16::try_from(32 + 8 * threads).unwrap_or(2000).min(2000),
            commit_rows: 64,
            commit_after: Duration::from_millis(100),
            retries: 5,
            // Longer than a restart of a server that is at hand, and far below any `consumer_timeout` in use. Chosen, not measured.
            give_back_after: Duration::from_secs(3),
            drain: Duration::from_secs(30),
        }
    }
}

/// What a service needs, put together.
pub struct Service<S, R> {
    /// What is known of each job, and where ends are stored.
    pub store: S,
    /// The reader; each thread gets another of its kind.
    pub reader: R,
    /// Where jobs come from.
    pub broker: Broker,
    /// Where pictures that are not in the message may come from.
    pub images: Images,
    /// Whose jobs they may be.
    pub tenants: QueueTenants,
    /// How it runs.
    pub settings: ServiceSettings,
    /// What it counts.
    pub metrics: Metrics,
}

/// How a service ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceReport {
    /// Jobs whose ends it stored.
    pub stored: u64,
    /// Jobs that were still in hand when the time to finish them was over; the broker delivers them again.
    pub abandoned: usize,
}

/// A service cannot go on.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// No reading thread can be started.
    #[error("the reading threads cannot be started")]
    Threads(#[source] std::io::Error),
}

impl<S: JobStore + Clone + 'static, R: PictureReader> Service<S, R> {
    /// Consumes, reads and stores until `stop` turns true; then finishes what was begun and gives back the rest.
    ///
    /// A broker or database that is away is waited for, with a line in the log when it goes and when it is back.
    ///
    /// # Errors
    /// When no reading thread can be had.
    pub async fn run(self, stop: watch::Receiver<bool>) -> Result<ServiceReport, ServiceError> {
        let settings = ConsumerSettings { prefetch: self.settings.prefetch };
        let (consumer, deliveries) = Consumer::start(self.broker.clone(), settings);
        self.metrics.follow(consumer.watch());
        let publisher = Publisher::new(self.broker.clone());
        let (store, broker, tenants) = (self.store.clone(), self.broker.clone(), self.tenants.clone());
        let driver = driver::Driver::start(self, publisher.clone(), stop).map_err(ServiceError::Threads)?;
        let report = tokio::select! {
            report = driver.run(&consumer, deliveries) => report,
            never = given_up::note_given_up(&store, broker, tenants) => never,
        };
        consumer.stop().await;
        publisher.close().await;
        Ok(report)
    }
}
