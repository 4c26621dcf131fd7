//! Waiting for what is away.

use std::fmt::Display;
use std::future::pending;
use std::mem;
use std::time::Duration;

use shenfen_queue::Backoff;
use shenfen_store::port::JobStore;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::metrics::Metrics;

/// How often a database that answers is asked again, so that an idle worker knows as well.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long it may take to answer that.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Waits between attempts to reach the database or the broker.
pub(crate) fn retry_backoff() -> Backoff {
    Backoff::new(Duration::from_millis(100), Duration::from_secs(10))
}

/// Attempts to reach a database that may be away. Whoever finds it gone or back first says so, once.
pub(crate) struct DatabaseOutage {
    backoff: Backoff,
    metrics: Metrics,
}

impl DatabaseOutage {
    /// Nothing has failed yet.
    pub(crate) fn new(metrics: &Metrics) -> DatabaseOutage {
        DatabaseOutage { backoff: retry_backoff(), metrics: metrics.clone() }
    }

    /// Waits after a failure, longer each time.
    pub(crate) async fn wait_after(&mut self, error: impl Display) {
        if self.metrics.database_away(true) {
            tracing::warn!(%error, "waiting for the database");
        }
        sleep(self.backoff.wait()).await;
    }

    /// Notes a success.
    pub(crate) fn ended(&mut self) {
        if self.metrics.database_away(false) {
            tracing::info!("the database is back");
        }
        self.backoff.reset();
    }
}

/// Looks after the database until nobody listens any more. `away` turns true once it has been away for `give_back_after`, and false
/// when it is back.
pub(crate) async fn watch_database<S: JobStore>(
    store: S,
    metrics: Metrics,
    give_back_after: Duration,
    away: watch::Sender<bool>,
) {
    let look = async {
        let mut outage = DatabaseOutage::new(&metrics);
        let mut since = None;
        loop {
            let began = Instant::now();
            let failure = match timeout(ANSWER_WITHIN, store.ping()).await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some("it does not answer".to_owned()),
            };
            let Some(failure) = failure else {
                since = None;
                outage.ended();
                away.send_if_modified(mem::take);
                sleep(LOOK_EVERY).await;
                continue;
            };
            if since.get_or_insert(began).elapsed() >= give_back_after {
                away.send_if_modified(|away| !mem::replace(away, true));
            }
            outage.wait_after(failure).await;
        }
    };
    tokio::select! {
        () = look => {}
        () = away.closed() => {}
    }
}

/// Waits until `away` is true.
pub(crate) async fn gone(away: &mut watch::Receiver<bool>) {
    if away.wait_for(|&away| away).await.is_err() {
        pending().await
    }
}
