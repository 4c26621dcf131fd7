use proptest::prelude::*;

use super::*;
use crate::decode::tests::on_paper;
use crate::{Limits, decode::Encoded};

/// Colour types by number (ISO/IEC 15948, table 11.1), their channels, and the depths that they come in.
const KINDS: [(u8, usize, &[u8]); 5] =
    [(0, 1, &[1, 2, 4, 8, 16]), (2, 3, &[8, 16]), (3, 1, &[1, 2, 4, 8]), (4, 2, &[8, 16]), (6, 4, &[8, 16])];

fn chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let checked = [&kind[..], content].concat();
    let crc = checked
        .iter()
        .fold(!0_u32, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 * (crc & 1))));
    [&(content.len() as u32).to_be_bytes()[..], &checked, &(!crc).to_be_bytes()].concat()
}

/// A zlib stream that stores its content (RFC 1950, 1951).
fn stored(content: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let pieces: Vec<&[u8]> = content.chunks(0xFFFF).collect();
    for (number, piece) in pieces.iter().enumerate() {
        let length = piece.len() as u16;
        stream.push(u8::from(number + 1 == pieces.len()));
        stream.extend([length.to_le_bytes(), (!length).to_le_bytes()].concat());
        stream.extend(*piece);
    }
    let (a, b) = content.iter().fold((1_u32, 0_u32), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65521;
        (a, (b + a) % 65521)
    });
    stream.extend((b << 16 | a).to_be_bytes());
    stream
}

struct Picture<'a> {
    size: [usize; 2],
    kind: u8,
    channels: usize,
    depth: u8,
    is_interlaced: bool,
    transparency: Option<&'a [u8]>,
    /// What its samples are taken from, over and over.
    noise: &'a [u8],
}

impl Picture<'_> {
    fn encoded(&self) -> Vec<u8> {
        let [width, height] = self.size;
        let mut header = [width as u32, height as u32].map(u32::to_be_bytes).concat();
        header.extend([self.depth, self.kind, 0, 0, u8::from(self.is_interlaced)]);
        let passes = if self.is_interlaced { &PASSES[..] } else { &[[0, 0, 1, 1]] };
        let mut noise = self.noise.iter().cycle();
        let mut rows = Vec::new();
        for &[left, top, across, down] in passes {
            let columns = width.saturating_sub(left).div_ceil(across);
            let lines = if columns == 0 { 0 } else { height.saturating_sub(top).div_ceil(down) };
            for _ in 0..lines {
                rows.push(0);
                let bytes = (columns * self.channels * usize::from(self.depth)).div_ceil(8);
                rows.extend(noise.by_ref().take(bytes));
            }
        }
        let mut chunks = vec![b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &header)];
        if self.kind == 3 {
            let palette: Vec<u8> = (0..3 << self.depth).map(|at: usize| (at * 37 + 11) as u8).collect();
            chunks.push(chunk(b"PLTE", &palette));
        }
        chunks.extend(self.transparency.map(|content| chunk(b"tRNS", content)));
        chunks.extend([chunk(b"IDAT", &stored(&rows)), chunk(b"IEND", &[])]);
        chunks.concat()
    }
}

proptest! {
    #[test]
    fn rows_become_what_the_image_crate_makes_of_the_whole_picture(
        kind in 0_usize..5,
        depth in 0_usize..5,
        size in prop::array::uniform2(1_usize..40),
        is_interlaced in any::<bool>(),
        is_transparent in any::<bool>(),
        noise in prop::collection::vec(any::<u8>(), 61),
    ) {
        let (kind, channels, depths) = KINDS[kind];
        let depth = depths[depth % depths.len()];
        let transparency: Option<&[u8]> = match kind {
            _ if !is_transparent => None,
            0 => Some(&[0, 1]),
            2 => Some(&[0, 1, 0, 2, 0, 3]),
            3 => Some(&[0, 128]),
            _ => None,
        };
        let bytes = Picture { size, kind, channels, depth, is_interlaced, transparency, noise: &noise }.encoded();
        let limits = Limits { min_side: 1, ..Limits::default() };
        let pixels = Encoded::open(&bytes, &limits).unwrap().decode(0).unwrap().pixels;
        let expected = on_paper(image::load_from_memory_with_format(&bytes, ImageFormat::Png).unwrap());
        prop_assert_eq!(pixels, expected);
    }
}
