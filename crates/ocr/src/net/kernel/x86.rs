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

/// Computes with AVX2: 16 products an instruction.
pub(super) fn avx2(product: &Product, out: &mut [f32]) {
    #[expect(unsafe_code, reason = "calls a function compiled for instructions that the caller has checked for")]
    // SAFETY: `InstructionSet::Avx2` exists only where `InstructionSet::available` found these instructions.
    unsafe {
        avx2_passes(product, out);
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

/// Pixels of an AVX2 tile: their sums take 12 of the 16 registers.
const AVX2_PIXELS: usize = 3;
/// A group's outputs stand in so many registers of four, each output as two halves of its sum.
const QUARTERS: usize = LANES / 4;

#[target_feature(enable = "avx2")]
fn avx2_passes(product: &Product, out: &mut [f32]) {
    for group in 0..product.outputs.div_ceil(LANES) {
        pass::<AVX2_PIXELS>(product, group, out, |p, t, g, o| avx2_tile(p, t, g, o));
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn avx2_tile(product: &Product, tile: &Tile<AVX2_PIXELS>, group: usize, out: &mut [f32]) {
    let steps = product.steps;
    let mut halves = [[_mm256_setzero_si256(); QUARTERS]; AVX2_PIXELS];
    for row in 0..product.kernel_rows {
        let mut patches: [&[[u8; DEPTH]]; AVX2_PIXELS] = [&[]; AVX2_PIXELS];
        for m in 0..AVX2_PIXELS {
            patches[m] = product.map[tile.places[m].offset + row * product.row_bytes..][..steps * DEPTH].as_chunks().0;
        }
        let blocks = &product.blocks(group)[row * steps..][..steps];
        for step in 0..steps {
            let mut bytes = [_mm256_setzero_si256(); AVX2_PIXELS];
            for m in 0..AVX2_PIXELS {
                bytes[m] = _mm256_cvtepu8_epi16(_mm_set1_epi32(i32::from_ne_bytes(patches[m][step])));
            }
            let quarters = blocks[step].as_chunks::<16>().0;
            for quarter in 0..QUARTERS {
                let weights = _mm256_cvtepi8_epi16(load_quarter(&quarters[quarter]));
                for m in 0..AVX2_PIXELS {
                    let products = _mm256_madd_epi16(bytes[m], weights);
                    halves[m][quarter] = _mm256_add_epi32(halves[m][quarter], products);
                }
            }
        }
    }
    let start: &Sums = &product.start.as_chunks().0[group];
    for m in 0..tile.count {
        let mut pairs = [[0; 8]; QUARTERS];
        for quarter in 0..QUARTERS {
            store_halves(halves[m][quarter], &mut pairs[quarter]);
        }
        let mut sums = *start;
        for (sum, [a, b]) in sums.iter_mut().zip(pairs.as_flattened().as_chunks::<2>().0) {
            *sum += a + b;
        }
        product.finish(&sums, group, &tile.places[m], out);
    }
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
fn store_halves(value: __m256i, halves: &mut [i32; 8]) {
    #[expect(unsafe_code, reason = "stores take pointers")]
    // SAFETY: the array has the 32 bytes that are written; no alignment is asked for.
    unsafe {
        _mm256_storeu_si256(halves.as_mut_ptr().cast(), value);
    }
}
