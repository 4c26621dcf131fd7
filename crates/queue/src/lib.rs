//! Jobs in flight on RabbitMQ: topology, confirmed publishing, supervised consuming, dead letters, and the JSON of a job.
//!
//! This is the only crate that uses lapin. It knows jobs, but nothing of cards, results or databases. Delivery is at least
//! once: a published message is confirmed or reported as an error, a received one is acknowledged or redelivered.
//!
//! lapin's own recovery is not used: every part reconnects through [`Broker`] after a loss.
//!
//! lapin logs whole messages, those that could not be routed at level warn. They may contain personal data, so a program
//! that installs a subscriber must add [`LOG_DIRECTIVES`] to its filter.

mod backoff;
mod broker;
mod error;
mod headers;
mod health;
mod link;
mod timeout;
mod topology;
mod wire;

mod consumer;
mod delivery;
mod publisher;
mod supervisor;

mod dead;
mod depth;
mod message;

pub use backoff::Backoff;
pub use broker::{Broker, BrokerUrl, Limits};
pub use consumer::{Consumer, ConsumerSettings};
pub use dead::{DeadLetter, DeadLetters, Filter, GivenUp};
pub use delivery::{Delivery, Receipt, Settled};
pub use depth::{Depth, Depths};
pub use error::Error;
pub use health::{Health, Phase};
pub use message::{Image, Message, MessageError};
pub use publisher::{Outgoing, Publisher, Route};
pub use topology::{RetryStep, Topology};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Log filter directives that keep the content of messages out of lapin's log.
pub const LOG_DIRECTIVES: &str = "lapin=info,lapin::returned_messages=off,amqp_protocol_tcp=info";
