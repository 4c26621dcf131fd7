//! Doors for the fuzz targets in `fuzz/`: decoding without reading. No part of the crate's interface.

use image::RgbImage;

use crate::decode::{Encoded, jpeg};
use crate::error::ReadError;
use crate::limits::Limits;

/// The pixels of an encoded picture, decoded at `2^-downscale` of its size where its format allows, and the downscale applied.
///
/// # Errors
/// Those of [`CardReader::read`](crate::CardReader::read) before the first network runs.
pub fn decode(bytes: &[u8], limits: &Limits, downscale: u32) -> Result<(RgbImage, u32), ReadError> {
    let decoded = Encoded::open(bytes, limits)?.decode(downscale)?;
    Ok((decoded.pixels, decoded.downscale_log2))
}

/// The picture of `size` pixels at `2^-downscale` as the crate's own JPEG decoder has it; `None` where it leaves the
/// picture to the general decoder.
pub fn decode_jpeg(bytes: &[u8], size: [u32; 2], downscale: u32) -> Option<RgbImage> {
    jpeg::decode(bytes, size, downscale)
}
