//! A rectified card to its lines: which field stands where, in the pixels of the card's frame.

use candle_core::{Device, Tensor};
use image::GrayImage;
use shenfen_core::{FieldName, Point, Quad, Side};

use crate::geometry::{Homography, distance, rectangle};
use crate::net::conv::Scratch;
use crate::net::sigmoid;
use crate::rectify::{Frame, normalised};
use crate::weights::DetectorModel;

/// Width and height of the card's frame: the card and 4 % around it, at 5.75 pixels a millimetre.
pub(crate) const FRAME: [usize; 2] = [512, 320];
/// The card in its frame: 85.6 x 54.0 mm (ISO/IEC 7810 ID-1) at 512 / (1.04 x 85.6) pixels a millimetre, in the middle.
pub(crate) const FRAME_CARD: Quad = {
    let scale = 512.0 / (1.04 * 85.6);
    let (width, height) = (85.6 * scale, 54.0 * scale);
    rectangle(256.0 - width / 2.0, 160.0 - height / 2.0, 256.0 + width / 2.0, 160.0 + height / 2.0)
};
/// The fields in the order of the map's channels.
const CHANNELS: [FieldName; 8] = [
    FieldName::Name,
    FieldName::Gender,
    FieldName::Ethnic,
    FieldName::BirthDate,
    FieldName::Address,
    FieldName::IdentityNo,
    FieldName::Authority,
    FieldName::EffectiveDate,
];
/// Frame pixels per cell of the output.
const STRIDE: f32 = 4.0;
/// Frame pixels per unit of the distances to the em box's top and bottom.
const HEIGHT_UNIT: f32 = 16.0;
/// Hysteresis: a line that has a cell above the threshold extends over neighbouring cells above this, because thin characters at
/// its ends score lower.
const EXTEND_THRESHOLD: f32 = 0.3;
/// Fewer cells than this are no line: a single character covers about eight, a small one in a second row four.
const MIN_CELLS: usize = 2;
/// Fragments of a line are joined over a gap of up to this many em.
const JOIN_GAP: f32 = 4.0;
/// Fragments whose middles differ by less than this many em are in one row.
const SAME_ROW: f32 = 0.5;
/// The rows of a field start at the same column: one that starts further right, by no more than this many em, has lost a thin
/// character, such as the dot between the parts of a name.
const MAX_INDENT: f32 = 1.3;
/// Shorter lines, in em, are taken as horizontal: there is too little to fit a slope to.
const MIN_SLOPE_LENGTH: f32 = 2.0;

/// A line of a field in the pixels of the card's frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TextLine {
    /// Whose line it is.
    pub(crate) field: FieldName,
    /// The middle of its left end.
    pub(crate) start: Point,
    /// The middle of its right end.
    pub(crate) end: Point,
    /// The height of its em box.
    pub(crate) em: f32,
    /// How much of the map spoke for it: the sum of the probabilities of its cells.
    pub(crate) weight: f32,
}

impl TextLine {
    /// Its em box from first to last character.
    pub(crate) fn quad(&self) -> Quad {
        let [along, down] = self.directions();
        let half = [down[0] * self.em / 2.0, down[1] * self.em / 2.0];
        let [start, end] = [self.start, self.end];
        debug_assert!(along[0] >= 0.0);
        [
            [start[0] - half[0], start[1] - half[1]],
            [end[0] - half[0], end[1] - half[1]],
            [end[0] + half[0], end[1] + half[1]],
            [start[0] + half[0], start[1] + half[1]],
        ]
    }

    /// The same line, extended by so many em at its start and its end.
    pub(crate) fn extended(&self, em: [f32; 2]) -> TextLine {
        let [[x, y], _] = self.directions();
        let [before, after] = em.map(|em| em * self.em);
        let ([left, top], [right, bottom]) = (self.start, self.end);
        TextLine { start: [left - x * before, top - y * before], end: [right + x * after, bottom + y * after], ..*self }
    }

    /// Its length without the room around it.
    pub(crate) fn length(&self) -> f32 {
        distance(self.start, self.end)
    }

