//! Names and properties of the exchange and queues.
//!
//! Works the same on RabbitMQ 3.10 and 4.x: properties whose defaults differ are set explicitly, and nothing needs a
//! plugin. Redeclaring cannot change properties, so a change here needs new queue names or a migration.

use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};
use tokio::time::timeout;

use crate::Error;

/// Deliveries of one message before the broker dead-letters it. When a worker dies, all its unacknowledged deliveries count,
/// so this is far above the number of attempts that the service allows a job.
const DELIVERY_LIMIT: i64 = 20;

/// Dead letters are listed by taking and requeueing them, which counts as a delivery: practically no limit. (With a limit set,
/// 3.10 requeues messages at the front of the queue, so that listing keeps their order.)
const DEAD_DELIVERY_LIMIT: i64 = i32::MAX as i64;

const JOBS_KEY: &str = "jobs";
const DEAD_KEY: &str = "dead";

/// Names of exchange and queues, which share a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    prefix: String,
}

impl Default for Topology {
    fn default() -> Self {
        Self { prefix: "shenfen".to_owned() }
    }
}

/// How long a message waits before it is redelivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetryStep {
    /// 5 seconds.
    Seconds5,
    /// 30 seconds.
    Seconds30,
    /// 5 minutes.
    Minutes5,
    /// 30 minutes.
    Minutes30,
}

impl RetryStep {
    /// All steps, shortest first.
    pub const ALL: [RetryStep; 4] = [Self::Seconds5, Self::Seconds30, Self::Minutes5, Self::Minutes30];

    /// The step after so many failed attempts: the shortest after the first, the longest from the fourth on.
    pub fn after(failures: u32) -> Self {
        Self::ALL[(failures.saturating_sub(1) as usize).min(Self::ALL.len() - 1)]
    }

    /// The wait.
    pub fn delay(self) -> Duration {
        Duration::from_secs(match self {
            Self::Seconds5 => 5,
            Self::Seconds30 => 30,
            Self::Minutes5 => 5 * 60,
            Self::Minutes30 => 30 * 60,
        })
    }

    /// The end of its queue's name: `retry.5s` and so on.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Seconds5 => "retry.5s",
            Self::Seconds30 => "retry.30s",
            Self::Minutes5 => "retry.5m",
            Self::Minutes30 => "retry.30m",
        }
    }
}

impl Topology {
    /// The names under `prefix`.
    ///
    /// # Errors
    /// [`Error::Prefix`] unless the prefix is 1 to 100 of `a-z A-Z 0-9 . - _`.
    pub fn new(prefix: impl Into<String>) -> Result<Self, Error> {
        let prefix = prefix.into();
        let fits = (1..=100).contains(&prefix.len())
            && prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        if fits { Ok(Self { prefix }) } else { Err(Error::Prefix) }
    }

    /// The direct exchange that all messages are published to.
    pub fn exchange(&self) -> &str {
        &self.prefix
    }

    /// The queue of jobs.
    pub fn jobs_queue(&self) -> String {
        format!("{}.{JOBS_KEY}", self.prefix)
    }

    /// The queue of dead letters.
    pub fn dead_queue(&self) -> String {
        format!("{}.{DEAD_KEY}", self.prefix)
    }

    /// The retry queue of `step`.
    pub fn retry_queue(&self, step: RetryStep) -> String {
        format!("{}.{}", self.prefix, step.key())
    }

    pub(crate) fn jobs_key(&self) -> &'static str {
        JOBS_KEY
    }

    pub(crate) fn dead_key(&self) -> &'static str {
        DEAD_KEY
    }

    /// Declares exchange and queues. Existing ones with the same properties stay as they are.
    ///
    /// # Errors
    /// [`Error::Mismatch`] names a queue that exists with other properties.
    pub(crate) async fn declare(&self, channel: &Channel, limit: Duration) -> Result<(), Error> {
        let exchange = self.exchange();
        let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
        let declaring = channel.exchange_declare(exchange.into(), ExchangeKind::Direct, durable, FieldTable::default());
        answered(exchange, limit, declaring).await?;
        // The dead queue comes first, so that the queue of jobs always has a target for its dead letters.
        self.declare_queue(channel, limit, DEAD_KEY, vec![("x-delivery-limit", DEAD_DELIVERY_LIMIT.into())]).await?;
        let mut jobs = self.dead_lettering_to(DEAD_KEY);
        jobs.push(("x-delivery-limit", DELIVERY_LIMIT.into()));
        self.declare_queue(channel, limit, JOBS_KEY, jobs).await?;
        for step in RetryStep::ALL {
            let mut retry = self.dead_lettering_to(JOBS_KEY);
            let milliseconds = step.delay().as_millis() as i64;
            retry.push(("x-message-ttl", milliseconds.into()));
            self.declare_queue(channel, limit, step.key(), retry).await?;
        }
        Ok(())
    }

    /// At-least-once dead lettering, which requires reject-publish: messages stay until the next queue has confirmed them.
    fn dead_lettering_to(&self, key: &str) -> Vec<(&'static str, AMQPValue)> {
        let text = |text: &str| AMQPValue::LongString(text.into());
        vec![
            ("x-dead-letter-exchange", text(self.exchange())),
            ("x-dead-letter-routing-key", text(key)),
            ("x-dead-letter-strategy", text("at-least-once")),
            ("x-overflow", text("reject-publish")),
        ]
    }

    async fn declare_queue(
        &self,
        channel: &Channel,
        limit: Duration,
        key: &str,
        properties: Vec<(&'static str, AMQPValue)>,
    ) -> Result<(), Error> {
        let name = format!("{}.{key}", self.prefix);
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        for (argument, value) in properties {
            arguments.insert(argument.into(), value);
        }
        let durable = QueueDeclareOptions { durable: true, ..Default::default() };
        answered(&name, limit, channel.queue_declare(name.as_str().into(), durable, arguments)).await?;
        let binding = channel.queue_bind(
            name.as_str().into(),
            self.exchange().into(),
            key.into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        answered(&name, limit, binding).await
    }
}

async fn answered<T>(name: &str, limit: Duration, call: impl Future<Output = lapin::Result<T>>) -> Result<(), Error> {
    match timeout(limit, call).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(source)) => Err(Error::declaring(name, source)),
        Err(_) => Err(Error::Silent { operation: format!("declaring {name}"), limit }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_delay_grows_with_failures() {
        assert_eq!(
            [0, 1, 2, 3, 4, 5, u32::MAX].map(RetryStep::after).map(|step| step.delay().as_secs()),
            [5, 5, 30, 300, 1800, 1800, 1800]
        );
    }

    #[test]
    fn validates_the_queue_prefix() {
        assert_eq!(Topology::new("kyc-2.eu_1").unwrap().jobs_queue(), "kyc-2.eu_1.jobs");
        for prefix in ["", "a b", "身份", "a/b", &"x".repeat(101)] {
            assert!(Topology::new(prefix).is_err(), "{prefix}");
        }
    }
}
