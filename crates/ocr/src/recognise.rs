//! Lines to fields: the characters of each, with their places and the probabilities of their sixteen best readings.

use std::collections::BTreeMap;

use shenfen_core::field::Ethnicity;
use shenfen_core::{FieldName, Quad, ReadChar, ReadField};

use crate::contract::Calibration;
use crate::details::{CardDetails, Recorder};
use crate::geometry::{Homography, rectangle};
use crate::illumination::Illumination;
use crate::line_hypothesis::{Buffers, LineHypothesis, classify};
use crate::lines::{FoundLines, TextLine};
use crate::net::{NetworkError, sigmoid};
use crate::parameters::recognise::{
    AUGMENTATION_CROPS, BRACKET_EXTENSION, ETHNIC_EXTENSION, EXTENSION, LONG_TERM_LENGTH, NUMBER_LENGTH, SURE,
    TERM_LENGTH,
};
use crate::rectify::Picture;
use crate::strip::CropVariant;
use crate::weights::RecogniserModel;

/// What the lines of a card say.
pub(crate) struct RecognisedFields {
    pub(crate) fields: BTreeMap<FieldName, ReadField>,
    /// For each field the probability that a character of it is printed and cannot be seen: by the line detector or in a strip.
    pub(crate) hidden: BTreeMap<FieldName, f32>,
    /// The contrast of strokes of the faintest line in grey levels (`quality::stroke_contrast`); 0 of none.
    pub(crate) lowest_contrast: f32,
}

