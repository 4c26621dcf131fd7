//! What a picture may cost.

/// Limits on a picture, checked on its header before any pixel is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of an encoded picture.
    pub max_bytes: usize,
    /// The most pixels, width times height.
    pub max_pixels: u64,
    /// The most bytes of memory that reading a picture may take, beside those of the picture itself and of the networks. A decoded pixel
    /// takes 3 bytes, and 5.3 with its downscaled and grey copies. While they are decoded, pixels of some formats take more: 8 in lossless
    /// WebP, 9 in progressive JPEG without subsampling, 11 in one of four inks, 12 in WebP that is lossy and transparent.
    pub max_memory: u64,
    /// The shortest side, in pixels, on which anything could be read.
    pub min_side: u32,
    /// The most cards read in one picture; the weakest beyond it are left out.
    pub max_cards: usize,
}

impl Default for Limits {
    /// 32 MiB, 64 megapixels, 800 MB (12.5 bytes for each of these pixels), 64 pixels, 8 cards.
    fn default() -> Limits {
        Limits { max_bytes: 32 << 20, max_pixels: 64_000_000, max_memory: 800_000_000, min_side: 64, max_cards: 8 }
    }
}
