//! The recogniser's hypothesis about a line: character detections from one crop, or averaged over several.

use shenfen_core::{Candidate, FieldName};

use crate::contract::RecogniserDecoding;
use crate::geometry::Homography;
use crate::illumination::Illumination;
use crate::lines::TextLine;
use crate::multiversioned::multiversioned;
use crate::net::{NetworkError, Scratch, StripOutput, nth_surest, sigmoid};
use crate::parameters::spacing::{
    CERTAIN_CENTRE, MAX_MARK_GAP, MAX_NARROW_GAP_IN_ADDRESS, MAX_UNCERTAIN_GAP, MIN_ROOM, SAME_BRACKET, SAME_CHARACTER,
};
use crate::quality::stroke_contrast;
use crate::rectify::Picture;
use crate::strip::{CropVariant, Strip, network_input};
use crate::weights::RecogniserModel;

/// How many readings of a character are kept.
pub(crate) const CANDIDATES: usize = 16;
/// Of so many characters, the likeliest at first sight, the logits are computed exactly.
const SHORTLIST: usize = 24;
/// So many logits are passed over together when none of them counts.
const BLOCK: usize = 128;
/// Logits this far below the best add less than 2e-7 of its probability each.
const NEGLIGIBLE: f32 = 16.0;

/// The narrowest character covers so many steps: a single one that calls itself hidden is noise.
const HIDDEN_STEPS: usize = 2;

/// It stands between two characters of a name, in some types without any room of its own.
const MIDDLE_DOT: char = '\u{b7}';

/// A possible character.
pub(crate) struct CharDetection {
    /// How far from the line's start its centre is, in the line's frame.
    pub(crate) along: f32,
    /// The probability that a character's centre is there: the mean of all crops, 0 in one that did not show it.
    pub(crate) centre: f32,
    /// What it is, most probable first. Empty until it is classified.
    pub(crate) candidates: Vec<Candidate>,
    /// The classifier's input: the mean over the crops that showed it.
    features: Vec<f32>,
    /// In how many crops it was detected.
    count: f32,
}

/// A line as read so far.
pub(crate) struct LineHypothesis {
    /// From left to right.
    pub(crate) detections: Vec<CharDetection>,
    /// The [`stroke_contrast`] of the first crop.
    pub(crate) contrast: f32,
    /// The probability that a character stands somewhere in the crop that cannot be seen: the mean of all crops.
    pub(crate) hidden: f32,
    /// The probability that nothing that was left out as spurious was a character of the line after all.
    rightly_left_out: f32,
    /// How many crops were averaged.
    crops: f32,
}

/// What classification works in; kept from line to line.
#[derive(Default)]
pub(crate) struct Buffers {
    pub(crate) scratch: Scratch,
    features: Vec<f32>,
    logits: Vec<f32>,
    largest: Vec<f32>,
}

impl Buffers {
    /// With that scratch of the networks.
    pub(crate) fn new(scratch: Scratch) -> Buffers {
        Buffers { scratch, ..Buffers::default() }
    }
}

impl LineHypothesis {
    /// Reads one crop of a line. `to_picture` maps the line's frame to the picture, `illumination` is the frame's. The detections
    /// are not yet classified.
    ///
    /// # Errors
    /// When the network fails.
    #[expect(clippy::too_many_arguments, reason = "a picture, where in it, its illumination, and how to crop")]
    pub(crate) fn new(
        model: &RecogniserModel,
        picture: &mut Picture,
        to_picture: &Homography,
        illumination: &Illumination,
        line: &TextLine,
        variant: CropVariant,
        scratch: &Scratch,
    ) -> Result<LineHypothesis, NetworkError> {
        let config = &model.config;
        let strip = Strip::new(config, line, to_picture, variant);
        let mut pixels = strip.cut(picture);
        let contrast = stroke_contrast(&pixels);
        illumination.normalise(&mut pixels, &strip.to_card);
        let output = model.network.forward(&network_input(&pixels, config.strip.min_deviation)?, scratch)?;
        Ok(LineHypothesis::of_output(model, &output, contrast, |x| strip.along(x)))
    }

