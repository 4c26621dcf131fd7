//! JPEG pictures at a half or a quarter of their size, straight from their frequencies (ITU T.81).
//!
//! Photos of 12 and more megapixels have several times the pixels that reading a card takes. Here the high frequencies of a
//! block are passed over, so that most of the work and of the memory of a decoded picture is saved. Baseline pictures with
//! one scan, in grey or YCbCr, which is what cameras write; of any other, and of damaged ones, the full decoder has to judge.

mod entropy;
mod header;
mod transform;

use image::RgbImage;

use entropy::Bits;
use header::{Component, Header};
use transform::{Transform, rgb_of_greys, rgb_of_rows};

/// The most halvings that [`halved`] knows.
pub(super) const MOST_HALVINGS: u32 = 2;

/// A picture of `size` pixels so often halved, each side rounded up, or `None` when that takes the full decoder.
pub(super) fn halved(bytes: &[u8], size: [u32; 2], halvings: u32) -> Option<RgbImage> {
    let (header, scan) = Header::of(bytes)?;
    let pixels = match halvings {
        _ if header.size != size.map(|side| side as usize) => None,
        1 => decode::<4>(&header, scan),
        MOST_HALVINGS => decode::<2>(&header, scan),
        _ => None,
    };
    let [width, height] = size.map(|side| side.div_ceil(1 << halvings));
    RgbImage::from_raw(width, height, pixels?)
}

/// Decodes a scan with `N` pixels for the eight of a block's side.
fn decode<const N: usize>(header: &Header, scan: &[u8]) -> Option<Vec<u8>>
where
    Transform<N>: transform::Inverse<N>,
{
    let [width, height] = header.size.map(|side| side.div_ceil(8 / N));
    let mut pixels = vec![0; width * height * 3];
    let [units_across, units_down] = header.units();
    let mut planes: Vec<Plane<N>> = header.components.iter().map(|part| Plane::new(part, units_across)).collect();
    let mut bits = Bits::new(scan);
    let mut restart = Restarts { every: header.restart_interval, done: 0 };
    let rows_of_units = pixels.chunks_mut(header.most[1] * N * width * 3);
    for rows in rows_of_units.take(units_down) {
        for unit in 0..units_across {
            restart.before_a_unit(&mut bits, &mut planes)?;
            for plane in &mut planes {
                plane.read_unit(unit, &mut bits)?;
            }
            if bits.overran() {
                return None;
            }
        }
        colour(&mut planes, header.most, rows, width);
    }
    Some(pixels)
}

/// How far a scan is from where its decoder begins afresh.
struct Restarts {
    every: usize,
    done: usize,
}

impl Restarts {
    fn before_a_unit<const N: usize>(&mut self, bits: &mut Bits, planes: &mut [Plane<N>]) -> Option<()> {
        if self.every > 0 && self.done > 0 && self.done.is_multiple_of(self.every) {
            bits.restart(self.done / self.every - 1)?;
            planes.iter_mut().for_each(|plane| plane.level = 0);
        }
        self.done += 1;
        Some(())
    }
}

/// One component of a row of units (MCUs).
struct Plane<'a, const N: usize> {
    component: &'a Component,
    transform: Transform<N>,
    /// The mean brightness of the block before, in quantisation steps: blocks tell the difference only.
    level: i32,
    pixels: Vec<u8>,
    stride: usize,
    /// A row of it as wide as the picture.
    widened: Vec<u8>,
}

impl<'a, const N: usize> Plane<'a, N>
where
    Transform<N>: transform::Inverse<N>,
{
    fn new(component: &'a Component, units_across: usize) -> Plane<'a, N> {
        let [across, down] = component.blocks;
        let stride = units_across * across * N;
        let transform = Transform::new(&component.steps);
        Plane { component, transform, level: 0, pixels: vec![0; stride * down * N], stride, widened: Vec::new() }
    }

    fn read_unit(&mut self, unit: usize, bits: &mut Bits) -> Option<()> {
        let [across, down] = self.component.blocks;
        for row in 0..down {
            for column in 0..across {
                let block = self.transform.read_block(self.component, &mut self.level, bits)?;
                let at = row * N * self.stride + (unit * across + column) * N;
                for (line, values) in block.iter().enumerate() {
                    self.pixels[at + line * self.stride..][..N].copy_from_slice(values);
                }
            }
        }
        Some(())
    }

    /// Row `y` of the unit row's pixels, each value as often as the picture has pixels for it.
    fn row(&mut self, y: usize, most: [usize; 2]) -> &[u8] {
        let [times, times_down] = [0, 1].map(|axis| most[axis] / self.component.blocks[axis]);
        let row = &self.pixels[y / times_down * self.stride..][..self.stride];
        match times {
            1 => row,
            2 => {
                self.widened.resize(self.stride * 2, 0);
                self.widened.as_chunks_mut::<2>().0.iter_mut().zip(row).for_each(|(pair, &value)| *pair = [value; 2]);
                &self.widened
            }
            _ => {
                self.widened.clear();
                self.widened.extend(row.iter().flat_map(|&value| std::iter::repeat_n(value, times)));
                &self.widened
            }
        }
    }
}

/// Fills rows of the picture from a row of units.
fn colour<const N: usize>(planes: &mut [Plane<N>], most: [usize; 2], rows: &mut [u8], width: usize)
where
    Transform<N>: transform::Inverse<N>,
{
    for (y, out) in rows.chunks_exact_mut(width * 3).enumerate() {
        match planes {
            [grey] => rgb_of_greys(grey.row(y, most), out),
            [brightness, blue, red] => rgb_of_rows(brightness.row(y, most), blue.row(y, most), red.row(y, most), out),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
