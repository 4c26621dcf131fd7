//! Sums of products of bytes: activations 0..255 times weights -127..127, exactly, in 32 bits.
//!
//! The same whole numbers come out whatever instructions compute them, so every machine reads the same. A tile of some
//! pixels times some groups of 16 outputs is kept in registers while the patch and the weights stream by; a patch is read
//! where it stands in the padded map, without unfolding it first.

#[cfg(target_arch = "x86_64")]
mod x86;

use crate::multiversioned::InstructionSet;

/// Outputs that are computed together.
pub(crate) const LANES: usize = 16;
/// Neighbouring bytes of a patch that one step multiplies.
pub(crate) const DEPTH: usize = 4;
/// For each output of a group the weights of one step.
pub(crate) type Block = [i8; LANES * DEPTH];
/// The sums of a group.
pub(crate) type Sums = [i32; LANES];

/// Patches of a padded map times the weights of a convolution, and what becomes of the sums.
pub(crate) struct Product<'a> {
    /// The map: rows of `row_bytes` bytes.
    pub(crate) map: &'a [u8],
    pub(crate) row_bytes: usize,
    /// Where the patch of a pixel begins: bytes from one pixel of the result to the next, across and down.
    pub(crate) across: usize,
    pub(crate) down: usize,
    /// Width of the result and its pixels.
    pub(crate) width: usize,
    pub(crate) pixels: usize,
    /// Rows of a patch, and steps of [`DEPTH`] bytes in each.
    pub(crate) kernel_rows: usize,
    pub(crate) steps: usize,
    /// For each group of outputs, each row of the kernel and each step.
    pub(crate) weights: &'a [Block],
    /// What each sum begins with; for each output, filled up to whole groups.
    pub(crate) start: &'a [i32],
    /// Sums to results: times this, plus that.
    pub(crate) factors: &'a [f32],
    pub(crate) bias: &'a [f32],
    /// How many outputs there are.
    pub(crate) outputs: usize,
    pub(crate) relu: bool,
    /// What is added before the ReLU.
    pub(crate) added: Added<'a>,
}

/// A map that is added to the results.
#[derive(Clone, Copy)]
pub(crate) enum Added<'a> {
    Nothing,
    /// Of the result's size.
    Same(&'a [f32]),
    /// Of half its height and width: each pixel counts for two by two. With that width.
    Half(&'a [f32], usize),
}

impl Product<'_> {
    /// Writes the results [pixels, outputs]. `wide` is room for the map in 16 bits, for instructions that need it so.
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables, reason = "only AVX2 widens the map"))]
    pub(crate) fn compute(&self, level: InstructionSet, wide: &mut Vec<i16>, out: &mut [f32]) {
        assert_eq!(out.len(), self.pixels * self.outputs);
        let groups = self.outputs.div_ceil(LANES);
        assert_eq!(self.weights.len(), groups * self.kernel_rows * self.steps);
        assert!([self.start.len(), self.factors.len(), self.bias.len()].iter().all(|&len| len >= groups * LANES));
        match level {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => x86::avx512(self, out),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => x86::avx2(self, wide, out),
            InstructionSet::Portable => {
                for group in 0..groups {
                    pass::<4>(self, group, out, portable_tile);
                }
            }
        }
    }

    /// The part of the map that patches reach.
    #[cfg(target_arch = "x86_64")]
    fn map_read(&self) -> &[u8] {
        let (Some(last), true) = (self.pixels.checked_sub(1), self.width > 0) else { return &[] };
        let last_patch = last / self.width * self.down + last.min(self.width - 1) * self.across;
        &self.map[..last_patch + (self.kernel_rows - 1) * self.row_bytes + self.steps * DEPTH]
    }

    fn blocks(&self, group: usize) -> &[Block] {
        let length = self.kernel_rows * self.steps;
        &self.weights[group * length..][..length]
    }

    /// What is added to outputs `first..` of a pixel, if anything.
    #[inline(always)]
    fn added_to(&self, place: &Place, first: usize) -> Option<&[f32]> {
        match self.added {
            Added::Nothing => None,
            Added::Same(map) => Some(&map[place.index * self.outputs + first..(place.index + 1) * self.outputs]),
            Added::Half(map, width) => {
                let index = place.y / 2 * width + place.x / 2;
                Some(&map[index * self.outputs + first..(index + 1) * self.outputs])
            }
        }
    }

    /// Sums of one group for one pixel to results.
    #[inline(always)]
    fn finish(&self, sums: &Sums, group: usize, place: &Place, out: &mut [f32]) {
        let first = group * LANES;
        let out = &mut out[place.index * self.outputs + first..(place.index + 1) * self.outputs];
        let (factors, bias) = (&self.factors[first..], &self.bias[first..]);
        let added = self.added_to(place, first);
        for (lane, out) in out.iter_mut().take(LANES).enumerate() {
            let value = sums[lane] as f32 * factors[lane] + bias[lane] + added.map_or(0.0, |added| added[lane]);
            *out = if self.relu { value.max(0.0) } else { value };
        }
    }
}

/// A pixel of the result, and where its patch begins in the map.
#[derive(Clone, Copy, Default)]
struct Place {
    index: usize,
    x: usize,
    y: usize,
    offset: usize,
}

/// Pixels that are computed together; `count` of them are different, the rest repeat the last.
struct Tile<const M: usize> {
    places: [Place; M],
    count: usize,
}

/// All pixels of the groups from `group` on that `tile` computes at once, `M` pixels at a time.
#[inline(always)]
fn pass<const M: usize>(
    product: &Product,
    group: usize,
    out: &mut [f32],
    tile: impl Fn(&Product, &Tile<M>, usize, &mut [f32]),
) {
    let (mut x, mut y) = (0, 0);
    let mut index = 0;
    while index < product.pixels {
        let mut places = [Place::default(); M];
        let count = M.min(product.pixels - index);
        for m in 0..M {
            // A tile at the end computes its last pixel more than once.
            if m < count {
                places[m] = Place { index: index + m, x, y, offset: y * product.down + x * product.across };
                x += 1;
                if x == product.width {
                    (x, y) = (0, y + 1);
                }
            } else {
                places[m] = places[m - 1];
            }
        }
        tile(product, &Tile { places, count }, group, out);
        index += count;
    }
}

fn portable_tile<const M: usize>(product: &Product, tile: &Tile<M>, group: usize, out: &mut [f32]) {
    for place in &tile.places[..tile.count] {
        let mut sums: Sums = product.start.as_chunks().0[group];
        let rows = product.blocks(group).chunks_exact(product.steps);
        for (row, blocks) in rows.enumerate() {
            let patch = &product.map[place.offset + row * product.row_bytes..][..product.steps * DEPTH];
            for (bytes, block) in patch.as_chunks::<DEPTH>().0.iter().zip(blocks) {
                for (sum, weights) in sums.iter_mut().zip(block.as_chunks::<DEPTH>().0) {
                    *sum += (0..DEPTH).map(|i| i32::from(bytes[i]) * i32::from(weights[i])).sum::<i32>();
                }
            }
        }
        product.finish(&sums, group, place, out);
    }
}

#[cfg(test)]
mod tests;
