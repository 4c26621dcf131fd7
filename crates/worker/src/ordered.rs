//! Many pictures read on many threads, their results in the order of the pictures and never many at a time.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::ops::ControlFlow;
use std::sync::mpsc;

use shenfen_core::ReadOutcome;

use crate::picture::{PictureReader, ReadFile, read_file};
use crate::pool::{PoolSettings, ReaderPool, Returned, Room};
use crate::source::PictureRef;

/// So many pictures may be begun for each thread before the oldest of them has been handed on.
const AHEAD: usize = 4;

/// Reads pictures on `threads` threads, large ones within `memory` bytes ([`Room`]), and hands the results to `each` in the pictures' order, on the calling thread,
/// until it breaks off.
///
/// # Errors
/// When the system gives no thread.
pub fn read_in_order<R: PictureReader>(
    reader: &R,
    threads: usize,
    memory: u64,
    mut pictures: impl Iterator<Item = PictureRef>,
    mut each: impl FnMut(PictureRef, ReadFile) -> ControlFlow<()>,
) -> io::Result<()> {
    let window = threads.max(1) * AHEAD;
    let settings = PoolSettings { threads, waiting: window, memory };
    let read = |reader: &mut R, (path, side): &(String, _), room: &Room| read_file(reader, path, *side, room);
    let pool = ReaderPool::start(reader, settings, read)?;
    let (replies, returned) = mpsc::channel();
    let mut begun: VecDeque<PictureRef> = VecDeque::new();
    let mut handed_on = 0;
    let mut finished = BTreeMap::new();
    loop {
        while begun.len() < window
            && let Some(picture) = pictures.next()
        {
            let (replies, number) = (replies.clone(), handed_on + begun.len());
            let reply = move |returned| drop(replies.send((number, returned)));
            // The window is no larger than the pool.
            if let Ok(place) = pool.submit((picture.path.clone(), picture.side), reply) {
                place.keep();
            }
            begun.push_back(picture);
        }
        let Some(picture) = begun.pop_front() else { break };
        let read = loop {
            if let Some(read) = finished.remove(&handed_on) {
                break read;
            }
            // A sender is kept here, so this waits for the threads.
            let Ok((number, returned)) = returned.recv() else { return Ok(()) };
            let read = match returned {
                Returned::Done(read) => read,
                Returned::Panicked(fault) => {
                    ReadFile { outcome: ReadOutcome::Fault(fault), image_sha256: None, recording: None }
                }
                Returned::NotBegun => continue,
            };
            finished.insert(number, read);
        };
        handed_on += 1;
        if each(picture, read).is_break() {
            break;
        }
    }
    pool.join();
    Ok(())
}
