//! Bytes to pixels: format by content, limits by header, EXIF orientation applied, everything to 8-bit RGB.

pub(crate) mod jpeg;
mod named;
mod tiff;
mod webp;

use std::io::Cursor;
use std::panic::{self, AssertUnwindSafe};

use image::error::LimitErrorKind;
use image::metadata::Orientation;
use image::{DynamicImage, GenericImageView, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage};

use crate::error::ReadError;
use crate::limits::Limits;

/// The most bytes that a decoder may take for each pixel allowed: 16-bit RGBA, the widest of the formats' pixels.
const BYTES_PER_PIXEL: u64 = 8;

const TOO_MUCH_MEMORY: &str = "decoding it needs more memory than its size allows";

/// A picture that is still encoded. Its header is within the limits.
pub(crate) struct Encoded<'a> {
    bytes: &'a [u8],
    /// A TIFF in terms that the general decoder knows, where its own are others.
    rewritten: Option<tiff::Rewritten>,
    limits: &'a Limits,
    format: ImageFormat,
    name: &'static str,
    /// Width and height as stored, in pixels.
    stored: [u32; 2],
    orientation: Orientation,
}

/// A decoded picture, possibly downscaled.
pub(crate) struct Decoded {
    pub(crate) pixels: RgbImage,
    /// Each side was divided by 2 to this power.
    pub(crate) downscale_log2: u32,
}

impl<'a> Encoded<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// When the picture is empty, of no known format, beyond a limit, damaged in its header or cut off.
    pub(crate) fn open(bytes: &'a [u8], limits: &'a Limits) -> Result<Encoded<'a>, ReadError> {
        if bytes.is_empty() {
            return Err(ReadError::Empty);
        }
        if bytes.len() > limits.max_bytes {
            return Err(ReadError::TooManyBytes { bytes: bytes.len(), limit: limits.max_bytes });
        }
        let (format, name) = format_of(bytes).ok_or_else(|| match named::format_of(bytes) {
            Some(format) => ReadError::Unsupported { format: format.into() },
            None => ReadError::UnknownFormat,
        })?;
        let stored = [0; 2];
        let orientation = Orientation::NoTransforms;
        let mut encoded = Encoded { bytes, rewritten: None, limits, format, name, stored, orientation };
        if format == ImageFormat::Tiff {
            tiff::check(bytes).map_err(|reason| encoded.damaged(reason))?;
            encoded.rewritten = tiff::Rewritten::of(bytes, limits.max_pixels);
        }
        encoded.guarded(|| encoded.read_header()).map(|(stored, orientation)| {
            (encoded.stored, encoded.orientation) = (stored, orientation);
            encoded
        })
    }

    /// The size as stored, within the limits, and the orientation.
    fn read_header(&self) -> Result<([u32; 2], Orientation), ReadError> {
        if let Some([width, height]) = webp::largest_frame(self.bytes).filter(|_| self.format == ImageFormat::WebP) {
            self.check_pixels(width, height)?;
        }
        let mut decoder = self.decoder()?;
        let (width, height) = decoder.dimensions();
        self.check_pixels(width, height)?;
        // A TIFF's decoder has the pixels twice.
        let times = if self.format == ImageFormat::Tiff { 2 } else { 1 };
        if decoder.total_bytes().saturating_mul(times) > self.max_memory() {
            return Err(self.damaged(TOO_MUCH_MEMORY));
        }
        if width.min(height) < self.limits.min_side {
            return Err(ReadError::TooSmall { width, height, limit: self.limits.min_side });
        }
        if self.format == ImageFormat::Jpeg {
            jpeg::check(self.bytes, [width, height]).map_err(|reason| self.damaged(reason))?;
        }
        // A broken EXIF block says nothing about the pixels.
        Ok(([width, height], decoder.orientation().unwrap_or(Orientation::NoTransforms)))
    }

    /// Bytes that a decoder may take.
    fn max_memory(&self) -> u64 {
        self.limits.max_pixels.saturating_mul(BYTES_PER_PIXEL)
    }

    fn check_pixels(&self, width: u32, height: u32) -> Result<(), ReadError> {
        match u64::from(width) * u64::from(height) > self.limits.max_pixels {
            true => Err(ReadError::TooManyPixels { width, height, limit: self.limits.max_pixels }),
            false => Ok(()),
        }
    }

    /// How many pictures the file holds. Only the first one is decoded.
    pub(crate) fn pages(&self) -> usize {
        if self.format == ImageFormat::Tiff { tiff::pages(self.bytes) } else { 1 }
    }

    /// Width and height in pixels, orientation applied.
    pub(crate) fn size(&self) -> [u32; 2] {
        let [width, height] = self.stored;
        let is_transposed = matches!(
            self.orientation,
            Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH
        );
        if is_transposed { [height, width] } else { [width, height] }
    }

    /// Decodes the picture, each side divided by at most 2^`downscale_log2`.
    ///
    /// # Errors
    /// When it is damaged.
    pub(crate) fn decode(&self, downscale_log2: u32) -> Result<Decoded, ReadError> {
        let downscale_log2 = downscale_log2.min(jpeg::MAX_DOWNSCALE_LOG2);
        let is_only_ours = self.format == ImageFormat::Jpeg && jpeg::has_separate_scans(self.bytes);
        let ours = match self.format {
            ImageFormat::Jpeg if downscale_log2 > 0 || is_only_ours => {
                jpeg::decode(self.bytes, self.stored, downscale_log2)
            }
            _ => None,
        };
        let (pixels, downscale_log2) = match ours {
            Some(pixels) => (pixels, downscale_log2),
            None if is_only_ours => return Err(self.damaged("a scan of it is missing or damaged")),
            None => (self.guarded(|| self.decode_whole())?, 0),
        };
        let mut rgb = DynamicImage::ImageRgb8(pixels);
        rgb.apply_orientation(self.orientation);
        Ok(Decoded { pixels: rgb.into_rgb8(), downscale_log2 })
    }

    fn decode_whole(&self) -> Result<RgbImage, ReadError> {
        let pixels = DynamicImage::from_decoder(self.decoder()?).map_err(|error| self.undecodable(&error))?;
        Ok(opaque_rgb(match &self.rewritten {
            Some(rewritten) => rewritten.coloured(pixels),
            None => pixels,
        }))
    }

    fn decoder(&self) -> Result<impl ImageDecoder + '_, ReadError> {
        let bytes = self.rewritten.as_ref().map_or(self.bytes, |rewritten| &rewritten.bytes);
        let mut reader = ImageReader::with_format(Cursor::new(bytes), self.format);
        let mut allowed = image::Limits::no_limits();
        allowed.max_alloc = Some(self.max_memory());
        reader.limits(allowed);
        reader.into_decoder().map_err(|error| self.undecodable(&error))
    }

    /// What `work` with a decoder gives. Decoders of other crates panic on some damaged pictures.
    fn guarded<T>(&self, work: impl FnOnce() -> Result<T, ReadError>) -> Result<T, ReadError> {
        panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(self.damaged("its decoder fails on it")))
    }

    /// Why a decoder gave up: the picture is damaged, or of a kind that the decoder does not know.
    fn undecodable(&self, error: &ImageError) -> ReadError {
        match error {
            ImageError::Unsupported(_) => {
                ReadError::Unsupported { format: format!("{} ({})", self.name, reason(error)) }
            }
            _ => self.damaged(reason(error)),
        }
    }

    fn damaged(&self, reason: impl Into<String>) -> ReadError {
        ReadError::Damaged { format: self.name, reason: reason.into() }
    }
}

