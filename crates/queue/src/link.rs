//! A connection that is opened on first use and reopened after a loss.

use lapin::Channel;
use tokio::sync::Mutex;

use crate::wire::Wire;
use crate::{Broker, Error};

/// Holds at most one connection, shared by all callers while it is open.
#[derive(Debug)]
pub(crate) struct Link {
    broker: Broker,
    purpose: &'static str,
    held: Mutex<Option<Wire>>,
}

impl Link {
    pub(crate) fn new(broker: Broker, purpose: &'static str) -> Self {
        Self { broker, purpose, held: Mutex::new(None) }
    }

    pub(crate) fn broker(&self) -> &Broker {
        &self.broker
    }

    /// A new channel, on the held connection if that still lives, else on a new one with the topology declared.
    pub(crate) async fn channel(&self) -> Result<Channel, Error> {
        let mut held = self.held.lock().await;
        let limit = self.broker.limits.call;
        if let Some(wire) = held.as_ref().filter(|wire| wire.is_open()) {
            match wire.channel(limit).await {
                Ok(channel) => return Ok(channel),
                Err(error) => tracing::debug!(
                    error = error.line(),
                    purpose = self.purpose,
                    "replacing a connection that cannot open a channel"
                ),
            }
        }
        *held = None;
        let wire = self.broker.connect(self.purpose).await?;
        let channel = wire.channel(limit).await?;
        self.broker.topology.declare(&channel, limit).await?;
        *held = Some(wire);
        Ok(channel)
    }

    /// Whether the broker blocks the held connection.
    pub(crate) async fn is_blocked(&self) -> bool {
        self.held.lock().await.as_ref().is_some_and(Wire::is_blocked)
    }

    /// Drops the connection, after a call on it went unanswered.
    pub(crate) async fn discard(&self) {
        *self.held.lock().await = None;
    }

    /// Closes the connection.
    pub(crate) async fn close(&self) {
        if let Some(wire) = self.held.lock().await.take() {
            wire.close().await;
        }
    }
}
