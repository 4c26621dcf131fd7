//! The result of reading one picture, in the shape that the command line, HTTP, the queue and the tables share.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::card_validity::CardValidity;
use crate::document::DocumentType;
use crate::finding::Finding;
use crate::mask::{Count, Masked};
use crate::policy::PolicyInfo;
use crate::reading::{FieldName, Quad, Quality, Rotation, Side};

/// The six statuses of the documented HTTP service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// At least one card was read.
    #[serde(rename = "OK")]
    Ok,
    /// No card in the picture, or no field of it sure but perhaps its name.
    #[serde(rename = "FAIL")]
    Fail,
    /// The request itself is not understood.
    #[serde(rename = "INVALID_REQUEST")]
    InvalidRequest,
    /// The bytes are no picture of a known format, or a damaged one.
    #[serde(rename = "IMAGE_INVALID_FORMAT")]
    ImageInvalidFormat,
    /// The picture exceeds the limit on bytes or pixels.
    #[serde(rename = "IMAGE_INVALID_SIZE")]
    ImageInvalidSize,
    /// The service cannot answer now.
    #[serde(rename = "RETRY_LATER")]
    RetryLater,
}

impl Status {
    /// All of them.
    pub const ALL: [Status; 6] = [
        Status::Ok,
        Status::Fail,
        Status::InvalidRequest,
        Status::ImageInvalidFormat,
        Status::ImageInvalidSize,
        Status::RetryLater,
    ];

    /// The name in JSON and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Ok => "OK",
            Status::Fail => "FAIL",
            Status::InvalidRequest => "INVALID_REQUEST",
            Status::ImageInvalidFormat => "IMAGE_INVALID_FORMAT",
            Status::ImageInvalidSize => "IMAGE_INVALID_SIZE",
            Status::RetryLater => "RETRY_LATER",
        }
    }
}

/// What to do with a card: the policy's answer over findings and confidences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Take it as read.
    Accept,
    /// A person should look at it.
    Review,
    /// Ask for another picture, or refuse.
    Reject,
}

impl Decision {
    /// All of them, from the mildest to the strictest.
    pub const ALL: [Decision; 3] = [Decision::Accept, Decision::Review, Decision::Reject];

    /// The name in JSON and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Decision::Accept => "accept",
            Decision::Review => "review",
            Decision::Reject => "reject",
        }
    }
}

/// A field after the checks.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldResult {
    /// The field's text; empty when it could not be read.
    pub text: String,
    /// The probability that the whole text is right, 0..1, calibrated.
    pub confidence: f32,
    /// Where it stands in the picture.
    pub quad: Quad,
    /// What was read, when a rule put something else into `text`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub raw: Option<String>,
    /// Other readings of the whole field, most probable first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub alternatives: Vec<String>,
}

/// One card after the checks. `Debug` shows nothing of its texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CardResult {
    /// What kind of document it is. Results of versions before 0.6.0 do not say so: they know one kind.
    #[serde(rename = "documentType", default)]
    pub document_type: DocumentType,
    /// Front (portrait) or back (emblem).
    pub side: Side,
    /// The card's corners in the picture, from its own top left.
    pub quad: Quad,
    /// The turn to the nearest quarter.
    pub rotation: Rotation,
    /// The probability that all fields of this card are right, 0..1, calibrated.
    pub confidence: f32,
    /// The fields by name.
    pub fields: BTreeMap<FieldName, FieldResult>,
    /// How good the picture of this card is.
    pub quality: Quality,
}

/// Which networks read the picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// The model set's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 over the sums of all its files, in hexadecimal.
    pub sha256: String,
}

/// Milliseconds by stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Elapsed {
    /// Bytes to pixels.
    pub decode: f64,
    /// Pixels to card corners.
    pub locate: f64,
    /// Card corners to characters: lines and recognition.
    pub recognise: f64,
    /// Everything.
    pub total: f64,
}

/// The result of one picture.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct PictureResult {
    /// Whether the picture could be read.
    pub status: Status,
    /// The fields of all cards in the picture by the names of the documented service; "" where one could not be read.
    pub message: BTreeMap<String, String>,
    /// Every card found, left to right, top to bottom.
    pub cards: Vec<CardResult>,
    /// Every doubt.
    pub findings: Vec<Finding>,
    /// What to do with it.
    pub decision: Decision,
    /// Whether the card is valid, if it was read rightly.
    #[serde(default)]
    pub validity: CardValidity,
    /// The policy that decided; absent for a picture that could not be read and in results of earlier versions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub policy: Option<PolicyInfo>,
    /// Which networks read it.
    pub model: ModelInfo,
    /// How long it took.
    pub elapsed_ms: Elapsed,
}

/// Shows how long the texts are, not what they say.
impl fmt::Debug for FieldResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldResult")
            .field("text", &Masked(&self.text))
            .field("confidence", &self.confidence)
            .field("quad", &self.quad)
            .field("raw", &self.raw.as_deref().map(Masked))
            .field("alternatives", &Count(self.alternatives.len()))
            .finish()
    }
}

/// Shows everything but the texts.
impl fmt::Debug for PictureResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PictureResult")
            .field("status", &self.status)
            .field("message", &Count(self.message.len()))
            .field("cards", &self.cards)
            .field("findings", &self.findings)
            .field("decision", &self.decision)
            .field("validity", &self.validity)
            .field("policy", &self.policy)
            .field("model", &self.model)
            .field("elapsed_ms", &self.elapsed_ms)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_and_decisions_have_one_name_in_text_and_json() {
        for status in Status::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        for decision in Decision::ALL {
            assert_eq!(serde_json::to_value(decision).unwrap(), decision.as_str());
        }
    }
}
