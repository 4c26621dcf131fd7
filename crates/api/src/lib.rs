//! HTTP. The only crate that names axum.

pub mod operations;
