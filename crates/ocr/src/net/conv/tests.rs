use candle_core::{DType, Device};
use proptest::prelude::*;

use super::*;

fn random(shape: &[usize]) -> Tensor {
    Tensor::randn(0.0_f32, 1.0, shape, &Device::Cpu).unwrap()
}

/// [height, width, channels] of what candle's own convolution gives for the same map.
fn reference(map: &Tensor, weight: &Tensor, bias: &Tensor, step: Step) -> Tensor {
    let (outputs, _, kernel_y, kernel_x) = weight.dims4().unwrap();
    let pad = |size: usize| if size % 2 == 1 { size / 2 } else { 0 };
    let first = map.permute((2, 0, 1)).unwrap().unsqueeze(0).unwrap();
    let padded = first.pad_with_zeros(2, pad(kernel_y), pad(kernel_y)).unwrap();
    let padded = padded.pad_with_zeros(3, pad(kernel_x), pad(kernel_x)).unwrap().contiguous().unwrap();
    let out = padded.conv2d(weight, 0, 1, 1, 1).unwrap();
    let out = out.broadcast_add(&bias.reshape((1, outputs, 1, 1)).unwrap()).unwrap();
    let out = out.squeeze(0).unwrap().permute((1, 2, 0)).unwrap().contiguous().unwrap();
    let every = |size: usize, stride: usize| {
        let indices: Vec<u32> = (0..size as u32).step_by(stride).collect();
        Tensor::new(indices, &Device::Cpu).unwrap()
    };
    let (height, width, _) = out.dims3().unwrap();
    let out = out.index_select(&every(height, step.stride[0]), 0).unwrap();
    let out = out.contiguous().unwrap().index_select(&every(width, step.stride[1]), 1).unwrap();
    if step.relu { out.relu().unwrap() } else { out }
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_vec0().unwrap()
}

