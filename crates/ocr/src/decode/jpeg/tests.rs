use image::{GrayImage, Rgb};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use proptest::prelude::*;

use super::*;
use crate::decode::Encoded;
use crate::reader::Limits;

/// Ripples of brightness on slow waves of colour, as of letters on a card.
fn scene(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let wave = |at: u32, period: f32| (at as f32 / period).sin() * 50.0;
        let ripples = wave(x + 2 * y, 5.0);
        Rgb([wave(x, 60.0), wave(y, 50.0), wave(x + y, 70.0)].map(|slow| (128.0 + slow + ripples) as u8))
    })
}

fn encoded(image: &RgbImage, settings: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    settings(&mut encoder);
    encoder.encode(image.as_raw(), image.width() as u16, image.height() as u16, ColorType::Rgb).unwrap();
    bytes
}

fn full(bytes: &[u8]) -> RgbImage {
    Encoded::open(bytes, &Limits::default()).unwrap().decode(0).unwrap().pixels
}

/// The mean and the largest difference from the means of the pixels of the picture decoded in full.
fn difference(bytes: &[u8], halvings: u32) -> (f64, u8) {
    let whole = full(bytes);
    let halved = halved(bytes, whole.dimensions().into(), halvings).unwrap();
    let [width, height] = [whole.width(), whole.height()].map(|side| side.div_ceil(1 << halvings));
    assert_eq!(halved.dimensions(), (width, height));
    // An odd side's last pixel has no neighbour but itself.
    let side = 1 << halvings;
    let mean = |x: u32, y: u32, channel: usize| {
        let pixels = (0..side * side).map(|i| {
            let (x, y) = (side * x + i % side, side * y + i / side);
            u32::from(whole.get_pixel(x.min(whole.width() - 1), y.min(whole.height() - 1))[channel])
        });
        ((pixels.sum::<u32>() + side * side / 2) / (side * side)) as u8
    };
    let shrunk = RgbImage::from_fn(width, height, |x, y| Rgb([0, 1, 2].map(|channel| mean(x, y, channel))));
    let apart = || halved.as_raw().iter().zip(shrunk.as_raw()).map(|(a, b)| a.abs_diff(*b));
    let sum: f64 = apart().map(f64::from).sum();
    (sum / halved.as_raw().len() as f64, apart().max().unwrap_or(0))
}

#[test]
fn halved_pictures_show_what_whole_ones_do_whatever_the_sampling() {
    let samplings = [SamplingFactor::F_1_1, SamplingFactor::F_2_1, SamplingFactor::F_1_2, SamplingFactor::F_2_2];
    for sampling in samplings {
        for (width, height) in [(160, 96), (161, 97), (67, 129), (64, 200)] {
            let bytes = encoded(&scene(width, height), |encoder| encoder.set_sampling_factor(sampling));
            for halvings in [1, 2] {
                let (mean, most) = difference(&bytes, halvings);
                assert!(mean < 2.0 * f64::from(halvings) && most < 12, "{sampling:?} {halvings}: {mean}, {most}");
            }
        }
    }
}

#[test]
fn an_even_picture_is_the_same_at_every_size() {
    let even = RgbImage::from_pixel(100, 70, Rgb([200, 120, 40]));
    let bytes = encoded(&even, |encoder| encoder.set_sampling_factor(SamplingFactor::F_2_2));
    for halvings in [1, 2] {
        let (_, most) = difference(&bytes, halvings);
        assert!(most <= 1, "{halvings}: {most}");
    }
}

#[test]
fn scans_with_restart_markers_are_read() {
    let scene = scene(323, 241);
    let plain = encoded(&scene, |encoder| encoder.set_sampling_factor(SamplingFactor::F_2_2));
    for interval in [1, 7, 20, 200] {
        let marked = encoded(&scene, |encoder| {
            encoder.set_sampling_factor(SamplingFactor::F_2_2);
            encoder.set_restart_interval(interval);
        });
        assert_eq!(halved(&marked, [323, 241], 1), halved(&plain, [323, 241], 1), "{interval}");
    }
}

#[test]
fn grey_pictures_are_read_with_the_usual_and_with_their_own_codes() {
    let grey = GrayImage::from_fn(90, 71, |x, y| image::Luma([(x + y) as u8]));
    for own_codes in [false, true] {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, 95);
        encoder.set_optimized_huffman_tables(own_codes);
        encoder.encode(grey.as_raw(), 90, 71, ColorType::Luma).unwrap();
        let (mean, _) = difference(&bytes, 1);
        assert!(mean < 2.0, "{mean}");
    }
}

#[test]
fn what_it_does_not_know_is_left_to_the_full_decoder() {
    let progressive = encoded(&scene(160, 96), |encoder| encoder.set_progressive(true));
    assert!(halved(&progressive, [160, 96], 1).is_none());
    let decoded = Encoded::open(&progressive, &Limits::default()).unwrap().decode(1).map(|it| it.halvings).unwrap();
    assert_eq!(decoded, 0);
    let mut inks = Vec::new();
    Encoder::new(&mut inks, 90).encode(&[90; 64 * 64 * 4], 64, 64, ColorType::Cmyk).unwrap();
    assert!(halved(&inks, [64, 64], 1).is_none());
    let plain = encoded(&scene(160, 96), |_| ());
    assert!(halved(&plain, [160, 95], 1).is_none(), "another size than its own");
    assert!(halved(&plain, [160, 96], 3).is_none());
}

#[test]
fn a_scan_that_ends_early_or_lacks_its_markers_is_no_picture() {
    let interval = |encoder: &mut Encoder<&mut Vec<u8>>| encoder.set_restart_interval(5);
    let bytes = encoded(&scene(160, 96), interval);
    let size = [160, 96];
    assert!(halved(&bytes, size, 1).is_some());
    for part in [0.4, 0.7, 0.95] {
        let cut = &bytes[..(bytes.len() as f64 * part) as usize];
        assert!(halved(&[cut, &[0xFF, 0xD9]].concat(), size, 1).is_none(), "cut at {part}");
    }
    let marker = bytes.windows(2).position(|pair| pair == [0xFF, 0xD0]).unwrap();
    let other = [&bytes[..marker], &[0xFF, 0xD3], &bytes[marker + 2..]].concat();
    assert!(halved(&other, size, 1).is_none(), "a marker out of turn");
}

proptest! {
    #[test]
    fn no_damage_makes_it_panic(places in prop::collection::vec((0.0_f64..1.0, any::<u8>()), 1..6), halvings in 1_u32..3) {
        let mut bytes = encoded(&scene(48, 32), |encoder| encoder.set_sampling_factor(SamplingFactor::F_2_2));
        for (place, byte) in places {
            let at = (place * bytes.len() as f64) as usize;
            bytes[at] = byte;
        }
        let _ = halved(&bytes, [48, 32], halvings);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let header = encoded(&scene(48, 32), |_| ());
        let scan = header.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap_or(0) + 14;
        let _ = halved(&[&header[..scan], &bytes].concat(), [48, 32], 1);
        let _ = halved(&[&[0xFF, 0xD8][..], &bytes].concat(), [48, 32], 1);
    }
}
