//! What the recogniser sees in a line: characters that stand there, in one look or as the mean of several.

use shenfen_core::{Candidate, FieldName};

use crate::geometry::Homography;
use crate::light::Light;
use crate::lines::TextLine;
use crate::locate::sigmoid;
use crate::net::conv::Scratch;
use crate::net::recogniser::STEP_WIDTH;
use crate::quality::stroke_contrast;
use crate::rectify::Picture;
use crate::strip::{Framing, Strip, tensor};
use crate::vectorised::vectorised;
use crate::weights::LineModel;

/// A step as sure as this, but not sure enough to count, may be a missed character.
const DOUBT: f32 = 0.15;
/// In two looks, what stands nearer together than this part of an em is the same character. Digits are half an em wide.
const SAME: f32 = 0.25;
/// Two characters of which none, one or both are as wide as an em have none between them if their middles are nearer than this many
/// em. Two narrow ones may have a full stop between them.
const NO_ROOM: [f32; 3] = [0.0, 0.9, 1.2];
/// Letters and marks of a line are never farther from what stands before them than this many em.
const APART: f32 = 1.5;
/// The same in an address, where they and digits follow other characters closely; and for a wide character that is not sure.
const APART_IN_ADDRESS: f32 = 1.15;
const WIDE_APART: f32 = 1.35;
/// A wide character surer than this stands there, however far.
const CLEAR: f32 = 0.9;
/// Two brackets that open, or two that close, are one when they are nearer than this many em.
const ONE_BRACKET: f32 = 0.6;
/// How many readings of a character are kept.
pub(crate) const CANDIDATES: usize = 16;
/// Of so many characters, the likeliest at first sight, the logits are computed exactly.
const SHORTLIST: usize = 24;
/// So many logits are passed over together when none of them counts.
const BLOCK: usize = 128;
/// Logits this far below the best add less than 2e-7 of its probability each.
const NEGLIGIBLE: f32 = 16.0;

/// It stands between two characters of a name, in some types without any room of its own.
const MIDDLE_DOT: char = '\u{b7}';

/// What may be a character.
pub(crate) struct Sighting {
    /// How far from the line's start its centre is, in the line's frame.
    pub(crate) along: f32,
    /// The probability that a character's centre is there: the mean of all looks, 0 in one that did not see it.
    pub(crate) centre: f32,
    /// What it is, most probable first. Empty until it is classified.
    pub(crate) candidates: Vec<Candidate>,
    /// What the classifier works on: the mean of the looks that saw it.
    features: Vec<f32>,
    seen: f32,
}

/// A line as seen so far.
pub(crate) struct Look {
    /// From left to right.
    pub(crate) sightings: Vec<Sighting>,
    /// The [`stroke_contrast`] at the first look.
    pub(crate) contrast: f32,
    looks: f32,
}

/// What classification works in; kept from line to line.
#[derive(Default)]
pub(crate) struct Buffers {
    pub(crate) scratch: Scratch,
    features: Vec<f32>,
    logits: Vec<f32>,
    largest: Vec<f32>,
}

impl Look {
    /// One look at a line in a frame from which `to_picture` leads to the picture and whose `light` is evened out. Its
    /// sightings are not yet classified.
    ///
    /// # Errors
    /// When the network fails.
    #[expect(clippy::too_many_arguments, reason = "a picture, where in it, in which light, and how to look")]
    pub(crate) fn new(
        model: &LineModel,
        picture: &mut Picture,
        to_picture: &Homography,
        light: &Light,
        line: &TextLine,
        framing: Framing,
        scratch: &Scratch,
    ) -> candle_core::Result<Look> {
        let strip = Strip::new(line, to_picture, framing);
        let mut pixels = strip.cut(picture);
        let contrast = stroke_contrast(&pixels);
        light.even_out(&mut pixels, &strip.to_card);
        let seen = model.network.forward(&tensor(&pixels)?, scratch)?;
        let width = model.network.width();
        let sighting = |(step, centre): (usize, f32)| Sighting {
            along: strip.along((step as f32 + 0.5) * STEP_WIDTH as f32),
            centre,
            candidates: Vec::new(),
            features: seen.features[step * width..(step + 1) * width].to_vec(),
            seen: 1.0,
        };
        let sightings = peaks(&seen.centres).filter(|&(_, centre)| centre > DOUBT).map(sighting).collect();
        Ok(Look { sightings, contrast, looks: 1.0 })
    }

