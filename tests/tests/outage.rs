//! A database that is away for much longer than the broker waits for an acknowledgement, with servers of the test's own.
#![expect(clippy::unwrap_used, reason = "test code, its helpers too")]

use std::time::Duration;

use shenfen_core::{RequestedSide, Tenant};
use shenfen_queue::{Broker, Depths, Image, Limits, Message, Outgoing, Publisher, Route};
use shenfen_store::postgres::PostgresOptions;
use shenfen_store::{Access, PostgresStore};
use shenfen_tests::{Postgres, Rabbit, StubPictures};
use shenfen_worker::service::{Images, Metrics, QueueTenants};
use shenfen_worker::{Service, ServiceReport, ServiceSettings};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

const JOBS: u128 = 20;
/// How often the broker delivers a message before it gives it up.
const DELIVERY_LIMIT: u64 = 20;
/// Longest wait for anything that must happen: enough for as many timeouts of the broker as its delivery limit, 20.
const SOON: Duration = Duration::from_secs(60);
/// The broker takes back what is not acknowledged within half a second, and looks ten times a second.
const IMPATIENT: &str =
    "application:set_env(rabbit, consumer_timeout, 500), application:set_env(rabbit, channel_tick_interval, 100).";

struct Scene {
    postgres: Postgres,
    broker: Broker,
    database: String,
    _rabbit: Rabbit,
}

impl Scene {
    async fn new() -> Scene {
        let (rabbit, postgres) = (Rabbit::start().await.unwrap(), Postgres::start().await.unwrap());
        rabbit.rabbitmqctl(&["eval", IMPATIENT]).await.unwrap();
        let database = postgres.create_database("outage").await.unwrap();
        // Comes back quickly after each connection that the broker closes.
        let (backoff_first, backoff_most) = (Duration::from_millis(50), Duration::from_millis(100));
        let limits = Limits { backoff_first, backoff_most, ..Limits::default() };
        let broker = Broker { limits, ..Broker::new(rabbit.url().parse().unwrap()) };
        Scene { broker, postgres, database, _rabbit: rabbit }
    }

    async fn store(&self) -> PostgresStore {
        self.database.parse::<PostgresOptions>().unwrap().open(Access::Work).await.unwrap()
    }

    async fn work(
        &self,
        give_back_after: Duration,
        stop: watch::Receiver<bool>,
    ) -> (Metrics, JoinHandle<ServiceReport>) {
        let metrics = Metrics::default();
        let service = Service {
            store: self.store().await,
            reader: StubPictures::default(),
            broker: self.broker.clone(),
            images: Images::default(),
            tenants: QueueTenants::default(),
            settings: ServiceSettings { give_back_after, ..ServiceSettings::with_threads(1) },
            metrics: metrics.clone(),
        };
        (metrics, tokio::spawn(async move { service.run(stop).await.unwrap() }))
    }

    async fn publish(&self) {
        let publisher = Publisher::new(self.broker.clone());
        for number in 1..=JOBS {
            let (job_id, image) = (Uuid::from_u128(number).into(), Image::Inline(b"picture".to_vec()));
            let message = Message {
                tenant: Tenant::DEFAULT,
                job_id,
                batch: "outage".into(),
                reference: None,
                side: RequestedSide::Auto,
                image,
            };
            let body = message.to_json();
            let outgoing = Outgoing { route: Route::Jobs, body, message_id: None, failures: 0, reason: None };
            publisher.publish(&outgoing).await.unwrap();
        }
        publisher.close().await;
    }

    /// Starts the database again; every job has its result, and no message is left.
    async fn recover(&mut self) {
        self.postgres.restart().await.unwrap();
        let results = "SELECT count(*) FROM results";
        until("every job has its result", async || {
            self.postgres.query("outage", results).await.is_ok_and(|count| count == JOBS.to_string())
        })
        .await;
        until("nothing is left", async || self.depth().await == (0, 0)).await;
    }

    /// Messages that wait, and dead letters.
    async fn depth(&self) -> (u32, u32) {
        let depth = Depths::new(self.broker.clone()).read().await.unwrap();
        (depth.jobs + depth.retries.iter().map(|&(_, count)| count).sum::<u32>(), depth.dead)
    }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(SOON, waiting).await.unwrap_or_else(|_| panic!("not within {SOON:?}: {what}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn long_outage_of_the_database_loses_no_job() {
    let mut scene = Scene::new().await;
    let (stop, stopped) = watch::channel(false);
    let (metrics, worker) = scene.work(ServiceSettings::with_threads(1).give_back_after, stopped).await;
    until("an idle worker is ready", async || metrics.ready().is_ok()).await;
    scene.postgres.shut_down().await.unwrap();
    scene.publish().await;

    until("an idle worker knows that the database is away", async || metrics.ready() == Err("no database".into()))
        .await;
    let in_hand = |count: u32| metrics.render().contains(&format!("shenfen_jobs_in_hand {count}\n"));
    until("every job is given back", async || in_hand(0) && scene.depth().await == (JOBS as u32, 0)).await;
    assert!(metrics.render().contains("shenfen_database_away 1\n"));
    // From here on nothing is delivered, so the outage may last: for longer than what would have made dead letters of all.
    sleep(Duration::from_secs(15)).await;
    assert_eq!((in_hand(0), scene.depth().await), (true, (JOBS as u32, 0)));

    scene.recover().await;
    assert!(metrics.ready().is_ok());
    stop.send_replace(true);
    assert_eq!(timeout(SOON, worker).await.unwrap().unwrap().abandoned, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_that_the_broker_takes_back_again_and_again_are_no_failures_of_the_job() {
    let mut scene = Scene::new().await;
    let (stop, stopped) = watch::channel(false);
    // It never gives anything back, so that the broker has to take it.
    let (metrics, worker) = scene.work(Duration::MAX, stopped).await;
    until("the worker is ready", async || metrics.ready().is_ok()).await;
    scene.postgres.shut_down().await.unwrap();
    scene.publish().await;
    let lost = || {
        let text = metrics.render();
        let count = text.lines().find_map(|line| line.strip_prefix("shenfen_broker_reconnects_total "));
        count.and_then(|count| count.parse().ok()).unwrap_or(0)
    };
    until("more connections are closed than a message may be delivered", async || {
        lost() > DELIVERY_LIMIT || scene.depth().await.1 > 0
    })
    .await;
    assert_eq!(scene.depth().await.1, 0, "waiting is not failing");
    scene.recover().await;
    stop.send_replace(true);
    timeout(SOON, worker).await.unwrap().unwrap();
}
