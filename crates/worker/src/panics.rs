//! A panic while one picture is read ends that picture, not the program, and says where it was without saying what it
//! held: a panic's own message may quote the text it tripped over.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};

thread_local! {
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
    static PLACE: Cell<Option<String>> = const { Cell::new(None) };
}

/// From now on no panic's message is printed: one that is caught is reported by its catcher, any other one prints the
/// place alone. Call it once, at the start of the program.
pub fn silence_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(|| "an unknown place".to_owned(), |at| place(at.file(), at.line()));
        if CAUGHT.get() {
            PLACE.set(Some(place));
        } else {
            tracing::error!(place, "internal error");
        }
    }));
}

/// Runs `work`; a panic in it becomes the place where it was.
pub(crate) fn catch<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let outer = CAUGHT.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    CAUGHT.set(outer);
    outcome.map_err(|_| PLACE.take().unwrap_or_else(|| "an unknown place".to_owned()))
}

/// The file's name and line: the folders before it are those of whoever built the program.
fn place(file: &str, line: u32) -> String {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    format!("{name}:{line}")
}
