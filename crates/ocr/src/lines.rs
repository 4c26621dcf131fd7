//! A rectified card to its lines: which field stands where, in the pixels of the card's frame.

use std::collections::BTreeMap;

use image::GrayImage;
use shenfen_core::{FieldName, Point, Quad, Side};

use crate::contract::{LinesConfig, LinesDecoding};
use crate::geometry::{Homography, distance};
use crate::net::{FeatureMap, NetworkError, Scratch};
use crate::net::{nth_surest, sigmoid};
use crate::rectify::Frame;
use crate::weights::Detector;

/// The narrowest character covers more cells than this, so fewer that call themselves hidden are noise.
const HIDDEN_CELLS: usize = 3;

/// A line of a field in the pixels of the card's frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TextLine {
    /// Whose line it is.
    pub field: FieldName,
    /// The middle of its left end.
    pub start: Point,
    /// The middle of its right end.
    pub end: Point,
    /// The height of its em box.
    pub em: f32,
    /// How much of the map spoke for it: the sum of the probabilities of its cells.
    pub weight: f32,
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
pub(crate) fn card_frame(config: &LinesConfig, quad: &Quad) -> Option<Frame> {
    let to_picture = Homography::between(&config.frame.card(), quad)?;
    let [width, height] = config.frame.size;
    Some(Frame { to_picture, width, height, resampling: config.resampling })
}

/// The lines of a card's fields, and what of them is hidden.
pub(crate) struct FoundLines {
    /// By field in the order of the side, then top to bottom.
    pub(crate) lines: Vec<TextLine>,
    /// For each field of the side the probability that a character of it is printed somewhere and cannot be seen.
    pub(crate) hidden: BTreeMap<FieldName, f32>,
}

/// Finds the lines of a side's fields on a card, from its frame.
///
/// # Errors
/// When the network fails.
pub(crate) fn find_lines(
    model: &Detector<LinesConfig>,
    frame: &GrayImage,
    side: Side,
    scratch: &Scratch,
) -> Result<FoundLines, NetworkError> {
    let output = run(model, frame, scratch)?;
    Ok(FoundLines { lines: output.decode(side), hidden: output.hidden(side) })
}

/// A frame's pixels as the network takes them.
pub(crate) fn network_input(config: &LinesConfig, frame: &GrayImage) -> Result<FeatureMap, NetworkError> {
    let shape = [frame.height() as usize, frame.width() as usize, config.inputs];
    FeatureMap::new(shape, config.pixels.normalise(frame.as_raw()))
}

/// The network's output for a card's frame.
pub(crate) fn run<'a>(
    model: &'a Detector<LinesConfig>,
    frame: &GrayImage,
    scratch: &Scratch,
) -> Result<Output<'a>, NetworkError> {
    let map = model.network.forward(&network_input(&model.config, frame)?, scratch)?;
    let [height, width, _] = map.shape();
    Ok(Output { config: &model.config, values: map.into_values(), height, width })
}

/// The line detector's output: for each cell what the config's channels say.
pub(crate) struct Output<'a> {
    pub(crate) config: &'a LinesConfig,
    /// [height, width, channels].
    pub(crate) values: Vec<f32>,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Output<'_> {
    /// The lines of a side's fields, by field in the order of the channels, then top to bottom.
    pub(crate) fn decode(&self, side: Side) -> Vec<TextLine> {
        self.fields(side).flat_map(|(channel, field)| lines_of_field(self, channel, field)).collect()
    }

    /// For each field of a side the probability that a character of it is hidden.
    pub(crate) fn hidden(&self, side: Side) -> BTreeMap<FieldName, f32> {
        let channels = &self.config.channels;
        let cells = self.values.chunks_exact(channels.count);
        let hidden =
            |channel: usize| nth_surest::<HIDDEN_CELLS>(cells.clone().map(|cell| cell[channels.hidden + channel]));
        self.fields(side).map(|(channel, field)| (field, hidden(channel))).collect()
    }

    /// The fields of a side with their channels.
    fn fields(&self, side: Side) -> impl Iterator<Item = (usize, FieldName)> {
        let of_side = FieldName::of_side(side);
        self.config.channels.fields.iter().copied().enumerate().filter(|(_, field)| of_side.contains(field))
    }

    fn at(&self, x: usize, y: usize, channel: usize) -> f32 {
        self.values[(y * self.width + x) * self.config.channels.count + channel]
    }

    fn rules(&self) -> &LinesDecoding {
        &self.config.decoding
    }

    /// Frame pixels per cell.
    fn stride(&self) -> f32 {
        self.config.stride as f32
    }
}

