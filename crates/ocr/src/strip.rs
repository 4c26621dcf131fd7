//! A line cut from the picture: what the recogniser looks at.

use candle_core::{Device, Tensor};
use image::GrayImage;

use crate::geometry::Homography;
use crate::lines::TextLine;
use crate::net::recogniser::STRIP_HEIGHT;
use crate::rectify::{Frame, Picture};

/// Width of a strip in pixels: narrowest and widest. Longer lines are squeezed.
const WIDTH: [usize; 2] = [24, 1024];
/// The most samples per strip pixel and direction.
const SAMPLES: u32 = 4;
/// The least spread of brightness that is stretched to 1: an even strip keeps its noise small.
const LEAST_SPREAD: f32 = 6.0;

/// How a strip is cut around its line.
#[derive(Clone, Copy)]
pub(crate) struct Framing {
    /// The em box's height in pixels of the strip.
    pub(crate) em: f32,
    /// Room left and right of the line, in em.
    pub(crate) room: f32,
    /// How far the line stands below the strip's middle, in em.
    pub(crate) drop: f32,
}

impl Framing {
    /// As the recogniser learned it: the em box 25.6 of 32 pixels high, in the middle, and 0.4 em of room.
    pub(crate) const USUAL: Framing = Framing { em: 25.6, room: 0.4, drop: 0.0 };
}

/// A strip to cut for a line, and how to find the way back.
pub(crate) struct Strip {
    frame: Frame,
    /// From the strip's pixels to the line's frame.
    pub(crate) to_card: Homography,
    /// Strip pixels per unit of the line's frame, along the line.
    scale: f32,
    /// Room on the left, in units of the line's frame.
    room: f32,
}

impl Strip {
    /// The strip of a line in a frame from which `to_picture` leads to the picture. The width is rounded up to a multiple of
    /// 8, so there is a little more room on the right.
    pub(crate) fn new(line: &TextLine, to_picture: &Homography, framing: Framing) -> Strip {
        let per_pixel = line.em / framing.em;
        let room = framing.room * line.em;
        let wanted = (line.length() + 2.0 * room) / per_pixel;
        let width = (wanted.ceil() as usize).next_multiple_of(8).clamp(WIDTH[0], WIDTH[1]);
        let along_pixel = per_pixel * (wanted / WIDTH[1] as f32).max(1.0);
        let [along, down] = line.directions();
        let above = per_pixel * STRIP_HEIGHT as f32 / 2.0 + framing.drop * line.em;
        let corner: [f64; 2] = std::array::from_fn(|i| f64::from(line.start[i] - along[i] * room - down[i] * above));
        let scaled = |direction: [f32; 2], factor: f32| direction.map(|part| f64::from(part * factor));
        let to_card = Homography::affine(corner, scaled(along, along_pixel), scaled(down, per_pixel));
        let frame = Frame { to_picture: to_picture.after(&to_card), width, height: STRIP_HEIGHT, samples: SAMPLES };
        Strip { frame, to_card, scale: 1.0 / along_pixel, room }
    }

    /// Its pixels, cut from the picture itself, so that they are as sharp as it is.
    pub(crate) fn cut(&self, picture: &mut Picture) -> GrayImage {
        picture.cut_grey(&self.frame)
    }

    /// How far from the line's start, in its frame, the pixel column `x` is.
    pub(crate) fn along(&self, x: f32) -> f32 {
        x / self.scale - self.room
    }
}

/// The pixels of a strip as the recogniser takes them, [32, width, 1].
///
/// # Errors
/// When no tensor can be made of them.
pub(crate) fn tensor(pixels: &GrayImage) -> candle_core::Result<Tensor> {
    Tensor::from_vec(spread(pixels), (STRIP_HEIGHT, pixels.width() as usize, 1), &Device::Cpu)
}

