//! Claims are counted, ends are detected, and any number of workers may write at once.

use shenfen_core::{Decision, Job};
use shenfen_store::job::{MAX_ATTEMPTS, POISON_CANDIDATE_ATTEMPTS};
use shenfen_store::port::Completed;
use shenfen_store::{
    BatchState, Batches, ClaimOutcome, Dispatch, Finished, JobStatus, JobStore, Jobs, PostgresStore, ResultFilter,
    Results,
};

use super::server::TestDatabase;
use crate::made::{dead, job, jobs, read};

const FIRST_CLAIM: ClaimOutcome = ClaimOutcome::Claimed { attempt: 1 };

async fn claim(store: &PostgresStore, job: &Job) -> ClaimOutcome {
    store.claim(std::slice::from_ref(job)).await.unwrap()[0]
}

#[tokio::test]
async fn claiming_an_unknown_job_records_it() {
    let database = TestDatabase::new().await;
    let store = database.open().await;
    let arrived = [job("kyc", 2), job("kyc", 1), job("kyc", 2)];
    assert_eq!(store.claim(&arrived).await.unwrap(), [FIRST_CLAIM, FIRST_CLAIM, FIRST_CLAIM]);
    let batch = store.batch("kyc").await.unwrap().unwrap();
    assert_eq!((batch.total(), batch.running), (2, 2));
    assert_eq!(store.claim(&[]).await.unwrap(), []);
}

#[tokio::test]
async fn counts_claims_until_the_job_is_exhausted() {
    let database = TestDatabase::new().await;
    let store = database.open().await;
    let job = job("kyc", 0);
    for attempt in 1..=POISON_CANDIDATE_ATTEMPTS {
        assert_eq!(claim(&store, &job).await, ClaimOutcome::Claimed { attempt });
        // A released claim is not counted.
        store.release(&[job.key()]).await.unwrap();
        assert_eq!(claim(&store, &job).await, ClaimOutcome::Claimed { attempt });
    }
    for attempt in POISON_CANDIDATE_ATTEMPTS + 1..=MAX_ATTEMPTS {
        // Beside others it is only reported, however often.
        assert_eq!(claim(&store, &job).await, ClaimOutcome::PoisonCandidate);
        assert_eq!(store.claim_alone(&job).await.unwrap(), ClaimOutcome::Claimed { attempt });
    }
    assert_eq!(claim(&store, &job).await, ClaimOutcome::PoisonCandidate);
    assert_eq!(store.claim_alone(&job).await.unwrap(), ClaimOutcome::Exhausted { attempts: MAX_ATTEMPTS });
    store.complete(&[dead(&job, MAX_ATTEMPTS)]).await.unwrap();
    assert_eq!(claim(&store, &job).await, ClaimOutcome::AlreadyEnded);

    assert_eq!(store.reopen(&[job.key()]).await.unwrap(), 1);
    assert_eq!(store.reopen(&[job.key()]).await.unwrap(), 0, "it is open already");
    assert_eq!(claim(&store, &job).await, FIRST_CLAIM);
    store.complete(&[read(&job, 1, Decision::Accept)]).await.unwrap();
    assert_eq!(store.reopen(&[job.key()]).await.unwrap(), 0, "a result stays");
}

#[tokio::test]
async fn completes_a_job_whose_claim_was_lost() {
    let database = TestDatabase::new().await;
    let store = database.open().await;
    let ends = [read(&job("kyc", 0), 1, Decision::Accept), dead(&job("kyc", 1), 0)];
    assert_eq!(store.complete(&ends).await.unwrap(), Completed { stored: 2, repeated: 0 });
    assert_eq!(store.complete(&ends).await.unwrap(), Completed { stored: 0, repeated: 2 });
    let batch = store.batch("kyc").await.unwrap().unwrap();
    assert_eq!((batch.accepted, batch.dead, batch.total()), (1, 1, 2));
}

#[tokio::test]
async fn claims_in_a_paused_batch_are_refused_without_counting() {
    let database = TestDatabase::new().await;
    let store = database.open().await;
    assert_eq!(claim(&store, &job("kyc", 0)).await, FIRST_CLAIM);
    assert_eq!(store.set_batch_state("kyc", BatchState::Paused).await.unwrap(), Some(BatchState::Paused));
    // One that was being read when its worker ended, and one that is new.
    assert_eq!(store.claim(&[job("kyc", 0), job("kyc", 1)]).await.unwrap(), [ClaimOutcome::BatchPaused; 2]);
    let batch = store.batch("kyc").await.unwrap().unwrap();
    assert_eq!((batch.state, batch.queued, batch.running), (BatchState::Paused, 2, 0));

    store.set_batch_state("kyc", BatchState::Active).await.unwrap();
    let outcomes = store.claim(&[job("kyc", 0), job("kyc", 1)]).await.unwrap();
    assert_eq!(outcomes, [ClaimOutcome::Claimed { attempt: 2 }, FIRST_CLAIM]);
}

