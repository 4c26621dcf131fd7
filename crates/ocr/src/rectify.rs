//! Pixels of any frame: samples a picture through a homography, averaging where the picture is finer than the frame.

use std::borrow::Cow;

use image::RgbImage;

use crate::geometry::Homography;

/// What stands outside a picture: 0 once normalised to -1..1.
const MID_GREY: u8 = 128;
/// The weights of a sample's four pixels are in units of a 256th across and down, so they sum to this.
const WHOLE: u32 = 1 << 16;

/// A picture with its halvings, each made when first needed.
pub(crate) struct Picture<'a> {
    levels: Vec<Cow<'a, RgbImage>>,
}

/// A frame to cut from a picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// From the frame's pixels to the picture's.
    pub(crate) to_picture: Homography,
    /// Width in pixels.
    pub(crate) width: usize,
    /// Height in pixels.
    pub(crate) height: usize,
    /// The most samples per pixel and direction. A coarser level of the picture serves where that is not enough, so more
    /// samples mean more sharpness and more time.
    pub(crate) samples: u32,
}

impl<'a> Picture<'a> {
    /// Wraps a picture of at least one pixel.
    pub(crate) fn new(source: &'a RgbImage) -> Picture<'a> {
        Picture { levels: vec![Cow::Borrowed(source)] }
    }

    /// Width and height in pixels.
    pub(crate) fn size(&self) -> [u32; 2] {
        [self.levels[0].width(), self.levels[0].height()]
    }

    /// Cuts a frame out. What lies outside the picture is mid grey.
    pub(crate) fn cut(&mut self, frame: &Frame) -> RgbImage {
        // Picture pixels per frame pixel; a third more than one sample each is still sharp enough without averaging.
        let ratio = frame.to_picture.stretch_at([frame.width as f32 / 2.0, frame.height as f32 / 2.0]);
        let mut level = 0;
        while ratio / (1 << level) as f32 > frame.samples as f32 + 0.3 && level < 15 {
            level += 1;
        }
        let shrink = 1.0 / f64::from(1_u32 << level);
        let per_side = (ratio * shrink as f32 - 0.3).ceil().clamp(1.0, frame.samples as f32) as u32;
        let to_level = Homography::scale_and_move(shrink, [0.0; 2])
            .after(&frame.to_picture)
            .after(&Homography::scale_and_move(1.0 / f64::from(per_side), [0.0; 2]));
        sample(self.level(level), &to_level, [frame.width, frame.height], per_side as usize)
    }

    fn level(&mut self, level: usize) -> &RgbImage {
        while self.levels.len() <= level {
            let next = halved(&self.levels[self.levels.len() - 1]);
            self.levels.push(Cow::Owned(next));
        }
        &self.levels[level]
    }
}

/// Half the size, rounded up, by the mean of two by two; a last odd row or column counts twice.
fn halved(source: &RgbImage) -> RgbImage {
    let (width, height) = (source.width() as usize, source.height() as usize);
    let row = |y: usize| &source.as_raw()[y * width * 3..][..width * 3];
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let mut out = RgbImage::new(half_width as u32, half_height as u32);
    for (y, target) in out.chunks_exact_mut(half_width * 3).enumerate() {
        let (upper, lower) = (row(2 * y), row((2 * y + 1).min(height - 1)));
        let pairs = upper.chunks_exact(6).zip(lower.chunks_exact(6));
        for (pixel, (a, b)) in target.chunks_exact_mut(3).zip(pairs) {
            for c in 0..3 {
                let sum = u16::from(a[c]) + u16::from(a[c + 3]) + u16::from(b[c]) + u16::from(b[c + 3]);
                pixel[c] = ((sum + 2) / 4) as u8;
            }
        }
        if width % 2 == 1 {
            for c in 0..3 {
                let at = (width - 1) * 3 + c;
                target[(half_width - 1) * 3 + c] = (u16::from(upper[at]) + u16::from(lower[at])).div_ceil(2) as u8;
            }
        }
    }
    out
}

/// Bilinear samples through `map`, which takes sample coordinates to the picture's, `per_side` squared of them averaged
/// for each pixel. In whole numbers: 255 x [`WHOLE`] leaves room for 256 samples.
fn sample(picture: &RgbImage, map: &Homography, [width, height]: [usize; 2], per_side: usize) -> RgbImage {
    let mut out = RgbImage::new(width as u32, height as u32);
    let mut sums = vec![0_u32; width * 3];
    let share = 1.0 / (WHOLE as f32 * (per_side * per_side) as f32);
    let [x_row, y_row, w_row] = map.rows();
    for (row, line) in out.chunks_exact_mut(width * 3).enumerate() {
        sums.fill(0);
        for v in (row * per_side..(row + 1) * per_side).map(|v| v as f64 + 0.5) {
            // Along a line of samples numerator and denominator grow by constants.
            let start = |r: [f64; 3]| [r[0] as f32, (r[0] * 0.5 + r[1] * v + r[2]) as f32];
            let ([dx, x0], [dy, y0], [dw, w0]) = (start(x_row), start(y_row), start(w_row));
            for (column, sum) in sums.chunks_exact_mut(3).enumerate() {
                for u in (column * per_side..(column + 1) * per_side).map(|u| u as f32) {
                    let scale = 1.0 / (w0 + dw * u);
                    let found = bilinear(picture, (x0 + dx * u) * scale - 0.5, (y0 + dy * u) * scale - 0.5);
                    sum.iter_mut().zip(found).for_each(|(sum, value)| *sum += value);
                }
            }
        }
        line.iter_mut().zip(&sums).for_each(|(value, sum)| *value = (*sum as f32 * share + 0.5) as u8);
    }
    out
}

/// The picture at a point between the middles of its pixels, times [`WHOLE`]. Beyond the border, and where the map has
/// no value, mid grey.
#[inline]
fn bilinear(picture: &RgbImage, x: f32, y: f32) -> [u32; 3] {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let raw = picture.as_raw();
    if x >= 0.0 && y >= 0.0 && x < (width - 1) as f32 && y < (height - 1) as f32 {
        let (left, top) = (x as usize, y as usize);
        let at = (top * width + left) * 3;
        let (upper, lower) = (&raw[at..at + 6], &raw[at + width * 3..at + width * 3 + 6]);
        let weights = weights(x - left as f32, y - top as f32);
        std::array::from_fn(|c| blend(weights, [upper[c], upper[c + 3], lower[c], lower[c + 3]]))
    } else if x > -1.0 && y > -1.0 && x < width as f32 && y < height as f32 {
        let (left, top) = (x.floor(), y.floor());
        let at = |x: f32, y: f32, c: usize| {
            let inside = x >= 0.0 && y >= 0.0 && x < width as f32 && y < height as f32;
            if inside { raw[(y as usize * width + x as usize) * 3 + c] } else { MID_GREY }
        };
        let weights = weights(x - left, y - top);
        std::array::from_fn(|c| {
            blend(
                weights,
                [at(left, top, c), at(left + 1.0, top, c), at(left, top + 1.0, c), at(left + 1.0, top + 1.0, c)],
            )
        })
    } else {
        [u32::from(MID_GREY) * WHOLE; 3]
    }
}

/// The weights of the four pixels around a point, from where it lies between them, 0..1 across and down.
#[inline]
fn weights(across: f32, down: f32) -> [u32; 4] {
    let [right, lower] = [across, down].map(|part| (part * 256.0) as u32);
    let [left, upper] = [256 - right, 256 - lower];
    [upper * left, upper * right, lower * left, lower * right]
}

#[inline]
fn blend(weights: [u32; 4], pixels: [u8; 4]) -> u32 {
    weights.iter().zip(pixels).map(|(weight, pixel)| weight * u32::from(pixel)).sum()
}

/// Brightness of each pixel, 0..255: 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).
pub(crate) fn grey(picture: &RgbImage) -> Vec<f32> {
    let brightness =
        |pixel: &[u8]| 0.299 * f32::from(pixel[0]) + 0.587 * f32::from(pixel[1]) + 0.114 * f32::from(pixel[2]);
    picture.as_raw().chunks_exact(3).map(brightness).collect()
}

/// 0..255 to -1..1, as the networks expect pixels.
pub(crate) fn normalised(value: f32) -> f32 {
    value / 127.5 - 1.0
}

#[cfg(test)]
mod tests;