    /// Adds another look at the same line, whose em box is `em` high. Logits are linear in the features, so the mean of
    /// these is the geometric mean of what the looks say of a character. To be classified again.
    pub(crate) fn add(&mut self, other: Look, em: f32) {
        let looks = self.looks + other.looks;
        self.sightings.iter_mut().for_each(|sighting| sighting.centre *= self.looks / looks);
        for mut new in other.sightings {
            new.centre *= other.looks / looks;
            let distance = |sighting: &Sighting| (sighting.along - new.along).abs();
            match self.sightings.iter_mut().min_by(|a, b| distance(a).total_cmp(&distance(b))) {
                Some(same) if distance(same) < SAME * em => same.add(&new),
                _ => self.sightings.push(new),
            }
        }
        self.sightings.sort_by(|a, b| a.along.total_cmp(&b.along));
        self.looks = looks;
    }

    /// Leaves out what cannot be a character of the line, once classified: what stands behind a gap at its end, part of what is
    /// printed beside it; and a stroke of a character taken for another, between two that stand as near as they can. `em` is the
    /// height of the line's em box.
    pub(crate) fn leave_out_strangers(&mut self, threshold: f32, em: f32, field: FieldName) {
        while let Some(end) = self.apart_at_end(threshold, em, field) {
            self.sightings.truncate(end);
        }
        let sure: Vec<(usize, f32, bool)> = (self.sightings.iter().enumerate())
            .filter(|(_, sighting)| sighting.centre > threshold)
            .map(|(at, sighting)| (at, sighting.along, sighting.is_wide()))
            .collect();
        let mut is_stranger = vec![false; self.sightings.len()];
        for (at, sighting) in self.sightings.iter().enumerate() {
            let before = sure.iter().rev().find(|&&(other, ..)| other < at);
            let after = sure.iter().find(|&&(other, ..)| other > at);
            is_stranger[at] = match (before, after) {
                (Some(before), _) if self.is_same_bracket(before.0, at) => sighting.along - before.1 < ONE_BRACKET * em,
                (Some(before), Some(after)) => {
                    let no_room = NO_ROOM[usize::from(before.2) + usize::from(after.2)];
                    after.1 - before.1 < no_room * em
                }
                (Some(before), None) => sighting.along - before.1 > sighting.most_apart(field) * em,
                _ => false,
            } && !sighting.is(MIDDLE_DOT);
        }
        let mut is_stranger = is_stranger.into_iter();
        self.sightings.retain(|_| !is_stranger.next().unwrap_or(false));
    }

    /// Where the last sighting surer than `threshold` is, if it is too far from the one before it.
    fn apart_at_end(&self, threshold: f32, em: f32, field: FieldName) -> Option<usize> {
        let mut sure = self.sightings.iter().enumerate().rev().filter(|(_, sighting)| sighting.centre > threshold);
        let ((at, last), (_, before)) = (sure.next()?, sure.next()?);
        (!last.is(MIDDLE_DOT) && last.along - before.along > last.most_apart(field) * em).then_some(at)
    }

    /// Whether two sightings are brackets of one direction.
    fn is_same_bracket(&self, one: usize, other: usize) -> bool {
        let both = [one, other].map(|at| self.sightings[at].best());
        [['(', '（'], [')', '）']]
            .iter()
            .any(|kind| both.iter().all(|best| best.is_some_and(|best| kind.contains(&best))))
    }

    /// The probability that there is no character but those surer than `threshold`.
    pub(crate) fn nothing_missed(&self, threshold: f32) -> f32 {
        let unsure = self.sightings.iter().filter(|sighting| (DOUBT..=threshold).contains(&sighting.centre));
        unsure.map(|sighting| 1.0 - sighting.centre).product()
    }

    /// The best readings of the sightings surer than `threshold`, once classified.
    pub(crate) fn best(&self, threshold: f32) -> Vec<char> {
        self.sightings.iter().filter(|sighting| sighting.centre > threshold).filter_map(Sighting::best).collect()
    }

