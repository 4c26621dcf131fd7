//! What decoding takes, in a process of its own: the memory of the whole process is counted.

#![expect(clippy::unwrap_used, reason = "test code, its helpers too")]

use std::io::Cursor;

use image::{DynamicImage, ImageBuffer, ImageFormat, Rgba};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use peak_alloc::PeakAlloc;
use shenfen_ocr::fuzzing::decode;
use shenfen_ocr::{Limits, ReadError, memory_to_read};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const SIDE: u32 = 1500;
const PIXELS: usize = (SIDE * SIDE) as usize;

/// Bytes that `work` takes at its peak, and what it gives.
fn taken<T>(work: impl FnOnce() -> T) -> (usize, T) {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let result = work();
    (MEMORY.peak_usage().saturating_sub(before), result)
}

fn translucent() -> DynamicImage {
    let pixel = |x: u32, y: u32| Rgba([x, y, x + y, 65535 - 8 * x].map(|value| value as u16));
    ImageBuffer::<Rgba<u16>, Vec<u16>>::from_fn(SIDE, SIDE, pixel).into()
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

/// One test, so that nothing else takes memory beside it.
#[test]
fn decoding_takes_no_more_than_the_header_says() {
    let picture = translucent();
    let bytes = encoded(&picture, ImageFormat::Png);
    let (peak, decoded) = taken(|| decode(&bytes, &Limits::default(), 0).unwrap());
    assert_eq!(decoded.0.dimensions(), (SIDE, SIDE));
    // 8 bytes a pixel as stored, 3 decoded: a picture of 8 bits and a constant.
    assert!(peak < PIXELS * 3 + (1 << 20), "{peak}");

    let eight_bits = DynamicImage::ImageRgba8(picture.to_rgba8());
    let opaque = DynamicImage::ImageRgb8(picture.to_rgb8());
    let grey = DynamicImage::ImageLuma8(picture.to_luma8());
    for (picture, format) in [
        (&picture, ImageFormat::Png),
        (&eight_bits, ImageFormat::Png),
        (&picture, ImageFormat::Tiff),
        (&opaque, ImageFormat::Tiff),
        (&eight_bits, ImageFormat::Bmp),
        (&opaque, ImageFormat::Bmp),
        (&grey, ImageFormat::Bmp),
        (&eight_bits, ImageFormat::WebP),
        (&opaque, ImageFormat::WebP),
        (&opaque, ImageFormat::Jpeg),
        (&grey, ImageFormat::Jpeg),
    ] {
        check(&encoded(picture, format), &format!("{format:?} of {:?}", picture.color()));
    }
    for (colours, samples) in [(ColorType::Rgb, 3), (ColorType::Cmyk, 4)] {
        for is_progressive in [false, true] {
            let mut bytes = Vec::new();
            let mut encoder = Encoder::new(&mut bytes, 90);
            encoder.set_progressive(is_progressive);
            encoder.set_sampling_factor(SamplingFactor::F_1_1);
            let values: Vec<u8> = (0..PIXELS * samples).map(|at| (at / 50) as u8).collect();
            encoder.encode(&values, SIDE as u16, SIDE as u16, colours).unwrap();
            check(&bytes, &format!("{colours:?} JPEG, progressive: {is_progressive}"));
        }
    }
}

/// Decoding takes what the header says at most, and nothing where that is too much.
fn check(bytes: &[u8], name: &str) {
    let needed = memory_to_read(bytes, &Limits::default()).unwrap() as usize;
    let (peak, _) = taken(|| decode(bytes, &Limits::default(), 0).unwrap());
    assert!(peak <= needed, "{name}: {peak}, not {needed}");

    let limits = Limits { max_memory: needed as u64 - 1, ..Limits::default() };
    let (peak, refused) = taken(|| decode(bytes, &limits, 0));
    assert!(matches!(refused, Err(ReadError::TooMuchMemory { .. })), "{name}");
    assert!(peak < bytes.len() * 2 + (1 << 20), "{name}: nothing but the file was copied, {peak}");
}
