//! What the general decoder does not check: whether all of a picture is there, and whether it is made to take for ever.

use super::{MAX_DOWNSCALE_LOG2, decode};

/// The most scans of a picture. Encoders write about ten; each costs the decoder a pass over the whole picture, however few
/// bytes it has.
const MAX_SCANS: usize = 100;

/// Checks that a picture of `size` pixels is whole. The general decoder would fill what is missing with grey.
///
/// # Errors
/// In words, why it is not decoded.
pub(in crate::decode) fn check(bytes: &[u8], size: [u32; 2]) -> Result<(), String> {
    let (scans, has_end) = outline(bytes);
    if scans > MAX_SCANS {
        return Err(format!("it has more than {MAX_SCANS} scans"));
    }
    // Without its end marker a picture is whole if its last row is there. Of a progressive one nobody knows how many scans
    // are to come.
    if !has_end && decode(bytes, size, MAX_DOWNSCALE_LOG2).is_none() {
        return Err("the file ends before the picture does".into());
    }
    Ok(())
}

/// The number of scans of the file's own picture, and whether it runs to its end marker.
///
/// Follows the segments (ITU T.81, annex B), so that the end of a thumbnail inside a segment does not count.
fn outline(bytes: &[u8]) -> (usize, bool) {
    let mut scans = 0;
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let Some(start) = rest.iter().position(|&byte| byte == 0xFF) {
        rest = &rest[start + 1..];
        match rest.first() {
            None => break,
            Some(0xD9) => return (scans, true),
            // A fill byte, which may itself begin a marker.
            Some(0xFF) => {}
            // A stuffed zero, a restart marker or one without content.
            Some(0x00 | 0x01 | 0xD0..=0xD8) => rest = &rest[1..],
            Some(&marker) => {
                scans += usize::from(marker == 0xDA);
                let [_, high, low, ..] = *rest else { break };
                let length = usize::from(u16::from_be_bytes([high, low]));
                match rest.get(1 + length..) {
                    Some(after) => rest = after,
                    None => break,
                }
            }
        }
    }
    (scans, false)
}
