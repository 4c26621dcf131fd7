//! Pieces of a picture for people to look at.

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage};
use shenfen_core::Quad;

use crate::decode::Encoded;
use crate::geometry::{Homography, side_lengths};
use crate::reader::{Limits, ReadError};

const QUALITY: u8 = 85;
/// No piece is wider than this many times its height.
const WIDEST: f32 = 40.0;

/// A decoded picture of which pieces are cut.
pub struct Pieces(RgbImage);

impl Pieces {
    /// Decodes a picture as [`CardReader::read`](crate::CardReader::read) does.
    ///
    /// # Errors
    /// As there.
    pub fn of(bytes: &[u8], limits: &Limits) -> Result<Pieces, ReadError> {
        Ok(Pieces(Encoded::open(bytes, limits)?.decode(0)?.pixels))
    }

    /// The whole picture's corners.
    pub fn whole(&self) -> Quad {
        let (width, height) = (self.0.width() as f32, self.0.height() as f32);
        [[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]]
    }

    /// What stands in `quad` with a margin of `margin` of its height around it, upright, `height` pixels high, as JPEG.
    /// `None` for corners that enclose nothing.
    pub fn jpeg(&self, quad: &Quad, margin: f32, height: u32) -> Option<Vec<u8>> {
        let [along, across] = side_lengths(quad);
        let ratio = along / across;
        if !(ratio > 0.0 && ratio < WIDEST) {
            return None;
        }
        let inner = height as f32 / (1.0 + 2.0 * margin);
        let edge = margin * inner;
        let (right, bottom) = (edge + inner * ratio, edge + inner);
        let target = [[edge, edge], [right, edge], [right, bottom], [edge, bottom]];
        let to_picture = Homography::between(&target, quad)?;
        let width = (right + edge).ceil().max(1.0) as u32;
        let piece =
            RgbImage::from_fn(width, height, |x, y| self.colour_at(to_picture.map([x as f32 + 0.5, y as f32 + 0.5])));
        let mut bytes = Vec::new();
        let encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
        encoder.write_image(piece.as_raw(), width, height, ExtendedColorType::Rgb8).ok()?;
        Some(bytes)
    }

    /// The colour between the four pixels around a point; grey outside.
    fn colour_at(&self, [x, y]: [f32; 2]) -> Rgb<u8> {
        let (width, height) = (self.0.width() as f32, self.0.height() as f32);
        if !(x >= 0.0 && y >= 0.0 && x < width && y < height) {
            return Rgb([128; 3]);
        }
        let (x, y) = ((x - 0.5).clamp(0.0, width - 1.0), (y - 0.5).clamp(0.0, height - 1.0));
        let (left, top) = (x as u32, y as u32);
        let (next, below) = ((left + 1).min(self.0.width() - 1), (top + 1).min(self.0.height() - 1));
        let (part_x, part_y) = (x.fract(), y.fract());
        let corners = [(left, top), (next, top), (left, below), (next, below)].map(|(x, y)| self.0.get_pixel(x, y).0);
        Rgb(std::array::from_fn(|channel| {
            let [a, b, c, d] = corners.map(|pixel| f32::from(pixel[channel]));
            let (above, beneath) = (a + (b - a) * part_x, c + (d - c) * part_x);
            (above + (beneath - above) * part_y).round() as u8
        }))
    }
}

#[cfg(test)]
mod tests {
    use image::ImageFormat;

    use super::*;

    fn pieces() -> Pieces {
        // Red to the left of the middle, blue to the right.
        Pieces(RgbImage::from_fn(40, 20, |x, _| if x < 20 { Rgb([220, 0, 0]) } else { Rgb([0, 0, 220]) }))
    }

    fn decoded(jpeg: &[u8]) -> RgbImage {
        image::load_from_memory_with_format(jpeg, ImageFormat::Jpeg).unwrap().into_rgb8()
    }

    #[test]
    fn a_piece_stands_upright_whatever_its_corners_say() {
        let upside_down = [[40.0, 20.0], [0.0, 20.0], [0.0, 0.0], [40.0, 0.0]];
        let piece = decoded(&pieces().jpeg(&upside_down, 0.0, 16).unwrap());
        assert_eq!(piece.dimensions(), (32, 16));
        assert!(piece.get_pixel(4, 8)[2] > 150 && piece.get_pixel(28, 8)[0] > 150);
    }

    #[test]
    fn the_margin_shows_what_is_around_and_grey_where_nothing_is() {
        let left_half = [[0.0, 0.0], [20.0, 0.0], [20.0, 20.0], [0.0, 20.0]];
        let piece = decoded(&pieces().jpeg(&left_half, 0.5, 64).unwrap());
        assert_eq!(piece.dimensions(), (64, 64));
        assert!(piece.get_pixel(60, 32)[2] > 150, "the other half is to the right");
        assert!(piece.get_pixel(4, 32).0.iter().all(|&value| value.abs_diff(128) < 12));
    }

    #[test]
    fn corners_without_a_surface_give_nothing() {
        assert!(pieces().jpeg(&[[5.0, 5.0]; 4], 0.1, 16).is_none());
        assert!(pieces().jpeg(&[[f32::NAN, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], 0.1, 16).is_none());
    }
}
