//! Lines to characters, with the places and probabilities of the sixteen best readings of each.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use image::GrayImage;
use shenfen_core::{Candidate, FieldName, Quad, ReadChar, ReadField};

use crate::geometry::{Homography, rectangle};
use crate::lines::TextLine;
use crate::locate::sigmoid;
use crate::net::conv::Scratch;
use crate::net::recogniser::{STEP_WIDTH, STRIP_HEIGHT};
use crate::rectify::{Frame, Picture};
use crate::weights::{Calibration, LineModel};

/// The em box's height in a strip.
const EM: f32 = 25.6;
/// Room left and right of the line, in em.
const ROOM: f32 = 0.4;
/// Width of a strip in pixels: narrowest and widest. Longer lines are squeezed.
const WIDTH: [usize; 2] = [24, 1024];
/// The most samples per strip pixel and direction.
const SAMPLES: u32 = 4;
/// The least spread of brightness that is stretched to 1: an even strip keeps its noise small.
const LEAST_SPREAD: f32 = 6.0;
/// A step as sure as this, but not sure enough to count, may be a missed character.
const DOUBT: f32 = 0.15;
/// How many readings of a character are kept.
const CANDIDATES: usize = 16;
/// Of so many characters, the likeliest at first sight, the logits are computed exactly.
const SHORTLIST: usize = 24;
/// Logits this far below the best add less than 2e-7 of its probability each.
const NEGLIGIBLE: f32 = 16.0;

/// A strip to cut for a line, and how to find the way back.
struct Strip {
    frame: Frame,
    /// Strip pixels per unit of the line's frame, along the line.
    scale: f32,
}

/// A character's centre in a strip.
struct Centre {
    line: usize,
    step: usize,
}

/// Reads the lines of one card into fields.
///
/// `to_picture` leads from the lines' frame to the picture; strips are cut from the picture itself, so they are as sharp
/// as it is. A field whose lines hold no character is left out.
///
/// # Errors
/// When the network fails.
pub(crate) fn recognise(
    model: &LineModel,
    picture: &mut Picture,
    to_picture: &Homography,
    lines: &[TextLine],
    buffers: &mut Buffers,
) -> candle_core::Result<BTreeMap<FieldName, ReadField>> {
    let width = model.network.width();
    buffers.features.clear();
    let mut centres = Vec::new();
    let mut misses = vec![1.0_f32; lines.len()];
    let mut scales = Vec::with_capacity(lines.len());
    for (line, text) in lines.iter().enumerate() {
        let strip = strip(text, to_picture);
        let pixels = spread(&picture.cut_grey(&strip.frame));
        let input = Tensor::from_vec(pixels, (STRIP_HEIGHT, strip.frame.width, 1), &Device::Cpu)?;
        let seen = model.network.forward(&input, &buffers.scratch)?;
        for (step, p) in peaks(&seen.centres) {
            if p > model.config.threshold {
                buffers.features.extend_from_slice(&seen.features[step * width..(step + 1) * width]);
                centres.push(Centre { line, step });
            } else if p > DOUBT {
                misses[line] *= 1.0 - p;
            }
        }
        scales.push(strip.scale);
    }
    // One product for all lines: the classifier is the largest matrix, and reading it is what costs.
    model.network.classifier().classify(&buffers.features, &buffers.scratch, &mut buffers.logits);

    let mut fields = BTreeMap::new();
    let classifier = model.network.classifier();
    let rows = buffers.features.chunks_exact(width).zip(buffers.logits.chunks_exact_mut(classifier.classes()));
    for (centre, (features, logits)) in centres.iter().zip(rows) {
        let best = shortlist(logits);
        for &class in &best {
            logits[class] = classifier.exact(features, class);
        }
        let text = &lines[centre.line];
        let x = (centre.step as f32 + 0.5) * STEP_WIDTH as f32 / scales[centre.line] - ROOM * text.em;
        let first_line = lines.iter().position(|line| line.field == text.field).unwrap_or(centre.line);
        let read = ReadChar {
            candidates: candidates(logits, best, model.config.temperature, &model.charset),
            position: (x / text.length().max(1e-6)).clamp(0.0, 1.0),
            line: (centre.line - first_line) as u8,
        };
        fields.entry(text.field).or_insert_with(Vec::new).push(read);
    }
    let assemble = |(field, chars): (FieldName, Vec<ReadChar>)| {
        let of_field = lines.iter().zip(&misses).filter(|(line, _)| line.field == field);
        let missed: f32 = of_field.map(|(_, &miss)| miss).product();
        let product: f32 =
            chars.iter().map(|read| read.candidates.first().map_or(0.0, |best| best.probability)).product();
        let confidence = calibrated(product * missed, model.config.calibration);
        (field, ReadField { chars, confidence, quad: to_picture.map_quad(&around(field, lines)) })
    };
    Ok(fields.into_iter().map(assemble).collect())
}

