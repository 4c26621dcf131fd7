//! The queue crate against a real broker, whose URL is in `SHENFEN_TEST_BROKER`.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod relay;
mod world;

mod consuming;
mod dead_letters;
mod losses;
mod own_broker;
mod publishing;
