//! The locator's output to cards, in the pixels of its input. Twin of `training/shenfen_training/decoding.py`.

use shenfen_core::{Point, Quad, Side};

use super::Located;
use crate::contract::LocatorConfig;
use crate::geometry::side_lengths;
use crate::net::sigmoid;

/// For each cell what the config's channels say: the logit that a card's centre is there, the logit of its side, offsets to its
/// corners, logits that a corner is near, and the offset to that corner.
pub(crate) struct Output<'a> {
    pub(crate) config: &'a LocatorConfig,
    /// [height, width, channels].
    pub(crate) values: Vec<f32>,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Output<'_> {
    /// The card at each local maximum of the centre probability above `threshold`, in reading order.
    pub(crate) fn decode(&self, threshold: f32) -> Vec<Located> {
        let cells = (0..self.height).flat_map(|y| (0..self.width).map(move |x| (x, y)));
        let maxima = cells.filter(|&(x, y)| {
            let here = self.centre(x, y);
            let exceeds = |(u, v): (usize, usize)| {
                let other = self.centre(u, v);
                // Of equal neighbours the first in reading order counts.
                if (v, u) < (y, x) { here > other } else { here >= other }
            };
            here > threshold && self.around(x, y).all(exceeds)
        });
        maxima.map(|(x, y)| self.card_at(x, y)).collect()
    }

    /// The card of a maximum: the weighted mean of what the confident cells around it give.
    fn card_at(&self, x: usize, y: usize) -> Located {
        let confidence = self.centre(x, y);
        let least = self.config.decoding.neighbour_share * confidence;
        let (mut total, mut side) = (0.0, 0.0);
        let mut quad = [[0.0; 2]; 4];
        for (u, v) in self.around(x, y) {
            let weight = self.centre(u, v);
            if weight < least {
                continue;
            }
            total += weight;
            side += weight * self.cell(u, v)[self.config.channels.side];
            for (sum, corner) in quad.iter_mut().flatten().zip(self.corners(u, v).iter().flatten()) {
                *sum += weight * corner;
            }
        }
        quad.iter_mut().flatten().for_each(|sum| *sum /= total);
        let reach = (self.config.decoding.corner_reach * side_lengths(&quad)[0]).max(self.stride());
        let quad = std::array::from_fn(|corner| self.refined(corner, quad[corner], reach));
        Located { quad, side: if side > 0.0 { Side::Back } else { Side::Front }, confidence }
    }

    /// A corner as the cells near it give it, where they are confident: they are more precise than the card's centre.
    fn refined(&self, corner: usize, rough: Point, reach: f32) -> Point {
        let rules = &self.config.decoding;
        // Cells whose middles are within reach.
        let range = |at: f32, cells: usize| {
            let first = ((at - reach) / self.stride() - 0.5).ceil().clamp(0.0, cells as f32) as usize;
            let end = ((at + reach) / self.stride() + 0.5).floor().clamp(0.0, cells as f32) as usize;
            first..end
        };
        let columns = range(rough[0], self.width);
        let cells = range(rough[1], self.height).flat_map(|y| columns.clone().map(move |x| (x, y)));
        let best = cells.map(|(x, y)| (self.corner(x, y, corner), x, y)).reduce(|a, b| if b.0 > a.0 { b } else { a });
        let Some((most, x, y)) = best.filter(|&(most, ..)| most >= rules.corner_threshold) else { return rough };
        let (mut total, mut sum) = (0.0, [0.0; 2]);
        for (u, v) in self.around(x, y) {
            let weight = self.corner(u, v, corner);
            if weight >= rules.neighbour_share * most {
                let near = self.near_corner(u, v);
                total += weight;
                sum = [sum[0] + weight * near[0], sum[1] + weight * near[1]];
            }
        }
        sum.map(|part| part / total)
    }

    fn stride(&self) -> f32 {
        self.config.stride as f32
    }

    fn cell(&self, x: usize, y: usize) -> &[f32] {
        let channels = self.config.channels.count;
        &self.values[(y * self.width + x) * channels..][..channels]
    }

    fn centre(&self, x: usize, y: usize) -> f32 {
        sigmoid(self.cell(x, y)[self.config.channels.centre])
    }

    /// The probability that a card's corner is near a cell, by the corner's place in a quad.
    fn corner(&self, x: usize, y: usize, corner: usize) -> f32 {
        sigmoid(self.cell(x, y)[self.config.channels.corner_logits + corner])
    }

    /// Where the corner near a cell is.
    fn near_corner(&self, x: usize, y: usize) -> Point {
        let offset = &self.cell(x, y)[self.config.channels.near_offset..][..2];
        [(x as f32 + 0.5 + offset[0]) * self.stride(), (y as f32 + 0.5 + offset[1]) * self.stride()]
    }

    /// Where the corners of the card are whose centre is at a cell.
    fn corners(&self, x: usize, y: usize) -> Quad {
        let unit = self.config.offset_unit;
        let offsets = &self.cell(x, y)[self.config.channels.corner_offsets..][..8];
        let middle = [(x as f32 + 0.5) * self.stride(), (y as f32 + 0.5) * self.stride()];
        std::array::from_fn(|i| [middle[0] + offsets[2 * i] * unit, middle[1] + offsets[2 * i + 1] * unit])
    }

    /// The cell and those around it.
    fn around(&self, x: usize, y: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (right, bottom) = ((x + 1).min(self.width - 1), (y + 1).min(self.height - 1));
        (y.saturating_sub(1)..=bottom).flat_map(move |v| (x.saturating_sub(1)..=right).map(move |u| (u, v)))
    }
}

#[cfg(test)]
mod tests;
