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

#[test]
fn panic_in_work_is_returned_and_the_reader_replaced() {
    let reader = Refusing::new();
    let settings = PoolSettings { threads: 1, waiting: 2 };
    let pool = ReaderPool::start(&reader, settings, |_, fail: bool| assert!(!fail)).unwrap();
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
    let read = move |_: &mut Refusing, number: u32| {
        begun.send(()).unwrap();
        wait_go.lock().unwrap().recv().unwrap();
        number
    };
    let pool = ReaderPool::start(&Refusing::new(), PoolSettings { threads: 1, waiting: 1 }, read).unwrap();
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
        PictureRef { path: format!("/nowhere/{source}"), source, reference: None, side: RequestedSide::Auto }
    })
}

#[test]
fn results_come_in_order_until_the_caller_breaks_off() {
    let mut sources = Vec::new();
    let each = |picture: PictureRef, _| {
        sources.push(picture.source);
        if sources.len() < 70 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    read_in_order(&Refusing::new(), 3, pictures(100), each).unwrap();
    assert_eq!(sources, (0..70).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn every_picture_is_handed_on_when_there_are_fewer_than_threads() {
    let mut count = 0;
    let each = |_, _| {
        count += 1;
        ControlFlow::Continue(())
    };
    read_in_order(&Refusing::new(), 8, pictures(3), each).unwrap();
    assert_eq!(count, 3);
}
