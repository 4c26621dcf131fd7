//! Memory for large pictures: several of them at once wait for one another instead of adding up.

use std::collections::VecDeque;
use std::fmt;

/// What a piece of work may take without asking, in bytes: enough for a picture of 4 megapixels, so that usual ones never wait. It is part
/// of what a reading thread takes anyway (docs/operations.md).
pub const OWN: u64 = 24 << 20;

/// There is no room for a picture now; its reading is put off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom {
    /// Bytes that it takes.
    pub(super) bytes: u64,
}

/// Where a piece of work asks for the memory that it is about to take.
pub struct Room<'a> {
    take: &'a dyn Fn(u64) -> Result<(), NoRoom>,
}

impl<'a> Room<'a> {
    pub(super) fn new(take: &'a dyn Fn(u64) -> Result<(), NoRoom>) -> Room<'a> {
        Room { take }
    }

    /// For work outside a pool: there is always room.
    pub fn unlimited() -> Room<'static> {
        Room { take: &|_| Ok(()) }
    }

    /// Takes so many bytes until the work is done. What fits into [`OWN`] is not counted.
    ///
    /// # Errors
    /// When that is more than other large pictures leave. The work has to end with this error then, and is begun again later.
    pub fn take(&self, bytes: u64) -> Result<(), NoRoom> {
        if bytes <= OWN { Ok(()) } else { (self.take)(bytes) }
    }
}

impl fmt::Debug for Room<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Room")
    }
}

/// What large pictures hold together, and those that wait for room, in the order in which they came.
pub(super) struct Rooms<T> {
    limit: u64,
    taken: u64,
    postponed: VecDeque<(T, u64)>,
}

impl<T> Rooms<T> {
    pub(super) fn new(limit: u64) -> Rooms<T> {
        Rooms { limit, taken: 0, postponed: VecDeque::new() }
    }

    /// Takes room; false where there is none, or where others wait for some: large pictures do not overtake each other.
    pub(super) fn take(&mut self, bytes: u64) -> bool {
        let is_free = self.postponed.is_empty() && self.fits(bytes);
        if is_free {
            self.taken += bytes;
        }
        is_free
    }

    /// Frees what was taken.
    pub(super) fn give_back(&mut self, bytes: u64) {
        self.taken -= bytes;
    }

    /// Puts off what takes so many bytes until there is room.
    pub(super) fn postpone(&mut self, item: T, bytes: u64) {
        self.postponed.push_back((item, bytes));
    }

    /// Whether there is room for what has waited longest.
    pub(super) fn has_next(&self) -> bool {
        self.postponed.front().is_some_and(|&(_, bytes)| self.fits(bytes))
    }

    /// What has waited longest, with the room taken for it.
    pub(super) fn next(&mut self) -> Option<(T, u64)> {
        let (item, bytes) = self.postponed.pop_front_if(|&mut (_, bytes)| fits(self.limit, self.taken, bytes))?;
        self.taken += bytes;
        Some((item, bytes))
    }

    /// How many wait for room.
    pub(super) fn waiting(&self) -> usize {
        self.postponed.len()
    }

    /// Everything that waits; nothing does any more.
    pub(super) fn take_waiting(&mut self) -> impl Iterator<Item = T> + use<T> {
        std::mem::take(&mut self.postponed).into_iter().map(|(item, _)| item)
    }

    /// Takes out the first that waits and is it.
    pub(super) fn remove(&mut self, is_it: impl Fn(&T) -> bool) -> Option<T> {
        let at = self.postponed.iter().position(|(item, _)| is_it(item))?;
        self.postponed.remove(at).map(|(item, _)| item)
    }

    fn fits(&self, bytes: u64) -> bool {
        fits(self.limit, self.taken, bytes)
    }
}

/// One that is larger than the whole limit is read alone.
fn fits(limit: u64, taken: u64, bytes: u64) -> bool {
    taken == 0 || taken.saturating_add(bytes) <= limit
}

#[cfg(test)]
mod tests;
