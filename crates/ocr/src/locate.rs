//! Pixels to card corners: a coarse pass over the whole picture, then refinement passes over each card found. Where that finds no
//! card, or small ones only, the same in overlapping tiles of the picture.

use candle_core::{Device, Tensor};
use image::RgbImage;
use shenfen_core::{Point, Quad, Side};

use crate::geometry::{Homography, contains, is_convex, middle, overlap, rectangle, side_lengths};
use crate::net::conv::Scratch;
use crate::net::sigmoid;
use crate::rectify::{Frame, Picture, normalised};
use crate::weights::DetectorModel;

/// Side of the square that the whole picture, or a tile of it, is letterboxed into.
const COARSE_SIDE: usize = 256;
/// When no card found is as wide as this part of the picture's longer side, it is searched in tiles too.
const SMALL_CARD: f32 = 0.2;
/// The side of a tile, as a share of the picture's longer side; in a long picture its shorter side.
const TILE_SIDE: f64 = 0.6;
/// The largest distance between tiles, in tile sides: a small card on the edge of one is whole in the next.
const TILE_STEP: f64 = 0.84;
/// Width and height of a refinement pass.
const REFINE_SIZE: [usize; 2] = [256, 192];
/// The most refinement passes over a card: good coarse corners need one, bad ones more.
const MAX_REFINEMENTS: usize = 3;
/// The coarse pass keeps candidates at this share of the threshold: the refinement pass decides.
const COARSE_THRESHOLD_SHARE: f32 = 0.5;
/// Corners that move less than this part of the card's width have settled.
const SETTLED: f32 = 0.015;
/// Test-time augmentation: once settled, the card is refined at these scales too, and the corners are averaged, because the errors differ.
const AUGMENTATION_SCALES: [f32; 2] = [1.03, 0.97];
/// An augmentation crop whose corners lie farther off than this, in card widths, shows something else.
const SAME_CORNERS: f32 = 0.05;
/// Where the rough corners go in the refinement pass: the rest is the card's surroundings.
const REFINE_CARD: Quad = rectangle(18.0, 26.6, 238.0, 165.4);
/// Input pixels per cell of the output.
const STRIDE: f32 = 8.0;
/// Input pixels per unit of a corner's offset.
const OFFSET_UNIT: f32 = 64.0;
/// How far from the corner predicted at the card's centre the corner maps are searched, in card widths.
const CORNER_REACH: f32 = 0.2;
/// With a corner probability below this, the corner predicted at the centre is kept: it may be covered, or outside the picture.
const CORNER_THRESHOLD: f32 = 0.3;
/// A card whose intersection over union with a surer one is larger than this is the same card.
const DUPLICATE_IOU: f32 = 0.3;
/// The least height of a card in pixels of the picture; type on smaller ones is a smear.
const MIN_HEIGHT: f32 = 24.0;

/// A card in a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Located {
    /// Its corners in the picture, from its own top left. Convex.
    pub(crate) quad: Quad,
    /// Which side it shows.
    pub(crate) side: Side,
    /// The probability that there is a card, 0..1.
    pub(crate) confidence: f32,
}

/// Finds the cards in a picture: by rows, top to bottom, and left to right in a row; at most `max_cards`, the surest.
///
/// # Errors
/// When the network fails.
pub(crate) fn locate(
    model: &DetectorModel,
    picture: &mut Picture,
    max_cards: usize,
    scratch: &Scratch,
) -> candle_core::Result<Vec<Located>> {
    let [width, height] = picture.size().map(f64::from);
    let longest = width.max(height);
    let whole = [(width - longest) / 2.0, (height - longest) / 2.0, longest];
    let mut found = locate_in_square(model, picture, whole, max_cards, scratch)?;
    if !found.iter().any(|card| side_lengths(&card.quad)[0] >= SMALL_CARD * longest as f32) {
        for tile in tiles([width, height], (TILE_SIDE * longest).min(width.min(height))) {
            found.extend(locate_in_square(model, picture, tile, max_cards, scratch)?);
        }
    }
    let mut found = suppress_duplicates(found, max_cards);
    in_reading_order(&mut found);
    Ok(found)
}

