//! What the trainer exported for the tests: inputs of the networks, and what PyTorch makes of them.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use shenfen_ocr::net::FeatureMap;

/// The networks that the product ships.
pub(crate) fn models_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models")
}

/// A tensor as PyTorch lays it out.
pub(crate) struct Exported {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

impl Exported {
    /// [1, channels, height, width] -> [height, width, channels].
    pub(crate) fn channels_last(&self) -> FeatureMap {
        let &[1, channels, height, width] = &self.shape[..] else { panic!("a batch of one, not {:?}", self.shape) };
        let pixel = |at: usize| (0..channels).map(move |channel| self.values[channel * height * width + at]);
        FeatureMap::new([height, width, channels], (0..height * width).flat_map(pixel).collect()).unwrap()
    }
}

/// The exported tensors of a network. Without them the engine would stand unproven, so they are required.
pub(crate) fn exported(network: &str) -> HashMap<String, Exported> {
    let bytes = fs::read(models_folder().join(format!("parity/{network}.safetensors"))).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = |(name, tensor): (&str, safetensors::tensor::TensorView)| {
        assert_eq!(tensor.dtype(), Dtype::F32, "{name}");
        let values = tensor.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        (name.to_owned(), Exported { shape: tensor.shape().to_vec(), values })
    };
    file.iter().map(tensor).collect()
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
