//! Pictures of many megapixels, and mirrored ones, through the networks that the product ships.

#![expect(clippy::unwrap_used, reason = "test code, its helpers too")]

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::imageops::{FilterType, overlay, resize};
use image::{ImageFormat, Rgb};
use shenfen_core::{ReadCard, Side};
use shenfen_ocr::{CardReader, Limits, Models, Reading, RgbImage};

const SIZE: [u32; 2] = [4000, 3000];
/// Where the sheet lies on the table.
const PLACE: [i64; 2] = [300, 100];

/// A sheet with a specimen card, so many pixels wide, on a table.
fn table_with_sheet(width: u32) -> RgbImage {
    let sample = image::open(root().join("samples/scan-2.jpg")).unwrap().into_rgb8();
    let sheet = resize(&sample, width, sample.height() * width / sample.width(), FilterType::CatmullRom);
    let mut table = RgbImage::from_pixel(SIZE[0], SIZE[1], Rgb([96, 84, 70]));
    overlay(&mut table, &sheet, PLACE[0], PLACE[1]);
    table
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read_as(format: ImageFormat, picture: &RgbImage) -> Reading {
    let mut bytes = Vec::new();
    picture.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    let models = Models::load(&root().join("models")).unwrap();
    CardReader::new(models, Limits::default()).read(&bytes).unwrap()
}

fn texts(card: &ReadCard) -> Vec<(&str, String)> {
    let text = |field: &shenfen_core::ReadField| field.chars.iter().map(|read| read.candidates[0].character).collect();
    card.fields.iter().map(|(name, field)| (name.as_str(), text(field))).collect()
}

/// Reads the picture as a JPEG, which may be downscaled, and as a PNG, which is not: same text, same places.
fn assert_jpeg_and_png_agree(sheet_width: u32) {
    let picture = &table_with_sheet(sheet_width);
    let [jpeg, png] = [ImageFormat::Jpeg, ImageFormat::Png].map(|format| read_as(format, picture));
    assert_eq!([jpeg.width, jpeg.height], SIZE);
    let ([card], [other]) = (&jpeg.cards[..], &png.cards[..]) else { panic!("one card") };
    assert_eq!(card.side, Side::Front);
    assert_eq!(texts(card), texts(other));
    assert!((card.quality.resolution - other.quality.resolution).abs() < 0.05);

    let near = sheet_width as f32 * 0.01;
    let quads = card.fields.iter().map(|(name, field)| (field.quad, other.fields[name].quad));
    for (quad, other) in quads.chain([(card.quad, other.quad)]) {
        let apart = quad.as_flattened().iter().zip(other.as_flattened()).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f32::max) < near, "{quad:?}, not {other:?}");
    }
    let [left, top] = PLACE.map(|at| at as f32);
    let on_sheet = |&[x, y]: &[f32; 2]| (left..left + sheet_width as f32).contains(&x) && y > top;
    assert!(card.quad.iter().all(on_sheet), "{:?}", card.quad);
}

#[test]
fn large_card_reads_the_same_from_downscaled_jpeg_and_png() {
    assert_jpeg_and_png_agree(3300);
}

#[test]
fn small_card_in_large_jpeg_is_read_at_full_resolution() {
    assert_jpeg_and_png_agree(1500);
}

#[test]
fn mirrored_picture_is_read_in_its_mirror_image_and_says_so() {
    let picture = image::open(root().join("samples/scan-3.jpg")).unwrap().into_rgb8();
    let straight = read_as(ImageFormat::Png, &picture);
    let mirrored = read_as(ImageFormat::Png, &image::imageops::flip_horizontal(&picture));
    assert!(mirrored.mirrored && !straight.mirrored);
    let ([card], [original]) = (&mirrored.cards[..], &straight.cards[..]) else { panic!("one card") };
    assert_eq!(texts(card), texts(original));
    for (corner, other) in card.quad.iter().zip(&original.quad) {
        let apart = (picture.width() as f32 - corner[0] - other[0]).abs().max((corner[1] - other[1]).abs());
        assert!(apart < 1.0, "corners are those of the picture, not of its mirror image");
    }
    let table = read_as(ImageFormat::Png, &RgbImage::from_pixel(400, 300, Rgb([96, 84, 70])));
    assert!(table.cards.is_empty() && !table.mirrored);
}
