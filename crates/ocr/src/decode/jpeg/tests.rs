use image::{GrayImage, Rgb};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use proptest::prelude::*;

use super::*;
use crate::Limits;
use crate::decode::Encoded;

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
fn difference(bytes: &[u8], downscale_log2: u32) -> (f64, u8) {
    let whole = full(bytes);
    let downscaled = decode(bytes, whole.dimensions().into(), downscale_log2).unwrap();
    let [width, height] = [whole.width(), whole.height()].map(|side| side.div_ceil(1 << downscale_log2));
    assert_eq!(downscaled.dimensions(), (width, height));
    // An odd side's last pixel has no neighbour but itself.
    let side = 1 << downscale_log2;
    let mean = |x: u32, y: u32, channel: usize| {
        let pixels = (0..side * side).map(|i| {
            let (x, y) = (side * x + i % side, side * y + i / side);
            u32::from(whole.get_pixel(x.min(whole.width() - 1), y.min(whole.height() - 1))[channel])
        });
        ((pixels.sum::<u32>() + side * side / 2) / (side * side)) as u8
    };
    let shrunk = RgbImage::from_fn(width, height, |x, y| Rgb([0, 1, 2].map(|channel| mean(x, y, channel))));
    let apart = || downscaled.as_raw().iter().zip(shrunk.as_raw()).map(|(a, b)| a.abs_diff(*b));
    let sum: f64 = apart().map(f64::from).sum();
    (sum / downscaled.as_raw().len() as f64, apart().max().unwrap_or(0))
}

#[test]
fn downscaled_picture_matches_box_filtered_full_picture_for_every_chroma_sampling() {
    let samplings = [SamplingFactor::F_1_1, SamplingFactor::F_2_1, SamplingFactor::F_1_2, SamplingFactor::F_2_2];
    for sampling in samplings {
        for (width, height) in [(160, 96), (161, 97), (67, 129), (64, 200)] {
            let bytes = encoded(&scene(width, height), |encoder| encoder.set_sampling_factor(sampling));
            for downscale_log2 in [1, 2] {
                let (mean, largest) = difference(&bytes, downscale_log2);
                assert!(
                    mean < 2.0 * f64::from(downscale_log2) && largest < 12,
                    "{sampling:?} {downscale_log2}: {mean}, {largest}"
                );
            }
        }
    }
}

#[test]
fn uniform_picture_keeps_its_colour_at_every_scale() {
    let even = RgbImage::from_pixel(100, 70, Rgb([200, 120, 40]));
    let bytes = encoded(&even, |encoder| encoder.set_sampling_factor(SamplingFactor::F_2_2));
    for downscale_log2 in [1, 2] {
        let (_, largest) = difference(&bytes, downscale_log2);
        assert!(largest <= 1, "{downscale_log2}: {largest}");
    }
}

#[test]
fn decodes_restart_markers() {
    let scene = scene(323, 241);
    let plain = encoded(&scene, |encoder| encoder.set_sampling_factor(SamplingFactor::F_2_2));
    for interval in [1, 7, 20, 200] {
        let marked = encoded(&scene, |encoder| {
            encoder.set_sampling_factor(SamplingFactor::F_2_2);
            encoder.set_restart_interval(interval);
        });
        assert_eq!(decode(&marked, [323, 241], 1), decode(&plain, [323, 241], 1), "{interval}");
    }
}

