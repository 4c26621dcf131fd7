//! A stored result, as the table holds it.

use serde::{Deserialize, Serialize};
use shenfen_core::{CardColumns, Decision, JobId, PictureResult, Side, Status};
use time::OffsetDateTime;

/// Which sides of a card a picture shows; the values of the column `side`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sides {
    /// The portrait side.
    Front,
    /// The emblem side.
    Back,
    /// Both, as on a photocopy.
    Both,
}

impl Sides {
    /// The value of the column `side`.
    pub fn as_str(self) -> &'static str {
        match self {
            Sides::Front => "front",
            Sides::Back => "back",
            Sides::Both => "both",
        }
    }

    /// The sides in a result; `None` when no card was found.
    pub fn of(result: &PictureResult) -> Option<Sides> {
        let shows = |side: Side| result.cards.iter().any(|card| card.side == side);
        match (shows(Side::Front), shows(Side::Back)) {
            (true, true) => Some(Sides::Both),
            (true, false) => Some(Sides::Front),
            (false, true) => Some(Sides::Back),
            (false, false) => None,
        }
    }
}

/// One row of `results`. No `Debug`: it is personal data throughout.
#[derive(Clone, PartialEq)]
pub struct ResultRow {
    /// Its position in the order in which results were stored.
    pub seq: i64,
    /// The key.
    pub job_id: JobId,
    /// The batch.
    pub batch: String,
    /// The publisher's own identifier of the picture.
    pub reference: Option<String>,
    /// The picture as the user named it.
    pub source: String,
    /// Whether the picture could be read.
    pub status: Status,
    /// The decision.
    pub decision: Decision,
    /// The sides that were read; `None` when there was no card.
    pub sides: Option<Sides>,
    /// The fields.
    pub columns: CardColumns,
    /// The lowest confidence of its cards, 0..1; `None` if there was no card.
    pub confidence: Option<f64>,
    /// The complete result as JSON text.
    pub result: String,
    /// The attempt that succeeded, from 1.
    pub attempts: u32,
    /// The networks' version.
    pub model_version: String,
    /// SHA-256 of the picture's bytes, in hexadecimal.
    pub image_sha256: Option<String>,
    /// When the job was enqueued.
    pub created_at: OffsetDateTime,
    /// When the result was stored.
    pub finished_at: OffsetDateTime,
}

/// Which results to return; `None` means any.
#[derive(Clone, Debug, Default)]
pub struct ResultFilter {
    /// Only this batch.
    pub batch: Option<String>,
    /// Only this status.
    pub status: Option<Status>,
    /// Only this decision.
    pub decision: Option<Decision>,
}
