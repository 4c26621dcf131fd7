//! The stores: what each of them promises, and what is one's own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod conformance;
mod made;
mod postgres;
mod sqlite;