/// Whole numbers that fill the range of a byte, so that nothing is lost when they become bytes: from -`below` to
/// 255 - `below`.
fn whole_map(shape: &[usize], below: f32) -> Tensor {
    let count: usize = shape.iter().product();
    let tensor = Tensor::rand(0.0_f32, 255.99, count, &Device::Cpu).unwrap().floor().unwrap();
    let mut values = tensor.to_vec1::<f32>().unwrap();
    (values[0], values[count - 1]) = (0.0, 255.0);
    let values: Vec<f32> = values.into_iter().map(|value| value - below).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Whole numbers too; the largest of every output is 127.
fn whole_weights(shape: &[usize]) -> Tensor {
    let count: usize = shape.iter().product();
    let tensor = Tensor::rand(-127.0_f32, 127.0, count, &Device::Cpu).unwrap().round().unwrap();
    let mut values = tensor.to_vec1::<f32>().unwrap();
    values.chunks_mut(count / shape[0]).for_each(|row| row[0] = 127.0);
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn equals_candle_where_quantisation_is_lossless(
        height in 4_usize..40, width in 4_usize..60, inputs in 1_usize..20, outputs in 1_usize..36, below in 0_u8..200,
        kernel in prop::sample::select(vec![[1_usize, 1], [3, 3], [1, 3], [4, 1], [5, 5]]),
        stride in prop::sample::select(vec![[1_usize, 1], [2, 2], [2, 1]]), relu in any::<bool>(),
    ) {
        let (weight, bias) = (whole_weights(&[outputs, inputs, kernel[0], kernel[1]]), random(&[outputs]));
        let map = whole_map(&[height, width, inputs], f32::from(below));
        let step = Step { stride, relu };
        let ours = Conv::new(&weight, &bias).unwrap().apply(&map, step, &Scratch::default()).unwrap();
        let expected = reference(&map, &weight, &bias, step);
        let largest: f32 = expected.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_vec0().unwrap();
        prop_assert!(largest_difference(&ours, &expected) <= 1e-6 * largest.max(1.0));
    }

    #[test]
    fn is_close_to_candle_elsewhere(height in 4_usize..20, width in 4_usize..20, outputs in 1_usize..20, shift in -1.0_f64..1.0) {
        let (weight, bias) = (random(&[outputs, 32, 3, 3]), random(&[outputs]));
        let map = (random(&[height, width, 32]) + shift).unwrap();
        let ours = Conv::new(&weight, &bias).unwrap().apply(&map, Step::PLAIN, &Scratch::default()).unwrap();
        let expected = reference(&map, &weight, &bias, Step::PLAIN);
        // 288 products of numbers around 1 that are off by up to a 64th of that each, at random.
        prop_assert!(largest_difference(&ours, &expected) < 1.5);
    }
}

#[test]
fn constant_map_is_exact() {
    for value in [0.0, 3.0, -2.0] {
        let map = Tensor::full(value as f32, (4, 4, 4), &Device::Cpu).unwrap();
        let weight = Tensor::full(0.25_f32, (1, 4, 1, 1), &Device::Cpu).unwrap();
        let bias = Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap();
        let ours = Conv::new(&weight, &bias).unwrap().apply(&map, Step::PLAIN, &Scratch::default()).unwrap();
        assert!(largest_difference(&ours, &Tensor::full(value as f32, (4, 4, 1), &Device::Cpu).unwrap()) < 1e-5);
    }
}

#[test]
fn adds_same_size_map_before_relu() {
    let (weight, bias) = (whole_weights(&[20, 4, 3, 3]), random(&[20]));
    let (map, other) = (whole_map(&[6, 10, 4], 0.0), random(&[6, 10, 20]));
    let conv = Conv::new(&weight, &bias).unwrap();
    let ours = conv.apply_and_add(&map, &other, Step::RELU, &Scratch::default()).unwrap();
    let expected = (reference(&map, &weight, &bias, Step::PLAIN) + other).unwrap().relu().unwrap();
    assert!(largest_difference(&ours, &expected) < 0.5);
}

#[test]
fn adds_half_size_map_upsampled() {
    let (weight, bias) = (whole_weights(&[8, 4, 1, 1]), random(&[8]));
    let (map, other) = (whole_map(&[6, 10, 4], 0.0), (random(&[3, 5, 8]) * 1e4).unwrap());
    let conv = Conv::new(&weight, &bias).unwrap();
    let ours = conv.apply_and_add(&map, &other, Step::PLAIN, &Scratch::default()).unwrap();
    let first = other.permute((2, 0, 1)).unwrap().unsqueeze(0).unwrap();
    let enlarged = first.upsample_nearest2d(6, 10).unwrap().squeeze(0).unwrap().permute((1, 2, 0)).unwrap();
    let expected = (reference(&map, &weight, &bias, Step::PLAIN) + enlarged).unwrap();
    assert!(largest_difference(&ours, &expected) < 0.5);
}

#[test]
fn mismatched_shapes_are_errors() {
    let conv = Conv::new(&random(&[8, 4, 3, 3]), &random(&[8])).unwrap();
    let scratch = Scratch::default();
    assert!(conv.apply(&random(&[6, 6, 5]), Step::PLAIN, &scratch).is_err(), "channels");
    assert!(conv.apply(&random(&[6, 6]), Step::PLAIN, &scratch).is_err(), "no map");
    assert!(conv.apply(&random(&[6, 6, 4]).to_dtype(DType::F64).unwrap(), Step::PLAIN, &scratch).is_err(), "type");
    assert!(conv.apply_and_add(&random(&[6, 6, 4]), &random(&[5, 6, 8]), Step::PLAIN, &scratch).is_err(), "addend");
    assert!(Conv::new(&random(&[8, 4, 3, 3]), &random(&[7])).is_err(), "bias");
    let tall = Conv::new(&random(&[8, 4, 4, 1]), &random(&[8])).unwrap();
    assert!(tall.apply(&random(&[3, 6, 4]), Step::PLAIN, &scratch).is_err(), "kernel beyond the map");
}
