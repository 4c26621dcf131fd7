//! Pixels to card corners: a coarse pass over the whole picture, then refinement passes over each card found. Where that finds no
//! card, or small ones only, the same in overlapping tiles of the picture.

pub(crate) mod output;

use image::RgbImage;
use shenfen_core::{Point, Quad, Side};

use crate::contract::LocatorConfig;
use crate::geometry::{Homography, contains, is_convex, middle, overlap, side_lengths};
use crate::net::{FeatureMap, NetworkError, Scratch};
use crate::parameters::locate::{
    AUGMENTATION_SCALES, COARSE_THRESHOLD_SHARE, MAX_REFINEMENTS, MIN_HEIGHT, SAME_CORNERS, SETTLED, SMALL_CARD,
    TILE_SIDE, TILE_STEP,
};
use crate::rectify::{Frame, Picture};
use crate::weights::Detector;
use output::Output;

/// The locator with its config.
pub(crate) type Locator = Detector<LocatorConfig>;

/// A card in a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Located {
    /// Its corners in the picture, from its own top left. Convex.
    pub quad: Quad,
    /// Which side it shows.
    pub side: Side,
    /// The probability that there is a card, 0..1.
    pub confidence: f32,
}

/// Finds the cards in a picture: by rows, top to bottom, and left to right in a row; at most `max_cards`, the surest.
///
/// # Errors
/// When the network fails.
pub(crate) fn locate(
    model: &Locator,
    picture: &mut Picture,
    max_cards: usize,
    scratch: &Scratch,
) -> Result<Vec<Located>, NetworkError> {
    let [width, height] = picture.size().map(f64::from);
    let longest = width.max(height);
    let mut found = locate_in_square(model, picture, whole_picture([width, height]), max_cards, scratch)?;
    if !found.iter().any(|card| side_lengths(&card.quad)[0] >= SMALL_CARD * longest as f32) {
        for tile in tiles([width, height], (TILE_SIDE * longest).min(width.min(height))) {
            found.extend(locate_in_square(model, picture, tile, max_cards, scratch)?);
        }
    }
    let mut found = suppress_duplicates(found, &model.config, max_cards);
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
    model: &Locator,
    picture: &mut Picture,
    [left, top, side]: [f64; 3],
    max_cards: usize,
    scratch: &Scratch,
) -> Result<Vec<Located>, NetworkError> {
    let frame = coarse_frame(&model.config, [left, top, side]);
    let threshold = COARSE_THRESHOLD_SHARE * model.config.decoding.threshold;
    let mut rough = detect(model, &picture.cut(&frame), threshold, scratch)?;
    rough.iter_mut().for_each(|card| card.quad = frame.to_picture.map_quad(&card.quad));
    let mut found = Vec::new();
    for card in suppress_duplicates(rough, &model.config, max_cards) {
        found.extend(refine(model, picture, card, scratch)?);
    }
    Ok(found)
}

/// Refines the card's corners until they settle; each pass warps the card upright by the corners of the previous one. `None` when
/// the first refinement pass finds no card.
fn refine(
    model: &Locator,
    picture: &mut Picture,
    rough: Located,
    scratch: &Scratch,
) -> Result<Option<Located>, NetworkError> {
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
    model: &Locator,
    picture: &mut Picture,
    rough: &Located,
    scratch: &Scratch,
) -> Result<Option<Located>, NetworkError> {
    let Some(frame) = refinement_frame(&model.config, &rough.quad) else { return Ok(None) };
    let found = detect(model, &picture.cut(&frame), model.config.decoding.threshold, scratch)?;
    let from_middle = |card: &Located| {
        let [x, y] = middle(&card.quad);
        (x - frame.width as f32 / 2.0).hypot(y - frame.height as f32 / 2.0)
    };
    let nearest = found.into_iter().min_by(|a, b| from_middle(a).total_cmp(&from_middle(b)));
    Ok(nearest.map(|card| Located { quad: frame.to_picture.map_quad(&card.quad), ..card }))
}

/// The coarse pass's frame: a square of the picture, given as [left, top, side].
pub(crate) fn coarse_frame(config: &LocatorConfig, [left, top, side]: [f64; 3]) -> Frame {
    let scale = config.coarse_side as f64 / side;
    let to_picture = Homography::scale_and_move(scale, [-left * scale, -top * scale]).inverse();
    let [width, height] = [config.coarse_side; 2];
    Frame { to_picture, width, height, resampling: config.resampling }
}

/// The square that holds a whole picture, as [left, top, side].
pub(crate) fn whole_picture([width, height]: [f64; 2]) -> [f64; 3] {
    let longest = width.max(height);
    [(width - longest) / 2.0, (height - longest) / 2.0, longest]
}

/// The refinement pass's frame around a card's rough corners; `None` when they are no convex quad.
pub(crate) fn refinement_frame(config: &LocatorConfig, rough: &Quad) -> Option<Frame> {
    let to_picture = Homography::between(&config.refinement.card(), rough)?;
    let [width, height] = config.refinement.size;
    Some(Frame { to_picture, width, height, resampling: config.resampling })
}

/// All cards that the network finds in a frame, in the frame's pixels.
fn detect(model: &Locator, frame: &RgbImage, threshold: f32, scratch: &Scratch) -> Result<Vec<Located>, NetworkError> {
    Ok(run(model, frame, scratch)?.decode(threshold))
}

/// A frame's pixels as the network takes them.
pub(crate) fn network_input(config: &LocatorConfig, frame: &RgbImage) -> Result<FeatureMap, NetworkError> {
    let shape = [frame.height() as usize, frame.width() as usize, config.inputs];
    FeatureMap::new(shape, config.pixels.normalise(frame.as_raw()))
}

/// The network's output for a frame.
pub(crate) fn run<'a>(model: &'a Locator, frame: &RgbImage, scratch: &Scratch) -> Result<Output<'a>, NetworkError> {
    let map = model.network.forward(&network_input(&model.config, frame)?, scratch)?;
    let [height, width, _] = map.shape();
    Ok(Output { config: &model.config, values: map.into_values(), height, width })
}

/// The most confident cards, without those that are no convex quad, too small, or duplicates of a more confident one.
pub(crate) fn suppress_duplicates(mut found: Vec<Located>, config: &LocatorConfig, most: usize) -> Vec<Located> {
    found.retain(|card| is_convex(&card.quad) && side_lengths(&card.quad).iter().all(|&side| side >= MIN_HEIGHT));
    found.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let mut kept: Vec<Located> = Vec::new();
    for card in found {
        let same = |other: &Located| {
            contains(&other.quad, middle(&card.quad))
                || overlap(&other.quad, &card.quad) > config.decoding.duplicate_iou
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
