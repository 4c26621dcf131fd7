//! What can lawfully stand on a card, weighed against what was read.
//!
//! The reader gives every character a few candidates. [`seen`] prepares a field's characters, [`lattice`] enumerates whole
//! readings of them, the most probable first, and [`belief`] keeps the probability of each after a law has spoken; the laws
//! are [`number`], [`birth_date`], [`gender`], [`validity`] and [`words`], for which [`places`] knows the regions. [`identity`] weighs number, birth date and gender
//! together. [`settle`] takes a reading and says what was changed. A reading consists of candidates only. There are two
//! exceptions, each with its finding: a digit missing in the date of the number comes from the birth date, and a birth date
//! or gender that cannot be read comes from the number.

pub(crate) mod belief;
pub(crate) mod birth_date;
pub(crate) mod gender;
pub(crate) mod identity;
pub(crate) mod lattice;
pub(crate) mod listed;
pub(crate) mod merged;
pub(crate) mod noise;
pub(crate) mod number;
pub(crate) mod pairs;
pub(crate) mod places;
pub(crate) mod seen;
pub(crate) mod settle;
pub(crate) mod validity;
pub(crate) mod words;

#[cfg(test)]
pub(crate) mod fixture {
    use super::lattice::{Lattice, Place};
    use crate::reading::{Candidate, ReadChar};

    pub(crate) fn read(options: &[(char, f32)]) -> ReadChar {
        let candidate = |&(character, probability)| Candidate { character, probability };
        ReadChar { candidates: options.iter().map(candidate).collect(), position: 0.0, line: 0 }
    }

    pub(crate) fn lattice(places: &[&[(char, f32)]]) -> Lattice {
        Lattice::new(places.iter().map(|options| Place::of(&read(options), Some)).collect())
    }
}