    /// Unit vectors along the line and down across it.
    pub(crate) fn directions(&self) -> [Point; 2] {
        let length = self.length().max(1e-6);
        let along = [(self.end[0] - self.start[0]) / length, (self.end[1] - self.start[1]) / length];
        [along, [-along[1], along[0]]]
    }
}

/// The frame of a card, from its corners in the picture; `None` when they are no convex quad.
pub(crate) fn card_frame(quad: &Quad) -> Option<Frame> {
    let to_picture = Homography::between(&FRAME_CARD, quad)?;
    Some(Frame { to_picture, width: FRAME[0], height: FRAME[1], samples: 1 })
}

/// Finds the lines of a side's fields on a card, from its frame; by field in the order of the
/// side, then top to bottom.
///
/// # Errors
/// When the network fails.
pub(crate) fn find_lines(
    model: &DetectorModel,
    frame: &GrayImage,
    side: Side,
    scratch: &Scratch,
) -> candle_core::Result<Vec<TextLine>> {
    let pixels: Vec<f32> = frame.as_raw().iter().map(|&value| normalised(value)).collect();
    let input = Tensor::from_vec(pixels, (FRAME[1], FRAME[0], 1), &Device::Cpu)?;
    let map = model.network.forward(&input, scratch)?;
    let (height, width, channels) = map.dims3()?;
    let map = FeatureMap { values: map.flatten_all()?.to_vec1()?, height, width, channels };
    let of_side = FieldName::of_side(side);
    let channels = CHANNELS.iter().enumerate().filter(|(_, field)| of_side.contains(field));
    Ok(channels.flat_map(|(channel, &field)| lines_of_field(&map, channel, field, model.config.threshold)).collect())
}

/// The line detector's output: eight field logits and two distances for each cell.
struct FeatureMap {
    values: Vec<f32>,
    height: usize,
    width: usize,
    channels: usize,
}

impl FeatureMap {
    fn at(&self, x: usize, y: usize, channel: usize) -> f32 {
        self.values[(y * self.width + x) * self.channels + channel]
    }
}

/// How many rows a field can take on a card.
fn max_rows(field: FieldName) -> usize {
    match field {
        FieldName::Address => 4,
        FieldName::Name | FieldName::Authority => 2,
        _ => 1,
    }
}

fn lines_of_field(map: &FeatureMap, channel: usize, field: FieldName, threshold: f32) -> Vec<TextLine> {
    let is_sure = |&(x, y): &(usize, usize)| sigmoid(map.at(x, y, channel)) > threshold;
    let mut fragments = components(map, channel, EXTEND_THRESHOLD.min(threshold));
    fragments.retain(|cells| cells.len() >= MIN_CELLS && cells.iter().any(is_sure));
    let mut lines: Vec<TextLine> = fragments.iter().filter_map(|cells| fit(map, channel, field, cells)).collect();
    join(&mut lines);
    lines.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    lines.truncate(max_rows(field));
    lines.sort_by(|a, b| a.start[1].total_cmp(&b.start[1]));
    align_row_starts(&mut lines);
    lines
}

/// Moves the start of each row to that of the leftmost one, if it is near.
fn align_row_starts(rows: &mut [TextLine]) {
    let Some(left) = rows.iter().map(|row| row.start[0]).reduce(f32::min) else { return };
    for row in rows {
        let more = row.start[0] - left;
        if more <= MAX_INDENT * row.em {
            let [along, _] = row.directions();
            row.start = [left, row.start[1] - more * along[1] / along[0].max(1e-6)];
        }
    }
}

/// The cells above the threshold, by 8-connected component.
fn components(map: &FeatureMap, channel: usize, threshold: f32) -> Vec<Vec<(usize, usize)>> {
    let index = |x: usize, y: usize| y * map.width + x;
    let mut open = vec![false; map.width * map.height];
    for y in 0..map.height {
        for x in 0..map.width {
            open[index(x, y)] = sigmoid(map.at(x, y, channel)) > threshold;
        }
    }
    let mut found = Vec::new();
    for y in 0..map.height {
        for x in 0..map.width {
            if !std::mem::take(&mut open[index(x, y)]) {
                continue;
            }
            let mut cells = vec![(x, y)];
            let mut next = 0;
            while let Some(&(x, y)) = cells.get(next) {
                next += 1;
                for v in y.saturating_sub(1)..=(y + 1).min(map.height - 1) {
                    for u in x.saturating_sub(1)..=(x + 1).min(map.width - 1) {
                        if std::mem::take(&mut open[index(u, v)]) {
                            cells.push((u, v));
                        }
                    }
                }
            }
            found.push(cells);
        }
    }
    found
}

