//! What the trainer exported for the tests: crops of a drawn picture, what PyTorch makes of them, and what is decoded from that.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use image::{GrayImage, RgbImage};
use safetensors::{Dtype, SafeTensors};
use shenfen_core::Quad;
use shenfen_ocr::Models;
use shenfen_ocr::net::FeatureMap;
use shenfen_ocr::stages::Stages;

/// The networks that the product ships.
pub(crate) fn models_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models")
}

/// The drawn picture that all crops are from.
pub(crate) fn picture() -> RgbImage {
    image::open(models_folder().join("parity/picture.png")).unwrap().into_rgb8()
}

/// A tensor as PyTorch lays it out.
struct Tensor {
    kind: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

/// The exported tensors of a network.
pub(crate) struct Exported(HashMap<String, Tensor>);

impl Exported {
    /// Without them the engine would stand unproven, so they are required.
    pub(crate) fn of(network: &str) -> Exported {
        let bytes = fs::read(models_folder().join(format!("parity/{network}.safetensors"))).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensor = |(name, view): (&str, safetensors::tensor::TensorView)| {
            let tensor = Tensor { kind: view.dtype(), shape: view.shape().to_vec(), data: view.data().to_vec() };
            (name.to_owned(), tensor)
        };
        Exported(file.iter().map(tensor).collect())
    }

    fn tensor(&self, name: &str, kind: Dtype) -> &Tensor {
        let tensor = self.0.get(name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(tensor.kind, kind, "{name}");
        tensor
    }

    pub(crate) fn values(&self, name: &str) -> Vec<f32> {
        self.tensor(name, Dtype::F32).data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
    }

    pub(crate) fn bytes(&self, name: &str) -> &[u8] {
        &self.tensor(name, Dtype::U8).data
    }

    pub(crate) fn indices(&self, name: &str) -> Vec<usize> {
        let numbers = self.tensor(name, Dtype::I64).data.as_chunks().0;
        numbers.iter().map(|&bytes| usize::try_from(i64::from_le_bytes(bytes)).unwrap()).collect()
    }

    pub(crate) fn quads(&self, name: &str) -> Vec<Quad> {
        let quad = |corners: &[f32; 8]| std::array::from_fn(|i| [corners[2 * i], corners[2 * i + 1]]);
        self.values(name).as_chunks().0.iter().map(quad).collect()
    }

    /// A grey crop [height, width].
    pub(crate) fn grey(&self, name: &str) -> GrayImage {
        let &[height, width] = &self.tensor(name, Dtype::U8).shape[..] else { panic!("{name} is not grey") };
        GrayImage::from_raw(width as u32, height as u32, self.bytes(name).to_vec()).unwrap()
    }

    /// A colour crop [height, width, 3].
    pub(crate) fn rgb(&self, name: &str) -> RgbImage {
        let &[height, width, 3] = &self.tensor(name, Dtype::U8).shape[..] else { panic!("{name} is not RGB") };
        RgbImage::from_raw(width as u32, height as u32, self.bytes(name).to_vec()).unwrap()
    }

    /// A map [channels, height, width], channels last.
    pub(crate) fn map(&self, name: &str) -> FeatureMap {
        let &[channels, height, width] = &self.tensor(name, Dtype::F32).shape[..] else { panic!("{name} is no map") };
        let values = self.values(name);
        let pixel = |at: usize| (0..channels).map(move |channel| channel * height * width + at);
        let values = (0..height * width).flat_map(pixel).map(|at| values[at]).collect();
        FeatureMap::new([height, width, channels], values).unwrap()
    }
}

/// An exported input of a network.
pub(crate) fn input(models: &Models, network: &str) -> FeatureMap {
    let (stages, exported) = (Stages(models), Exported::of(network));
    match network {
        "locator" => stages.locator_input(&exported.rgb("coarse.crop")),
        "lines" => stages.lines_input(&exported.grey("crop")),
        "recogniser" => stages.strip_input(&exported.grey("birthPlace.crop")),
        other => panic!("no network {other}"),
    }
    .unwrap()
}

/// Root of the mean square error, in standard deviations of what is expected.
pub(crate) fn error(ours: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(ours.len(), expected.len());
    let mean_of = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / expected.len() as f64;
    let mean = mean_of(&mut expected.iter().map(|&value| f64::from(value)));
    let variance = mean_of(&mut expected.iter().map(|&value| (f64::from(value) - mean).powi(2)));
    let error = mean_of(&mut ours.iter().zip(expected).map(|(&a, &b)| f64::from(a - b).powi(2)));
    (error / variance).sqrt() as f32
}
