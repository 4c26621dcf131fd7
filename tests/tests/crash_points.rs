//! The process ends at each named place of a job's way, as SIGKILL would end it; afterwards every job has one result.
#![expect(clippy::unwrap_used, reason = "test code, its helpers too")]

use std::process::Stdio;
use std::time::Duration;

use shenfen_core::{RequestedSide, Tenant};
use shenfen_queue::{Broker, Depths, Image, Message, Outgoing, Publisher, Route, Topology};
use shenfen_tests::{Scratch, remove_queues, stub};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

const JOBS: u128 = 12;
/// Longest wait for anything that must happen.
const SOON: Duration = Duration::from_secs(60);

struct Scene {
    url: String,
    broker: Broker,
    database: Scratch,
}

impl Scene {
    async fn new() -> Scene {
        let url = std::env::var("SHENFEN_TEST_BROKER").expect("run scripts/test, which starts one");
        let topology = Topology::new(format!("crash-{}", Uuid::new_v4())).unwrap();
        let broker = Broker { topology, ..Broker::new(url.parse().unwrap()) };
        Scene { url, broker, database: Scratch::new().await.unwrap() }
    }

    fn worker(&self, crash_at: Option<&str>) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stub-worker"));
        command
            .env("SHENFEN_BROKER", &self.url)
            .env("SHENFEN_QUEUE_PREFIX", self.broker.topology.exchange())
            .env("SHENFEN_DATABASE", self.database.url())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        if let Some(place) = crash_at {
            command.env("SHENFEN_CRASH_AT", place);
        }
        command.spawn().unwrap()
    }

    /// Jobs 1 to [`JOBS`]; `image` says what the picture of each is.
    async fn publish(&self, image: impl Fn(u128) -> Image) {
        let publisher = Publisher::new(self.broker.clone());
        for number in 1..=JOBS {
            let image = image(number);
            let job_id = Uuid::from_u128(number).into();
            let message = Message {
                tenant: Tenant::DEFAULT,
                job_id,
                batch: "crash".into(),
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

    /// One result for each job, and no message left anywhere.
    async fn until_all_is_done(&self) {
        let depths = Depths::new(self.broker.clone());
        let done = async {
            loop {
                let results = self.database.query("SELECT count(*) FROM results").await.unwrap();
                if results == JOBS.to_string() && depths.read().await.unwrap().jobs == 0 {
                    return;
                }
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(SOON, done).await.unwrap();
        let states = "SELECT string_agg(DISTINCT state, ',') FROM jobs";
        assert_eq!(self.database.query(states).await.unwrap(), "done");
    }
}

fn picture() -> Image {
    Image::Inline(b"picture".to_vec())
}

async fn ends_there_and_loses_nothing(place: &str) {
    let scene = Scene::new().await;
    scene.publish(|number| if number == 7 { Image::Path("refused.jpg".into()) } else { picture() }).await;
    let mut worker = scene.worker(Some(place));
    let status = timeout(SOON, worker.wait()).await.expect("it should have ended there").unwrap();
    assert!(!status.success(), "{place}: it ended politely");
    let mut worker = scene.worker(None);
    scene.until_all_is_done().await;
    worker.kill().await.unwrap();
    remove_queues(&scene.url, &scene.broker.topology).await.unwrap();
    scene.database.remove().await.unwrap();
}

#[tokio::test]
async fn after_receiving() {
    ends_there_and_loses_nothing("after-receive").await;
}

#[tokio::test]
async fn after_claiming() {
    ends_there_and_loses_nothing("after-begin").await;
}

#[tokio::test]
async fn after_reading() {
    ends_there_and_loses_nothing("after-read").await;
}

#[tokio::test]
async fn before_the_commit() {
    ends_there_and_loses_nothing("before-commit").await;
}

#[tokio::test]
async fn after_the_commit() {
    ends_there_and_loses_nothing("after-commit").await;
}

#[tokio::test]
async fn after_the_acknowledgement() {
    ends_there_and_loses_nothing("after-settle").await;
}

/// The deadly picture comes first, so its neighbours are in hand each time that it ends a worker.
#[tokio::test]
async fn poison_picture_is_dead_and_others_are_not_blamed() {
    let scene = Scene::new().await;
    scene.publish(|number| if number == 1 { Image::Inline(stub::DEADLY.to_vec()) } else { picture() }).await;
    let ended_jobs =
        "SELECT count(*) FILTER (WHERE state = 'done') || ' done, ' || count(*) FILTER (WHERE state = 'dead')
                 || ' dead, others begun at most ' || max(attempts) FILTER (WHERE state = 'done') FROM jobs";
    let settled = async {
        let mut worker = scene.worker(None);
        // The table comes with the first worker.
        let ended = async || scene.database.query("SELECT count(finished_at) FROM jobs").await.unwrap_or_default();
        while ended().await != JOBS.to_string() {
            if worker.try_wait().unwrap().is_some() {
                worker = scene.worker(None);
            }
            sleep(Duration::from_millis(50)).await;
        }
        worker.kill().await.unwrap();
    };
    timeout(SOON, settled).await.unwrap();
    // Three times with their neighbour and once for themselves.
    let ended_jobs = scene.database.query(ended_jobs).await.unwrap();
    let most: u32 =
        ended_jobs.strip_prefix("11 done, 1 dead, others begun at most ").unwrap_or(&ended_jobs).parse().unwrap();
    assert!(most <= 4, "{ended_jobs}");
    let dead = scene.database.query("SELECT reason FROM jobs WHERE state = 'dead'").await.unwrap();
    assert_eq!(dead, "reading it ended the worker 10 times");
    remove_queues(&scene.url, &scene.broker.topology).await.unwrap();
    scene.database.remove().await.unwrap();
}
