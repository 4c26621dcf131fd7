//! The conformance suite of both stores, and what is specific to each.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod conformance;
mod made;
mod postgres;
mod sqlite;
