//! A job: one picture to read, on its way from waiting to its one result or its one dead letter.

use std::fmt;

use shenfen_core::{PictureResult, Side};
use uuid::Uuid;

/// How often a job may be claimed before it becomes a dead letter. Only a process that ends while it reads the job uses up
/// an attempt, and a poison candidate is read alone, so a harmless job beside a poison one never gets near this limit, nor
/// does a job whose worker was killed a few times by its user.
pub const MAX_ATTEMPTS: u32 = 10;

/// A job that was claimed this often without ending is a poison candidate: it may kill its worker. It waits for all others
/// and is then claimed alone.
pub const POISON_CANDIDATE_ATTEMPTS: u32 = 3;

/// The key of a job and of its result. A repeat of it changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(Uuid);

/// The namespace of the identifiers made from pictures' places.
const PICTURES: Uuid = Uuid::from_u128(0x6f1d_2c0a_5b7e_4e0b_9d57_8c1c_4a3e_75a1);

impl JobId {
    /// The identifier of a picture on disk: the same batch, absolute path and reference give the same one, so a second
    /// run over a folder adds nothing. (UUID version 5, RFC 9562.)
    pub fn of_picture(batch: &str, absolute_path: &str, reference: Option<&str>) -> JobId {
        // The lengths keep ("a", "bc") and ("ab", "c") apart; the mark keeps "no reference" and "empty reference" apart.
        let mark = if reference.is_some() { 'r' } else { '-' };
        let name = format!(
            "{}:{batch}{}:{absolute_path}{mark}{}",
            batch.len(),
            absolute_path.len(),
            reference.unwrap_or_default()
        );
        JobId(Uuid::new_v5(&PICTURES, name.as_bytes()))
    }
}

impl From<JobId> for Uuid {
    fn from(id: JobId) -> Uuid {
        id.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(formatter)
    }
}

impl From<Uuid> for JobId {
    fn from(id: Uuid) -> JobId {
        JobId(id)
    }
}

impl std::str::FromStr for JobId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<JobId, uuid::Error> {
        Uuid::parse_str(text).map(JobId)
    }
}

/// The side that the publisher expects in the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestedSide {
    /// Whatever is there.
    #[default]
    Auto,
    /// The portrait side.
    Front,
    /// The emblem side.
    Back,
}

impl RequestedSide {
    /// The name in messages, manifests and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            RequestedSide::Auto => "auto",
            RequestedSide::Front => "front",
            RequestedSide::Back => "back",
        }
    }

    /// The side asked for; `None` for whatever is there.
    pub fn side(self) -> Option<Side> {
        match self {
            RequestedSide::Auto => None,
            RequestedSide::Front => Some(Side::Front),
            RequestedSide::Back => Some(Side::Back),
        }
    }
}

/// Not `auto`, `front` or `back`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("side must be auto, front or back")]
pub struct UnknownSide;

impl std::str::FromStr for RequestedSide {
    type Err = UnknownSide;

    fn from_str(text: &str) -> Result<RequestedSide, UnknownSide> {
        match text {
            "auto" => Ok(RequestedSide::Auto),
            "front" => Ok(RequestedSide::Front),
            "back" => Ok(RequestedSide::Back),
            _ => Err(UnknownSide),
        }
    }
}

/// One picture to read. No `Debug`: sources and references may hold names.
#[derive(Clone, PartialEq, Eq)]
pub struct Job {
    /// The key.
    pub id: JobId,
    /// The batch it belongs to.
    pub batch: String,
    /// The publisher's own name for the picture.
    pub reference: Option<String>,
    /// The picture as the user named it.
    pub source: String,
    /// The side expected.
    pub side: RequestedSide,
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_picture_has_the_same_identifier_for_ever() {
        let id = JobId::of_picture("kyc", "/cards/a.jpg", Some("customer-42"));
        assert_eq!(id, JobId::of_picture("kyc", "/cards/a.jpg", Some("customer-42")));
        assert_eq!(
            id.to_string(),
            "4178ec92-8c8b-5702-8b87-8ba96a257dca",
            "changing the rule would read every finished folder again"
        );
    }

    #[test]
    fn batch_path_and_reference_each_matter_and_do_not_run_into_each_other() {
        let ids = [
            JobId::of_picture("ab", "c", Some("d")),
            JobId::of_picture("a", "bc", Some("d")),
            JobId::of_picture("ab", "cd", Some("")),
            JobId::of_picture("ab", "cd", None),
            JobId::of_picture("ab", "cd-", None),
        ];
        for (index, id) in ids.iter().enumerate() {
            assert!(!ids[..index].contains(id));
        }
    }

    #[test]
    fn sides_are_spelled_as_in_the_message() {
        for side in [RequestedSide::Auto, RequestedSide::Front, RequestedSide::Back] {
            assert_eq!(side.as_str().parse(), Ok(side));
        }
        assert_eq!("Front".parse::<RequestedSide>(), Err(UnknownSide));
    }
}
