//! Lines to fields: the characters of each, with their places and the probabilities of their sixteen best readings.

use std::collections::BTreeMap;

use shenfen_core::field::Ethnicity;
use shenfen_core::{FieldName, Quad, ReadChar, ReadField};

use crate::geometry::{Homography, rectangle};
use crate::light::Light;
use crate::lines::TextLine;
use crate::locate::sigmoid;
use crate::look::{Buffers, Look, classify};
use crate::rectify::Picture;
use crate::strip::Framing;
use crate::weights::{Calibration, LineModel};

/// A line less sure than this is looked at again.
const SURE: f32 = 0.95;
/// How it is framed then, twice, and twice more if it is no surer for that: other pixels of the picture fall together, and the
/// network's own grid of steps lies elsewhere.
const AGAIN: [[Framing; 2]; 2] = [
    [Framing { em: 23.6, room: 0.47, drop: 0.0 }, Framing { em: 27.1, room: 0.37, drop: 0.03 }],
    [Framing { em: 24.6, room: 0.43, drop: -0.04 }, Framing { em: 26.4, room: 0.5, drop: 0.05 }],
];

/// So many em are added at the start and the end of a line whose form tells that characters are missing: about three digits; one
/// character of an ethnic group; or the bracket that closes an address, before which stands its label.
const MISSING: [f32; 2] = [2.0, 2.0];
const MISSING_OF_ETHNIC: [f32; 2] = [1.2, 1.2];
const MISSING_BRACKET: [f32; 2] = [0.0, 1.5];
/// Characters of a number (GB 11643-1999), of a validity with two dates, and of one that ends with 长期.
const NUMBER: usize = 18;
const TERM: usize = 21;
const LONG_TERM: usize = 13;

/// What the lines of a card say.
pub(crate) struct Lines {
    pub(crate) fields: BTreeMap<FieldName, ReadField>,
    /// The contrast of strokes of the faintest line in grey levels (`quality::stroke_contrast`); 0 of none.
    pub(crate) faintest: f32,
}

/// Reads the lines of one card into fields.
///
/// `to_picture` leads from the lines' frame to the picture; `light` is the frame's. A field whose lines hold no character is
/// left out.
///
/// # Errors
/// When the network fails.
pub(crate) fn recognise(
    model: &LineModel,
    picture: &mut Picture,
    to_picture: &Homography,
    light: &Light,
    lines: &[TextLine],
    buffers: &mut Buffers,
) -> candle_core::Result<Lines> {
    let threshold = model.config.threshold;
    let mut lines = lines.to_vec();
    let mut looks = Vec::with_capacity(lines.len());
    for line in &lines {
        looks.push(Look::new(model, picture, to_picture, light, line, Framing::USUAL, &buffers.scratch)?);
    }
    classify(model, looks.iter_mut(), buffers);

    for (line, look) in lines.iter_mut().zip(&mut looks) {
        if is_whole(line.field, &look.best(threshold)) {
            continue;
        }
        let longer = line.longer(match line.field {
            FieldName::BirthPlace => MISSING_BRACKET,
            FieldName::Ethnic => MISSING_OF_ETHNIC,
            _ => MISSING,
        });
        let mut seen = Look::new(model, picture, to_picture, light, &longer, Framing::USUAL, &buffers.scratch)?;
        classify(model, std::iter::once(&mut seen), buffers);
        if is_whole(line.field, &seen.best(threshold)) {
            (*line, *look) = (longer, seen);
        }
    }

    let faintest = looks.iter().map(|look| look.contrast).reduce(f32::min).unwrap_or(0.0);

    let mut unsure: Vec<(&TextLine, &mut Look)> = lines.iter().zip(&mut looks).collect();
    for framings in AGAIN {
        unsure.retain(|(_, look)| look.probability(threshold) * look.nothing_missed(threshold) < SURE);
        for (line, look) in &mut unsure {
            for framing in framings {
                look.add(Look::new(model, picture, to_picture, light, line, framing, &buffers.scratch)?, line.em);
            }
        }
        classify(model, unsure.iter_mut().map(|(_, look)| &mut **look), buffers);
    }

    lines.iter().zip(&mut looks).for_each(|(line, look)| look.leave_out_strangers(threshold, line.em, line.field));

    let mut fields = BTreeMap::new();
    // The lines of a field stand together.
    let of_fields = lines.chunk_by(|a, b| a.field == b.field);
    let mut looks = looks.into_iter();
    for lines in of_fields {
        let looks: Vec<Look> = looks.by_ref().take(lines.len()).collect();
        let read = |look: &Look| look.probability(threshold) * look.nothing_missed(threshold);
        let confidence = calibrated(looks.iter().map(read).product(), model.config.calibration);
        let chars: Vec<ReadChar> = lines
            .iter()
            .zip(looks)
            .enumerate()
            .flat_map(|(number, (line, look))| chars(number, line, look, threshold))
            .collect();
        if !chars.is_empty() {
            let quad = to_picture.map_quad(&around(lines));
            fields.insert(lines[0].field, ReadField { chars, confidence, quad });
        }
    }
    Ok(Lines { fields, faintest })
}

