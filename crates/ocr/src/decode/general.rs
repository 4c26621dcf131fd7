//! Pictures that the general decoder decodes in one piece: JPEG, WebP and BMP, all of 8-bit samples.

use std::io::Cursor;

use image::error::{ImageFormatHint, UnsupportedError, UnsupportedErrorKind};
use image::metadata::Orientation;
use image::{ColorType, ImageDecoder, ImageError, ImageFormat, ImageReader, ImageResult, RgbImage};

use super::header::{Header, RGBA};
use super::jpeg::Frame;
use super::samples::{Colours, in_place};
use super::webp;

/// What stands before the pixels.
///
/// # Errors
/// When it is damaged.
pub(super) fn header(bytes: &[u8], format: ImageFormat) -> ImageResult<Header> {
    let mut decoder = decoder(bytes, format)?;
    let size: [u32; 2] = decoder.dimensions().into();
    // A broken EXIF block says nothing about the pixels.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let pixels = size.map(u64::from).iter().product::<u64>();
    let beside = match format {
        ImageFormat::Jpeg => jpeg_beside(bytes, pixels),
        ImageFormat::WebP => webp::beside(bytes, pixels),
        // Where the allocator copies what it shrinks, pixels with transparency are there twice.
        _ if decoder.color_type().has_alpha() => pixels.saturating_mul(RGBA),
        _ => 0,
    };
    Ok(Header { size, orientation, beside })
}

/// The decoder copies the file.
fn jpeg_beside(bytes: &[u8], pixels: u64) -> u64 {
    // Of a frame that is not understood, the most: four coefficients of two bytes for each pixel.
    let coefficients = Frame::of(bytes).map_or(pixels.saturating_mul(8), |frame| frame.coefficients());
    coefficients.saturating_add(bytes.len() as u64)
}

/// The pixels.
///
/// # Errors
/// When the picture is damaged.
pub(super) fn decode(bytes: &[u8], format: ImageFormat) -> ImageResult<RgbImage> {
    let decoder = decoder(bytes, format)?;
    let (width, height) = decoder.dimensions();
    let colours = match decoder.color_type() {
        ColorType::L8 => Colours::Grey,
        ColorType::La8 => Colours::GreyAlpha,
        ColorType::Rgb8 => Colours::Rgb,
        ColorType::Rgba8 => Colours::Rgba,
        other => {
            let kind = UnsupportedErrorKind::Color(other.into());
            let error = UnsupportedError::from_format_and_kind(ImageFormatHint::Exact(format), kind);
            return Err(ImageError::Unsupported(error));
        }
    };
    let pixels = in_place(colours, width as usize * height as usize, |buffer| decoder.read_image(buffer))?;
    Ok(RgbImage::from_raw(width, height, pixels).expect("as many bytes as its sides say"))
}

/// The decoder of a format. Its own limits do not apply: the header's have been checked.
pub(super) fn decoder(bytes: &[u8], format: ImageFormat) -> ImageResult<impl ImageDecoder + '_> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(image::Limits::no_limits());
    reader.into_decoder()
}
