//! What every store promises, whatever it is made of: one function a promise, over the ports alone.

use std::collections::BTreeMap;

use proptest::prelude::*;
use shenfen_core::{Decision, Elapsed, ModelInfo, PictureResult, Status};
use shenfen_store::job::{MAX_ATTEMPTS, SUSPECT_ATTEMPTS};
use shenfen_store::port::{Completed, Recovered};
use shenfen_store::{
    BatchProgress, Batches, ClaimedJob, Finished, Job, JobId, JobQueue, Outcome, RequestedSide, ResultFilter,
    ResultRow, Results,
};

/// A store of one kind, empty at first.
pub(crate) trait World: Sized {
    /// Its queue.
    type Queue: JobQueue;
    /// Its tables.
    type Tables: Results + Batches;

    /// The queue of a batch.
    fn queue(&self, batch: &str) -> Self::Queue;

    /// The tables.
    fn tables(&self) -> &Self::Tables;

    /// The worker's process ends without a word, and another one starts on the same store.
    async fn restart(self) -> Self;
}

pub(crate) async fn jobs_are_claimed_in_order_and_by_one_worker_only(world: impl World) {
    let queue = world.queue("kyc");
    assert_eq!(queue.enqueue(&jobs("kyc", 0..5)).await.unwrap(), 5);
    let first = queue.claim(2).await.unwrap();
    let rest = queue.claim(9).await.unwrap();
    assert_eq!(sources(&first), ["0.jpg", "1.jpg"]);
    assert_eq!(sources(&rest), ["2.jpg", "3.jpg", "4.jpg"]);
    assert!(first.iter().chain(&rest).all(|claimed| claimed.attempt == 1));
    assert!(queue.claim(9).await.unwrap().is_empty());
}

pub(crate) async fn a_job_arrives_as_it_was_enqueued(world: impl World) {
    let queue = world.queue("批 \"1\"");
    let job = Job {
        id: JobId::of_picture("批 \"1\"", "/卡/a\u{301}\n.jpg", Some("客户-42")),
        batch: "批 \"1\"".into(),
        reference: Some("客户-42".into()),
        source: "卡/a\u{301}\n.jpg".into(),
        path: "/卡/a\u{301}\n.jpg".into(),
        side: RequestedSide::Back,
    };
    queue.enqueue(std::slice::from_ref(&job)).await.unwrap();
    let claimed = queue.claim(1).await.unwrap();
    assert!(claimed == [ClaimedJob { job, attempt: 1 }]);
}

pub(crate) async fn enqueueing_again_changes_nothing_in_any_state(world: impl World) {
    let queue = world.queue("kyc");
    let all = jobs("kyc", 0..4);
    queue.enqueue(&all).await.unwrap();
    let claimed = queue.claim(3).await.unwrap();
    queue.complete(&[read(&claimed[0], Decision::Accept), dead(&claimed[1])]).await.unwrap();

    let before = only(&world).await;
    assert_eq!(queue.enqueue(&all).await.unwrap(), 0);
    assert_eq!(only(&world).await, before);
    assert_eq!((before.queued, before.running, before.accepted, before.dead), (1, 1, 1, 1));
}

pub(crate) async fn a_result_is_stored_whole_and_once(world: impl World) {
    let queue = world.queue("kyc");
    queue.enqueue(&jobs("kyc", 0..1)).await.unwrap();
    let claimed = queue.claim(1).await.unwrap();
    let end = read(&claimed[0], Decision::Review);
    assert_eq!(queue.complete(std::slice::from_ref(&end)).await.unwrap(), Completed { stored: 1, repeated: 0 });
    let stored = all_rows(&world).await;

    // The same end again, and another one for the same job: the first stands.
    let others = [end, dead(&claimed[0]), read(&claimed[0], Decision::Accept)];
    assert_eq!(queue.complete(&others).await.unwrap(), Completed { stored: 0, repeated: 3 });
    assert!(all_rows(&world).await == stored);

    let [row] = stored.as_slice() else { panic!("one row") };
    assert_eq!((row.job_id, row.batch.as_str()), (claimed[0].job.id, "kyc"));
    assert_eq!((row.source.as_str(), row.reference.as_deref()), ("0.jpg", Some("customer-0")));
    assert_eq!((row.status, row.decision, row.attempts), (Status::Ok, Decision::Review, 1));
    assert_eq!((row.model_version.as_str(), row.image_sha256.as_deref()), ("1.2.3", Some("abc")));
    assert!(row.columns.name == "张三" && row.columns.authority.is_empty() && row.confidence.is_none());
    assert!(serde_json::from_str::<PictureResult>(&row.result).unwrap() == result(Decision::Review));
    assert!(row.created_at <= row.finished_at);
}

