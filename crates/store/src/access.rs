//! Access modes of a store.

/// What a store is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Working on its jobs: creates what is missing and brings the tables up to date. A file is then locked for other
    /// workers; a server serves any number of them.
    Work,
    /// Reading results and batches, also while others work on it.
    Read,
    /// As [`Access::Read`], to show results in clear, which the audit log records: writes nothing else.
    Reveal,
}