fn lines_of_field(map: &Output, channel: usize, field: FieldName) -> Vec<TextLine> {
    let rules = map.rules();
    let is_sure = |&(x, y): &(usize, usize)| sigmoid(map.at(x, y, channel)) > rules.threshold;
    let mut fragments = components(map, channel, rules.extend_threshold.min(rules.threshold));
    fragments.retain(|cells| cells.len() >= rules.min_cells && cells.iter().any(is_sure));
    let mut lines: Vec<TextLine> = fragments.iter().filter_map(|cells| fit(map, channel, field, cells)).collect();
    join(&mut lines, rules);
    lines.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    lines.truncate(rules.max_rows[channel]);
    lines.sort_by(|a, b| a.start[1].total_cmp(&b.start[1]));
    align_row_starts(&mut lines, rules.max_indent);
    lines
}

/// Moves the start of each row to that of the leftmost one, if it is near.
fn align_row_starts(rows: &mut [TextLine], max_indent: f32) {
    let Some(left) = rows.iter().map(|row| row.start[0]).reduce(f32::min) else { return };
    for row in rows {
        let more = row.start[0] - left;
        if more <= max_indent * row.em {
            let [along, _] = row.directions();
            row.start = [left, row.start[1] - more * along[1] / along[0].max(1e-6)];
        }
    }
}

/// The cells above the threshold, by 8-connected component.
fn components(map: &Output, channel: usize, threshold: f32) -> Vec<Vec<(usize, usize)>> {
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
fn fit(map: &Output, channel: usize, field: FieldName, cells: &[(usize, usize)]) -> Option<TextLine> {
    let (rules, channels, unit) = (map.rules(), &map.config.channels, map.config.distance_unit);
    let (mut weight, mut x_sum, mut y_sum, mut em_sum) = (0.0, 0.0, 0.0, 0.0);
    let seen: Vec<[f32; 3]> = cells
        .iter()
        .map(|&(x, y)| {
            let (above, below) = (map.at(x, y, channels.top) * unit, map.at(x, y, channels.bottom) * unit);
            let middle = [(x as f32 + 0.5) * map.stride(), (y as f32 + 0.5) * map.stride() + (below - above) / 2.0];
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
    if !(rules.min_em..=rules.max_em).contains(&em) || !y_mean.is_finite() || right <= left {
        return None;
    }
    let (mut spread, mut slant) = (0.0, 0.0);
    for [x, y, p] in seen {
        spread += p * (x - x_mean) * (x - x_mean);
        slant += p * (x - x_mean) * (y - y_mean);
    }
    let slope = if right - left > rules.min_slope_length * em { slant / spread } else { 0.0 };
    let at = |x: f32| [x, y_mean + slope * (x - x_mean)];
    Some(TextLine { field, start: at(left), end: at(right), em, weight })
}

/// Left and right end in frame pixels. A column's probability counts as the part of it that the line covers.
fn ends(map: &Output, channel: usize, cells: &[(usize, usize)]) -> [f32; 2] {
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
    [map.stride() * (left as f32 + 1.0 - before), map.stride() * (right as f32 + after)]
}

/// Joins fragments of one row.
fn join(lines: &mut Vec<TextLine>, rules: &LinesDecoding) {
    lines.sort_by(|a, b| a.start[0].total_cmp(&b.start[0]));
    let mut joined: Vec<TextLine> = Vec::with_capacity(lines.len());
    for line in lines.drain(..) {
        let continues = |earlier: &&mut TextLine| {
            let em = (earlier.em + line.em) / 2.0;
            line.start[0] - earlier.end[0] < rules.max_gap * em
                && (line.start[1] - earlier.end[1]).abs() < rules.same_row * em
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
