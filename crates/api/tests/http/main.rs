//! The service through a real socket, with a stub reader except in one test with real pictures.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod documented;
mod hostile;
mod jobs;
mod queue;
mod signed;
mod tls;
mod world;
