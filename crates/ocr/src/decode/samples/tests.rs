use image::{DynamicImage, ImageBuffer, Luma, LumaA, Rgb, Rgba};
use proptest::prelude::*;

use super::*;
use crate::decode::tests::on_paper;

const WIDTH: u32 = 24;

/// A row of these samples, as one picture of the image crate.
fn row_of(colours: Colours, bytes: &[u8]) -> DynamicImage {
    let bytes = bytes[..WIDTH as usize * colours.channels()].to_vec();
    match colours {
        Colours::Grey => ImageBuffer::<Luma<u8>, _>::from_raw(WIDTH, 1, bytes).unwrap().into(),
        Colours::GreyAlpha => ImageBuffer::<LumaA<u8>, _>::from_raw(WIDTH, 1, bytes).unwrap().into(),
        Colours::Rgb => ImageBuffer::<Rgb<u8>, _>::from_raw(WIDTH, 1, bytes).unwrap().into(),
        _ => ImageBuffer::<Rgba<u8>, _>::from_raw(WIDTH, 1, bytes).unwrap().into(),
    }
}

fn deep_row_of(colours: Colours, words: &[u16]) -> DynamicImage {
    let words = words[..WIDTH as usize * colours.channels()].to_vec();
    match colours {
        Colours::Grey => ImageBuffer::<Luma<u16>, _>::from_raw(WIDTH, 1, words).unwrap().into(),
        Colours::GreyAlpha => ImageBuffer::<LumaA<u16>, _>::from_raw(WIDTH, 1, words).unwrap().into(),
        Colours::Rgb => ImageBuffer::<Rgb<u16>, _>::from_raw(WIDTH, 1, words).unwrap().into(),
        _ => ImageBuffer::<Rgba<u16>, _>::from_raw(WIDTH, 1, words).unwrap().into(),
    }
}

fn converted(colours: Colours, depth: Depth, row: &[u8]) -> Vec<u8> {
    let mut rgb = vec![7; WIDTH as usize * 3];
    Rows::new(colours, depth).convert(row, &mut rgb);
    rgb
}

fn colours() -> impl Strategy<Value = Colours> {
    prop::sample::select(vec![Colours::Grey, Colours::GreyAlpha, Colours::Rgb, Colours::Rgba])
}

proptest! {
    #[test]
    fn bytes_become_what_the_image_crate_makes_of_them(colours in colours(), bytes in prop::collection::vec(any::<u8>(), 96)) {
        let expected = on_paper(row_of(colours, &bytes)).into_raw();
        let row = &bytes[..WIDTH as usize * colours.channels()];
        prop_assert_eq!(&converted(colours, Depth::Byte, row), &expected);
        let pixels = WIDTH as usize;
        let whole = in_place(colours, pixels, |buffer| {
            buffer.copy_from_slice(row);
            Ok::<(), ()>(())
        });
        prop_assert_eq!(whole, Ok(expected));
    }

    #[test]
    fn words_become_what_the_image_crate_makes_of_them(colours in colours(), words in prop::collection::vec(any::<u16>(), 96)) {
        let expected = on_paper(deep_row_of(colours, &words)).into_raw();
        let row = &words[..WIDTH as usize * colours.channels()];
        let native: Vec<u8> = row.iter().flat_map(|word| word.to_ne_bytes()).collect();
        prop_assert_eq!(&converted(colours, Depth::Native, &native), &expected);
        let big_endian: Vec<u8> = row.iter().flat_map(|word| word.to_be_bytes()).collect();
        prop_assert_eq!(&converted(colours, Depth::BigEndian, &big_endian), &expected);
    }

    #[test]
    fn floats_become_what_the_image_crate_makes_of_them(
        has_alpha in any::<bool>(),
        mut floats in prop::collection::vec(-0.5_f32..1.5, 96),
        odd in prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 1.0]),
    ) {
        floats[5] = odd;
        let (colours, picture): (_, DynamicImage) = if has_alpha {
            (Colours::Rgba, ImageBuffer::<Rgba<f32>, _>::from_raw(WIDTH, 1, floats.clone()).unwrap().into())
        } else {
            floats.truncate(72);
            (Colours::Rgb, ImageBuffer::<Rgb<f32>, _>::from_raw(WIDTH, 1, floats.clone()).unwrap().into())
        };
        let row: Vec<u8> = floats.iter().flat_map(|float| float.to_ne_bytes()).collect();
        prop_assert_eq!(converted(colours, Depth::Float, &row), on_paper(picture).into_raw());
    }
}

#[test]
fn bits_are_black_and_white_from_the_highest_on() {
    let rgb = converted(Colours::Grey, Depth::Bit, &[0b1000_0001, 0, 0xFF]);
    let levels: Vec<u8> = rgb.chunks(3).map(|pixel| pixel[0]).collect();
    assert_eq!(levels, [&[255][..], &[0; 6], &[255], &[0; 8], &[255; 8]].concat());
}

#[test]
fn ink_takes_light_away_at_either_depth() {
    let mut row = [0; WIDTH as usize * 4];
    row[..16].copy_from_slice(&[0, 0, 0, 0, 255, 0, 0, 0, 0, 255, 51, 0, 0, 0, 0, 255]);
    let expected = [[255, 255, 255], [0, 255, 255], [255, 0, 204], [0, 0, 0]].concat();
    assert_eq!(converted(Colours::Cmyk, Depth::Byte, &row)[..12], expected);
    let deep: Vec<u8> = row.iter().flat_map(|&value| (u16::from(value) * 257).to_ne_bytes()).collect();
    assert_eq!(converted(Colours::Cmyk, Depth::Native, &deep)[..12], expected);
}
