//! A line cut from the picture: what the recogniser looks at.

use image::GrayImage;

use crate::contract::{RecogniserConfig, StripCrop};
use crate::geometry::Homography;
use crate::lines::TextLine;
use crate::net::{FeatureMap, NetworkError};
use crate::rectify::{Frame, Picture};

/// How a strip is cut around its line: the trained crop, or a test-time augmentation crop.
#[derive(Clone, Copy)]
pub(crate) struct CropVariant {
    /// The em box's height in pixels of the strip.
    pub(crate) em: f32,
    /// Margin left and right of the line, in em.
    pub(crate) side_margin: f32,
    /// How far the line is below the strip's middle, in em.
    pub(crate) shift_down: f32,
}

impl CropVariant {
    /// The crop that the recogniser was trained with.
    pub(crate) fn trained(crop: &StripCrop) -> CropVariant {
        CropVariant { em: crop.em, side_margin: crop.side_margin, shift_down: 0.0 }
    }
}

/// A strip to cut for a line, and how to find the way back.
pub(crate) struct Strip {
    frame: Frame,
    /// From the strip's pixels to the line's frame.
    pub(crate) to_card: Homography,
    /// Strip pixels per unit of the line's frame, along the line.
    scale: f32,
    /// Margin on the left, in units of the line's frame.
    margin: f32,
}

impl Strip {
    /// The strip of a line in a frame that `to_picture` maps to the picture. The width is rounded up to a multiple, so there is a
    /// little more room on the right.
    pub(crate) fn new(
        config: &RecogniserConfig,
        line: &TextLine,
        to_picture: &Homography,
        variant: CropVariant,
    ) -> Strip {
        let RecogniserConfig { strip: crop, resampling, .. } = config;
        let per_pixel = line.em / variant.em;
        let margin = variant.side_margin * line.em;
        let wanted = (line.length() + 2.0 * margin) / per_pixel;
        let width =
            (wanted.ceil() as usize).next_multiple_of(crop.width_multiple).clamp(crop.min_width, crop.max_width);
        let along_pixel = per_pixel * (wanted / crop.max_width as f32).max(1.0);
        let [along, down] = line.directions();
        let above = per_pixel * crop.height as f32 / 2.0 + variant.shift_down * line.em;
        let corner: [f64; 2] = std::array::from_fn(|i| f64::from(line.start[i] - along[i] * margin - down[i] * above));
        let scaled = |direction: [f32; 2], factor: f32| direction.map(|part| f64::from(part * factor));
        let to_card = Homography::affine(corner, scaled(along, along_pixel), scaled(down, per_pixel));
        let to_picture = to_picture.after(&to_card);
        let frame = Frame { to_picture, width, height: crop.height, resampling: *resampling };
        Strip { frame, to_card, scale: 1.0 / along_pixel, margin }
    }

    /// Its pixels, cut from the picture itself, so that they are as sharp as it is.
    pub(crate) fn cut(&self, picture: &mut Picture) -> GrayImage {
        picture.cut_grey(&self.frame)
    }

    /// How far from the line's start, in its frame, the pixel column `x` is.
    pub(crate) fn along(&self, x: f32) -> f32 {
        x / self.scale - self.margin
    }
}

/// The pixels of a strip as the recogniser takes them, [height, width, 1]: mean 0 and standard deviation 1 over the strip, but that a deviation below
/// `min_deviation` counts as that.
///
/// # Errors
/// Never: an image has as many pixels as its sides say.
pub(crate) fn network_input(pixels: &GrayImage, min_deviation: f32) -> Result<FeatureMap, NetworkError> {
    FeatureMap::new([pixels.height() as usize, pixels.width() as usize, 1], standardised(pixels, min_deviation))
}

