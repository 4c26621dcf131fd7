//! Bytes to pixels: format by content, limits by header, EXIF orientation applied, everything to 8-bit RGB.

mod jpeg;

use std::io::Cursor;

use image::error::LimitErrorKind;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage};

use crate::error::ReadError;
use crate::limits::Limits;

/// The most bytes that a decoder may take for each pixel allowed: 16-bit RGBA, the widest of the formats' pixels.
const BYTES_PER_PIXEL: u64 = 8;

/// A picture that is still encoded. Its header is within the limits.
pub(crate) struct Encoded<'a> {
    bytes: &'a [u8],
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
        let (format, name) = format_of(bytes).ok_or(ReadError::UnknownFormat)?;
        let stored = [0; 2];
        let mut encoded = Encoded { bytes, limits, format, name, stored, orientation: Orientation::NoTransforms };
        let mut decoder = encoded.decoder()?;
        let (width, height) = decoder.dimensions();
        if u64::from(width) * u64::from(height) > limits.max_pixels {
            return Err(ReadError::TooManyPixels { width, height, limit: limits.max_pixels });
        }
        if width.min(height) < limits.min_side {
            return Err(ReadError::TooSmall { width, height, limit: limits.min_side });
        }
        if format == ImageFormat::Jpeg && !jpeg_is_whole(bytes) {
            return Err(ReadError::Damaged { format: name, reason: "the file ends before the picture does".into() });
        }
        // A broken EXIF block says nothing about the pixels.
        encoded.orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        encoded.stored = [width, height];
        Ok(encoded)
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
        let downscaled = match self.format {
            ImageFormat::Jpeg if downscale_log2 > 0 => jpeg::decode_downscaled(self.bytes, self.stored, downscale_log2),
            _ => None,
        };
        let (pixels, downscale_log2) = match downscaled {
            Some(pixels) => (pixels, downscale_log2),
            None => {
                let pixels = DynamicImage::from_decoder(self.decoder()?).map_err(|error| self.damaged(&error))?;
                (opaque_rgb(pixels), 0)
            }
        };
        let mut rgb = DynamicImage::ImageRgb8(pixels);
        rgb.apply_orientation(self.orientation);
        Ok(Decoded { pixels: rgb.into_rgb8(), downscale_log2 })
    }

    fn decoder(&self) -> Result<impl ImageDecoder + 'a, ReadError> {
        let mut reader = ImageReader::with_format(Cursor::new(self.bytes), self.format);
        let mut allowed = image::Limits::no_limits();
        allowed.max_alloc = Some(self.limits.max_pixels.saturating_mul(BYTES_PER_PIXEL));
        reader.limits(allowed);
        reader.into_decoder().map_err(|error| self.damaged(&error))
    }

    fn damaged(&self, error: &ImageError) -> ReadError {
        ReadError::Damaged { format: self.name, reason: reason(error) }
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
    let rgba = pixels.into_rgba8();
    let mut rgb = RgbImage::new(rgba.width(), rgba.height());
    for (out, image::Rgba([r, g, b, alpha])) in rgb.pixels_mut().zip(rgba.pixels()) {
        let over_white = |value: u8| {
            let (value, alpha) = (u32::from(value), u32::from(*alpha));
            ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
        };
        *out = image::Rgb([over_white(*r), over_white(*g), over_white(*b)]);
    }
    rgb
}

/// Whether the file's own picture runs to its end marker. The decoder would fill what is missing with grey.
///
/// Follows the segments (ITU T.81, annex B), so that the end of a thumbnail inside a segment does not count.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let Some(start) = rest.iter().position(|&byte| byte == 0xFF) {
        rest = &rest[start + 1..];
        match rest.first() {
            None => return false,
            Some(0xD9) => return true,
            // A fill byte, which may itself begin a marker.
            Some(0xFF) => {}
            // A stuffed zero, a restart marker or one without content.
            Some(0x00 | 0x01 | 0xD0..=0xD8) => rest = &rest[1..],
            Some(_) => {
                let [_, high, low, ..] = *rest else { return false };
                let length = usize::from(u16::from_be_bytes([high, low]));
                match rest.get(1 + length..) {
                    Some(after) => rest = after,
                    None => return false,
                }
            }
        }
    }
    false
}

/// The decoder's message on one line, reworded where it names decoder internals.
fn reason(error: &ImageError) -> String {
    match error {
        ImageError::Limits(error) if error.kind() == LimitErrorKind::InsufficientMemory => {
            "decoding it needs more memory than its size allows".into()
        }
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the file ends before the picture does".into()
        }
        other => other.to_string().replace(['\n', '\r'], " "),
    }
}

#[cfg(test)]
mod tests;
