//! What every test starts from: queues and a database of its own on the servers that the tests share.

use std::path::Path;
use std::time::Duration;

use shenfen_core::{Job, RequestedSide, Tenant};
use shenfen_queue::{
    Broker, Consumer, ConsumerSettings, DeadLetter, DeadLetters, Depth, Depths, Filter, Image, Limits, Message,
    Outgoing, Publisher, Route, Topology,
};
use shenfen_store::port::ClaimOutcome;
use shenfen_store::postgres::PostgresOptions;
use shenfen_store::{Access, BatchProgress, Batches, JobStore, PostgresStore, ResultFilter, ResultRow, Results};
use shenfen_tests::{Scratch, StubPictures, remove_queues};
use shenfen_worker::service::{Images, Metrics, QueueTenants, job_of};
use shenfen_worker::{Service, ServiceReport, ServiceSettings};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

/// Longest wait for anything that must happen.
const SOON: Duration = Duration::from_secs(60);

pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(SOON, what).await.expect("it should have happened by now")
}

/// A job of the batch `test` whose picture are these letters.
pub(crate) fn message(name: &str) -> Message {
    Message {
        tenant: Tenant::DEFAULT,
        job_id: Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).into(),
        batch: "test".into(),
        reference: None,
        side: RequestedSide::Auto,
        image: Image::Inline(name.as_bytes().to_vec()),
    }
}

pub(crate) fn outgoing(message: &Message) -> Outgoing {
    Outgoing { route: Route::Jobs, body: message.to_json(), message_id: None, failures: 0, reason: None }
}

pub(crate) struct World {
    broker: Broker,
    database: Scratch,
    pub(crate) store: PostgresStore,
    publisher: Publisher,
}

pub(crate) struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<ServiceReport>,
}

impl Running {
    pub(crate) async fn stop(self) -> ServiceReport {
        self.stop.send_replace(true);
        soon(self.task).await.unwrap()
    }
}

fn run(service: Service<PostgresStore, StubPictures>) -> Running {
    let (stop, stopped) = watch::channel(false);
    Running { stop, task: tokio::spawn(async move { service.run(stopped).await.unwrap() }) }
}

impl World {
    pub(crate) async fn new() -> World {
        let url = std::env::var("SHENFEN_TEST_BROKER").expect("run scripts/test, which starts one");
        let limits = Limits { heartbeat: 2, ..Limits::default() };
        let topology = Topology::new(format!("service-{}", Uuid::new_v4())).unwrap();
        let broker = Broker { url: url.parse().unwrap(), topology, limits };
        let database = Scratch::new().await.unwrap();
        let options: PostgresOptions = database.url().parse().unwrap();
        let store = options.open(Access::Work).await.unwrap();
        let publisher = Publisher::new(broker.clone());
        publisher.check().await.unwrap();
        World { broker, database, store, publisher }
    }

    pub(crate) fn start(&self, threads: usize) -> Running {
        self.start_with(threads, Images::default(), StubPictures::default())
    }

    pub(crate) fn start_below(&self, threads: usize, root: &Path) -> Running {
        self.start_with(threads, Images::default().below(Tenant::DEFAULT, root).unwrap(), StubPictures::default())
    }

    pub(crate) fn start_with(&self, threads: usize, images: Images, reader: StubPictures) -> Running {
        run(Service { images, reader, ..self.service(threads) })
    }

    /// A worker that takes these tenants' jobs.
    pub(crate) fn start_for(&self, tenants: QueueTenants) -> Running {
        run(Service { tenants, ..self.service(1) })
    }

    fn service(&self, threads: usize) -> Service<PostgresStore, StubPictures> {
        Service {
            store: self.store.clone(),
            reader: StubPictures::default(),
            broker: self.broker.clone(),
            images: Images::default(),
            tenants: QueueTenants::default(),
            settings: ServiceSettings::with_threads(threads),
            metrics: Metrics::default(),
        }
    }

    /// Publishes dead letters again and says how many.
    pub(crate) async fn redrive(&self, filter: &Filter) -> u64 {
        DeadLetters::new(self.broker.clone()).redrive(filter).await.unwrap()
    }

    pub(crate) async fn publish(&self, message: &Message) {
        self.publish_as(outgoing(message)).await;
    }

    pub(crate) async fn publish_raw(&self, body: Vec<u8>, message_id: Option<String>) {
        self.publish_as(Outgoing { route: Route::Jobs, body, message_id, failures: 0, reason: None }).await;
    }

    pub(crate) async fn publish_as(&self, outgoing: Outgoing) {
        self.publisher.publish(&outgoing).await.unwrap();
    }

    pub(crate) async fn until_results(&self, count: usize) -> Vec<ResultRow> {
        soon(async {
            loop {
                let rows = self.store.page(&ResultFilter::default(), 0, 1000).await.unwrap();
                if rows.len() >= count {
                    return rows;
                }
                sleep(Duration::from_millis(50)).await;
            }
        })
        .await
    }

    pub(crate) async fn until_dead(&self, count: usize) -> Vec<DeadLetter> {
        let letters = DeadLetters::new(self.broker.clone());
        soon(async {
            loop {
                let found = letters.list(100).await.unwrap();
                if found.len() >= count {
                    return found;
                }
                sleep(Duration::from_millis(100)).await;
            }
        })
        .await
    }

    pub(crate) async fn until_running(&self, count: u64) {
        soon(async {
            while self.store.batch("test").await.unwrap().is_none_or(|batch| batch.running < count) {
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    /// Until every job has its end and no job is with a worker or waits.
    pub(crate) async fn until_quiet(&self) {
        soon(async {
            loop {
                let open = self.store.batch("test").await.unwrap().map_or(0, |batch| batch.open());
                let depth = self.depth().await;
                if open == 0 && depth.jobs == 0 && depth.retries.iter().all(|&(_, count)| count == 0) {
                    return;
                }
                sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }

    pub(crate) async fn depth(&self) -> Depth {
        Depths::new(self.broker.clone()).read().await.unwrap()
    }

    pub(crate) async fn progress(&self) -> BatchProgress {
        self.store.batch("test").await.unwrap().unwrap()
    }

    pub(crate) async fn query(&self, sql: &str) -> String {
        self.database.query(sql).await.unwrap()
    }

    /// Has the broker deliver a job that is known until it gives it up.
    pub(crate) async fn give_up(&self, message: &Message) {
        self.store.note_published(&[job_of(message)]).await.unwrap();
        self.publish(message).await;
        let (consumer, mut deliveries) = Consumer::start(self.broker.clone(), ConsumerSettings { prefetch: 1 });
        soon(async {
            while self.depth().await.dead == 0 {
                if let Ok(Some(delivery)) = timeout(Duration::from_millis(200), deliveries.recv()).await {
                    let _ = delivery.requeue().await;
                }
            }
        })
        .await;
        consumer.stop().await;
    }

    pub(crate) async fn begin_without_end(&self, message: &Message, times: u32) {
        let job = Job {
            tenant: message.tenant,
            id: message.job_id,
            batch: message.batch.clone(),
            reference: None,
            source: "inline".into(),
            side: RequestedSide::Auto,
        };
        for _ in 0..times {
            if self.store.claim(std::slice::from_ref(&job)).await.unwrap() == [ClaimOutcome::PoisonCandidate] {
                self.store.claim_alone(&job).await.unwrap();
            }
        }
    }

    pub(crate) async fn remove(self) {
        self.publisher.close().await;
        let url = std::env::var("SHENFEN_TEST_BROKER").unwrap();
        remove_queues(&url, &self.broker.topology).await.unwrap();
        self.database.remove().await.unwrap();
    }
}
