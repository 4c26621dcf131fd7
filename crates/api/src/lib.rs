//! HTTP: the two documented endpoints, jobs and results, and what machines ask. The only crate that names axum.

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

mod books;
mod idcard;
mod jobs;
mod ocr_cn;

mod metrics;
mod routes;
mod service;

mod patient;
mod server;
mod tls;

pub use body::{Bodies, BodyLimits};
pub use books::Books;
pub use metrics::Metrics;
pub use ocr_cn::MAX_PICTURE;
pub use routes::router;
pub use server::{ServerLimits, serve};
pub use service::Service;
pub use tls::{TlsError, tls};
