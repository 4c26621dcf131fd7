//! What the general decoder does not check before it takes memory: the sizes of the frames in a WebP, each of which may claim
//! another size than the file's header (RFC 9649; RFC 6386, section 9.1). And how much memory it takes.

use super::header::RGBA;

/// Bytes before the first chunk: `RIFF`, a length, `WEBP`.
const FILE_HEADER: usize = 12;
/// Bytes of a chunk before its content: name and length.
const CHUNK_HEADER: usize = 8;
/// Bytes before the chunks of a frame of an animation: place, size, duration, flags.
const FRAME_HEADER: usize = 16;

/// Bytes that a lossy picture takes for two pixels, before their colours are put together.
const LOSSY_PAIR: u64 = 3;
/// Bytes of a pixel's transparency in a lossy picture while it is decoded: a lossless one, of which a channel is kept.
const ALPHA: u64 = RGBA + 1;
/// Bytes a pixel of a lossless picture's predictors, colour transforms and entropy codes: at most three values of four for 16 pixels.
const TRANSFORMS: u64 = 1;

/// What decoding a picture of `canvas` pixels takes beside those, in bytes: most of it for pixels in the forms that the decoder has them in.
pub(super) fn beside(bytes: &[u8], canvas: u64) -> u64 {
    let frame = largest_frame(bytes).map_or(canvas, |sides| sides.map(u64::from).iter().product());
    let names = || Chunks(bytes.get(FILE_HEADER..).unwrap_or_default()).map(|(name, _)| name);
    let has = |name: &[u8; 4]| names().any(|other| other == name);
    let lossy = frame.saturating_mul(LOSSY_PAIR).div_ceil(2);
    let translucent = frame.saturating_mul(ALPHA + TRANSFORMS).saturating_add(lossy);
    let held = match () {
        // The decoder gives a frame its transparency, frees all else, and puts it on a canvas of its own.
        () if has(b"ANMF") => {
            let of_frame = frame.saturating_mul(RGBA + 1).saturating_add(lossy);
            let on_canvas = frame.saturating_add(canvas).saturating_mul(RGBA);
            translucent.max(of_frame).max(on_canvas)
        }
        () if has(b"ALPH") => translucent,
        () if has(b"VP8L") => frame.saturating_mul(RGBA + TRANSFORMS),
        () => lossy,
    };
    if !has(b"VP8X") {
        return held;
    }
    // Pixels with transparency take a byte more. Where the allocator copies what it shrinks, they are there twice in the end.
    held.saturating_add(canvas).max(canvas.saturating_mul(RGBA))
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
