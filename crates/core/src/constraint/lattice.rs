//! Places with candidates, and the enumeration of whole readings in the order of their probability.

use std::collections::BinaryHeap;
use std::ops::Range;

use super::parameters::{LEAST_PROBABILITY, LEAST_READING_RATIO, MOST_READINGS, MOST_SLOTS};
use crate::reading::ReadChar;

/// One character place: what could stand there, most probable first.
#[derive(Clone, Default)]
pub(crate) struct Slot {
    options: Vec<(char, f64)>,
}

impl Slot {
    /// The candidates that `map` accepts, as what it makes of them; equal ones are added up.
    pub(crate) fn of(read: &ReadChar, map: impl Fn(char) -> Option<char>) -> Slot {
        let mut options: Vec<(char, f64)> = Vec::with_capacity(read.candidates.len());
        for candidate in &read.candidates {
            let probability = f64::from(candidate.probability);
            // A NaN is not greater either.
            let Some(character) = map(candidate.character).filter(|_| probability > LEAST_PROBABILITY) else {
                continue;
            };
            match options.iter_mut().find(|(other, _)| *other == character) {
                Some((_, sum)) => *sum += probability,
                None => options.push((character, probability)),
            }
        }
        options.iter_mut().for_each(|(_, probability)| *probability = probability.min(1.0));
        options.sort_by(|one, other| other.1.total_cmp(&one.1));
        Slot { options }
    }

    /// A place where only one character can stand.
    pub(crate) fn certain(character: char) -> Slot {
        Slot { options: vec![(character, 1.0)] }
    }

    /// Leaves out every option but one.
    pub(crate) fn keep(&mut self, character: char) {
        self.options.retain(|(option, _)| *option == character);
    }

    /// What could stand there with its probabilities, most probable first.
    pub(crate) fn options(&self) -> &[(char, f64)] {
        &self.options
    }

    /// The probability of one character; 0 if it is no option.
    pub(crate) fn probability(&self, character: char) -> f64 {
        self.options.iter().find(|(option, _)| *option == character).map_or(0.0, |&(_, probability)| probability)
    }

    /// The most probable character.
    pub(crate) fn best(&self) -> Option<char> {
        self.options.first().map(|&(character, _)| character)
    }

    /// The probability that any of the options is right.
    pub(crate) fn mass(&self) -> f64 {
        self.options.iter().map(|(_, probability)| probability).sum::<f64>().min(1.0)
    }
}

/// Places in reading order.
#[derive(Clone, Default)]
pub(crate) struct Lattice {
    slots: Vec<Slot>,
}

impl Lattice {
    pub(crate) fn new(mut slots: Vec<Slot>) -> Lattice {
        slots.truncate(MOST_SLOTS);
        Lattice { slots }
    }

    /// The same places with one more before the place `at`, or at the end.
    pub(crate) fn with(&self, at: usize, slot: Slot) -> Lattice {
        let mut slots = self.slots.clone();
        slots.insert(at.min(slots.len()), slot);
        Lattice { slots }
    }

    /// The same places, of which those with one of `fixed` hold that character only.
    pub(crate) fn narrowed(&self, fixed: &[(usize, char)]) -> Lattice {
        let mut narrowed = self.clone();
        for &(at, character) in fixed {
            if let Some(slot) = narrowed.slots.get_mut(at) {
                slot.keep(character);
            }
        }
        narrowed
    }

    /// Gives the options of a place other probabilities, in their order.
    pub(crate) fn reweigh(&mut self, at: usize, probabilities: impl Iterator<Item = f64>) {
        let Some(slot) = self.slots.get_mut(at) else { return };
        slot.options.iter_mut().zip(probabilities).for_each(|(option, probability)| option.1 = probability);
        slot.options.sort_by(|one, other| other.1.total_cmp(&one.1));
    }

    /// The probability of the best reading.
    pub(crate) fn best_probability(&self) -> f64 {
        self.slots.iter().filter_map(|slot| slot.options.first()).map(|option| option.1).product()
    }

