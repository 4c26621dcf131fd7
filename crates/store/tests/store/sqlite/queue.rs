//! The SQLite queue: order, recovery and poison jobs.

use shenfen_core::{Decision, Job, JobId, RequestedSide, Tenant};
use shenfen_store::job::{MAX_ATTEMPTS, POISON_CANDIDATE_ATTEMPTS};
use shenfen_store::port::Recovered;
use shenfen_store::{ClaimedJob, Finished, JobQueue, Jobs, NewJob};

use super::Sqlite;
use crate::conformance::{World, only};
use crate::made::{self, jobs};

fn read(claimed: &ClaimedJob) -> Finished {
    made::read(&claimed.job, claimed.attempt, Decision::Accept)
}

fn sources(claimed: &[ClaimedJob]) -> Vec<&str> {
    claimed.iter().map(|claimed| claimed.job.source.as_str()).collect()
}

#[tokio::test]
async fn claims_in_order_and_each_job_once() {
    let world = Sqlite::new().await;
    let queue = world.jobs("kyc");
    assert_eq!(queue.enqueue(&jobs("kyc", 0..5)).await.unwrap(), 5);
    let first = queue.claim(2).await.unwrap();
    let rest = queue.claim(9).await.unwrap();
    assert_eq!(sources(&first), ["0.jpg", "1.jpg"]);
    assert_eq!(sources(&rest), ["2.jpg", "3.jpg", "4.jpg"]);
    assert!(first.iter().chain(&rest).all(|claimed| claimed.attempt == 1));
    assert!(queue.claim(9).await.unwrap().is_empty());
}

#[tokio::test]
async fn claimed_job_equals_enqueued_job() {
    let world = Sqlite::new().await;
    let queue = world.jobs("批 \"1\"");
    let job = Job {
        tenant: Tenant::DEFAULT,
        id: JobId::of_picture("批 \"1\"", "/卡/a\u{301}\n.jpg", Some("客户-42")),
        batch: "批 \"1\"".into(),
        reference: Some("客户-42".into()),
        source: "卡/a\u{301}\n.jpg".into(),
        side: RequestedSide::Back,
    };
    let path = String::from("/卡/a\u{301}\n.jpg");
    queue.enqueue(&[NewJob { job: job.clone(), picture: path.clone() }]).await.unwrap();
    let claimed = queue.claim(1).await.unwrap();
    assert!(claimed == [ClaimedJob { job, path, attempt: 1 }]);
}

#[tokio::test]
async fn recovers_only_claims_of_its_batch() {
    let world = Sqlite::new().await;
    let (one, two) = (world.jobs("one"), world.jobs("two"));
    one.enqueue(&jobs("one", 0..3)).await.unwrap();
    two.enqueue(&jobs("two", 0..3)).await.unwrap();
    one.claim(2).await.unwrap();
    assert_eq!(two.recover().await.unwrap(), Recovered::default());
    drop((one, two));

    let world = world.crash().await;
    assert_eq!(world.jobs("one").recover().await.unwrap(), Recovered { returned: 2, dead: 0 });
}

#[tokio::test]
async fn poison_job_is_isolated_and_then_dead() {
    let mut world = Sqlite::new().await;
    world.jobs("kyc").enqueue(&jobs("kyc", 0..3)).await.unwrap();
    let mut claims_of_one_job = 0;
    let mut neighbours_done = Vec::new();
    // Reading 1.jpg kills the process, together with all other jobs in progress.
    for _ in 0..MAX_ATTEMPTS {
        let queue = world.jobs("kyc");
        queue.recover().await.unwrap();
        loop {
            let claimed = queue.claim(9).await.unwrap();
            claims_of_one_job = claims_of_one_job.max(claimed.iter().map(|claimed| claimed.attempt).max().unwrap_or(0));
            if claimed.is_empty() || sources(&claimed).contains(&"1.jpg") {
                break;
            }
            for neighbour in &claimed {
                neighbours_done.push(neighbour.job.source.clone());
                queue.complete(&[read(neighbour)]).await.unwrap();
            }
        }
        drop(queue);
        world = world.crash().await;
    }
    assert_eq!(neighbours_done, ["0.jpg", "2.jpg"]);
    assert_eq!(claims_of_one_job, MAX_ATTEMPTS);
    assert_eq!(world.jobs("kyc").recover().await.unwrap(), Recovered { returned: 0, dead: 1 });
    let batch = only(&world).await;
    assert_eq!((batch.accepted, batch.dead, batch.open()), (2, 1, 0));
}

#[tokio::test]
async fn poison_candidate_is_claimed_alone() {
    let mut world = Sqlite::new().await;
    world.jobs("kyc").enqueue(&jobs("kyc", 0..1)).await.unwrap();
    for _ in 0..POISON_CANDIDATE_ATTEMPTS {
        assert_eq!(world.jobs("kyc").claim(1).await.unwrap().len(), 1);
        world = world.crash().await;
        world.jobs("kyc").recover().await.unwrap();
    }
    let queue = world.jobs("kyc");
    queue.enqueue(&jobs("kyc", 1..3)).await.unwrap();
    let others = queue.claim(1).await.unwrap();
    let more = queue.claim(9).await.unwrap();
    assert_eq!((sources(&others), sources(&more)), (vec!["1.jpg"], vec!["2.jpg"]));
    assert!(queue.claim(9).await.unwrap().is_empty(), "others are running");
    queue.complete(&[read(&others[0]), read(&more[0])]).await.unwrap();

    let candidate = queue.claim(9).await.unwrap();
    assert_eq!((sources(&candidate), candidate[0].attempt), (vec!["0.jpg"], POISON_CANDIDATE_ATTEMPTS + 1));
    queue.enqueue(&jobs("kyc", 3..4)).await.unwrap();
    assert!(queue.claim(9).await.unwrap().is_empty(), "a poison candidate is running");
}
