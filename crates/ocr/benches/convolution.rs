//! The convolution of this crate against candle's own, on layers of the networks: input [height, width, inputs].

use std::hint::black_box;

use candle_core::{Device, Tensor};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use shenfen_ocr::net::conv::{Conv, Step};
use shenfen_ocr::net::{FeatureMap, Scratch};

struct Layer {
    name: &'static str,
    size: [usize; 2],
    channels: [usize; 2],
    kernel: usize,
    stride: usize,
}

const LAYERS: [Layer; 6] = [
    Layer { name: "first of the line detector", size: [320, 512], channels: [1, 12], kernel: 3, stride: 2 },
    Layer { name: "smoothing of the line detector", size: [80, 128], channels: [32, 32], kernel: 3, stride: 1 },
    Layer { name: "down of the recogniser", size: [16, 160], channels: [32, 64], kernel: 3, stride: 2 },
    Layer { name: "block of the recogniser", size: [8, 80], channels: [64, 64], kernel: 3, stride: 1 },
    Layer { name: "block of the locator", size: [8, 8], channels: [96, 96], kernel: 3, stride: 1 },
    Layer { name: "lateral", size: [80, 128], channels: [24, 32], kernel: 1, stride: 1 },
];

fn convolutions(criterion: &mut Criterion) {
    for Layer { name, size: [height, width], channels: [inputs, outputs], kernel, stride } in LAYERS {
        let random = |shape: &[usize]| Tensor::randn(0.0_f32, 0.1, shape, &Device::Cpu).expect("a shape");
        let weight = random(&[outputs, inputs, kernel, kernel]);
        let bias = random(&[outputs]);
        let channels_first = random(&[1, inputs, height, width]);
        let values = |tensor: &Tensor| tensor.flatten_all().and_then(|flat| flat.to_vec1::<f32>()).expect("numbers");
        let channels_last = FeatureMap::new([height, width, inputs], values(&channels_first)).expect("a shape");
        let shape = [outputs, inputs, kernel, kernel];
        let conv = Conv::new(name, shape, &values(&weight), &values(&bias)).expect("fitting weights");
        let step = Step { stride: [stride; 2], relu: true };
        let scratch = Scratch::default();

        let mut group = criterion.benchmark_group(name);
        let products = kernel * kernel * inputs * outputs * (height / stride) * (width / stride);
        group.throughput(Throughput::Elements(2 * products as u64));
        group.bench_function(BenchmarkId::from_parameter("ours"), |bencher| {
            bencher.iter(|| conv.apply(black_box(&channels_last), step, &scratch).expect("fitting map"));
        });
        let shaped_bias = bias.reshape((1, outputs, 1, 1)).expect("a bias");
        group.bench_function(BenchmarkId::from_parameter("candle"), |bencher| {
            bencher.iter(|| {
                let out = black_box(&channels_first).conv2d(&weight, kernel / 2, stride, 1, 1).expect("fitting map");
                out.broadcast_add(&shaped_bias).and_then(|out| out.relu()).expect("fitting bias")
            });
        });
        group.finish();
    }
}

criterion_group!(benches, convolutions);
criterion_main!(benches);
