//! What a store is opened for.

/// What the opener wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To work on its jobs: makes what is missing and brings the tables up to date. A file is then closed to other
    /// workers; a server serves any number of them.
    Work,
    /// To look at results and batches, also while others work on it.
    Read,
}
