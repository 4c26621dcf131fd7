//! How good the picture of a card is: figures from 0 to 1, each by a plain formula over the card's frame.

use image::RgbImage;
use shenfen_core::{Quad, Quality, Side};

use crate::geometry::{area, intersection, rectangle, side_lengths};
use crate::lines::FRAME_CARD;
use crate::rectify::grey;

/// Width and height of a card in millimetres (ISO/IEC 7810, ID-1, rounded as the card's standard has it).
const CARD: [f32; 2] = [85.6, 54.0];
/// Pixels per millimetre from which small type (2.65 mm) has more pixels than the networks use.
const FULL_RESOLUTION: f32 = 12.0;
/// A change of brightness over two pixels that is an edge and not noise.
const EDGE: f32 = 24.0;
/// Fewer edge pixels than this say nothing of sharpness: a card full of print has thousands.
const LEAST_EDGES: usize = 100;
/// A channel at least this bright is blown out.
const BLOWN: u8 = 250;
/// Side of the blocks that glare is counted in, in frame pixels: 1.4 mm.
const BLOCK: usize = 8;
/// The part of the card under glare from which the figure is 0.
const MOST_GLARE: f32 = 0.1;
/// The part of the frame that is card, a millimetre in from its edges: left, top, right, bottom.
const INSIDE: [u32; 4] = [16, 8, 496, 312];
/// The portrait within that part; its ground is white: left, top, right, bottom.
const PORTRAIT: [usize; 4] = [296, 32, 464, 256];
/// Colourfulness, 0..255, below which a picture is grey.
const LEAST_COLOUR: f32 = 2.5;

/// Judges a card by its rectified frame (512 x 320) and its corners in a picture of `size` pixels.
pub(crate) fn judge(frame: &RgbImage, quad: &Quad, side: Side, size: [u32; 2]) -> Quality {
    let [left, top, right, bottom] = INSIDE;
    let card = image::imageops::crop_imm(frame, left, top, right - left, bottom - top).to_image();
    let brightness = grey(&card);
    let per_mm = density(quad);
    let frame_per_mm = side_lengths(&FRAME_CARD)[0] / CARD[0];
    // In a frame finer than the picture neighbours are alike however sharp the picture is: look further.
    let reach = (frame_per_mm / per_mm).round().clamp(1.0, 8.0) as usize;
    Quality {
        sharpness: sharpness(&brightness, card.width() as usize, reach),
        exposure: exposure(&brightness),
        glare: glare(&card, side),
        resolution: (per_mm / FULL_RESOLUTION).clamp(0.0, 1.0),
        completeness: completeness(quad, size),
        monochrome: colourfulness(&card) < LEAST_COLOUR,
    }
}

/// Pixels of the picture per millimetre of the card, in the direction where there are fewer.
fn density(quad: &Quad) -> f32 {
    let [width, height] = side_lengths(quad);
    (width / CARD[0]).min(height / CARD[1])
}

/// How abruptly brightness changes at edges: the sum of second differences over that of first differences, along rows.
///
/// A step gives 1, an edge blurred by a Gaussian of s pixels 0.4 / s. The figure runs from 0 at 0.1 (s = 4 pixels, type
/// is unreadable) to 1 at 0.5.
fn sharpness(grey: &[f32], width: usize, reach: usize) -> f32 {
    let (mut first, mut second, mut edges) = (0.0_f32, 0.0_f32, 0);
    for row in grey.chunks_exact(width) {
        let neighbours = row.iter().zip(&row[reach..]).zip(&row[2 * reach..]);
        for ((left, here), right) in neighbours {
            let change = (right - left).abs();
            if change > EDGE {
                first += change;
                second += (left + right - 2.0 * here).abs();
                edges += 1;
            }
        }
    }
    if edges < LEAST_EDGES { 0.0 } else { ((second / first - 0.1) / 0.4).clamp(0.0, 1.0) }
}

/// 0 where the card's paper (its 90th percentile of brightness) is darker than 40, 1 from 120; and down to 0 again where
/// even its 10th percentile is brighter than 200, to 245: nothing but white.
fn exposure(grey: &[f32]) -> f32 {
    let mut counts = [0_usize; 256];
    grey.iter().for_each(|&value| counts[value.clamp(0.0, 255.0) as usize] += 1);
    let percentile = |part: f32| {
        let mut left = (part * grey.len() as f32) as usize;
        counts.iter().position(|&count| {
            let found = count > left;
            left = left.saturating_sub(count);
            found
        })
    };
    let [dark, paper] = [0.1, 0.9].map(|part| percentile(part).unwrap_or(0) as f32);
    let lit = ((paper - 40.0) / 80.0).clamp(0.0, 1.0);
    let washed_out = ((dark - 200.0) / 45.0).clamp(0.0, 1.0);
    lit * (1.0 - washed_out)
}

/// 1 less the part of the card's blocks that are blown out throughout, relative to a tenth of the card.
fn glare(card: &RgbImage, side: Side) -> f32 {
    let [left, top, right, bottom] = PORTRAIT;
    let (width, height) = (card.width() as usize, card.height() as usize);
    let (mut blocks, mut blown) = (0, 0);
    for y in (0..height / BLOCK).map(|y| y * BLOCK) {
        for x in (0..width / BLOCK).map(|x| x * BLOCK) {
            if side == Side::Front && (left..right).contains(&x) && (top..bottom).contains(&y) {
                continue;
            }
            blocks += 1;
            let rows = (y..y + BLOCK).map(|row| &card.as_raw()[(row * width + x) * 3..][..BLOCK * 3]);
            blown += usize::from(rows.flatten().all(|&value| value >= BLOWN));
        }
    }
    (1.0 - blown as f32 / blocks.max(1) as f32 / MOST_GLARE).clamp(0.0, 1.0)
}

/// The part of the card's area that lies in the picture.
fn completeness(quad: &Quad, [width, height]: [u32; 2]) -> f32 {
    let picture = rectangle(0.0, 0.0, width as f32, height as f32);
    (area(&intersection(quad, &picture)) / area(quad)).clamp(0.0, 1.0)
}

/// Mean distance of red and of blue from green, once both are scaled to green's mean: the light's cast is no colour.
fn colourfulness(card: &RgbImage) -> f32 {
    let pixels = || card.as_raw().chunks_exact(3).map(|pixel| [pixel[0], pixel[1], pixel[2]].map(f32::from));
    let sums = pixels().fold([1.0_f32; 3], |sums, [r, g, b]| [sums[0] + r, sums[1] + g, sums[2] + b]);
    let (red, blue) = (sums[1] / sums[0], sums[1] / sums[2]);
    let total: f32 = pixels().map(|[r, g, b]| (r * red - g).abs() + (b * blue - g).abs()).sum();
    total / (2.0 * (card.as_raw().len() / 3).max(1) as f32)
}

#[cfg(test)]
mod tests;
