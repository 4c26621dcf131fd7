//! Readings that name listed regions, found by walking through the names: however many characters are unsure, the
//! beginning of an address and the place of an authority are among a few thousand. Only candidates are taken.

use super::lattice::{Lattice, Place};
use super::noise::Span;
use super::places::{NO_COUNTY, governs, is_branch_of};
use crate::region::gazetteer::Beginning;

/// Names so much less probable than the best characters are left out.
const LEAST_RATIO: f64 = 1e-7;
/// So many of the most probable are looked at.
const MOST_LIKELY: usize = 12;
/// Of what begins with no listed region so much is as usual as if it did: by names that are no candidates.
const UNLISTED: f64 = 0.05;

/// Of texts that are read for certain so many lack a character at an end.
const CUT: f64 = 0.002;
/// Of texts that are read wrongly so many have a character that is no candidate.
const NO_CANDIDATE: f64 = 0.1;

/// Readings that have a listed beginning in common.
pub(crate) struct Likely {
    /// The lattice with these characters only at their places.
    pub(crate) lattice: Lattice,
    /// The probability of its readings, by the characters, without those of others that say more.
    mass: f64,
    /// How usual they are.
    prior: f64,
    /// The probability that places are left out as noise; 1 if none are.
    pub(crate) noise: f64,
}

/// What a list says about a lattice.
pub(crate) struct Listed {
    /// The most probable first.
    pub(crate) likely: Vec<Likely>,
}

/// How much of the probability by the characters is not looked at yet.
pub(crate) struct Remaining<'a> {
    listed: &'a Listed,
    all: f64,
    usual: f64,
}

impl Listed {
    /// Everything but the first reading.
    pub(crate) fn remaining(&self, first: &str, probability: f64) -> Remaining<'_> {
        let usual = self.likely.iter().map(|one| one.mass * one.prior * one.noise).sum();
        let mut remaining = Remaining { listed: self, all: 1.0, usual };
        remaining.take(first, probability);
        remaining
    }
}

impl Remaining<'_> {
    /// A reading was looked at.
    pub(crate) fn take(&mut self, text: &str, probability: f64) {
        self.all -= probability;
        let holding = self.listed.likely.iter().filter(|one| one.lattice.holds(text));
        self.usual -= probability * holding.map(|one| one.prior).fold(0.0, f64::max);
    }

    /// The probability of a listed reading that the characters do not hold: one is cut off at an end, which nothing tells,
    /// or one is no candidate, which unsure ones tell.
    pub(crate) fn unseen(&self, first: &str, confidence: f64) -> f64 {
        let is_listed = self.listed.likely.iter().any(|one| one.lattice.holds(first));
        if is_listed { 0.0 } else { CUT * confidence + NO_CANDIDATE * (1.0 - confidence) }
    }

    /// How usual the rest is on average, up to 1.
    pub(crate) fn usual(&self) -> f64 {
        let usual = (self.usual / self.all.max(1e-12)).clamp(0.0, 1.0);
        usual + (1.0 - usual) * UNLISTED
    }
}

/// The regions with which an address can begin, down to the county.
pub(crate) fn address(lattice: &Lattice, _: &[Span]) -> Listed {
    let mut walk = Walk::new(lattice);
    walk.regions(0, 1.0, &Vec::new(), None);
    listed(walk.found)
}

/// The bureaus of listed regions and their branches, also inside of noise.
pub(crate) fn authority(lattice: &Lattice, spans: &[Span]) -> Listed {
    let bureaus = |lattice: &Lattice, noise: f64| {
        let mut walk = Walk::new(lattice);
        walk.bureaus(0, 1.0, &Vec::new(), None);
        walk.found.iter_mut().for_each(|one| one.noise = noise);
        walk.found
    };
    let inside = spans.iter().flat_map(|span| bureaus(&lattice.span(span.kept.clone()), span.probability));
    listed(bureaus(lattice, 1.0).into_iter().chain(inside).collect())
}

/// The most probable of what was found.
fn listed(mut found: Vec<Likely>) -> Listed {
    found.sort_by(|one, other| (other.mass * other.noise).total_cmp(&(one.mass * one.noise)));
    found.truncate(MOST_LIKELY);
    Listed { likely: found }
}

/// Characters taken at places, with their probability by what they replace.
type Taken = Vec<(usize, char)>;

struct Walk<'a> {
    lattice: &'a Lattice,
    /// The probability of any option from each place to the end.
    masses: Vec<f64>,
    found: Vec<Likely>,
}

/// A beginning of names that was walked to.
struct Step {
    at: usize,
    ratio: f64,
    taken: Taken,
    name: Beginning,
}

