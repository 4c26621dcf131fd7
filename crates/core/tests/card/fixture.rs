//! Cards as a reader might see them.

use std::collections::BTreeMap;

use shenfen_core::{
    Assessment, Candidate, FieldName, Policy, Quality, ReadCard, ReadChar, ReadField, Rotation, Side, assess,
};
use time::Date;
use time::macros::date;

pub(crate) const TODAY: Date = date!(2026 - 11 - 23);
/// Made up: a woman born on 3 March 1993 in 龙游县.
pub(crate) const NUMBER: &str = "330825199303034565";

/// A field of which every character is as sure as `probability`.
pub(crate) fn field(text: &str, probability: f32) -> ReadField {
    let count = text.chars().count().max(1);
    let read = |(at, character)| ReadChar {
        candidates: vec![Candidate { character, probability }],
        position: (at as f32 + 0.5) / count as f32,
        line: 0,
    };
    let chars: Vec<ReadChar> = text.chars().enumerate().map(read).collect();
    let confidence = probability.powi(chars.len() as i32);
    ReadField { chars, confidence, quad: [[0.0, 0.0], [9.0, 0.0], [9.0, 1.0], [0.0, 1.0]] }
}

/// The field with other candidates at one place; its confidence follows.
pub(crate) fn doubt(mut field: ReadField, at: usize, candidates: &[(char, f32)]) -> ReadField {
    let candidate = |&(character, probability)| Candidate { character, probability };
    field.chars[at].candidates = candidates.iter().map(candidate).collect();
    field.confidence = field.chars.iter().map(|read| read.candidates[0].probability).product();
    field
}

pub(crate) fn card(side: Side, fields: impl IntoIterator<Item = (FieldName, ReadField)>) -> ReadCard {
    ReadCard {
        side,
        quad: [[0.0, 0.0], [856.0, 0.0], [856.0, 540.0], [0.0, 540.0]],
        rotation: Rotation::Deg0,
        fields: fields.into_iter().collect(),
        hidden: BTreeMap::new(),
        quality: Quality {
            sharpness: 1.0,
            exposure: 1.0,
            glare: 1.0,
            resolution: 1.0,
            completeness: 1.0,
            monochrome: false,
        },
    }
}

/// A front without a fault.
pub(crate) fn front() -> ReadCard {
    let texts = [
        (FieldName::Name, "欧阳秋"),
        (FieldName::Gender, "女"),
        (FieldName::Ethnic, "土家"),
        (FieldName::BirthDate, "1993年3月3日"),
        (FieldName::Address, "浙江省龙游县某某镇某某村12号"),
        (FieldName::IdentityNo, NUMBER),
    ];
    card(Side::Front, texts.map(|(name, text)| (name, field(text, 0.9999))))
}

/// The back of the same card, without a fault.
pub(crate) fn back() -> ReadCard {
    let texts = [(FieldName::Authority, "龙游县公安局"), (FieldName::EffectiveDate, "2020.09.25-2040.09.25")];
    card(Side::Back, texts.map(|(name, text)| (name, field(text, 0.9999))))
}

/// The card with one field put in another's place.
pub(crate) fn with(mut card: ReadCard, name: FieldName, field: ReadField) -> ReadCard {
    card.fields.insert(name, field);
    card
}

pub(crate) fn check(cards: impl IntoIterator<Item = ReadCard>) -> Assessment {
    assess(cards.into_iter().collect(), TODAY, &Policy::default())
}

/// The names of the rules found, sorted.
pub(crate) fn rules(assessment: &Assessment) -> Vec<&str> {
    let mut rules: Vec<&str> = assessment.findings.iter().map(|finding| finding.rule.name()).collect();
    rules.sort_unstable();
    rules
}

pub(crate) fn text(assessment: &Assessment, name: FieldName) -> &str {
    assessment.message.get(name.as_str()).map_or("", String::as_str)
}

pub(crate) fn raw(assessment: &Assessment, name: FieldName) -> Option<&str> {
    assessment.cards[0].fields.get(&name)?.raw.as_deref()
}
