//! Pixels of any frame: samples a picture through a homography, averaging where the picture is finer than the frame.

use std::borrow::Cow;

use image::{GrayImage, RgbImage};

use crate::contract::Resampling;
use crate::geometry::Homography;
use crate::multiversioned::multiversioned;

/// The weights of a sample's four pixels are in units of a 256th across and down, so they sum to this.
const WHOLE: u32 = 1 << 16;

/// A picture with its mip levels (each half the size of the one before), in colour and in grey, each made when first needed.
pub(crate) struct Picture<'a> {
    colour: Vec<Plane<'a, 3>>,
    grey: Vec<Option<Plane<'static, 1>>>,
}

/// Pixels of `C` bytes, row by row.
struct Plane<'a, const C: usize> {
    data: Cow<'a, [u8]>,
    width: usize,
    height: usize,
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
    /// How it is sampled.
    pub(crate) resampling: Resampling,
}

impl<'a> Picture<'a> {
    /// Wraps a picture of at least one pixel.
    pub(crate) fn new(source: &'a RgbImage) -> Picture<'a> {
        let (width, height) = (source.width() as usize, source.height() as usize);
        let data = Cow::Borrowed(source.as_raw().as_slice());
        Picture { colour: vec![Plane { data, width, height }], grey: Vec::new() }
    }

    /// Width and height in pixels.
    pub(crate) fn size(&self) -> [u32; 2] {
        [self.colour[0].width as u32, self.colour[0].height as u32]
    }

    /// Cuts a frame out.
    pub(crate) fn cut(&mut self, frame: &Frame) -> RgbImage {
        let sampling = Sampling::of(frame);
        let mut out = RgbImage::new(frame.width as u32, frame.height as u32);
        sample::<3>(self.colour(sampling.level), &sampling, frame.width, &mut out);
        out
    }

    /// Cuts a frame out of the picture's brightness, 0..255: 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).
    pub(crate) fn cut_grey(&mut self, frame: &Frame) -> GrayImage {
        let sampling = Sampling::of(frame);
        let mut out = GrayImage::new(frame.width as u32, frame.height as u32);
        sample::<1>(self.grey(sampling.level), &sampling, frame.width, &mut out);
        out
    }

    fn colour(&mut self, level: usize) -> &Plane<'a, 3> {
        while self.colour.len() <= level {
            let finest = &self.colour[self.colour.len() - 1];
            let (width, height) = (finest.width.div_ceil(2), finest.height.div_ceil(2));
            let mut data = vec![0; width * height * 3];
            let row = finest.width * 3;
            for (y, out) in data.chunks_exact_mut(width * 3).enumerate() {
                let lower = (2 * y + 1).min(finest.height - 1);
                halve_rows(&finest.data[2 * y * row..][..row], &finest.data[lower * row..][..row], out);
            }
            self.colour.push(Plane { data: Cow::Owned(data), width, height });
        }
        &self.colour[level]
    }

    fn grey(&mut self, level: usize) -> &Plane<'static, 1> {
        if self.grey.len() <= level {
            self.grey.resize_with(level + 1, || None);
        }
        if self.grey[level].is_none() {
            let Plane { data, width, height } = self.colour(level);
            let mut brightness = vec![0; width * height];
            brighten(data, &mut brightness);
            let (width, height) = (*width, *height);
            self.grey[level] = Some(Plane { data: Cow::Owned(brightness), width, height });
        }
        self.grey[level].as_ref().expect("made above")
    }
}

/// How a frame is sampled: from which level of the picture, with how many samples per pixel and direction, and where they
/// lie.
struct Sampling {
    outside: u8,
    level: usize,
    per_side: usize,
    /// From samples to pixels of the level.
    rows: [[f64; 3]; 3],
}

impl Sampling {
    fn of(frame: &Frame) -> Sampling {
        let Resampling { max_samples, slack, outside } = frame.resampling;
        // Picture pixels per frame pixel; half more than one sample each is still sharp enough without averaging.
        let ratio = frame.to_picture.stretch_at([frame.width as f32 / 2.0, frame.height as f32 / 2.0]);
        let mut level = 0;
        while ratio / (1 << level) as f32 > max_samples as f32 + slack && level < 15 {
            level += 1;
        }
        let shrink = 1.0 / f64::from(1_u32 << level);
        let per_side = (ratio * shrink as f32 - slack).ceil().clamp(1.0, max_samples as f32) as u32;
        let to_level = Homography::scale_and_move(shrink, [0.0; 2])
            .after(&frame.to_picture)
            .after(&Homography::scale_and_move(1.0 / f64::from(per_side), [0.0; 2]));
        Sampling { outside, level, per_side: per_side as usize, rows: to_level.rows() }
    }
}