    /// Some of the places only.
    pub(crate) fn span(&self, slots: Range<usize>) -> Lattice {
        Lattice { slots: self.slots.get(slots).unwrap_or_default().to_vec() }
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether a text is one of its readings.
    pub(crate) fn holds(&self, text: &str) -> bool {
        let mut characters = text.chars();
        let all = self.slots.iter().all(|slot| characters.next().is_some_and(|one| slot.probability(one) > 0.0));
        all && characters.next().is_none()
    }

    /// The most probable character at every place.
    pub(crate) fn best(&self) -> String {
        self.slots.iter().filter_map(Slot::best).collect()
    }

    /// Whole readings with their probabilities, the most probable first. None without places, or if a place has no option.
    pub(crate) fn readings(&self) -> Readings<'_> {
        let readable = !self.slots.is_empty() && self.slots.iter().all(|slot| !slot.options.is_empty());
        let mut heap = BinaryHeap::new();
        let mut floor = 0.0;
        if readable {
            let best: f64 = self.slots.iter().map(|slot| slot.options[0].1).product();
            floor = best * LEAST_READING_RATIO;
            heap.push(Node { probability: best, ranks: vec![0; self.slots.len()], changed: 0 });
        }
        Readings { slots: &self.slots, heap, floor, left: MOST_READINGS }
    }
}

/// A reading to be given out: the rank of the option taken at every place.
struct Node {
    probability: f64,
    ranks: Vec<u8>,
    /// The last place with a rank over 0. Only this one and later ones are raised from here, so that every reading is
    /// reached on one way only.
    changed: usize,
}

impl PartialEq for Node {
    fn eq(&self, other: &Node) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Node {}

impl PartialOrd for Node {
    fn partial_cmp(&self, other: &Node) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Node {
    /// By probability; equal ones by ranks, so that the order is always the same.
    fn cmp(&self, other: &Node) -> std::cmp::Ordering {
        self.probability.total_cmp(&other.probability).then_with(|| other.ranks.cmp(&self.ranks))
    }
}

/// Iterator of [`Lattice::readings`].
pub(crate) struct Readings<'a> {
    slots: &'a [Slot],
    heap: BinaryHeap<Node>,
    floor: f64,
    left: usize,
}

impl Iterator for Readings<'_> {
    type Item = (String, f64);

    fn next(&mut self) -> Option<(String, f64)> {
        self.left = self.left.checked_sub(1)?;
        let node = self.heap.pop()?;
        for at in node.changed..self.slots.len() {
            let options = &self.slots[at].options;
            let rank = usize::from(node.ranks[at]);
            let Some(next) = options.get(rank + 1) else { continue };
            let probability = node.probability / options[rank].1 * next.1;
            if probability > self.floor && rank < usize::from(u8::MAX) {
                let mut ranks = node.ranks.clone();
                ranks[at] += 1;
                self.heap.push(Node { probability, ranks, changed: at });
            }
        }
        let text = self.slots.iter().zip(&node.ranks).map(|(slot, &rank)| slot.options[usize::from(rank)].0);
        Some((text.collect(), node.probability))
    }
}

#[cfg(test)]
mod tests {
    use super::{Lattice, Slot};
    use crate::constraint::fixture::{lattice, read};

    #[test]
    fn readings_are_distinct_and_ordered_by_probability() {
        let lattice =
            lattice(&[&[('a', 0.5), ('b', 0.3), ('c', 0.2)], &[('d', 0.6), ('e', 0.4)], &[('f', 0.9), ('g', 0.1)]]);
        let readings: Vec<(String, f64)> = lattice.readings().collect();
        let mut texts: Vec<&str> = readings.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts[..3], ["adf", "aef", "bdf"]);
        assert!(readings.is_sorted_by(|one, other| one.1 >= other.1));
        assert!((readings.iter().map(|reading| reading.1).sum::<f64>() - 1.0).abs() < 1e-6);
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), 12);
    }

    #[test]
    fn adds_up_candidates_with_the_same_meaning() {
        let read = read(&[('O', 0.4), ('8', 0.35), ('0', 0.25)]);
        let slot = Slot::of(&read, |character| Some(if character == 'O' { '0' } else { character }));
        assert_eq!(slot.best(), Some('0'));
        assert_eq!(Lattice::new(vec![slot]).readings().count(), 2);
    }

    #[test]
    fn enumeration_is_bounded() {
        let coin: &[(char, f32)] = &[('0', 0.5), ('1', 0.5)];
        assert_eq!(lattice(&[coin; 100]).readings().count(), super::MOST_READINGS);
    }

    #[test]
    fn skips_probabilities_that_are_not_numbers() {
        let lattice = lattice(&[&[('0', f32::NAN), ('1', -1.0), ('2', f32::INFINITY), ('3', 0.0)]]);
        assert_eq!(lattice.best(), "2");
        assert_eq!(lattice.readings().next(), Some(("2".to_owned(), 1.0)));
        assert_eq!(Lattice::default().readings().count(), 0);
    }
}
