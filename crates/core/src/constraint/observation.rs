//! A field's characters prepared for its constraint: labels taken off, look-alikes mapped, noise left out.

use super::lattice::{Lattice, Slot};
use super::parameters::Parameters;
use crate::reading::{ReadChar, ReadField};

/// A field ready to be weighed.
pub(crate) struct Observation<'a> {
    pub(crate) lattice: Lattice,
    /// The characters of its places.
    pub(crate) chars: Vec<&'a ReadChar>,
    /// The probability that the best reading is right, as far as the characters tell.
    pub(crate) confidence: f64,
    /// A printed label was taken off.
    pub(crate) label_removed: bool,
    /// The best character at every place, after the label: what stays if no reading is valid.
    pub(crate) text: String,
}

impl<'a> Observation<'a> {
    /// A field of which one of `labels` may stick to the start, through `map`.
    pub(crate) fn new(
        read: &'a ReadField,
        labels: &[&str],
        parameters: &Parameters,
        map: impl Fn(char) -> Option<char>,
    ) -> Observation<'a> {
        Observation::of_more_than(0.0, read, labels, parameters, map)
    }

    /// The same, where a character of which no more than `least` can stand in the field is noise.
    pub(crate) fn of_more_than(
        least: f64,
        read: &'a ReadField,
        labels: &[&str],
        parameters: &Parameters,
        map: impl Fn(char) -> Option<char>,
    ) -> Observation<'a> {
        let chars = without_label(&read.chars, labels);
        let slot = |read| Some(Slot::of(read, &map)).filter(|slot| slot.mass() > least).unwrap_or_default();
        let slots: Vec<Slot> = chars.iter().map(slot).collect();
        let mut confidence = plausible(read.confidence);
        for (read, slot) in chars.iter().zip(&slots) {
            confidence *= kept(read, slot, parameters, &map);
        }
        let readable = chars.iter().zip(slots).filter(|(_, slot)| slot.best().is_some());
        let (kept, slots): (Vec<&ReadChar>, Vec<Slot>) = readable.unzip();
        Observation {
            lattice: Lattice::new(slots),
            chars: kept,
            confidence,
            label_removed: chars.len() < read.chars.len(),
            text: text(chars),
        }
    }
}

/// A confidence as a probability that leaves room for doubt. What is no probability says nothing.
pub(crate) fn plausible(confidence: f32) -> f64 {
    let confidence = if confidence.is_finite() { f64::from(confidence) } else { 0.0 };
    confidence.clamp(1e-4, 1.0 - 1e-6)
}

/// The most probable character at every place.
pub(crate) fn text(chars: &[ReadChar]) -> String {
    chars.iter().filter_map(best).collect()
}

/// The part of the confidence that remains when a place's best character had to go.
fn kept(read: &ReadChar, slot: &Slot, parameters: &Parameters, map: impl Fn(char) -> Option<char>) -> f64 {
    match slot.best() {
        None => parameters.dropped_is_noise,
        Some(kept) if best(read).and_then(map) == Some(kept) => 1.0,
        Some(_) => {
            let lost = read.candidates.first().map_or(1.0, |best| f64::from(best.probability));
            (slot.mass() / lost.max(1e-3)).min(1.0)
        }
    }
}

fn best(read: &ReadChar) -> Option<char> {
    read.candidates.first().map(|best| best.character)
}

/// The characters after the first of the labels with which they begin.
fn without_label<'a>(chars: &'a [ReadChar], labels: &[&str]) -> &'a [ReadChar] {
    let begins_with =
        |label: &&&str| label.chars().enumerate().all(|(at, want)| chars.get(at).and_then(best) == Some(want));
    let stuck = labels.iter().find(begins_with).map_or(0, |label| label.chars().count());
    &chars[stuck..]
}
