//! Any bytes are either pixels within the limits, or refused; decoding takes no more memory than the header says.

use peak_alloc::PeakAlloc;
use shenfen_ocr::fuzzing::decode;
use shenfen_ocr::{Limits, memory_to_read};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Small enough for thousands of pictures a second.
pub const LIMITS: Limits =
    Limits { max_bytes: 1 << 20, max_pixels: 1 << 18, max_memory: 5 << 20, min_side: 8, max_cards: 1 };

/// For each byte of the file: the values of a TIFF's tags.
const BYTES_PER_BYTE: usize = 32;
/// For headers.
const OVERHEAD: usize = 1 << 18;
/// WebP says how long a part of its data is in 24 bits, and its decoder takes the memory before it looks for the part.
const WEBP_OVERHEAD: usize = 16 << 20;

/// Checks an encoded picture at every downscale.
///
/// Memory is counted for the whole process, so it must not run beside anything that allocates.
///
/// # Panics
/// When a decoder panics, pixels are beyond the limits, or more memory was taken than they allow.
pub fn check(bytes: &[u8]) {
    let needed = memory_to_read(bytes, &LIMITS).map_or(0, |needed| needed as usize);
    assert!(needed as u64 <= LIMITS.max_memory);
    for downscale in 0..=2 {
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage();
        let decoded = decode(bytes, &LIMITS, downscale);
        let taken = MEMORY.peak_usage().saturating_sub(before);
        let overhead = OVERHEAD + if bytes.starts_with(b"RIFF") { WEBP_OVERHEAD } else { 0 };
        let allowed = needed + bytes.len() * BYTES_PER_BYTE + overhead;
        assert!(taken <= allowed, "{taken} bytes taken, {allowed} allowed");
        if let Ok((pixels, _)) = decoded {
            let (width, height) = pixels.dimensions();
            assert!(u64::from(width) * u64::from(height) <= LIMITS.max_pixels);
        }
    }
}
