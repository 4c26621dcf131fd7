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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn it_agrees_with_candle(
        height in 4_usize..40, width in 4_usize..60, inputs in 1_usize..20, outputs in 1_usize..36,
        kernel in prop::sample::select(vec![[1_usize, 1], [3, 3], [1, 3], [4, 1], [5, 5]]),
        stride in prop::sample::select(vec![[1_usize, 1], [2, 2], [2, 1]]), relu in any::<bool>(),
    ) {
        let (weight, bias) = (random(&[outputs, inputs, kernel[0], kernel[1]]), random(&[outputs]));
        let map = random(&[height, width, inputs]);
        let step = Step { stride, relu };
        let ours = Conv::new(&weight, &bias).unwrap().apply(&map, step, &Scratch::default()).unwrap();
        prop_assert!(largest_difference(&ours, &reference(&map, &weight, &bias, step)) < 2e-3);
    }
}

#[test]
fn it_adds_a_map_of_the_same_size_before_the_relu() {
    let (weight, bias) = (random(&[8, 4, 3, 3]), random(&[8]));
    let (map, other) = (random(&[6, 10, 4]), random(&[6, 10, 8]));
    let conv = Conv::new(&weight, &bias).unwrap();
    let ours = conv.apply_and_add(&map, &other, Step::RELU, &Scratch::default()).unwrap();
    let expected = (reference(&map, &weight, &bias, Step::PLAIN) + other).unwrap().relu().unwrap();
    assert!(largest_difference(&ours, &expected) < 1e-3);
}

#[test]
fn it_adds_a_map_of_half_the_size_enlarged() {
    let (weight, bias) = (random(&[8, 4, 1, 1]), random(&[8]));
    let (map, other) = (random(&[6, 10, 4]), random(&[3, 5, 8]));
    let conv = Conv::new(&weight, &bias).unwrap();
    let ours = conv.apply_and_add(&map, &other, Step::PLAIN, &Scratch::default()).unwrap();
    let first = other.permute((2, 0, 1)).unwrap().unsqueeze(0).unwrap();
    let enlarged = first.upsample_nearest2d(6, 10).unwrap().squeeze(0).unwrap().permute((1, 2, 0)).unwrap();
    let expected = (reference(&map, &weight, &bias, Step::PLAIN) + enlarged).unwrap();
    assert!(largest_difference(&ours, &expected) < 1e-3);
}

#[test]
fn misfits_are_errors() {
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
