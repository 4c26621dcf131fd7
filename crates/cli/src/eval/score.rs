//! Counting what was read right.

use std::collections::BTreeMap;

use serde::Serialize;
use shenfen_core::{Decision, FieldName, PictureResult, Quad, Side, Status};

use super::automatic_share::AutomaticShare;
use super::calibration::Calibration;
use super::labels::{Label, LabelledPicture};
use super::locating::Locating;
use super::quality::QualityScores;
use super::text_of;

/// How many of something were exactly right.
#[derive(Default, Serialize)]
pub(super) struct Tally {
    pub(super) total: u64,
    pub(super) exact: u64,
    /// Characters of the labels, and edits from what was read to them.
    #[serde(skip_serializing_if = "is_zero")]
    characters: u64,
    #[serde(skip_serializing_if = "is_zero")]
    edits: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Tally {
    /// The share that was exactly right; 1 of nothing.
    pub(super) fn accuracy(&self) -> f64 {
        if self.total == 0 { 1.0 } else { self.exact as f64 / self.total as f64 }
    }

    /// One less the edits a character of the labels, at least 0; `None` where no characters were counted.
    pub(super) fn characters(&self) -> Option<f64> {
        (self.characters > 0).then(|| (1.0 - self.edits as f64 / self.characters as f64).max(0.0))
    }

    pub(super) fn add(&mut self, exact: bool) {
        self.total += 1;
        self.exact += u64::from(exact);
    }

    fn add_text(&mut self, label: &str, read: &str) {
        self.add(label == read);
        self.characters += label.chars().count() as u64;
        self.edits += strsim::levenshtein(label, read) as u64;
    }
}

/// The scores of all pictures, or of a slice of them.
#[derive(Default, Serialize)]
pub(super) struct Score {
    /// All labelled fields.
    pub(super) all: Tally,
    /// Right when every field of every card in it is; without a card, when it was refused.
    pub(super) pictures: Tally,
    /// Those accepted by the policy.
    pub(super) accepted: Accepted,
    /// Those that could be accepted by their confidences alone.
    #[serde(rename = "unseen")]
    pub(super) automatic_share: AutomaticShare,
    /// Over the fields that were read.
    pub(super) calibration: Calibration,
}

/// The scores of a labelled set.
#[derive(Default, Serialize)]
pub(super) struct Scores {
    #[serde(flatten)]
    pub(super) whole: Score,
    pub(super) fields: BTreeMap<FieldName, Tally>,
    pub(super) sides: BTreeMap<Side, Tally>,
    pub(super) slices: BTreeMap<String, Score>,
    /// By decision: pictures, and those of them that are wholly right.
    pub(super) decisions: BTreeMap<&'static str, Tally>,
    /// Whether cards are found where the labels have them.
    pub(super) locating: Locating,
    /// Whether the quality figures foretell what is misread.
    pub(super) quality: QualityScores,
}

/// The pictures that the policy shows to no person.
#[derive(Default, Serialize)]
pub(super) struct Accepted {
    /// Their share of all pictures.
    pub(super) share: f64,
    /// The share of them that is wholly right; `None` of none.
    pub(super) precision: Option<f64>,
    #[serde(skip)]
    tally: Tally,
}

/// A field that was read otherwise than labelled.
#[derive(Serialize)]
pub(super) struct Misread {
    pub(super) path: String,
    pub(super) side: Side,
    pub(super) field: FieldName,
    pub(super) expected: String,
    pub(super) read: String,
    pub(super) confidence: f32,
    /// Where it was read, or the card where it was not; `None` if the card was not found either.
    #[serde(skip)]
    pub(super) place: Option<Quad>,
}

impl Scores {
    /// Counts a picture, whose labels are about the cards in `assigned`, and returns what was misread in it.
    pub(super) fn add(
        &mut self,
        labelled: &LabelledPicture,
        assigned: &[Option<usize>],
        result: &PictureResult,
    ) -> Vec<Misread> {
        self.locating.add(&labelled.cards, result);
        let mut misread = Vec::new();
        for (label, &card) in labelled.cards.iter().zip(assigned) {
            let before = misread.len();
            for (&field, text) in &label.fields {
                let (read, confidence) = text_of(result, card, field);
                self.fields.entry(field).or_default().add_text(text, read);
                self.sides.entry(label.side).or_default().add_text(text, read);
                for score in self.scores_of(labelled) {
                    score.all.add_text(text, read);
                    if !read.is_empty() {
                        score.calibration.add(confidence, text == read);
                    }
                }
                if text != read {
                    let found = card.and_then(|card| result.cards.get(card));
                    let place = found.map(|card| card.fields.get(&field).map_or(card.quad, |field| field.quad));
                    let (path, expected, read) = (labelled.name.clone(), text.clone(), read.to_owned());
                    misread.push(Misread { path, side: label.side, field, expected, read, confidence, place });
                }
            }
            if let Some(card) = card.and_then(|card| result.cards.get(card)) {
                self.quality.add(&card.quality, misread.len() == before);
            }
        }
        let exact = misread.is_empty() && (!labelled.cards.is_empty() || result.status != Status::Ok);
        let confidence = result.cards.iter().map(|card| card.confidence).fold(1.0, f32::min);
        self.decisions.entry(result.decision.as_str()).or_default().add(exact);
        for score in self.scores_of(labelled) {
            score.pictures.add(exact);
            score.accepted.add(result.decision == Decision::Accept, exact, score.pictures.total);
            score.automatic_share.add((result.status == Status::Ok).then_some(confidence), exact);
        }
        misread
    }

    /// The scores in which a picture counts: the whole and its slices.
    fn scores_of(&mut self, labelled: &LabelledPicture) -> Vec<&mut Score> {
        for name in &labelled.slices {
            self.slices.entry(name.clone()).or_default();
        }
        let slices = self.slices.iter_mut().filter(|(name, _)| labelled.slices.contains(name)).map(|(_, score)| score);
        std::iter::once(&mut self.whole).chain(slices).collect()
    }
}

impl Accepted {
    fn add(&mut self, accepted: bool, exact: bool, pictures: u64) {
        if accepted {
            self.tally.add(exact);
        }
        self.share = self.tally.total as f64 / pictures as f64;
        self.precision = (self.tally.total > 0).then(|| self.tally.accuracy());
    }
}

/// For each label the card that it fits best: of its side, not taken by another label, with most fields equal.
pub(super) fn assign(labels: &[Label], result: &PictureResult) -> Vec<Option<usize>> {
    let mut free: Vec<usize> = (0..result.cards.len()).collect();
    let mut assigned = Vec::with_capacity(labels.len());
    for label in labels {
        let equal = |card: usize| {
            label.fields.iter().filter(|&(&field, text)| text_of(result, Some(card), field).0 == text).count()
        };
        let fitting = free.iter().copied().filter(|&card| result.cards[card].side == label.side);
        let best = fitting.rev().max_by_key(|&card| equal(card));
        free.retain(|&card| Some(card) != best);
        assigned.push(best);
    }
    assigned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits_in_characters() {
        let mut tally = Tally::default();
        tally.add_text("浙江省龙游县", "浙江龙游县A");
        assert_eq!((tally.characters, tally.edits), (6, 2));
        tally.add_text("abc", "");
        assert_eq!((tally.characters, tally.edits), (9, 5));
    }
}