/// Overlapping squares of a side that cover a picture, as [left, top, side].
fn tiles([width, height]: [f64; 2], side: f64) -> Vec<[f64; 3]> {
    let begins = |length: f64| -> Vec<f64> {
        let count = if length > side { (length / (TILE_STEP * side)).ceil() } else { 1.0 };
        let between = (length - side) / (count - 1.0).max(1.0);
        let first = if count > 1.0 { 0.0 } else { between / 2.0 };
        (0..count as usize).map(|part| first + part as f64 * between).collect()
    };
    let (columns, rows) = (begins(width), begins(height));
    rows.iter().flat_map(|&top| columns.iter().map(move |&left| [left, top, side])).collect()
}

/// The cards found in a square of the picture, each refined.
fn locate_in_square(
    model: &DetectorModel,
    picture: &mut Picture,
    [left, top, side]: [f64; 3],
    max_cards: usize,
    scratch: &Scratch,
) -> candle_core::Result<Vec<Located>> {
    let scale = COARSE_SIDE as f64 / side;
    let to_picture = Homography::scale_and_move(scale, [-left * scale, -top * scale]).inverse();
    let frame = Frame { to_picture, width: COARSE_SIDE, height: COARSE_SIDE, samples: 1 };
    let mut rough = detect(model, &picture.cut(&frame), COARSE_THRESHOLD_SHARE * model.config.threshold, scratch)?;
    rough.iter_mut().for_each(|card| card.quad = to_picture.map_quad(&card.quad));
    let mut found = Vec::new();
    for card in suppress_duplicates(rough, max_cards) {
        found.extend(refine(model, picture, card, scratch)?);
    }
    Ok(found)
}

/// Refines the card's corners until they settle; each pass warps the card upright by the corners of the previous one. `None` when
/// the first refinement pass finds no card.
fn refine(
    model: &DetectorModel,
    picture: &mut Picture,
    rough: Located,
    scratch: &Scratch,
) -> candle_core::Result<Option<Located>> {
    let Some(mut card) = refine_once(model, picture, &rough, scratch)? else { return Ok(None) };
    let mut moved = corner_shift(&rough, &card);
    for _ in 1..MAX_REFINEMENTS {
        if moved < SETTLED || !is_convex(&card.quad) {
            break;
        }
        let Some(next) = refine_once(model, picture, &card, scratch)? else { break };
        moved = corner_shift(&card, &next);
        card = next;
    }
    let mut augmented = Vec::with_capacity(AUGMENTATION_SCALES.len());
    for factor in AUGMENTATION_SCALES {
        let larger = Located { quad: enlarged(&card.quad, factor), ..card };
        augmented.extend(refine_once(model, picture, &larger, scratch)?);
    }
    Ok(Some(average_corners(card, &augmented)))
}

/// A quad enlarged by a factor about its middle.
fn enlarged(quad: &Quad, factor: f32) -> Quad {
    let [x, y] = middle(quad);
    quad.map(|[u, v]| [x + (u - x) * factor, y + (v - y) * factor])
}

/// A card whose corners are averaged with those of augmentation crops that show the same card.
fn average_corners(card: Located, augmented: &[Located]) -> Located {
    let same: Vec<&Located> = augmented.iter().filter(|other| corner_shift(&card, other) < SAME_CORNERS).collect();
    let mean = |corner: usize, axis: usize| {
        let sum: f32 = same.iter().map(|other| other.quad[corner][axis]).sum();
        (card.quad[corner][axis] + sum) / (1.0 + same.len() as f32)
    };
    let quad = std::array::from_fn(|corner| std::array::from_fn(|axis| mean(corner, axis)));
    Located { quad, ..card }
}

/// The largest distance between corresponding corners, in widths of the card.
fn corner_shift(one: &Located, other: &Located) -> f32 {
    let farthest = one.quad.iter().zip(&other.quad).map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1])).fold(0.0, f32::max);
    farthest / side_lengths(&other.quad)[0].max(1.0)
}

