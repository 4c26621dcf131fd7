//! Probabilities of the readings of a field, after laws and other fields have spoken.

use super::lattice::Lattice;
use super::listed::Listed;
use super::merged::Merged;

/// The enumeration ends at readings so much less probable than the best lawful one. What is left out counts as unknown.
const NEGLIGIBLE: f64 = 1e-3;
/// Readings of one alternative that are looked at.
const MOST_OF_ALTERNATIVE: usize = 200;
/// Lawful readings that are kept; less probable ones count as unknown.
const MOST_KEPT: usize = 64;

/// What can lawfully stand in a field.
pub(crate) struct Law<F> {
    /// The part of all wrong readings that would be lawful by chance: the smaller, the more a lawful reading proves itself.
    pub(crate) chance: f64,
    /// How rarely a card breaks this law: forged, a specimen, misprinted, or unknown to our lists.
    pub(crate) broken: f64,
    /// How often a lawful text is read clearly but for a character at one end, which is lost.
    pub(crate) cut_off: f64,
    /// What a reading means, if it is lawful.
    pub(crate) judge: F,
}

/// A lawful reading.
pub(crate) struct Verdict<T> {
    /// The text in its standard form.
    pub(crate) text: String,
    /// What it means.
    pub(crate) value: T,
    /// How usual such a card is among the lawful ones, up to 1.
    pub(crate) prior: f64,
}

/// A lawful reading with its probability.
#[derive(Clone)]
pub(crate) struct Reading<T> {
    pub(crate) text: String,
    pub(crate) value: T,
    pub(crate) weight: f64,
    /// The most probable one by the characters alone: taking it corrects nothing.
    pub(crate) as_read: bool,
}

/// Lawful readings, the most probable first. Their weights, `broken` and `rest` make 1.
#[derive(Clone)]
pub(crate) struct Belief<T> {
    pub(crate) readings: Vec<Reading<T>>,
    /// The probability that the card breaks the law and says what was read.
    pub(crate) broken: f64,
    /// The probability of anything else.
    pub(crate) rest: f64,
}

impl<T> Belief<T> {
    /// Nothing is known.
    pub(crate) fn nothing() -> Belief<T> {
        Belief { readings: Vec::new(), broken: 0.0, rest: 1.0 }
    }

    /// The readings of a lattice under a law. `confidence` is the probability that the best reading is right.
    pub(crate) fn under<F: Fn(&str) -> Option<Verdict<T>>>(
        lattice: &Lattice,
        confidence: f64,
        law: &Law<F>,
    ) -> Belief<T> {
        Belief::among(lattice, confidence, law, None, &lattice.best())
    }

    /// The same where a list makes some readings likely: they are looked at however many others are more probable by
    /// their characters, and others are rare.
    pub(crate) fn among<F: Fn(&str) -> Option<Verdict<T>>>(
        lattice: &Lattice,
        confidence: f64,
        law: &Law<F>,
        listed: Option<&Listed>,
        as_read: &str,
    ) -> Belief<T> {
        let mut raw = Merged::new(lattice, listed);
        let Some((first, first_probability)) = raw.next() else { return Belief::nothing() };
        let mut belief = Belief { readings: Vec::new(), broken: 0.0, rest: 0.0 };
        if !belief.add(&first, confidence, first == as_read, law) {
            belief.broken = confidence * law.broken;
            belief.rest = confidence * law.cut_off;
        }
        // The calibrated confidence leaves so much for all others; the characters' probabilities only share it out.
        let mut left = 1.0 - confidence;
        let share = left / (1.0 - first_probability).max(1e-9);
        let mut remaining = listed.map(|listed| listed.remaining(&first, first_probability));
        for (text, probability) in raw {
            let weight = (probability * share).min(left);
            if weight <= belief.best_weight() * NEGLIGIBLE {
                break;
            }
            left -= weight;
            belief.add(&text, weight, text == as_read, law);
            if let Some(remaining) = &mut remaining {
                remaining.take(&text, probability);
            }
        }
        match remaining {
            Some(remaining) => {
                let doubt = remaining.unseen(&first, confidence);
                belief.rest += (left * remaining.usual() + doubt) * law.chance;
            }
            None => belief.rest += left * law.chance,
        }
        belief.normalized()
    }

