//! A received message and its settlement.

use std::fmt;
use std::time::Duration;

use lapin::Acker;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::timeout;

use crate::headers;

/// A message as it arrived.
pub struct Delivery {
    /// The message body; see [`crate::Message::parse`].
    pub body: Vec<u8>,
    /// The AMQP message id its publisher gave it.
    pub message_id: Option<String>,
    /// Whether it was delivered before; if not, no worker has claimed it.
    pub redelivered: bool,
    /// How often the broker delivered it before without getting an acknowledgement, as far as the broker counts.
    pub deliveries: u32,
    /// How many attempts at the job had failed when this was published (the header `x-shenfen-attempt`); 0 where the
    /// publisher sets no such header.
    pub failures: u32,
    /// Settles it. May be kept when the rest is no longer needed.
    pub receipt: Receipt,
}

impl Delivery {
    pub(crate) fn new(message: lapin::message::Delivery, returns: UnboundedSender<Acker>, limit: Duration) -> Self {
        let properties = &message.properties;
        Self {
            message_id: properties.message_id().as_ref().map(ToString::to_string),
            redelivered: message.redelivered,
            deliveries: headers::deliveries(properties, message.redelivered),
            failures: headers::failures(properties),
            body: message.data,
            receipt: Receipt { acker: Some(message.acker), returns, limit },
        }
    }

    /// As [`Receipt::ack`].
    pub async fn ack(self) -> Settled {
        self.receipt.ack().await
    }

    /// As [`Receipt::requeue`].
    pub async fn requeue(self) -> Settled {
        self.receipt.requeue().await
    }

    /// As [`Receipt::is_live`].
    pub fn is_live(&self) -> bool {
        self.receipt.is_live()
    }
}

/// Does not show the body.
impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Delivery { body, message_id, deliveries, failures, .. } = self;
        write!(
            f,
            "Delivery({message_id:?}, {} bytes, failed {failures} times, delivered {deliveries} times before)",
            body.len()
        )
    }
}

/// The outcome of an acknowledgement or a requeue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Settled {
    /// Sent on the connection that the delivery came from.
    Sent,
    /// The connection was lost or did not accept it in time: the broker redelivers the message.
    Lost,
}

/// Settles one delivery: acknowledges or requeues it. Dropped without either, it is requeued.
pub struct Receipt {
    acker: Option<Acker>,
    returns: UnboundedSender<Acker>,
    limit: Duration,
}

impl Receipt {
    /// Acknowledges the message: the job is done and its result stored, and the broker deletes it.
    pub async fn ack(mut self) -> Settled {
        let Some(acker) = self.acker.take() else { return Settled::Lost };
        settled(timeout(self.limit, acker.ack(BasicAckOptions::default())).await)
    }

    /// Requeues a message that was not claimed or did not cause its failure: the broker redelivers it at once.
    pub async fn requeue(mut self) -> Settled {
        let Some(acker) = self.acker.take() else { return Settled::Lost };
        requeue(&acker, self.limit).await
    }

    /// Whether the connection it came from is still open. If not, the broker redelivers the message, and continuing is of use
    /// only if the job is claimed already.
    pub fn is_live(&self) -> bool {
        self.acker.as_ref().is_some_and(Acker::usable)
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if let Some(acker) = self.acker.take() {
            // The consumer requeues it. If that has ended, so has its connection, and the broker requeues it itself.
            let _ = self.returns.send(acker);
        }
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receipt({})", if self.is_live() { "live" } else { "lost" })
    }
}

/// `nack`, not `reject`: RabbitMQ 4.3 counts only the latter as a failure of the message.
pub(crate) async fn requeue(acker: &Acker, limit: Duration) -> Settled {
    settled(timeout(limit, acker.nack(BasicNackOptions { requeue: true, ..Default::default() })).await)
}

fn settled(answer: Result<lapin::Result<bool>, tokio::time::error::Elapsed>) -> Settled {
    match answer {
        Ok(Ok(true)) => Settled::Sent,
        _ => Settled::Lost,
    }
}
