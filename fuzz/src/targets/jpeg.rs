//! The crate's own JPEG decoder beside zune-jpeg: where both read a picture, they see the same.

use std::panic;

use shenfen_ocr::RgbImage;
use shenfen_ocr::fuzzing::decode_jpeg;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Small enough for thousands of pictures a second.
const MAX_PIXELS: usize = 1 << 16;
/// Side of a block in pixels of the whole picture.
const BLOCK: u32 = 8;
/// How far a channel of a pixel may differ at full size: one decoder works in floats, the other in whole numbers, and both
/// round three times.
const PIXEL_TOLERANCE: f32 = 4.0;
/// How far the mean brightness of a block may differ at a reduced size, where it is its first coefficient alone.
const MEAN_TOLERANCE: f32 = 2.0;

/// Checks an encoded picture at every downscale.
///
/// Only pictures without a pixel at the border of its range are compared: what lies beyond it is cut off at other places in
/// either decoder.
///
/// # Panics
/// When the decoders disagree about the size, a pixel, or the mean of a block.
pub fn check(bytes: &[u8]) {
    let Some([width, height]) = size(bytes) else { return };
    let own = [0, 1, 2].map(|downscale| decode_jpeg(bytes, [width, height], downscale));
    let Some(reference) = decode_reference(bytes, [width, height]) else { return };
    let layout = Layout::of(bytes);
    for (downscale, own) in (0..).zip(own) {
        let Some(own) = own else { continue };
        assert_eq!(own.dimensions(), (width.div_ceil(1 << downscale), height.div_ceil(1 << downscale)));
        let is_comparable = layout.has_usual_sampling && layout.is_one_scan;
        if is_comparable && is_within_range(&own) && is_within_range(&reference) {
            match downscale {
                0 => check_pixels(&own, &reference),
                _ => check_means(&own, &reference, downscale),
            }
        }
    }
}

fn options() -> DecoderOptions {
    DecoderOptions::default().set_strict_mode(true).jpeg_set_out_colorspace(ColorSpace::RGB)
}

/// Width and height by the header, if they are few pixels.
fn size(bytes: &[u8]) -> Option<[u32; 2]> {
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options());
    decoder.decode_headers().ok()?;
    let (width, height) = decoder.dimensions()?;
    (width * height <= MAX_PIXELS).then_some([width as u32, height as u32])
}

/// `None` where the reference refuses a picture, or panics on it.
fn decode_reference(bytes: &[u8], [width, height]: [u32; 2]) -> Option<RgbImage> {
    let decode = || JpegDecoder::new_with_options(ZCursor::new(bytes), options()).decode();
    RgbImage::from_raw(width, height, panic::catch_unwind(decode).ok()?.ok()?)
}

/// What the headers of a picture say.
#[derive(Default)]
struct Layout {
    /// Whether brightness has a sample a pixel and the colours one or half of one, as encoders write it. The decoders enlarge
    /// others differently.
    has_usual_sampling: bool,
    /// Whether the first scan has all components. The reference decodes others wrongly.
    is_one_scan: bool,
}

impl Layout {
    /// Follows the segments up to the first scan.
    fn of(bytes: &[u8]) -> Layout {
        let mut layout = Layout::default();
        let mut components = 0;
        let mut rest = bytes.get(2..).unwrap_or_default();
        while let [0xFF, marker, high, low, ..] = *rest {
            let segment = rest.get(4..2 + usize::from(u16::from_be_bytes([high, low]))).unwrap_or_default();
            match marker {
                0xC0 | 0xC1 => {
                    let parts = segment.get(6..).unwrap_or_default().as_chunks::<3>().0;
                    components = parts.len();
                    layout.has_usual_sampling = [4, 0].into_iter().all(|shift| {
                        let factors = || parts.iter().map(|part| part[1] >> shift & 15);
                        let most = factors().max().unwrap_or(0);
                        factors().next() == Some(most) && factors().all(|factor| most == factor || most == 2 * factor)
                    });
                }
                0xDA => {
                    layout.is_one_scan = segment.first().is_some_and(|&count| usize::from(count) == components);
                    break;
                }
                _ => {}
            }
            rest = rest.get(if marker == 0xFF { 1 } else { 4 + segment.len() }..).unwrap_or_default();
        }
        layout
    }
}

fn is_within_range(picture: &RgbImage) -> bool {
    picture.as_raw().iter().all(|value| (1..255).contains(value))
}

/// Leaves the last column and row out: the reference mixes what only fills the blocks into the colours there.
fn check_pixels(own: &RgbImage, reference: &RgbImage) {
    let (last_column, last_row) = (own.width() - 1, own.height() - 1);
    let pixels = own.enumerate_pixels().zip(reference.pixels());
    for ((x, y, own), reference) in pixels.filter(|((x, y, _), _)| *x < last_column && *y < last_row) {
        for (own, reference) in own.0.iter().zip(reference.0) {
            let difference = f32::from(*own) - f32::from(reference);
            assert!(difference.abs() <= PIXEL_TOLERANCE, "{own} where {reference} is expected at {x}, {y}");
        }
    }
}

/// Compares brightness alone: the decoders enlarge the colours of a subsampled picture differently.
fn check_means(own: &RgbImage, reference: &RgbImage, downscale: u32) {
    let side = BLOCK >> downscale;
    for row in 0..reference.height() / BLOCK {
        for column in 0..reference.width() / BLOCK {
            let own = brightness(own, [column, row], side);
            let reference = brightness(reference, [column, row], BLOCK);
            let difference = own - reference;
            assert!(difference.abs() <= MEAN_TOLERANCE, "{own} where {reference} is expected in block {column}, {row}");
        }
    }
}

/// The mean brightness (ITU-T T.871) of a block of `side` x `side` pixels.
fn brightness(picture: &RgbImage, [column, row]: [u32; 2], side: u32) -> f32 {
    let pixels = (0..side * side).map(|i| picture.get_pixel(column * side + i % side, row * side + i / side).0);
    let sum: f32 = pixels.map(|[r, g, b]| 0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b)).sum();
    sum / (side * side) as f32
}