#[test]
fn decodes_grey_with_standard_and_optimised_huffman_tables() {
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
fn declines_progressive_cmyk_and_mismatched_pictures() {
    let progressive = encoded(&scene(160, 96), |encoder| encoder.set_progressive(true));
    assert!(decode(&progressive, [160, 96], 1).is_none());
    let decoded =
        Encoded::open(&progressive, &Limits::default()).unwrap().decode(1).map(|it| it.downscale_log2).unwrap();
    assert_eq!(decoded, 0);
    let mut inks = Vec::new();
    Encoder::new(&mut inks, 90).encode(&[90; 64 * 64 * 4], 64, 64, ColorType::Cmyk).unwrap();
    assert!(decode(&inks, [64, 64], 1).is_none());
    let plain = encoded(&scene(160, 96), |_| ());
    assert!(decode(&plain, [160, 95], 1).is_none(), "another size than its own");
    assert!(decode(&plain, [160, 96], 3).is_none());
}

#[test]
fn rejects_truncated_scan_and_wrong_restart_marker() {
    let interval = |encoder: &mut Encoder<&mut Vec<u8>>| encoder.set_restart_interval(5);
    let bytes = encoded(&scene(160, 96), interval);
    let size = [160, 96];
    assert!(decode(&bytes, size, 1).is_some());
    for part in [0.4, 0.7, 0.95] {
        let cut = &bytes[..(bytes.len() as f64 * part) as usize];
        assert!(decode(&[cut, &[0xFF, 0xD9]].concat(), size, 1).is_none(), "cut at {part}");
    }
    let marker = bytes.windows(2).position(|pair| pair == [0xFF, 0xD0]).unwrap();
    let other = [&bytes[..marker], &[0xFF, 0xD3], &bytes[marker + 2..]].concat();
    assert!(decode(&other, size, 1).is_none(), "a marker out of turn");
}

proptest! {
    #[test]
    fn corrupted_jpeg_never_panics(places in prop::collection::vec((0.0_f64..1.0, any::<u8>()), 1..6), downscale_log2 in 1_u32..3) {
        let mut bytes = encoded(&scene(48, 32), |encoder| encoder.set_sampling_factor(SamplingFactor::F_2_2));
        for (place, byte) in places {
            let at = (place * bytes.len() as f64) as usize;
            bytes[at] = byte;
        }
        let _ = decode(&bytes, [48, 32], downscale_log2);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let header = encoded(&scene(48, 32), |_| ());
        let scan = header.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap_or(0) + 14;
        let _ = decode(&[&header[..scan], &bytes].concat(), [48, 32], 1);
        let _ = decode(&[&[0xFF, 0xD8][..], &bytes].concat(), [48, 32], 1);
    }
}

/// A small picture with subsampled colours: its components in one scan, each in its own, and brightness before both colours.
const INTERLEAVED: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/jpeg/sampling-2x2.jpg"));
const SEPARATE: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/jpeg/separate-scans.jpg"));

#[test]
fn separate_scans_show_the_same_picture_as_one_scan() {
    for downscale_log2 in 0..=MAX_DOWNSCALE_LOG2 {
        let expected = decode(INTERLEAVED, [40, 24], downscale_log2);
        assert!(expected.is_some());
        assert!(decode(SEPARATE, [40, 24], downscale_log2) == expected, "{downscale_log2}");
        let decoded = Encoded::open(SEPARATE, &SMALL).unwrap().decode(downscale_log2).unwrap();
        assert!(Some(decoded.pixels) == expected && decoded.downscale_log2 == downscale_log2);
    }
}

const SMALL: Limits =
    Limits { max_bytes: 1 << 20, max_pixels: 1 << 20, max_memory: 16 << 20, min_side: 8, max_cards: 1 };

#[test]
fn full_size_matches_the_general_decoder_for_every_chroma_sampling() {
    for sampling in [SamplingFactor::F_1_1, SamplingFactor::F_2_1, SamplingFactor::F_1_2, SamplingFactor::F_2_2] {
        let bytes = encoded(&scene(161, 97), |encoder| encoder.set_sampling_factor(sampling));
        let (ours, whole) = (decode(&bytes, [161, 97], 0).unwrap(), full(&bytes));
        let most = ours.as_raw().iter().zip(whole.as_raw()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(most <= Some(4), "{sampling:?}: {most:?}");
    }
}

#[test]
fn rejects_picture_with_a_missing_or_repeated_scan() {
    let starts: Vec<usize> =
        SEPARATE.windows(2).enumerate().filter(|(_, pair)| *pair == [0xFF, 0xDA]).map(|(at, _)| at).collect();
    let [_, second, third] = starts[..] else { panic!("three scans") };
    let (before, end) = (&SEPARATE[..third], &SEPARATE[SEPARATE.len() - 2..]);
    let repeated = [before, &SEPARATE[second..third], end].concat();
    for damaged in [[before, end].concat(), repeated] {
        let error = Encoded::open(&damaged, &SMALL).unwrap().decode(0).err().unwrap();
        assert_eq!(error.to_string(), "damaged JPEG picture: a scan of it is missing or damaged");
    }
}

#[test]
fn reads_baseline_jpeg_without_its_end_marker_if_all_rows_are_there() {
    let opens = |bytes: &[u8]| Encoded::open(bytes, &SMALL).is_ok();
    let plain = encoded(&scene(160, 96), |_| ());
    for whole in [&plain[..], SEPARATE] {
        for missing in [1, 2] {
            let cut = &whole[..whole.len() - missing];
            assert!(opens(cut), "{missing} bytes missing");
            let [rows, expected] =
                [cut, whole].map(|bytes| Encoded::open(bytes, &SMALL).unwrap().decode(0).unwrap().pixels);
            assert!(rows == expected);
        }
        assert!(!opens(&whole[..whole.len() - 5]), "the last row is cut");
    }
    let progressive = encoded(&scene(160, 96), |encoder| encoder.set_progressive(true));
    assert!(!opens(&progressive[..progressive.len() - 2]), "another scan may be missing");
}

#[test]
fn rejects_picture_with_more_scans_than_any_encoder_writes() {
    let mut bytes = encoded(&scene(160, 96), |encoder| encoder.set_progressive(true));
    let last = bytes.windows(2).rposition(|pair| pair == [0xFF, 0xDA]).unwrap();
    let scan = bytes[last..bytes.len() - 2].to_vec();
    (0..100).for_each(|_| drop(bytes.splice(last..last, scan.iter().copied())));
    let error = Encoded::open(&bytes, &SMALL).err().unwrap();
    assert_eq!(error.to_string(), "damaged JPEG picture: it has more than 100 scans");
}
