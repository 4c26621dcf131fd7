//! The setup of every test: queues of its own on the broker, removed at the end.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use lapin::{Channel, Connection, ConnectionProperties};
use shenfen_queue::{
    Broker, Consumer, ConsumerSettings, Delivery, Depths, Limits, Outgoing, Publisher, RetryStep, Route, Topology,
};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;
use uuid::Uuid;

/// Longest wait for anything that must happen.
pub(crate) const SOON: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) broker: Broker,
}

impl World {
    /// A world on the broker that the tests share.
    pub(crate) fn new() -> Self {
        Self::at(&std::env::var("SHENFEN_TEST_BROKER").expect("run scripts/test, which starts one"))
    }

    pub(crate) fn at(url: &str) -> Self {
        let limits = Limits {
            connect: Duration::from_secs(10),
            call: Duration::from_secs(3),
            confirm: Duration::from_secs(10),
            probe: Duration::from_millis(500),
            backoff_first: Duration::from_millis(50),
            backoff_most: Duration::from_millis(500),
            ..Limits::default()
        };
        let topology = Topology::new(format!("test-{}", Uuid::new_v4())).unwrap();
        Self { broker: Broker { url: url.parse().unwrap(), topology, limits } }
    }

    /// The same queues at another address.
    pub(crate) fn through(&self, address: SocketAddr) -> Broker {
        Broker { url: format!("amqp://guest:guest@{address}/").parse().unwrap(), ..self.broker.clone() }
    }

    pub(crate) fn publisher(&self) -> Publisher {
        Publisher::new(self.broker.clone())
    }

    pub(crate) async fn consumer(&self, prefetch: u16) -> (Consumer, Receiver<Delivery>) {
        let (consumer, deliveries) = Consumer::start(self.broker.clone(), ConsumerSettings { prefetch });
        soon(consumer.consuming()).await;
        (consumer, deliveries)
    }

    /// The address of the shared broker.
    pub(crate) fn address(&self) -> SocketAddr {
        let url = std::env::var("SHENFEN_TEST_BROKER").expect("run scripts/test, which starts one");
        let host = url.rsplit_once('@').expect("a URL with credentials").1;
        host.split('/').next().unwrap_or(host).parse().expect("an address and a port")
    }

    /// A channel of a plain AMQP client.
    pub(crate) async fn plain_client(&self) -> (Connection, Channel) {
        let url = std::env::var("SHENFEN_TEST_BROKER").expect("run scripts/test, which starts one");
        let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        (connection, channel)
    }

    /// Waits until so many messages are ready in the queues of jobs and of dead letters.
    pub(crate) async fn until_depth(&self, jobs: u32, dead: u32) {
        let depths = Depths::new(self.broker.clone());
        soon(async {
            loop {
                let depth = depths.read().await.unwrap();
                if (depth.jobs, depth.dead) == (jobs, dead) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }

    /// Deletes everything. A failed test leaves it on the broker, which is private to the run.
    pub(crate) async fn remove(self) {
        let (_connection, channel) = self.plain_client().await;
        let topology = &self.broker.topology;
        let mut queues = vec![topology.jobs_queue(), topology.dead_queue()];
        queues.extend(RetryStep::ALL.map(|step| topology.retry_queue(step)));
        for queue in queues {
            channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
        }
        channel.exchange_delete(topology.exchange().into(), ExchangeDeleteOptions::default()).await.unwrap();
    }
}

/// A job to publish, with its name for message id and body.
pub(crate) fn job(name: &str) -> Outgoing {
    Outgoing {
        route: Route::Jobs,
        body: name.as_bytes().to_vec(),
        message_id: Some(name.to_owned()),
        failures: 0,
        reason: None,
    }
}

pub(crate) fn jobs(count: usize) -> Vec<Outgoing> {
    (0..count).map(|number| job(&format!("job {number}"))).collect()
}

pub(crate) fn body(delivery: &Delivery) -> String {
    String::from_utf8(delivery.body.clone()).unwrap()
}

pub(crate) async fn soon<T>(something: impl Future<Output = T>) -> T {
    timeout(SOON, something).await.expect("this should have happened long ago")
}

pub(crate) async fn receive(deliveries: &mut Receiver<Delivery>) -> Delivery {
    soon(deliveries.recv()).await.expect("the consumer has ended")
}

/// Publishes until it is confirmed.
pub(crate) async fn publish_surely(publisher: &Publisher, message: &Outgoing) {
    soon(async {
        while let Err(error) = publisher.publish(message).await {
            assert!(error.is_transient(), "{error}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// Receives and acknowledges until all of `names` have arrived, and returns the number of deliveries.
pub(crate) async fn receive_all(deliveries: &mut Receiver<Delivery>, names: impl Iterator<Item = String>) -> usize {
    let mut missing: BTreeSet<String> = names.collect();
    let mut count = 0;
    while !missing.is_empty() {
        let delivery = match timeout(SOON, deliveries.recv()).await {
            Ok(delivery) => delivery.expect("the consumer has ended"),
            Err(_) => panic!("never came: {missing:?}"),
        };
        missing.remove(&body(&delivery));
        let _ = delivery.ack().await;
        count += 1;
    }
    count
}
