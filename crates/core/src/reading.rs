//! A card as the reader saw it: characters with probabilities and places, not yet checked against any rule.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::mask::Count;

/// A point in pixels of the picture as stored, EXIF orientation applied: x to the right, y down.
pub type Point = [f32; 2];

/// Four corners, clockwise from the top left *of the thing itself* (a card held upside down starts at its own top left).
pub type Quad = [Point; 4];

/// Which side of the card. The naming that users know: the standard calls them the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The side with the portrait and the personal data.
    Front,
    /// The side with the emblem, the authority and the validity.
    Back,
}

impl Side {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Side::Front => "front",
            Side::Back => "back",
        }
    }
}

/// How far the card is turned clockwise in the picture, to the nearest quarter turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub enum Rotation {
    /// Upright.
    Deg0,
    /// The card's top points to the right.
    Deg90,
    /// Upside down.
    Deg180,
    /// The card's top points to the left.
    Deg270,
}

impl From<Rotation> for u16 {
    fn from(rotation: Rotation) -> u16 {
        match rotation {
            Rotation::Deg0 => 0,
            Rotation::Deg90 => 90,
            Rotation::Deg180 => 180,
            Rotation::Deg270 => 270,
        }
    }
}

impl TryFrom<u16> for Rotation {
    type Error = String;

    fn try_from(degrees: u16) -> Result<Rotation, String> {
        match degrees {
            0 => Ok(Rotation::Deg0),
            90 => Ok(Rotation::Deg90),
            180 => Ok(Rotation::Deg180),
            270 => Ok(Rotation::Deg270),
            other => Err(format!("rotation must be 0, 90, 180 or 270, not {other}")),
        }
    }
}

/// The fields of a card. The serialised names are those of the documented HTTP service (`identityNo`, `birthPlace`, ...).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FieldName {
    /// 姓名.
    Name,
    /// 性别: 男 or 女.
    Gender,
    /// 民族, without 族.
    Ethnic,
    /// 出生, as printed: 1993年3月3日.
    BirthDate,
    /// 住址, the registered address. Serialised as `birthPlace`, the name in the documented HTTP service.
    #[serde(rename = "birthPlace")]
    Address,
    /// 公民身份号码.
    IdentityNo,
    /// 签发机关.
    Authority,
    /// 有效期限, as printed: 2014.09.25-2034.09.25 or 2014.09.25-长期.
    EffectiveDate,
    /// 通行证号码 of a residence permit.
    PermitNumber,
    /// 签发次数 of a residence permit.
    IssueCount,
}

impl FieldName {
    /// The fields that a front can have, in reading order.
    pub const FRONT: [FieldName; 6] = [
        FieldName::Name,
        FieldName::Gender,
        FieldName::Ethnic,
        FieldName::BirthDate,
        FieldName::Address,
        FieldName::IdentityNo,
    ];
    /// The fields that a back can have, in reading order.
    pub const BACK: [FieldName; 4] =
        [FieldName::Authority, FieldName::EffectiveDate, FieldName::PermitNumber, FieldName::IssueCount];

    /// The fields that can stand on a side, in reading order. Which of them do is said by [`DocumentType::fields`].
    ///
    /// [`DocumentType::fields`]: crate::DocumentType::fields
    pub fn of_side(side: Side) -> &'static [FieldName] {
        match side {
            Side::Front => &Self::FRONT,
            Side::Back => &Self::BACK,
        }
    }

    /// The serialised name, as in the documented HTTP service.
    pub fn as_str(self) -> &'static str {
        match self {
            FieldName::Name => "name",
            FieldName::Gender => "gender",
            FieldName::Ethnic => "ethnic",
            FieldName::BirthDate => "birthDate",
            FieldName::Address => "birthPlace",
            FieldName::IdentityNo => "identityNo",
            FieldName::Authority => "authority",
            FieldName::EffectiveDate => "effectiveDate",
            FieldName::PermitNumber => "permitNumber",
            FieldName::IssueCount => "issueCount",
        }
    }
}

/// One reading of one character. Serialised as a pair: the character and its probability.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "(char, f32)", into = "(char, f32)")]
pub struct Candidate {
    /// The character.
    pub character: char,
    /// Its probability, 0..1.
    pub probability: f32,
}

impl From<(char, f32)> for Candidate {
    fn from((character, probability): (char, f32)) -> Candidate {
        Candidate { character, probability }
    }
}

impl From<Candidate> for (char, f32) {
    fn from(candidate: Candidate) -> (char, f32) {
        (candidate.character, candidate.probability)
    }
}

/// One character place in a line, with what could stand there, most probable first. Never empty.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadChar {
    /// The candidates, most probable first; the reader keeps the sixteen best.
    pub candidates: Vec<Candidate>,
    /// Where the character's centre stands along its line: 0 at the line's start, 1 at its end.
    pub position: f32,
    /// The line it stands on, from 0; only addresses and long names have more than one.
    pub line: u8,
}

/// A field as it was seen, before any rule looked at it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadField {
    /// The characters in reading order, lines joined.
    pub chars: Vec<ReadChar>,
    /// The probability that every character is right, 0..1, calibrated.
    pub confidence: f32,
    /// Where the field stands in the picture; around all of its lines.
    pub quad: Quad,
}

impl ReadField {
    /// The most probable character at every place.
    pub fn text(&self) -> String {
        self.chars.iter().filter_map(|read| read.candidates.first()).map(|best| best.character).collect()
    }
}

/// How good a picture of the card is. Each figure is 0 (useless) to 1 (perfect).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// How clearly the strokes of the faintest line of type stand out from the paper: blur, few pixels and little light
    /// lower it.
    pub sharpness: f32,
    /// Neither black, not even in a part, nor washed out.
    pub exposure: f32,
    /// Free of glare: 1 means no blown-out spot.
    pub glare: f32,
    /// Enough pixels to read small type: 1 from about 12 pixels a millimetre.
    pub resolution: f32,
    /// The part of the card that lies inside the picture.
    pub completeness: f32,
    /// A grey picture: a photocopy or a grey scan.
    pub monochrome: bool,
}

/// One card found in a picture, as read. `Debug` shows nothing of its texts; serialised it holds all of them, so that
/// [`assess`](fn@crate::assess) can be run on it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReadCard {
    /// Front (portrait) or back (emblem).
    pub side: Side,
    /// The card's corners in the picture, from its own top left.
    pub quad: Quad,
    /// The turn to the nearest quarter.
    pub rotation: Rotation,
    /// The fields that were found. A field that is absent was not found at all.
    pub fields: BTreeMap<FieldName, ReadField>,
    /// For each field the probability, 0..1, that a character of it is printed on the card and cannot be seen, because something covers
    /// it or it is washed out or cut off. Absent is 0. What was read of such a field may be right in every character and still not be all.
    #[serde(default)]
    pub hidden: BTreeMap<FieldName, f32>,
    /// How good the picture of this card is.
    pub quality: Quality,
}

/// Shows the probability; the character is personal.
impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate").field("probability", &self.probability).finish_non_exhaustive()
    }
}

/// Shows where the character stands; what it is, is personal.
impl fmt::Debug for ReadChar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadChar")
            .field("candidates", &Count(self.candidates.len()))
            .field("position", &self.position)
            .field("line", &self.line)
            .finish()
    }
}

/// Shows how many characters there are, not which.
impl fmt::Debug for ReadField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadField")
            .field("chars", &Count(self.chars.len()))
            .field("confidence", &self.confidence)
            .field("quad", &self.quad)
            .finish()
    }
}
