//! The tiles in the instructions of x86-64.

#![expect(clippy::needless_range_loop, reason = "registers are named by their place in the tile")]

use std::arch::x86_64::*;

use super::{Block, DEPTH, LANES, Product, Sums, Tile, pass};

/// Computes with AVX-512 VNNI: 64 products an instruction.
pub(super) fn avx512(product: &Product, out: &mut [f32]) {
    #[expect(unsafe_code, reason = "calls a function compiled for instructions that the caller has checked for")]
    // SAFETY: `InstructionSet::Avx512` exists only where `InstructionSet::available` found these instructions.
    unsafe {
        avx512_passes(product, out);
    }
}

/// Computes with AVX2: 16 products an instruction, of numbers that were widened to 16 bits before.
pub(super) fn avx2(product: &Product, wide: &mut Vec<i16>, out: &mut [f32]) {
    #[expect(unsafe_code, reason = "calls a function compiled for instructions that the caller has checked for")]
    // SAFETY: `InstructionSet::Avx2` exists only where `InstructionSet::available` found these instructions.
    unsafe {
        avx2_passes(product, wide, out);
    }
}

/// Of 32 registers 24 hold sums; four groups at a time where there are so many, since each byte of the patch is then
/// fetched least often.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn avx512_passes(product: &Product, out: &mut [f32]) {
    let mut left = product.outputs.div_ceil(LANES);
    let mut group = 0;
    while left > 0 {
        let groups = match left {
            1..=4 => left,
            5 | 6 => 3,
            _ => 4,
        };
        match groups {
            4 => pass::<6>(product, group, out, |p, t, g, o| avx512_tile::<6, 4>(p, t, g, o)),
            3 => pass::<8>(product, group, out, |p, t, g, o| avx512_tile::<8, 3>(p, t, g, o)),
            2 => pass::<12>(product, group, out, |p, t, g, o| avx512_tile::<12, 2>(p, t, g, o)),
            _ => pass::<12>(product, group, out, |p, t, g, o| avx512_tile::<12, 1>(p, t, g, o)),
        }
        group += groups;
        left -= groups;
    }
}

