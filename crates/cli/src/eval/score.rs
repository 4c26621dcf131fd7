//! Counting what was read right.

use std::collections::BTreeMap;

use serde::Serialize;
use shenfen_core::{Decision, FieldName, PictureResult, Side};

use super::calibration::Calibration;
use super::labels::{Label, LabelledPicture};
use super::text_of;
use crate::read::word;

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

    fn add(&mut self, exact: bool) {
        self.total += 1;
        self.exact += u64::from(exact);
    }

    fn add_text(&mut self, label: &str, read: &str) {
        self.add(label == read);
        self.characters += label.chars().count() as u64;
        self.edits += edit_distance(label, read);
    }
}

/// The scores of one slice.
#[derive(Default, Serialize)]
pub(super) struct SliceScore {
    pub(super) fields: Tally,
    pub(super) pictures: Tally,
}

/// The scores of a labelled set.
#[derive(Default, Serialize)]
pub(super) struct Scores {
    pub(super) fields: BTreeMap<FieldName, Tally>,
    pub(super) sides: BTreeMap<Side, Tally>,
    pub(super) all: Tally,
    /// Right when every field of every card in it is.
    pub(super) pictures: Tally,
    pub(super) slices: BTreeMap<String, SliceScore>,
    /// By decision: pictures, and those of them that are wholly right.
    pub(super) decisions: BTreeMap<String, Tally>,
    pub(super) accepted: Accepted,
    /// Over the fields that were read.
    pub(super) calibration: Calibration,
}

/// The pictures that no person needs to see.
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
    path: String,
    side: Side,
    field: FieldName,
    expected: String,
    read: String,
    confidence: f32,
}

impl Scores {
    /// Counts a picture and returns what was misread in it.
    pub(super) fn add(&mut self, labelled: &LabelledPicture, result: &PictureResult) -> Vec<Misread> {
        let mut misread = Vec::new();
        let mut slice = Tally::default();
        for (label, card) in labelled.cards.iter().zip(assign(&labelled.cards, result)) {
            for (&field, text) in &label.fields {
                let (read, confidence) = text_of(result, card, field);
                let sums =
                    [self.fields.entry(field).or_default(), self.sides.entry(label.side).or_default(), &mut self.all];
                sums.into_iter().chain([&mut slice]).for_each(|tally| tally.add_text(text, read));
                if !read.is_empty() {
                    self.calibration.add(confidence, text == read);
                }
                if text != read {
                    let (path, expected, read) = (labelled.name.clone(), text.clone(), read.to_owned());
                    misread.push(Misread { path, side: label.side, field, expected, read, confidence });
                }
            }
        }
        let exact = misread.is_empty() && (!labelled.cards.is_empty() || result.cards.is_empty());
        self.pictures.add(exact);
        self.decisions.entry(word(&result.decision)).or_default().add(exact);
        self.accept(result.decision == Decision::Accept, exact);
        if let Some(name) = &labelled.slice {
            let score = self.slices.entry(name.clone()).or_default();
            score.pictures.add(exact);
            score.fields.total += slice.total;
            score.fields.exact += slice.exact;
            score.fields.characters += slice.characters;
            score.fields.edits += slice.edits;
        }
        misread
    }

    fn accept(&mut self, accepted: bool, exact: bool) {
        let sum = &mut self.accepted;
        if accepted {
            sum.tally.add(exact);
        }
        sum.share = sum.tally.total as f64 / self.pictures.total as f64;
        sum.precision = (sum.tally.total > 0).then(|| sum.tally.accuracy());
    }
}

/// For each label the card that it fits best: of its side, not taken by another label, with most fields equal.
fn assign(labels: &[Label], result: &PictureResult) -> Vec<Option<usize>> {
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

/// The least number of characters inserted, taken out or replaced to make one text of the other (Levenshtein).
fn edit_distance(one: &str, other: &str) -> u64 {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<u64> = (0..=other.len() as u64).collect();
    for (line, left) in (1..).zip(one.chars()) {
        let mut diagonal = row[0];
        row[0] = line;
        for (column, &right) in (1..).zip(&other) {
            let replaced = diagonal + u64::from(left != right);
            diagonal = row[column];
            row[column] = replaced.min(diagonal + 1).min(row[column - 1] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted_in_characters() {
        assert_eq!(edit_distance("浙江省龙游县", "浙江龙游县A"), 2);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
    }
}