    /// The probability of the best reading of the sightings surer than `threshold`, once classified.
    pub(crate) fn probability(&self, threshold: f32) -> f32 {
        let sure = self.sightings.iter().filter(|sighting| sighting.centre > threshold);
        sure.map(|sighting| sighting.candidates.first().map_or(0.0, |best| best.probability)).product()
    }
}

impl Sighting {
    fn best(&self) -> Option<char> {
        self.candidates.first().map(|best| best.character)
    }

    fn is(&self, character: char) -> bool {
        self.best() == Some(character)
    }

    /// A Han character is as wide as it is high. Full-width brackets are not: their ink is in one half.
    fn is_wide(&self) -> bool {
        self.best().is_some_and(|best| best >= '\u{3400}') && !self.is_wide_bracket()
    }

    fn is_wide_bracket(&self) -> bool {
        self.best().is_some_and(|best| ('\u{ff00}'..='\u{ffef}').contains(&best))
    }

    /// How far from what stands before it, in em, it may be at the end of a line.
    fn most_apart(&self, field: FieldName) -> f32 {
        match field {
            FieldName::BirthPlace if !self.is_wide() && !self.is_wide_bracket() => APART_IN_ADDRESS,
            FieldName::BirthPlace if self.is_wide() && self.centre < CLEAR => WIDE_APART,
            _ if self.is_letter_or_mark() => APART,
            _ => f32::INFINITY,
        }
    }

    fn is_letter_or_mark(&self) -> bool {
        self.best().is_some_and(|best| best.is_ascii() && !best.is_ascii_digit())
    }

    /// Adds what another look saw; both centres are shares of a mean.
    fn add(&mut self, other: &Sighting) {
        let seen = self.seen + other.seen;
        let mean = |mine: f32, theirs: f32| (mine * self.seen + theirs * other.seen) / seen;
        self.along = mean(self.along, other.along);
        self.features.iter_mut().zip(&other.features).for_each(|(mine, &theirs)| *mine = mean(*mine, theirs));
        self.centre += other.centre;
        self.seen = seen;
    }
}

/// Says what the sightings of some lines are, in one product for all: the classifier is the largest matrix, and reading
/// it is what costs.
pub(crate) fn classify<'a>(model: &LineModel, looks: impl Iterator<Item = &'a mut Look>, buffers: &mut Buffers) {
    let classifier = model.network.classifier();
    let mut sightings: Vec<&mut Sighting> = looks.flat_map(|look| look.sightings.iter_mut()).collect();
    buffers.features.clear();
    sightings.iter().for_each(|sighting| buffers.features.extend_from_slice(&sighting.features));
    classifier.classify(&buffers.features, &buffers.scratch, &mut buffers.logits);
    for (sighting, logits) in sightings.iter_mut().zip(buffers.logits.chunks_exact_mut(classifier.classes())) {
        largest_of_blocks(logits, &mut buffers.largest);
        let best = shortlist(logits, &buffers.largest);
        for &class in &best {
            logits[class] = classifier.exact(&sighting.features, class);
        }
        sighting.candidates = candidates(logits, &buffers.largest, best, model.config.temperature, &model.charset);
    }
}

/// The steps whose probability is a local maximum, with it. Of two equal neighbours the right one counts.
fn peaks(centres: &[f32]) -> impl Iterator<Item = (usize, f32)> {
    let at = |index: Option<usize>| index.and_then(|index| centres.get(index)).copied().unwrap_or(f32::NEG_INFINITY);
    (0..centres.len()).filter_map(move |step| {
        let (before, here, after) = (at(step.checked_sub(1)), centres[step], at(Some(step + 1)));
        (here >= before && here > after).then(|| (step, sigmoid(here)))
    })
}

vectorised! {
    /// The largest of every [`BLOCK`] logits.
    fn largest_of_blocks(logits: &[f32], largest: &mut Vec<f32>) {
        let larger = |a: f32, b: f32| if a > b { a } else { b };
        largest.clear();
        for block in logits.chunks(BLOCK) {
            // In sixteen parts, so that they can be compared in vectors.
            let mut parts = [f32::NEG_INFINITY; 16];
            let (whole, rest) = block.as_chunks::<16>();
            for logits in whole {
                for i in 0..16 {
                    parts[i] = larger(logits[i], parts[i]);
                }
            }
            largest.push(parts.iter().chain(rest).copied().fold(f32::NEG_INFINITY, larger));
        }
    }
}

