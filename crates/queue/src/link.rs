//! A connection that is opened when needed and opened again after a loss; time limits for calls on it.

use std::{future::Future, time::Duration};

use lapin::{Channel, Connection};
use tokio::{sync::Mutex, time::timeout};

use crate::{Broker, Error};

/// Holds at most one connection, shared by all who ask while it lives.
#[derive(Debug)]
pub(crate) struct Link {
    broker: Broker,
    purpose: &'static str,
    held: Mutex<Option<Connection>>,
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
        if let Some(connection) = held.as_ref().filter(|connection| connection.status().connected()) {
            match open_channel(connection, self.broker.limits.call).await {
                Ok(channel) => return Ok(channel),
                // A connection that cannot even open a channel is replaced.
                Err(error) => tracing::debug!(error = error.line(), purpose = self.purpose, "connection given up"),
            }
        }
        *held = None;
        let connection = self.broker.connect(self.purpose).await?;
        let channel = open_channel(&connection, self.broker.limits.call).await?;
        self.broker.topology.declare(&channel, self.broker.limits.call).await?;
        *held = Some(connection);
        Ok(channel)
    }

    /// Whether the broker blocks the held connection.
    pub(crate) async fn is_blocked(&self) -> bool {
        self.held.lock().await.as_ref().is_some_and(|held| held.status().connected() && held.status().blocked())
    }

    /// Forgets the connection, after a call on it went unanswered.
    pub(crate) async fn discard(&self) {
        *self.held.lock().await = None;
    }

    /// Says goodbye to the broker.
    pub(crate) async fn close(&self) {
        if let Some(connection) = self.held.lock().await.take() {
            close(connection).await;
        }
    }
}

pub(crate) async fn open_channel(connection: &Connection, limit: Duration) -> Result<Channel, Error> {
    within("opening a channel", limit, connection.create_channel()).await
}

/// Closes politely, but waits for no answer that does not come.
pub(crate) async fn close(connection: Connection) {
    let _ = timeout(Duration::from_secs(2), connection.close(200, "done".into())).await;
}

/// `call` under a time limit.
pub(crate) async fn within<T>(
    operation: &str,
    limit: Duration,
    call: impl Future<Output = lapin::Result<T>>,
) -> Result<T, Error> {
    match timeout(limit, call).await {
        Ok(answer) => answer.map_err(|source| Error::broker(operation, source)),
        Err(_) => Err(Error::Silent { operation: operation.to_owned(), limit }),
    }
}
