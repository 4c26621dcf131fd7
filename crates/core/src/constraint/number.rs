//! The number as read: digits, a real birth date that is not in the future, the check digit (GB 11643-1999).

use time::Date;

use super::lattice::{Lattice, Slot};
use super::observation::{Observation, plausible};
use super::parameters::{Context, FIRST_LIKELY_BIRTH_YEAR, Parameters};
use super::posterior::{Constraint, Interpretation, Posterior};
use super::trim::median_pitch;
use crate::id_number::{Holder, IdNumber};
use crate::reading::{ReadChar, ReadField};
use crate::region::Fit;

/// Characters of a number.
const LENGTH: usize = 18;
/// Where the birth date stands in it.
const DATE: std::ops::Range<usize> = 6..14;

/// A number's field, weighed.
pub(crate) struct NumberObservation {
    pub(crate) posterior: Posterior<IdNumber>,
    /// What stays if no reading is valid.
    pub(crate) text: String,
    /// A character too many or too few had to be put right.
    pub(crate) wrong_length: bool,
}

/// A digit, X, or what looks like one.
pub(crate) fn digit(character: char) -> Option<char> {
    match character {
        'O' | 'o' | '○' | '〇' | 'D' => Some('0'),
        'I' | 'l' | 'i' | '|' | '丨' => Some('1'),
        'Z' | 'z' => Some('2'),
        'S' | 's' => Some('5'),
        'B' => Some('8'),
        full_width @ '０'..='９' => char::from_u32(u32::from(full_width) - 0xfee0),
        ascii if ascii.is_ascii_digit() => Some(ascii),
        _ => None,
    }
}

fn digit_or_x(character: char) -> Option<char> {
    match character {
        'X' | 'x' | '×' | 'Х' | 'х' | 'Ⅹ' | 'ⅹ' | 'Ｘ' | 'ｘ' => Some('X'),
        other => digit(other),
    }
}

/// Weighs the readings of a number. `birth_dates` are the readings of the birth date's field: one of them may give a digit
/// that is missing in the number.
pub(crate) fn weigh(read: &ReadField, birth_dates: &Posterior<Date>, context: &Context<'_>) -> NumberObservation {
    let parameters = context.parameters;
    let constraint = Constraint {
        false_match_rate: parameters.number_false_match_rate,
        violation_rate: parameters.number_violation_rate,
        truncation_rate: 0.0,
        interpret: |text: &str| interpret(text, context),
    };
    let is_digit = |read: &&ReadChar| Slot::of(read, digit_or_x).mass() >= parameters.number_digit_from;
    let kept: Vec<ReadChar> = read.chars.iter().filter(is_digit).cloned().collect();
    let digits = ReadField { chars: kept, confidence: read.confidence, quad: read.quad };
    let observation = Observation::new(&digits, &[], parameters, digit_or_x);
    let text = if observation.lattice.len() == LENGTH { observation.lattice.best() } else { read.text() };
    let posterior = match observation.lattice.len() {
        LENGTH => Posterior::under(&observation.lattice, observation.confidence, &constraint),
        length if length == LENGTH + 1 => {
            Posterior::of_alternatives(&one_less(&digits.chars, parameters, digit_or_x), &constraint)
        }
        length if length + 1 == LENGTH => {
            Posterior::of_alternatives(&one_more(&digits.chars, read.confidence, birth_dates), &constraint)
        }
        _ => Posterior::nothing(),
    };
    NumberObservation { posterior, wrong_length: observation.lattice.len() != LENGTH, text }
}

fn interpret(text: &str, context: &Context<'_>) -> Option<Interpretation<IdNumber>> {
    // Cards of this generation never bear 15 digits.
    let number =
        Some(text).filter(|text| text.len() == LENGTH).and_then(|text| IdNumber::parse(text, context.today).ok())?;
    let unusual = [
        number.region().fit() == Fit::Unlisted,
        number.holder() != Holder::Mainland,
        number.birth_date().year() < FIRST_LIKELY_BIRTH_YEAR,
    ];
    let prior = unusual.iter().filter(|unusual| **unusual).map(|_| context.parameters.unlikely_holder_prior).product();
    Some(Interpretation { text: number.reveal().to_owned(), value: number, prior })
}

/// The places without any one of them. The nearer a character stands to its neighbour and the less sure it is, the more
/// probably it is the one too many.
pub(crate) fn one_less(
    chars: &[ReadChar],
    parameters: &Parameters,
    map: impl Fn(char) -> Option<char> + Copy,
) -> Vec<(Lattice, f64)> {
    let pitch = median_pitch(chars);
    let surplus = |at: usize| {
        let gap = |one: usize, other: usize| match (chars.get(one), chars.get(other)) {
            (Some(one), Some(other)) => f64::from((other.position - one.position).abs()),
            _ => f64::INFINITY,
        };
        let nearest = gap(at.wrapping_sub(1), at).min(gap(at, at + 1));
        let crowded = if pitch > 0.0 { 1.0 - (nearest / pitch).clamp(0.0, 1.0) } else { 0.0 };
        let unsure = 1.0 - Slot::of(&chars[at], map).mass();
        parameters.surplus_base + crowded + unsure
    };
    let surpluses: Vec<f64> = (0..chars.len()).map(surplus).collect();
    let total: f64 = surpluses.iter().sum();
    let without = |at: usize| {
        let slots = chars.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, read)| Slot::of(read, map));
        (Lattice::new(slots.collect()), surpluses[at] / total)
    };
    (0..chars.len()).map(without).filter(|(_, prior)| prior.is_finite()).collect()
}

/// 17 places and the digit of a birth date as read that could be missing among those of the number's date.
///
/// A digit missing elsewhere is not made up: the check digit alone would fit one digit at nearly every place.
fn one_more(chars: &[ReadChar], confidence: f32, birth_dates: &Posterior<Date>) -> Vec<(Lattice, f64)> {
    let slots: Vec<Slot> = chars.iter().map(|read| Slot::of(read, digit_or_x)).collect();
    let mut found = Vec::new();
    for reading in &birth_dates.readings {
        let date = reading.value;
        let printed = format!("{:04}{:02}{:02}", date.year(), u8::from(date.month()), date.day());
        for (at, digit) in DATE.zip(printed.chars()) {
            let mut completed = slots.clone();
            completed.insert(at, Slot::certain(digit));
            // Only numbers that now bear this very date.
            for (slot, want) in completed[DATE].iter_mut().zip(printed.chars()) {
                slot.keep(want);
            }
            let prior = plausible(confidence) * reading.weight / DATE.len() as f64;
            found.push((Lattice::new(completed), prior));
        }
    }
    found
}
