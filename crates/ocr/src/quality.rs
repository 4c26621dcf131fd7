//! How good the picture of a card is: figures from 0 to 1, each by a plain formula over the card's frame.

use image::{GrayImage, RgbImage};
use shenfen_core::{Quad, Quality, Side};

use crate::geometry::{Homography, area, intersection, rectangle, side_lengths};
use crate::illumination::Illumination;
use crate::locate::Located;
use crate::parameters::quality::{
    BLOCK, BLOWN, BRIGHT_PAPER, COARSE, FULL_RESOLUTION, INSIDE, LEAST_COLOUR, LIT, MOST_GLARE, PORTRAIT, STRIP_MARGIN,
    STROKE_BLOCK, STROKES, WASHED_OUT,
};
use crate::rectify::Frame;

/// The part of the card's frame in which colours are measured: its middle, at a quarter of the resolution.
pub(crate) fn coarse_frame(frame: &Frame) -> Frame {
    let [left, top, right, bottom] = region(INSIDE, [frame.width, frame.height]).map(|edge| edge as f64);
    let part = Homography::scale_and_move(COARSE, [left, top]);
    let [width, height] = [right - left, bottom - top].map(|side| (side / COARSE) as usize);
    Frame { to_picture: frame.to_picture.after(&part), width, height, ..*frame }
}

/// A region of a frame of a size in pixels, from shares of the frame's width and height: left, top, right, bottom.
fn region(shares: [f32; 4], [width, height]: [usize; 2]) -> [usize; 4] {
    let [x, y] = [width as f32, height as f32];
    let [left, top, right, bottom] = shares;
    [left * x, top * y, right * x, bottom * y].map(|edge| edge.round() as usize)
}

/// What a card's quality is computed from.
pub(crate) struct QualityInput<'a> {
    /// The brightness in its frame.
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
    /// Width and height of a card in millimetres.
    pub(crate) card_mm: [f32; 2],
    pub(crate) downscale_log2: u32,
}

/// The quality of a card's picture.
pub(crate) fn assess(
    QualityInput { frame, illumination, colours, lowest_contrast, card, size, card_mm, downscale_log2 }: QualityInput<
        '_,
    >,
) -> Quality {
    let paper_area = PaperArea::of(frame, card.side);
    let [left, top, right, bottom] = paper_area.inside.map(|edge| edge as u32);
    let inside = image::imageops::crop_imm(frame, left, top, right - left, bottom - top).to_image();
    let per_mm = pixels_per_mm(&card.quad, card_mm);
    let of_paper = illumination.paper().filter(|(at, _)| paper_area.contains(*at));
    let paper = Histogram::of(of_paper.map(|(_, brightness)| brightness));
    Quality {
        sharpness: ((lowest_contrast - STROKES[0]) / (STROKES[1] - STROKES[0])).clamp(0.0, 1.0),
        exposure: exposure(&inside, &paper),
        glare: glare(frame, &paper, &paper_area),
        resolution: (per_mm * (1 << downscale_log2) as f32 / FULL_RESOLUTION).clamp(0.0, 1.0),
        completeness: completeness(&card.quad, size),
        monochrome: colourfulness(colours) < LEAST_COLOUR,
    }
}

/// Pixels of the picture per millimetre of the card, in the direction where there are fewer.
pub(crate) fn pixels_per_mm(quad: &Quad, card_mm: [f32; 2]) -> f32 {
    let [width, height] = side_lengths(quad);
    (width / card_mm[0]).min(height / card_mm[1])
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

/// Where a card's frame shows paper: a little in from the card's edges, and beside the portrait of a front.
struct PaperArea {
    inside: [usize; 4],
    portrait: Option<[usize; 4]>,
}

impl PaperArea {
    fn of(frame: &GrayImage, side: Side) -> PaperArea {
        let size = [frame.width() as usize, frame.height() as usize];
        PaperArea { inside: region(INSIDE, size), portrait: (side == Side::Front).then(|| region(PORTRAIT, size)) }
    }

    fn contains(&self, [x, y]: [usize; 2]) -> bool {
        let within = |[left, top, right, bottom]: [usize; 4]| (left..right).contains(&x) && (top..bottom).contains(&y);
        within(self.inside) && !self.portrait.is_some_and(within)
    }
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
    let washed_out = ((darkest - WASHED_OUT[0]) / (WASHED_OUT[1] - WASHED_OUT[0])).clamp(0.0, 1.0);
    lit * (1.0 - washed_out)
}

/// 1 less the part of the card's blocks that are blown out throughout, relative to a tenth of the card, where its `paper` is not as
/// bright by itself.
fn glare(frame: &GrayImage, paper: &Histogram, area: &PaperArea) -> f32 {
    if paper.quantile(0.5) > BRIGHT_PAPER {
        return 1.0;
    }
    let [left, top, right, bottom] = area.inside;
    let [width, height] = [frame.width(), frame.height()].map(|side| side as usize);
    let (mut blocks, mut blown) = (0, 0);
    for y in (top..bottom).step_by(BLOCK) {
        for x in (left..right).step_by(BLOCK).filter(|&x| area.contains([x, y])) {
            blocks += 1;
            let rows = (y..(y + BLOCK).min(height))
                .map(|row| &frame.as_raw()[row * width + x..row * width + (x + BLOCK).min(width)]);
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
