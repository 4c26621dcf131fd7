//! What became of covered pictures, by field, place and material.

use std::collections::BTreeMap;

use serde::Serialize;

use super::place::{Place, Placed};
use crate::eval::report::Section;

/// What became of a covered picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Accepted, with every field as labelled: nothing that counts was hidden, or it could be told all the same.
    AcceptedRight,
    /// Accepted with a field that differs from its label: what must never happen.
    AcceptedWrong,
    /// Not accepted.
    Flagged,
}

/// How often each outcome came.
#[derive(Clone, Copy, Default, Serialize)]
pub(super) struct Tally {
    covered: u64,
    accepted_right: u64,
    accepted_wrong: u64,
    flagged: u64,
}

impl Tally {
    fn add(&mut self, outcome: Outcome) {
        self.covered += 1;
        match outcome {
            Outcome::AcceptedRight => self.accepted_right += 1,
            Outcome::AcceptedWrong => self.accepted_wrong += 1,
            Outcome::Flagged => self.flagged += 1,
        }
    }

    fn merge(&mut self, other: Tally) {
        self.covered += other.covered;
        self.accepted_right += other.accepted_right;
        self.accepted_wrong += other.accepted_wrong;
        self.flagged += other.flagged;
    }

    fn row(&self, name: &str) -> Vec<String> {
        let counts = [self.covered, self.accepted_right, self.accepted_wrong, self.flagged];
        std::iter::once(name.to_owned()).chain(counts.map(|count| count.to_string())).collect()
    }
}

/// The outcomes of all covered pictures.
#[derive(Default, Serialize)]
pub(super) struct Tallies {
    all: Tally,
    /// By the field aimed at; "none" for corners, edges and elsewhere.
    fields: BTreeMap<&'static str, Tally>,
    places: BTreeMap<&'static str, Tally>,
    materials: BTreeMap<&'static str, Tally>,
}

impl Tallies {
    pub(super) fn add(&mut self, placed: &Placed, outcome: Outcome) {
        self.all.add(outcome);
        self.fields.entry(placed.field_name()).or_default().add(outcome);
        self.places.entry(placed.place.as_str()).or_default().add(outcome);
        self.materials.entry(placed.cover.material.as_str()).or_default().add(outcome);
    }

    pub(super) fn merge(&mut self, other: Tallies) {
        self.all.merge(other.all);
        for (mine, theirs) in
            [(&mut self.fields, other.fields), (&mut self.places, other.places), (&mut self.materials, other.materials)]
        {
            theirs.into_iter().for_each(|(name, tally)| mine.entry(name).or_default().merge(tally));
        }
    }

    /// Three tables; the total stands under the first one. `before` is said ahead of them.
    pub(super) fn sections(&self, before: String) -> Vec<Section> {
        let table = |what: &str, before: Vec<String>, rows: Vec<Vec<String>>| {
            let head = [what, "COVERED", "ACCEPTED RIGHT", "ACCEPTED WRONG", "FLAGGED"].map(str::to_owned).to_vec();
            Section { before, head, rows }
        };
        let rows = |tallies: &BTreeMap<&str, Tally>| tallies.iter().map(|(name, tally)| tally.row(name)).collect();
        let places = Place::ALL
            .iter()
            .filter_map(|place| self.places.get(place.as_str()).map(|tally| tally.row(place.as_str())));
        vec![
            table("PLACE", vec![before], places.chain([self.all.row("all")]).collect()),
            table("FIELD", Vec::new(), rows(&self.fields)),
            table("MATERIAL", Vec::new(), rows(&self.materials)),
        ]
    }
}
