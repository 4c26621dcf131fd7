//! The gender as read: 男 or 女.

use super::belief::{Belief, Law, Verdict};
use super::lattice::Place;
use super::seen::Seen;
use crate::gender::Gender;
use crate::reading::{ReadChar, ReadField};

/// A character in which neither is seen says next to nothing.
const CHANCE: f64 = 0.5;
/// Nothing else is printed on any card.
const BROKEN: f64 = 1e-6;

/// Weighs the readings of a gender: of the character that most probably is one.
pub(crate) fn weigh(read: &ReadField) -> Belief<Gender> {
    let gender = |character: char| Some(character).filter(|character| matches!(character, '男' | '女'));
    let mass = |read: &&ReadChar| Place::of(read, gender).mass();
    let Some(likeliest) = read.chars.iter().max_by(|one, other| mass(one).total_cmp(&mass(other))) else {
        return Belief::nothing();
    };
    let alone = ReadField { chars: vec![likeliest.clone()], ..read.clone() };
    let seen = Seen::new(&alone, &[], gender);
    let judge = |text: &str| {
        let value = Gender::from_chinese(text)?;
        Some(Verdict { text: text.to_owned(), value, prior: 1.0 })
    };
    Belief::under(&seen.lattice, seen.confidence, &Law { chance: CHANCE, broken: BROKEN, cut_off: 0.0, judge })
}
