//! How many jobs a second go through broker, worker and database when reading costs nothing:
//!
//! ```sh
//! cargo run --release -p shenfen-tests --bin with-services -- cargo bench -p shenfen-tests --bench throughput
//! ```

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use shenfen_core::{RequestedSide, Tenant};
use shenfen_queue::{Broker, Image, Message, Outgoing, Publisher, Route, Topology};
use shenfen_store::postgres::PostgresOptions;
use shenfen_store::{Access, Batches};
use shenfen_tests::{Scratch, StubPictures, remove_queues};
use shenfen_worker::service::{Images, Metrics, QueueTenants};
use shenfen_worker::{Service, ServiceSettings};
use tokio::sync::watch;
use tokio::time::sleep;
use uuid::Uuid;

const JOBS: u128 = 20_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let url = std::env::var("SHENFEN_TEST_BROKER").context("run it by with-services")?;
    let topology = Topology::new(format!("throughput-{}", Uuid::new_v4()))?;
    let broker = Broker { topology: topology.clone(), ..Broker::new(url.parse()?) };
    let database = Scratch::new().await?;
    let options: PostgresOptions = database.url().parse()?;
    let store = options.open(Access::Work).await?;

    let publisher = Publisher::new(broker.clone());
    let begin = Instant::now();
    let messages: Vec<Outgoing> = (1..=JOBS).map(outgoing).collect();
    for volley in messages.chunks(1000) {
        publisher.publish_all(volley).await.into_iter().collect::<Result<(), _>>()?;
    }
    say("published and confirmed", begin);

    let (stop, stopped) = watch::channel(false);
    let settings = ServiceSettings { prefetch: 1000, commit_rows: 256, ..ServiceSettings::with_threads(2) };
    let (reader, images, metrics) = (StubPictures::default(), Images::default(), Metrics::default());
    let service =
        Service { store: store.clone(), reader, broker, images, tenants: QueueTenants::default(), settings, metrics };
    let begin = Instant::now();
    let running = tokio::spawn(service.run(stopped));
    while store.batch("bench").await?.is_none_or(|batch| u128::from(batch.results()) < JOBS) {
        sleep(Duration::from_millis(50)).await;
    }
    say("received, begun, stored and acknowledged", begin);
    stop.send_replace(true);
    running.await??;
    remove_queues(&url, &topology).await?;
    database.remove().await
}

fn outgoing(number: u128) -> Outgoing {
    let message = Message {
        tenant: Tenant::DEFAULT,
        job_id: Uuid::from_u128(number).into(),
        batch: "bench".into(),
        reference: None,
        side: RequestedSide::Auto,
        image: Image::Inline(b"picture".to_vec()),
    };
    Outgoing { route: Route::Jobs, body: message.to_json(), message_id: None, failures: 0, reason: None }
}

#[expect(clippy::print_stdout, reason = "what a benchmark is for")]
fn say(what: &str, begin: Instant) {
    println!("{JOBS} jobs {what}: {:.0} a second", JOBS as f64 / begin.elapsed().as_secs_f64());
}
