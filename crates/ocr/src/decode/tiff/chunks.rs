//! The pixels of a TIFF strip by strip or tile by tile, so that no more than one of these is in memory as it is stored.

use std::io::Cursor;

use image::error::{
    DecodingError, ImageFormatHint, LimitError, LimitErrorKind, UnsupportedError, UnsupportedErrorKind,
};
use image::{ExtendedColorType, ImageError, ImageFormat, ImageResult, RgbImage};
use tiff::TiffError;
use tiff::decoder::{Decoder, TiffCodingUnit};

use super::damaged;
use super::scanner::Page;
use crate::decode::jpeg::Frame;
use crate::decode::samples::{Colours, Depth, Rows};

/// The widest tile, in pixels, that is decoded whatever the picture's width: a row of it is in memory.
const WIDEST_TILE: u32 = 1 << 16;
/// Bytes of the widest pixel: red, green, blue and transparency in 32-bit floating point.
const WIDEST_PIXEL: u64 = 16;

/// The samples that the general decoder takes those of a TIFF for; `None` for those that nobody decodes.
pub(super) fn kind(samples: ExtendedColorType) -> Option<(Colours, Depth)> {
    Some(match samples {
        ExtendedColorType::L1 => (Colours::Grey, Depth::Bit),
        ExtendedColorType::L8 => (Colours::Grey, Depth::Byte),
        ExtendedColorType::L16 => (Colours::Grey, Depth::Native),
        ExtendedColorType::La8 => (Colours::GreyAlpha, Depth::Byte),
        ExtendedColorType::La16 => (Colours::GreyAlpha, Depth::Native),
        ExtendedColorType::Rgb8 => (Colours::Rgb, Depth::Byte),
        ExtendedColorType::Rgb16 => (Colours::Rgb, Depth::Native),
        ExtendedColorType::Rgb32F => (Colours::Rgb, Depth::Float),
        ExtendedColorType::Rgba8 => (Colours::Rgba, Depth::Byte),
        ExtendedColorType::Rgba16 => (Colours::Rgba, Depth::Native),
        ExtendedColorType::Rgba32F => (Colours::Rgba, Depth::Float),
        ExtendedColorType::Cmyk8 => (Colours::Cmyk, Depth::Byte),
        ExtendedColorType::Cmyk16 => (Colours::Cmyk, Depth::Native),
        _ => return None,
    })
}

/// What decoding takes beside the decoded pixels, in bytes: the largest strip or tile as it is stored.
///
/// # Errors
/// When the file is damaged, or its tiles are wider than any scanner makes them.
pub(super) fn beside(bytes: &[u8]) -> ImageResult<u64> {
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(of_tiff)?;
    let (width, height) = decoder.dimensions().map_err(of_tiff)?;
    let chunk = decoder.chunk_dimensions();
    if chunk.0 > width.max(WIDEST_TILE) {
        return Err(damaged("its tiles are much wider than the picture"));
    }
    let layout = decoder.image_coding_unit_layout(TiffCodingUnit(0)).map_err(of_tiff)?;
    let row = u64::from(chunk.0) * WIDEST_PIXEL;
    let stored = (layout.complete_len as u64).saturating_add(row);
    // A strip may say that it has more rows than the picture.
    Ok(stored.saturating_add(largest_jpeg(bytes, [chunk.0, chunk.1.min(height.max(WIDEST_TILE))])?))
}

/// What the decoder of JPEG strips or tiles takes for the largest of them; 0 without any.
///
/// # Errors
/// When one of them is no picture, or one that is larger than `chunk`: the decoder would make all of its pixels.
fn largest_jpeg(bytes: &[u8], chunk: [u32; 2]) -> ImageResult<u64> {
    let Some(page) = Page::first(bytes).filter(Page::is_jpeg) else { return Ok(0) };
    let pieces = page.jpeg_pieces().ok_or_else(|| damaged("its strips or tiles are longer than the file"))?;
    let mut largest = 0;
    for piece in pieces {
        let frame = Frame::of(&piece).ok_or_else(|| damaged("a strip or tile is no JPEG picture"))?;
        if frame.size.iter().zip(chunk).any(|(&side, most)| u32::from(side) > most) {
            return Err(damaged("a strip or tile of it is a larger picture than it says"));
        }
        let pixels: u64 = frame.size.map(u64::from).iter().product();
        largest = largest.max(pixels * frame.channels() + frame.coefficients() + piece.len() as u64);
    }
    Ok(largest)
}

