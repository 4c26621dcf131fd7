use proptest::prelude::*;

use super::*;

/// Numbers that look random, by xorshift.
struct Numbers(u64);

impl Numbers {
    fn new(seed: u64) -> Numbers {
        Numbers(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// -1..1.
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// As many as the shape says, with a standard deviation of 1.
    fn random(&mut self, shape: &[usize]) -> Vec<f32> {
        (0..shape.iter().product()).map(|_| self.next() * 3_f32.sqrt()).collect()
    }

    fn random_map(&mut self, shape: [usize; 3]) -> FeatureMap {
        FeatureMap::new(shape, self.random(&shape)).unwrap()
    }

    /// Whole numbers that fill the range of a byte, so that nothing is lost when they become bytes: from -`below` to
    /// 255 - `below`.
    fn whole_map(&mut self, shape: [usize; 3], below: f32) -> FeatureMap {
        let mut values: Vec<f32> =
            (0..shape.iter().product()).map(|_| (self.next() * 127.5 + 127.5).round() - below).collect();
        values[0] = -below;
        if let Some(last) = values.last_mut() {
            *last = 255.0 - below;
        }
        FeatureMap::new(shape, values).unwrap()
    }

    /// Whole numbers too; the largest of every output is 127.
    fn whole_weights(&mut self, shape: [usize; 4]) -> Vec<f32> {
        let count: usize = shape.iter().product();
        let mut values: Vec<f32> = (0..count).map(|_| (self.next() * 127.0).round()).collect();
        values.chunks_mut(count / shape[0]).for_each(|row| row[0] = 127.0);
        values
    }
}

/// A convolution by its definition, in 64 bits.
fn by_definition(map: &FeatureMap, shape: [usize; 4], weight: &[f32], bias: &[f32], step: Step) -> FeatureMap {
    let [outputs, inputs, kernel_y, kernel_x] = shape;
    let pad = [kernel_y, kernel_x].map(|size| if size % 2 == 1 { size / 2 } else { 0 });
    let height = (map.height() + 2 * pad[0] - kernel_y) / step.stride[0] + 1;
    let width = (map.width() + 2 * pad[1] - kernel_x) / step.stride[1] + 1;
    let mut values = Vec::with_capacity(height * width * outputs);
    for (y, x, output) in places([height, width, outputs]) {
        let mut sum = f64::from(bias[output]);
        for (dy, dx, input) in places([kernel_y, kernel_x, inputs]) {
            let (v, u) = (y * step.stride[0] + dy, x * step.stride[1] + dx);
            let inside = (pad[0]..map.height() + pad[0]).contains(&v) && (pad[1]..map.width() + pad[1]).contains(&u);
            if inside {
                let factor = weight[((output * inputs + input) * kernel_y + dy) * kernel_x + dx];
                sum += f64::from(factor) * f64::from(at(map, u - pad[1], v - pad[0], input));
            }
        }
        values.push(if step.relu { sum.max(0.0) } else { sum } as f32);
    }
    FeatureMap::new([height, width, outputs], values).unwrap()
}

fn places([a, b, c]: [usize; 3]) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a).flat_map(move |x| (0..b).flat_map(move |y| (0..c).map(move |z| (x, y, z))))
}

fn at(map: &FeatureMap, x: usize, y: usize, channel: usize) -> f32 {
    let [_, width, channels] = map.shape();
    map.values()[(y * width + x) * channels + channel]
}

