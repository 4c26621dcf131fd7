//! The gender as read: 男 or 女.

use super::lattice::Slot;
use super::observation::Observation;
use super::parameters::Parameters;
use super::posterior::{Constraint, Interpretation, Posterior};
use crate::gender::Gender;
use crate::reading::{ReadChar, ReadField};

/// Weighs the readings of a gender: of the character that most probably is one.
pub(crate) fn weigh(read: &ReadField, parameters: &Parameters) -> Posterior<Gender> {
    let gender = |character: char| Some(character).filter(|character| matches!(character, '男' | '女'));
    let mass = |read: &&ReadChar| Slot::of(read, gender).mass();
    let Some(likeliest) = read.chars.iter().max_by(|one, other| mass(one).total_cmp(&mass(other))) else {
        return Posterior::nothing();
    };
    let alone = ReadField { chars: vec![likeliest.clone()], ..read.clone() };
    let observation = Observation::new(&alone, &[], parameters, gender);
    let interpret = |text: &str| {
        let value = Gender::from_chinese(text)?;
        Some(Interpretation { text: text.to_owned(), value, prior: 1.0 })
    };
    Posterior::under(
        &observation.lattice,
        observation.confidence,
        &Constraint {
            false_match_rate: parameters.gender_false_match_rate,
            // The slot holds nothing but the two genders.
            violation_rate: 0.0,
            truncation_rate: 0.0,
            interpret,
        },
    )
}
