//! Illumination normalisation. Shadows, window bars and gradients across a card are removed by dividing brightness by that of the
//! paper at the same place, so that the networks see dark text on evenly lit paper.

use image::GrayImage;

use crate::contract::IlluminationRules;
use crate::geometry::Homography;

/// The gain by which brightness is multiplied, for each block of a card's frame.
pub(crate) struct Illumination {
    rules: IlluminationRules,
    gain: Vec<f32>,
    width: usize,
    height: usize,
}

impl Illumination {
    /// Estimates the illumination of a card's frame: the brightest pixel of each block is paper, after a morphological closing
    /// over strokes.
    pub(crate) fn estimate(rules: IlluminationRules, frame: &GrayImage) -> Illumination {
        let IlluminationRules { block, closing_radius, target_paper, min_paper } = rules;
        let [width, height] = [frame.width(), frame.height()].map(|side| side as usize / block);
        let row_length = frame.width() as usize;
        let mut brightest = vec![0_u8; width * height];
        for (y, blocks) in brightest.chunks_exact_mut(width).enumerate() {
            for row in frame.as_raw()[y * block * row_length..][..block * row_length].chunks_exact(row_length) {
                for (brightest, pixels) in blocks.iter_mut().zip(row.chunks_exact(block)) {
                    *brightest = pixels.iter().fold(*brightest, |most, &pixel| most.max(pixel));
                }
            }
        }
        let dilated = morphological(&brightest, width, closing_radius, u8::max);
        let closed = morphological(&dilated, width, closing_radius, u8::min);
        let paper = |x: usize, y: usize| {
            let [left, right] = [x.saturating_sub(1), (x + 2).min(width)];
            let [top, bottom] = [y.saturating_sub(1), (y + 2).min(height)];
            let beside = (top..bottom).flat_map(|row| &closed[row * width + left..row * width + right]);
            let sum: u32 = beside.map(|&value| u32::from(value)).sum();
            sum as f32 / ((right - left) * (bottom - top)) as f32
        };
        let gain = |(x, y): (usize, usize)| target_paper / paper(x, y).max(min_paper);
        let gain = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(gain).collect();
        Illumination { rules, gain, width, height }
    }

    /// The brightness of the paper in each block, no less than `min_paper`, with the block's upper left pixel.
    pub(crate) fn paper(&self) -> impl Iterator<Item = ([usize; 2], u8)> {
        let IlluminationRules { block, target_paper, .. } = self.rules;
        let place = move |at: usize| [at % self.width * block, at / self.width * block];
        self.gain.iter().enumerate().map(move |(at, gain)| (place(at), (target_paper / gain + 0.5) as u8))
    }

    /// The card's frame, normalised. Block by block, which is fine enough to detect lines.
    pub(crate) fn normalised(&self, frame: &GrayImage) -> GrayImage {
        let mut normalised = frame.clone();
        let (row_length, block) = (frame.width() as usize, self.rules.block);
        for (y, row) in normalised.chunks_exact_mut(row_length).enumerate() {
            let gains = &self.gain[(y / block).min(self.height - 1) * self.width..][..self.width];
            for (pixels, gain) in row.chunks_exact_mut(block).zip(gains) {
                pixels.iter_mut().for_each(|pixel| *pixel = brightened(*pixel, *gain));
            }
        }
        normalised
    }

    /// Normalises pixels that `to_frame` maps to the card's frame.
    pub(crate) fn normalise(&self, pixels: &mut GrayImage, to_frame: &Homography) {
        for (x, y, pixel) in pixels.enumerate_pixels_mut() {
            let gain = self.at(to_frame.map([x as f32 + 0.5, y as f32 + 0.5]));
            pixel.0[0] = brightened(pixel.0[0], gain);
        }
    }

    /// The gain at a point of the frame, interpolated between the blocks around it.
    fn at(&self, [x, y]: [f32; 2]) -> f32 {
        let place = |at: f32, count: usize| {
            let at = (at / self.rules.block as f32 - 0.5).clamp(0.0, (count - 1) as f32);
            let first = (at as usize).min(count.saturating_sub(2));
            (first, at - first as f32)
        };
        let ((left, right), (top, below)) = (place(x, self.width), place(y, self.height));
        let across = |row: usize| {
            let pair = &self.gain[row * self.width + left..][..2];
            pair[0] + (pair[1] - pair[0]) * right
        };
        across(top) + (across(top + 1) - across(top)) * below
    }
}

fn brightened(value: u8, gain: f32) -> u8 {
    (f32::from(value) * gain + 0.5) as u8
}

/// The most or the least of each value and those up to `reach` away, along rows and then columns.
fn morphological(values: &[u8], width: usize, reach: usize, choose: impl Fn(u8, u8) -> u8 + Copy) -> Vec<u8> {
    let height = values.len() / width;
    let over = |values: &[u8], at: usize, place: usize, count: usize, step: usize| {
        let (before, after) = (reach.min(place), reach.min(count - 1 - place));
        (0..=before + after).map(|i| values[at + i * step - before * step]).reduce(choose).unwrap_or(values[at])
    };
    let rows: Vec<u8> = (0..values.len()).map(|at| over(values, at, at % width, width, 1)).collect();
    (0..values.len()).map(|at| over(&rows, at, at / width, height, width)).collect()
}

#[cfg(test)]
mod tests {
    use image::Luma;

    use super::*;
    use crate::contract::{LinesConfig, shipped};

    const SIZE: [u32; 2] = [512, 320];

    /// Paper under some light, with strokes of a tenth of its brightness on it.
    fn card(light: impl Fn(u32, u32) -> f32) -> GrayImage {
        GrayImage::from_fn(SIZE[0], SIZE[1], |x, y| {
            let ink = if x % 7 < 2 && (100..115).contains(&y) { 0.1 } else { 1.0 };
            Luma([(light(x, y) * ink) as u8])
        })
    }

    fn estimate(frame: &GrayImage) -> Illumination {
        Illumination::estimate(shipped::<LinesConfig>().illumination, frame)
    }

    fn half_in_shadow() -> GrayImage {
        card(|x, _| if x < 150 { 40.0 } else { 220.0 })
    }

    #[test]
    fn normalised_paper_is_even_and_ink_stays_dark() {
        for frame in [half_in_shadow(), card(|x, y| 60.0 + (x + y) as f32 / 6.0), card(|_, _| 230.0)] {
            let even = estimate(&frame).normalised(&frame);
            for x in [30, 60, 100, 200, 400, 490] {
                let [paper, ink] = [4, 0].map(|beside| even.get_pixel(x / 7 * 7 + beside, 108).0[0]);
                assert!(paper.abs_diff(200) < 16 && ink < 40, "{paper} and {ink} at {x}");
            }
        }
    }

    #[test]
    fn crop_is_normalised_by_its_position_in_the_frame() {
        let illumination = estimate(&half_in_shadow());
        let mut part = GrayImage::from_pixel(40, 32, Luma([40]));
        illumination.normalise(&mut part, &Homography::scale_and_move(0.5, [20.0, 200.0]));
        assert!(part.pixels().all(|pixel| pixel.0[0] == 200));
        illumination.normalise(&mut part, &Homography::scale_and_move(0.5, [400.0, -50.0]));
        assert!(part.pixels().all(|pixel| pixel.0[0] == 182));
    }

    #[test]
    fn noise_of_a_black_frame_stays_small() {
        let mut black = GrayImage::from_fn(SIZE[0], SIZE[1], |x, _| Luma([x as u8 % 2]));
        black = estimate(&black).normalised(&black);
        assert!(black.pixels().all(|pixel| pixel.0[0] <= 50));
    }
}
