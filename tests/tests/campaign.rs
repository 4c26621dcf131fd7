//! The campaign: thousands of jobs from a confirming publisher, while workers, broker and database are killed, frozen and
//! started again, connections are cut and go silent, the broker raises its memory alarm and the database's disk is full.
//! Afterwards every confirmed job has exactly one result or one dead letter, and nothing is left anywhere.
//!
//! `SHENFEN_CAMPAIGN_JOBS` and `SHENFEN_CAMPAIGN_SECONDS` make it longer, `SHENFEN_SEED` repeats its choices.
#![expect(clippy::unwrap_used, reason = "test code, its helpers too")]

use std::collections::{HashMap, HashSet};
use std::env;
use std::process::Stdio;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rustix::process::{Pid, Signal, kill_process};
use shenfen_core::{JobId, RequestedSide, Tenant};
use shenfen_queue::{Broker, DeadLetters, Depths, Image, Limits, Message, Outgoing, Publisher, Route, Topology};
use shenfen_tests::{Postgres, Proxy, Rabbit, stub};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

const WORKERS: usize = 3;
/// Messages published together.
const VOLLEY: usize = 25;
/// How long everything may take to come to rest after the last fault.
const REST: Duration = Duration::from_secs(150);

fn setting(name: &str, usual: u64) -> u64 {
    env::var(name).map_or(usual, |value| value.parse().unwrap())
}

/// What a job of the campaign is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Plain,
    Panicking,
    Deadly,
    /// Published twice.
    Twice,
}

fn kind(number: u64) -> Kind {
    match number {
        700 => Kind::Deadly,
        _ if number % 211 == 7 => Kind::Panicking,
        _ if number % 37 == 5 => Kind::Twice,
        _ => Kind::Plain,
    }
}

fn message(number: u64) -> Message {
    let bytes = match kind(number) {
        Kind::Deadly => stub::DEADLY.to_vec(),
        Kind::Panicking => stub::PANICKING.to_vec(),
        Kind::Plain | Kind::Twice if number.is_multiple_of(5) => b"slow 20".to_vec(),
        Kind::Plain | Kind::Twice => format!("picture {number}").into_bytes(),
    };
    Message {
        tenant: Tenant::DEFAULT,
        job_id: Uuid::from_u128(u128::from(number) + 1).into(),
        batch: "campaign".into(),
        reference: Some(format!("{number}")),
        side: RequestedSide::Auto,
        image: Image::Inline(bytes),
    }
}

struct Scene {
    rabbit: Rabbit,
    postgres: Postgres,
    to_rabbit: Proxy,
    to_postgres: Proxy,
    workers: Vec<Child>,
    started: usize,
    variables: HashMap<&'static str, String>,
}

impl Scene {
    fn worker(&self) -> Child {
        let program = env!("CARGO_BIN_EXE_stub-worker");
        Command::new(program).envs(&self.variables).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap()
    }

    /// Starts the workers again that have ended, as whatever runs them would.
    fn keep_workers(&mut self) {
        for place in 0..self.workers.len() {
            if self.workers[place].try_wait().unwrap().is_some() {
                self.workers[place] = self.worker();
                self.started += 1;
            }
        }
    }

    fn signal(&self, place: usize, signal: Signal) {
        if let Some(pid) = self.workers[place].id().and_then(|id| Pid::from_raw(id as i32)) {
            let _ = kill_process(pid, signal);
        }
    }

    /// The queues that hold messages, waiting or unacknowledged, the dead-letter queue aside: name, messages, of
    /// these unacknowledged.
    async fn queues_holding_messages(&self) -> Vec<String> {
        let queues =
            self.rabbit.rabbitmqctl(&["list_queues", "--quiet", "name", "messages", "messages_unacknowledged"]);
        let queues = queues.await.unwrap();
        let ours = queues.lines().filter(|line| line.starts_with("campaign.") && !line.contains(".dead"));
        ours.filter(|line| !line.ends_with("\t0\t0")).map(str::to_owned).collect()
    }

