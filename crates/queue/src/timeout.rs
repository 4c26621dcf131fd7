//! Time limits for calls to the broker, which lapin waits for without one.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use crate::error::Error;

/// `call`, or [`Error::Silent`] after `limit`.
pub(crate) async fn within<T>(
    operation: &str,
    limit: Duration,
    call: impl Future<Output = lapin::Result<T>>,
) -> Result<T, Error> {
    match timeout(limit, call).await {
        Ok(answer) => answer.map_err(|source| Error::broker(operation, source)),
        Err(_) => Err(Error::Silent { operation: operation.to_owned(), limit }),
    }
}

/// `call`, or [`Error::Silent`] at `deadline`, which was `limit` away when the first of several calls began.
pub(crate) async fn before<T>(
    operation: &str,
    deadline: Instant,
    limit: Duration,
    call: impl Future<Output = lapin::Result<T>>,
) -> Result<T, Error> {
    match timeout_at(deadline, call).await {
        Ok(answer) => answer.map_err(|source| Error::broker(operation, source)),
        Err(_) => Err(Error::Silent { operation: operation.to_owned(), limit }),
    }
}
