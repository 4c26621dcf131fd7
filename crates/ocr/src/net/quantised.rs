//! Maps in bytes: what the products are computed on.

use super::kernel::DEPTH;
use crate::multiversioned::multiversioned;

/// Adding it to a number below 2^22 leaves the number rounded in the lowest bits.
const ROUND: f32 = 12_582_912.0;

/// A map in bytes, with a margin that stands for zero around it.
///
/// A byte q means (q - zero) x scale. Scale and zero are chosen for each map, so that its least and its largest value are
/// just within reach.
#[derive(Default)]
pub(crate) struct QuantisedMap {
    /// The map and [`DEPTH`] bytes more: the last step along a row may reach beyond the row, where its weights are 0.
    bytes: Vec<u8>,
    row_bytes: usize,
    scale: f32,
    zero: u8,
}

impl QuantisedMap {
    /// Takes over the `values` of a map [height, width, channels], with `margin` pixels above and below, and left and right.
    pub(crate) fn fill(&mut self, values: &[f32], [height, width, channels]: [usize; 3], margin: [usize; 2]) {
        let [least, most] = range(values);
        let inverse = if most > least { 255.0 / (most - least) } else { 0.0 };
        self.scale = (most - least) / 255.0;
        self.zero = rounded(-least * inverse);
        self.row_bytes = (width + 2 * margin[1]) * channels;
        let length = (height + 2 * margin[0]) * self.row_bytes;
        self.bytes.resize(self.bytes.len().max(length + DEPTH), 0);
        let (above, rest) = self.bytes[..length].split_at_mut(margin[0] * self.row_bytes);
        let (rows, below) = rest.split_at_mut(height * self.row_bytes);
        above.fill(self.zero);
        below.fill(self.zero);
        let inside = margin[1] * channels..(margin[1] + width) * channels;
        let lines = values.chunks_exact(inside.len().max(1));
        for (row, line) in rows.chunks_exact_mut(self.row_bytes.max(1)).zip(lines) {
            row[..inside.start].fill(self.zero);
            row[inside.end..].fill(self.zero);
            quantise(&mut row[inside.clone()], line, inverse, f32::from(self.zero));
        }
    }

    /// The bytes from the upper left corner of the margin on.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes from one row to the next.
    pub(crate) fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// What one step of a byte means.
    pub(crate) fn scale(&self) -> f32 {
        self.scale
    }

    /// The byte that means zero.
    pub(crate) fn zero(&self) -> i32 {
        i32::from(self.zero)
    }
}

#[inline(always)]
fn rounded(value: f32) -> u8 {
    (value.clamp(0.0, 255.0) + ROUND).to_bits() as u8
}

multiversioned! {
    /// The least and the largest value, zero among them.
    fn range(values: &[f32]) -> [f32; 2] {
        let (mut least, mut most) = ([0.0_f32; 64], [0.0_f32; 64]);
        let (chunks, rest) = values.as_chunks::<64>();
        for chunk in chunks {
            for i in 0..64 {
                least[i] = if chunk[i] < least[i] { chunk[i] } else { least[i] };
                most[i] = if chunk[i] > most[i] { chunk[i] } else { most[i] };
            }
        }
        let (least, most) = (least.iter().chain(rest), most.iter().chain(rest));
        [least.fold(0.0, |a, &b| f32::min(a, b)), most.fold(0.0, |a, &b| f32::max(a, b))]
    }

    fn quantise(row: &mut [u8], line: &[f32], inverse: f32, zero: f32) {
        row.iter_mut().zip(line).for_each(|(out, value)| *out = rounded(*value * inverse + zero));
    }
}

/// Weights of one output as bytes, and what one of their steps means.
pub(crate) fn quantise_weights(weights: &[f32]) -> (Vec<i8>, f32) {
    let most = weights.iter().fold(0.0_f32, |most, weight| most.max(weight.abs()));
    let scale = if most > 0.0 { most / 127.0 } else { 1.0 };
    (weights.iter().map(|weight| (weight / scale).round() as i8).collect(), scale)
}