    /// The hypothesis of one strip's output. `along` maps a pixel column of the strip to the line.
    pub(crate) fn of_output(
        model: &RecogniserModel,
        output: &StripOutput,
        contrast: f32,
        along: impl Fn(f32) -> f32,
    ) -> LineHypothesis {
        let (config, width) = (&model.config, model.network.width());
        let detection = |(step, centre): (usize, f32)| CharDetection {
            along: along((step as f32 + 0.5) * config.step as f32),
            centre,
            candidates: Vec::new(),
            features: output.features[step * width..(step + 1) * width].to_vec(),
            count: 1.0,
        };
        let channel = |channel: usize| output.channels.iter().skip(channel).step_by(config.channels.count).copied();
        let centres: Vec<f32> = channel(config.channels.centre).collect();
        let possible = peaks(&centres).filter(|&(_, centre)| centre > config.decoding.missed_threshold);
        let hidden = nth_surest::<HIDDEN_STEPS>(channel(config.channels.hidden));
        LineHypothesis {
            detections: possible.map(detection).collect(),
            contrast,
            hidden,
            rightly_left_out: 1.0,
            crops: 1.0,
        }
    }

    /// How many crops of the line were averaged.
    pub(crate) fn crop_count(&self) -> u32 {
        self.crops as u32
    }

    /// Adds another crop of the same line, whose em box is `em` high. Logits are linear in the features, so averaging the features
    /// averages the crops' log-probabilities of a character. Must be classified again.
    pub(crate) fn add(&mut self, other: LineHypothesis, em: f32) {
        let crops = self.crops + other.crops;
        self.hidden = (self.hidden * self.crops + other.hidden * other.crops) / crops;
        self.detections.iter_mut().for_each(|detection| detection.centre *= self.crops / crops);
        for mut new in other.detections {
            new.centre *= other.crops / crops;
            let distance = |detection: &CharDetection| (detection.along - new.along).abs();
            match self.detections.iter_mut().min_by(|a, b| distance(a).total_cmp(&distance(b))) {
                Some(same) if distance(same) < SAME_CHARACTER * em => same.add(&new),
                _ => self.detections.push(new),
            }
        }
        self.detections.sort_by(|a, b| a.along.total_cmp(&b.along));
        self.crops = crops;
    }

    /// Leaves out what cannot be a character of the line, once classified: what stands behind a gap at its end, part of what is
    /// printed beside it; and a stroke of a character taken for another, between two that stand as near as they can. `em` is the
    /// height of the line's em box. What was clearly a character, wherever it comes from, leaves a doubt behind.
    pub(crate) fn remove_spurious(&mut self, threshold: f32, em: f32, field: FieldName) {
        while let Some(end) = self.stray_at_end(threshold, em, field) {
            self.leave_out(threshold, |at| at >= end);
        }
        let sure: Vec<(usize, f32, bool)> = (self.detections.iter().enumerate())
            .filter(|(_, detection)| detection.centre > threshold)
            .map(|(at, detection)| (at, detection.along, detection.is_wide()))
            .collect();
        let mut is_spurious = vec![false; self.detections.len()];
        for (at, detection) in self.detections.iter().enumerate() {
            let before = sure.iter().rev().find(|&&(other, ..)| other < at);
            let after = sure.iter().find(|&&(other, ..)| other > at);
            is_spurious[at] = match (before, after) {
                (Some(before), _) if self.is_same_bracket(before.0, at) => {
                    detection.along - before.1 < SAME_BRACKET * em
                }
                (Some(before), Some(after)) => {
                    let min_room = MIN_ROOM[usize::from(before.2) + usize::from(after.2)];
                    after.1 - before.1 < min_room * em
                }
                (Some(before), None) => detection.along - before.1 > detection.max_gap(field) * em,
                _ => false,
            } && !detection.is(MIDDLE_DOT);
        }
        self.leave_out(threshold, |at| is_spurious[at]);
    }

