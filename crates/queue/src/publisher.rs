//! Confirmed publishing: a message counts as published when a majority of the broker's nodes has it on disk.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::link::Link;
use crate::timeout::{before, within};
use crate::{Broker, Error, RetryStep, Topology, headers};

/// Maximum number of batches published concurrently, each on a channel of its own.
const CHANNELS: usize = 8;

/// AMQP's limit in bytes, on which lapin panics.
const MAX_MESSAGE_ID: usize = 255;

/// AMQP's delivery mode of messages that survive a restart of the broker.
const PERSISTENT: u8 = 2;

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// The queue of jobs.
    Jobs,
    /// A retry queue, from which it goes to the jobs after a delay.
    Retry(RetryStep),
    /// The dead letters.
    Dead,
    /// The dead letters, as no job: one that it may describe is not the publisher's to name, so nothing of its record may be changed.
    Refused,
}

impl Route {
    fn key(self, topology: &Topology) -> &'static str {
        match self {
            Route::Jobs => topology.jobs_key(),
            Route::Retry(step) => step.key(),
            Route::Dead | Route::Refused => topology.dead_key(),
        }
    }
}

/// A message to publish.
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Where it goes.
    pub route: Route,
    /// The JSON of a [`crate::Message`], or an invalid message as it was received.
    pub body: Vec<u8>,
    /// The AMQP message id. A message that is republished keeps the id it was received with, since the job's id may be derived
    /// from it.
    pub message_id: Option<String>,
    /// How many attempts at the job have failed so far (the header `x-shenfen-attempt`).
    pub failures: u32,
    /// Why it is retried or dead, without personal data.
    pub reason: Option<String>,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Outgoing { route, body, message_id, failures, reason } = self;
        write!(f, "Outgoing({route:?}, {message_id:?}, {} bytes, failed {failures} times, {reason:?})", body.len())
    }
}

/// Publishes over a connection of its own, which is reopened after a loss. Clones share it.
#[derive(Clone, Debug)]
pub struct Publisher {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    link: Link,
    /// Idle channels in confirm mode.
    idle: Mutex<Vec<Channel>>,
    slots: Semaphore,
}