    /// One fault, and its end.
    async fn strike(&mut self, random: &mut StdRng) -> &'static str {
        let place = random.random_range(0..WORKERS);
        let pause = Duration::from_millis(random.random_range(200..2500));
        match random.random_range(0..15) {
            0..=3 => {
                self.signal(place, Signal::KILL);
                "a worker is killed"
            }
            4 => {
                self.signal(place, Signal::STOP);
                sleep(pause).await;
                self.signal(place, Signal::CONT);
                "a worker stands still"
            }
            5 => {
                self.signal(place, Signal::TERM);
                "a worker is asked to end"
            }
            6 => {
                self.rabbit.kill().unwrap();
                sleep(pause).await;
                self.rabbit.restart().await.unwrap();
                "the broker is killed"
            }
            7 => {
                self.rabbit.freeze().unwrap();
                sleep(pause).await;
                self.rabbit.thaw().unwrap();
                "the broker stands still"
            }
            8 => {
                self.postgres.kill().unwrap();
                sleep(pause).await;
                self.postgres.restart().await.unwrap();
                "the database is killed"
            }
            9 => {
                self.postgres.freeze().unwrap();
                sleep(pause).await;
                self.postgres.thaw().unwrap();
                "the database stands still"
            }
            10 => {
                self.to_rabbit.cut();
                self.to_postgres.cut();
                "all connections are cut"
            }
            11 => {
                self.to_rabbit.black_hole();
                sleep(pause).await;
                self.to_rabbit.cut();
                self.to_rabbit.forward();
                "the broker is behind a black hole"
            }
            12 => {
                self.to_postgres.black_hole();
                sleep(pause).await;
                self.to_postgres.cut();
                self.to_postgres.forward();
                "the database is behind a black hole"
            }
            13 => {
                self.rabbit.rabbitmqctl(&["set_vm_memory_high_watermark", "absolute", "1"]).await.unwrap();
                sleep(pause).await;
                self.rabbit.rabbitmqctl(&["set_vm_memory_high_watermark", "0.6"]).await.unwrap();
                "the broker has no memory left"
            }
            _ => {
                let full = "CREATE OR REPLACE FUNCTION full() RETURNS trigger LANGUAGE plpgsql AS
                            $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full'; END $$;
                            CREATE TRIGGER full BEFORE INSERT ON results EXECUTE FUNCTION full()";
                if self.postgres.query("campaign", full).await.is_ok() {
                    sleep(pause).await;
                    self.postgres.query("campaign", "DROP TRIGGER full ON results").await.unwrap();
                }
                "the database's disk is full"
            }
        }
    }
}

/// Publishes every job until it is confirmed, some of them twice, some messages that are no jobs between them.
async fn publish(broker: Broker, jobs: u64, over: Duration) -> Vec<String> {
    let publisher = Publisher::new(broker);
    let pause = over / (jobs / VOLLEY as u64).max(1) as u32;
    let mut malformed = Vec::new();
    for first in (0..jobs).step_by(VOLLEY) {
        let mut waiting: Vec<Outgoing> = Vec::new();
        for number in first..(first + VOLLEY as u64).min(jobs) {
            let body = message(number).to_json();
            let outgoing = Outgoing { route: Route::Jobs, body, message_id: None, failures: 0, reason: None };
            if kind(number) == Kind::Twice {
                waiting.push(outgoing.clone());
            }
            waiting.push(outgoing);
        }
        let id = format!("no-job-{first}");
        let body = format!("this is no job: {first}").into_bytes();
        waiting.push(Outgoing { route: Route::Jobs, body, message_id: Some(id.clone()), failures: 0, reason: None });
        malformed.push(id);
        while !waiting.is_empty() {
            let outcomes = publisher.publish_all(&waiting).await;
            let mut left = outcomes.into_iter();
            waiting.retain(|_| left.next().is_none_or(|outcome| outcome.is_err()));
            if !waiting.is_empty() {
                sleep(Duration::from_millis(200)).await;
            }
        }
        sleep(pause).await;
    }
    publisher.close().await;
    malformed
}

