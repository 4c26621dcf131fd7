//! Backfills over a real store with a reader whose behaviour each file's content asks for.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use shenfen_core::{CardValidity, Decision, Elapsed, ModelInfo, PictureResult, ReadOutcome, ReaderFault, Rule, Status};
use shenfen_store::sqlite::{Access, OpenOptions};
use shenfen_store::{BatchProgress, Batches, ResultFilter, ResultRow, Results, SqliteStore, StoreError};
use shenfen_worker::{Backfill, BackfillError, Ended, Event, PictureReader, Report, Settings, Source};
use tokio::sync::watch;

/// Does what a picture's content says: `accept`, `review`, `panic`, `engine`, `wait`.
struct Script {
    model: ModelInfo,
    reads: Arc<AtomicUsize>,
    gate: Arc<(Mutex<bool>, Condvar)>,
}

impl Script {
    fn new() -> Script {
        let model = ModelInfo { name: "script".into(), version: "1".into(), sha256: "0".into() };
        Script { model, reads: Arc::default(), gate: Arc::default() }
    }
}

impl PictureReader for Script {
    fn read(&mut self, bytes: &[u8]) -> ReadOutcome {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let decision = match bytes {
            b"accept" => Decision::Accept,
            b"review" => Decision::Review,
            b"engine" => return ReadOutcome::Fault(ReaderFault::Engine("the networks failed".into())),
            b"wait" => {
                let (open, changed) = &*self.gate;
                drop(changed.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
                Decision::Accept
            }
            _ => panic!("张三"),
        };
        let (message, model) = (BTreeMap::new(), self.model.clone());
        let (cards, findings) = (Vec::new(), Vec::new());
        let (status, elapsed_ms) = (Status::Ok, Elapsed::default());
        let validity = CardValidity::Unknown;
        let policy = None;
        ReadOutcome::Read(PictureResult {
            status,
            message,
            cards,
            findings,
            decision,
            validity,
            policy,
            model,
            elapsed_ms,
        })
    }

    fn model(&self) -> &ModelInfo {
        &self.model
    }

    fn max_bytes(&self) -> usize {
        100
    }

    fn another(&self) -> Script {
        Script { model: self.model.clone(), reads: Arc::clone(&self.reads), gate: Arc::clone(&self.gate) }
    }
}

/// A folder of pictures and a database beside it.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn with(pictures: &[(&str, &str)]) -> Place {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("cards")).unwrap();
        for (name, content) in pictures {
            fs::write(folder.path().join("cards").join(name), content).unwrap();
        }
        Place { folder }
    }

    fn with_many(count: usize) -> Place {
        let place = Place::with(&[]);
        for number in 0..count {
            fs::write(place.cards().join(format!("{number:04}.jpg")), "accept").unwrap();
        }
        place
    }

    fn cards(&self) -> std::path::PathBuf {
        self.folder.path().join("cards")
    }

    fn database(&self) -> OpenOptions {
        OpenOptions::new(self.folder.path().join("test.db"), Access::Work)
    }

    async fn run(&self) -> Report {
        self.run_with(Script::new(), |_| {}).await
    }

    async fn run_with(&self, script: Script, observe: impl FnMut(Event<'_>)) -> Report {
        let store = self.database().open().await.unwrap();
        let (_stop, stop_requested) = watch::channel(false);
        backfill(&store, script, &self.cards(), stop_requested, observe).await.unwrap()
    }

    async fn counts(&self) -> BatchProgress {
        self.database().open().await.unwrap().batch("kyc").await.unwrap().unwrap()
    }

    async fn rows(&self) -> Vec<ResultRow> {
        let store = self.database().open().await.unwrap();
        store.page(&ResultFilter::default(), 0, 1_000_000).await.unwrap()
    }
}

