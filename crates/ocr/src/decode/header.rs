//! What is known of a picture before any pixel is decoded.

use image::metadata::Orientation;

/// Bytes of a pixel once it is decoded: 8-bit red, green and blue.
pub(super) const DECODED: u64 = 3;

/// Bytes of a pixel with transparency.
pub(super) const RGBA: u64 = 4;

/// What decoders hold that does not grow with the picture: windows, tables and buffers.
const TABLES: u64 = 1 << 20;

/// The header of an encoded picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// Width and height as stored, in pixels.
    pub(super) size: [u32; 2],
    pub(super) orientation: Orientation,
    /// The most bytes that decoding takes at any moment beside those of the decoded pixels.
    pub(super) beside: u64,
}

impl Header {
    pub(super) fn pixels(&self) -> u64 {
        self.size.map(u64::from).iter().product()
    }

    /// Whether the picture has to be turned by a quarter, so that width and height change places.
    pub(super) fn is_transposed(&self) -> bool {
        use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
        matches!(self.orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
    }

    /// The most bytes that reading the picture takes, its pixels included: while it is decoded, or while frames are cut from it.
    pub(super) fn reading(&self) -> u64 {
        let decoded = self.pixels().saturating_mul(DECODED);
        // Turned pixels are a copy.
        let turning = if self.is_transposed() { decoded } else { 0 };
        // The copies of a half, a quarter and so on of the sides have a third of the pixels, and all of them are also made grey.
        let copies = (self.pixels().saturating_mul(2 * DECODED + 1)).div_ceil(3);
        decoded.saturating_add(self.beside.max(turning).max(copies)).saturating_add(TABLES)
    }
}
