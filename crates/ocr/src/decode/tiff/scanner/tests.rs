use image::RgbImage;
use jpeg_encoder::{ColorType, Encoder};
use proptest::prelude::*;

use super::*;
use crate::decode::Encoded;
use crate::error::ReadError;
use crate::limits::Limits;

const WIDTH: u64 = 96;
const HEIGHT: u64 = 64;

/// A TIFF of these tags, each with values of type SHORT or, of those that say where the strips are, LONG.
fn tiff(is_little: bool, tags: &[(u16, Vec<u64>)], strips: &[Vec<u8>]) -> Vec<u8> {
    let number = |value: u64, size: usize| {
        let mut bytes = value.to_le_bytes()[..size].to_vec();
        if !is_little {
            bytes.reverse();
        }
        bytes
    };
    let mut offsets = Vec::new();
    let mut body = Vec::new();
    for strip in strips {
        offsets.push(8 + body.len() as u64);
        body.extend(strip);
    }
    let sizes = strips.iter().map(|strip| strip.len() as u64).collect();
    let mut tags = tags.to_vec();
    tags.extend([
        (tag::WIDTH, vec![WIDTH]),
        (tag::HEIGHT, vec![HEIGHT]),
        (tag::STRIP_OFFSETS, offsets),
        (tag::STRIP_BYTES, sizes),
    ]);
    tags.sort();
    let mut directory = number(tags.len() as u64, 2);
    for (tag, values) in &tags {
        let is_long = [tag::STRIP_OFFSETS, tag::STRIP_BYTES].contains(tag);
        let (kind, size) = if is_long { (4, 4) } else { (3, 2) };
        let mut bytes: Vec<u8> = values.iter().flat_map(|value| number(*value, size)).collect();
        directory.extend([number(u64::from(*tag), 2), number(kind, 2), number(values.len() as u64, 4)].concat());
        if bytes.len() > 4 {
            directory.extend(number(8 + body.len() as u64, 4));
            body.extend(bytes);
        } else {
            bytes.resize(4, 0);
            directory.extend(bytes);
        }
    }
    directory.extend([0; 4]);
    let magic: &[u8] = if is_little { b"II\x2a\0" } else { b"MM\0\x2a" };
    [magic, &number(8 + body.len() as u64, 4), &body, &directory].concat()
}

fn read(bytes: &[u8]) -> Result<RgbImage, ReadError> {
    Ok(Encoded::open(bytes, &Limits::default())?.decode(0)?.pixels)
}

/// The colours of the left and the right half.
fn halves(bytes: &[u8]) -> [[u8; 3]; 2] {
    let image = read(bytes).unwrap();
    assert_eq!((u64::from(image.width()), u64::from(image.height())), (WIDTH, HEIGHT));
    [20, 80].map(|x| image.get_pixel(x, 40).0)
}

/// One byte a pixel: `left` in the left half, `right` in the right one.
fn bytes_of_halves(left: u8, right: u8) -> Vec<u8> {
    (0..WIDTH * HEIGHT).map(|at| if at % WIDTH < WIDTH / 2 { left } else { right }).collect()
}

fn palette_tags(bits: u64, palette: Vec<u64>) -> Vec<(u16, Vec<u64>)> {
    vec![
        (tag::BITS_PER_SAMPLE, vec![bits]),
        (tag::COMPRESSION, vec![1]),
        (tag::COLOURS, vec![PALETTE]),
        (tag::PALETTE, palette),
    ]
}

/// Reds, greens and blues of 256 colours, of which 3 is an orange and 200 a blue, times `unit`.
fn orange_and_blue(unit: u64) -> Vec<u64> {
    let channel = |orange: u64, blue: u64| {
        let mut values = vec![0; 256];
        (values[3], values[200]) = (orange * unit, blue * unit);
        values
    };
    [channel(250, 10), channel(120, 20), channel(5, 240)].concat()
}

#[test]
fn numbers_of_a_palette_become_its_colours() {
    for is_little in [true, false] {
        // By the standard a channel has 16 bits; some programs write 8.
        for unit in [257, 256, 1] {
            let bytes = tiff(is_little, &palette_tags(8, orange_and_blue(unit)), &[bytes_of_halves(3, 200)]);
            assert_eq!(halves(&bytes), [[250, 120, 5], [10, 20, 240]], "little {is_little}, unit {unit}");
        }
    }
    let rows: Vec<u8> = (0..HEIGHT).flat_map(|_| [[0_u8; 6], [0xFF; 6]].concat()).collect();
    let bytes = tiff(true, &palette_tags(1, vec![0, 65535, 0, 32768, 65535, 0]), &[rows]);
    assert_eq!(halves(&bytes), [[0, 0, 255], [255, 128, 0]]);
}

#[test]
fn number_without_a_colour_is_black_and_a_palette_of_other_depths_is_not_supported() {
    let few = tiff(true, &palette_tags(8, vec![65535; 9]), &[bytes_of_halves(2, 3)]);
    assert_eq!(halves(&few), [[255; 3], [0; 3]]);
    let nibbles = tiff(true, &palette_tags(4, vec![65535; 48]), &[vec![0x12; (WIDTH * HEIGHT / 2) as usize]]);
    assert!(matches!(read(&nibbles), Err(ReadError::Unsupported { .. })));
}

