use std::time::{Duration, Instant};

use std::io::Cursor;

use image::{GenericImageView, ImageBuffer, Luma, LumaA, Rgb, Rgba};
use proptest::prelude::*;
use shenfen_core::ReadOutcome;

use super::*;

const SIZE: (u32, u32) = (96, 64);

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    image.into().write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

/// What the image crate makes of a picture as a whole, on white.
pub(super) fn on_paper(pixels: DynamicImage) -> RgbImage {
    if !pixels.color().has_alpha() {
        return pixels.into_rgb8();
    }
    RgbImage::from_fn(pixels.width(), pixels.height(), |x, y| {
        let Rgba([r, g, b, alpha]) = pixels.get_pixel(x, y);
        let alpha = u32::from(alpha);
        Rgb([r, g, b].map(|value| ((u32::from(value) * alpha + 255 * (255 - alpha) + 127) / 255) as u8))
    })
}

/// Red left half, blue right half.
fn two_halves() -> RgbImage {
    RgbImage::from_fn(SIZE.0, SIZE.1, |x, _| if x < 48 { Rgb([250, 10, 10]) } else { Rgb([10, 10, 250]) })
}

fn decode(bytes: &[u8], limits: &Limits) -> Result<RgbImage, ReadError> {
    Ok(Encoded::open(bytes, limits)?.decode(0)?.pixels)
}

fn read(bytes: &[u8]) -> Result<RgbImage, ReadError> {
    decode(bytes, &Limits::default())
}

fn is_red(image: &RgbImage, x: u32, y: u32) -> bool {
    image.get_pixel(x, y).0[0] > 200
}

/// A PNG that claims a size and holds nothing.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([8, 2, 0, 0, 0]);
    for (kind, content) in [(b"IHDR", &header[..]), (b"IDAT", &[0x78, 0x9C])] {
        bytes.extend((content.len() as u32).to_be_bytes());
        let chunk = [&kind[..], content].concat();
        let crc = chunk.iter().fold(!0_u32, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 * (crc & 1)))
        });
        bytes.extend(chunk);
        bytes.extend((!crc).to_be_bytes());
    }
    bytes
}

/// Puts an EXIF block with an orientation behind the first marker of a JPEG.
fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0II\x2A\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xFF, 0xE1], &length, &exif, &jpeg[2..]].concat()
}

#[test]
fn detects_format_by_content() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Tiff] {
        let image = read(&encoded(two_halves(), format)).unwrap();
        assert_eq!(image.dimensions(), SIZE, "{format:?}");
        assert!(is_red(&image, 20, 30) && !is_red(&image, 80, 30), "{format:?}");
    }
}

