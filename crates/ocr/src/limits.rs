//! What a picture may cost.

/// Limits on a picture, checked on its header before any pixel is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of an encoded picture.
    pub max_bytes: usize,
    /// The most pixels, width times height. A decoded pixel takes 3 bytes, 4 with its downscaled copies, and up to
    /// 8 more during decoding, so this bounds the memory of a reader.
    pub max_pixels: u64,
    /// The shortest side, in pixels, on which anything could be read.
    pub min_side: u32,
    /// The most cards read in one picture; the weakest beyond it are left out.
    pub max_cards: usize,
}

impl Default for Limits {
    /// 32 MiB, 64 megapixels, 64 pixels, 8 cards.
    fn default() -> Limits {
        Limits { max_bytes: 32 << 20, max_pixels: 64_000_000, min_side: 64, max_cards: 8 }
    }
}
