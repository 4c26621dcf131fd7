//! The embedded store: the promises of every store, and what is SQLite's own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod conformance;

use std::fs;
use std::path::PathBuf;

use conformance::World;
use proptest::prelude::*;
use shenfen_store::sqlite::{Access, OpenOptions};
use shenfen_store::{Batches, Job, JobId, JobQueue, RequestedSide, SqliteQueue, SqliteStore, StoreError};
use tempfile::TempDir;

struct Sqlite {
    store: SqliteStore,
    folder: TempDir,
}

impl Sqlite {
    async fn new() -> Sqlite {
        Sqlite::open(tempfile::tempdir().unwrap()).await
    }

    async fn open(folder: TempDir) -> Sqlite {
        let options = OpenOptions::new(folder.path().join("test.db"), Access::Work);
        Sqlite { store: options.open().await.unwrap(), folder }
    }
}

impl World for Sqlite {
    type Queue = SqliteQueue;
    type Tables = SqliteStore;

    fn queue(&self, batch: &str) -> SqliteQueue {
        self.store.queue(batch).unwrap()
    }

    fn tables(&self) -> &SqliteStore {
        &self.store
    }

    async fn restart(self) -> Sqlite {
        drop(self.store);
        Sqlite::open(self.folder).await
    }
}

/// One test for each promise.
macro_rules! keeps {
    ($($promise:ident,)+) => {
        $(#[tokio::test]
        async fn $promise() {
            conformance::$promise(Sqlite::new().await).await;
        })+
    };
}

keeps! {
    jobs_are_claimed_in_order_and_by_one_worker_only,
    a_job_arrives_as_it_was_enqueued,
    enqueueing_again_changes_nothing_in_any_state,
    a_result_is_stored_whole_and_once,
    a_job_given_back_loses_no_attempt,
    a_crash_returns_what_was_claimed_and_keeps_what_was_completed,
    a_picture_that_kills_its_workers_is_read_alone_at_last_and_then_given_up,
    a_suspect_waits_until_nothing_else_is_running,
    batches_do_not_mix,
    pages_show_every_result_once_in_order_and_filters_hold,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_job_ends_exactly_once(steps in conformance::steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { conformance::every_job_ends_exactly_once(Sqlite::new().await, steps).await });
    }
}

fn jobs(count: usize) -> Vec<Job> {
    let job = |number: usize| {
        let path = format!("/cards/{number:06}.jpg");
        Job {
            id: JobId::of_picture("kyc", &path, None),
            batch: "kyc".into(),
            reference: None,
            source: path.clone(),
            path,
            side: RequestedSide::Auto,
        }
    };
    (0..count).map(job).collect()
}

async fn refusal(path: impl Into<PathBuf>, access: Access) -> StoreError {
    OpenOptions::new(path, access).open().await.err().unwrap()
}

#[tokio::test]
async fn one_process_works_and_others_may_look() {
    let world = Sqlite::new().await;
    world.queue("kyc").enqueue(&jobs(3)).await.unwrap();
    let path = world.store.path().to_path_buf();
    assert!(matches!(refusal(&path, Access::Work).await, StoreError::InUse { .. }));

    let reader = OpenOptions::new(&path, Access::Read).open().await.unwrap();
    assert_eq!(reader.batch("kyc").await.unwrap().unwrap().queued, 3);
    assert!(reader.queue("kyc").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn looking_at_a_store_that_is_just_being_made_harms_nobody() {
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new.db");
        let look = |path: PathBuf| async move {
            loop {
                match OpenOptions::new(&path, Access::Read).open().await {
                    Ok(reader) => return reader.batches().await.unwrap().len(),
                    Err(error) => assert!(matches!(error, StoreError::Missing { .. }), "{error}"),
                }
                tokio::task::yield_now().await;
            }
        };
        let lookers = [tokio::spawn(look(path.clone())), tokio::spawn(look(path.clone()))];
        let store = OpenOptions::new(&path, Access::Work).open().await.unwrap();
        store.queue("kyc").unwrap().enqueue(&jobs(1)).await.unwrap();
        for looker in lookers {
            assert!(looker.await.unwrap() <= 1);
        }
    }
}

#[tokio::test]
async fn reading_makes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.db");
    assert!(matches!(refusal(&path, Access::Read).await, StoreError::Missing { .. }));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn files_of_other_kinds_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.db");
    fs::write(&text, "name,number\n".repeat(1000)).unwrap();
    assert!(matches!(refusal(&text, Access::Work).await, StoreError::NotOurs { .. }));
    assert_eq!(fs::read(&text).unwrap(), "name,number\n".repeat(1000).into_bytes());

    let other = folder.path().join("other.db");
    let pool = sqlx::SqlitePool::connect_with(
        sqlx::sqlite::SqliteConnectOptions::new().filename(&other).create_if_missing(true),
    );
    let pool = pool.await.unwrap();
    sqlx::raw_sql("CREATE TABLE notes (text)").execute(&pool).await.unwrap();
    pool.close().await;
    let before = fs::read(&other).unwrap();
    for access in [Access::Work, Access::Read] {
        assert!(matches!(refusal(&other, access).await, StoreError::NotOurs { .. }));
    }
    assert!(fs::read(&other).unwrap() == before);

    let empty = folder.path().join("empty.db");
    fs::write(&empty, "").unwrap();
    assert!(matches!(refusal(&empty, Access::Read).await, StoreError::Missing { .. }));
    assert_eq!(fs::metadata(&empty).unwrap().len(), 0);
}

#[tokio::test]
async fn a_database_from_a_newer_version_is_refused() {
    let world = Sqlite::new().await;
    let path = world.store.path().to_path_buf();
    world.store.close().await;
    let pool = sqlx::SqlitePool::connect_with(sqlx::sqlite::SqliteConnectOptions::new().filename(&path)).await.unwrap();
    sqlx::raw_sql("PRAGMA user_version = 999").execute(&pool).await.unwrap();
    pool.close().await;
    for access in [Access::Work, Access::Read] {
        assert!(matches!(refusal(&path, access).await, StoreError::Newer { found: 999, .. }));
    }
}

#[tokio::test]
async fn a_folder_that_takes_no_file_is_named() {
    let error = refusal("/proc/shenfen.db", Access::Work).await;
    assert!(matches!(error, StoreError::CannotOpen { .. }));
    assert!(error.to_string().contains("/proc/shenfen.db"));
    assert!(matches!(refusal(tempfile::tempdir().unwrap().path(), Access::Read).await, StoreError::CannotOpen { .. }));
}

#[tokio::test]
async fn a_full_disk_loses_nothing_that_was_stored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("full.db");
    let store = OpenOptions::new(&path, Access::Work).max_pages(60).open().await.unwrap();
    let queue = store.queue("kyc").unwrap();
    let all = jobs(2000);
    let mut stored = 0;
    let error = loop {
        match queue.enqueue(&all[stored..stored + 50]).await {
            Ok(added) => stored += added as usize,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Full { .. }));
    assert!(stored > 0);
    drop((queue, store));

    let store = OpenOptions::new(&path, Access::Work).open().await.unwrap();
    assert_eq!(store.batch("kyc").await.unwrap().unwrap().queued, stored as u64);
    assert_eq!(store.queue("kyc").unwrap().enqueue(&all).await.unwrap(), (all.len() - stored) as u64);
}
