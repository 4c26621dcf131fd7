use std::ops::ControlFlow;
use std::sync::mpsc;

use shenfen_core::{ModelInfo, ReadOutcome, Refusal, RequestedSide, Rule};

use super::*;
use crate::ordered::read_in_order;
use crate::source::PictureRef;

/// Refuses every picture; counts how many of its kind were made.
struct Refusing {
    model: ModelInfo,
    made: Arc<Mutex<usize>>,
}

impl Refusing {
    fn new() -> Refusing {
        let model = ModelInfo { name: "refusing".into(), version: "1".into(), sha256: "0".into() };
        Refusing { model, made: Arc::default() }
    }
}

impl PictureReader for Refusing {
    fn read(&mut self, _bytes: &[u8]) -> ReadOutcome {
        ReadOutcome::Refused(Refusal::new(Rule::PictureEmpty, "refused"))
    }

    fn model(&self) -> &ModelInfo {
        &self.model
    }

    fn max_bytes(&self) -> usize {
        100
    }

    fn another(&self) -> Refusing {
        *self.made.lock().unwrap() += 1;
        Refusing { model: self.model.clone(), made: Arc::clone(&self.made) }
    }
}

fn settings(threads: usize, waiting: usize) -> PoolSettings {
    PoolSettings { threads, waiting, memory: 100 * OWN }
}

#[test]
fn panic_in_work_is_returned_and_the_reader_replaced() {
    let reader = Refusing::new();
    let read = |_: &mut Refusing, &fail: &bool, _: &Room| {
        assert!(!fail);
        Ok(())
    };
    let pool = ReaderPool::start(&reader, settings(1, 2), read).unwrap();
    let (replies, returned) = mpsc::channel();
    for fail in [true, false] {
        let replies = replies.clone();
        pool.submit(fail, move |returned| replies.send(returned).unwrap()).unwrap().keep();
    }
    assert!(matches!(returned.recv().unwrap(), Returned::Panicked(ReaderFault::Panicked(_))));
    assert_eq!(returned.recv().unwrap(), Returned::Done(()));
    pool.join();
    assert_eq!(*reader.made.lock().unwrap(), 2, "one at the start and one after the panic");
}

#[test]
fn drain_returns_waiting_work_and_refuses_more() {
    let (begun, wait_begun) = mpsc::channel();
    let (go, wait_go) = mpsc::channel::<()>();
    let wait_go = Arc::new(Mutex::new(wait_go));
    let read = move |_: &mut Refusing, &number: &u32, _: &Room| {
        begun.send(()).unwrap();
        wait_go.lock().unwrap().recv().unwrap();
        Ok(number)
    };
    let pool = ReaderPool::start(&Refusing::new(), settings(1, 1), read).unwrap();
    let (replies, returned) = mpsc::channel();
    let submit = |number| {
        let replies = replies.clone();
        pool.submit(number, move |returned| replies.send(returned).unwrap())
    };
    submit(1).unwrap().keep();
    wait_begun.recv().unwrap();
    submit(2).unwrap().keep();
    assert_eq!(submit(3).map(Place::keep), Err(PoolFull));
    pool.drain();
    assert_eq!(returned.recv().unwrap(), Returned::NotBegun, "the second is not begun");
    submit(4).unwrap().keep();
    assert_eq!(returned.recv().unwrap(), Returned::NotBegun, "nothing more is accepted");
    go.send(()).unwrap();
    assert_eq!(returned.recv().unwrap(), Returned::Done(1), "what was begun is finished");
}

fn pictures(count: usize) -> impl Iterator<Item = PictureRef> {
    (0..count).map(|number| {
        let source = number.to_string();
        PictureRef {
            path: format!("/nowhere/{source}"),
            source,
            entry: None,
            reference: None,
            side: RequestedSide::Auto,
        }
    })
}

