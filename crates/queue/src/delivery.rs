//! A message with a worker, and the duty to settle it.

use std::fmt;
use std::time::Duration;

use lapin::Acker;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::timeout;

use crate::headers;

/// A message as it arrived.
pub struct Delivery {
    /// What was published; see [`crate::Message::parse`].
    pub body: Vec<u8>,
    /// The AMQP message id its publisher gave it.
    pub message_id: Option<String>,
    /// Whether it was delivered before; if not, nobody has begun it.
    pub redelivered: bool,
    /// How often the broker delivered it before without getting an acknowledgement, as far as the broker counts.
    pub deliveries: u32,
    /// How many attempts at the job had failed when this was published (the header `x-shenfen-attempt`); 0 where the
    /// publisher sets no such header.
    pub failures: u32,
    /// What settles it. May be kept when the rest is no longer needed.
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

/// Never shows the body.
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

/// What became of an acknowledgement or a return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Settled {
    /// It went out on the connection that the delivery came from.
    Sent,
    /// The connection was lost, or took nothing in time: the broker delivers the message again.
    Lost,
}

/// Settles one delivery: acknowledges it or gives it back. Dropped without either, it is given back.
pub struct Receipt {
    acker: Option<Acker>,
    returns: UnboundedSender<Acker>,
    limit: Duration,
}

impl Receipt {
    /// Tells the broker that the job is done and its result stored: the message is deleted.
    pub async fn ack(mut self) -> Settled {
        let Some(acker) = self.acker.take() else { return Settled::Lost };
        settled(timeout(self.limit, acker.ack(BasicAckOptions::default())).await)
    }

    /// Gives a message back that was not begun, or whose failure is not its own fault: the broker delivers it again at once.
    pub async fn requeue(mut self) -> Settled {
        let Some(acker) = self.acker.take() else { return Settled::Lost };
        requeue(&acker, self.limit).await
    }

    /// Whether the connection it came from still lives. If not, the message is delivered again, and to go on with it is of
    /// use only if the job is begun already.
    pub fn is_live(&self) -> bool {
        self.acker.as_ref().is_some_and(Acker::usable)
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if let Some(acker) = self.acker.take() {
            // The consumer returns it. Where that has ended, its connection has too, and the broker returns it itself.
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
