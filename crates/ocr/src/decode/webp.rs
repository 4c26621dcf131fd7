//! What the general decoder does not check before it takes memory: the sizes of the frames in a WebP, each of which may claim
//! another size than the file's header (RFC 9649; RFC 6386, section 9.1). And how much memory it takes.

use super::header::RGBA;

/// Bytes before the first chunk: `RIFF`, a length, `WEBP`.
const FILE_HEADER: usize = 12;
/// Bytes of a chunk before its content: name and length.
const CHUNK_HEADER: usize = 8;
/// Bytes before the chunks of a frame of an animation: place, size, duration, flags.
const FRAME_HEADER: usize = 16;

/// Bytes that the general decoder takes, of a pixel.
mod cost {
    /// The transparency of a lossy picture while it is being decoded: a lossless picture, of which one channel is kept.
    pub(super) const ALPHA: u64 = 5;
    /// Brightness and colours of a lossy picture, with room to spare: sides are rounded up to 16 pixels.
    pub(super) const LOSSY: u64 = 2;
    /// Predictors, colour transforms and entropy codes of a lossless picture: at most three values for each 16 pixels.
    pub(super) const TRANSFORMS: u64 = 1;
}

/// What decoding a picture of `canvas` pixels takes beside those, in bytes: most of it for pixels in the forms that the decoder has them in.
pub(super) fn beside(bytes: &[u8], canvas: u64) -> u64 {
    let frame = largest_frame(bytes).map_or(canvas, |sides| sides.map(u64::from).iter().product());
    let names = || Chunks(bytes.get(FILE_HEADER..).unwrap_or_default()).map(|(name, _)| name);
    let has = |name: &[u8; 4]| names().any(|other| other == name);
    // Where the allocator copies what it shrinks, pixels with transparency are there twice.
    let transparent = if has(b"VP8X") { RGBA } else { 0 };
    let lossless = RGBA + cost::TRANSFORMS;
    let of_canvas = |a_pixel: u64| canvas.saturating_mul(a_pixel);
    let of_frame = |a_pixel: u64| frame.saturating_mul(a_pixel);
    match () {
        () if has(b"ANMF") => of_canvas(transparent + RGBA).saturating_add(of_frame(RGBA + cost::ALPHA + cost::LOSSY)),
        () if has(b"ALPH") => {
            of_canvas(transparent).saturating_add(of_frame(cost::ALPHA + cost::TRANSFORMS + cost::LOSSY))
        }
        () if has(b"VP8L") => of_canvas(transparent).saturating_add(of_frame(lossless)),
        () => of_canvas(transparent).saturating_add(of_frame(cost::LOSSY)),
    }
}

/// The largest frame of a file: width and height, in pixels. `None` when there is none.
pub(super) fn largest_frame(bytes: &[u8]) -> Option<[u32; 2]> {
    largest(bytes.get(FILE_HEADER..)?)
}

fn largest(chunks: &[u8]) -> Option<[u32; 2]> {
    let frames = Chunks(chunks).filter_map(|(name, content)| match name {
        b"VP8 " => lossy_size(content),
        b"VP8L" => lossless_size(content),
        b"ANMF" => largest(content.get(FRAME_HEADER..)?).max(animated_size(content)),
        _ => None,
    });
    frames.max_by_key(|&[width, height]| u64::from(width) * u64::from(height))
}

/// The size of a key frame, behind its tag and its start code.
fn lossy_size(frame: &[u8]) -> Option<[u32; 2]> {
    let &[w0, w1, h0, h1] = frame.get(6..)?.first_chunk()?;
    // The upper two bits say how it is to be enlarged when it is shown.
    Some([[w0, w1], [h0, h1]].map(|side| u32::from(u16::from_le_bytes(side) & 0x3FFF)))
}

fn lossless_size(frame: &[u8]) -> Option<[u32; 2]> {
    let both = u32::from_le_bytes(*frame.get(1..)?.first_chunk()?);
    Some([both, both >> 14].map(|side| (side & 0x3FFF) + 1))
}

fn animated_size(frame: &[u8]) -> Option<[u32; 2]> {
    let &[w0, w1, w2, h0, h1, h2] = frame.get(6..)?.first_chunk()?;
    Some([[w0, w1, w2, 0], [h0, h1, h2, 0]].map(|side| u32::from_le_bytes(side) + 1))
}

/// The chunks of a file or a frame: names and contents, the last one cut where the bytes end.
struct Chunks<'a>(&'a [u8]);

impl<'a> Iterator for Chunks<'a> {
    type Item = (&'a [u8; 4], &'a [u8]);

    fn next(&mut self) -> Option<(&'a [u8; 4], &'a [u8])> {
        let (name, after) = self.0.split_first_chunk()?;
        let length = u32::from_le_bytes(*after.first_chunk()?) as usize;
        let content = &self.0[CHUNK_HEADER..];
        // Contents of odd length are padded.
        let end = length.saturating_add(length % 2).min(content.len());
        self.0 = &content[end..];
        Some((name, &content[..length.min(content.len())]))
    }
}