    /// Leaves out some detections, by their place in the list.
    fn leave_out(&mut self, threshold: f32, is_spurious: impl Fn(usize) -> bool) {
        let mut at = 0..;
        let mut doubt = 1.0;
        self.detections.retain(|detection| {
            let is_spurious = at.next().is_some_and(&is_spurious);
            if is_spurious && detection.centre > threshold {
                doubt *= 1.0 - detection.centre * detection.candidates.first().map_or(0.0, |best| best.probability);
            }
            !is_spurious
        });
        self.rightly_left_out *= doubt;
    }

    /// Where the last detection surer than `threshold` is, if it is too far from the one before it.
    fn stray_at_end(&self, threshold: f32, em: f32, field: FieldName) -> Option<usize> {
        let mut sure = self.detections.iter().enumerate().rev().filter(|(_, detection)| detection.centre > threshold);
        let ((at, last), (_, before)) = (sure.next()?, sure.next()?);
        (!last.is(MIDDLE_DOT) && last.along - before.along > last.max_gap(field) * em).then_some(at)
    }

    /// Whether two detections are brackets of one direction.
    fn is_same_bracket(&self, one: usize, other: usize) -> bool {
        let both = [one, other].map(|at| self.detections[at].best());
        [['(', '（'], [')', '）']]
            .iter()
            .any(|kind| both.iter().all(|best| best.is_some_and(|best| kind.contains(&best))))
    }

    /// The probability that every best reading is right and that no character was missed, once classified; not calibrated.
    pub(crate) fn right_probability(&self, rules: &RecogniserDecoding) -> f32 {
        self.probability(rules.centre_threshold) * self.no_missed_probability(rules) * self.rightly_left_out
    }

    /// The probability that there is no character but those surer than the threshold.
    fn no_missed_probability(&self, rules: &RecogniserDecoding) -> f32 {
        let doubtful = rules.missed_threshold..=rules.centre_threshold;
        let missed = self.detections.iter().filter(|detection| doubtful.contains(&detection.centre));
        missed.map(|detection| 1.0 - detection.centre).product()
    }

    /// The best readings of the detections surer than `threshold`, once classified.
    pub(crate) fn best(&self, threshold: f32) -> Vec<char> {
        self.detections
            .iter()
            .filter(|detection| detection.centre > threshold)
            .filter_map(CharDetection::best)
            .collect()
    }

    /// The probability of the best reading of the detections surer than `threshold`, once classified.
    fn probability(&self, threshold: f32) -> f32 {
        let sure = self.detections.iter().filter(|detection| detection.centre > threshold);
        sure.map(|detection| detection.candidates.first().map_or(0.0, |best| best.probability)).product()
    }
}

impl CharDetection {
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
    fn max_gap(&self, field: FieldName) -> f32 {
        match field {
            FieldName::Address if !self.is_wide() && !self.is_wide_bracket() => MAX_NARROW_GAP_IN_ADDRESS,
            FieldName::Address if self.is_wide() && self.centre < CERTAIN_CENTRE => MAX_UNCERTAIN_GAP,
            _ if self.is_letter_or_mark() => MAX_MARK_GAP,
            _ => f32::INFINITY,
        }
    }

    fn is_letter_or_mark(&self) -> bool {
        self.best().is_some_and(|best| best.is_ascii() && !best.is_ascii_digit())
    }

    /// Adds the detection of another crop; both centres are shares of a mean.
    fn add(&mut self, other: &CharDetection) {
        let count = self.count + other.count;
        let mean = |mine: f32, theirs: f32| (mine * self.count + theirs * other.count) / count;
        self.along = mean(self.along, other.along);
        self.features.iter_mut().zip(&other.features).for_each(|(mine, &theirs)| *mine = mean(*mine, theirs));
        self.centre += other.centre;
        self.count = count;
    }
}