#[tokio::test(flavor = "multi_thread")]
async fn no_job_is_lost_or_counted_twice() {
    let seed = setting("SHENFEN_SEED", Uuid::new_v4().as_u64_pair().0);
    let jobs = setting("SHENFEN_CAMPAIGN_JOBS", 2000);
    let seconds = setting("SHENFEN_CAMPAIGN_SECONDS", 60);
    println!("SHENFEN_SEED={seed} SHENFEN_CAMPAIGN_JOBS={jobs} SHENFEN_CAMPAIGN_SECONDS={seconds}");
    let mut random = StdRng::seed_from_u64(seed);

    let (rabbit, postgres) = tokio::try_join!(Rabbit::start(), Postgres::start()).unwrap();
    postgres.create_database("campaign").await.unwrap();
    let to_rabbit = Proxy::start(rabbit.address()).await.unwrap();
    let to_postgres = Proxy::start(postgres.address()).await.unwrap();
    let topology = Topology::new("campaign").unwrap();
    let limits = Limits {
        connect: Duration::from_secs(5),
        call: Duration::from_secs(5),
        confirm: Duration::from_secs(5),
        heartbeat: 2,
        ..Limits::default()
    };
    let broker = Broker { url: rabbit.url().parse().unwrap(), topology, limits };
    let variables = HashMap::from([
        ("SHENFEN_BROKER", rabbit.url_of("/", to_rabbit.address())),
        ("SHENFEN_QUEUE_PREFIX", "campaign".to_owned()),
        ("SHENFEN_DATABASE", postgres.url_of("campaign", to_postgres.address())),
    ]);
    let mut scene =
        Scene { rabbit, postgres, to_rabbit, to_postgres, workers: Vec::new(), started: WORKERS, variables };
    scene.workers = (0..WORKERS).map(|_| scene.worker()).collect();

    let publishing = tokio::spawn(publish(broker.clone(), jobs, Duration::from_secs(seconds) * 3 / 4));
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut faults: HashMap<&str, u32> = HashMap::new();
    while Instant::now() < end || !publishing.is_finished() {
        assert!(Instant::now() < end + REST, "the publisher does not come to its end");
        sleep(Duration::from_millis(random.random_range(100..1200))).await;
        scene.keep_workers();
        if Instant::now() < end {
            *faults.entry(scene.strike(&mut random).await).or_default() += 1;
        }
    }
    let malformed = publishing.await.unwrap();

    // Peace. The workers come to the end of it; the deadly picture still takes some of them with it.
    let quiet = timeout(REST, async {
        let depths = Depths::new(broker.clone());
        loop {
            scene.keep_workers();
            let open = scene.postgres.query("campaign", "SELECT count(*) FROM jobs WHERE finished_at IS NULL").await;
            let ended =
                scene.postgres.query("campaign", "SELECT count(*) FROM jobs WHERE finished_at IS NOT NULL").await;
            let waiting = depths
                .read()
                .await
                .map(|depth| depth.jobs + depth.retries.iter().map(|&(_, count)| count).sum::<u32>());
            // A message delivered into a connection that is gone stays unacknowledged until the broker misses its
            // heartbeats; a worker then has to take it once more. The count of the waiting does not show it.
            if open.is_ok_and(|open| open.trim() == "0")
                && ended.is_ok_and(|ended| ended.trim() == jobs.to_string())
                && waiting.is_ok_and(|waiting| waiting == 0)
                && scene.queues_holding_messages().await.is_empty()
            {
                break;
            }
            sleep(Duration::from_millis(250)).await;
        }
    })
    .await;
    let states = scene.postgres.query("campaign", "SELECT state, count(*) FROM jobs GROUP BY state").await.unwrap();
    println!("faults: {faults:?}; workers started: {}; states: {states}", scene.started);
    assert!(quiet.is_ok(), "not at rest: {states}");

    // Workers that end politely settle everything; then nothing is left unacknowledged.
    for place in 0..WORKERS {
        scene.signal(place, Signal::TERM);
    }
    for worker in &mut scene.workers {
        timeout(Duration::from_secs(20), worker.wait()).await.unwrap().unwrap();
    }
    let letters = DeadLetters::new(broker.clone()).list(100_000).await.unwrap();
    let holding = scene.queues_holding_messages().await;
    assert!(holding.is_empty(), "left in a queue (name, messages, of these unacknowledged): {holding:?}");

    // Every job once: as a result or as a dead letter.
    let results = scene.postgres.query("campaign", "SELECT job_id FROM results ORDER BY job_id").await.unwrap();
    let results: Vec<JobId> = results.lines().filter_map(|line| line.trim().parse().ok()).collect();
    let stored: HashSet<JobId> = results.iter().copied().collect();
    assert_eq!(stored.len(), results.len(), "no result twice");
    let dead: HashSet<JobId> = letters.iter().filter_map(|letter| letter.job.map(|job| job.id)).collect();
    for number in 0..jobs {
        let id = message(number).job_id;
        let expected = match kind(number) {
            Kind::Plain | Kind::Twice => (true, false),
            Kind::Panicking | Kind::Deadly => (false, true),
        };
        assert_eq!((stored.contains(&id), dead.contains(&id)), expected, "job {number}, {:?}", kind(number));
    }
    assert_eq!(stored.len() + dead.len(), jobs as usize);
    let no_jobs: HashSet<&str> = letters.iter().filter_map(|letter| letter.message_id.as_deref()).collect();
    for id in &malformed {
        assert!(no_jobs.contains(id.as_str()), "{id} of {} is lost; {} letters", malformed.len(), letters.len());
    }

    // The table of jobs agrees.
    let counted = "SELECT count(*) FILTER (WHERE state = 'done'), count(*) FILTER (WHERE state = 'dead') FROM jobs";
    let counted = scene.postgres.query("campaign", counted).await.unwrap();
    assert_eq!(counted.trim().replace(' ', ""), format!("{}|{}", stored.len(), dead.len()));
}
