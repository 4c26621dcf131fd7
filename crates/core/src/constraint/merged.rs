//! Whole readings of a lattice and of listed ones in it, in one order of probability.

use std::collections::HashSet;
use std::iter::{Peekable, Take};

use super::lattice::{Lattice, Readings};
use super::lexicon::LexiconMatches;
use super::parameters::MOST_OF_MATCH;

/// Every reading once, the most probable first.
pub(crate) struct Merged<'a> {
    free: Peekable<Readings<'a>>,
    /// With the probability that what they leave out is noise.
    lexicon: Vec<(Peekable<Take<Readings<'a>>>, f64)>,
    given: HashSet<String>,
}

impl<'a> Merged<'a> {
    pub(crate) fn new(lattice: &'a Lattice, lexicon: Option<&'a LexiconMatches<'_>>) -> Merged<'a> {
        let lexicon = lexicon.map_or(&[][..], |lexicon| &lexicon.matches);
        Merged {
            free: lattice.readings().peekable(),
            lexicon: lexicon
                .iter()
                .map(|one| (one.lattice.readings().take(MOST_OF_MATCH).peekable(), one.noise))
                .collect(),
            given: HashSet::new(),
        }
    }

    /// The most probable reading that is left, given before or not.
    fn pop(&mut self) -> Option<(String, f64)> {
        let free = self.free.peek().map(|(_, probability)| *probability);
        let mut best: Option<(usize, f64)> = None;
        for (index, (source, noise)) in self.lexicon.iter_mut().enumerate() {
            let Some(probability) = source.peek().map(|(_, probability)| probability * *noise) else { continue };
            if best.is_none_or(|(_, most)| probability > most) {
                best = Some((index, probability));
            }
        }
        match (free, best) {
            (free, Some((index, probability))) if free.is_none_or(|free| probability > free) => {
                self.lexicon[index].0.next().map(|(text, _)| (text, probability))
            }
            _ => self.free.next(),
        }
    }
}

impl Iterator for Merged<'_> {
    type Item = (String, f64);

    fn next(&mut self) -> Option<(String, f64)> {
        loop {
            let reading = self.pop()?;
            // Without listed ones no reading comes twice.
            if self.lexicon.is_empty() || self.given.insert(reading.0.clone()) {
                return Some(reading);
            }
        }
    }
}
