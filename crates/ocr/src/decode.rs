//! Bytes to pixels: format by content, limits by header, EXIF orientation applied, everything to 8-bit RGB.

use std::io::Cursor;

use image::error::LimitErrorKind;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage};

use crate::reader::{Limits, ReadError};

/// The most bytes that a decoder may take for each pixel allowed: 16-bit RGBA, the widest of the formats' pixels.
const BYTES_PER_PIXEL: u64 = 8;

/// Decodes a picture.
///
/// # Errors
/// When it is empty, of no known format, beyond a limit, damaged or cut off. Limits are checked on the header alone.
pub(crate) fn decode(bytes: &[u8], limits: &Limits) -> Result<RgbImage, ReadError> {
    if bytes.is_empty() {
        return Err(ReadError::Empty);
    }
    if bytes.len() > limits.max_bytes {
        return Err(ReadError::TooManyBytes { bytes: bytes.len(), limit: limits.max_bytes });
    }
    let (format, name) = format_of(bytes).ok_or(ReadError::UnknownFormat)?;
    let damaged = |error: ImageError| ReadError::Damaged { format: name, reason: reason(&error) };

    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut allowed = image::Limits::no_limits();
    allowed.max_alloc = Some(limits.max_pixels.saturating_mul(BYTES_PER_PIXEL));
    reader.limits(allowed);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
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
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let pixels = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    let mut rgb = DynamicImage::ImageRgb8(opaque_rgb(pixels));
    rgb.apply_orientation(orientation);
    Ok(rgb.into_rgb8())
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

/// The decoder's own words in one line, or what they mean where they speak of its insides.
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
