//! Publishing to a broker: in order, within a window, and again after a message was lost.

use std::time::Duration;

use shenfen_core::{Decision, JobId};
use shenfen_store::port::Unsent;
use shenfen_store::{BatchState, Dispatch, JobStore, Jobs};

use super::NEVER;
use super::server::TestDatabase;
use crate::made::{dead, job, jobs, read};

fn messages(open: &[Unsent]) -> Vec<&str> {
    open.iter().map(|open| open.message.as_str()).collect()
}

fn ids(open: &[Unsent]) -> Vec<JobId> {
    open.iter().map(|open| open.id).collect()
}

#[tokio::test]
async fn published_jobs_count_towards_the_window_until_they_end() {
    let database = TestDatabase::new().await;
    let store = database.open().await;
    store.enqueue(&jobs("kyc", 0..5)).await.unwrap();
    store.enqueue(&jobs("other", 0..5)).await.unwrap();
    let first = store.unsent("kyc", NEVER, 3).await.unwrap();
    assert_eq!(messages(&first), ["/cards/0.jpg", "/cards/1.jpg", "/cards/2.jpg"]);
    assert_eq!(store.window("kyc").await.unwrap(), 0, "not published yet");

    // A worker claims a job before it is marked as sent.
    store.claim(&[job("kyc", 1)]).await.unwrap();
    store.mark_sent(&ids(&first)).await.unwrap();
    assert_eq!(store.window("kyc").await.unwrap(), 3);
    assert_eq!(messages(&store.unsent("kyc", NEVER, 9).await.unwrap()), ["/cards/3.jpg", "/cards/4.jpg"]);

    store.complete(&[read(&job("kyc", 1), 1, Decision::Accept), dead(&job("kyc", 0), 0)]).await.unwrap();
    assert_eq!(store.window("kyc").await.unwrap(), 1);
    // Marking a job as sent again changes nothing.
    store.mark_sent(&ids(&first)).await.unwrap();
    assert_eq!(store.window("kyc").await.unwrap(), 1);
}

#[tokio::test]
async fn returns_stale_jobs_again() {
    let database = TestDatabase::new().await;
    let store = database.open().await;
    store.enqueue(&jobs("kyc", 0..4)).await.unwrap();
    store.mark_sent(&[job("kyc", 0).id, job("kyc", 1).id, job("kyc", 2).id]).await.unwrap();
    store.claim(&[job("kyc", 1), job("kyc", 2)]).await.unwrap();
    store.complete(&[read(&job("kyc", 2), 1, Decision::Accept)]).await.unwrap();
    let lost = store.unsent("kyc", Duration::ZERO, 9).await.unwrap();
    assert_eq!(messages(&lost), ["/cards/0.jpg", "/cards/1.jpg", "/cards/3.jpg"]);
    assert_eq!(messages(&store.unsent("kyc", Duration::ZERO, 2).await.unwrap()).len(), 2);
    assert_eq!(store.unsent("kyc", NEVER, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn returns_nothing_for_paused_cancelled_or_foreign_batches() {
    let database = TestDatabase::new().await;
    let store = database.open().await;
    store.enqueue(&jobs("kyc", 0..4)).await.unwrap();
    let count = async || store.unsent("kyc", Duration::ZERO, 9).await.unwrap().len();
    for (state, expected) in [(BatchState::Paused, 0), (BatchState::Active, 4), (BatchState::Cancelled, 0)] {
        store.set_batch_state("kyc", state).await.unwrap();
        assert_eq!(count().await, expected, "{state:?}");
    }
    // Jobs that came from the broker have no message here.
    store.claim(&[job("strangers", 0)]).await.unwrap();
    assert!(store.unsent("strangers", Duration::ZERO, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn cancels_more_jobs_than_fit_one_statement() {
    let database = TestDatabase::new().await;
    let store = database.open().await;
    store.enqueue(&jobs("kyc", 0..1)).await.unwrap();
    let many = "INSERT INTO jobs (job_id, batch, source, side, state, message)
                SELECT gen_random_uuid(), 'kyc', 'a.jpg', 'auto', 'queued', '{}' FROM generate_series(1, 25000)";
    sqlx::raw_sql(many).execute(&mut database.connect().await).await.unwrap();
    store.set_batch_state("kyc", BatchState::Cancelled).await.unwrap();
    let batch = shenfen_store::Batches::batch(&store, "kyc").await.unwrap().unwrap();
    assert_eq!((batch.cancelled, batch.open()), (25_001, 0));
}
