//! Private brokers and databases for tests, and the whole service seen from outside.
//!
//! [`Postgres`] and [`Rabbit`] are real servers of a test's own: each in a temporary folder, on free ports of this
//! machine's loopback address, to be killed, frozen and started again at will. [`Proxy`] stands between a client and a
//! server and spoils the connection. Nothing is left behind, even when the test's process is killed.

mod folder;
mod port;
mod postgres;
mod process;
mod proxy;
mod rabbit;
mod scratch;
pub mod stub;

pub use postgres::Postgres;
pub use proxy::{Direction, Proxy};
pub use rabbit::Rabbit;
pub use scratch::{Scratch, remove_queues};
pub use stub::StubPictures;
