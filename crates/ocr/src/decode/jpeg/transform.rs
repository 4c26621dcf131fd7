//! From DCT coefficients to pixels, often fewer than the block has, and from YCbCr to RGB.

use std::f32::consts::FRAC_1_SQRT_2;
use std::ops::IndexMut;

use super::entropy::{AcSymbol, Bits};
use super::header::{COEFFICIENTS, Component};
use crate::multiversioned::multiversioned;

/// Row and column of a coefficient in its block, by its place in a scan (ITU T.81, figure A.6): along the diagonals,
/// up and down in turn.
const ZIGZAG: [[usize; 2]; COEFFICIENTS] = {
    let mut order = [[0; 2]; COEFFICIENTS];
    let (mut row, mut column) = (0, 0);
    let mut place = 0;
    while place < COEFFICIENTS {
        order[place] = [row, column];
        let upwards = (row + column) % 2 == 0;
        (row, column) = match (upwards, row, column) {
            (true, _, 7) => (row + 1, column),
            (true, 0, _) => (row, column + 1),
            (true, ..) => (row - 1, column + 1),
            (false, 7, _) => (row, column + 1),
            (false, _, 0) => (row + 1, column),
            (false, ..) => (row + 1, column - 1),
        };
        place += 1;
    }
    order
};
/// From a component's coefficients to blocks of `N` x `N` pixels.
pub(super) struct Transform<const N: usize> {
    /// For each coefficient in zigzag order: its place among the low ones, column by column, and its weight.
    low: [(u8, f32); COEFFICIENTS],
}

/// The inverse of the discrete cosine transform of `N` points, twice.
pub(super) trait Inverse<const N: usize> {
    /// Places of the coefficients that are used, and one more for all others. Their number is a power of two.
    type Places: IndexMut<usize, Output = f32>;
    const EMPTY: Self::Places;
    /// The last place, that of the coefficients that are not used.
    const UNUSED: u8;

    /// The factor of a frequency in one direction, applied before the transform.
    fn weight(frequency: usize) -> f32;
    /// From weighted frequencies, column by column, to pixels, row by row.
    fn pixels(low: &Self::Places) -> [[u8; N]; N];
}

impl<const N: usize> Transform<N>
where
    Transform<N>: Inverse<N>,
{
    pub(super) fn new(quantisation: &[u16; COEFFICIENTS]) -> Transform<N> {
        let mut low = [(Self::UNUSED, 0.0); COEFFICIENTS];
        for ((slot, &[row, column]), &quantiser) in low.iter_mut().zip(&ZIGZAG).zip(quantisation) {
            if row < N && column < N {
                // Eight points have more energy than N: root of 8 / N in each direction.
                let weight = Self::weight(row) * Self::weight(column) * N as f32 / 8.0;
                *slot = ((column * N + row) as u8, f32::from(quantiser) * weight);
            }
        }
        Transform { low }
    }

    /// Reads a block. `dc` is the previous block's quantised DC coefficient, then this one's.
    #[inline(always)]
    pub(super) fn read_block(&self, component: &Component, dc: &mut i32, bits: &mut Bits) -> Option<[[u8; N]; N]> {
        *dc = dc.wrapping_add(component.dc_table.dc_difference(bits)?);
        let mut low = Self::EMPTY;
        low[0] = *dc as f32 * self.low[0].1;
        let mut is_flat = true;
        let mut coefficient = 1;
        while coefficient < COEFFICIENTS {
            match component.ac_table.next_ac(bits)? {
                AcSymbol::Coefficient(zeros, value) => {
                    let &(place, weight) = self.low.get(coefficient + zeros)?;
                    low[usize::from(place & Self::UNUSED)] = value as f32 * weight;
                    is_flat &= place == Self::UNUSED;
                    coefficient += zeros + 1;
                }
                AcSymbol::ZeroRun => coefficient += 16,
                AcSymbol::EndOfBlock => break,
            }
        }
        if is_flat {
            return Some([[pixel(low[0]); N]; N]);
        }
        Some(Self::pixels(&low))
    }
}

impl Inverse<8> for Transform<8> {
    type Places = [f32; 128];
    const EMPTY: [f32; 128] = [0.0; 128];
    const UNUSED: u8 = 127;

    fn weight(frequency: usize) -> f32 {
        // The norms of the cosines; those of the fourth frequency are all the root of a half.
        if frequency.is_multiple_of(4) { 0.5 * FRAC_1_SQRT_2 } else { 0.5 }
    }

    #[inline(always)]
    fn pixels(low: &[f32; 128]) -> [[u8; 8]; 8] {
        let columns = std::array::from_fn(|column| std::array::from_fn(|row| low[column * 8 + row]));
        let rows = inverse_of_eight(transposed(inverse_of_eight(columns)));
        rows.map(|row| row.map(pixel))
    }
}

