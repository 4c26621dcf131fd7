//! A job: one picture to read. Queue, store, worker and HTTP share these types.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::reading::Side;
use crate::tenant::Tenant;

/// The namespace of the identifiers made from batch and path.
const PICTURES: Uuid = Uuid::from_u128(0x6f1d_2c0a_5b7e_4e0b_9d57_8c1c_4a3e_75a1);

/// The namespace of the identifiers made from message ids and contents. Changing it would let repeats of old messages pass
/// for new jobs.
const MESSAGES: Uuid = Uuid::from_u128(0x5d2f_6c0a_3b0e_5a61_9f4c_7e8d_21ab_904f);

/// Identifies a job and its result within its tenant: a UUID. A repeat of it changes nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(Uuid);

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

    /// The identifier of a message, made from parts of it: it depends on every part and on where one ends and the next
    /// begins. (UUID version 5, RFC 9562.)
    pub fn of_message(parts: &[&[u8]]) -> JobId {
        let mut name = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
        for part in parts {
            name.extend_from_slice(&(part.len() as u64).to_be_bytes());
            name.extend_from_slice(part);
        }
        JobId(Uuid::new_v5(&MESSAGES, &name))
    }
}

impl From<JobId> for Uuid {
    fn from(id: JobId) -> Uuid {
        id.0
    }
}

impl From<Uuid> for JobId {
    fn from(id: Uuid) -> JobId {
        JobId(id)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(formatter)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// The text is not a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a job id must be a UUID")]
pub struct InvalidJobId;

impl FromStr for JobId {
    type Err = InvalidJobId;

    /// Takes every written form of a UUID: with hyphens, without, in braces, as a URN.
    fn from_str(text: &str) -> Result<JobId, InvalidJobId> {
        Uuid::parse_str(text).map(JobId).map_err(|_| InvalidJobId)
    }
}

/// The key of a job among those of all tenants: no identifier that one of them chooses meets a job of another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobKey {
    /// The tenant.
    pub tenant: Tenant,
    /// The job among the tenant's.
    pub id: JobId,
}

/// The identifier, after the tenant if that is not the default one.
impl fmt::Display for JobKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tenant != Tenant::DEFAULT {
            write!(formatter, "{}/", self.tenant)?;
        }
        self.id.fmt(formatter)
    }
}

impl fmt::Debug for JobKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// The side that the publisher expects in the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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
    /// All of them.
    pub const ALL: [RequestedSide; 3] = [RequestedSide::Auto, RequestedSide::Front, RequestedSide::Back];

    /// The name in messages, manifests and tables.
    pub fn as_str(self) -> &'static str {
        self.side().map_or("auto", Side::as_str)
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

impl FromStr for RequestedSide {
    type Err = UnknownSide;

    fn from_str(text: &str) -> Result<RequestedSide, UnknownSide> {
        RequestedSide::ALL.into_iter().find(|side| side.as_str() == text).ok_or(UnknownSide)
    }
}

/// One picture to read. No `Debug`: sources and references may hold names.
#[derive(Clone, PartialEq, Eq)]
pub struct Job {
    /// Whose it is.
    pub tenant: Tenant,
    /// Identifies it among the tenant's.
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

impl Job {
    /// The key.
    pub fn key(&self) -> JobKey {
        JobKey { tenant: self.tenant, id: self.id }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_picture_keeps_its_identifier_across_versions() {
        let id = JobId::of_picture("kyc", "/cards/a.jpg", Some("customer-42"));
        assert_eq!(id, JobId::of_picture("kyc", "/cards/a.jpg", Some("customer-42")));
        assert_eq!(
            id.to_string(),
            "4178ec92-8c8b-5702-8b87-8ba96a257dca",
            "changing the rule would read every finished folder again"
        );
    }

    #[test]
    fn an_identifier_depends_on_batch_path_and_reference_separately() {
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
    fn a_side_has_one_name_in_text_and_json() {
        for side in RequestedSide::ALL {
            assert_eq!(side.as_str().parse(), Ok(side));
            assert_eq!(serde_json::to_value(side).unwrap(), side.as_str());
        }
        assert_eq!("Front".parse::<RequestedSide>(), Err(UnknownSide));
    }

    proptest! {
        #[test]
        fn an_identifier_survives_text_and_json(id: u128) {
            let id = JobId::from(Uuid::from_u128(id));
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(serde_json::from_str::<JobId>(&format!("\"{id}\"")).unwrap(), id);
        }

        #[test]
        fn text_that_is_not_a_uuid_is_refused(text in ".{0,31}") {
            prop_assert_eq!(text.parse::<JobId>(), Err(InvalidJobId));
        }

        #[test]
        fn message_parts_do_not_run_into_each_other(a in "[ab]{0,3}", b in "[ab]{0,3}", c in "[ab]{0,3}", d in "[ab]{0,3}") {
            let of = |one: &str, other: &str| JobId::of_message(&[one.as_bytes(), other.as_bytes()]);
            prop_assert_eq!(of(&a, &b) == of(&c, &d), (&a, &b) == (&c, &d));
        }
    }
}