pub(crate) async fn a_job_given_back_loses_no_attempt(world: impl World) {
    let queue = world.queue("kyc");
    queue.enqueue(&jobs("kyc", 0..2)).await.unwrap();
    let claimed = queue.claim(2).await.unwrap();
    queue.complete(&[read(&claimed[0], Decision::Accept)]).await.unwrap();
    // One of them is over already and stays so.
    queue.give_back(&ids(&claimed)).await.unwrap();
    let again = queue.claim(9).await.unwrap();
    assert_eq!((sources(&again), again[0].attempt), (vec!["1.jpg"], 1));
}

pub(crate) async fn a_crash_returns_what_was_claimed_and_keeps_what_was_completed(world: impl World) {
    let queue = world.queue("kyc");
    queue.enqueue(&jobs("kyc", 0..4)).await.unwrap();
    let claimed = queue.claim(3).await.unwrap();
    queue.complete(&[read(&claimed[1], Decision::Accept)]).await.unwrap();
    drop(queue);

    let world = world.restart().await;
    let queue = world.queue("kyc");
    assert_eq!(queue.recover().await.unwrap(), Recovered { returned: 2, dead: 0 });
    let again = queue.claim(9).await.unwrap();
    assert_eq!(sources(&again), ["0.jpg", "2.jpg", "3.jpg"]);
    assert_eq!(again.iter().map(|claimed| claimed.attempt).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(all_rows(&world).await.len(), 1);
}

pub(crate) async fn a_picture_that_kills_its_workers_is_read_alone_at_last_and_then_given_up(world: impl World) {
    let mut world = world;
    world.queue("kyc").enqueue(&jobs("kyc", 0..3)).await.unwrap();
    let mut claims_of_one_job = 0;
    let mut neighbours_done = Vec::new();
    // Whoever reads 1.jpg ends in the middle of it, and with it everything in flight.
    for _ in 0..MAX_ATTEMPTS {
        let queue = world.queue("kyc");
        queue.recover().await.unwrap();
        loop {
            let claimed = queue.claim(9).await.unwrap();
            claims_of_one_job = claims_of_one_job.max(claimed.iter().map(|claimed| claimed.attempt).max().unwrap_or(0));
            if claimed.is_empty() || sources(&claimed).contains(&"1.jpg") {
                break;
            }
            for neighbour in &claimed {
                neighbours_done.push(neighbour.job.source.clone());
                queue.complete(&[read(neighbour, Decision::Accept)]).await.unwrap();
            }
        }
        drop(queue);
        world = world.restart().await;
    }
    assert_eq!(neighbours_done, ["0.jpg", "2.jpg"]);
    assert_eq!(claims_of_one_job, MAX_ATTEMPTS);
    assert_eq!(world.queue("kyc").recover().await.unwrap(), Recovered { returned: 0, dead: 1 });
    let batch = only(&world).await;
    assert_eq!((batch.accepted, batch.dead, batch.open()), (2, 1, 0));
}

pub(crate) async fn a_suspect_waits_until_nothing_else_is_running(world: impl World) {
    let mut world = world;
    world.queue("kyc").enqueue(&jobs("kyc", 0..1)).await.unwrap();
    for _ in 0..SUSPECT_ATTEMPTS {
        assert_eq!(world.queue("kyc").claim(1).await.unwrap().len(), 1);
        world = world.restart().await;
        world.queue("kyc").recover().await.unwrap();
    }
    let queue = world.queue("kyc");
    queue.enqueue(&jobs("kyc", 1..3)).await.unwrap();
    let others = queue.claim(1).await.unwrap();
    let more = queue.claim(9).await.unwrap();
    assert_eq!((sources(&others), sources(&more)), (vec!["1.jpg"], vec!["2.jpg"]));
    assert!(queue.claim(9).await.unwrap().is_empty(), "others are running");
    queue.complete(&[read(&others[0], Decision::Accept), read(&more[0], Decision::Accept)]).await.unwrap();

    let suspect = queue.claim(9).await.unwrap();
    assert_eq!((sources(&suspect), suspect[0].attempt), (vec!["0.jpg"], SUSPECT_ATTEMPTS + 1));
    queue.enqueue(&jobs("kyc", 3..4)).await.unwrap();
    assert!(queue.claim(9).await.unwrap().is_empty(), "a suspect is running");
}

pub(crate) async fn batches_do_not_mix(world: impl World) {
    let (one, two) = (world.queue("one"), world.queue("two"));
    one.enqueue(&jobs("one", 0..2)).await.unwrap();
    two.enqueue(&jobs("two", 0..3)).await.unwrap();
    let claimed = two.claim(9).await.unwrap();
    assert_eq!(claimed.len(), 3);
    two.complete(&[read(&claimed[0], Decision::Reject)]).await.unwrap();
    assert_eq!(one.recover().await.unwrap(), Recovered::default(), "the other batch's claims stay");

    let names: Vec<String> = world.tables().batches().await.unwrap().into_iter().map(|batch| batch.name).collect();
    assert_eq!(names, ["one", "two"]);
    let two = world.tables().batch("two").await.unwrap().unwrap();
    assert_eq!((two.total(), two.running, two.failed), (3, 2, 1));
    assert!(world.tables().batch("three").await.unwrap().is_none());
}

pub(crate) async fn pages_show_every_result_once_in_order_and_filters_hold(world: impl World) {
    let queue = world.queue("kyc");
    queue.enqueue(&jobs("kyc", 0..7)).await.unwrap();
    for (index, claimed) in queue.claim(9).await.unwrap().iter().enumerate() {
        let decision = if index % 2 == 0 { Decision::Accept } else { Decision::Review };
        queue.complete(&[read(claimed, decision)]).await.unwrap();
    }
    let all: Vec<String> = all_rows(&world).await.into_iter().map(|row| row.source).collect();
    assert_eq!(all, ["0.jpg", "1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg", "6.jpg"]);

    let count = async |filter: ResultFilter| world.tables().page(&filter, 0, 100).await.unwrap().len();
    assert_eq!(count(ResultFilter { decision: Some(Decision::Review), ..ResultFilter::default() }).await, 3);
    assert_eq!(count(ResultFilter { status: Some(Status::Fail), ..ResultFilter::default() }).await, 0);
    assert_eq!(count(ResultFilter { batch: Some("other".into()), ..ResultFilter::default() }).await, 0);
}

/// One thing that may happen to a store.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Enqueue(std::ops::Range<usize>),
    Claim(usize),
    Complete(usize),
    CompleteAgain(usize),
    GiveBack(usize),
    Crash,
}

