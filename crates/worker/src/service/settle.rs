//! Telling the broker: messages published again, deliveries acknowledged or given back.

use shenfen_queue::{Outgoing, Publisher, Receipt};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::time::sleep;

use super::crash::crash_point;
use super::outage::retry_backoff;
use crate::stop::stop_requested;

/// What to do with a delivery.
pub(crate) enum Settle {
    /// Acknowledge it.
    Ack(Receipt),
    /// Give it back to the broker.
    Requeue(Receipt),
}

/// Publishes until it is confirmed. False when the service was told to stop before.
pub(crate) async fn publish(publisher: &Publisher, outgoing: &Outgoing, stop: &mut watch::Receiver<bool>) -> bool {
    let mut failures = 0;
    let mut backoff = retry_backoff();
    loop {
        match publisher.publish(outgoing).await {
            Ok(()) => return true,
            Err(error) => {
                failures += 1;
                tracing::warn!(%error, failures, "cannot publish; trying again");
            }
        }
        tokio::select! {
            () = sleep(backoff.wait()) => {}
            () = stop_requested(stop) => return false,
        }
    }
}

/// Acknowledges and gives back, in the order asked for.
pub(crate) async fn settle_all(mut receipts: UnboundedReceiver<Settle>) {
    while let Some(settle) = receipts.recv().await {
        // A connection that was lost delivers again what was not settled on it.
        let _ = match settle {
            Settle::Ack(receipt) => receipt.ack().await,
            Settle::Requeue(receipt) => receipt.requeue().await,
        };
        crash_point("after-settle");
    }
}
