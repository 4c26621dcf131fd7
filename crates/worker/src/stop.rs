//! Being told to stop.

use tokio::sync::watch;

/// Waits until `stop` turns true. When nobody can turn it any more, that is as good as a stop.
pub(crate) async fn stop_requested(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|&stop| stop).await;
}
