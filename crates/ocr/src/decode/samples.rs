//! Samples of any kind and depth to 8-bit red, green and blue, a row at a time.

/// The samples of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colours {
    Grey,
    GreyAlpha,
    Rgb,
    Rgba,
    /// Cyan, magenta, yellow and black, as ink: 0 is none.
    Cmyk,
}

/// How a sample is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// Eight samples in a byte, the first one in the highest bit. Each row begins in a new byte.
    Bit,
    Byte,
    /// Two bytes, the higher one first.
    BigEndian,
    /// Two bytes in the machine's order.
    Native,
    /// 32-bit floating point in the machine's order, from 0 to 1.
    Float,
}

/// Rows of a picture, on their way to RGB.
pub(super) struct Rows {
    colours: Colours,
    depth: Depth,
    /// The samples of a row as bytes.
    bytes: Vec<u8>,
}

impl Colours {
    pub(super) fn channels(self) -> usize {
        match self {
            Colours::Grey => 1,
            Colours::GreyAlpha => 2,
            Colours::Rgb => 3,
            Colours::Rgba | Colours::Cmyk => 4,
        }
    }
}

impl Depth {
    /// Bytes of so many samples.
    pub(super) fn bytes(self, samples: usize) -> usize {
        match self {
            Depth::Bit => samples.div_ceil(8),
            Depth::Byte => samples,
            Depth::BigEndian | Depth::Native => samples * 2,
            Depth::Float => samples * 4,
        }
    }
}

impl Rows {
    pub(super) fn new(colours: Colours, depth: Depth) -> Rows {
        Rows { colours, depth, bytes: Vec::new() }
    }

    /// Fills `rgb` with the pixels of a row. What shows through a transparent picture is white, as on paper.
    pub(super) fn convert(&mut self, row: &[u8], rgb: &mut [u8]) {
        if (self.colours, self.depth) == (Colours::Cmyk, Depth::Native) {
            return convert_deep_cmyk(row, rgb);
        }
        let samples = rgb.len() / 3 * self.colours.channels();
        let Some(bytes) = narrowed(self.depth, row, samples, &mut self.bytes) else {
            return put_colours(self.colours, row, rgb);
        };
        put_colours(self.colours, bytes, rgb);
    }
}

/// The samples of a row as bytes; `None` where they are bytes already.
fn narrowed<'a>(depth: Depth, row: &[u8], samples: usize, bytes: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    bytes.clear();
    match depth {
        Depth::Byte => return None,
        Depth::Bit => bytes.extend((0..samples).map(|at| if row[at / 8] >> (7 - at % 8) & 1 == 1 { 255 } else { 0 })),
        Depth::BigEndian => bytes.extend(row.as_chunks().0.iter().map(|&pair| of_16_bits(u16::from_be_bytes(pair)))),
        Depth::Native => bytes.extend(row.as_chunks().0.iter().map(|&pair| of_16_bits(u16::from_ne_bytes(pair)))),
        Depth::Float => bytes.extend(row.as_chunks().0.iter().map(|&four| of_float(f32::from_ne_bytes(four)))),
    }
    Some(bytes)
}

/// To the nearest of 256 levels.
fn of_16_bits(sample: u16) -> u8 {
    ((u32::from(sample) + 128) / 257) as u8
}

/// To the nearest of 256 levels; what is no number is white.
fn of_float(sample: f32) -> u8 {
    let within = if sample < 1.0 { sample.max(0.0) } else { 1.0 };
    (within * 255.0).round() as u8
}

fn put_colours(colours: Colours, bytes: &[u8], rgb: &mut [u8]) {
    let pixels = rgb.as_chunks_mut::<3>().0.iter_mut();
    match colours {
        Colours::Grey => pixels.zip(bytes).for_each(|(pixel, &grey)| *pixel = [grey; 3]),
        Colours::GreyAlpha => {
            pixels.zip(bytes.as_chunks().0).for_each(|(pixel, &[grey, alpha])| *pixel = [on_white(grey, alpha); 3]);
        }
        Colours::Rgb => rgb.copy_from_slice(&bytes[..rgb.len()]),
        Colours::Rgba => pixels.zip(bytes.as_chunks().0).for_each(|(pixel, &rgba)| *pixel = opaque(rgba)),
        Colours::Cmyk => pixels.zip(bytes.as_chunks().0).for_each(|(pixel, &cmyk)| *pixel = of_cmyk(cmyk)),
    }
}

fn opaque([r, g, b, alpha]: [u8; 4]) -> [u8; 3] {
    [r, g, b].map(|value| on_white(value, alpha))
}

fn on_white(value: u8, alpha: u8) -> u8 {
    let alpha = u32::from(alpha);
    ((u32::from(value) * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

fn of_cmyk([c, m, y, k]: [u8; 4]) -> [u8; 3] {
    let light = 1.0 - f32::from(k) / 255.0;
    [c, m, y].map(|ink| ((255.0 - f32::from(ink)) * light) as u8)
}

/// Ink is mixed at its full depth, in the machine's order of bytes.
fn convert_deep_cmyk(row: &[u8], rgb: &mut [u8]) {
    let samples = |eight: &[u8; 8]| std::array::from_fn(|ink| u16::from_ne_bytes([eight[2 * ink], eight[2 * ink + 1]]));
    for (pixel, eight) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(row.as_chunks().0) {
        let [c, m, y, k]: [u16; 4] = samples(eight);
        let light = 1.0 - f32::from(k) / 65535.0;
        *pixel = [c, m, y].map(|ink| of_16_bits(((65535.0 - f32::from(ink)) * light) as u16));
    }
}

/// Bytes of `pixels` pixels with `colours`, put by `fill` where they do not get in each other's way, as RGB in the same memory:
/// at most four bytes a pixel are taken, and three kept.
///
/// # Errors
/// Those of `fill`.
pub(super) fn in_place<E>(
    colours: Colours,
    pixels: usize,
    fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
) -> Result<Vec<u8>, E> {
    let channels = colours.channels();
    let mut buffer = vec![0; pixels * channels.max(3)];
    // Narrow pixels stand at the end, so that none is overwritten before it was read.
    let begin = buffer.len() - pixels * channels;
    fill(&mut buffer[begin..])?;
    match colours {
        Colours::Rgb => {}
        Colours::Grey => (0..pixels).for_each(|at| {
            let grey = buffer[begin + at];
            buffer[3 * at..][..3].fill(grey);
        }),
        Colours::GreyAlpha => (0..pixels).for_each(|at| {
            let value = on_white(buffer[begin + 2 * at], buffer[begin + 2 * at + 1]);
            buffer[3 * at..][..3].fill(value);
        }),
        Colours::Rgba | Colours::Cmyk => (0..pixels).for_each(|at| {
            let four = [0, 1, 2, 3].map(|channel| buffer[4 * at + channel]);
            let rgb = if colours == Colours::Rgba { opaque(four) } else { of_cmyk(four) };
            buffer[3 * at..][..3].copy_from_slice(&rgb);
        }),
    }
    buffer.truncate(pixels * 3);
    buffer.shrink_to_fit();
    Ok(buffer)
}

#[cfg(test)]
mod tests;