impl Walk<'_> {
    fn new(lattice: &Lattice) -> Walk<'_> {
        let mut masses = vec![1.0; lattice.len() + 1];
        for (at, place) in lattice.places().iter().enumerate().rev() {
            masses[at] = masses[at + 1] * place.mass();
        }
        Walk { lattice, masses, found: Vec::new() }
    }

    /// Every beginning of a name that can stand from a place on, longer ones after shorter ones.
    fn steps(&self, from: usize, ratio: f64, taken: &Taken) -> Vec<Step> {
        let mut steps = vec![Step { at: from, ratio, taken: taken.clone(), name: Beginning::of_all() }];
        let mut next = 0;
        while let Some(step) = steps.get(next) {
            let Some(place) = self.lattice.places().get(step.at) else {
                next += 1;
                continue;
            };
            let longer: Vec<Step> = longer(step, place);
            steps.extend(longer);
            next += 1;
        }
        steps.split_off(1)
    }

    /// Finds regions from a place on, inside of `above`. Returns the probability of what names a county, by the characters.
    fn regions(&mut self, from: usize, ratio: f64, taken: &Taken, above: Option<&[u32]>) -> f64 {
        let mut sum = 0.0;
        for step in self.steps(from, ratio, taken) {
            let codes: Vec<u32> = inside(step.name.codes(), above);
            if codes.is_empty() {
                continue;
            }
            let probability = self.probability(&step.taken) * self.masses[step.at];
            if codes.iter().any(|code| !code.is_multiple_of(100)) {
                sum += probability;
                self.push(&step.taken, probability, 1.0);
                continue;
            }
            let below = self.regions(step.at, step.ratio, &step.taken, Some(&codes));
            sum += below;
            if codes.iter().all(|code| !code.is_multiple_of(10_000)) {
                self.push(&step.taken, probability - below, NO_COUNTY);
            }
        }
        sum
    }

    /// Finds bureaus whose place goes on here, inside of `above`.
    fn bureaus(&mut self, from: usize, ratio: f64, taken: &Taken, above: Option<&[u32]>) {
        let end = self.lattice.len();
        for step in self.steps(from, ratio, taken) {
            let codes = inside(step.name.codes(), above);
            if codes.is_empty() {
                continue;
            }
            for form in ["公安局", "公安分局"] {
                if step.at + form.chars().count() == end {
                    self.push_with(&step, form, None);
                }
            }
            self.branches(&step, &codes);
            if above.is_none() {
                self.bureaus(step.at, step.ratio, &step.taken, Some(&codes));
            }
        }
    }

    /// Finds the branches of a bureau: 公安局X分局 and 公安局X公安分局.
    fn branches(&mut self, place: &Step, codes: &[u32]) {
        let Some(begin) = self.then(place, "公安局") else { return };
        let end = self.lattice.len();
        let mut listed = 0.0;
        for step in self.steps(begin.at, begin.ratio, &begin.taken) {
            for form in ["分局", "公安分局"] {
                if step.at + form.chars().count() == end && is_branch_of(codes, step.name) {
                    listed += self.push_with(&step, form, None);
                }
            }
        }
        if begin.at + 2 < end {
            let last = Step { at: end - 2, ..begin };
            self.push_with(&last, "分局", Some(listed));
        }
    }

    /// A step with a form of words after it, if its characters are candidates.
    fn then(&self, step: &Step, form: &str) -> Option<Step> {
        let (mut at, mut taken) = (step.at, step.taken.clone());
        for character in form.chars() {
            let place = self.lattice.places().get(at)?;
            if place.probability(character) <= 0.0 {
                return None;
            }
            taken.push((at, character));
            at += 1;
        }
        Some(Step { at, taken, ..*step })
    }

    /// Notes a bureau that ends with a form of words. With `others` its branch is open, and so much of it is listed.
    fn push_with(&mut self, step: &Step, form: &str, others: Option<f64>) -> f64 {
        let Some(whole) = self.then(step, form) else { return 0.0 };
        let fixed = |at: usize| whole.taken.iter().any(|&(taken, _)| taken == at);
        let open: f64 = self
            .lattice
            .places()
            .iter()
            .enumerate()
            .filter(|(at, _)| !fixed(*at))
            .map(|(_, place)| place.mass())
            .product();
        let probability = self.probability(&whole.taken) * open;
        let prior = if others.is_some() { NO_COUNTY } else { 1.0 };
        self.push(&whole.taken, probability - others.unwrap_or(0.0), prior);
        probability
    }

    fn push(&mut self, taken: &Taken, mass: f64, prior: f64) {
        self.found.push(Likely { lattice: self.lattice.narrowed(taken), mass: mass.max(0.0), prior, noise: 1.0 });
    }

    fn probability(&self, taken: &Taken) -> f64 {
        taken.iter().map(|&(at, character)| self.lattice.places()[at].probability(character)).product()
    }
}

/// A step with each of a place's characters with which a name goes on.
fn longer(step: &Step, place: &Place) -> Vec<Step> {
    let best = place.options().first().map_or(1.0, |&(_, probability)| probability);
    let with = |&(character, probability): &(char, f64)| {
        let ratio = step.ratio * probability / best;
        let name = step.name.then(character).filter(|_| ratio > LEAST_RATIO)?;
        let mut taken = step.taken.clone();
        taken.push((step.at, character));
        Some(Step { at: step.at + 1, ratio, taken, name })
    };
    place.options().iter().filter_map(with).collect()
}

/// Those of a name's codes that lie in one of the regions `above`.
fn inside(codes: &[u32], above: Option<&[u32]>) -> Vec<u32> {
    let fits = |code: &u32| above.is_none_or(|above| above.iter().any(|&above| governs(above, *code)));
    codes.iter().copied().filter(fits).collect()
}