/// Any order of things that may happen.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..20_usize, 0..6_usize).prop_map(|(from, count)| Step::Enqueue(from..from + count)),
        (0..6_usize).prop_map(Step::Claim),
        (0..6_usize).prop_map(Step::Complete),
        (0..6_usize).prop_map(Step::CompleteAgain),
        (0..3_usize).prop_map(Step::GiveBack),
        Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..40)
}

/// Whatever happens, once the work is let finish every job has exactly one end.
pub(crate) async fn every_job_ends_exactly_once(mut world: impl World, steps: Vec<Step>) {
    let mut known = std::collections::BTreeSet::new();
    let mut in_hand: Vec<ClaimedJob> = Vec::new();
    let mut ended: Vec<Finished> = Vec::new();
    for step in steps {
        let queue = world.queue("kyc");
        match step {
            Step::Enqueue(range) => {
                known.extend(range.clone());
                queue.enqueue(&jobs("kyc", range)).await.unwrap();
            }
            Step::Claim(limit) => in_hand.extend(queue.claim(limit).await.unwrap()),
            Step::Complete(count) => {
                let some: Vec<ClaimedJob> = in_hand.drain(..count.min(in_hand.len())).collect();
                let ends: Vec<Finished> = some.iter().map(|claimed| read(claimed, Decision::Accept)).collect();
                let done = queue.complete(&ends).await.unwrap();
                assert_eq!(done, Completed { stored: ends.len() as u64, repeated: 0 });
                ended.extend(ends);
            }
            Step::CompleteAgain(count) => {
                let ends = &ended[..count.min(ended.len())];
                assert_eq!(queue.complete(ends).await.unwrap().stored, 0);
            }
            Step::GiveBack(count) => {
                let some: Vec<ClaimedJob> = in_hand.drain(..count.min(in_hand.len())).collect();
                queue.give_back(&ids(&some)).await.unwrap();
            }
            Step::Crash => {
                in_hand.clear();
                drop(queue);
                world = world.restart().await;
                world.queue("kyc").recover().await.unwrap();
            }
        }
    }
    let queue = world.queue("kyc");
    queue.recover().await.unwrap();
    loop {
        let claimed = queue.claim(4).await.unwrap();
        if claimed.is_empty() {
            break;
        }
        let ends: Vec<Finished> = claimed.iter().map(|claimed| read(claimed, Decision::Accept)).collect();
        queue.complete(&ends).await.unwrap();
    }
    let mut results: Vec<usize> = all_rows(&world).await.iter().map(|row| number_of(&row.source)).collect();
    results.sort_unstable();
    let dead = world.tables().batch("kyc").await.unwrap().map_or(0, |batch| batch.dead);
    assert_eq!(results.len() as u64 + dead, known.len() as u64);
    results.dedup();
    assert_eq!(results.len() as u64 + dead, known.len() as u64, "a result stands twice");
    assert!(results.iter().all(|number| known.contains(number)));
}

