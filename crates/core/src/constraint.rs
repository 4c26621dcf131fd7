//! What can stand on a card, weighed against what was read.
//!
//! The reader gives every character a few candidates. [`observation`] prepares a field's characters and [`trim`] lists what
//! may be left out at their ends; [`lattice`] enumerates whole readings, the most probable first. A constraint says which
//! readings are possible: [`number`], [`birth_date`], [`gender`], [`validity`], [`permit`] and [`words`]; for the latter [`bigram`] knows
//! usual pairs of characters, [`lexicon`] the names of regions and towns, and [`place_prior`] how usual a place is.
//! [`posterior`] holds the probability of each possible reading. [`identity`] weighs number, birth date and gender together.
//! [`settle`] takes a reading and reports what was changed; [`truncation`] says whether it looks cut off.
//!
//! A reading consists of candidates only, with two exceptions, each with its finding: a digit missing in the date of the
//! number comes from the birth date, and a birth date or gender that cannot be read comes from the number.

pub(crate) mod bigram;
pub(crate) mod birth_date;
pub(crate) mod gender;
pub(crate) mod identity;
pub(crate) mod lattice;
pub(crate) mod lexicon;
pub(crate) mod merged;
pub(crate) mod number;
pub(crate) mod observation;
pub(crate) mod parameters;
pub(crate) mod permit;
pub(crate) mod place_prior;
pub(crate) mod posterior;
pub(crate) mod settle;
pub(crate) mod trim;
pub(crate) mod truncation;
pub(crate) mod validity;
pub(crate) mod words;

#[cfg(test)]
pub(crate) mod fixture {
    use super::lattice::{Lattice, Slot};
    use crate::reading::{Candidate, ReadChar};

    pub(crate) fn read(options: &[(char, f32)]) -> ReadChar {
        let candidate = |&(character, probability)| Candidate { character, probability };
        ReadChar { candidates: options.iter().map(candidate).collect(), position: 0.0, line: 0 }
    }

    pub(crate) fn lattice(slots: &[&[(char, f32)]]) -> Lattice {
        Lattice::new(slots.iter().map(|options| Slot::of(&read(options), Some)).collect())
    }
}
