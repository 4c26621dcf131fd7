//! The birth date as read: digits, parted by 年 and 月 or by the room where these stand.

use time::{Date, Month};

use super::lattice::{Lattice, Slot};
use super::number::digit;
use super::observation::Observation;
use super::parameters::{Context, FIRST_LIKELY_BIRTH_YEAR, Parameters};
use super::posterior::{Constraint, Interpretation, Posterior};
use crate::field::BirthDate;
use crate::reading::{ReadChar, ReadField};

/// Weighs the readings of a birth date.
pub(crate) fn weigh(read: &ReadField, context: &Context<'_>) -> Posterior<Date> {
    let parameters = context.parameters;
    let (digits, breaks) = digits(&read.chars, parameters);
    let months = month_lengths(digits.len(), &breaks);
    let read_digits = ReadField { chars: digits, ..read.clone() };
    let observation = Observation::new(&read_digits, &[], parameters, digit);
    let constraint = Constraint {
        false_match_rate: parameters.birth_date_false_match_rate,
        violation_rate: parameters.impossible_date_rate,
        truncation_rate: 0.0,
        interpret: |text: &str| interpret(text, context),
    };
    let with_separator = |month: usize| observation.lattice.with(4 + month, Slot::certain('月'));
    match months.as_slice() {
        [] => Posterior::nothing(),
        [month] => Posterior::under(&with_separator(*month), observation.confidence, &constraint),
        several => {
            // 1993123 may be 23 January or 3 December: the number has to decide.
            let each = observation.confidence / several.len() as f64;
            let lattices: Vec<(Lattice, f64)> = several.iter().map(|&month| (with_separator(month), each)).collect();
            Posterior::of_alternatives(&lattices, &constraint)
        }
    }
}

/// A date from the year's four digits, the month's, 月, and the day's.
fn interpret(text: &str, context: &Context<'_>) -> Option<Interpretation<Date>> {
    let (year, rest) = text.split_at_checked(4)?;
    let (month, day) = rest.split_once('月')?;
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    let date = Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()?;
    let prior = if date.year() < FIRST_LIKELY_BIRTH_YEAR { context.parameters.unlikely_holder_prior } else { 1.0 };
    (date <= context.today).then(|| Interpretation { text: BirthDate::new(date).reveal_printed(), value: date, prior })
}

/// The digits, and before which of them something else stands: a character that is none, or much room.
fn digits(chars: &[ReadChar], parameters: &Parameters) -> (Vec<ReadChar>, Vec<usize>) {
    let is_digit = |read: &ReadChar| {
        let best = read.candidates.first().map(|best| best.character);
        !matches!(best, Some('年' | '月' | '日')) && Slot::of(read, digit).mass() >= parameters.birth_date_digit_from
    };
    let gaps =
        chars.windows(2).filter(|pair| pair.iter().all(is_digit)).map(|pair| pair[1].position - pair[0].position);
    let nearest = gaps.filter(|gap| *gap > 0.0).fold(f32::INFINITY, f32::min);
    let mut found: Vec<ReadChar> = Vec::new();
    let mut breaks = Vec::new();
    let mut after_digit = false;
    for read in chars {
        if !is_digit(read) {
            after_digit = false;
            continue;
        }
        let wide =
            found.last().is_some_and(|last| read.position - last.position > parameters.birth_date_gap as f32 * nearest);
        if !found.is_empty() && (!after_digit || wide) {
            breaks.push(found.len());
        }
        found.push(read.clone());
        after_digit = true;
    }
    (found, breaks)
}

/// How many digits the month can have: the year has 4, month and day one or two, and every break lies between them.
fn month_lengths(digits: usize, breaks: &[usize]) -> Vec<usize> {
    let fits = |month: &usize| {
        let day_has_one_or_two = (4 + month + 1..=4 + month + 2).contains(&digits);
        day_has_one_or_two && breaks.iter().all(|at| *at == 4 || *at == 4 + month)
    };
    [1, 2].into_iter().filter(fits).collect()
}