/// The characters with the largest logits. `largest` are those of the blocks.
fn shortlist(logits: &[f32], largest: &[f32]) -> Vec<usize> {
    let mut best: Vec<(usize, f32)> = Vec::with_capacity(SHORTLIST + 1);
    let counts = |best: &[(usize, f32)], logit: f32| best.len() < SHORTLIST || logit > best[SHORTLIST - 1].1;
    for (number, (block, &largest)) in logits.chunks(BLOCK).zip(largest).enumerate() {
        if !counts(&best, largest) {
            continue;
        }
        for (class, &logit) in (number * BLOCK..).zip(block) {
            if counts(&best, logit) {
                let place = best.partition_point(|&(_, other)| other >= logit);
                best.insert(place, (class, logit));
                best.truncate(SHORTLIST);
            }
        }
    }
    best.into_iter().map(|(class, _)| class).collect()
}

/// The most probable characters of the `best`, best first. `largest` are the largest logits of the blocks, before those of the `best`
/// were made exact: near enough to tell what is negligible.
fn candidates(
    logits: &[f32],
    largest: &[f32],
    mut best: Vec<usize>,
    temperature: f32,
    charset: &[char],
) -> Vec<Candidate> {
    best.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    best.truncate(CANDIDATES);
    let Some(&top) = best.first() else { return Vec::new() };
    let below = |logit: f32| (logit - logits[top]) / temperature;
    let blocks = logits.chunks(BLOCK).zip(largest).filter(|&(_, &largest)| below(largest) > -NEGLIGIBLE);
    let near = blocks.flat_map(|(block, _)| block).map(|&logit| below(logit)).filter(|&below| below > -NEGLIGIBLE);
    let total: f32 = near.map(f32::exp).sum();
    let probability = |class: usize| below(logits[class]).exp() / total;
    best.into_iter().map(|class| Candidate { character: charset[class], probability: probability(class) }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A line whose em is 10: characters with their places.
    fn line(seen: &[(char, f32, f32)]) -> Look {
        let sighting = |&(character, along, centre): &(char, f32, f32)| Sighting {
            along,
            centre,
            candidates: vec![Candidate { character, probability: 1.0 }],
            features: Vec::new(),
            seen: 1.0,
        };
        Look { sightings: seen.iter().map(sighting).collect(), contrast: 0.0, looks: 1.0 }
    }

    fn left(mut look: Look) -> String {
        look.leave_out_strangers(0.5, 10.0, FieldName::BirthPlace);
        look.sightings.iter().filter_map(Sighting::best).collect()
    }

    #[test]
    fn where_there_is_no_room_there_is_no_character() {
        assert_eq!(left(line(&[('市', 5.0, 0.9), ('I', 9.0, 0.9), ('临', 15.5, 0.9)])), "市临");
        assert_eq!(left(line(&[('市', 5.0, 0.9), ('阝', 9.0, 0.3), ('临', 15.5, 0.9)])), "市临");
        assert_eq!(left(line(&[('村', 5.0, 0.9), ('1', 12.5, 0.9), ('组', 20.0, 0.9)])), "村1组");
        assert_eq!(left(line(&[('阁', 5.0, 0.9), ('.', 8.3, 0.4), ('2', 12.5, 0.9)])), "阁2");
        assert_eq!(left(line(&[('1', 5.0, 0.9), ('-', 9.0, 0.9), ('2', 13.0, 0.9)])), "1-2");
        assert_eq!(left(line(&[('坳', 5.0, 0.9), ('（', 15.0, 0.9), ('(', 19.0, 0.9), ('享', 29.0, 0.9)])), "坳（享");
        assert_eq!(left(line(&[('户', 5.0, 0.9), ('）', 12.0, 0.9), ('）', 16.0, 0.9)])), "户）");
        assert_eq!(left(line(&[('1', 5.0, 0.9), ('2', 10.0, 0.9), ('3', 15.0, 0.9)])), "123");
        assert_eq!(left(line(&[('孟', 5.0, 0.9), ('·', 10.0, 0.9), ('熠', 15.0, 0.9)])), "孟·熠");
    }

    #[test]
    fn a_letter_behind_a_gap_at_the_end_belongs_to_something_else() {
        assert_eq!(left(line(&[('巴', 5.0, 0.9), ('楞', 15.0, 0.9), ('S', 32.0, 0.9)])), "巴楞");
        assert_eq!(left(line(&[('5', 5.0, 0.9), ('号', 13.0, 0.9), ('A', 21.0, 0.9)])), "5号A");
        assert_eq!(left(line(&[('单', 5.0, 0.9), ('1', 13.5, 0.9)])), "单1");
        assert_eq!(left(line(&[('单', 5.0, 0.9), ('1', 30.0, 0.9)])), "单");
        assert_eq!(left(line(&[('大', 5.0, 0.99), ('、', 17.7, 0.6), ('S', 29.7, 0.99)])), "大");
        assert_eq!(left(line(&[('号', 5.0, 0.99), ('日', 20.4, 0.7)])), "号");
        assert_eq!(left(line(&[('号', 5.0, 0.99), ('楼', 25.0, 0.99)])), "号楼");
        let mut term = line(&[('3', 5.0, 0.9), ('1', 30.0, 0.9)]);
        term.leave_out_strangers(0.5, 10.0, FieldName::EffectiveDate);
        assert_eq!(term.sightings.len(), 2, "where digits are all there is, a gap tells nothing");
    }

    fn look(seen: &[(f32, f32, f32)]) -> Look {
        let sighting = |&(along, centre, feature): &(f32, f32, f32)| Sighting {
            along,
            centre,
            candidates: Vec::new(),
            features: vec![feature],
            seen: 1.0,
        };
        Look { sightings: seen.iter().map(sighting).collect(), contrast: 0.0, looks: 1.0 }
    }

    #[test]
    fn a_plateau_is_one_peak_at_its_right_end() {
        let found: Vec<usize> = peaks(&[-1.0, 2.0, 2.0, 0.0, 1.0, -1.0, 0.5]).map(|(step, _)| step).collect();
        assert_eq!(found, [2, 4, 6]);
        assert_eq!(peaks(&[]).count(), 0);
    }

    #[test]
    fn looks_are_averaged_by_place_and_what_one_did_not_see_counts_less() {
        let mut seen = look(&[(10.0, 0.9, 1.0), (30.0, 0.4, 5.0)]);
        seen.add(look(&[(11.0, 0.9, 3.0), (20.0, 0.8, 7.0), (31.0, 0.8, 5.0)]), 20.0);
        seen.add(look(&[(12.0, 0.9, 5.0), (29.0, 0.9, 5.0)]), 20.0);
        let found: Vec<[f32; 3]> = seen.sightings.iter().map(|one| [one.along, one.centre, one.features[0]]).collect();
        let expected = [[11.0, 0.9, 3.0], [20.0, 0.8 / 3.0, 7.0], [30.0, 0.7, 5.0]];
        for (one, other) in found.as_flattened().iter().zip(expected.as_flattened()) {
            assert!((one - other).abs() < 1e-5, "{found:?}");
        }
        assert!((seen.nothing_missed(0.5) - (1.0 - 0.8 / 3.0)).abs() < 1e-5);
    }

    proptest! {
        #[test]
        fn candidates_are_the_best_of_a_softmax(logits in prop::collection::vec(-30.0_f32..30.0, 1..600), temperature in 0.5_f32..3.0) {
            let charset: Vec<char> = (0..logits.len() as u32).map(|i| char::from_u32(0x4E00 + i).unwrap()).collect();
            let mut largest = Vec::new();
            largest_of_blocks(&logits, &mut largest);
            let found = candidates(&logits, &largest, shortlist(&logits, &largest), temperature, &charset);
            prop_assert_eq!(found.len(), logits.len().min(CANDIDATES));
            let mut order: Vec<usize> = (0..logits.len()).collect();
            order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
            let exact: Vec<f64> = logits.iter().map(|&logit| f64::from(logit / temperature).exp()).collect();
            let total: f64 = exact.iter().sum();
            for (candidate, &class) in found.iter().zip(&order) {
                prop_assert_eq!(logits[charset.iter().position(|&c| c == candidate.character).unwrap()], logits[class]);
                prop_assert!((f64::from(candidate.probability) - exact[class] / total).abs() < 1e-4);
            }
        }
    }
}
