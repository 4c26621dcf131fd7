//! Errors of the broker, one variant for each case that callers handle differently.

use std::{error, sync::Arc, time::Duration};

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};

/// A failed operation on the broker. The text contains no password and nothing of a message's content.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The URL is invalid; `rule` says what is expected.
    #[error("broker URL: {rule}")]
    Url {
        /// What is expected of the URL.
        rule: String,
    },
    /// The queue prefix is invalid.
    #[error("queue prefix: must be 1 to 100 of a-z A-Z 0-9 . - _")]
    Prefix,
    /// No connection could be opened: nothing listens there, the host is unknown, or TLS failed.
    #[error("cannot connect to {broker}")]
    Unreachable {
        /// The URL without its password.
        broker: String,
        /// Why.
        source: Arc<dyn error::Error + Send + Sync>,
    },
    /// The broker refuses the login: wrong password, or no such virtual host.
    #[error("{broker} refuses this user or virtual host: {detail}")]
    Refused {
        /// The URL without its password.
        broker: String,
        /// The broker's own words.
        detail: String,
    },
    /// A queue or exchange of this name exists with other properties.
    #[error(
        "{name} exists with other properties than this service needs ({detail}); \
         empty and delete it, or choose another queue prefix"
    )]
    Mismatch {
        /// The queue or exchange.
        name: String,
        /// The broker's own words.
        detail: String,
    },
    /// No queue is bound to the routing key of a message.
    #[error("no queue is bound to the routing key {routing_key}")]
    Unroutable {
        /// The routing key it was published with.
        routing_key: String,
    },
    /// The broker refused a message, as a full queue does.
    #[error("the broker refuses messages with the routing key {routing_key}; the queue may be full")]
    Rejected {
        /// The routing key it was published with.
        routing_key: String,
    },
    /// A message is larger than [`crate::Limits::max_body`].
    #[error("a message of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// Size of the body.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The broker blocks all publishers, as it does when it runs out of memory or disk.
    #[error("the broker blocks publishers; it may be out of memory or disk space")]
    Blocked,
    /// The broker did not answer in time: it hangs, has just started to block publishers, or the network is down.
    #[error("{operation}: no answer from the broker within {limit:?}")]
    Silent {
        /// What was being done.
        operation: String,
        /// How long it waited.
        limit: Duration,
    },
    /// A message id is longer than the 255 bytes that AMQP has room for.
    #[error("a message id of {bytes} bytes is over AMQP's limit of 255")]
    LongMessageId {
        /// Size of the message id.
        bytes: usize,
    },
    /// A message was received whose properties are not UTF-8. It breaks the connection; the broker dead-letters such a message
    /// when it reaches the delivery limit.
    #[error("a message has properties that are not UTF-8; the broker will dead-letter it after more deliveries")]
    Unreadable {
        /// What lapin reported.
        source: Arc<dyn error::Error + Send + Sync>,
    },
    /// The broker ended a subscription, as it does when the queue is deleted.
    #[error("the broker cancelled the consumer of {queue}; it may have been deleted")]
    Cancelled {
        /// The queue.
        queue: String,
    },
    /// The connection or channel was lost, or the broker answered with an error.
    #[error("{operation}: {source}")]
    Broker {
        /// What was being done.
        operation: String,
        /// What lapin or the broker reported.
        source: Arc<dyn error::Error + Send + Sync>,
    },
}

impl Error {
    /// Whether a retry may succeed without a change to configuration, queues or the message.
    pub fn is_transient(&self) -> bool {
        use Error::{Blocked, Broker, Cancelled, Rejected, Silent, Unreachable, Unreadable};
        matches!(
            self,
            Unreachable { .. }
                | Unreadable { .. }
                | Rejected { .. }
                | Blocked
                | Silent { .. }
                | Cancelled { .. }
                | Broker { .. }
        )
    }

    /// The error and its causes in one line, for a log.
    pub(crate) fn line(&self) -> String {
        let mut line = self.to_string();
        let mut cause = error::Error::source(self);
        while let Some(error) = cause {
            let text = error.to_string();
            if !line.contains(&text) {
                line.push_str(": ");
                line.push_str(&text);
            }
            cause = error.source();
        }
        line
    }

    pub(crate) fn broker(operation: impl Into<String>, source: lapin::Error) -> Self {
        Error::Broker { operation: operation.into(), source: Arc::new(source) }
    }

    /// An error met while waiting for deliveries.
    pub(crate) fn receiving(source: lapin::Error) -> Self {
        match source.kind() {
            ErrorKind::ParsingError(_) => Error::Unreadable { source: Arc::new(source) },
            _ => Error::broker("receiving", source),
        }
    }

    /// An error met while a connection was opened.
    pub(crate) fn connecting(broker: String, source: lapin::Error) -> Self {
        match source.kind() {
            ErrorKind::ProtocolError(error) if refuses(error.kind()) => {
                Error::Refused { broker, detail: error.get_message().to_string() }
            }
            _ => Error::Unreachable { broker, source: Arc::new(source) },
        }
    }

    /// An error met while `name` was declared.
    pub(crate) fn declaring(name: &str, source: lapin::Error) -> Self {
        match source.kind() {
            ErrorKind::ProtocolError(error)
                if *error.kind() == AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) =>
            {
                Error::Mismatch { name: name.to_owned(), detail: error.get_message().to_string() }
            }
            _ => Error::broker(format!("declaring {name}"), source),
        }
    }
}

/// The codes of a refused login: 403 for the password, 530 for the virtual host.
fn refuses(kind: &AMQPErrorKind) -> bool {
    matches!(kind, AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED))
}
