//! From cards as read to the result of a picture.

use std::collections::BTreeMap;
use std::fmt;

use time::Date;

use crate::finding::{Finding, Severity};
use crate::mask::Count;
use crate::policy::Policy;
use crate::reading::{FieldName, ReadCard, Side};
use crate::result::{CardResult, Decision, Elapsed, FieldResult, ModelInfo, PictureResult, Status};

/// Everything that the rules say about the cards of one picture.
#[derive(Clone, PartialEq)]
pub struct Assessment {
    /// `Ok` if a card was found and something on it could be read, else `Fail`.
    pub status: Status,
    /// The fields of all cards by the names of the documented service; "" where one could not be read.
    pub message: BTreeMap<String, String>,
    /// The cards, in the order in which they were given.
    pub cards: Vec<CardResult>,
    /// Every doubt and every correction.
    pub findings: Vec<Finding>,
    /// What to do with the picture.
    pub decision: Decision,
}

/// Shows everything but the texts.
impl fmt::Debug for Assessment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assessment")
            .field("status", &self.status)
            .field("message", &Count(self.message.len()))
            .field("cards", &self.cards)
            .field("findings", &self.findings)
            .field("decision", &self.decision)
            .finish()
    }
}

impl Assessment {
    /// The result of the picture, once it is said who read it and how long it took.
    pub fn into_result(self, model: ModelInfo, elapsed_ms: Elapsed) -> PictureResult {
        let Assessment { status, message, cards, findings, decision } = self;
        PictureResult { status, message, cards, findings, decision, model, elapsed_ms }
    }
}

/// Checks the cards of one picture and decides.
///
/// `today` is the day in Asia/Shanghai. Nothing in `cards` makes it panic.
pub fn assess(cards: Vec<ReadCard>, today: Date, policy: &Policy) -> Assessment {
    let _ = today;
    let mut findings = Vec::new();
    let cards: Vec<CardResult> = cards.into_iter().map(card).collect();
    let status = status(&cards, &mut findings);
    let message = message(&cards);
    let decision = policy.decide(&cards, &findings);
    Assessment { status, message, cards, findings, decision }
}

fn card(read: ReadCard) -> CardResult {
    let fields: BTreeMap<FieldName, FieldResult> = read
        .fields
        .into_iter()
        .map(|(name, field)| {
            let result = FieldResult {
                text: field.text(),
                confidence: field.confidence,
                quad: field.quad,
                raw: None,
                alternatives: Vec::new(),
            };
            (name, result)
        })
        .collect();
    let confidence = fields.values().map(|field| field.confidence).product();
    CardResult { side: read.side, quad: read.quad, rotation: read.rotation, confidence, fields, quality: read.quality }
}

fn status(cards: &[CardResult], findings: &mut Vec<Finding>) -> Status {
    let rule = if cards.is_empty() {
        "no_card"
    } else if cards.iter().flat_map(|card| card.fields.values()).all(|field| field.text.is_empty()) {
        "nothing_readable"
    } else {
        return Status::Ok;
    };
    findings.push(Finding { field: None, rule: rule.to_owned(), severity: Severity::Error, detail: String::new() });
    Status::Fail
}

fn message(cards: &[CardResult]) -> BTreeMap<String, String> {
    let mut message = BTreeMap::new();
    for side in [Side::Front, Side::Back] {
        let of_side = cards.iter().filter(|card| card.side == side);
        let Some(card) = of_side.max_by(|one, other| one.confidence.total_cmp(&other.confidence)) else { continue };
        for &name in FieldName::of_side(side) {
            let text = card.fields.get(&name).map(|field| field.text.clone()).unwrap_or_default();
            message.insert(name.as_str().to_owned(), text);
        }
        if side == Side::Back {
            message.insert("nationality".to_owned(), "中华人民共和国".to_owned());
            message.insert("cType".to_owned(), "居民身份证".to_owned());
        }
    }
    message
}