fn standardised(strip: &GrayImage, min_deviation: f32) -> Vec<f32> {
    let grey = strip.as_raw();
    let count = grey.len() as f32;
    let sum: u64 = grey.iter().map(|&value| u64::from(value)).sum();
    let squares: u64 = grey.iter().map(|&value| u64::from(value).pow(2)).sum();
    let mean = sum as f32 / count;
    let variance = (squares as f64 / f64::from(count) - f64::from(mean).powi(2)).max(0.0) as f32;
    let scale = 1.0 / variance.sqrt().max(min_deviation);
    grey.iter().map(|&value| (f32::from(value) - mean) * scale).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use shenfen_core::FieldName;

    use super::*;
    use crate::contract::shipped;

    static CONFIG: LazyLock<RecogniserConfig> = LazyLock::new(shipped);

    fn line(start: [f32; 2], end: [f32; 2], em: f32) -> TextLine {
        TextLine { field: FieldName::Name, start, end, em, weight: 1.0 }
    }

    fn usual(line: &TextLine) -> Strip {
        Strip::new(&CONFIG, line, &Homography::scale_and_move(1.0, [0.0, 0.0]), CropVariant::trained(&CONFIG.strip))
    }

    #[test]
    fn strip_centres_its_line_with_margins() {
        let strip = usual(&line([100.0, 50.0], [200.0, 50.0], 25.6));
        assert_eq!((strip.frame.width, strip.frame.height), (128, 32));
        let [x, y] = strip.frame.to_picture.map([0.4 * 25.6, 16.0]);
        assert!((x - 100.0).abs() < 1e-3 && (y - 50.0).abs() < 1e-3);
        assert!((strip.frame.to_picture.stretch_at([10.0, 10.0]) - 1.0).abs() < 1e-3);
    }

    #[test]
    fn slanted_strip_follows_its_line() {
        let strip = usual(&line([100.0, 50.0], [180.0, 110.0], 12.8));
        // Two strip pixels per frame pixel.
        let [x, y] = strip.frame.to_picture.map([0.4 * 25.6 + 200.0, 16.0]);
        assert!((x - 180.0).abs() < 1e-2 && (y - 110.0).abs() < 1e-2);
        assert!((strip.along(0.4 * 25.6 + 200.0) - 100.0).abs() < 1e-2);
    }

    #[test]
    fn crop_variant_shows_the_same_line_shifted() {
        let same = Homography::scale_and_move(1.0, [0.0, 0.0]);
        let variant = CropVariant { em: 20.0, side_margin: 0.5, shift_down: 0.1 };
        let strip = Strip::new(&CONFIG, &line([100.0, 50.0], [200.0, 50.0], 20.0), &same, variant);
        let [x, y] = strip.frame.to_picture.map([10.0, 18.0]);
        assert!((x - 100.0).abs() < 1e-3 && (y - 50.0).abs() < 1e-3);
        assert!((strip.along(60.0) - 50.0).abs() < 1e-3);
    }

    #[test]
    fn strip_width_stays_within_the_network_limits() {
        assert_eq!(usual(&line([0.0, 0.0], [1.0, 0.0], 200.0)).frame.width, 24);
        let squeezed = usual(&line([0.0, 0.0], [5000.0, 0.0], 25.6));
        assert_eq!(squeezed.frame.width, 1024);
        let [x, _] = squeezed.frame.to_picture.map([1024.0, 16.0]);
        assert!((x - (5000.0 + 0.4 * 25.6)).abs() < 1.0, "the end of a squeezed line is still in the strip");
    }

    #[test]
    fn low_contrast_strip_keeps_its_noise_small() {
        let striped =
            |dark: u8, bright: u8| GrayImage::from_fn(40, 8, |x, _| image::Luma([[dark, bright][x as usize % 2]]));
        assert!(standardised(&striped(100, 101), 6.0).iter().all(|value| value.abs() < 0.1));
        assert!(standardised(&striped(0, 100), 6.0).iter().all(|value| (value.abs() - 1.0).abs() < 1e-3));
    }
}
