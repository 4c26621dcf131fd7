//! Waiting for what is away.

use std::time::Duration;

use shenfen_queue::Backoff;
use shenfen_store::StoreError;
use tokio::time::sleep;

use super::metrics::Metrics;

/// Waits between attempts to reach the database or the broker.
pub(crate) fn retry_backoff() -> Backoff {
    Backoff::new(Duration::from_millis(100), Duration::from_secs(10))
}

/// A database that may be away: says so once when it goes and once when it is back.
pub(crate) struct DatabaseOutage {
    failures: u32,
    backoff: Backoff,
}

impl Default for DatabaseOutage {
    fn default() -> DatabaseOutage {
        DatabaseOutage { failures: 0, backoff: retry_backoff() }
    }
}

impl DatabaseOutage {
    /// Waits after a failure, longer each time.
    pub(crate) async fn wait_after(&mut self, error: &StoreError, metrics: &Metrics) {
        if self.failures == 0 {
            tracing::warn!(%error, "waiting for the database");
        }
        metrics.database_away(true);
        self.failures += 1;
        sleep(self.backoff.wait()).await;
    }

    /// Notes a success.
    pub(crate) fn ended(&mut self, metrics: &Metrics) {
        if self.failures > 0 {
            tracing::info!(failures = self.failures, "the database is back");
            metrics.database_away(false);
            self.failures = 0;
            self.backoff.reset();
        }
    }
}