/// Brightness to mean 0 and spread 1 over the strip.
fn spread(strip: &GrayImage) -> Vec<f32> {
    let grey = strip.as_raw();
    let count = grey.len() as f32;
    let sum: u64 = grey.iter().map(|&value| u64::from(value)).sum();
    let squares: u64 = grey.iter().map(|&value| u64::from(value).pow(2)).sum();
    let mean = sum as f32 / count;
    let variance = (squares as f64 / f64::from(count) - f64::from(mean).powi(2)).max(0.0) as f32;
    let scale = 1.0 / variance.sqrt().max(LEAST_SPREAD);
    grey.iter().map(|&value| (f32::from(value) - mean) * scale).collect()
}

#[cfg(test)]
mod tests {
    use shenfen_core::FieldName;

    use super::*;

    fn line(start: [f32; 2], end: [f32; 2], em: f32) -> TextLine {
        TextLine { field: FieldName::Name, start, end, em, weight: 1.0 }
    }

    fn usual(line: &TextLine) -> Strip {
        Strip::new(line, &Homography::scale_and_move(1.0, [0.0, 0.0]), Framing::USUAL)
    }

    #[test]
    fn a_strip_has_its_line_in_the_middle_and_room_around() {
        let strip = usual(&line([100.0, 50.0], [200.0, 50.0], 25.6));
        assert_eq!((strip.frame.width, strip.frame.height), (128, 32));
        let [x, y] = strip.frame.to_picture.map([0.4 * 25.6, 16.0]);
        assert!((x - 100.0).abs() < 1e-3 && (y - 50.0).abs() < 1e-3);
        assert!((strip.frame.to_picture.stretch_at([10.0, 10.0]) - 1.0).abs() < 1e-3);
    }

    #[test]
    fn a_slanted_strip_follows_its_line() {
        let strip = usual(&line([100.0, 50.0], [180.0, 110.0], 12.8));
        // Two strip pixels per frame pixel.
        let [x, y] = strip.frame.to_picture.map([0.4 * 25.6 + 200.0, 16.0]);
        assert!((x - 180.0).abs() < 1e-2 && (y - 110.0).abs() < 1e-2);
        assert!((strip.along(0.4 * 25.6 + 200.0) - 100.0).abs() < 1e-2);
    }

    #[test]
    fn another_framing_shows_the_same_line_elsewhere() {
        let same = Homography::scale_and_move(1.0, [0.0, 0.0]);
        let framing = Framing { em: 20.0, room: 0.5, drop: 0.1 };
        let strip = Strip::new(&line([100.0, 50.0], [200.0, 50.0], 20.0), &same, framing);
        let [x, y] = strip.frame.to_picture.map([10.0, 18.0]);
        assert!((x - 100.0).abs() < 1e-3 && (y - 50.0).abs() < 1e-3);
        assert!((strip.along(60.0) - 50.0).abs() < 1e-3);
    }

    #[test]
    fn strips_are_never_narrower_or_wider_than_the_network_takes() {
        assert_eq!(usual(&line([0.0, 0.0], [1.0, 0.0], 200.0)).frame.width, 24);
        let squeezed = usual(&line([0.0, 0.0], [5000.0, 0.0], 25.6));
        assert_eq!(squeezed.frame.width, 1024);
        let [x, _] = squeezed.frame.to_picture.map([1024.0, 16.0]);
        assert!((x - (5000.0 + 0.4 * 25.6)).abs() < 1.0, "the end of a squeezed line is still in the strip");
    }

    #[test]
    fn an_even_strip_keeps_its_noise_small() {
        let striped =
            |dark: u8, bright: u8| GrayImage::from_fn(40, 8, |x, _| image::Luma([[dark, bright][x as usize % 2]]));
        assert!(spread(&striped(100, 101)).iter().all(|value| value.abs() < 0.1));
        assert!(spread(&striped(0, 100)).iter().all(|value| (value.abs() - 1.0).abs() < 1e-3));
    }
}
