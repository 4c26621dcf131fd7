//! The worker with a stub reader, as a process that the campaign can kill. Addresses come from
//! `SHENFEN_BROKER`, `SHENFEN_QUEUE_PREFIX` and `SHENFEN_DATABASE`; SIGTERM stops it.

use std::env;
use std::time::Duration;

use anyhow::{Context, Result};
use shenfen_queue::{Broker, Limits, Topology};
use shenfen_store::Access;
use shenfen_store::postgres::PostgresOptions;
use shenfen_tests::StubPictures;
use shenfen_worker::service::{Images, Metrics, QueueTenants};
use shenfen_worker::{Service, ServiceSettings};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::sleep;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    shenfen_worker::silence_panics();
    let variable = |name: &str| env::var(name).with_context(|| format!("{name} is not set"));
    // Short timeouts, so that a campaign of a minute covers many lost connections.
    let limits = Limits {
        connect: Duration::from_secs(3),
        call: Duration::from_secs(3),
        confirm: Duration::from_secs(5),
        heartbeat: 2,
        probe: Duration::from_secs(2),
        backoff_first: Duration::from_millis(100),
        backoff_most: Duration::from_secs(1),
        ..Limits::default()
    };
    let topology = Topology::new(variable("SHENFEN_QUEUE_PREFIX")?)?;
    let broker = Broker { url: variable("SHENFEN_BROKER")?.parse()?, topology, limits };
    let options: PostgresOptions = variable("SHENFEN_DATABASE")?.parse()?;
    let options = options.connect_limit(Duration::from_secs(3)).statement_limit(Duration::from_secs(5));
    let store = loop {
        match options.clone().open(Access::Work).await {
            Ok(store) => break store,
            Err(error) if error.is_transient() => sleep(Duration::from_millis(200)).await,
            Err(error) => return Err(error.into()),
        }
    };
    let (stop, stopped) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        terminate.recv().await;
        stop.send_replace(true);
    });
    let settings = ServiceSettings { drain: Duration::from_secs(10), ..ServiceSettings::with_threads(2) };
    let (reader, images, metrics) = (StubPictures::default(), Images::default(), Metrics::default());
    Service { store, reader, broker, images, tenants: QueueTenants::default(), settings, metrics }.run(stopped).await?;
    Ok(())
}
