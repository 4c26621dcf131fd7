//! Crops of a picture for people to look at, such as one field of a card.

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage};
use shenfen_core::Quad;

use crate::decode::Encoded;
use crate::error::ReadError;
use crate::geometry::{Homography, side_lengths};
use crate::limits::Limits;

/// JPEG quality of a crop.
const JPEG_QUALITY: u8 = 85;
/// A card's size in millimetres (ISO/IEC 7810, ID-1).
const CARD_MM: [f32; 2] = [85.6, 53.98];
/// Where the portrait lies on a front, in millimetres from the card's top left: left, top, right, bottom. GA 461 prints it 26 mm wide and
/// 32 mm high; measured on photographs, its figure spans 55 to 78 mm across and 9 to 40 mm down.
const PORTRAIT_MM: [f32; 4] = [54.0, 8.5, 80.0, 40.5];
/// No crop is wider than this many times its height.
const MAX_ASPECT: f32 = 40.0;

/// A decoded picture that crops are cut from.
pub struct Cropper(RgbImage);

impl Cropper {
    /// Decodes a picture as [`CardReader::read`](crate::CardReader::read) does.
    ///
    /// # Errors
    /// When the picture is refused or damaged.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Cropper, ReadError> {
        Ok(Cropper(Encoded::open(bytes, limits)?.decode(0)?.pixels))
    }

    /// The decoded picture.
    pub fn picture(&self) -> &RgbImage {
        &self.0
    }

    /// The whole picture's corners.
    pub fn picture_quad(&self) -> Quad {
        let (width, height) = (self.0.width() as f32, self.0.height() as f32);
        [[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]]
    }

    /// The corners of the portrait on a front with these corners; `None` when they enclose no area.
    pub fn portrait_quad(card: &Quad) -> Option<Quad> {
        let [width, height] = CARD_MM;
        let to_picture = Homography::between(&[[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]], card)?;
        let [left, top, right, bottom] = PORTRAIT_MM;
        Some(to_picture.map_quad(&[[left, top], [right, top], [right, bottom], [left, bottom]]))
    }

    /// The area of `quad` and a margin of `margin` of its height around it, set upright, `height` pixels high, as JPEG.
    /// `None` when the corners enclose no area.
    pub fn jpeg(&self, quad: &Quad, margin: f32, height: u32) -> Option<Vec<u8>> {
        let [along, across] = side_lengths(quad);
        let ratio = along / across;
        if !(ratio > 0.0 && ratio < MAX_ASPECT) {
            return None;
        }
        let inner = height as f32 / (1.0 + 2.0 * margin);
        let edge = margin * inner;
        let (right, bottom) = (edge + inner * ratio, edge + inner);
        let target = [[edge, edge], [right, edge], [right, bottom], [edge, bottom]];
        let to_picture = Homography::between(&target, quad)?;
        let width = (right + edge).ceil().max(1.0) as u32;
        let crop =
            RgbImage::from_fn(width, height, |x, y| self.colour_at(to_picture.map([x as f32 + 0.5, y as f32 + 0.5])));
        let mut bytes = Vec::new();
        let encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
        encoder.write_image(crop.as_raw(), width, height, ExtendedColorType::Rgb8).ok()?;
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

    fn two_colours() -> Cropper {
        // Red to the left of the middle, blue to the right.
        Cropper(RgbImage::from_fn(40, 20, |x, _| if x < 20 { Rgb([220, 0, 0]) } else { Rgb([0, 0, 220]) }))
    }

    fn decoded(jpeg: &[u8]) -> RgbImage {
        image::load_from_memory_with_format(jpeg, ImageFormat::Jpeg).unwrap().into_rgb8()
    }

    #[test]
    fn crop_is_upright_for_any_corner_order() {
        let upside_down = [[40.0, 20.0], [0.0, 20.0], [0.0, 0.0], [40.0, 0.0]];
        let crop = decoded(&two_colours().jpeg(&upside_down, 0.0, 16).unwrap());
        assert_eq!(crop.dimensions(), (32, 16));
        assert!(crop.get_pixel(4, 8)[2] > 150 && crop.get_pixel(28, 8)[0] > 150);
    }

    #[test]
    fn margin_shows_surroundings_and_grey_outside_the_picture() {
        let left_half = [[0.0, 0.0], [20.0, 0.0], [20.0, 20.0], [0.0, 20.0]];
        let crop = decoded(&two_colours().jpeg(&left_half, 0.5, 64).unwrap());
        assert_eq!(crop.dimensions(), (64, 64));
        assert!(crop.get_pixel(60, 32)[2] > 150, "the other half is to the right");
        assert!(crop.get_pixel(4, 32).0.iter().all(|&value| value.abs_diff(128) < 12));
    }

    #[test]
    fn portrait_lies_in_the_right_part_of_the_card_however_that_lies() {
        let upright = [[100.0, 50.0], [956.0, 50.0], [956.0, 589.8], [100.0, 589.8]];
        let [top_left, _, bottom_right, _] = Cropper::portrait_quad(&upright).unwrap();
        assert!((top_left[0] - 640.0).abs() < 0.1 && (top_left[1] - 135.0).abs() < 0.1, "{top_left:?}");
        assert!((bottom_right[0] - 900.0).abs() < 0.1 && (bottom_right[1] - 455.0).abs() < 0.1, "{bottom_right:?}");
        let [a, b, c, d] = upright;
        let [top_left, ..] = Cropper::portrait_quad(&[c, d, a, b]).unwrap();
        assert!(top_left[0] < 500.0 && top_left[1] > 500.0, "upside down, it is at the left: {top_left:?}");
        assert!(Cropper::portrait_quad(&[[5.0, 5.0]; 4]).is_none());
    }

    #[test]
    fn degenerate_corners_give_no_crop() {
        assert!(two_colours().jpeg(&[[5.0, 5.0]; 4], 0.1, 16).is_none());
        assert!(two_colours().jpeg(&[[f32::NAN, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], 0.1, 16).is_none());
    }
}
