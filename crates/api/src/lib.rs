//! The HTTP service: the two documented endpoints, jobs and results, probes and metrics. The only crate that uses axum.

#[doc(hidden)]
pub mod fuzzing;
pub mod keys;
pub mod operations;
mod pages;
pub mod signing;

mod body;
mod encoding;
mod fields;
mod rate;

mod answer;
mod problem;

mod idcard;
mod jobs;
mod ocr_cn;
mod store;

mod metrics;
mod readiness;
mod routes;
mod service;

mod idle;
mod server;
mod tls;
mod write_timeout;

pub use body::{Bodies, BodyLimits};
pub use metrics::Metrics;
pub use ocr_cn::MAX_PICTURE;
pub use routes::{MetricsRoute, observed, router};
pub use server::{ServerLimits, serve};
pub use service::Service;
pub use store::LazyStore;
pub use tls::{TlsError, tls};