/// Reads the lines of one card into fields.
///
/// `to_picture` leads from the lines' frame to the picture; `illumination` is the frame's. A field whose lines hold no character is
/// left out, but may be hidden. `details`, if asked for, is filled with what lies behind.
///
/// # Errors
/// When the network fails.
#[expect(clippy::too_many_arguments, reason = "a picture, what is known of the card in it, and what to fill")]
pub(crate) fn recognise(
    model: &RecogniserModel,
    picture: &mut Picture,
    to_picture: &Homography,
    illumination: &Illumination,
    FoundLines { lines, mut hidden }: FoundLines,
    buffers: &mut Buffers,
    details: Option<&mut CardDetails>,
) -> Result<RecognisedFields, NetworkError> {
    let rules = &model.config.decoding;
    let threshold = rules.centre_threshold;
    let trained = CropVariant::trained(&model.config.strip);
    let mut recorder = details.is_some().then(|| Recorder::new(lines.len()));
    let mut lines = lines;
    let mut hypotheses = Vec::with_capacity(lines.len());
    for line in &lines {
        hypotheses.push(LineHypothesis::new(
            model,
            picture,
            to_picture,
            illumination,
            line,
            trained,
            &buffers.scratch,
        )?);
    }
    classify(model, hypotheses.iter_mut(), buffers)?;

    for (line, hypothesis) in lines.iter_mut().zip(&mut hypotheses) {
        if is_complete(line.field, &hypothesis.best(threshold)) {
            continue;
        }
        let longer = line.extended(match line.field {
            FieldName::Address => BRACKET_EXTENSION,
            FieldName::Ethnic => ETHNIC_EXTENSION,
            _ => EXTENSION,
        });
        let mut seen =
            LineHypothesis::new(model, picture, to_picture, illumination, &longer, trained, &buffers.scratch)?;
        classify(model, std::iter::once(&mut seen), buffers)?;
        if is_complete(line.field, &seen.best(threshold)) {
            (*line, *hypothesis) = (longer, seen);
        }
    }

    let lowest_contrast = hypotheses.iter().map(|hypothesis| hypothesis.contrast).reduce(f32::min).unwrap_or(0.0);

    if let Some(recorder) = &mut recorder {
        hypotheses.iter().enumerate().for_each(|(line, hypothesis)| recorder.round(line, hypothesis, rules));
    }
    let mut unsure: Vec<(usize, (&TextLine, &mut LineHypothesis))> =
        lines.iter().zip(&mut hypotheses).enumerate().collect();
    for variants in AUGMENTATION_CROPS {
        unsure.retain(|(_, (_, hypothesis))| hypothesis.right_probability(rules) < SURE);
        for (_, (line, hypothesis)) in &mut unsure {
            for variant in variants {
                hypothesis.add(
                    LineHypothesis::new(model, picture, to_picture, illumination, line, variant, &buffers.scratch)?,
                    line.em,
                );
            }
        }
        classify(model, unsure.iter_mut().map(|(_, (_, hypothesis))| &mut **hypothesis), buffers)?;
        if let Some(recorder) = &mut recorder {
            unsure.iter().for_each(|(line, (_, hypothesis))| recorder.round(*line, hypothesis, rules));
        }
    }

    if let Some(recorder) = &mut recorder {
        recorder.detections(&lines, to_picture, &hypotheses);
    }
    lines
        .iter()
        .zip(&mut hypotheses)
        .for_each(|(line, hypothesis)| hypothesis.remove_spurious(threshold, line.em, line.field));
    if let Some(recorder) = &mut recorder {
        recorder.kept(&lines, &hypotheses, threshold);
    }

    let mut fields = BTreeMap::new();
    let mut probabilities = Vec::new();
    let mut in_strips = BTreeMap::new();
    // The lines of a field stand together.
    let of_fields = lines.chunk_by(|a, b| a.field == b.field);
    let mut hypotheses = hypotheses.into_iter();
    for lines in of_fields {
        let hypotheses: Vec<LineHypothesis> = hypotheses.by_ref().take(lines.len()).collect();
        let read = |hypothesis: &LineHypothesis| hypothesis.right_probability(rules);
        let probability = hypotheses.iter().map(read).product();
        probabilities.push(probability);
        let most = hypotheses.iter().map(|hypothesis| hypothesis.hidden).fold(0.0, f32::max);
        in_strips.insert(lines[0].field, most);
        let confidence = calibrated(probability, model.config.calibration);
        let chars: Vec<ReadChar> = lines
            .iter()
            .zip(hypotheses)
            .enumerate()
            .flat_map(|(number, (line, hypothesis))| chars(number, line, hypothesis, threshold))
            .collect();
        if !chars.is_empty() {
            let quad = to_picture.map_quad(&around(lines));
            fields.insert(lines[0].field, ReadField { chars, confidence, quad });
        }
    }
    if let (Some(recorder), Some(details)) = (recorder, details) {
        *details = recorder.into_details(&lines, &probabilities, &hidden);
    }
    let calibration = model.config.calibration;
    for (field, hidden) in &mut hidden {
        // A field without a strip has only the line detector's word.
        let in_strips = in_strips.get(field).copied().unwrap_or(*hidden);
        *hidden = hidden_probability(*hidden, in_strips, calibration);
    }
    Ok(RecognisedFields { fields, hidden, lowest_contrast })
}

/// Whether characters have the form of a line of a field. Where they have not, the line's end may have been missed.
fn is_complete(field: FieldName, characters: &[char]) -> bool {
    match field {
        FieldName::IdentityNo => characters.len() == NUMBER_LENGTH,
        FieldName::EffectiveDate if characters.last() == Some(&'期') => characters.len() == LONG_TERM_LENGTH,
        FieldName::EffectiveDate => characters.len() == TERM_LENGTH,
        FieldName::BirthDate => characters.last() == Some(&'日'),
        FieldName::Address => !has_open_bracket(characters),
        FieldName::Ethnic => Ethnicity::parse(&characters.iter().collect::<String>()).is_ok(),
        _ => true,
    }
}

/// Whether the last bracket is one that opens. The closing one may stand in the next line.
fn has_open_bracket(characters: &[char]) -> bool {
    characters.iter().rev().find(|one| "()（）".contains(**one)).is_some_and(|bracket| "(（".contains(*bracket))
}