/// What recognition works in; kept from picture to picture.
#[derive(Default)]
pub(crate) struct Buffers {
    pub(crate) scratch: Scratch,
    features: Vec<f32>,
    logits: Vec<f32>,
}

/// The strip of a line: its em box becomes 25.6 pixels high in the middle of 32, and begins 0.4 em from the left. The
/// width is rounded up to a multiple of 8, so there is a little more room on the right.
fn strip(line: &TextLine, to_picture: &Homography) -> Strip {
    let per_pixel = line.em / EM;
    let wanted = (line.length() + 2.0 * ROOM * line.em) / per_pixel;
    let width = (wanted.ceil() as usize).next_multiple_of(8).clamp(WIDTH[0], WIDTH[1]);
    let along_pixel = per_pixel * (wanted / WIDTH[1] as f32).max(1.0);
    let [along, down] = line.directions();
    let corner: [f64; 2] = std::array::from_fn(|i| {
        f64::from(line.start[i] - along[i] * ROOM * line.em - down[i] * per_pixel * STRIP_HEIGHT as f32 / 2.0)
    });
    let scaled = |direction: [f32; 2], factor: f32| direction.map(|part| f64::from(part * factor));
    let to_card = Homography::affine(corner, scaled(along, along_pixel), scaled(down, per_pixel));
    let frame = Frame { to_picture: to_picture.after(&to_card), width, height: STRIP_HEIGHT, samples: SAMPLES };
    Strip { frame, scale: 1.0 / along_pixel }
}

/// Brightness to mean 0 and spread 1 over the strip.
fn spread(strip: &GrayImage) -> Vec<f32> {
    let grey = strip.as_raw();
    let count = grey.len() as f32;
    let sum: u64 = grey.iter().map(|&value| u64::from(value)).sum();
    let squares: u64 = grey.iter().map(|&value| u64::from(value).pow(2)).sum();
    let mean = sum as f32 / count;
    let variance = (squares as f64 / f64::from(count) - f64::from(mean).powi(2)).max(0.0) as f32;
    let scale = 1.0 / variance.sqrt().max(LEAST_SPREAD);
    grey.iter().map(|&value| (f32::from(value) - mean) * scale).collect()
}

/// The steps whose probability is a local maximum, with it. Of two equal neighbours the right one counts.
fn peaks(centres: &[f32]) -> impl Iterator<Item = (usize, f32)> {
    let at = |index: Option<usize>| index.and_then(|index| centres.get(index)).copied().unwrap_or(f32::NEG_INFINITY);
    (0..centres.len()).filter_map(move |step| {
        let (before, here, after) = (at(step.checked_sub(1)), centres[step], at(Some(step + 1)));
        (here >= before && here > after).then(|| (step, sigmoid(here)))
    })
}

/// The characters with the largest logits.
fn shortlist(logits: &[f32]) -> Vec<usize> {
    let mut best: Vec<(usize, f32)> = Vec::with_capacity(SHORTLIST + 1);
    for (class, &logit) in logits.iter().enumerate() {
        if best.len() < SHORTLIST || logit > best[SHORTLIST - 1].1 {
            let place = best.partition_point(|&(_, other)| other >= logit);
            best.insert(place, (class, logit));
            best.truncate(SHORTLIST);
        }
    }
    best.into_iter().map(|(class, _)| class).collect()
}

/// The most probable characters of the `best`, best first.
fn candidates(logits: &[f32], mut best: Vec<usize>, temperature: f32, charset: &[char]) -> Vec<Candidate> {
    best.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    best.truncate(CANDIDATES);
    let Some(&top) = best.first() else { return Vec::new() };
    let below = |logit: f32| (logit - logits[top]) / temperature;
    let near = logits.iter().map(|&logit| below(logit)).filter(|&below| below > -NEGLIGIBLE);
    let total: f32 = near.map(f32::exp).sum();
    let probability = |class: usize| below(logits[class]).exp() / total;
    best.into_iter().map(|class| Candidate { character: charset[class], probability: probability(class) }).collect()
}

/// A product of probabilities to the probability that all is right, by a line fitted to its logit.
fn calibrated(product: f32, Calibration { scale, bias }: Calibration) -> f32 {
    let p = product.clamp(1e-6, 1.0 - 1e-6);
    sigmoid(scale * (p / (1.0 - p)).ln() + bias)
}

/// The upright rectangle around all lines of a field, in their frame.
fn around(field: FieldName, lines: &[TextLine]) -> Quad {
    let corners = lines.iter().filter(|line| line.field == field).flat_map(TextLine::quad);
    let [left, top, right, bottom] = corners.fold(
        [f32::INFINITY, f32::INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY],
        |[left, top, right, bottom], [x, y]| [left.min(x), top.min(y), right.max(x), bottom.max(y)],
    );
    rectangle(left, top, right, bottom)
}

#[cfg(test)]
mod tests;
