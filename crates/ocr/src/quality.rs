//! How good the picture of a card is: figures from 0 to 1, each by a plain formula over the card's frame.

use image::{GrayImage, RgbImage};
use shenfen_core::{Quad, Quality, Side};

use crate::geometry::{Homography, area, intersection, rectangle, side_lengths};
use crate::illumination::Illumination;
use crate::locate::Located;
use crate::rectify::Frame;

/// Width and height of a card in millimetres (ISO/IEC 7810, ID-1, rounded as the card's standard has it).
pub(crate) const CARD: [f32; 2] = [85.6, 54.0];
/// Pixels per millimetre from which small type (2.65 mm) has more pixels than the networks use.
const FULL_RESOLUTION: f32 = 12.0;
/// Contrast of strokes in grey levels that makes a sharpness of 0: of noise on even paper; and of 1: of a good scan.
const STROKES: [f32; 2] = [2.0, 32.0];
/// Side of the blocks of a strip in which strokes are looked for: a third of an em, about a stroke and a gap.
const STROKE_BLOCK: usize = 8;
/// Rows and columns at each edge of a strip that are no type.
const STRIP_MARGIN: [usize; 2] = [4, 8];
/// The brightness of the darkest tenth of the paper that makes an exposure of 0, and of 1.
const LIT: [f32; 2] = [15.0, 80.0];
/// What is at least this bright is blown out.
const BLOWN: u8 = 250;
/// Where half of the paper is brighter than this, blown out paper is a bright picture's, and no glare.
const BRIGHT_PAPER: u8 = 235;
/// Side of the blocks that glare is counted in, in frame pixels: 1.4 mm.
const BLOCK: usize = 8;
/// The part of the card under glare from which the figure is 0.
const MOST_GLARE: f32 = 0.1;
/// The part of the frame that is card, a millimetre in from its edges: left, top, right, bottom.
const INSIDE: [u32; 4] = [16, 8, 496, 312];
/// The portrait; its ground is white: left, top, right, bottom.
const PORTRAIT: [usize; 4] = [312, 40, 480, 264];
/// Frame pixels per pixel in which colours are looked at.
const COARSE: f64 = 4.0;
/// Colourfulness, 0..255, below which a picture is grey.
const LEAST_COLOUR: f32 = 2.5;

/// The part of the card's frame in which colours are looked at: its middle, at a quarter of the resolution.
pub(crate) fn coarse_frame(frame: &Frame) -> Frame {
    let [left, top, right, bottom] = INSIDE.map(f64::from);
    let part = Homography::scale_and_move(COARSE, [left, top]);
    let [width, height] = [right - left, bottom - top].map(|side| (side / COARSE) as usize);
    Frame { to_picture: frame.to_picture.after(&part), width, height, samples: 1 }
}

/// What a card's quality is computed from.
pub(crate) struct QualityInput<'a> {
    /// The brightness in its frame (512 x 320).
    pub(crate) frame: &'a GrayImage,
    /// Its illumination.
    pub(crate) illumination: &'a Illumination,
    /// Its colours in the [`coarse_frame`].
    pub(crate) colours: &'a RgbImage,
    /// The [`stroke_contrast`] of its faintest line; 0 of none.
    pub(crate) lowest_contrast: f32,
    /// Its place in a picture of `size` pixels whose sides were divided by 2^`downscale_log2`.
    pub(crate) card: &'a Located,
    pub(crate) size: [u32; 2],
    pub(crate) downscale_log2: u32,
}

/// The quality of a card's picture.
pub(crate) fn assess(
    QualityInput { frame, illumination, colours, lowest_contrast, card, size, downscale_log2 }: QualityInput<'_>,
) -> Quality {
    let [left, top, right, bottom] = INSIDE;
    let inside = image::imageops::crop_imm(frame, left, top, right - left, bottom - top).to_image();
    let per_mm = pixels_per_mm(&card.quad);
    let of_paper = illumination.paper().filter(|(at, _)| shows_paper(*at, card.side));
    let paper = Histogram::of(of_paper.map(|(_, brightness)| brightness));
    Quality {
        sharpness: ((lowest_contrast - STROKES[0]) / (STROKES[1] - STROKES[0])).clamp(0.0, 1.0),
        exposure: exposure(&inside, &paper),
        glare: glare(frame, &paper, card.side),
        resolution: (per_mm * (1 << downscale_log2) as f32 / FULL_RESOLUTION).clamp(0.0, 1.0),
        completeness: completeness(&card.quad, size),
        monochrome: colourfulness(colours) < LEAST_COLOUR,
    }
}

