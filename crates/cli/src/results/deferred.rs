//! A writer that reports its first error when asked. `ZipWriter` finishes its file when it is dropped, and prints to standard
//! error if it cannot, so an error that it has seen would be told twice.

use std::cell::Cell;
use std::io::{self, Seek, SeekFrom, Write};
use std::rc::Rc;

/// Passes everything on until the first error, and takes everything afterwards.
pub(super) struct Deferred<W> {
    out: W,
    fault: Fault,
    failed: bool,
    position: u64,
    length: u64,
}

/// The first error of a writer.
#[derive(Clone, Default)]
pub(super) struct Fault(Rc<Cell<Option<io::Error>>>);

impl Fault {
    /// Whether all has been written so far.
    ///
    /// # Errors
    /// The first error, once.
    pub(super) fn check(&self) -> io::Result<()> {
        self.0.take().map_or(Ok(()), Err)
    }
}

impl<W: Write + Seek> Deferred<W> {
    /// A writer to `out`, from its beginning, and what tells of its errors.
    pub(super) fn new(out: W) -> (Deferred<W>, Fault) {
        let fault = Fault::default();
        (Deferred { out, fault: fault.clone(), failed: false, position: 0, length: 0 }, fault)
    }

    /// What it writes to.
    pub(super) fn into_inner(self) -> W {
        self.out
    }

    fn attempt(&mut self, action: impl FnOnce(&mut W) -> io::Result<()>) {
        if self.failed {
            return;
        }
        if let Err(error) = action(&mut self.out) {
            self.failed = true;
            self.fault.0.set(Some(error));
        }
    }
}

impl<W: Write + Seek> Write for Deferred<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.attempt(|out| out.write_all(bytes));
        self.position += bytes.len() as u64;
        self.length = self.length.max(self.position);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.attempt(Write::flush);
        Ok(())
    }
}

impl<W: Write + Seek> Seek for Deferred<W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(distance) => self.position.checked_add_signed(distance),
            SeekFrom::End(distance) => self.length.checked_add_signed(distance),
        };
        self.position = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let position = self.position;
        self.attempt(|out| out.seek(SeekFrom::Start(position)).map(drop));
        Ok(position)
    }
}
