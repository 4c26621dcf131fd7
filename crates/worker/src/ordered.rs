//! Many pictures read on many threads, their results in the order of the pictures and never many at a time.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::picture::{PictureReader, ReadFile, read_file};
use crate::source::PictureRef;

/// So many pictures may be begun for each thread before the oldest of them has been handed on.
const AHEAD: usize = 4;

/// Reads pictures on `threads` threads and hands the results to `each` in the pictures' order, on the calling thread,
/// until it breaks off.
pub fn read_in_order<R: PictureReader>(
    reader: &R,
    threads: usize,
    pictures: impl Iterator<Item = PictureRef> + Send,
    mut each: impl FnMut(PictureRef, ReadFile) -> ControlFlow<()>,
) {
    let threads = threads.max(1);
    let desk = Desk {
        state: Mutex::new(State { begun: 0, handed_on: 0, finished: BTreeMap::new(), at_end: false, readers: threads }),
        changed: Condvar::new(),
        window: threads * AHEAD,
    };
    let pictures = Mutex::new(pictures);
    thread::scope(|scope| {
        for _ in 0..threads {
            let mut reader = reader.another();
            let (desk, pictures) = (&desk, &pictures);
            scope.spawn(move || {
                while let Some((number, picture)) = desk.begin(pictures) {
                    let read = read_file(&mut reader, &picture.path, picture.side);
                    desk.finish(number, picture, read);
                }
                desk.leave();
            });
        }
        while let Some((picture, read)) = desk.next() {
            if each(picture, read).is_break() {
                desk.close();
                break;
            }
        }
    });
}

/// What the threads share.
struct Desk {
    state: Mutex<State>,
    changed: Condvar,
    window: usize,
}

struct State {
    begun: usize,
    handed_on: usize,
    finished: BTreeMap<usize, (PictureRef, ReadFile)>,
    at_end: bool,
    readers: usize,
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next picture and its number, once there is room for its result.
    fn begin(&self, pictures: &Mutex<impl Iterator<Item = PictureRef>>) -> Option<(usize, PictureRef)> {
        // Held over numbering and taking, so that numbers follow the listing.
        let mut pictures = pictures.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |state: &mut State| !state.at_end && state.begun >= state.handed_on + self.window;
        let state = self.changed.wait_while(self.lock(), full).unwrap_or_else(PoisonError::into_inner);
        if state.at_end {
            return None;
        }
        drop(state);
        let picture = pictures.next();
        let mut state = self.lock();
        state.at_end |= picture.is_none();
        let number = state.begun;
        state.begun += usize::from(picture.is_some());
        picture.map(|picture| (number, picture))
    }

    fn finish(&self, number: usize, picture: PictureRef, read: ReadFile) {
        self.lock().finished.insert(number, (picture, read));
        self.changed.notify_all();
    }

    fn leave(&self) {
        self.lock().readers -= 1;
        self.changed.notify_all();
    }

    fn close(&self) {
        self.lock().at_end = true;
        self.changed.notify_all();
    }

    /// The result whose turn it is; `None` when all have been handed on.
    fn next(&self) -> Option<(PictureRef, ReadFile)> {
        let waiting = |state: &mut State| state.readers > 0 && !state.finished.contains_key(&state.handed_on);
        let mut state = self.changed.wait_while(self.lock(), waiting).unwrap_or_else(PoisonError::into_inner);
        let turn = state.handed_on;
        let next = state.finished.remove(&turn)?;
        state.handed_on += 1;
        drop(state);
        self.changed.notify_all();
        Some(next)
    }
}