#[test]
fn results_come_in_order_until_the_caller_breaks_off() {
    let mut sources = Vec::new();
    let each = |picture: PictureRef, _| {
        sources.push(picture.source);
        if sources.len() < 70 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    read_in_order(&Refusing::new(), 3, u64::MAX, pictures(100), each).unwrap();
    assert_eq!(sources, (0..70).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn every_picture_is_handed_on_when_there_are_fewer_than_threads() {
    let mut count = 0;
    let each = |_, _| {
        count += 1;
        ControlFlow::Continue(())
    };
    read_in_order(&Refusing::new(), 8, u64::MAX, pictures(3), each).unwrap();
    assert_eq!(count, 3);
}

/// A pool of two threads whose work takes so many times [`OWN`], of a hundred; each says that it was begun, and ends when it is told to.
struct Large {
    pool: ReaderPool<u64, u64>,
    begun: mpsc::Receiver<u64>,
    go: mpsc::Sender<()>,
    replies: mpsc::Sender<Returned<u64>>,
    returned: mpsc::Receiver<Returned<u64>>,
}

impl Large {
    fn new() -> Large {
        let (say, begun) = mpsc::channel();
        let (go, wait_go) = mpsc::channel::<()>();
        let wait_go = Arc::new(Mutex::new(wait_go));
        let read = move |_: &mut Refusing, &part: &u64, room: &Room| {
            room.take(part * OWN)?;
            say.send(part).unwrap();
            wait_go.lock().unwrap().recv().unwrap();
            Ok(part)
        };
        let pool = ReaderPool::start(&Refusing::new(), settings(2, 10), read).unwrap();
        let (replies, returned) = mpsc::channel();
        Large { pool, begun, go, replies, returned }
    }

    fn submit(&self, part: u64) -> Place<u64, u64> {
        let replies = self.replies.clone();
        self.pool.submit(part, move |returned| replies.send(returned).unwrap()).unwrap()
    }

    /// Waits until so many wait for room and nothing else does.
    fn until_waiting(&self, count: usize) {
        let load = || self.pool.load();
        while (load().waiting, load().reading) != (count, 1) {
            thread::yield_now();
        }
    }
}

#[test]
fn large_work_waits_for_room_while_small_work_overtakes_it() {
    let large = Large::new();
    large.submit(60).keep();
    assert_eq!(large.begun.recv(), Ok(60));
    large.submit(50).keep();
    large.submit(20).keep();
    large.until_waiting(2);
    large.submit(1).keep();
    assert_eq!(large.begun.recv(), Ok(1), "what fits into a thread's own memory does not wait");
    large.go.send(()).unwrap();
    large.go.send(()).unwrap();
    // The first that waits and the next beside it; the order of their threads is nobody's.
    let mut next = [large.begun.recv().unwrap(), large.begun.recv().unwrap()];
    next.sort_unstable();
    assert_eq!(next, [20, 50]);
    large.go.send(()).unwrap();
    large.go.send(()).unwrap();
    let ends = (0..4).map(|_| large.returned.recv().unwrap()).filter(|end| matches!(end, Returned::Done(_)));
    assert_eq!(ends.count(), 4);
}

#[test]
fn work_larger_than_the_limit_is_done_alone() {
    let large = Large::new();
    large.submit(30).keep();
    assert_eq!(large.begun.recv(), Ok(30));
    large.submit(500).keep();
    large.until_waiting(1);
    large.go.send(()).unwrap();
    assert_eq!(large.begun.recv(), Ok(500));
    large.submit(2).keep();
    large.until_waiting(1);
    large.go.send(()).unwrap();
    assert_eq!(large.begun.recv(), Ok(2));
    large.go.send(()).unwrap();
    large.pool.join();
}

#[test]
fn work_without_room_is_returned_as_not_begun_and_gives_its_place_up() {
    let large = Large::new();
    large.submit(60).keep();
    assert_eq!(large.begun.recv(), Ok(60));
    let place = large.submit(70);
    large.submit(80).keep();
    large.until_waiting(2);
    drop(place);
    large.until_waiting(1);
    large.pool.drain();
    assert_eq!(large.returned.recv(), Ok(Returned::NotBegun));
    large.go.send(()).unwrap();
    assert_eq!(large.returned.recv(), Ok(Returned::Done(60)));
    large.pool.join();
    drop(large.replies);
    assert!(large.returned.recv().is_err(), "what was given up has no reply");
}

#[test]
fn memory_of_work_that_panics_is_free_again() {
    let read = |_: &mut Refusing, &part: &u64, room: &Room| {
        room.take(part * OWN)?;
        assert!(part > 90);
        Ok(part)
    };
    let pool = ReaderPool::start(&Refusing::new(), settings(2, 10), read).unwrap();
    let (replies, returned) = mpsc::channel();
    for part in [80, 81, 82, 95] {
        let replies = replies.clone();
        pool.submit(part, move |returned| replies.send(returned).unwrap()).unwrap().keep();
    }
    let ends: Vec<_> = (0..4).map(|_| returned.recv().unwrap()).collect();
    assert_eq!(ends.iter().filter(|end| matches!(end, Returned::Panicked(_))).count(), 3);
    assert!(ends.contains(&Returned::Done(95)));
}