/// Pixels of the picture per millimetre of the card, in the direction where there are fewer.
pub(crate) fn pixels_per_mm(quad: &Quad) -> f32 {
    let [width, height] = side_lengths(quad);
    (width / CARD[0]).min(height / CARD[1])
}

/// How much the strokes of a strip of type (32 pixels high) stand out, in grey levels: the spread of brightness within blocks
/// of a third of an em. Blur, too few pixels, little light and glare all lower it, as they lower what can be read. Pixels
/// are taken four at a time, so that noise counts little.
pub(crate) fn stroke_contrast(strip: &GrayImage) -> f32 {
    let (width, height) = (strip.width() as usize, strip.height() as usize);
    let starts = |length: usize, margin: usize| {
        (margin..(length - margin.min(length)).saturating_sub(STROKE_BLOCK - 1)).step_by(STROKE_BLOCK)
    };
    let (mut variance, mut blocks) = (0.0, 0);
    for y in starts(height, STRIP_MARGIN[0]) {
        for x in starts(width, STRIP_MARGIN[1]) {
            let (mut sum, mut squares) = (0_u32, 0_u32);
            for row in (y..y + STROKE_BLOCK).step_by(2) {
                let [upper, lower] = [row, row + 1].map(|row| &strip.as_raw()[row * width + x..][..STROKE_BLOCK]);
                for (above, below) in upper.chunks_exact(2).zip(lower.chunks_exact(2)) {
                    let four = above.iter().chain(below).map(|&value| u32::from(value)).sum::<u32>();
                    sum += four;
                    squares += four * four;
                }
            }
            let count = (STROKE_BLOCK / 2).pow(2) as f32;
            variance += squares as f32 / count - (sum as f32 / count).powi(2);
            blocks += 1;
        }
    }
    // Of sums of four: a quarter of their spread.
    (variance / blocks.max(1) as f32).max(0.0).sqrt() / 4.0
}

/// Whether a pixel of the frame lies on the card and beside the portrait of a front.
fn shows_paper([x, y]: [usize; 2], side: Side) -> bool {
    let within = |[left, top, right, bottom]: [usize; 4]| (left..right).contains(&x) && (top..bottom).contains(&y);
    within(INSIDE.map(|edge| edge as usize)) && !(side == Side::Front && within(PORTRAIT))
}

/// How often each brightness occurs.
struct Histogram([usize; 256]);

impl Histogram {
    fn of(values: impl Iterator<Item = u8>) -> Histogram {
        let mut counts = [0; 256];
        values.for_each(|value| counts[usize::from(value)] += 1);
        Histogram(counts)
    }

    /// The brightness below which so large a part lies; 0 of nothing.
    fn quantile(&self, part: f32) -> u8 {
        let mut left = (part * self.0.iter().sum::<usize>() as f32) as usize;
        let reaches = |&count: &usize| {
            let found = count > left;
            left = left.saturating_sub(count);
            found
        };
        self.0.iter().position(reaches).unwrap_or(0) as u8
    }
}

/// By the darkest tenth of the card's `paper`: 0 up to 15, where type cannot be told from paper, 1 from 80; and down to 0 again
/// where even the darkest tenth of all pixels is brighter than 200, to 245: nothing but white.
fn exposure(card: &GrayImage, paper: &Histogram) -> f32 {
    let pixels = Histogram::of(card.as_raw().iter().copied());
    let [paper, darkest] = [paper, &pixels].map(|all| f32::from(all.quantile(0.1)));
    let lit = ((paper - LIT[0]) / (LIT[1] - LIT[0])).clamp(0.0, 1.0);
    let washed_out = ((darkest - 200.0) / 45.0).clamp(0.0, 1.0);
    lit * (1.0 - washed_out)
}

/// 1 less the part of the card's blocks that are blown out throughout, relative to a tenth of the card, where its `paper` is not as
/// bright by itself.
fn glare(frame: &GrayImage, paper: &Histogram, side: Side) -> f32 {
    if paper.quantile(0.5) > BRIGHT_PAPER {
        return 1.0;
    }
    let [left, top, right, bottom] = INSIDE.map(|edge| edge as usize);
    let width = frame.width() as usize;
    let (mut blocks, mut blown) = (0, 0);
    for y in (top..bottom).step_by(BLOCK) {
        for x in (left..right).step_by(BLOCK).filter(|&x| shows_paper([x, y], side)) {
            blocks += 1;
            let rows = (y..y + BLOCK).map(|row| &frame.as_raw()[row * width + x..][..BLOCK]);
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
