//! Jobs in flight on RabbitMQ: topology, confirmed publishing, supervised consuming, dead letters, and the JSON of a job.
//!
//! This is the only crate that names lapin. It knows a job, but nothing of cards, results or databases. Everything is delivered at
//! least once: what is published is confirmed or reported, what is received is acknowledged or comes again.
//!
//! Of lapin's own recovery nothing is used: every part rebuilds what it needs from [`Broker`] after any loss.
//!
//! lapin writes whole messages to the log, at level warn those that could not be routed. They may hold personal data, so
//! a program that installs a subscriber must add [`LOG_DIRECTIVES`] to its filter.

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
pub use dead::{DeadLetter, DeadLetters, Filter};
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

/// What a log filter must say about lapin so that no message's content reaches the log.
pub const LOG_DIRECTIVES: &str = "lapin=info,lapin::returned_messages=off,amqp_protocol_tcp=info";
