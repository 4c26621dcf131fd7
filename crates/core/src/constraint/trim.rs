//! Noise beside a field: lines of the background or the end of a label that were read as characters.

use std::ops::Range;

use super::parameters::{LEAST_TRIM, Parameters};
use crate::reading::ReadChar;

/// A span of characters of which the rest may be noise, with the probability that it is.
pub(crate) struct Span {
    pub(crate) kept: Range<usize>,
    pub(crate) probability: f64,
}

/// The spans inside of some characters that leave out some at the ends, none if all are certain. The last characters of
/// `label` at the start are no surprise.
pub(crate) fn spans(chars: &[&ReadChar], label: &str, parameters: &Parameters) -> Vec<Span> {
    let Parameters { noise_if_certain, noise_by_doubt, .. } = *parameters;
    let surprise = |at: usize| {
        let doubt = 1.0 - chars[at].candidates.first().map_or(0.0, |best| f64::from(best.probability));
        // A NaN becomes the least.
        (noise_by_doubt * doubt).max(noise_if_certain).clamp(noise_if_certain, 1.0)
    };
    let count = chars.len();
    let of_label = label_length(chars, label);
    let before = ends(1..count, parameters, |kept| if kept <= of_label { 1.0 } else { surprise(kept - 1) });
    let after = ends(1..count, parameters, |kept| surprise(count - kept));
    let pairs =
        before.iter().flat_map(|&(first, one)| after.iter().map(move |&(last, other)| (first, last, one * other)));
    pairs
        .filter(|&(first, last, probability)| first + last > 0 && first + last < count && probability > LEAST_TRIM)
        .map(|(first, last, probability)| Span { kept: first..count - last, probability })
        .collect()
}

/// How many characters can be left out at one end, with the probability that they are noise.
fn ends(counts: Range<usize>, parameters: &Parameters, surprise: impl Fn(usize) -> f64) -> Vec<(usize, f64)> {
    let mut ends = vec![(0, 1.0)];
    let mut probability = parameters.noise_rate;
    for count in counts {
        probability *= surprise(count);
        if probability <= LEAST_TRIM {
            break;
        }
        ends.push((count, probability));
    }
    ends
}

/// How many characters at the start are the end of a label.
fn label_length(chars: &[&ReadChar], label: &str) -> usize {
    let label: Vec<char> = label.chars().collect();
    let is = |read: &&ReadChar, want: char| read.candidates.first().is_some_and(|best| best.character == want);
    let stands = |count: &usize| {
        let end = &label[label.len() - count..];
        chars.len() >= *count && chars.iter().zip(end).all(|(read, &want)| is(read, want))
    };
    (1..=label.len()).rev().find(stands).unwrap_or(0)
}

/// The middle distance between neighbours; 0 if there is none.
pub(crate) fn median_pitch<'a>(chars: impl IntoIterator<Item = &'a ReadChar>) -> f64 {
    let positions: Vec<f32> = chars.into_iter().map(|read| read.position).collect();
    let mut gaps: Vec<f64> = positions.windows(2).map(|pair| f64::from((pair[1] - pair[0]).abs())).collect();
    gaps.sort_by(f64::total_cmp);
    gaps.get(gaps.len() / 2).copied().filter(|gap| gap.is_finite()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::spans;
    use crate::constraint::fixture::read;
    use crate::constraint::parameters::Parameters;
    use crate::reading::ReadChar;

    fn chars(slots: &[(char, f32, f32, u8)]) -> Vec<ReadChar> {
        let one = |&(character, probability, position, line)| ReadChar {
            position,
            line,
            ..read(&[(character, probability)])
        };
        slots.iter().map(one).collect()
    }

    fn probability(chars: &[ReadChar], kept: std::ops::Range<usize>) -> f64 {
        let chars: Vec<&ReadChar> = chars.iter().collect();
        let spans = spans(&chars, "机关", &Parameters::FITTED);
        spans.iter().find(|span| span.kept == kept).map_or(0.0, |span| span.probability)
    }

    #[test]
    fn certain_characters_are_not_noise() {
        let certain = chars(&[('甲', 1.0, 0.1, 0), ('乙', 1.0, 0.3, 0), ('丙', 1.0, 0.5, 0), ('丁', 1.0, 0.7, 0)]);
        assert!(probability(&certain, 2..4) == 0.0 && probability(&certain, 1..4) < 1e-3);
        let doubtful = chars(&[('甲', 0.4, 0.1, 0), ('乙', 1.0, 0.3, 0), ('丙', 1.0, 0.5, 0), ('丁', 0.5, 0.7, 0)]);
        assert!(probability(&doubtful, 1..4) > 0.01 && probability(&doubtful, 0..3) > 0.01);
        assert!(probability(&doubtful, 1..3) < probability(&doubtful, 1..4));
    }

    #[test]
    fn the_end_of_a_label_counts_as_noise() {
        let label = chars(&[('关', 1.0, 0.1, 0), ('乙', 1.0, 0.2, 0), ('丙', 1.0, 0.3, 0)]);
        assert!(probability(&label, 1..3) > 0.01);
        assert!(probability(&label, 2..3) < 0.01);
    }
}