fn format_of(bytes: &[u8]) -> Option<(ImageFormat, &'static str)> {
    let format = image::guess_format(bytes).ok()?;
    let name = match format {
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Png => "PNG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Tiff => "TIFF",
        _ => return None,
    };
    Some((format, name))
}

/// To 8-bit RGB. What shows through a transparent picture is white, as on paper.
fn opaque_rgb(pixels: DynamicImage) -> RgbImage {
    if !pixels.color().has_alpha() {
        return pixels.into_rgb8();
    }
    let over_white = |image::Rgba([r, g, b, alpha]): image::Rgba<u8>| {
        let alpha = u32::from(alpha);
        image::Rgb([r, g, b].map(|value| ((u32::from(value) * alpha + 255 * (255 - alpha) + 127) / 255) as u8))
    };
    match pixels {
        DynamicImage::ImageRgba8(rgba) => {
            let mut rgb = RgbImage::new(rgba.width(), rgba.height());
            rgb.pixels_mut().zip(rgba.pixels()).for_each(|(out, pixel)| *out = over_white(*pixel));
            rgb
        }
        // Pixel by pixel, for the memory of another copy.
        wide => RgbImage::from_fn(wide.width(), wide.height(), |x, y| over_white(wide.get_pixel(x, y))),
    }
}

/// The decoder's message on one line, reworded where it names decoder internals.
fn reason(error: &ImageError) -> String {
    match error {
        ImageError::Limits(error) if error.kind() == LimitErrorKind::InsufficientMemory => TOO_MUCH_MEMORY.into(),
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the file ends before the picture does".into()
        }
        other => other.to_string().replace(['\n', '\r'], " "),
    }
}

#[cfg(test)]
mod tests;