#[tokio::test]
async fn cancelling_a_batch_ends_all_jobs_that_are_not_running() {
    let database = TestDatabase::new().await;
    let store = database.open().await;
    store.enqueue(&jobs("kyc", 0..4)).await.unwrap();
    store.mark_sent(&[job("kyc", 1).id]).await.unwrap();
    store.claim(&[job("kyc", 2), job("kyc", 3)]).await.unwrap();
    assert_eq!(store.set_batch_state("kyc", BatchState::Cancelled).await.unwrap(), Some(BatchState::Cancelled));
    let batch = store.batch("kyc").await.unwrap().unwrap();
    assert_eq!((batch.cancelled, batch.running, batch.open()), (2, 2, 2));

    // One worker finishes, the other one crashed. New jobs are cancelled at once.
    let end = read(&job("kyc", 2), 1, Decision::Accept);
    assert_eq!(store.complete(&[end]).await.unwrap(), Completed { stored: 1, repeated: 0 });
    store.enqueue(&jobs("kyc", 5..6)).await.unwrap();
    let arrived: Vec<Job> = (0..7).map(|number| job("kyc", number)).collect();
    assert_eq!(store.claim(&arrived).await.unwrap(), [ClaimOutcome::AlreadyEnded; 7]);
    let late = read(&job("kyc", 0), 1, Decision::Accept);
    assert_eq!(store.complete(&[late]).await.unwrap(), Completed { stored: 0, repeated: 1 });

    assert_eq!(store.set_batch_state("kyc", BatchState::Active).await.unwrap(), Some(BatchState::Cancelled));
    let batch = store.batch("kyc").await.unwrap().unwrap();
    assert_eq!((batch.cancelled, batch.accepted, batch.total()), (6, 1, 7));
    assert_eq!(store.set_batch_state("none", BatchState::Paused).await.unwrap(), None);
}

/// In whatever order workers handle copies of a delivery, each job has one result.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_workers_store_one_result_per_job() {
    let database = TestDatabase::new().await;
    let store = database.open().await;
    let arrived: Vec<Job> = (0..50).map(|number| job("kyc", number)).collect();
    let work = |seed: usize| {
        let store = store.clone();
        let mut mine = arrived.clone();
        mine.rotate_left(seed * 7);
        if seed % 2 == 1 {
            mine.reverse();
        }
        tokio::spawn(async move {
            let mut stored = 0;
            for some in mine.chunks(10) {
                let outcomes = store.claim(some).await.unwrap();
                let claimed =
                    some.iter().zip(outcomes).filter(|(_, outcome)| matches!(outcome, ClaimOutcome::Claimed { .. }));
                let ends: Vec<Finished> = claimed.map(|(job, _)| read(job, 1, Decision::Accept)).collect();
                stored += store.complete(&ends).await.unwrap().stored;
            }
            stored
        })
    };
    let mut stored = 0;
    for worker in (0..6).map(work).collect::<Vec<_>>() {
        stored += worker.await.unwrap();
    }
    assert_eq!(stored, 50);
    let mut rows: Vec<_> = store.page(&ResultFilter::default(), 0, 1000).await.unwrap();
    assert_eq!(rows.len(), 50);
    rows.dedup_by_key(|row| row.job_id);
    assert_eq!(rows.len(), 50);
    assert_eq!(store.batch("kyc").await.unwrap().unwrap().open(), 0);
}

/// A higher number may be committed before a lower one; a reader that follows must not skip the lower one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn paging_while_results_are_stored_misses_none() {
    let database = TestDatabase::new().await;
    let store = database.open().await;
    let write = |from: usize| {
        let store = store.clone();
        tokio::spawn(async move {
            for number in from..from + 100 {
                store.complete(&[read(&job("kyc", number), 1, Decision::Accept)]).await.unwrap();
            }
        })
    };
    let writers: Vec<_> = (0..3).map(|writer| write(writer * 1000)).collect();
    let mut seen = Vec::new();
    let mut after = 0;
    while seen.len() < 300 {
        let rows = store.page(&ResultFilter::default(), after, 20).await.unwrap();
        after = rows.last().map_or(after, |row| row.seq);
        seen.extend(rows.into_iter().map(|row| row.seq));
        if writers.iter().all(|writer| writer.is_finished())
            && store.page(&ResultFilter::default(), after, 1).await.unwrap().is_empty()
        {
            break;
        }
    }
    assert_eq!(seen.len(), 300);
    assert!(seen.is_sorted());
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn status_follows_the_job() {
    let database = TestDatabase::new().await;
    let store = database.open().await;
    let (first, second) = (job("kyc", 1), job("kyc", 2));
    assert!(store.status(first.id).await.unwrap().is_none());
    store.note_published(&[first.clone(), second.clone()]).await.unwrap();
    assert!(matches!(store.status(first.id).await.unwrap(), Some(JobStatus::Waiting)));
    store.claim(std::slice::from_ref(&first)).await.unwrap();
    assert!(matches!(store.status(first.id).await.unwrap(), Some(JobStatus::Running)));
    store.complete(&[read(&first, 1, Decision::Accept), dead(&second, 0)]).await.unwrap();
    // Recording a known job changes nothing.
    store.note_published(&[first.clone(), second.clone()]).await.unwrap();
    let Some(JobStatus::Done(row)) = store.status(first.id).await.unwrap() else { panic!("not done") };
    assert_eq!((row.job_id, row.attempts), (first.id, 1));
    let Some(JobStatus::Dead { reason }) = store.status(second.id).await.unwrap() else { panic!("not dead") };
    assert_eq!(reason, "a test");
    let progress = store.batch("kyc").await.unwrap().unwrap();
    assert_eq!((progress.total(), progress.open()), (2, 0));
}