/// Eight transforms of eight points side by side: the even frequencies are those of four points.
#[inline(always)]
fn inverse_of_eight([a, b, c, d, e, f, g, h]: [[f32; 8]; 8]) -> [[f32; 8]; 8] {
    // Cosines of 1, 3, 5 and 7 sixteenths of half a turn.
    const COSINES: [f32; 4] = [0.980_785_3, 0.831_469_6, 0.555_570_24, 0.195_090_32];
    let [one, three, five, seven] = COSINES;
    let even = inverse_of_four([a, c, e, g]);
    let mut points = [[0.0; 8]; 8];
    for i in 0..8 {
        let odd = [
            b[i] * one + d[i] * three + f[i] * five + h[i] * seven,
            b[i] * three - d[i] * seven - f[i] * one - h[i] * five,
            b[i] * five - d[i] * one + f[i] * seven + h[i] * three,
            b[i] * seven - d[i] * five + f[i] * three - h[i] * one,
        ];
        for (point, odd) in odd.into_iter().enumerate() {
            points[point][i] = even[point][i] + odd;
            points[7 - point][i] = even[point][i] - odd;
        }
    }
    points
}

impl Inverse<4> for Transform<4> {
    type Places = [f32; 32];
    const EMPTY: [f32; 32] = [0.0; 32];
    const UNUSED: u8 = 31;

    fn weight(frequency: usize) -> f32 {
        // The norms of the cosines; those of the second frequency are all the root of a half.
        [0.5, FRAC_1_SQRT_2, 0.5, FRAC_1_SQRT_2][frequency]
    }

    #[inline(always)]
    fn pixels(low: &[f32; 32]) -> [[u8; 4]; 4] {
        let columns = std::array::from_fn(|column| std::array::from_fn(|row| low[column * 4 + row]));
        // First from columns of frequencies to columns of pixels, then from rows to rows.
        let rows = inverse_of_four(transposed(inverse_of_four(columns)));
        rows.map(|row| row.map(pixel))
    }
}

/// `N` transforms of four points side by side: `points[k][i]` is point k of the i-th.
#[inline(always)]
fn inverse_of_four<const N: usize>([a, b, c, d]: [[f32; N]; 4]) -> [[f32; N]; 4] {
    // Cosines of an eighth and of three eighths of half a turn.
    const NEAR: f32 = 0.923_879_5;
    const FAR: f32 = 0.382_683_43;
    let mut points = [[0.0; N]; 4];
    for i in 0..N {
        let (sum, difference) = (a[i] + c[i], a[i] - c[i]);
        let (outer, inner) = (b[i] * NEAR + d[i] * FAR, b[i] * FAR - d[i] * NEAR);
        points[0][i] = sum + outer;
        points[1][i] = difference + inner;
        points[2][i] = difference - inner;
        points[3][i] = sum - outer;
    }
    points
}

#[inline(always)]
fn transposed<const N: usize>(block: [[f32; N]; N]) -> [[f32; N]; N] {
    std::array::from_fn(|i| std::array::from_fn(|k| block[k][i]))
}

impl Inverse<2> for Transform<2> {
    type Places = [f32; 8];
    const EMPTY: [f32; 8] = [0.0; 8];
    const UNUSED: u8 = 7;

    fn weight(_: usize) -> f32 {
        FRAC_1_SQRT_2
    }

    #[inline(always)]
    fn pixels(&[mean, down, across, both, ..]: &[f32; 8]) -> [[u8; 2]; 2] {
        let row = |mean: f32, across: f32| [pixel(mean + across), pixel(mean - across)];
        [row(mean + down, across + both), row(mean - down, across - both)]
    }
}

/// A value around 0 to a byte around 128.
#[inline(always)]
fn pixel(value: f32) -> u8 {
    (value + 128.5) as u8
}

/// A grey row.
pub(super) fn rgb_of_greys(greys: &[u8], out: &mut [u8]) {
    out.as_chunks_mut::<3>().0.iter_mut().zip(greys).for_each(|(pixel, &grey)| *pixel = [grey; 3]);
}

multiversioned! {
    /// A row of brightness, blue and red differences (ITU-T T.871) to RGB.
    pub(super) fn rgb_of_rows(brightness: &[u8], blue: &[u8], red: &[u8], out: &mut [u8]) {
        let rows = brightness.iter().zip(blue).zip(red);
        for (pixel, ((&y, &cb), &cr)) in out.as_chunks_mut::<3>().0.iter_mut().zip(rows) {
            // In units of 1/65,536.
            let y = (i32::from(y) << 16) + (1 << 15);
            let (cb, cr) = (i32::from(cb) - 128, i32::from(cr) - 128);
            let sums = [y + 91_881 * cr, y - 22_554 * cb - 46_802 * cr, y + 116_130 * cb];
            *pixel = sums.map(|sum| (sum >> 16).clamp(0, 255) as u8);
        }
    }
}