/// Decodes the picture; `recolour` puts each row of RGB right.
///
/// # Errors
/// When it is damaged or of a kind that nobody decodes.
pub(super) fn decode(bytes: &[u8], kind: (Colours, Depth), recolour: impl Fn(&mut [u8])) -> ImageResult<RgbImage> {
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(of_tiff)?;
    let (width, height) = decoder.dimensions().map_err(of_tiff)?;
    let (chunk_width, chunk_height) = decoder.chunk_dimensions();
    let across = width.div_ceil(chunk_width.max(1));
    let down = height.div_ceil(chunk_height.max(1));
    let mut pixels = RgbImage::new(width, height);
    let stride = width as usize * 3;
    let mut chunk = Chunk::new(kind);
    for number in 0..across.saturating_mul(down) {
        chunk.read(&mut decoder, number)?;
        let left = (number % across * chunk_width) as usize * 3;
        let lines = pixels.chunks_exact_mut(stride).skip((number / across * chunk_height) as usize);
        for (y, line) in lines.take(chunk.height).enumerate() {
            let line = &mut line[left..][..chunk.width * 3];
            chunk.convert(y, line);
            recolour(line);
        }
    }
    Ok(pixels)
}

/// A strip or tile.
struct Chunk {
    rows: Rows,
    colours: Colours,
    depth: Depth,
    bytes: Vec<u8>,
    /// Pixels that belong to the picture.
    width: usize,
    height: usize,
    /// Bytes from a row to the next.
    stride: usize,
    /// Bytes from the samples of one channel to those of the next, where they do not stand together.
    plane: Option<usize>,
    /// A row whose samples were put together.
    row: Vec<u8>,
}

impl Chunk {
    fn new((colours, depth): (Colours, Depth)) -> Chunk {
        let rows = Rows::new(colours, depth);
        Chunk { rows, colours, depth, bytes: Vec::new(), width: 0, height: 0, stride: 0, plane: None, row: Vec::new() }
    }

    /// Reads the strip or tile of this number.
    fn read(&mut self, decoder: &mut Decoder<Cursor<&[u8]>>, number: u32) -> ImageResult<()> {
        let unit = TiffCodingUnit(number);
        let layout = decoder.image_coding_unit_layout(unit).map_err(of_tiff)?;
        let (width, height) = decoder.chunk_data_dimensions(number);
        (self.width, self.height) = (width as usize, height as usize);
        self.stride = layout.row_stride.map_or(0, usize::from);
        self.plane = layout.plane_stride.map(usize::from).filter(|_| layout.planes > 1);
        if self.plane.is_some() && layout.planes < self.colours.channels() {
            return Err(damaged("it has fewer planes than channels"));
        }
        self.bytes.resize(layout.complete_len, 0);
        decoder.read_coding_unit_bytes(unit, &mut self.bytes).map_err(of_tiff)
    }

    /// Fills `rgb` with the pixels of row `y`.
    fn convert(&mut self, y: usize, rgb: &mut [u8]) {
        let channels = self.colours.channels();
        let begin = y * self.stride;
        let Some(plane) = self.plane else {
            let row = &self.bytes[begin..][..self.depth.bytes(self.width * channels)];
            return self.rows.convert(row, rgb);
        };
        let size = self.depth.bytes(1);
        self.row.resize(self.width * channels * size, 0);
        for (x, pixel) in self.row.chunks_exact_mut(channels * size).enumerate() {
            for (channel, sample) in pixel.chunks_exact_mut(size).enumerate() {
                sample.copy_from_slice(&self.bytes[channel * plane + begin + x * size..][..size]);
            }
        }
        self.rows.convert(&self.row, rgb);
    }
}

/// The decoder's error as the general decoder has it.
fn of_tiff(error: TiffError) -> ImageError {
    let format = ImageFormatHint::Exact(ImageFormat::Tiff);
    match error {
        TiffError::IoError(error) => ImageError::IoError(error),
        TiffError::LimitsExceeded => ImageError::Limits(LimitError::from_kind(LimitErrorKind::InsufficientMemory)),
        TiffError::UnsupportedError(error) => {
            let kind = UnsupportedErrorKind::GenericFeature(error.to_string());
            ImageError::Unsupported(UnsupportedError::from_format_and_kind(format, kind))
        }
        other => ImageError::Decoding(DecodingError::new(format, other)),
    }
}