    /// The readings of several lattices, of which at most one is right, each with its probability. None of them is what
    /// was read.
    pub(crate) fn of_alternatives<F: Fn(&str) -> Option<Verdict<T>>>(
        lattices: &[(Lattice, f64)],
        law: &Law<F>,
    ) -> Belief<T> {
        let mut belief = Belief { readings: Vec::new(), broken: 0.0, rest: 0.0 };
        let mut left = 1.0_f64;
        for (lattice, prior) in lattices {
            for (text, probability) in lattice.readings().take(MOST_OF_ALTERNATIVE) {
                let weight = (probability * prior).min(left);
                if weight <= belief.best_weight() * NEGLIGIBLE {
                    break;
                }
                left -= weight;
                belief.add(&text, weight, false, law);
            }
        }
        belief.rest += left * law.chance;
        belief.normalized()
    }

    /// Adds a reading if it is lawful.
    fn add<F: Fn(&str) -> Option<Verdict<T>>>(&mut self, text: &str, weight: f64, as_read: bool, law: &Law<F>) -> bool {
        let Some(Verdict { text, value, prior }) = (law.judge)(text) else { return false };
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
    pub(crate) fn times(mut self, agreement: impl Fn(&T) -> f64, of_others: f64) -> Belief<T> {
        for reading in &mut self.readings {
            reading.weight *= agreement(&reading.value);
        }
        self.broken *= of_others;
        self.rest *= of_others;
        self.normalized()
    }

    /// The probability of all readings that mean something certain.
    pub(crate) fn sum(&self, means: impl Fn(&T) -> bool) -> f64 {
        self.readings.iter().filter(|reading| means(&reading.value)).map(|reading| reading.weight).sum()
    }

    /// The probability that the truth is none of the readings.
    pub(crate) fn unknown(&self) -> f64 {
        self.broken + self.rest
    }

    /// The reading that corrects nothing, if it is lawful.
    pub(crate) fn as_read(&self) -> Option<&Reading<T>> {
        self.readings.iter().find(|reading| reading.as_read)
    }

    fn normalized(mut self) -> Belief<T> {
        let total = self.sum(|_| true) + self.unknown();
        if !(total > 0.0 && total.is_finite()) {
            return Belief::nothing();
        }
        self.readings.iter_mut().for_each(|reading| reading.weight /= total);
        self.broken /= total;
        self.rest /= total;
        // Stable, so that equal ones keep the order in which they were found.
        self.readings.sort_by(|one, other| other.weight.total_cmp(&one.weight));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{Belief, Law, Verdict};
    use crate::law::fixture::lattice;

    /// Only texts that begin and end alike are lawful.
    fn symmetry(text: &str) -> Option<Verdict<()>> {
        let lawful = text.chars().next() == text.chars().last();
        lawful.then(|| Verdict { text: text.to_owned(), value: (), prior: 1.0 })
    }

    #[test]
    fn a_law_raises_what_keeps_it_and_prefers_it_to_what_does_not() {
        let law = Law { chance: 0.1, broken: 1e-3, cut_off: 0.0, judge: symmetry };
        let lawful = Belief::under(&lattice(&[&[('a', 0.9), ('b', 0.1)], &[('a', 0.9), ('b', 0.1)]]), 0.81, &law);
        assert_eq!(lawful.readings[0].text, "aa");
        assert!(lawful.readings[0].as_read && lawful.readings[0].weight > 0.95);

        let unlawful = Belief::under(&lattice(&[&[('a', 0.9), ('b', 0.1)], &[('b', 0.6), ('a', 0.4)]]), 0.54, &law);
        assert_eq!(unlawful.readings[0].text, "aa");
        assert!(!unlawful.readings[0].as_read);
        assert!(unlawful.as_read().is_none());
    }

    #[test]
    fn what_is_read_for_certain_stays_unlawful() {
        let law = Law { chance: 0.1, broken: 1e-3, cut_off: 0.0, judge: symmetry };
        let belief = Belief::under(&lattice(&[&[('a', 0.9999)], &[('b', 0.9999), ('a', 1e-5)]]), 0.9998, &law);
        assert!(belief.broken > 0.5, "{}", belief.broken);
        let belief =
            Belief::under(&lattice(&[&[('a', 0.9999)], &[('b', 0.9999)]]), 0.9998, &Law { cut_off: 0.01, ..law });
        assert!(belief.broken < 0.2, "{}", belief.broken);
    }

    #[test]
    fn weights_make_one() {
        let law = Law { chance: 0.3, broken: 1e-3, cut_off: 0.0, judge: symmetry };
        let places: [&[(char, f32)]; 2] = [&[('a', 0.5), ('b', 0.4)], &[('a', 0.5), ('b', 0.5)]];
        let belief = Belief::under(&lattice(&places), 0.2, &law).times(|()| 0.3, 0.7);
        assert!((belief.sum(|()| true) + belief.unknown() - 1.0).abs() < 1e-9);
        assert!((Belief::<()>::nothing().unknown() - 1.0).abs() < 1e-9);
    }
}