multiversioned! {
    /// Half a pair of rows of 3-byte pixels by the mean of two by two; a last odd column counts twice.
    fn halve_rows(upper: &[u8], lower: &[u8], out: &mut [u8]) {
        let pairs = upper.chunks_exact(6).zip(lower.chunks_exact(6));
        for (pixel, (a, b)) in out.chunks_exact_mut(3).zip(pairs) {
            for c in 0..3 {
                let sum = u16::from(a[c]) + u16::from(a[c + 3]) + u16::from(b[c]) + u16::from(b[c + 3]);
                pixel[c] = ((sum + 2) / 4) as u8;
            }
        }
        if upper.len() % 6 == 3 {
            let (from, to) = (upper.len() - 3, out.len() - 3);
            for c in 0..3 {
                out[to + c] = (u16::from(upper[from + c]) + u16::from(lower[from + c])).div_ceil(2) as u8;
            }
        }
    }

    /// Brightness of 3-byte pixels.
    fn brighten(colour: &[u8], out: &mut [u8]) {
        for (out, pixel) in out.iter_mut().zip(colour.chunks_exact(3)) {
            let sum = 19595 * u32::from(pixel[0]) + 38470 * u32::from(pixel[1]) + 7471 * u32::from(pixel[2]);
            *out = ((sum + (1 << 15)) >> 16) as u8;
        }
    }

    /// Bilinear samples, `per_side` squared of them averaged for each pixel of a frame. In whole numbers: 255 x [`WHOLE`]
    /// leaves room for 256 samples.
    fn sample[const C: usize](plane: &Plane<C>, sampling: &Sampling, width: usize, out: &mut [u8]) {
        let per_side = sampling.per_side;
        let mut run = Run::default();
        if per_side == 1 {
            for (row, line) in out.chunks_exact_mut(width * C).enumerate() {
                let line = line.as_chunks_mut::<C>().0;
                let steps = sampling.along(row);
                for (number, pixels) in line.chunks_mut(RUN).enumerate() {
                    run.place(number * RUN, steps, plane);
                    for (i, pixel) in pixels.iter_mut().enumerate() {
                        let found = run.sample(i, plane, sampling.outside);
                        for c in 0..C {
                            pixel[c] = ((found[c] + WHOLE / 2) / WHOLE) as u8;
                        }
                    }
                }
            }
            return;
        }
        let mut sums = vec![[0_u32; C]; width];
        let share = 1.0 / (WHOLE as f32 * (per_side * per_side) as f32);
        for (row, line) in out.chunks_exact_mut(width * C).enumerate() {
            sums.fill([0; C]);
            for row in row * per_side..(row + 1) * per_side {
                let steps = sampling.along(row);
                let mut at = RUN;
                for (column, sum) in sums.iter_mut().enumerate() {
                    for sample in column * per_side..(column + 1) * per_side {
                        if at == RUN {
                            run.place(sample, steps, plane);
                            at = 0;
                        }
                        let found = run.sample(at, plane, sampling.outside);
                        at += 1;
                        for c in 0..C {
                            sum[c] += found[c];
                        }
                    }
                }
            }
            for (value, sum) in line.iter_mut().zip(sums.as_flattened()) {
                *value = (*sum as f32 * share + 0.5) as u8;
            }
        }
    }
}

impl Sampling {
    /// By how much numerators and denominator of the samples' places grow along a row of them, and where they begin.
    #[inline(always)]
    fn along(&self, row: usize) -> [[f32; 2]; 3] {
        let v = row as f64 + 0.5;
        self.rows.map(|r| [r[0] as f32, (r[0] * 0.5 + r[1] * v + r[2]) as f32])
    }
}

/// Neighbouring samples on a line whose places are computed together.
const RUN: usize = 16;

