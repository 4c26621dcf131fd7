//! Bytes to pixels: format by content, limits by header, EXIF orientation applied, everything to 8-bit RGB.
//!
//! What is stored otherwise becomes RGB a row, strip or tile at a time, or where it is, so that a picture takes little more than its
//! 3 bytes a pixel. The header says how much more.

mod general;
mod header;
pub(crate) mod jpeg;
mod named;
mod png;
mod samples;
mod tiff;
mod webp;

use std::panic::{self, AssertUnwindSafe};

use image::error::LimitErrorKind;
use image::{DynamicImage, ImageError, ImageFormat, RgbImage};

use crate::error::ReadError;
use crate::limits::Limits;
use header::Header;
use tiff::Tiff;

/// A picture that is still encoded. Its header is within the limits.
pub(crate) struct Encoded<'a> {
    bytes: &'a [u8],
    format: ImageFormat,
    name: &'static str,
    header: Header,
    /// What else is known of a TIFF.
    tiff: Option<Tiff>,
    /// The most bytes that its decoder may take.
    max_memory: u64,
}

/// A decoded picture, possibly downscaled.
pub(crate) struct Decoded {
    pub(crate) pixels: RgbImage,
    /// Each side was divided by 2 to this power.
    pub(crate) downscale_log2: u32,
}

/// The most bytes of memory that reading a picture takes at any moment, by its header and beside its own bytes: those of its decoder, or
/// of its pixels with their downscaled copies.
///
/// # Errors
/// When it is refused by its header.
pub fn memory_to_read(bytes: &[u8], limits: &Limits) -> Result<u64, ReadError> {
    Ok(Encoded::open(bytes, limits)?.header.reading())
}

impl<'a> Encoded<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// When the picture is empty, of no known format, beyond a limit, damaged in its header or cut off.
    pub(crate) fn open(bytes: &'a [u8], limits: &Limits) -> Result<Encoded<'a>, ReadError> {
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
        let max_memory = limits.max_memory;
        let (header, tiff) = guarded(name, || match format {
            ImageFormat::Png => Ok((png::header(bytes, max_memory)?, None)),
            ImageFormat::Tiff => Tiff::open(bytes, limits.max_pixels).map(|(header, tiff)| (header, Some(tiff))),
            _ => Ok((general::header(bytes, format)?, None)),
        })?;
        let encoded = Encoded { bytes, format, name, header, tiff, max_memory };
        encoded.check(limits)?;
        Ok(encoded)
    }

    /// Checks the header, and that the file does not end before the picture does.
    fn check(&self, limits: &Limits) -> Result<(), ReadError> {
        let check_pixels = |[width, height]: [u32; 2]| match u64::from(width) * u64::from(height) > limits.max_pixels {
            true => Err(ReadError::TooManyPixels { width, height, limit: limits.max_pixels }),
            false => Ok(()),
        };
        if let Some(frame) = webp::largest_frame(self.bytes).filter(|_| self.format == ImageFormat::WebP) {
            check_pixels(frame)?;
        }
        check_pixels(self.header.size)?;
        let [width, height] = self.header.size;
        if width.min(height) < limits.min_side {
            return Err(ReadError::TooSmall { width, height, limit: limits.min_side });
        }
        let needed = self.header.reading();
        if needed > limits.max_memory {
            return Err(ReadError::TooMuchMemory { width, height, needed, limit: limits.max_memory });
        }
        if self.format == ImageFormat::Jpeg {
            jpeg::check(self.bytes, self.header.size).map_err(|reason| damaged(self.name, reason))?;
        }
        Ok(())
    }

    /// How many pictures the file holds. Only the first one is decoded.
    pub(crate) fn pages(&self) -> usize {
        if self.format == ImageFormat::Tiff { tiff::pages(self.bytes) } else { 1 }
    }

    /// Width and height in pixels, orientation applied.
    pub(crate) fn size(&self) -> [u32; 2] {
        let [width, height] = self.header.size;
        if self.header.is_transposed() { [height, width] } else { [width, height] }
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
                jpeg::decode(self.bytes, self.header.size, downscale_log2)
            }
            _ => None,
        };
        let (pixels, downscale_log2) = match ours {
            Some(pixels) => (pixels, downscale_log2),
            None if is_only_ours => return Err(damaged(self.name, "a scan of it is missing or damaged")),
            None => (self.decode_whole()?, 0),
        };
        let mut rgb = DynamicImage::ImageRgb8(pixels);
        rgb.apply_orientation(self.header.orientation);
        Ok(Decoded { pixels: rgb.into_rgb8(), downscale_log2 })
    }

    fn decode_whole(&self) -> Result<RgbImage, ReadError> {
        guarded(self.name, || match &self.tiff {
            Some(tiff) => tiff.decode(self.bytes),
            None if self.format == ImageFormat::Png => png::decode(self.bytes, self.max_memory),
            None => general::decode(self.bytes, self.format),
        })
    }
}

/// What `work` with a decoder gives. Decoders of other crates panic on some damaged pictures.
fn guarded<T>(name: &'static str, work: impl FnOnce() -> Result<T, ImageError>) -> Result<T, ReadError> {
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(decoded) => decoded.map_err(|error| undecodable(name, &error)),
        Err(_) => Err(damaged(name, "its decoder fails on it")),
    }
}

/// Why a decoder gave up: the picture is damaged, or of a kind that the decoder does not know.
fn undecodable(name: &'static str, error: &ImageError) -> ReadError {
    match error {
        ImageError::Unsupported(_) => ReadError::Unsupported { format: format!("{name} ({})", reason(error)) },
        _ => damaged(name, reason(error)),
    }
}

fn damaged(format: &'static str, reason: impl Into<String>) -> ReadError {
    ReadError::Damaged { format, reason: reason.into() }
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

/// The decoder's message on one line, reworded where it names decoder internals.
fn reason(error: &ImageError) -> String {
    match error {
        ImageError::Limits(error) if error.kind() == LimitErrorKind::InsufficientMemory => {
            "its decoder needs more memory than the limit allows".into()
        }
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the file ends before the picture does".into()
        }
        other => other.to_string().replace(['\n', '\r'], " "),
    }
}

#[cfg(test)]
mod tests;