#[test]
fn colours_of_jpeg_strips_are_converted() {
    let jpeg = |rows: u64| {
        let rgb: Vec<u8> = (0..WIDTH * rows)
            .flat_map(|at| if at % WIDTH < WIDTH / 2 { [200, 60, 30] } else { [20, 40, 220] })
            .collect();
        let mut bytes = Vec::new();
        Encoder::new(&mut bytes, 95).encode(&rgb, WIDTH as u16, rows as u16, ColorType::Rgb).unwrap();
        bytes
    };
    let tags = |rows: u64| {
        vec![
            (tag::BITS_PER_SAMPLE, vec![8, 8, 8]),
            (tag::COMPRESSION, vec![JPEG]),
            (tag::COLOURS, vec![YCBCR]),
            (277, vec![3]),
            (tag::ROWS_PER_STRIP, vec![rows]),
        ]
    };
    for is_little in [true, false] {
        for rows in [HEIGHT, HEIGHT / 4] {
            let strips = vec![jpeg(rows); (HEIGHT / rows) as usize];
            let [left, right] = halves(&tiff(is_little, &tags(rows), &strips));
            let is_near = |seen: [u8; 3], true_: [u8; 3]| seen.iter().zip(true_).all(|(a, b)| a.abs_diff(b) < 6);
            assert!(is_near(left, [200, 60, 30]) && is_near(right, [20, 40, 220]), "{left:?} {right:?}");
        }
    }
}

#[test]
fn bits_may_stand_in_the_other_order() {
    let tags = |order: u64| {
        vec![
            (tag::BITS_PER_SAMPLE, vec![1]),
            (tag::COMPRESSION, vec![1]),
            (tag::COLOURS, vec![BLACK_IS_ZERO]),
            (tag::BIT_ORDER, vec![order]),
        ]
    };
    let row: Vec<u8> = [1, 2, 4, 8, 0x70, 0, 0xFF, 0xF0, 0x0F, 0xAB, 0xCD, 0xEF].to_vec();
    let rows = |row: Vec<u8>| vec![row.repeat(HEIGHT as usize)];
    let turned: Vec<u8> = row.iter().map(|byte| byte.reverse_bits()).collect();
    let usual = read(&tiff(true, &tags(1), &rows(row))).unwrap();
    assert_eq!(read(&tiff(true, &tags(LOWEST_FIRST), &rows(turned))).unwrap(), usual);
    assert_eq!([7, 8, 14].map(|x| usual.get_pixel(x, 0).0[0]), [255, 0, 255]);
}

/// Bits, of "0" and "1", as bytes.
fn bits(text: &str) -> Vec<u8> {
    let byte = |bits: &[u8]| bits.iter().enumerate().fold(0, |byte, (at, bit)| byte | (bit - b'0') << (7 - at));
    text.as_bytes().chunks(8).map(byte).collect()
}

const END_OF_LINE: &str = "000000000001";
/// 48 white pixels, then 48 black ones (ITU-T T.4, table 2).
const HALF_BLACK: &str = "00001011000001100100";

fn fax_tags(options: u64, rows_per_strip: u64) -> Vec<(u16, Vec<u64>)> {
    vec![
        (tag::BITS_PER_SAMPLE, vec![1]),
        (tag::COMPRESSION, vec![FAX_GROUP_3]),
        (tag::COLOURS, vec![0]),
        (tag::ROWS_PER_STRIP, vec![rows_per_strip]),
        (tag::FAX_OPTIONS, vec![options]),
    ]
}

#[test]
fn fax_lines_are_unpacked() {
    let line = [END_OF_LINE, HALF_BLACK].concat();
    let filled = ["0000", END_OF_LINE, HALF_BLACK].concat();
    let end = END_OF_LINE.repeat(6);
    for is_little in [true, false] {
        for (what, options, strips) in [
            ("one strip", 0, vec![bits(&(line.repeat(64) + &end))]),
            ("without an end", 0, vec![bits(&line.repeat(64))]),
            ("four strips", 0, vec![bits(&(line.repeat(16) + END_OF_LINE)); 4]),
            ("fill bits", 4, vec![bits(&(filled.repeat(64) + &end))]),
        ] {
            let rows = HEIGHT / strips.len() as u64;
            let bytes = tiff(is_little, &fax_tags(options, rows), &strips);
            assert_eq!(halves(&bytes), [[255; 3], [0; 3]], "{what}, little {is_little}");
        }
    }
}

#[test]
fn fax_that_is_cut_off_or_of_two_dimensions_is_not_read() {
    let line = [END_OF_LINE, HALF_BLACK].concat();
    for (options, lines) in [(0, 40), (1, 64)] {
        let bytes = tiff(true, &fax_tags(options, HEIGHT), &[bits(&line.repeat(lines))]);
        assert!(matches!(read(&bytes), Err(ReadError::Unsupported { .. })), "options {options}, {lines} lines");
    }
}

proptest! {
    #[test]
    fn odd_tags_never_panic(
        is_little in any::<bool>(),
        values in prop::collection::vec((0_usize..11, prop::collection::vec(0_u64..70_000, 0..5)), 0..9),
        strips in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..4),
    ) {
        let numbers = [
            tag::WIDTH, tag::BITS_PER_SAMPLE, tag::COMPRESSION, tag::COLOURS, tag::BIT_ORDER, tag::ROWS_PER_STRIP, tag::FAX_OPTIONS,
            tag::PALETTE, tag::TILE_OFFSETS, tag::TILE_BYTES, 277,
        ];
        let small = |number: usize, value: u64| if [2, 3, 4, 10].contains(&number) { value % 9 } else { value };
        let tags: Vec<(u16, Vec<u64>)> = values
            .into_iter()
            .map(|(number, values)| (numbers[number], values.into_iter().map(|value| small(number, value)).collect()))
            .collect();
        let limits = Limits { max_pixels: 1 << 20, min_side: 1, ..Limits::default() };
        let bytes = tiff(is_little, &tags, &strips);
        let _ = Encoded::open(&bytes, &limits).and_then(|encoded| encoded.decode(0));
    }
}
