use super::*;
use crate::contract::{LinesConfig, shipped};
use crate::rectify::Picture;

/// Where the frame's card stands in a picture of the frame's own size.
const WHOLE: [u32; 2] = [512, 320];
const FRAME: [usize; 2] = [512, 320];

fn frame_card() -> Quad {
    shipped::<LinesConfig>().frame.card()
}

fn print() -> RgbImage {
    // Bars of ten pixels on tinted paper.
    RgbImage::from_fn(FRAME[0] as u32, FRAME[1] as u32, |x, y| {
        let ink = (y / 12) % 2 == 0 && (x + y / 12 * 5) % 20 < 10;
        image::Rgb(if ink { [30, 30, 40] } else { [215, 225, 240 - (x / 16) as u8] })
    })
}

fn assessed_as(side: Side, image: &RgbImage, quad: &Quad, size: [u32; 2]) -> Quality {
    let to_picture = Homography::scale_and_move(1.0, [0.0; 2]);
    let resampling = shipped::<LinesConfig>().resampling;
    let frame = Frame { to_picture, width: FRAME[0], height: FRAME[1], resampling };
    let mut picture = Picture::new(image);
    let (brightness, colours) = (picture.cut_grey(&frame), picture.cut(&coarse_frame(&frame)));
    let card = Located { quad: *quad, side, confidence: 1.0 };
    let illumination = Illumination::estimate(shipped::<LinesConfig>().illumination, &brightness);
    assess(QualityInput {
        frame: &brightness,
        illumination: &illumination,
        colours: &colours,
        lowest_contrast: 20.0,
        card: &card,
        size,
        card_mm: [85.6, 54.0],
        downscale_log2: 0,
    })
}

fn assessed(image: &RgbImage, quad: &Quad, size: [u32; 2]) -> Quality {
    assessed_as(Side::Back, image, quad, size)
}

fn check(image: &RgbImage) -> Quality {
    assessed(image, &frame_card(), WHOLE)
}

/// A strip of type: strokes of three pixels every eight.
fn strip(dark: u8, bright: u8) -> GrayImage {
    GrayImage::from_fn(160, 32, |x, y| image::Luma([if (x + y / 4) % 8 < 3 { dark } else { bright }]))
}

#[test]
fn stroke_contrast_falls_with_blur_darkness_and_glare() {
    let contrast = |sigma: f32| stroke_contrast(&image::imageops::blur(&strip(30, 215), sigma));
    let blurred = [0.5, 1.0, 2.0, 4.0].map(contrast);
    assert!(stroke_contrast(&strip(30, 215)) > 40.0);
    assert!(blurred.is_sorted_by(|a, b| a > b), "{blurred:?}");
    assert!(blurred[3] < 5.0, "{blurred:?}");
    let [dark, washed_out] = [strip(5, 35), strip(220, 250)].map(|strip| stroke_contrast(&strip));
    assert!(dark < 15.0 && (dark - washed_out).abs() < 0.5);
}

#[test]
fn blank_and_tiny_strips_have_no_stroke_contrast() {
    assert_eq!(stroke_contrast(&strip(200, 200)), 0.0);
    assert_eq!(stroke_contrast(&GrayImage::new(12, 32)), 0.0);
    let noise = GrayImage::from_fn(160, 32, |x, y| image::Luma([198 + (x * 7 + y * 13) as u8 % 5]));
    assert!(stroke_contrast(&noise) < STROKES[0]);
}

#[test]
fn sharpness_follows_stroke_contrast() {
    assert!((check(&print()).sharpness - 0.6).abs() < 1e-3);
}

#[test]
fn black_and_white_frames_have_zero_exposure() {
    assert_eq!(check(&RgbImage::from_pixel(512, 320, image::Rgb([5; 3]))).exposure, 0.0);
    assert_eq!(check(&RgbImage::from_pixel(512, 320, image::Rgb([255; 3]))).exposure, 0.0);
    assert!(check(&print()).exposure > 0.99);
}

#[test]
fn shadow_lowers_exposure_but_dark_portrait_does_not() {
    let dark = |[left, right]: [u32; 2]| {
        let mut card = print();
        for (x, y, pixel) in card.enumerate_pixels_mut() {
            if (left..right).contains(&x) && (48..256).contains(&y) {
                *pixel = image::Rgb(pixel.0.map(|value| value / 20));
            }
        }
        card
    };
    assert_eq!(check(&dark([20, 170])).exposure, 0.0);
    assert_eq!(assessed_as(Side::Front, &dark([320, 470]), &frame_card(), WHOLE).exposure, 1.0);
}

#[test]
fn overexposed_paper_of_a_bright_picture_is_not_glare() {
    let mut bright = print();
    bright.pixels_mut().for_each(|pixel| *pixel = image::Rgb(pixel.0.map(|value| value.saturating_add(60))));
    assert_eq!(check(&bright).glare, 1.0);
}

#[test]
fn blown_out_spot_is_glare_outside_the_portrait() {
    let mut spot = print();
    for y in 64..192 {
        for x in 320..384 {
            spot.put_pixel(x, y, image::Rgb([255; 3]));
        }
    }
    assert_eq!(check(&print()).glare, 1.0);
    let share = (128.0 * 64.0) / (480.0 * 304.0);
    assert!((check(&spot).glare - (1.0 - share / MOST_GLARE)).abs() < 1e-3);
    assert_eq!(assessed_as(Side::Front, &spot, &frame_card(), WHOLE).glare, 1.0);
}

#[test]
fn resolution_follows_pixels_per_millimetre() {
    let at =
        |per_mm: f32| assessed(&print(), &rectangle(0.0, 0.0, 85.6 * per_mm, 54.0 * per_mm), [4000, 4000]).resolution;
    assert!((at(6.0) - 0.5).abs() < 1e-3);
    assert_eq!(at(20.0), 1.0);
}

#[test]
fn card_half_outside_the_picture_is_half_complete() {
    let quad = rectangle(-100.0, 10.0, 100.0, 130.0);
    assert!((assessed(&print(), &quad, [400, 300]).completeness - 0.5).abs() < 1e-4);
    assert_eq!(assessed(&print(), &rectangle(10.0, 10.0, 100.0, 60.0), [400, 300]).completeness, 1.0);
}

#[test]
fn grey_copy_under_warm_light_is_monochrome() {
    let mut copy = print();
    for pixel in copy.pixels_mut() {
        let value = pixel.0[1];
        pixel.0 = [value, (u16::from(value) * 9 / 10) as u8, (u16::from(value) * 9 / 10) as u8];
    }
    assert!(check(&copy).monochrome);
    assert!(!check(&RgbImage::from_fn(512, 320, |x, _| image::Rgb([200, 180, (x / 4) as u8 + 100]))).monochrome);
}

#[test]
fn white_background_is_not_glare() {
    let mut framed = print();
    for (x, y, pixel) in framed.enumerate_pixels_mut() {
        if !(10..502).contains(&x) || !(5..315).contains(&y) {
            *pixel = image::Rgb([255; 3]);
        }
    }
    assert_eq!(check(&framed).glare, 1.0);
}