/// Where they lie.
#[derive(Default)]
struct Run {
    x: [f32; RUN],
    y: [f32; RUN],
    /// For samples with four pixels around them: the first byte of the upper left one, and the weights of the right and of
    /// the lower ones in units of a 256th. Elsewhere the byte is `OUTSIDE`.
    at: [u32; RUN],
    right: [u32; RUN],
    lower: [u32; RUN],
}

const OUTSIDE: u32 = u32::MAX;

impl Run {
    /// Places samples `first..` of a line; `steps` says of numerators and denominator by how much they grow, and where
    /// they begin.
    #[inline(always)]
    fn place<const C: usize>(&mut self, first: usize, [[dx, x0], [dy, y0], [dw, w0]]: [[f32; 2]; 3], plane: &Plane<C>) {
        let (most_x, most_y) = ((plane.width - 1) as f32, (plane.height - 1) as f32);
        for i in 0..RUN {
            let u = (first + i) as f32;
            let scale = 1.0 / (w0 + dw * u);
            self.x[i] = (x0 + dx * u) * scale - 0.5;
            self.y[i] = (y0 + dy * u) * scale - 0.5;
        }
        for i in 0..RUN {
            let (x, y) = (self.x[i], self.y[i]);
            let inside = (x >= 0.0) & (y >= 0.0) & (x < most_x) & (y < most_y);
            let (x, y) = (if inside { x } else { 0.0 }, if inside { y } else { 0.0 });
            // A whole number may count as all of its pixel or all of the one before; that is the same.
            let ((left, left_number), (top, top_number)) = (rounded(x - 0.5), rounded(y - 0.5));
            self.right[i] = rounded((x - left_number) * 256.0).0;
            self.lower[i] = rounded((y - top_number) * 256.0).0;
            let at = (top * plane.width as u32 + left) * C as u32;
            self.at[i] = if inside { at } else { OUTSIDE };
        }
    }

    /// The plane at sample `i`, times [`WHOLE`]. Beyond the border, and where the map has no value, `outside`.
    #[inline(always)]
    fn sample<const C: usize>(&self, i: usize, plane: &Plane<C>, outside: u8) -> [u32; C] {
        if self.at[i] == OUTSIDE {
            return at_the_border(plane, self.x[i], self.y[i], outside);
        }
        let at = self.at[i] as usize;
        let (upper, lower) = (&plane.data[at..at + 2 * C], &plane.data[at + plane.width * C..][..2 * C]);
        let (right, below) = (self.right[i], self.lower[i]);
        let mut found = [0; C];
        for c in 0..C {
            let upper = u32::from(upper[c]) * (256 - right) + u32::from(upper[c + C]) * right;
            let lower = u32::from(lower[c]) * (256 - right) + u32::from(lower[c + C]) * right;
            found[c] = upper * (256 - below) + lower * below;
        }
        found
    }
}

/// To the nearest whole number, for numbers from -0.5 to 2^22: as an integer and as it was. By the lowest bits of a sum,
/// because a conversion that has to think of other numbers is no vector instruction.
#[inline(always)]
fn rounded(value: f32) -> (u32, f32) {
    const ROUND: f32 = 12_582_912.0;
    let sum = value + ROUND;
    (sum.to_bits() & 0x3F_FFFF, sum - ROUND)
}

#[cold]
fn at_the_border<const C: usize>(plane: &Plane<C>, x: f32, y: f32, outside: u8) -> [u32; C] {
    let (width, height) = (plane.width as f32, plane.height as f32);
    if !(x > -1.0 && y > -1.0 && x < width && y < height) {
        return [u32::from(outside) * WHOLE; C];
    }
    let (left, top) = (x.floor(), y.floor());
    let [right, lower] = [x - left, y - top].map(|part| (part * 256.0) as u32);
    std::array::from_fn(|c| {
        let at = |x: f32, y: f32| {
            let inside = x >= 0.0 && y >= 0.0 && x < width && y < height;
            u32::from(if inside { plane.data[(y as usize * plane.width + x as usize) * C + c] } else { outside })
        };
        let across = |y: f32| at(left, y) * (256 - right) + at(left + 1.0, y) * right;
        across(top) * (256 - lower) + across(top + 1.0) * lower
    })
}

#[cfg(test)]
mod tests;