impl Publisher {
    /// Connects on first use.
    pub fn new(broker: Broker) -> Self {
        let shared = Shared {
            link: Link::new(broker, "publisher"),
            idle: Mutex::new(Vec::new()),
            slots: Semaphore::new(CHANNELS),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Connects and declares the topology now, to find errors early.
    ///
    /// # Errors
    /// Any of connecting and declaring.
    pub async fn check(&self) -> Result<(), Error> {
        let channel = self.channel().await?;
        self.put_back(channel);
        Ok(())
    }

    /// Publishes one message and waits for its confirm.
    ///
    /// # Errors
    /// As for each message of [`Publisher::publish_all`].
    pub async fn publish(&self, message: &Outgoing) -> Result<(), Error> {
        self.publish_all(std::slice::from_ref(message)).await.pop().unwrap_or(Ok(()))
    }

    /// Publishes all messages, then waits for all their confirms: thousands a second. Answers in the same order.
    ///
    /// # Errors
    /// Per message: [`Error::Unroutable`], [`Error::Rejected`], [`Error::TooLarge`], [`Error::LongMessageId`]; for each message that
    /// was not confirmed before the connection was lost, that loss. Such a message may have arrived: publishing it again may
    /// duplicate it, not doing so may lose it.
    pub async fn publish_all(&self, messages: &[Outgoing]) -> Vec<Result<(), Error>> {
        if messages.is_empty() {
            return Vec::new();
        }
        // The semaphore is never closed.
        let _slot = self.shared.slots.acquire().await;
        match self.channel().await {
            Ok(channel) => {
                let (outcomes, sound) = self.publish_on(&channel, messages).await;
                if sound {
                    self.put_back(channel);
                } else {
                    self.give_up().await;
                }
                outcomes
            }
            Err(error) => messages.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    /// Closes the connection.
    pub async fn close(self) {
        self.idle().clear();
        self.shared.link.close().await;
    }

    /// Publishes on a channel that is this batch's alone until it is done: lapin hands a returned message to whichever
    /// confirm comes next on the channel. The second value says whether the channel can be used again.
    async fn publish_on(&self, channel: &Channel, messages: &[Outgoing]) -> (Vec<Result<(), Error>>, bool) {
        let Broker { topology, limits, .. } = self.shared.link.broker();
        let deadline = Instant::now() + limits.confirm;
        let mut confirms = Vec::with_capacity(messages.len());
        let mut broken = None;
        for message in messages {
            confirms.push(if let Some(error) = fault(message, limits.max_body) {
                Err(error)
            } else if let Some(error) = &broken {
                Err(Error::clone(error))
            } else {
                let publishing = channel.basic_publish(
                    topology.exchange().into(),
                    message.route.key(topology).into(),
                    BasicPublishOptions { mandatory: true, ..Default::default() },
                    &message.body,
                    properties(message),
                );
                before("publishing", deadline, limits.confirm, publishing)
                    .await
                    .inspect_err(|error| broken = Some(error.clone()))
            });
        }
        let mut outcomes = Vec::with_capacity(messages.len());
        let mut returned = HashSet::new();
        for (confirm, message) in confirms.into_iter().zip(messages) {
            let routing_key = message.route.key(topology);
            outcomes.push(match confirm {
                Err(error) => Err(error),
                Ok(confirm) => match before("waiting for a confirm", deadline, limits.confirm, confirm).await {
                    Ok(confirmation) => {
                        let acknowledged = matches!(confirmation, Confirmation::Ack(_));
                        if let Some(back) = confirmation.take_message() {
                            let id = back.properties.message_id().as_ref().map(ToString::to_string);
                            returned.insert((back.routing_key.to_string(), id));
                        }
                        acknowledged
                            .then_some(())
                            .ok_or_else(|| Error::Rejected { routing_key: routing_key.to_owned() })
                    }
                    Err(error) => {
                        broken = Some(error.clone());
                        Err(error)
                    }
                },
            });
        }
        for (outcome, message) in outcomes.iter_mut().zip(messages) {
            let routing_key = message.route.key(topology).to_owned();
            if outcome.is_ok() && returned.contains(&(routing_key.clone(), message.message_id.clone())) {
                *outcome = Err(Error::Unroutable { routing_key });
            }
        }
        (outcomes, broken.is_none())
    }

    /// A channel in confirm mode for exclusive use.
    async fn channel(&self) -> Result<Channel, Error> {
        if self.shared.link.is_blocked().await {
            return Err(Error::Blocked);
        }
        while let Some(channel) = self.take_idle() {
            if channel.status().connected() {
                return Ok(channel);
            }
        }
        let channel = self.shared.link.channel().await?;
        let limit = self.shared.link.broker().limits.call;
        let confirming = channel.confirm_select(ConfirmSelectOptions::default());
        within("turning confirms on", limit, confirming).await?;
        Ok(channel)
    }

    /// After a failed batch its channel and connection are dropped. A blocked connection is kept: it could not be closed, and a
    /// new one would be blocked too.
    async fn give_up(&self) {
        if !self.shared.link.is_blocked().await {
            self.idle().clear();
            self.shared.link.discard().await;
        }
    }

    fn take_idle(&self) -> Option<Channel> {
        self.idle().pop()
    }

    fn put_back(&self, channel: Channel) {
        self.idle().push(channel);
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Channel>> {
        self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a message cannot be published at all.
fn fault(message: &Outgoing, max_body: usize) -> Option<Error> {
    let bytes = message.body.len();
    if bytes > max_body {
        return Some(Error::TooLarge { bytes, limit: max_body });
    }
    let bytes = message.message_id.as_ref().map_or(0, String::len);
    (bytes > MAX_MESSAGE_ID).then_some(Error::LongMessageId { bytes })
}

fn properties(message: &Outgoing) -> BasicProperties {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type("application/json".into())
        .with_timestamp(now)
        .with_headers(headers::table(message.failures, message.reason.as_deref(), message.route == Route::Refused));
    match &message.message_id {
        Some(id) => properties.with_message_id(id.as_str().into()),
        None => properties,
    }
}
