use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use shenfen_core::{CardValidity, Decision, Elapsed, ReadOutcome, Status};
use tokio::task::yield_now;

use super::*;

/// Says when it begins a picture, and ends it when told to; panics at an empty one.
struct Held {
    model: ModelInfo,
    begun: mpsc::Sender<Vec<u8>>,
    go: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl PictureReader for Held {
    fn read(&mut self, bytes: &[u8]) -> ReadOutcome {
        self.begun.send(bytes.to_vec()).unwrap();
        self.go.lock().unwrap().recv().unwrap();
        assert!(!bytes.is_empty());
        ReadOutcome::Read(PictureResult {
            status: Status::Ok,
            message: Default::default(),
            cards: Vec::new(),
            findings: Vec::new(),
            decision: Decision::Accept,
            model: self.model.clone(),
            validity: CardValidity::Unknown,
            policy: None,
            elapsed_ms: Elapsed::default(),
        })
    }

    fn model(&self) -> &ModelInfo {
        &self.model
    }

    fn max_bytes(&self) -> usize {
        100
    }

    fn another(&self) -> Held {
        Held { model: self.model.clone(), begun: self.begun.clone(), go: Arc::clone(&self.go) }
    }
}

struct World {
    queue: Arc<ReadingQueue>,
    begun: mpsc::Receiver<Vec<u8>>,
    go: mpsc::Sender<()>,
}

fn world(depth: usize, deadline: Duration) -> World {
    let (begun_sender, begun) = mpsc::channel();
    let (go, go_receiver) = mpsc::channel();
    let model = ModelInfo { name: "held".into(), version: "1".into(), sha256: "0".into() };
    let reader = Held { model, begun: begun_sender, go: Arc::new(Mutex::new(go_receiver)) };
    let queue =
        ReadingQueue::start(&reader, ReadingQueueSettings { threads: 1, memory: u64::MAX, depth, deadline }).unwrap();
    World { queue: Arc::new(queue), begun, go }
}

const LONG: Duration = Duration::from_secs(60);

/// Joins the line and waits until it is longer for it.
async fn joined(world: &World, picture: &[u8]) -> tokio::task::JoinHandle<Result<PictureResult, NotRead>> {
    let before = world.queue.load();
    let (queue, picture) = (Arc::clone(&world.queue), picture.to_vec());
    let task = tokio::spawn(async move { queue.read(picture).await });
    while world.queue.load() == before {
        yield_now().await;
    }
    task
}

#[tokio::test]
async fn full_queue_refuses_at_once_and_cancelled_caller_frees_its_place() {
    let world = world(1, LONG);
    let first = joined(&world, b"first").await;
    assert_eq!(world.begun.recv().unwrap(), b"first");
    let second = joined(&world, b"second").await;
    assert_eq!(world.queue.load(), (1, 1));
    assert_eq!(world.queue.read(b"third".to_vec()).await, Err(NotRead::Full(PoolFull)));

    second.abort();
    assert!(second.await.unwrap_err().is_cancelled());
    assert_eq!(world.queue.load(), (0, 1), "nobody waits for the second picture");
    let fourth = joined(&world, b"fourth").await;
    world.go.send(()).unwrap();
    assert!(first.await.unwrap().is_ok());
    assert_eq!(world.begun.recv().unwrap(), b"fourth", "the second is not read");
    world.go.send(()).unwrap();
    assert!(fourth.await.unwrap().is_ok());
    assert_eq!(world.queue.load(), (0, 0));
}

#[tokio::test]
async fn gives_up_after_the_deadline() {
    let world = world(5, Duration::from_millis(20));
    assert_eq!(world.queue.read(b"slow".to_vec()).await, Err(NotRead::Late));
    world.begun.recv().unwrap();
    assert_eq!(world.queue.read(b"behind it".to_vec()).await, Err(NotRead::Late));
    assert_eq!(world.queue.load(), (0, 1), "who is late leaves the line");
    world.go.send(()).unwrap();
}

#[tokio::test]
async fn reader_panic_costs_one_picture() {
    let world = world(5, LONG);
    world.go.send(()).unwrap();
    assert!(matches!(world.queue.read(Vec::new()).await, Err(NotRead::Fault(ReaderFault::Panicked(_)))));
    world.go.send(()).unwrap();
    assert!(world.queue.read(b"next".to_vec()).await.is_ok());
}

#[tokio::test]
async fn oversized_picture_has_a_result() {
    let world = world(5, LONG);
    assert_eq!(world.queue.read(vec![0; 101]).await.unwrap().status, Status::ImageInvalidSize);
}