/// The characters of a line that are sure enough to count.
fn chars(number: usize, line: &TextLine, hypothesis: LineHypothesis, threshold: f32) -> impl Iterator<Item = ReadChar> {
    let length = line.length().max(1e-6);
    let sure = hypothesis.detections.into_iter().filter(move |detection| detection.centre > threshold);
    sure.map(move |detection| ReadChar {
        candidates: detection.candidates,
        position: (detection.along / length).clamp(0.0, 1.0),
        line: number as u8,
    })
}

/// A product of probabilities to the probability that all that was seen is right, by a line fitted to its logit.
fn calibrated(product: f32, Calibration { scale, bias, floor, .. }: Calibration) -> f32 {
    sigmoid(scale * logit(product, floor) + bias)
}

/// The probability that something of a field is hidden, by what the line detector and the recogniser say.
fn hidden_probability(in_frame: f32, in_strips: f32, Calibration { hidden, floor, .. }: Calibration) -> f32 {
    sigmoid(hidden.frame * logit(in_frame, floor) + hidden.strips * logit(in_strips, floor) + hidden.bias)
}

fn logit(probability: f32, floor: f32) -> f32 {
    let p = probability.clamp(floor, 1.0 - floor);
    (p / (1.0 - p)).ln()
}

/// The upright rectangle around some lines, in their frame.
fn around(lines: &[TextLine]) -> Quad {
    let [left, top, right, bottom] = lines.iter().flat_map(TextLine::quad).fold(
        [f32::INFINITY, f32::INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY],
        |[left, top, right, bottom], [x, y]| [left.min(x), top.min(y), right.max(x), bottom.max(y)],
    );
    rectangle(left, top, right, bottom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::HiddenCalibration;

    #[test]
    fn truncated_number_date_or_validity_is_incomplete() {
        let whole = |field, text: &str| is_complete(field, &text.chars().collect::<Vec<_>>());
        for (field, text) in [
            (FieldName::IdentityNo, "130129198304138441"),
            (FieldName::EffectiveDate, "2016.05.28-2036.05.28"),
            (FieldName::EffectiveDate, "2007.12.23-长期"),
            (FieldName::BirthDate, "1986年1月9日"),
        ] {
            assert!(whole(field, text), "{text}");
            let cut: Vec<char> = text.chars().collect();
            assert!(!is_complete(field, &cut[..cut.len() - 1]), "{text} without its end");
            assert!(field == FieldName::BirthDate || !is_complete(field, &cut[1..]), "{text} without its beginning");
        }
        assert!(whole(FieldName::Ethnic, "乌孜别克") && !whole(FieldName::Ethnic, "孜别克"));
        assert!(whole(FieldName::Address, "") && whole(FieldName::Name, "王"));
        assert!(whole(FieldName::Address, "号（东岸）") && !whole(FieldName::Address, "12号（东"));
    }

    const IDENTITY: Calibration = Calibration {
        scale: 1.0,
        bias: 0.0,
        floor: 1e-6,
        hidden: HiddenCalibration { frame: 0.5, strips: 0.5, bias: 0.0 },
    };

    #[test]
    fn identity_calibration_is_a_no_op_and_bias_shifts_the_logit() {
        for p in [0.01, 0.3, 0.5, 0.97] {
            assert!((calibrated(p, IDENTITY) - p).abs() < 1e-5);
        }
        let shifted = calibrated(0.5, Calibration { bias: -1.0, ..IDENTITY });
        assert!((shifted - 0.2689).abs() < 1e-3);
        assert!(calibrated(0.0, IDENTITY) < 1e-5);
    }

    #[test]
    fn hidden_is_more_probable_the_more_either_network_says_so() {
        let hidden = |frame, strips| hidden_probability(frame, strips, IDENTITY);
        assert!((hidden(0.3, 0.3) - 0.3).abs() < 1e-5);
        for (less, more) in [((0.1, 0.2), (0.1, 0.9)), ((0.1, 0.2), (0.6, 0.2)), ((0.0, 0.0), (1.0, 1.0))] {
            assert!(hidden(less.0, less.1) < hidden(more.0, more.1));
        }
    }
}
