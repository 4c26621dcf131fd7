//! The number of messages ready in each queue.

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;

use crate::link::Link;
use crate::timeout::within;
use crate::{Broker, Error, RetryStep};

/// Messages ready in each queue at one moment; unacknowledged ones are not counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Jobs to do.
    pub jobs: u32,
    /// Consumers of the jobs.
    pub consumers: u32,
    /// Dead letters.
    pub dead: u32,
    /// Jobs that wait for a retry, shortest delay first.
    pub retries: [(RetryStep, u32); 4],
}

/// Reads queue depths over a connection of its own, which is reopened after a loss.
#[derive(Debug)]
pub struct Depths {
    link: Link,
}

impl Depths {
    /// Connects on first use.
    pub fn new(broker: Broker) -> Self {
        Self { link: Link::new(broker, "depths") }
    }

    /// The current depths.
    ///
    /// # Errors
    /// Any of connecting and asking; the next call connects again.
    pub async fn read(&self) -> Result<Depth, Error> {
        let read = self.ask().await;
        if read.is_err() {
            self.link.discard().await;
        }
        read
    }

    async fn ask(&self) -> Result<Depth, Error> {
        let Broker { topology, limits, .. } = self.link.broker();
        let channel = self.link.channel().await?;
        let ask = async |queue: String| {
            let passive = QueueDeclareOptions { passive: true, ..Default::default() };
            let declaring = channel.queue_declare(queue.as_str().into(), passive, FieldTable::default());
            within(&format!("asking for the depth of {queue}"), limits.call, declaring).await
        };
        let jobs = ask(topology.jobs_queue()).await?;
        let dead = ask(topology.dead_queue()).await?;
        let mut retries = RetryStep::ALL.map(|step| (step, 0));
        for (step, count) in &mut retries {
            *count = ask(topology.retry_queue(*step)).await?.message_count();
        }
        Ok(Depth { jobs: jobs.message_count(), consumers: jobs.consumer_count(), dead: dead.message_count(), retries })
    }
}
