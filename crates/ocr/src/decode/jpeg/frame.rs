//! What a decoder of other crates needs memory for, by the frame header (ITU T.81, annex B).

/// Bytes of a coefficient.
const COEFFICIENT: u64 = 2;

/// The size of a picture and the layout of its components.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::decode) struct Frame {
    /// Width and height in pixels.
    pub(in crate::decode) size: [u16; 2],
    /// Sampling factors of each component, horizontal and vertical.
    sampling: Vec<[u8; 2]>,
    /// Whether its coefficients are complete only after more than one scan.
    has_many_scans: bool,
}

impl Frame {
    /// The frame of a picture; `None` without one before its first scan.
    pub(in crate::decode) fn of(bytes: &[u8]) -> Option<Frame> {
        let mut rest = bytes.strip_prefix(&[0xFF, 0xD8])?;
        let mut frame: Option<Frame> = None;
        loop {
            // What stands between segments has no meaning.
            let at = rest.iter().position(|&byte| byte == 0xFF)?;
            let (&marker, after) = rest[at + 1..].split_first()?;
            if matches!(marker, 0x00 | 0x01 | 0xD0..=0xD8 | 0xFF) {
                rest = &rest[at + 1 + usize::from(marker != 0xFF)..];
                continue;
            }
            let length = usize::from(u16::from_be_bytes(*after.first_chunk()?));
            let segment = after.get(2..length)?;
            match marker {
                0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                    frame = Some(Frame::announced(marker, segment)?)
                }
                0xDA => {
                    let mut frame = frame?;
                    frame.has_many_scans |=
                        segment.first().is_none_or(|&count| usize::from(count) < frame.sampling.len());
                    return Some(frame);
                }
                _ => {}
            }
            rest = &after[length..];
        }
    }

    fn announced(marker: u8, segment: &[u8]) -> Option<Frame> {
        let (&[_, h0, h1, w0, w1, _], components) = segment.split_first_chunk()?;
        let sampling =
            components.as_chunks::<3>().0.iter().map(|&[_, factors, _]| [factors >> 4, factors & 15]).collect();
        let size = [[w0, w1], [h0, h1]].map(u16::from_be_bytes);
        Some(Frame { size, sampling, has_many_scans: !matches!(marker, 0xC0 | 0xC1) })
    }

    /// How many samples a pixel has.
    pub(in crate::decode) fn channels(&self) -> u64 {
        self.sampling.len() as u64
    }

    /// Bytes that decoding takes beside those of the pixels: all coefficients where they come in several scans, and some rows.
    pub(in crate::decode) fn coefficients(&self) -> u64 {
        let most =
            [0, 1].map(|axis| self.sampling.iter().map(|factors| u64::from(factors[axis])).max().unwrap_or(1).max(1));
        let mcus = [0, 1].map(|axis| u64::from(self.size[axis]).div_ceil(8 * most[axis]));
        let blocks_of_mcu: u64 = self.sampling.iter().map(|&[across, down]| u64::from(across) * u64::from(down)).sum();
        let rows = if self.has_many_scans { mcus[1] + SPARE_ROWS } else { SPARE_ROWS };
        mcus[0] * rows * blocks_of_mcu.max(1) * 64 * COEFFICIENT
    }
}

/// Rows of MCUs that a decoder holds while it puts their pixels together: coefficients, and samples before and after they are upsampled.
const SPARE_ROWS: u64 = 8;
