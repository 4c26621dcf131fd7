//! Whether a text looks as if its start or its end were missing: 春国 is an unusual name and a usual rest of 叶春国.

use super::bigram::PERSONS;
use super::parameters::{ADDRESS_CUT, ADDRESS_ENDS, ADDRESS_WHOLE, MOST_UNUSUAL_START, NAME_LENGTH_RATIOS, Parameters};
use crate::reading::FieldName;

/// How many times as often a text is what remains of a field that lost a character as it is a whole field, at least 1: a text that
/// looks whole does not take back what was seen. 1 also for fields whose form shows what is missing.
pub(crate) fn ratio(field: FieldName, text: &str, parameters: &Parameters) -> f64 {
    let ratio = match field {
        FieldName::Name => name_ratio(text, parameters),
        FieldName::Address => address_ratio(text),
        _ => 1.0,
    };
    ratio.max(1.0)
}

/// Names in parts have no usual length, and seldom begin with a surname.
fn name_ratio(name: &str, parameters: &Parameters) -> f64 {
    if name.contains('·') {
        return 1.0;
    }
    let length = name.chars().count();
    let Some(first) = name.chars().next() else { return 1.0 };
    let of_length = NAME_LENGTH_RATIOS.get(length - 1).copied().unwrap_or(1.0);
    let of_start = PERSONS.inside_to_start(first, parameters).min(MOST_UNUSUAL_START);
    // The missing character is as likely the first one as any other.
    let first_is_missing = 1.0 / (length + 1) as f64;
    of_length * (first_is_missing * of_start + 1.0 - first_is_missing)
}

fn address_ratio(address: &str) -> f64 {
    match address.chars().last() {
        None => 1.0,
        Some(end) if ADDRESS_ENDS.contains(&end) => (1.0 - ADDRESS_CUT) / (1.0 - ADDRESS_WHOLE),
        Some(_) => ADDRESS_CUT / ADDRESS_WHOLE,
    }
}

/// A probability, given evidence that is `ratio` times as usual if it is true as if it is not.
pub(crate) fn given(probability: f64, ratio: f64) -> f64 {
    let for_it = probability * ratio;
    // Added in this order, the sum is never less than its first part.
    for_it / (for_it + (1.0 - probability))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(field: FieldName, text: &str) -> f64 {
        ratio(field, text, &Parameters::FITTED)
    }

    #[test]
    fn names_without_their_first_character_are_suspicious() {
        for (rest, whole) in [("春国", "叶春国"), ("财伟", "俞财伟"), ("羽涛", "侯羽涛"), ("小盛", "董小盛")]
        {
            assert!(of(FieldName::Name, rest) > 3.0, "{rest}");
            assert!(of(FieldName::Name, whole) == 1.0, "{whole}");
        }
        assert!(of(FieldName::Name, "国") > 100.0);
        assert!(of(FieldName::Name, "王芳") > of(FieldName::Name, "王小芳"));
        assert!(of(FieldName::Name, "艾赛提·米吉提") == 1.0 && of(FieldName::Name, "") == 1.0);
    }

    #[test]
    fn addresses_that_stop_before_a_number_or_a_noun_are_suspicious() {
        for (rest, whole) in [("某县某路308", "某县某路308号"), ("某县某镇某路", "某县某镇某村3组")]
        {
            assert!(of(FieldName::Address, rest) > 3.0, "{rest}");
            assert!(of(FieldName::Address, whole) == 1.0, "{whole}");
        }
    }

    #[test]
    fn evidence_moves_a_probability_and_never_out_of_its_range() {
        assert!((given(0.01, 16.0) - 0.1391).abs() < 1e-3 && (given(0.3, 1.0) - 0.3).abs() < 1e-12);
        for (probability, ratio) in [(0.0, 100.0), (1.0, 0.01), (1.0, 0.9 / 0.06), (1.0, 7.3), (0.5, 1e9), (0.5, 0.0)] {
            assert!((0.0..=1.0).contains(&given(probability, ratio)));
        }
    }
}
