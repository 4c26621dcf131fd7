//! Messages that the broker has delivered often, published anew before it gives them up.
//!
//! The broker counts every delivery that ends without an acknowledgement, whoever was at fault: a channel that it closed
//! because the database was away for longer than its `consumer_timeout`, a neighbour that ended the worker. At its limit
//! it sets the message aside, although the job has not failed. A new copy begins at zero. How often a job was begun is
//! counted in the database, so a job that ends its workers still comes to its end.

use std::sync::Arc;

use shenfen_queue::{Message, Outgoing, Receipt, Route};
use shenfen_store::port::JobStore;

use super::Driver;
use crate::service::settle::{Settle, publish};

/// From so many deliveries on a message is published anew: more than a worker's usual restarts, and far below the limit of
/// the queue, so that several workers may die while they do it.
pub(super) const RENEWED_FROM: u32 = 5;

/// A job's message with what its copy keeps.
pub(super) struct Renewal {
    pub(super) message: Arc<Message>,
    pub(super) message_id: Option<String>,
    pub(super) failures: u32,
    pub(super) receipt: Receipt,
}

impl<S: JobStore + Clone + 'static> Driver<S> {
    /// Publishes a copy of a message and only then acknowledges it. A crash in between doubles the message, which is
    /// harmless.
    pub(super) fn renew(&self, renewal: Renewal) {
        let (publisher, settle, mut stop) = (self.publisher.clone(), self.settle.clone(), self.stop.clone());
        tokio::spawn(async move {
            let Renewal { message, message_id, failures, receipt } = renewal;
            tracing::info!(job.id = %message.key(), "a job that was delivered often is published anew");
            let body = message.to_json();
            let copy = Outgoing { route: Route::Jobs, body, message_id, failures, reason: None };
            let published = publish(&publisher, &copy, &mut stop).await;
            let _ = settle.send(if published { Settle::Ack(receipt) } else { Settle::Requeue(receipt) });
        });
    }
}
