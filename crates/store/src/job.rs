//! The states of a job in a store: to be enqueued, claimed, finished.

use shenfen_core::{Job, PictureResult};

/// How often a job may be claimed before it becomes a dead letter. Only a process that ends while it reads the job uses up
/// an attempt, and a poison candidate is read alone, so a harmless job beside a poison one never gets near this limit, nor
/// does a job whose worker was killed a few times by its user.
pub const MAX_ATTEMPTS: u32 = 10;

/// A job that was claimed this often without ending is a poison candidate: it may kill its worker. It waits for all others
/// and is then claimed alone.
pub const POISON_CANDIDATE_ATTEMPTS: u32 = 3;

/// A job with the way to its picture, to be enqueued.
#[derive(Clone, PartialEq, Eq)]
pub struct NewJob {
    /// The job.
    pub job: Job,
    /// How a worker gets at the picture: in the embedded store the path that opens it from any working folder, with a
    /// broker the message to publish.
    pub picture: String,
}

/// A job handed to this worker by the embedded store.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimedJob {
    /// The job.
    pub job: Job,
    /// Where the picture is opened from any working folder.
    pub path: String,
    /// Which claim of it this is, from 1.
    pub attempt: u32,
}

/// How a job ended.
#[derive(Clone, PartialEq)]
pub enum Outcome {
    /// With a result, good or bad: it becomes a row of `results`.
    Read {
        /// The result.
        result: Box<PictureResult>,
        /// SHA-256 of the picture's bytes in hexadecimal; `None` when they could not be had.
        image_sha256: Option<String>,
    },
    /// Without one, and another attempt would not help: it becomes a dead letter.
    Dead {
        /// Why, without personal data.
        reason: String,
    },
}

/// A job with its end, ready to be stored.
#[derive(Clone, PartialEq)]
pub struct Finished {
    /// The job.
    pub job: Job,
    /// Which attempt at it ended so, from 1; 0 when it was never begun.
    pub attempt: u32,
    /// Its end.
    pub outcome: Outcome,
}
