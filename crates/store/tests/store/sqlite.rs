//! The SQLite store: the conformance suite, and what only this store does.

mod queue;

use std::fs;
use std::path::PathBuf;

use shenfen_core::{Decision, JobId};
use shenfen_store::sqlite::{Access, OpenOptions};
use shenfen_store::{Batches, Erase, EraseScope, Finished, JobQueue, Jobs, SqliteQueue, SqliteStore, StoreError};
use tempfile::TempDir;

use crate::conformance::{Taken, World, conformance_tests};
use crate::made::jobs;

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

    /// Another process on the same file, which has not recovered anything yet.
    async fn crash(self) -> Sqlite {
        drop(self.store);
        Sqlite::open(self.folder).await
    }
}

impl World for Sqlite {
    type Jobs = SqliteQueue;
    type Tables = SqliteStore;

    fn jobs(&self, batch: &str) -> SqliteQueue {
        self.store.queue(batch).unwrap()
    }

    fn tables(&self) -> &SqliteStore {
        &self.store
    }

    async fn take(&self, batch: &str, limit: usize) -> Vec<Taken> {
        let claimed = self.jobs(batch).claim(limit).await.unwrap();
        claimed.into_iter().map(|claimed| Taken { job: claimed.job, attempt: claimed.attempt }).collect()
    }

    async fn release(&self, batch: &str, taken: &[Taken]) {
        let ids: Vec<JobId> = taken.iter().map(|taken| taken.job.id).collect();
        self.jobs(batch).release(&ids).await.unwrap();
    }

    async fn restart(self) -> Sqlite {
        let world = self.crash().await;
        world.jobs("kyc").recover().await.unwrap();
        world
    }
}

conformance_tests!(Sqlite);

async fn refusal(path: impl Into<PathBuf>, access: Access) -> StoreError {
    OpenOptions::new(path, access).open().await.err().unwrap()
}

#[tokio::test]
async fn one_writer_and_any_number_of_readers() {
    let world = Sqlite::new().await;
    world.jobs("kyc").enqueue(&jobs("kyc", 0..3)).await.unwrap();
    let path = world.store.path().to_path_buf();
    assert!(matches!(refusal(&path, Access::Work).await, StoreError::InUse { .. }));

    let reader = OpenOptions::new(&path, Access::Read).open().await.unwrap();
    assert_eq!(reader.batch("kyc").await.unwrap().unwrap().queued, 3);
    assert!(reader.queue("kyc").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reading_while_the_file_is_created_is_harmless() {
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
        store.queue("kyc").unwrap().enqueue(&jobs("kyc", 0..1)).await.unwrap();
        for looker in lookers {
            assert!(looker.await.unwrap() <= 1);
        }
    }
}

/// A text as bytes in the forms in which it could lie in a file.
fn forms(text: &str) -> Vec<Vec<u8>> {
    let hexadecimal: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let wide = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    vec![
        text.as_bytes().to_vec(),
        hexadecimal.to_uppercase().into_bytes(),
        hexadecimal.into_bytes(),
        wide(u16::to_le_bytes),
        wide(u16::to_be_bytes),
    ]
}

#[tokio::test]
async fn what_was_erased_is_nowhere_in_the_files() {
    let world = Sqlite::new().await;
    let queue = world.jobs("kyc");
    queue.enqueue(&jobs("kyc", 0..300)).await.unwrap();
    let taken = world.take("kyc", 300).await;
    let ends: Vec<Finished> = taken.iter().map(|taken| taken.read(Decision::Accept)).collect();
    queue.complete(&ends).await.unwrap();
    let found = |text: &str| {
        let files = fs::read_dir(world.folder.path()).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
        let files: Vec<Vec<u8>> = files.collect();
        forms(text).iter().any(|form| files.iter().any(|file| file.windows(form.len()).any(|window| window == form)))
    };
    // What made.rs puts on every card, and the names of one picture.
    let texts = ["\u{5f20}\u{4e09}", "1993-03-03", "1993\u{5e74}3\u{6708}3\u{65e5}", "customer-123", "/cards/123.jpg"];
    assert!(texts.iter().all(|text| found(text)), "the search finds nothing where it should");

    let scope = EraseScope::Batch("kyc".into());
    while !world.store.erase(&scope, 100).await.unwrap().is_empty() {}
    world.store.finish_erasing().await.unwrap();
    for text in texts {
        assert!(!found(text), "{text} can still be found");
    }
}

#[tokio::test]
async fn reading_does_not_create_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.db");
    assert!(matches!(refusal(&path, Access::Read).await, StoreError::Missing { .. }));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn refuses_files_that_are_not_its_databases_and_leaves_them_unchanged() {
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
async fn refuses_a_database_of_a_newer_version() {
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
async fn names_a_folder_that_is_not_writable() {
    let error = refusal("/proc/shenfen.db", Access::Work).await;
    assert!(matches!(error, StoreError::CannotOpen { .. }));
    assert!(error.to_string().contains("/proc/shenfen.db"));
    assert!(matches!(refusal(tempfile::tempdir().unwrap().path(), Access::Read).await, StoreError::CannotOpen { .. }));
}

#[tokio::test]
async fn full_disk_keeps_what_was_stored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("full.db");
    let store = OpenOptions::new(&path, Access::Work).max_pages(60).open().await.unwrap();
    let queue = store.queue("kyc").unwrap();
    let all = jobs("kyc", 0..2000);
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
