//! Everything that the recogniser saw in the lines of a card: the data that calibration and spacing are fitted on.

use std::collections::BTreeMap;

use serde::Serialize;
use shenfen_core::{Candidate, FieldName, Quad};

use crate::contract::RecogniserDecoding;
use crate::geometry::Homography;
use crate::line_hypothesis::{CharDetection, LineHypothesis};
use crate::lines::TextLine;
use crate::reader::Reading;

/// A reading with what lies behind it. Holds personal data in clear, so it has no `Debug`.
#[derive(Clone)]
pub struct DetailedReading {
    /// What was read.
    pub reading: Reading,
    /// What lies behind each of its cards, in the same order.
    pub details: Vec<CardDetails>,
}

/// What was seen of each field of a card.
pub type CardDetails = BTreeMap<FieldName, FieldDetails>;

/// What was seen of one field.
#[derive(Clone, Default, Serialize)]
pub struct FieldDetails {
    /// The probability, 0..1, that every character is right and none is missing, before it is calibrated.
    pub probability: f32,
    /// The probability that a character of it is hidden, by the line detector, before it is calibrated.
    pub hidden: f32,
    /// Its lines, top to bottom.
    pub lines: Vec<LineDetails>,
}

/// What was seen in one line.
#[derive(Clone, Default, Serialize)]
pub struct LineDetails {
    /// The distance between the line's ends as the line finder set them, in em.
    pub length: f32,
    /// Its em box in the picture, from its own top left.
    pub quad: Quad,
    /// The probability that a character in its strip is hidden, by the recogniser: the mean of all crops, before it is calibrated.
    pub hidden: f32,
    /// What was read after one crop, after three, and after five, as far as it went.
    pub rounds: Vec<Round>,
    /// Everything that may be a character, from left to right.
    pub detections: Vec<DetectionDetails>,
}

/// What was read after some crops, before the rules of spacing.
#[derive(Clone, Serialize)]
pub struct Round {
    /// How many crops were averaged.
    pub crops: u32,
    /// The text of the detections above the threshold.
    pub text: String,
    /// Its probability.
    pub probability: f32,
}

/// A place where a character may be.
#[derive(Clone, Serialize)]
pub struct DetectionDetails {
    /// How far its centre is from the line's start, in em.
    pub position: f32,
    /// The probability that a character's centre is there: the mean over all crops.
    pub centre: f32,
    /// Whether it was taken for a character of the field.
    pub kept: bool,
    /// What it may be, most probable first.
    pub candidates: Vec<Candidate>,
}

/// Records the lines of one card while they are read.
pub(crate) struct Recorder {
    lines: Vec<LineDetails>,
}

impl Recorder {
    /// A recorder for so many lines.
    pub(crate) fn new(lines: usize) -> Recorder {
        Recorder { lines: vec![LineDetails::default(); lines] }
    }

    /// Records what a line says after another round of crops, once classified.
    pub(crate) fn round(&mut self, line: usize, seen: &LineHypothesis, rules: &RecogniserDecoding) {
        let text = seen.best(rules.centre_threshold).into_iter().collect();
        let probability = seen.right_probability(rules);
        self.lines[line].rounds.push(Round { crops: seen.crop_count(), text, probability });
    }

    /// Records all detections of all lines, before any is left out.
    pub(crate) fn detections(&mut self, lines: &[TextLine], to_picture: &Homography, seen: &[LineHypothesis]) {
        for ((details, line), seen) in self.lines.iter_mut().zip(lines).zip(seen) {
            details.length = line.length() / line.em;
            details.hidden = seen.hidden;
            details.quad = to_picture.map_quad(&line.quad());
            let detection = |found: &CharDetection| DetectionDetails {
                position: found.along / line.em,
                centre: found.centre,
                kept: false,
                candidates: found.candidates.clone(),
            };
            details.detections = seen.detections.iter().map(detection).collect();
        }
    }

    /// Records which of the detections were kept.
    pub(crate) fn kept(&mut self, lines: &[TextLine], seen: &[LineHypothesis], threshold: f32) {
        for ((details, line), seen) in self.lines.iter_mut().zip(lines).zip(seen) {
            let mut kept = seen.detections.iter().filter(|found| found.centre > threshold).peekable();
            for detection in &mut details.detections {
                detection.kept = kept.next_if(|found| found.along / line.em == detection.position).is_some();
            }
        }
    }

    /// What was recorded, by field: the lines of a field stand together, and `probabilities` are those of the fields in
    /// their order; `hidden` is what the line detector says.
    pub(crate) fn into_details(
        self,
        lines: &[TextLine],
        probabilities: &[f32],
        hidden: &BTreeMap<FieldName, f32>,
    ) -> CardDetails {
        let mut recorded = self.lines.into_iter();
        let fields = lines.chunk_by(|a, b| a.field == b.field).zip(probabilities);
        let details = fields.map(|(lines, &probability)| {
            let recorded: Vec<LineDetails> = recorded.by_ref().take(lines.len()).collect();
            let (field, lines) = (lines[0].field, recorded);
            (field, FieldDetails { probability, hidden: hidden.get(&field).copied().unwrap_or_default(), lines })
        });
        details.collect()
    }
}
