use proptest::prelude::*;

use super::*;
use crate::geometry::rectangle;

/// Brightness that grows by one a pixel to the right and two downwards.
fn slope() -> RgbImage {
    RgbImage::from_fn(80, 60, |x, y| image::Rgb([(x + 2 * y) as u8, 100, (200 - x) as u8]))
}

fn frame(to_picture: Homography, width: usize, height: usize, samples: u32) -> Frame {
    let resampling = Resampling { max_samples: samples, slack: 0.3, outside: 128 };
    Frame { to_picture, width, height, resampling }
}

#[test]
fn identity_frame_reproduces_the_picture() {
    let image = slope();
    let same = Homography::scale_and_move(1.0, [0.0, 0.0]);
    assert_eq!(Picture::new(&image).cut(&frame(same, 80, 60, 1)), image);
}

#[test]
fn outside_the_picture_is_mid_grey() {
    let image = slope();
    let far = Homography::scale_and_move(1.0, [1000.0, 1000.0]);
    let cut = Picture::new(&image).cut(&frame(far, 8, 8, 2));
    assert!(cut.as_raw().iter().all(|&value| value == 128));
}

#[test]
fn smooth_picture_keeps_its_values_at_any_scale() {
    let image = slope();
    for factor in [1.2, 2.0, 3.7, 5.0] {
        for samples in [1, 2, 4] {
            let map = Homography::scale_and_move(factor, [4.0, 4.0]);
            let cut = Picture::new(&image).cut(&frame(map, 8, 6, samples));
            for (x, y, pixel) in cut.enumerate_pixels() {
                let [u, v] = map.map([x as f32 + 0.5, y as f32 + 0.5]);
                let expected = (u - 0.5) + 2.0 * (v - 0.5);
                let off = (f32::from(pixel.0[0]) - expected).abs();
                assert!(off <= 1.6, "factor {factor}, samples {samples}: {pixel:?} instead of {expected}");
            }
        }
    }
}

#[test]
fn fine_stripes_average_out_when_downscaled() {
    let stripes = RgbImage::from_fn(256, 256, |x, _| image::Rgb([if x % 2 == 0 { 0 } else { 200 }; 3]));
    for samples in [1, 2, 4] {
        let map = Homography::scale_and_move(8.0, [0.0, 0.0]);
        let cut = Picture::new(&stripes).cut(&frame(map, 32, 32, samples));
        assert!(cut.as_raw().iter().all(|&value| (95..=105).contains(&value)), "{samples} samples");
    }
}

#[test]
fn mip_levels_round_up_and_keep_the_last_column() {
    let image = RgbImage::from_fn(5, 3, |x, _| image::Rgb([if x == 4 { 90 } else { 10 }; 3]));
    let half = |image: &RgbImage| {
        let mut picture = Picture::new(image);
        let Plane { data, width, height } = picture.colour(1);
        RgbImage::from_raw(*width as u32, *height as u32, data.to_vec()).unwrap()
    };
    assert_eq!(half(&image).dimensions(), (3, 2));
    assert_eq!(half(&image).get_pixel(2, 1).0, [90; 3]);
    assert_eq!(half(&RgbImage::from_pixel(1, 1, image::Rgb([7; 3]))).get_pixel(0, 0).0, [7; 3]);
}

#[test]
fn grey_uses_bt601_weights() {
    let mut image = RgbImage::from_pixel(9, 9, image::Rgb([255, 0, 0]));
    let same = frame(Homography::scale_and_move(1.0, [0.0, 0.0]), 9, 9, 1);
    for (colour, brightness) in [([255, 0, 0], 76), ([0, 255, 0], 150), ([0, 0, 255], 29), ([255; 3], 255)] {
        image.pixels_mut().for_each(|pixel| pixel.0 = colour);
        let cut = Picture::new(&image).cut_grey(&same);
        assert!(cut.as_raw().iter().all(|&value| value == brightness), "{colour:?}");
    }
}

proptest! {
    #[test]
    fn cutting_any_frame_never_panics(
        width in 1_u32..40, height in 1_u32..40,
        corners in prop::array::uniform4(prop::array::uniform2(-200.0_f32..200.0)), samples in 1_u32..5,
    ) {
        let image = RgbImage::from_pixel(width, height, image::Rgb([1, 2, 3]));
        if let Some(map) = Homography::between(&rectangle(0.0, 0.0, 16.0, 8.0), &corners) {
            let cut = Picture::new(&image).cut(&frame(map, 16, 8, samples));
            prop_assert_eq!(cut.dimensions(), (16, 8));
            let grey = Picture::new(&image).cut_grey(&frame(map, 16, 8, samples));
            let expected = cut.pixels().map(|pixel| if pixel.0 == [1, 2, 3] { 2 } else { 128 });
            // Pixels at the border are a mixture.
            for (here, expected) in grey.as_raw().iter().zip(expected) {
                prop_assert!(*here == expected || expected == 128);
            }
        }
    }
}