/// Classifies the detections of some lines, in one product for all: the classifier is the largest matrix, and reading
/// it is what costs.
///
/// # Errors
/// When the network fails.
pub(crate) fn classify<'a>(
    model: &RecogniserModel,
    lines: impl Iterator<Item = &'a mut LineHypothesis>,
    buffers: &mut Buffers,
) -> Result<(), NetworkError> {
    let mut detections: Vec<&mut CharDetection> = lines.flat_map(|line| line.detections.iter_mut()).collect();
    buffers.features.clear();
    detections.iter().for_each(|detection| buffers.features.extend_from_slice(&detection.features));
    model.network.classify(&buffers.features, &buffers.scratch, &mut buffers.logits)?;
    for (detection, logits) in detections.iter_mut().zip(buffers.logits.chunks_exact_mut(model.charset.len())) {
        largest_of_blocks(logits, &mut buffers.largest);
        let best = shortlist(logits, &buffers.largest);
        model.network.refine(&detection.features, &best, logits);
        detection.candidates = candidates(logits, &buffers.largest, best, model.config.temperature, &model.charset);
    }
    Ok(())
}

/// The steps whose probability is a local maximum, with it. Of two equal neighbours the right one counts.
fn peaks(centres: &[f32]) -> impl Iterator<Item = (usize, f32)> {
    let at = |index: Option<usize>| index.and_then(|index| centres.get(index)).copied().unwrap_or(f32::NEG_INFINITY);
    (0..centres.len()).filter_map(move |step| {
        let (before, here, after) = (at(step.checked_sub(1)), centres[step], at(Some(step + 1)));
        (here >= before && here > after).then(|| (step, sigmoid(here)))
    })
}

