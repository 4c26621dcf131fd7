//! The validity as read: 16 digits of two dates, or 8 and 长期; a term that the law knows.

use super::lattice::Slot;
use super::number::{digit, one_less};
use super::observation::{Observation, text};
use super::parameters::{Context, Parameters};
use super::posterior::{Constraint, Interpretation, Posterior};
use super::settle::{Field, Settled};
use crate::field::{FIRST_ISSUE, Validity};
use crate::finding::Finding;
use crate::reading::{FieldName, ReadChar, ReadField};
use crate::rule::Rule;

/// Digits of one date.
const DATE: usize = 8;

/// A validity's field, weighed.
struct ValidityObservation {
    posterior: Posterior<Validity>,
    /// A digit too many was left out.
    wrong_length: bool,
}

/// Settles a validity.
pub(crate) fn settle(read: &ReadField, context: &Context<'_>, findings: &mut Vec<Finding>) -> Settled<Validity> {
    let ValidityObservation { posterior, wrong_length } = weigh(read, context);
    let text = read.text();
    let field = Field {
        name: FieldName::EffectiveDate,
        read,
        text: &text,
        corrected: if wrong_length { Rule::LengthCorrected } else { Rule::ValidityCorrected },
        is_clear: false,
        by_odds: false,
        label_removed: false,
    };
    let settled = field.settle(&posterior, context.policy, findings);
    if settled.value.is_none() {
        let rule = Validity::parse(&text).err().unwrap_or(Rule::ValidityForm);
        findings.push(rule.of(FieldName::EffectiveDate));
    }
    settled
}

/// Weighs the readings of a validity. Only digits and 长期 count; full stops and hyphen stand at fixed places.
fn weigh(read: &ReadField, context: &Context<'_>) -> ValidityObservation {
    let parameters = context.parameters;
    let read = &without_what_follows(read, parameters);
    let is_digit = |read: &&ReadChar| Slot::of(read, digit).mass() >= parameters.validity_digit_from;
    let digits: Vec<ReadChar> = read.chars.iter().filter(is_digit).cloned().collect();
    let after_digits = read.chars.iter().rposition(|read| is_digit(&read)).map_or(0, |last| last + 1);
    let long_term = long_term(&read.chars[after_digits..]);
    let read_digits = ReadField { chars: digits.clone(), ..read.clone() };
    let observation = Observation::new(&read_digits, &[], parameters, digit);
    let constraint = |false_match_rate: f64| Constraint {
        false_match_rate,
        violation_rate: parameters.impossible_date_rate,
        truncation_rate: 0.0,
        interpret: |text: &str| interpret(text, context),
    };
    let whole = |posterior| ValidityObservation { posterior, wrong_length: false };
    match observation.lattice.len() {
        DATE if long_term >= parameters.validity_long_term_from => whole(Posterior::under(
            &observation.lattice,
            observation.confidence * long_term.min(1.0),
            &constraint(parameters.validity_one_date_false_match_rate),
        )),
        length if length == 2 * DATE && long_term < parameters.validity_long_term_from => whole(Posterior::under(
            &observation.lattice,
            observation.confidence,
            &constraint(parameters.validity_two_dates_false_match_rate),
        )),
        length if length == 2 * DATE + 1 && long_term < parameters.validity_long_term_from => {
            let posterior = Posterior::of_alternatives(
                &one_less(&digits, parameters, digit),
                &constraint(parameters.validity_two_dates_false_match_rate),
            );
            ValidityObservation { posterior, wrong_length: true }
        }
        _ => whole(Posterior::nothing()),
    }
}

/// The field up to the end of the first whole validity, after which nothing is printed: what follows stands beside the card or
/// is noise, but for a digit after another one, which may as well be one too many before. The confidence is then that of the characters that stay.
fn without_what_follows(read: &ReadField, parameters: &Parameters) -> ReadField {
    let is_digit = |read: &ReadChar| Slot::of(read, digit).mass() >= parameters.validity_digit_from;
    let from = read.chars.iter().position(is_digit).unwrap_or(0);
    let goes_on = |end: usize| is_digit(&read.chars[end - 1]) && is_digit(&read.chars[end]);
    let is_whole = |end: &usize| !goes_on(*end) && Validity::parse(&text(&read.chars[from..*end])).is_ok();
    let Some(end) = (from + 1..read.chars.len()).find(is_whole) else { return read.clone() };
    let chars = read.chars[..end].to_vec();
    let sure = chars.iter().filter_map(|read| read.candidates.first()).map(|best| best.probability);
    ReadField { confidence: sure.product(), chars, quad: read.quad }
}

/// A validity from 16 digits, or without end from 8.
fn interpret(digits: &str, context: &Context<'_>) -> Option<Interpretation<Validity>> {
    let text = match digits.split_at_checked(DATE)? {
        (from, "") => format!("{}-长期", dotted(from)?),
        (from, until) => format!("{}-{}", dotted(from)?, dotted(until)?),
    };
    let value = Validity::parse(&text).ok()?;
    let is_usual = value.term().is_some() && (FIRST_ISSUE..=context.today).contains(&value.from());
    Some(Interpretation { text, value, prior: if is_usual { 1.0 } else { context.parameters.validity_unlikely_prior } })
}

fn dotted(digits: &str) -> Option<String> {
    Some(format!("{}.{}.{}", digits.get(..4)?, digits.get(4..6)?, digits.get(6..8)?))
}

/// How sure it is that 长期 stands there: one of its characters is enough.
fn long_term(chars: &[ReadChar]) -> f64 {
    let mass = |wanted: char| {
        let of = |read: &ReadChar| Slot::of(read, |character| Some(character).filter(|one| *one == wanted)).mass();
        chars.iter().map(of).fold(0.0, f64::max)
    };
    mass('长').max(mass('期'))
}