#[test]
fn formats_that_are_not_decoded_are_refused_by_name() {
    for (bytes, name) in [
        (&b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"[..], "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x20ftypavif\0\0\0\0avifmif1", "AVIF"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF"),
        (b"GIF89a\x60\0\x40\0", "GIF"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    ] {
        let error = read(bytes).unwrap_err().to_string();
        assert!(error.starts_with(name) && error.contains("convert the picture to JPEG or PNG"), "{error}");
    }
    assert!(matches!(read(b"\0\0\0\x18ftypisom\0\0\0\0isom").unwrap_err(), ReadError::UnknownFormat));
    assert!(matches!(read(b"hello").unwrap_err(), ReadError::UnknownFormat));
}

/// A TIFF whose directories follow each other as `next` says, by their offsets; 0 ends the chain.
fn tiff_chain(next: &[u32]) -> Vec<u8> {
    let mut bytes = b"II\x2a\0".to_vec();
    for (number, offset) in next.iter().enumerate() {
        bytes.extend(offset.to_le_bytes());
        if number + 1 < next.len() {
            bytes.extend([0, 0]);
        }
    }
    bytes
}

#[test]
fn pages_of_a_tiff_are_counted_and_a_chain_in_a_circle_ends() {
    for (next, pages) in [(&[8, 0][..], 1), (&[8, 14, 0], 2), (&[8, 14, 20, 0], 3), (&[8, 9999], 1), (&[0], 1)] {
        assert_eq!(tiff::pages(&tiff_chain(next)), pages, "{next:?}");
    }
    assert_eq!(tiff::pages(&tiff_chain(&[8, 14, 8])), 1000);
    assert_eq!(tiff::pages(b"II"), 1);
    let one = encoded(two_halves(), ImageFormat::Tiff);
    assert_eq!(Encoded::open(&one, &Limits::default()).unwrap().pages(), 1);
}

#[test]
fn converts_every_pixel_type_to_rgb() {
    let (width, height) = SIZE;
    let deep: ImageBuffer<Rgb<u16>, _> = ImageBuffer::from_pixel(width, height, Rgb([65535_u16, 32896, 0]));
    let grey: ImageBuffer<Luma<u8>, _> = ImageBuffer::from_pixel(width, height, Luma([77_u8]));
    let half_clear: ImageBuffer<LumaA<u8>, _> = ImageBuffer::from_pixel(width, height, LumaA([100_u8, 51]));
    let clear: ImageBuffer<Rgba<u16>, _> = ImageBuffer::from_pixel(width, height, Rgba([9_u16, 9, 9, 0]));
    let pictures: [(DynamicImage, [u8; 3]); 4] =
        [(deep.into(), [255, 128, 0]), (grey.into(), [77; 3]), (half_clear.into(), [224; 3]), (clear.into(), [255; 3])];
    for (picture, expected) in pictures {
        let kind = picture.color();
        assert_eq!(read(&encoded(picture, ImageFormat::Png)).unwrap().get_pixel(5, 5).0, expected, "{kind:?}");
    }
}

#[test]
fn applies_exif_orientation() {
    let jpeg = encoded(two_halves(), ImageFormat::Jpeg);
    let turned_around = read(&with_orientation(&jpeg, 3)).unwrap();
    assert!(!is_red(&turned_around, 20, 30) && is_red(&turned_around, 80, 30));
    // 6: the picture has to be turned clockwise, so its left becomes its top.
    let turned = read(&with_orientation(&jpeg, 6)).unwrap();
    assert_eq!(turned.dimensions(), (SIZE.1, SIZE.0));
    assert!(is_red(&turned, 30, 20) && !is_red(&turned, 30, 80));
    assert_eq!(read(&with_orientation(&jpeg, 99)).unwrap().dimensions(), SIZE, "nonsense is no orientation");
}

#[test]
fn rejects_empty_unknown_and_damaged_input_by_kind() {
    assert!(matches!(read(&[]), Err(ReadError::Empty)));
    assert!(matches!(read(b"name,number\nmade up,1\n"), Err(ReadError::UnknownFormat)));
    assert!(matches!(read(b"GIF89a\x01\0\x01\0\0\0\0"), Err(ReadError::Unsupported { .. })));
    assert!(matches!(read(b"\xFF\xD8\xFF"), Err(ReadError::Damaged { format: "JPEG", .. })));
}

#[test]
fn rejects_truncated_pictures_at_any_length() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Tiff] {
        let noisy = RgbImage::from_fn(128, 128, |x, y| Rgb([(x * y) as u8, (x * 31 + y * 17) as u8, (x ^ y) as u8]));
        let bytes = encoded(noisy, format);
        for part in [0.3, 0.6, 0.9] {
            let cut = &bytes[..(bytes.len() as f32 * part) as usize];
            assert!(matches!(read(cut), Err(ReadError::Damaged { .. })), "{format:?} at {part}");
        }
    }
}

#[test]
fn rejects_truncated_jpeg_that_contains_a_whole_thumbnail() {
    let jpeg = encoded(two_halves(), ImageFormat::Jpeg);
    let length = (jpeg.len() as u16 + 2).to_be_bytes();
    let thumbnailed = [&jpeg[..2], &[0xFF, 0xE2], &length, &jpeg, &jpeg[2..]].concat();
    assert!(read(&thumbnailed).is_ok());
    let error = read(&thumbnailed[..thumbnailed.len() - 10]).unwrap_err();
    assert_eq!(error.to_string(), "damaged JPEG picture: the file ends before the picture does");
}

#[test]
fn accepts_trailing_bytes_after_jpeg() {
    let jpeg = encoded(two_halves(), ImageFormat::Jpeg);
    assert!(read(&[&jpeg[..], b"trailer of a phone"].concat()).is_ok());
}

#[test]
fn rejects_huge_picture_by_its_header() {
    let begin = Instant::now();
    let error = read(&png_header(20_000, 20_000)).unwrap_err();
    assert!(matches!(error, ReadError::TooManyPixels { width: 20_000, height: 20_000, .. }));
    assert_eq!(error.to_string(), "the picture has 20000 x 20000 pixels, more than the limit of 64000000");
    assert!(begin.elapsed() < Duration::from_secs(1), "nothing was decoded");
}

#[test]
fn limits_are_inclusive() {
    let png = encoded(two_halves(), ImageFormat::Png);
    let limits = Limits { max_pixels: 96 * 64, max_bytes: png.len(), min_side: 64, ..Limits::default() };
    assert!(decode(&png, &limits).is_ok());
    let refused = |limits: Limits| decode(&png, &limits).unwrap_err();
    assert!(matches!(refused(Limits { max_pixels: 96 * 64 - 1, ..limits }), ReadError::TooManyPixels { .. }));
    assert!(matches!(refused(Limits { max_bytes: png.len() - 1, ..limits }), ReadError::TooManyBytes { .. }));
    assert!(matches!(refused(Limits { min_side: 65, ..limits }), ReadError::TooSmall { .. }));
}