/// A line from the cells of one component: ends from its outer columns, a straight line through what its cells say of
/// the em box's middle, and the mean of what they say of its height.
fn fit(map: &FeatureMap, channel: usize, field: FieldName, cells: &[(usize, usize)]) -> Option<TextLine> {
    let (mut weight, mut x_sum, mut y_sum, mut em_sum) = (0.0, 0.0, 0.0, 0.0);
    let seen: Vec<[f32; 3]> = cells
        .iter()
        .map(|&(x, y)| {
            let (above, below) = (map.at(x, y, 8) * HEIGHT_UNIT, map.at(x, y, 9) * HEIGHT_UNIT);
            let middle = [(x as f32 + 0.5) * STRIDE, (y as f32 + 0.5) * STRIDE + (below - above) / 2.0];
            let p = sigmoid(map.at(x, y, channel));
            weight += p;
            x_sum += p * middle[0];
            y_sum += p * middle[1];
            em_sum += p * (above + below);
            [middle[0], middle[1], p]
        })
        .collect();
    let (x_mean, y_mean, em) = (x_sum / weight, y_sum / weight, em_sum / weight);
    let [left, right] = ends(map, channel, cells);
    // A box lower than a cell or higher than a tenth of the frame is no type of a card.
    if !(STRIDE..=FRAME[1] as f32 / 8.0).contains(&em) || !y_mean.is_finite() || right <= left {
        return None;
    }
    let (mut spread, mut slant) = (0.0, 0.0);
    for [x, y, p] in seen {
        spread += p * (x - x_mean) * (x - x_mean);
        slant += p * (x - x_mean) * (y - y_mean);
    }
    let slope = if right - left > MIN_SLOPE_LENGTH * em { slant / spread } else { 0.0 };
    let at = |x: f32| [x, y_mean + slope * (x - x_mean)];
    Some(TextLine { field, start: at(left), end: at(right), em, weight })
}

/// Left and right end in frame pixels. A column's probability counts as the part of it that the line covers.
fn ends(map: &FeatureMap, channel: usize, cells: &[(usize, usize)]) -> [f32; 2] {
    let (mut left, mut right, mut top, mut bottom) = (usize::MAX, 0, usize::MAX, 0);
    for &(x, y) in cells {
        (left, right, top, bottom) = (left.min(x), right.max(x), top.min(y), bottom.max(y));
    }
    let covered = |x: Option<usize>| match x.filter(|&x| x < map.width) {
        Some(x) => (top..=bottom).map(|y| sigmoid(map.at(x, y, channel))).fold(0.0, f32::max),
        None => 0.0,
    };
    let before = covered(Some(left)) + covered(left.checked_sub(1));
    let after = covered(Some(right)) + covered(Some(right + 1));
    [STRIDE * (left as f32 + 1.0 - before), STRIDE * (right as f32 + after)]
}

/// Joins fragments of one row.
fn join(lines: &mut Vec<TextLine>) {
    lines.sort_by(|a, b| a.start[0].total_cmp(&b.start[0]));
    let mut joined: Vec<TextLine> = Vec::with_capacity(lines.len());
    for line in lines.drain(..) {
        let continues = |earlier: &&mut TextLine| {
            let em = (earlier.em + line.em) / 2.0;
            line.start[0] - earlier.end[0] < JOIN_GAP * em && (line.start[1] - earlier.end[1]).abs() < SAME_ROW * em
        };
        match joined.iter_mut().find(continues) {
            Some(earlier) => {
                let both = earlier.weight + line.weight;
                earlier.em = (earlier.em * earlier.weight + line.em * line.weight) / both;
                earlier.weight = both;
                if line.end[0] > earlier.end[0] {
                    earlier.end = line.end;
                }
            }
            None => joined.push(line),
        }
    }
    *lines = joined;
}

#[cfg(test)]
mod tests;