/// Whether characters have the form of a line of a field. Where they have not, the line's end may have been missed.
fn is_whole(field: FieldName, characters: &[char]) -> bool {
    match field {
        FieldName::IdentityNo => characters.len() == NUMBER,
        FieldName::EffectiveDate if characters.last() == Some(&'期') => characters.len() == LONG_TERM,
        FieldName::EffectiveDate => characters.len() == TERM,
        FieldName::BirthDate => characters.last() == Some(&'日'),
        FieldName::BirthPlace => !is_open(characters),
        FieldName::Ethnic => Ethnicity::parse(&characters.iter().collect::<String>()).is_ok(),
        _ => true,
    }
}

/// Whether the last bracket is one that opens. The closing one may stand in the next line.
fn is_open(characters: &[char]) -> bool {
    characters.iter().rev().find(|one| "()（）".contains(**one)).is_some_and(|bracket| "(（".contains(*bracket))
}

/// The characters of a line that are sure enough to count.
fn chars(number: usize, line: &TextLine, look: Look, threshold: f32) -> impl Iterator<Item = ReadChar> {
    let length = line.length().max(1e-6);
    let sure = look.sightings.into_iter().filter(move |sighting| sighting.centre > threshold);
    sure.map(move |sighting| ReadChar {
        candidates: sighting.candidates,
        position: (sighting.along / length).clamp(0.0, 1.0),
        line: number as u8,
    })
}

/// A product of probabilities to the probability that all is right, by a line fitted to its logit.
fn calibrated(product: f32, Calibration { scale, bias }: Calibration) -> f32 {
    let p = product.clamp(1e-6, 1.0 - 1e-6);
    sigmoid(scale * (p / (1.0 - p)).ln() + bias)
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

    #[test]
    fn a_number_a_date_or_a_term_that_is_cut_off_is_not_whole() {
        let whole = |field, text: &str| is_whole(field, &text.chars().collect::<Vec<_>>());
        for (field, text) in [
            (FieldName::IdentityNo, "130129198304138441"),
            (FieldName::EffectiveDate, "2016.05.28-2036.05.28"),
            (FieldName::EffectiveDate, "2007.12.23-长期"),
            (FieldName::BirthDate, "1986年1月9日"),
        ] {
            assert!(whole(field, text), "{text}");
            let cut: Vec<char> = text.chars().collect();
            assert!(!is_whole(field, &cut[..cut.len() - 1]), "{text} without its end");
            assert!(field == FieldName::BirthDate || !is_whole(field, &cut[1..]), "{text} without its beginning");
        }
        assert!(whole(FieldName::Ethnic, "乌孜别克") && !whole(FieldName::Ethnic, "孜别克"));
        assert!(whole(FieldName::BirthPlace, "") && whole(FieldName::Name, "王"));
        assert!(whole(FieldName::BirthPlace, "号（东岸）") && !whole(FieldName::BirthPlace, "12号（东"));
    }

    #[test]
    fn the_identity_calibration_changes_nothing_and_a_bias_moves_the_middle() {
        for p in [0.01, 0.3, 0.5, 0.97] {
            assert!((calibrated(p, Calibration::default()) - p).abs() < 1e-5);
        }
        let shifted = calibrated(0.5, Calibration { scale: 1.0, bias: -1.0 });
        assert!((shifted - 0.2689).abs() < 1e-3);
        assert!(calibrated(0.0, Calibration::default()) < 1e-5);
    }
}