#[test]
fn rejects_pictures_with_a_tiny_side() {
    for (width, height) in [(1, 1), (5000, 1), (1, 5000)] {
        let png = encoded(RgbImage::new(width, height), ImageFormat::Png);
        assert!(matches!(read(&png), Err(ReadError::TooSmall { .. })), "{width} x {height}");
    }
}

/// From the corpus of the fuzz targets.
fn corpus(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/picture");
    std::fs::read(std::path::Path::new(folder).join(name)).unwrap()
}

#[test]
fn pictures_of_every_kind_become_what_the_image_crate_makes_of_them() {
    let limits = Limits { min_side: 1, ..Limits::default() };
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/picture");
    let mut compared = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let bytes = corpus(&name);
        // The general decoder is not asked where it gets pictures wrong, or fails.
        let ours = ["palette.tif", "ycbcr.tif", "g3.tif", "low-bits-first.tif"].contains(&&*name);
        if ours || name.starts_with("regression") {
            continue;
        }
        let Ok(Ok(expected)) = panic::catch_unwind(|| image::load_from_memory(&bytes)) else { continue };
        assert_eq!(decode(&bytes, &limits).unwrap(), on_paper(expected), "{name}");
        compared += 1;
    }
    assert!(compared > 30, "{compared}");
}

#[test]
fn decoder_panic_is_a_damaged_picture() {
    let limits = Limits { min_side: 8, ..Limits::default() };
    let error = decode(&corpus("planar-tiles.tif"), &limits).unwrap_err();
    assert_eq!(error.to_string(), "damaged TIFF picture: its decoder fails on it");
    assert!(matches!(error.into(), ReadOutcome::Refused(_)), "final");
}

#[test]
fn rejects_headers_that_claim_more_than_allowed() {
    let limits = Limits { min_side: 8, max_pixels: 1 << 18, ..Limits::default() };
    let refused = |name: &str| decode(&corpus(name), &limits).unwrap_err().to_string();
    assert!(
        refused("regression-tag-with-too-many-values.tif").contains("a tag has more values than the file has bytes")
    );
    assert!(refused("regression-frame-larger-than-canvas.webp").contains("more than the limit of 262144"));
    assert!(decode(&corpus("large-rgba16.png"), &limits).is_ok());
}

#[test]
fn rejects_pictures_whose_kind_takes_more_memory_than_allowed() {
    let limits = Limits { max_memory: 2_000_000, ..Limits::default() };
    let needed = |name: &str| match decode(&corpus(name), &limits) {
        Err(ReadError::TooMuchMemory { needed, limit: 2_000_000, .. }) => needed,
        other => panic!("{name}: {:?}", other.err()),
    };
    // 512 x 512 pixels.
    for (name, bytes_per_pixel) in
        [("large-rgba16.png", 5.4), ("large-lossless.webp", 8.1), ("large-progressive.jpg", 9.8)]
    {
        let per_pixel = (needed(name) - (1 << 20)) as f64 / f64::from(1 << 18);
        assert!((bytes_per_pixel - 0.2..bytes_per_pixel + 0.2).contains(&per_pixel), "{name}: {per_pixel}");
    }
    let error = decode(&corpus("large-rgba16.png"), &limits).unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with("the picture has 512 x 512 pixels of a kind that takes "), "{message}");
    assert!(message.ends_with(" bytes of memory to read, more than the limit of 2000000"), "{message}");
    let ReadOutcome::Refused(refusal) = error.into() else { panic!("final") };
    assert_eq!(refusal.rule, shenfen_core::Rule::PicturePixels);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), start in 0_usize..7) {
        let starts: [&[u8]; 7] = [
            b"", b"\xFF\xD8\xFF", b"\x89PNG\r\n\x1a\n", b"RIFF\x40\0\0\0WEBPVP8 ", b"BM", b"II\x2A\0", b"MM\0\x2A",
        ];
        let _ = read(&[starts[start], &bytes].concat());
    }

    #[test]
    fn corrupted_pictures_never_panic(format in 0_usize..5, place in 0.0_f64..1.0, byte in any::<u8>()) {
        let formats = [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Tiff];
        let mut bytes = encoded(two_halves(), formats[format]);
        let at = (place * bytes.len() as f64) as usize;
        bytes[at] = byte;
        let limits = Limits { max_pixels: 1 << 20, ..Limits::default() };
        let _ = decode(&bytes, &limits);
    }
}
