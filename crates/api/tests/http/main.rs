//! The service through a real socket. What reads is a stub, but for one test with real pictures.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod documented;
mod hostile;
mod jobs;
mod queue;
mod signed;
mod tls;
mod world;