// Loops, not closures: a closure that is not inlined hands its vectors over through memory.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[inline]
fn avx512_tile<const M: usize, const N: usize>(product: &Product, tile: &Tile<M>, group: usize, out: &mut [f32]) {
    let steps = product.steps;
    let mut sums = [[_mm512_setzero_si512(); N]; M];
    for n in 0..N {
        let start = load(&product.start.as_chunks().0[group + n]);
        for m in 0..M {
            sums[m][n] = start;
        }
    }
    let per_group = product.kernel_rows * steps;
    let weights = &product.weights[group * per_group..][..N * per_group];
    for row in 0..product.kernel_rows {
        let mut patches: [&[[u8; DEPTH]]; M] = [&[]; M];
        for m in 0..M {
            patches[m] = product.map[tile.places[m].offset + row * product.row_bytes..][..steps * DEPTH].as_chunks().0;
        }
        let mut blocks: [&[Block]; N] = [&[]; N];
        for n in 0..N {
            blocks[n] = &weights[n * per_group + row * steps..][..steps];
        }
        for step in 0..steps {
            let mut weights = [_mm512_setzero_si512(); N];
            for n in 0..N {
                weights[n] = load_block(&blocks[n][step]);
            }
            for m in 0..M {
                let bytes = _mm512_set1_epi32(i32::from_ne_bytes(patches[m][step]));
                for n in 0..N {
                    sums[m][n] = _mm512_dpbusd_epi32(sums[m][n], bytes, weights[n]);
                }
            }
        }
    }
    for n in 0..N {
        let first = (group + n) * LANES;
        let lanes = (product.outputs - first).min(LANES);
        let mask = u16::MAX >> (LANES - lanes);
        let factors = load_numbers(mask, &product.factors[first..]);
        let bias = load_numbers(mask, &product.bias[first..]);
        for m in 0..tile.count {
            let place = &tile.places[m];
            let mut value = _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sums[m][n]), factors), bias);
            if let Some(added) = product.added_to(place, first) {
                value = _mm512_add_ps(value, load_numbers(mask, added));
            }
            if product.relu {
                value = _mm512_max_ps(value, _mm512_setzero_ps());
            }
            store_numbers(mask, value, &mut out[place.index * product.outputs + first..]);
        }
    }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load(start: &Sums) -> __m512i {
    #[expect(unsafe_code, reason = "loads take pointers")]
    // SAFETY: the array has the 64 bytes that are read; no alignment is asked for.
    unsafe {
        _mm512_loadu_si512(start.as_ptr().cast())
    }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load_block(block: &Block) -> __m512i {
    #[expect(unsafe_code, reason = "loads take pointers")]
    // SAFETY: the block has the 64 bytes that are read; no alignment is asked for.
    unsafe {
        _mm512_loadu_si512(block.as_ptr().cast())
    }
}

/// The numbers whose bits are set in `mask`, the first ones of a group.
#[target_feature(enable = "avx512f")]
#[inline]
fn load_numbers(mask: u16, numbers: &[f32]) -> __m512 {
    assert!(numbers.len() >= mask.count_ones() as usize);
    #[expect(unsafe_code, reason = "loads take pointers")]
    // SAFETY: the mask's bits are the lowest ones, and so many numbers are there; nothing else is read.
    unsafe {
        _mm512_maskz_loadu_ps(mask, numbers.as_ptr())
    }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn store_numbers(mask: u16, value: __m512, numbers: &mut [f32]) {
    assert!(numbers.len() >= mask.count_ones() as usize);
    #[expect(unsafe_code, reason = "stores take pointers")]
    // SAFETY: the mask's bits are the lowest ones, and so many numbers are there; nothing else is written.
    unsafe {
        _mm512_mask_storeu_ps(numbers.as_mut_ptr(), mask, value);
    }
}

/// Pixels of an AVX2 tile: the sums of a group for so many take 12 of the 16 registers.
const AVX2_PIXELS: usize = 6;
/// Registers of eight outputs that a group takes.
const HALVES: usize = LANES / 8;
/// Neighbouring numbers of a patch that one instruction multiplies: so many 16-bit products are added to one sum of 32 bits.
const PAIR: usize = 2;

#[target_feature(enable = "avx2")]
fn avx2_passes(product: &Product, wide: &mut Vec<i16>, out: &mut [f32]) {
    wide.clear();
    wide.extend(product.map_read().iter().map(|&byte| i16::from(byte)));
    let wide = &*wide;
    for group in 0..product.outputs.div_ceil(LANES) {
        pass::<AVX2_PIXELS>(product, group, out, |p, t, g, o| avx2_tile(p, wide, t, g, o));
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn avx2_tile(product: &Product, map: &[i16], tile: &Tile<AVX2_PIXELS>, group: usize, out: &mut [f32]) {
    let steps = product.steps;
    let start: &Sums = &product.start.as_chunks().0[group];
    let mut sums = [[_mm256_setzero_si256(); HALVES]; AVX2_PIXELS];
    for half in 0..HALVES {
        let start = paired(load_sums(&start.as_chunks().0[half]));
        for m in 0..AVX2_PIXELS {
            sums[m][half] = start;
        }
    }
    let blocks = product.blocks(group);
    for row in 0..product.kernel_rows {
        let mut patches: [&[[[i16; PAIR]; DEPTH / PAIR]]; AVX2_PIXELS] = [&[]; AVX2_PIXELS];
        for m in 0..AVX2_PIXELS {
            let patch = &map[tile.places[m].offset + row * product.row_bytes..][..steps * DEPTH];
            patches[m] = patch.as_chunks().0.as_chunks().0;
        }
        let blocks = &blocks[row * steps..][..steps];
        for step in 0..steps {
            let weights = wide_weights(&blocks[step]);
            for pair in 0..DEPTH / PAIR {
                for m in 0..AVX2_PIXELS {
                    let [low, high] = patches[m][step][pair].map(|number| number as u16);
                    let numbers = _mm256_set1_epi32((u32::from(low) | u32::from(high) << 16) as i32);
                    for half in 0..HALVES {
                        let products = _mm256_madd_epi16(numbers, weights[pair][half]);
                        sums[m][half] = _mm256_add_epi32(sums[m][half], products);
                    }
                }
            }
        }
    }
    for m in 0..tile.count {
        let mut stored: Sums = [0; LANES];
        for (half, stored) in stored.as_chunks_mut().0.iter_mut().enumerate() {
            store_sums(paired(sums[m][half]), stored);
        }
        product.finish(&stored, group, &tile.places[m], out);
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn load_sums(sums: &[i32; 8]) -> __m256i {
    #[expect(unsafe_code, reason = "loads take pointers")]
    // SAFETY: the array has the 32 bytes that are read; no alignment is asked for.
    unsafe {
        _mm256_loadu_si256(sums.as_ptr().cast())
    }
}

/// Eight sums in the order in which [`wide_weights`] has their outputs, and back: the middle pairs change places.
#[target_feature(enable = "avx2")]
#[inline]
fn paired(sums: __m256i) -> __m256i {
    _mm256_permute4x64_epi64::<0b11_01_10_00>(sums)
}

/// The weights of a step for each pair of a patch's numbers and each half of a group, as 16-bit numbers. Products of bytes
/// would be added in 16 bits, where two of them do not always fit. Outputs stand in the order of [`paired`].
#[target_feature(enable = "avx2")]
#[inline]
fn wide_weights(block: &Block) -> [[__m256i; HALVES]; DEPTH / PAIR] {
    let quarters = block.as_chunks::<16>().0;
    let mut pairs = [[_mm256_setzero_si256(); HALVES]; DEPTH / PAIR];
    for half in 0..HALVES {
        let [low, high] = [2 * half, 2 * half + 1]
            .map(|quarter| _mm256_castsi256_ps(_mm256_cvtepi8_epi16(load_quarter(&quarters[quarter]))));
        pairs[0][half] = _mm256_castps_si256(_mm256_shuffle_ps::<0b10_00_10_00>(low, high));
        pairs[1][half] = _mm256_castps_si256(_mm256_shuffle_ps::<0b11_01_11_01>(low, high));
    }
    pairs
}

#[target_feature(enable = "avx2")]
#[inline]
fn load_quarter(quarter: &[i8; 16]) -> __m128i {
    #[expect(unsafe_code, reason = "loads take pointers")]
    // SAFETY: the array has the 16 bytes that are read; no alignment is asked for.
    unsafe {
        _mm_loadu_si128(quarter.as_ptr().cast())
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn store_sums(value: __m256i, sums: &mut [i32; 8]) {
    #[expect(unsafe_code, reason = "stores take pointers")]
    // SAFETY: the array has the 32 bytes that are written; no alignment is asked for.
    unsafe {
        _mm256_storeu_si256(sums.as_mut_ptr().cast(), value);
    }
}
