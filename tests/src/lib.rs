//! Private brokers and databases for tests, and tests of the whole service.
//!
//! [`Postgres`] and [`Rabbit`] are real servers for a single test: each runs in a temporary folder on free ports of the
//! loopback address and can be killed, frozen and restarted. [`Proxy`] simulates network failures between a client and a
//! server. Nothing is left behind, even when the test process is killed.

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