/// One refinement pass: the card nearest to its middle, if there is one.
fn refine_once(
    model: &DetectorModel,
    picture: &mut Picture,
    rough: &Located,
    scratch: &Scratch,
) -> candle_core::Result<Option<Located>> {
    let Some(to_picture) = Homography::between(&REFINE_CARD, &rough.quad) else { return Ok(None) };
    let [width, height] = REFINE_SIZE;
    let frame = Frame { to_picture, width, height, samples: 1 };
    let seen = detect(model, &picture.cut(&frame), model.config.threshold, scratch)?;
    let from_middle = |card: &Located| {
        let [x, y] = middle(&card.quad);
        (x - width as f32 / 2.0).hypot(y - height as f32 / 2.0)
    };
    let nearest = seen.into_iter().min_by(|a, b| from_middle(a).total_cmp(&from_middle(b)));
    Ok(nearest.map(|card| Located { quad: to_picture.map_quad(&card.quad), ..card }))
}

/// All cards that the network sees in a frame, in the frame's pixels.
fn detect(
    model: &DetectorModel,
    frame: &RgbImage,
    threshold: f32,
    scratch: &Scratch,
) -> candle_core::Result<Vec<Located>> {
    let pixels: Vec<f32> = frame.as_raw().iter().map(|&value| normalised(value)).collect();
    let shape = (frame.height() as usize, frame.width() as usize, 3);
    let map = model.network.forward(&Tensor::from_vec(pixels, shape, &Device::Cpu)?, scratch)?;
    let (height, width, channels) = map.dims3()?;
    let values = map.flatten_all()?.to_vec1::<f32>()?;
    Ok(decode(&FeatureMap { values, height, width, channels }, threshold))
}

/// The locator's output: for each cell a centre logit, a side logit and eight corner offsets for a card whose middle is
/// there, four logits that one of its corners is there, and the offset to that corner.
struct FeatureMap {
    values: Vec<f32>,
    height: usize,
    width: usize,
    channels: usize,
}

impl FeatureMap {
    fn cell(&self, x: usize, y: usize) -> &[f32] {
        &self.values[(y * self.width + x) * self.channels..][..self.channels]
    }

    fn centre(&self, x: usize, y: usize) -> f32 {
        sigmoid(self.cell(x, y)[0])
    }

    /// How sure a cell is that a card's corner is beside it, by the corner's place in a quad.
    fn corner(&self, x: usize, y: usize, corner: usize) -> f32 {
        sigmoid(self.cell(x, y)[10 + corner])
    }

    /// Where a cell sees the corner that is beside it.
    fn beside(&self, x: usize, y: usize) -> Point {
        let offset = &self.cell(x, y)[14..16];
        [(x as f32 + 0.5 + offset[0]) * STRIDE, (y as f32 + 0.5 + offset[1]) * STRIDE]
    }

    /// The cell and those around it.
    fn around(&self, x: usize, y: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (right, bottom) = ((x + 1).min(self.width - 1), (y + 1).min(self.height - 1));
        (y.saturating_sub(1)..=bottom).flat_map(move |v| (x.saturating_sub(1)..=right).map(move |u| (u, v)))
    }

    /// Where a cell sees the card's corners.
    fn corners(&self, x: usize, y: usize) -> Quad {
        let offsets = &self.cell(x, y)[2..10];
        let middle = [(x as f32 + 0.5) * STRIDE, (y as f32 + 0.5) * STRIDE];
        std::array::from_fn(|i| {
            [middle[0] + offsets[2 * i] * OFFSET_UNIT, middle[1] + offsets[2 * i + 1] * OFFSET_UNIT]
        })
    }
}

fn decode(map: &FeatureMap, threshold: f32) -> Vec<Located> {
    let cells = (0..map.height).flat_map(|y| (0..map.width).map(move |x| (x, y)));
    let peaks = cells.filter(|&(x, y)| {
        let here = map.centre(x, y);
        // Of equal neighbours the first in reading order is the peak.
        here > threshold
            && map
                .around(x, y)
                .all(|(u, v)| if (v, u) < (y, x) { here > map.centre(u, v) } else { here >= map.centre(u, v) })
    });
    peaks.map(|(x, y)| at_peak(map, x, y)).collect()
}

