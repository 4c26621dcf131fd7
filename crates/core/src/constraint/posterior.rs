//! Probabilities of the readings of a field, given constraints and other fields.

use super::lattice::Lattice;
use super::lexicon::LexiconMatches;
use super::merged::Merged;
use super::parameters::{MOST_KEPT, MOST_OF_ALTERNATIVE, NEGLIGIBLE};

/// What can stand in a field.
pub(crate) struct Constraint<F> {
    /// The share of wrong readings that keep the constraint by chance: the smaller, the more a valid reading proves itself.
    pub(crate) false_match_rate: f64,
    /// The share of cards that break the constraint: forged, a specimen, misprinted, or unknown to our lists.
    pub(crate) violation_rate: f64,
    /// How often a valid text is read clearly but for a character at one end, which is lost.
    pub(crate) truncation_rate: f64,
    /// What a reading means, if it is valid.
    pub(crate) interpret: F,
}

/// A valid reading.
pub(crate) struct Interpretation<T> {
    /// The text in its standard form.
    pub(crate) text: String,
    /// What it means.
    pub(crate) value: T,
    /// How usual such a card is among the valid ones, up to 1.
    pub(crate) prior: f64,
}

/// A valid reading with its probability.
#[derive(Clone)]
pub(crate) struct Reading<T> {
    pub(crate) text: String,
    pub(crate) value: T,
    pub(crate) weight: f64,
    /// The most probable one by the characters alone: taking it corrects nothing.
    pub(crate) as_read: bool,
}

/// Valid readings, the most probable first. Their weights, `violated` and `rest` sum to 1.
#[derive(Clone)]
pub(crate) struct Posterior<T> {
    pub(crate) readings: Vec<Reading<T>>,
    /// The probability that the card breaks the constraint and says what was read.
    pub(crate) violated: f64,
    /// The probability of anything else.
    pub(crate) rest: f64,
}

impl<T> Posterior<T> {
    /// Nothing is known.
    pub(crate) fn nothing() -> Posterior<T> {
        Posterior { readings: Vec::new(), violated: 0.0, rest: 1.0 }
    }

    /// The readings of a lattice under a constraint. `confidence` is the probability that the best reading is right.
    pub(crate) fn under<F: Fn(&str) -> Option<Interpretation<T>>>(
        lattice: &Lattice,
        confidence: f64,
        constraint: &Constraint<F>,
    ) -> Posterior<T> {
        Posterior::among(lattice, confidence, constraint, None, &lattice.best())
    }

    /// The same where a list makes some readings likely: they are looked at however many others are more probable by
    /// their characters, and others are rare.
    pub(crate) fn among<F: Fn(&str) -> Option<Interpretation<T>>>(
        lattice: &Lattice,
        confidence: f64,
        constraint: &Constraint<F>,
        lexicon: Option<&LexiconMatches<'_>>,
        as_read: &str,
    ) -> Posterior<T> {
        let mut raw = Merged::new(lattice, lexicon);
        let Some((first, first_probability)) = raw.next() else { return Posterior::nothing() };
        let mut posterior = Posterior { readings: Vec::new(), violated: 0.0, rest: 0.0 };
        if !posterior.add(&first, confidence, first == as_read, constraint) {
            posterior.violated = confidence * constraint.violation_rate;
            posterior.rest = confidence * constraint.truncation_rate;
        }
        // The calibrated confidence leaves so much for all others; the characters' probabilities only share it out.
        let mut left = 1.0 - confidence;
        let share = left / (1.0 - first_probability).max(1e-9);
        let mut remaining = lexicon.map(|lexicon| lexicon.remaining(&first, first_probability));
        for (text, probability) in raw {
            let weight = (probability * share).min(left);
            if weight <= posterior.best_weight() * NEGLIGIBLE {
                break;
            }
            left -= weight;
            posterior.add(&text, weight, text == as_read, constraint);
            if let Some(remaining) = &mut remaining {
                remaining.take(&text, probability);
            }
        }
        match remaining {
            Some(remaining) => {
                let doubt = remaining.unseen(&first, confidence);
                posterior.rest += (left * remaining.usual() + doubt) * constraint.false_match_rate;
            }
            None => posterior.rest += left * constraint.false_match_rate,
        }
        posterior.normalized()
    }

    /// The readings of several lattices, of which at most one is right, each with its probability. None of them is what
    /// was read.
    pub(crate) fn of_alternatives<F: Fn(&str) -> Option<Interpretation<T>>>(
        lattices: &[(Lattice, f64)],
        constraint: &Constraint<F>,
    ) -> Posterior<T> {
        let mut posterior = Posterior { readings: Vec::new(), violated: 0.0, rest: 0.0 };
        let mut left = 1.0_f64;
        for (lattice, prior) in lattices {
            for (text, probability) in lattice.readings().take(MOST_OF_ALTERNATIVE) {
                let weight = (probability * prior).min(left);
                if weight <= posterior.best_weight() * NEGLIGIBLE {
                    break;
                }
                left -= weight;
                posterior.add(&text, weight, false, constraint);
            }
        }
        posterior.rest += left * constraint.false_match_rate;
        posterior.normalized()
    }

