use proptest::prelude::*;

use super::*;

/// What a product is computed on, and its results by the definition.
struct Example {
    map: Vec<u8>,
    weights: Vec<Block>,
    start: Vec<i32>,
    outputs: usize,
    size: [usize; 2],
    kernel: [usize; 2],
    depth: usize,
    stride: usize,
}

impl Example {
    fn random(seed: u64, outputs: usize, size: [usize; 2], kernel: [usize; 2], depth: usize, stride: usize) -> Example {
        let mut state = seed | 1;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u32
        };
        let [height, width] = [0, 1].map(|i| (size[i] - 1) * stride + kernel[i]);
        let groups = outputs.div_ceil(LANES);
        Example {
            map: (0..height * width * depth).map(|_| next() as u8).collect(),
            weights: (0..groups * kernel[0] * kernel[1] * depth / DEPTH)
                .map(|_| std::array::from_fn(|_| (next() % 255) as i8))
                .collect(),
            start: (0..groups * LANES).map(|_| next() as i32 % 100_000).collect(),
            outputs,
            size,
            kernel,
            depth,
            stride,
        }
    }

    fn row_bytes(&self) -> usize {
        ((self.size[1] - 1) * self.stride + self.kernel[1]) * self.depth
    }

    /// The sums themselves: times 1, plus 0.
    fn sums_at(&self, level: InstructionSet) -> Vec<f32> {
        let padded = self.outputs.next_multiple_of(LANES);
        self.at(level, &vec![1.0; padded], &vec![0.0; padded], Added::Nothing, false)
    }

    fn at(&self, level: InstructionSet, factors: &[f32], bias: &[f32], added: Added, relu: bool) -> Vec<f32> {
        let product = Product {
            map: &self.map,
            row_bytes: self.row_bytes(),
            across: self.stride * self.depth,
            down: self.stride * self.row_bytes(),
            width: self.size[1],
            pixels: self.size[0] * self.size[1],
            kernel_rows: self.kernel[0],
            steps: self.kernel[1] * self.depth / DEPTH,
            weights: &self.weights,
            start: &self.start,
            factors,
            bias,
            outputs: self.outputs,
            relu,
            added,
        };
        let mut out = vec![f32::NAN; product.pixels * self.outputs];
        product.compute(level, &mut Vec::new(), &mut out);
        out
    }

    fn by_definition(&self) -> Vec<f32> {
        let steps = self.kernel[1] * self.depth / DEPTH;
        let mut out = Vec::new();
        for (y, x) in (0..self.size[0]).flat_map(|y| (0..self.size[1]).map(move |x| (y, x))) {
            for output in 0..self.outputs {
                let mut sum = self.start[output];
                for (row, byte) in (0..self.kernel[0]).flat_map(|row| (0..steps * DEPTH).map(move |byte| (row, byte))) {
                    let patch = (y * self.stride + row) * self.row_bytes() + x * self.stride * self.depth;
                    let block = &self.weights[(output / LANES * self.kernel[0] + row) * steps + byte / DEPTH];
                    let weight = block[output % LANES * DEPTH + byte % DEPTH];
                    sum += i32::from(self.map[patch + byte]) * i32::from(weight);
                }
                out.push(sum as f32);
            }
        }
        out
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_instruction_set_computes_exact_sums(
        seed in any::<u64>(), outputs in 1_usize..140, height in 1_usize..6, width in 1_usize..20,
        kernel in prop::sample::select(vec![[1_usize, 1], [3, 3], [1, 3], [4, 1]]),
        depth in prop::sample::select(vec![4_usize, 12, 16]), stride in 1_usize..3,
    ) {
        let example = Example::random(seed, outputs, [height, width], kernel, depth, stride);
        let expected = example.by_definition();
        for level in InstructionSet::available() {
            prop_assert_eq!(&example.sums_at(level), &expected, "{:?}", level);
        }
    }

    #[test]
    fn every_instruction_set_finishes_sums_identically(
        seed in any::<u64>(), outputs in 1_usize..40, half_height in 1_usize..4, half_width in 1_usize..9,
        factor in 1e-5_f32..1e-2, half in any::<bool>(), relu in any::<bool>(),
    ) {
        let example = Example::random(seed, outputs, [2 * half_height, 2 * half_width], [3, 3], 4, 1);
        let numbers = |count: usize| (0..count).map(|i| ((i * 37 + 11) % 101) as f32 * 0.37 - 18.0).collect::<Vec<f32>>();
        let factors: Vec<f32> = (0..64).map(|i| factor * (1.0 + i as f32 / 7.0)).collect();
        let other = numbers(4 * half_height * half_width * outputs);
        let added = if half { Added::Half(&other, half_width) } else { Added::Same(&other) };
        let expected = example.at(InstructionSet::Portable, &factors, &numbers(64), added, relu);
        for level in InstructionSet::available() {
            prop_assert_eq!(&example.at(level, &factors, &numbers(64), added, relu), &expected, "{:?}", level);
        }
    }
}

#[test]
fn largest_bytes_and_weights_do_not_overflow() {
    let mut example = Example::random(3, 16, [1, 1], [4, 1], 128, 1);
    example.map.fill(255);
    example.weights.fill([-127; LANES * DEPTH]);
    example.start.fill(0);
    for level in InstructionSet::available() {
        assert_eq!(example.sums_at(level), vec![-127.0 * 255.0 * 512.0; 16], "{level:?}");
    }
}