/// The card of a peak: what the cells around it that are at least half as sure see, each by its weight.
fn at_peak(map: &FeatureMap, x: usize, y: usize) -> Located {
    let confidence = map.centre(x, y);
    let (mut total, mut side) = (0.0, 0.0);
    let mut quad = [[0.0; 2]; 4];
    for (u, v) in map.around(x, y) {
        let weight = map.centre(u, v);
        if weight < confidence / 2.0 {
            continue;
        }
        total += weight;
        side += weight * map.cell(u, v)[1];
        for (sum, corner) in quad.iter_mut().flatten().zip(map.corners(u, v).iter().flatten()) {
            *sum += weight * corner;
        }
    }
    quad.iter_mut().flatten().for_each(|sum| *sum /= total);
    let reach = (CORNER_REACH * side_lengths(&quad)[0]).max(STRIDE);
    let quad = std::array::from_fn(|corner| refined(map, corner, quad[corner], reach));
    Located { quad, side: if side > 0.0 { Side::Back } else { Side::Front }, confidence }
}

/// A corner as the cells beside it see it, where they are sure: they see it closer than the card's middle does.
fn refined(map: &FeatureMap, corner: usize, rough: Point, reach: f32) -> Point {
    // Cells whose middles are within reach.
    let range = |at: f32, cells: usize| {
        let first = ((at - reach) / STRIDE - 0.5).ceil().clamp(0.0, cells as f32) as usize;
        let end = ((at + reach) / STRIDE + 0.5).floor().clamp(0.0, cells as f32) as usize;
        first..end
    };
    let columns = range(rough[0], map.width);
    let cells = range(rough[1], map.height).flat_map(|y| columns.clone().map(move |x| (x, y)));
    let surest = cells.map(|(x, y)| (map.corner(x, y, corner), x, y)).reduce(|a, b| if b.0 > a.0 { b } else { a });
    let Some((sure, x, y)) = surest.filter(|&(sure, ..)| sure >= CORNER_THRESHOLD) else { return rough };
    let (mut total, mut sum) = (0.0, [0.0; 2]);
    for (u, v) in map.around(x, y) {
        let weight = map.corner(u, v, corner);
        if weight > sure / 2.0 {
            let seen = map.beside(u, v);
            total += weight;
            sum = [sum[0] + weight * seen[0], sum[1] + weight * seen[1]];
        }
    }
    sum.map(|part| part / total)
}

/// The surest cards without those that are no quad, too small, or the same card as a surer one.
fn suppress_duplicates(mut found: Vec<Located>, most: usize) -> Vec<Located> {
    found.retain(|card| is_convex(&card.quad) && side_lengths(&card.quad).iter().all(|&side| side >= MIN_HEIGHT));
    found.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let mut kept: Vec<Located> = Vec::new();
    for card in found {
        let same = |other: &Located| {
            contains(&other.quad, middle(&card.quad)) || overlap(&other.quad, &card.quad) > DUPLICATE_IOU
        };
        if kept.len() < most && !kept.iter().any(same) {
            kept.push(card);
        }
    }
    kept
}

/// A card belongs to the row of the card above it when their middles differ by less than half a card.
fn in_reading_order(cards: &mut [Located]) {
    let centre = |card: &Located| -> Point { middle(&card.quad) };
    cards.sort_by(|a, b| centre(a)[1].total_cmp(&centre(b)[1]));
    let mut rows = Vec::with_capacity(cards.len());
    let (mut row, mut bottom) = (0, f32::NEG_INFINITY);
    for card in cards.iter() {
        if centre(card)[1] > bottom {
            row += 1;
            let ys = card.quad.map(|corner| corner[1]);
            let height =
                ys.into_iter().fold(f32::NEG_INFINITY, f32::max) - ys.into_iter().fold(f32::INFINITY, f32::min);
            bottom = centre(card)[1] + height / 2.0;
        }
        rows.push((row, centre(card)[0], *card));
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    cards.iter_mut().zip(rows).for_each(|(place, (_, _, card))| *place = card);
}

#[cfg(test)]
mod tests;