    /// Adds a reading if it is valid.
    fn add<F: Fn(&str) -> Option<Interpretation<T>>>(
        &mut self,
        text: &str,
        weight: f64,
        as_read: bool,
        constraint: &Constraint<F>,
    ) -> bool {
        let Some(Interpretation { text, value, prior }) = (constraint.interpret)(text) else { return false };
        let weight = weight * prior;
        let kept = self.readings.len();
        match self.readings.iter_mut().find(|reading| reading.text == text) {
            Some(same) => same.weight += weight,
            None if kept == MOST_KEPT => self.rest += weight,
            None => self.readings.push(Reading { text, value, weight, as_read }),
        }
        true
    }

    fn best_weight(&self) -> f64 {
        self.readings.iter().map(|reading| reading.weight).fold(0.0, f64::max)
    }

    /// Every weight times a factor: how well another field agrees.
    pub(crate) fn times(mut self, agreement: impl Fn(&T) -> f64, of_others: f64) -> Posterior<T> {
        for reading in &mut self.readings {
            reading.weight *= agreement(&reading.value);
        }
        self.violated *= of_others;
        self.rest *= of_others;
        self.normalized()
    }

    /// The probability of all readings that mean something certain.
    pub(crate) fn sum(&self, means: impl Fn(&T) -> bool) -> f64 {
        self.readings.iter().filter(|reading| means(&reading.value)).map(|reading| reading.weight).sum()
    }

    /// The probability that the truth is none of the readings.
    pub(crate) fn unknown(&self) -> f64 {
        self.violated + self.rest
    }

    /// The reading that corrects nothing, if it is valid.
    pub(crate) fn as_read(&self) -> Option<&Reading<T>> {
        self.readings.iter().find(|reading| reading.as_read)
    }

    fn normalized(mut self) -> Posterior<T> {
        let total = self.sum(|_| true) + self.unknown();
        if !(total > 0.0 && total.is_finite()) {
            return Posterior::nothing();
        }
        self.readings.iter_mut().for_each(|reading| reading.weight /= total);
        self.violated /= total;
        self.rest /= total;
        // Stable, so that equal ones keep the order in which they were found.
        self.readings.sort_by(|one, other| other.weight.total_cmp(&one.weight));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{Constraint, Interpretation, Posterior};
    use crate::constraint::fixture::lattice;

    /// Only texts that begin and end alike are valid.
    fn symmetry(text: &str) -> Option<Interpretation<()>> {
        let is_valid = text.chars().next() == text.chars().last();
        is_valid.then(|| Interpretation { text: text.to_owned(), value: (), prior: 1.0 })
    }

    #[test]
    fn a_constraint_raises_readings_that_keep_it_above_those_that_do_not() {
        let constraint =
            Constraint { false_match_rate: 0.1, violation_rate: 1e-3, truncation_rate: 0.0, interpret: symmetry };
        let valid =
            Posterior::under(&lattice(&[&[('a', 0.9), ('b', 0.1)], &[('a', 0.9), ('b', 0.1)]]), 0.81, &constraint);
        assert_eq!(valid.readings[0].text, "aa");
        assert!(valid.readings[0].as_read && valid.readings[0].weight > 0.95);

        let invalid =
            Posterior::under(&lattice(&[&[('a', 0.9), ('b', 0.1)], &[('b', 0.6), ('a', 0.4)]]), 0.54, &constraint);
        assert_eq!(invalid.readings[0].text, "aa");
        assert!(!invalid.readings[0].as_read);
        assert!(invalid.as_read().is_none());
    }

    #[test]
    fn a_violation_read_for_certain_stays() {
        let constraint =
            Constraint { false_match_rate: 0.1, violation_rate: 1e-3, truncation_rate: 0.0, interpret: symmetry };
        let posterior =
            Posterior::under(&lattice(&[&[('a', 0.9999)], &[('b', 0.9999), ('a', 1e-5)]]), 0.9998, &constraint);
        assert!(posterior.violated > 0.5, "{}", posterior.violated);
        let posterior = Posterior::under(
            &lattice(&[&[('a', 0.9999)], &[('b', 0.9999)]]),
            0.9998,
            &Constraint { truncation_rate: 0.01, ..constraint },
        );
        assert!(posterior.violated < 0.2, "{}", posterior.violated);
    }

    #[test]
    fn weights_sum_to_one() {
        let constraint =
            Constraint { false_match_rate: 0.3, violation_rate: 1e-3, truncation_rate: 0.0, interpret: symmetry };
        let slots: [&[(char, f32)]; 2] = [&[('a', 0.5), ('b', 0.4)], &[('a', 0.5), ('b', 0.5)]];
        let posterior = Posterior::under(&lattice(&slots), 0.2, &constraint).times(|()| 0.3, 0.7);
        assert!((posterior.sum(|()| true) + posterior.unknown() - 1.0).abs() < 1e-9);
        assert!((Posterior::<()>::nothing().unknown() - 1.0).abs() < 1e-9);
    }
}