fn largest_difference(a: &FeatureMap, b: &FeatureMap) -> f32 {
    assert_eq!(a.shape(), b.shape());
    a.values().iter().zip(b.values()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn equals_the_definition_where_quantisation_is_lossless(
        height in 4_usize..40, width in 4_usize..60, inputs in 1_usize..20, outputs in 1_usize..36, below in 0_u8..200,
        kernel in prop::sample::select(vec![[1_usize, 1], [3, 3], [1, 3], [4, 1], [5, 5]]),
        stride in prop::sample::select(vec![[1_usize, 1], [2, 2], [2, 1]]), relu in any::<bool>(), seed in any::<u64>(),
    ) {
        let mut numbers = Numbers::new(seed);
        let shape = [outputs, inputs, kernel[0], kernel[1]];
        let (weight, bias) = (numbers.whole_weights(shape), numbers.random(&[outputs]));
        let map = numbers.whole_map([height, width, inputs], f32::from(below));
        let step = Step { stride, relu };
        let ours = Conv::new("conv", shape, &weight, &bias).unwrap().apply(&map, step, &Scratch::default()).unwrap();
        let expected = by_definition(&map, shape, &weight, &bias, step);
        let largest = expected.values().iter().fold(1.0_f32, |largest, value| largest.max(value.abs()));
        prop_assert!(largest_difference(&ours, &expected) <= 1e-6 * largest);
    }

    #[test]
    fn is_close_to_the_definition_elsewhere(
        height in 4_usize..20, width in 4_usize..20, outputs in 1_usize..20, shift in -1.0_f32..1.0, seed in any::<u64>(),
    ) {
        let mut numbers = Numbers::new(seed);
        let shape = [outputs, 32, 3, 3];
        let (weight, bias) = (numbers.random(&shape), numbers.random(&[outputs]));
        let mut map = numbers.random_map([height, width, 32]);
        map.values_mut().iter_mut().for_each(|value| *value += shift);
        let conv = Conv::new("conv", shape, &weight, &bias).unwrap();
        let ours = conv.apply(&map, Step::PLAIN, &Scratch::default()).unwrap();
        let expected = by_definition(&map, shape, &weight, &bias, Step::PLAIN);
        // 288 products of numbers around 1 that are off by up to a 64th of that each, at random.
        prop_assert!(largest_difference(&ours, &expected) < 1.5);
    }
}

#[test]
fn constant_map_is_exact() {
    for value in [0.0, 3.0, -2.0] {
        let map = FeatureMap::new([4, 4, 4], vec![value; 64]).unwrap();
        let conv = Conv::new("conv", [1, 4, 1, 1], &[0.25; 4], &[0.0]).unwrap();
        let ours = conv.apply(&map, Step::PLAIN, &Scratch::default()).unwrap();
        assert!(largest_difference(&ours, &FeatureMap::new([4, 4, 1], vec![value; 16]).unwrap()) < 1e-5);
    }
}

#[test]
fn adds_same_size_map_before_relu() {
    let mut numbers = Numbers::new(1);
    let shape = [20, 4, 3, 3];
    let (weight, bias) = (numbers.whole_weights(shape), numbers.random(&[20]));
    let (map, other) = (numbers.whole_map([6, 10, 4], 0.0), numbers.random_map([6, 10, 20]));
    let conv = Conv::new("conv", shape, &weight, &bias).unwrap();
    let ours = conv.apply_and_add(&map, &other, Step::RELU, &Scratch::default()).unwrap();
    let mut expected = by_definition(&map, shape, &weight, &bias, Step::PLAIN);
    expected.values_mut().iter_mut().zip(other.values()).for_each(|(sum, other)| *sum = (*sum + other).max(0.0));
    assert!(largest_difference(&ours, &expected) < 0.5);
}

#[test]
fn adds_half_size_map_upsampled() {
    let mut numbers = Numbers::new(2);
    let shape = [8, 4, 1, 1];
    let (weight, bias) = (numbers.whole_weights(shape), numbers.random(&[8]));
    let (map, mut other) = (numbers.whole_map([6, 10, 4], 0.0), numbers.random_map([3, 5, 8]));
    other.values_mut().iter_mut().for_each(|value| *value *= 1e4);
    let conv = Conv::new("conv", shape, &weight, &bias).unwrap();
    let ours = conv.apply_and_add(&map, &other, Step::PLAIN, &Scratch::default()).unwrap();
    let mut expected = by_definition(&map, shape, &weight, &bias, Step::PLAIN);
    let enlarged = places([6, 10, 8]).map(|(y, x, channel)| at(&other, x / 2, y / 2, channel));
    expected.values_mut().iter_mut().zip(enlarged).for_each(|(sum, other)| *sum += other);
    assert!(largest_difference(&ours, &expected) < 0.5);
}

#[test]
fn mismatched_shapes_are_errors_that_name_the_layer() {
    let conv = Conv::new("net.conv", [8, 4, 3, 3], &[1.0; 288], &[1.0; 8]).unwrap();
    let scratch = Scratch::default();
    let (map, channels) = (FeatureMap::zeros([6, 6, 4]), FeatureMap::zeros([6, 6, 5]));
    assert_eq!(conv.apply(&channels, Step::PLAIN, &scratch).unwrap_err().layer, "net.conv");
    let addend = FeatureMap::zeros([5, 6, 8]);
    assert_eq!(conv.apply_and_add(&map, &addend, Step::PLAIN, &scratch).unwrap_err().layer, "net.conv");
    assert!(Conv::new("conv", [8, 4, 3, 3], &[1.0; 288], &[1.0; 7]).is_err(), "bias");
    assert!(Conv::new("conv", [8, 4, 3, 3], &[1.0; 287], &[1.0; 8]).is_err(), "weight");
    let tall = Conv::new("conv", [8, 4, 4, 1], &[1.0; 128], &[1.0; 8]).unwrap();
    assert!(tall.apply(&FeatureMap::zeros([3, 6, 4]), Step::PLAIN, &scratch).is_err(), "kernel beyond the map");
}
