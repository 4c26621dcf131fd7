//! Baseline JPEG pictures in grey or YCbCr (ITU T.81), straight from their DCT coefficients.
//!
//! Photos of 12 and more megapixels have several times the pixels that reading a card takes. Decoded at a half or a quarter of
//! their size, the high frequencies of a block are skipped, which saves most of the work and of the memory of a decoded
//! picture. Pictures whose components stand in separate scans are decoded here at full size, too: the general decoder gets
//! those with subsampled colours wrong. Of any other picture, and of damaged ones, the general decoder has to judge.

mod completeness;
mod entropy;
mod frame;
mod header;
mod separate;
mod transform;
mod upsample;

use image::RgbImage;

pub(super) use completeness::check;
pub(super) use frame::Frame;

use entropy::Bits;
use header::{Component, Scan, Scans};
use transform::{Transform, rgb_of_greys, rgb_of_rows};

/// The largest `downscale_log2` of [`decode`].
pub(super) const MAX_DOWNSCALE_LOG2: u32 = 2;

/// A picture of `size` pixels, each side divided by 2^`downscale_log2` and rounded up; `None` when that takes the general
/// decoder.
pub(crate) fn decode(bytes: &[u8], size: [u32; 2], downscale_log2: u32) -> Option<RgbImage> {
    let scan = Scans::of(bytes)?.next()?;
    let pixels = match downscale_log2 {
        _ if scan.size != size.map(|side| side as usize) => None,
        1 if scan.is_whole() => decode_scan::<4>(&scan),
        MAX_DOWNSCALE_LOG2 if scan.is_whole() => decode_scan::<2>(&scan),
        0 => separate::decode::<8>(bytes),
        1 => separate::decode::<4>(bytes),
        MAX_DOWNSCALE_LOG2 => separate::decode::<2>(bytes),
        _ => None,
    };
    let [width, height] = size.map(|side| side.div_ceil(1 << downscale_log2));
    RgbImage::from_raw(width, height, pixels?)
}

/// Whether the picture's components stand in separate scans, and are decoded here whatever the size.
pub(super) fn has_separate_scans(bytes: &[u8]) -> bool {
    Scans::of(bytes).and_then(|mut scans| scans.next()).is_some_and(|scan| !scan.is_whole())
}

/// Decodes a scan of all components, a row of MCUs at a time, with `N` pixels for the eight of a block's side.
fn decode_scan<const N: usize>(scan: &Scan) -> Option<Vec<u8>>
where
    Transform<N>: transform::Inverse<N>,
{
    let [width, height] = scan.size.map(|side| side.div_ceil(8 / N));
    let mut pixels = vec![0; width * height * 3];
    let [mcus_across, mcus_down] = scan.mcus();
    let mut planes: Vec<Plane<N>> = scan.components.iter().map(|part| Plane::new(part, [mcus_across, 1])).collect();
    let mut bits = Bits::new(scan.bytes);
    let mut restart = Restarts { every: scan.restart_interval, done: 0 };
    let mcu_rows = pixels.chunks_mut(scan.max_sampling[1] * N * width * 3);
    for rows in mcu_rows.take(mcus_down) {
        for mcu in 0..mcus_across {
            restart.before_mcu(&mut bits, &mut planes)?;
            for plane in &mut planes {
                plane.read_mcu([mcu, 0], &mut bits)?;
            }
            if bits.overran() {
                return None;
            }
        }
        colour(&mut planes, scan.max_sampling, rows, width);
    }
    Some(pixels)
}

/// How far a scan is from where its decoder begins afresh.
struct Restarts {
    every: usize,
    done: usize,
}

impl Restarts {
    fn before_mcu<const N: usize>(&mut self, bits: &mut Bits, planes: &mut [Plane<N>]) -> Option<()> {
        if self.every > 0 && self.done > 0 && self.done.is_multiple_of(self.every) {
            bits.restart(self.done / self.every - 1)?;
            planes.iter_mut().for_each(|plane| plane.dc = 0);
        }
        self.done += 1;
        Some(())
    }
}

/// One component of some rows of MCUs.
struct Plane<'a, const N: usize> {
    component: &'a Component,
    transform: Transform<N>,
    /// The DC coefficient of the previous block, quantised: blocks store the difference to it.
    dc: i32,
    pixels: Vec<u8>,
    stride: usize,
    /// A row upsampled to the picture's width.
    upsampled: Vec<u8>,
}

impl<'a, const N: usize> Plane<'a, N>
where
    Transform<N>: transform::Inverse<N>,
{
    /// Room for so many MCUs across and down.
    fn new(component: &'a Component, mcus: [usize; 2]) -> Plane<'a, N> {
        let [across, down] = component.sampling;
        let stride = mcus[0] * across * N;
        let pixels = vec![0; stride * mcus[1] * down * N];
        Plane {
            component,
            transform: Transform::new(&component.quantisation),
            dc: 0,
            pixels,
            stride,
            upsampled: Vec::new(),
        }
    }

    /// Reads the component's blocks of an MCU of a scan with several components.
    #[inline(always)]
    fn read_mcu(&mut self, mcu: [usize; 2], bits: &mut Bits) -> Option<()> {
        let [across, down] = self.component.sampling;
        for row in 0..down {
            for column in 0..across {
                self.read_block([mcu[0] * across + column, mcu[1] * down + row], bits)?;
            }
        }
        Some(())
    }

    /// Reads the block in this column and row of blocks.
    #[inline(always)]
    fn read_block(&mut self, [column, row]: [usize; 2], bits: &mut Bits) -> Option<()> {
        let block = self.transform.read_block(self.component, &mut self.dc, bits)?;
        let at = row * N * self.stride + column * N;
        for (line, values) in block.iter().enumerate() {
            self.pixels[at + line * self.stride..][..N].copy_from_slice(values);
        }
        Some(())
    }

    /// Row `y` of its pixels, each value as often as the picture has pixels for it.
    fn row(&mut self, y: usize, max_sampling: [usize; 2]) -> &[u8] {
        let [times, times_down] = [0, 1].map(|axis| max_sampling[axis] / self.component.sampling[axis]);
        let row = &self.pixels[y / times_down * self.stride..][..self.stride];
        match times {
            1 => row,
            2 => {
                self.upsampled.resize(self.stride * 2, 0);
                self.upsampled.as_chunks_mut::<2>().0.iter_mut().zip(row).for_each(|(pair, &value)| *pair = [value; 2]);
                &self.upsampled
            }
            _ => {
                self.upsampled.clear();
                self.upsampled.extend(row.iter().flat_map(|&value| std::iter::repeat_n(value, times)));
                &self.upsampled
            }
        }
    }
}

/// Fills rows of the picture from a row of MCUs.
fn colour<const N: usize>(planes: &mut [Plane<N>], max_sampling: [usize; 2], rows: &mut [u8], width: usize)
where
    Transform<N>: transform::Inverse<N>,
{
    for (y, out) in rows.chunks_exact_mut(width * 3).enumerate() {
        match planes {
            [grey] => rgb_of_greys(grey.row(y, max_sampling), out),
            [brightness, blue, red] => {
                rgb_of_rows(brightness.row(y, max_sampling), blue.row(y, max_sampling), red.row(y, max_sampling), out)
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
