//! PNG pictures (ISO/IEC 15948), a row at a time.

use std::io::Cursor;

use image::error::{DecodingError, ImageFormatHint, LimitError, LimitErrorKind};
use image::metadata::Orientation;
use image::{ImageError, ImageFormat, ImageResult, RgbImage};
use png::{BitDepth, ColorType, Decoder, InterlaceInfo, Limits, Reader, Transformations};

use super::header::Header;
use super::samples::{Colours, Depth, Rows};

/// Rows that the decoder holds: the one before, the one being filled, and what it has read ahead.
const ROWS: u64 = 4;

/// The passes of an interlaced picture: first column and row, and the steps to the next ones.
const PASSES: [[usize; 4]; 7] =
    [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];

/// What the chunks before the pixels say.
///
/// # Errors
/// When they are damaged.
pub(super) fn header(bytes: &[u8], max_memory: u64) -> ImageResult<Header> {
    let reader = reader(bytes, max_memory)?;
    let (width, height) = reader.info().size();
    let exif = reader.info().exif_metadata.as_deref();
    let orientation = exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms);
    let row = reader.output_line_size(width).map_or(u64::MAX, |bytes| bytes as u64);
    Ok(Header { size: [width, height], orientation, beside: row.saturating_mul(ROWS) })
}

/// The picture; of an animation, the one that stands for it.
///
/// # Errors
/// When it is damaged.
pub(super) fn decode(bytes: &[u8], max_memory: u64) -> ImageResult<RgbImage> {
    let mut reader = reader(bytes, max_memory)?;
    let (width, height) = reader.info().size();
    let (colours, depth) = kind(&reader);
    let channels = colours.channels();
    let (mut rows, mut pixels) = (Rows::new(colours, depth), vec![0; width as usize * height as usize * 3]);
    let mut row = vec![0; depth.bytes(width as usize * channels)];
    let mut places = Places::new([width, height].map(|side| side as usize), reader.info().interlaced);
    let stride = width as usize * 3;
    let mut of_pass = vec![0; stride];
    while let Some(interlace) = reader.read_row(&mut row).map_err(of_png)? {
        let Some(Place { y, first, step, count }) = places.next() else { break };
        let row = &row[..depth.bytes(count * channels)];
        let line = &mut pixels[y * stride..][..stride];
        if matches!(interlace, InterlaceInfo::Null(_)) {
            rows.convert(row, line);
            continue;
        }
        rows.convert(row, &mut of_pass[..count * 3]);
        let targets = line.as_chunks_mut::<3>().0.iter_mut().skip(first).step_by(step);
        targets.zip(of_pass.as_chunks().0).for_each(|(target, pixel)| *target = *pixel);
    }
    Ok(RgbImage::from_raw(width, height, pixels).expect("as many bytes as its sides say"))
}

/// A decoder before the first row. Texts and profiles, which may be compressed to a thousandth, are skipped.
fn reader(bytes: &[u8], max_memory: u64) -> ImageResult<Reader<Cursor<&[u8]>>> {
    let limits = Limits { bytes: usize::try_from(max_memory).unwrap_or(usize::MAX) };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    // Palettes, packed samples and a transparent colour become whole samples.
    decoder.set_transformations(Transformations::EXPAND);
    decoder.read_info().map_err(of_png)
}

/// The decoder's error as the general decoder has it.
fn of_png(error: png::DecodingError) -> ImageError {
    match error {
        png::DecodingError::IoError(error) => ImageError::IoError(error),
        png::DecodingError::LimitsExceeded => {
            ImageError::Limits(LimitError::from_kind(LimitErrorKind::InsufficientMemory))
        }
        other => ImageError::Decoding(DecodingError::new(ImageFormatHint::Exact(ImageFormat::Png), other)),
    }
}

/// The samples of its rows. Palettes were expanded.
fn kind(reader: &Reader<Cursor<&[u8]>>) -> (Colours, Depth) {
    let (colours, depth) = reader.output_color_type();
    let colours = match colours {
        ColorType::Grayscale => Colours::Grey,
        ColorType::GrayscaleAlpha => Colours::GreyAlpha,
        ColorType::Rgb | ColorType::Indexed => Colours::Rgb,
        ColorType::Rgba => Colours::Rgba,
    };
    (colours, if depth == BitDepth::Sixteen { Depth::BigEndian } else { Depth::Byte })
}

/// Where the pixels of a row of the file belong.
struct Place {
    y: usize,
    /// Column of the first one, from each to the next, and how many there are.
    first: usize,
    step: usize,
    count: usize,
}

/// The rows of the file one after another: those of the picture, or of its passes.
struct Places {
    size: [usize; 2],
    passes: &'static [[usize; 4]],
    row: usize,
}

impl Places {
    fn new(size: [usize; 2], is_interlaced: bool) -> Places {
        Places { size, passes: if is_interlaced { &PASSES } else { &[[0, 0, 1, 1]] }, row: 0 }
    }
}

impl Iterator for Places {
    type Item = Place;

    fn next(&mut self) -> Option<Place> {
        let [width, height] = self.size;
        loop {
            let (&[first, top, step, down], later) = self.passes.split_first()?;
            let y = top + self.row * down;
            // A pass without a pixel has no rows.
            if y < height && first < width {
                self.row += 1;
                return Some(Place { y, first, step, count: (width - first).div_ceil(step) });
            }
            (self.passes, self.row) = (later, 0);
        }
    }
}

#[cfg(test)]
mod tests;