fn number_of(source: &str) -> usize {
    source.trim_end_matches(".jpg").parse().unwrap()
}

fn jobs(batch: &str, numbers: std::ops::Range<usize>) -> Vec<Job> {
    let job = |number| {
        let path = format!("/cards/{number}.jpg");
        let reference = format!("customer-{number}");
        Job {
            id: JobId::of_picture(batch, &path, Some(&reference)),
            batch: batch.into(),
            reference: Some(reference),
            source: format!("{number}.jpg"),
            path,
            side: RequestedSide::Auto,
        }
    };
    numbers.map(job).collect()
}

fn result(decision: Decision) -> PictureResult {
    PictureResult {
        status: Status::Ok,
        message: BTreeMap::from([("name".into(), "张三".into())]),
        cards: Vec::new(),
        findings: Vec::new(),
        decision,
        model: ModelInfo { name: "test".into(), version: "1.2.3".into(), sha256: "0".into() },
        elapsed_ms: Elapsed::default(),
    }
}

fn read(claimed: &ClaimedJob, decision: Decision) -> Finished {
    let outcome = Outcome::Read { result: Box::new(result(decision)), image_sha256: Some("abc".into()) };
    Finished { claimed: claimed.clone(), outcome }
}

fn dead(claimed: &ClaimedJob) -> Finished {
    Finished { claimed: claimed.clone(), outcome: Outcome::Dead { reason: "a test".into() } }
}

fn sources(claimed: &[ClaimedJob]) -> Vec<&str> {
    claimed.iter().map(|claimed| claimed.job.source.as_str()).collect()
}

fn ids(claimed: &[ClaimedJob]) -> Vec<JobId> {
    claimed.iter().map(|claimed| claimed.job.id).collect()
}

async fn only(world: &impl World) -> BatchProgress {
    let mut batch = world.tables().batches().await.unwrap().pop().unwrap();
    // The rate moves with the clock.
    batch.rate = None;
    batch
}

/// All results, in pages of two.
async fn all_rows(world: &impl World) -> Vec<ResultRow> {
    let mut rows: Vec<ResultRow> = Vec::new();
    loop {
        let after = rows.last().map_or(0, |row| row.seq);
        let page = world.tables().page(&ResultFilter::default(), after, 2).await.unwrap();
        if page.is_empty() {
            return rows;
        }
        rows.extend(page);
    }
}