multiversioned! {
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
    fn line(seen: &[(char, f32, f32)]) -> LineHypothesis {
        let detection = |&(character, along, centre): &(char, f32, f32)| CharDetection {
            along,
            centre,
            candidates: vec![Candidate { character, probability: 1.0 }],
            features: Vec::new(),
            count: 1.0,
        };
        LineHypothesis {
            detections: seen.iter().map(detection).collect(),
            contrast: 0.0,
            hidden: 0.0,
            rightly_left_out: 1.0,
            crops: 1.0,
        }
    }

    fn remaining(mut line: LineHypothesis) -> String {
        line.remove_spurious(0.5, 10.0, FieldName::Address);
        line.detections.iter().filter_map(CharDetection::best).collect()
    }

    #[test]
    fn removes_detections_between_characters_too_close_for_another() {
        assert_eq!(remaining(line(&[('市', 5.0, 0.9), ('I', 9.0, 0.9), ('临', 15.5, 0.9)])), "市临");
        assert_eq!(remaining(line(&[('市', 5.0, 0.9), ('阝', 9.0, 0.3), ('临', 15.5, 0.9)])), "市临");
        assert_eq!(remaining(line(&[('村', 5.0, 0.9), ('1', 12.5, 0.9), ('组', 20.0, 0.9)])), "村1组");
        assert_eq!(remaining(line(&[('阁', 5.0, 0.9), ('.', 8.3, 0.4), ('2', 12.5, 0.9)])), "阁2");
        assert_eq!(remaining(line(&[('1', 5.0, 0.9), ('-', 9.0, 0.9), ('2', 13.0, 0.9)])), "1-2");
        assert_eq!(
            remaining(line(&[('坳', 5.0, 0.9), ('（', 15.0, 0.9), ('(', 19.0, 0.9), ('享', 29.0, 0.9)])),
            "坳（享"
        );
        assert_eq!(remaining(line(&[('户', 5.0, 0.9), ('）', 12.0, 0.9), ('）', 16.0, 0.9)])), "户）");
        assert_eq!(remaining(line(&[('1', 5.0, 0.9), ('2', 10.0, 0.9), ('3', 15.0, 0.9)])), "123");
        assert_eq!(remaining(line(&[('孟', 5.0, 0.9), ('·', 10.0, 0.9), ('熠', 15.0, 0.9)])), "孟·熠");
    }

    #[test]
    fn removes_letters_and_marks_behind_a_gap_at_the_end() {
        assert_eq!(remaining(line(&[('巴', 5.0, 0.9), ('楞', 15.0, 0.9), ('S', 32.0, 0.9)])), "巴楞");
        assert_eq!(remaining(line(&[('5', 5.0, 0.9), ('号', 13.0, 0.9), ('A', 21.0, 0.9)])), "5号A");
        assert_eq!(remaining(line(&[('单', 5.0, 0.9), ('1', 13.5, 0.9)])), "单1");
        assert_eq!(remaining(line(&[('单', 5.0, 0.9), ('1', 30.0, 0.9)])), "单");
        assert_eq!(remaining(line(&[('大', 5.0, 0.99), ('、', 17.7, 0.6), ('S', 29.7, 0.99)])), "大");
        assert_eq!(remaining(line(&[('号', 5.0, 0.99), ('日', 20.4, 0.7)])), "号");
        assert_eq!(remaining(line(&[('号', 5.0, 0.99), ('楼', 25.0, 0.99)])), "号楼");
        let mut gone = line(&[('巴', 5.0, 1.0), ('楞', 15.0, 1.0), ('S', 32.0, 0.9)]);
        let rules = RecogniserDecoding { centre_threshold: 0.5, missed_threshold: 0.2 };
        assert!(gone.right_probability(&rules) > 0.99);
        gone.remove_spurious(0.5, 10.0, FieldName::Address);
        assert!((gone.right_probability(&rules) - 0.1).abs() < 1e-3, "what was clearly a character leaves a doubt");
        let mut term = line(&[('3', 5.0, 0.9), ('1', 30.0, 0.9)]);
        term.remove_spurious(0.5, 10.0, FieldName::EffectiveDate);
        assert_eq!(term.detections.len(), 2, "where digits are all there is, a gap tells nothing");
    }

    fn hypothesis(seen: &[(f32, f32, f32)]) -> LineHypothesis {
        let detection = |&(along, centre, feature): &(f32, f32, f32)| CharDetection {
            along,
            centre,
            candidates: Vec::new(),
            features: vec![feature],
            count: 1.0,
        };
        LineHypothesis {
            detections: seen.iter().map(detection).collect(),
            contrast: 0.0,
            hidden: 0.0,
            rightly_left_out: 1.0,
            crops: 1.0,
        }
    }

    #[test]
    fn plateau_gives_one_peak_at_its_right_end() {
        let found: Vec<usize> = peaks(&[-1.0, 2.0, 2.0, 0.0, 1.0, -1.0, 0.5]).map(|(step, _)| step).collect();
        assert_eq!(found, [2, 4, 6]);
        assert_eq!(peaks(&[]).count(), 0);
    }

    #[test]
    fn averages_crops_by_position_and_discounts_missing_detections() {
        let mut seen = hypothesis(&[(10.0, 0.9, 1.0), (30.0, 0.4, 5.0)]);
        seen.add(hypothesis(&[(11.0, 0.9, 3.0), (20.0, 0.8, 7.0), (31.0, 0.8, 5.0)]), 20.0);
        seen.add(hypothesis(&[(12.0, 0.9, 5.0), (29.0, 0.9, 5.0)]), 20.0);
        let found: Vec<[f32; 3]> = seen.detections.iter().map(|one| [one.along, one.centre, one.features[0]]).collect();
        let expected = [[11.0, 0.9, 3.0], [20.0, 0.8 / 3.0, 7.0], [30.0, 0.7, 5.0]];
        for (one, other) in found.as_flattened().iter().zip(expected.as_flattened()) {
            assert!((one - other).abs() < 1e-5, "{found:?}");
        }
        assert!(
            (seen.no_missed_probability(&RecogniserDecoding { centre_threshold: 0.5, missed_threshold: 0.15 })
                - (1.0 - 0.8 / 3.0))
                .abs()
                < 1e-5
        );
    }

    proptest! {
        #[test]
        fn candidates_are_the_top_of_the_softmax(logits in prop::collection::vec(-30.0_f32..30.0, 1..600), temperature in 0.5_f32..3.0) {
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
