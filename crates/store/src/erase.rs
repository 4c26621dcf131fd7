//! Erasing what is stored about people, while what is needed so that a job is not read again stays.

/// Whose results and jobs are erased, among those of the store's tenant. No `Debug`: a reference may name a person.
#[derive(Clone, PartialEq, Eq)]
pub enum EraseScope {
    /// Those of a batch.
    Batch(String),
    /// Those of every picture with this reference, in whichever batch.
    Reference(String),
}

/// What one step erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Results deleted.
    pub results: u64,
    /// Jobs of which nothing is left but identifier, batch and end.
    pub jobs: u64,
}

impl Erased {
    /// Whether there was nothing left to erase.
    pub fn is_empty(&self) -> bool {
        self.results == 0 && self.jobs == 0
    }
}

/// What stands in the place of a picture's name.
pub(crate) const ERASED: &str = "erased";