async fn backfill(
    store: &SqliteStore,
    script: Script,
    cards: &Path,
    stop_requested: watch::Receiver<bool>,
    observe: impl FnMut(Event<'_>),
) -> Result<Report, BackfillError> {
    let settings = Settings { commit_rows: 8, commit_after: Duration::from_millis(50), ..Settings::with_threads(3) };
    let queue = store.queue("kyc").unwrap();
    Backfill::new(queue, script, "kyc", settings).run(Source::open(cards).unwrap(), stop_requested, observe).await
}

#[tokio::test]
async fn stores_one_result_per_picture_and_second_run_does_nothing() {
    let place = Place::with_many(1300);
    let first = place.run().await;
    assert_eq!((first.ended, first.listed, first.new, first.stored), (Ended::Complete, 1300, 1300, 1300));
    let second = place.run().await;
    assert_eq!((second.ended, second.listed, second.new, second.stored), (Ended::Complete, 1300, 0, 0));

    let mut sources: Vec<String> = place.rows().await.into_iter().map(|row| row.source).collect();
    sources.sort();
    sources.dedup();
    assert_eq!(sources.len(), 1300);
}

#[tokio::test]
async fn later_run_reads_only_new_pictures() {
    let place = Place::with_many(5);
    place.run().await;
    fs::write(place.cards().join("later.jpg"), "review").unwrap();
    let script = Script::new();
    let reads = Arc::clone(&script.reads);
    assert_eq!(place.run_with(script, |_| {}).await.stored, 1);
    assert_eq!(reads.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn reader_panic_becomes_dead_letter_and_others_are_read() {
    let pictures = [("a.jpg", "accept"), ("b.jpg", "PANIC"), ("c.jpg", "review"), ("d.jpg", "engine")];
    let place = Place::with(&pictures);
    let mut told = Vec::new();
    let report = place
        .run_with(Script::new(), |event| {
            if let Event::Stored(finished) = event
                && let shenfen_store::Outcome::Dead { reason } = &finished.outcome
            {
                told.push(reason.clone());
            }
        })
        .await;
    assert_eq!((report.ended, report.stored), (Ended::Complete, 4));
    let counts = place.counts().await;
    assert_eq!((counts.accepted, counts.review, counts.dead, counts.open()), (1, 1, 2, 0));
    assert!(told.iter().any(|reason| reason.starts_with("the reader failed")), "{told:?}");
    assert!(told.iter().all(|reason| !reason.contains("张三")));
}

#[tokio::test]
async fn unreadable_files_become_results_with_a_reason() {
    let place = Place::with(&[("big.jpg", &"x".repeat(101)), ("gone.jpg", "accept")]);
    fs::write(place.folder.path().join("list.csv"), "path\ncards/big.jpg\ncards/none.jpg\ncards\n").unwrap();
    let store = place.database().open().await.unwrap();
    let (_stop, stop_requested) = watch::channel(false);
    let list = place.folder.path().join("list.csv");
    backfill(&store, Script::new(), &list, stop_requested, |_| {}).await.unwrap();
    drop(store);

    let results: Vec<(Status, Rule)> = place
        .rows()
        .await
        .iter()
        .map(|row| {
            let result: PictureResult = serde_json::from_str(&row.result).unwrap();
            (row.status, result.findings[0].rule)
        })
        .collect();
    for expected in [
        (Status::ImageInvalidSize, Rule::PictureBytes),
        (Status::Fail, Rule::FileMissing),
        (Status::Fail, Rule::FileUnreadable),
    ] {
        assert!(results.contains(&expected), "{results:?}");
    }
}

#[tokio::test]
async fn stop_finishes_begun_pictures_and_releases_the_rest() {
    let place = Place::with(&[]);
    for number in 0..100 {
        fs::write(place.cards().join(format!("{number:04}.jpg")), "wait").unwrap();
    }
    let script = Script::new();
    let gate = Arc::clone(&script.gate);
    let store = place.database().open().await.unwrap();
    let (stop, stop_requested) = watch::channel(false);
    // The readers wait at the gate until stopping has been noticed, so what was begun is exactly one picture a thread.
    let reads = Arc::clone(&script.reads);
    let when_all_wait = tokio::task::spawn_blocking(move || {
        while reads.load(Ordering::SeqCst) < 3 {
            std::thread::yield_now();
        }
        stop.send_replace(true);
        stop
    });
    let report = backfill(&store, script, &place.cards(), stop_requested, |event| {
        if let Event::Stopping = event {
            *gate.0.lock().unwrap() = true;
            gate.1.notify_all();
        }
    })
    .await
    .unwrap();
    when_all_wait.await.unwrap();
    assert_eq!((report.ended, report.stored), (Ended::Stopped, 3));
    drop(store);

    let counts = place.counts().await;
    assert_eq!((counts.running, counts.results()), (0, 3));
    let report = place.run_with(Script { gate, ..Script::new() }, |_| {}).await;
    assert_eq!((report.ended, report.stored), (Ended::Complete, 97));
    assert!(place.rows().await.iter().all(|row| row.attempts == 1), "stopping costs no attempt");
}

#[tokio::test]
async fn resumes_after_being_dropped_at_any_commit() {
    let place = Place::with_many(120);
    for commits in 1..6 {
        let store = place.database().open().await.unwrap();
        let (_stop, stop_requested) = watch::channel(false);
        let (passed, mut enough) = tokio::sync::mpsc::unbounded_channel();
        let cards = place.cards();
        let running = backfill(&store, Script::new(), &cards, stop_requested, |event| {
            if let Event::Stored(_) = event {
                let _ = passed.send(());
            }
        });
        tokio::select! {
            _ = running => {}
            // As by a kill: the rest of the program never runs.
            () = async { for _ in 0..commits * 8 { enough.recv().await; } } => {}
        }
    }
    assert_eq!(place.run().await.ended, Ended::Complete);
    let mut sources: Vec<String> = place.rows().await.into_iter().map(|row| row.source).collect();
    assert_eq!(sources.len(), 120);
    sources.sort();
    sources.dedup();
    assert_eq!(sources.len(), 120);
}

#[tokio::test]
async fn full_disk_is_reported_and_stored_results_remain() {
    let place = Place::with_many(600);
    let store = place.database().max_pages(90).open().await.unwrap();
    let (_stop, stop_requested) = watch::channel(false);
    let outcome = backfill(&store, Script::new(), &place.cards(), stop_requested, |_| {}).await;
    assert!(matches!(outcome, Err(BackfillError::Store(StoreError::Full { .. }))));
    drop(store);

    let kept = place.counts().await.results();
    let report = place.run().await;
    assert_eq!((report.ended, report.stored), (Ended::Complete, 600 - kept));
    assert_eq!(place.counts().await.results(), 600);
}
