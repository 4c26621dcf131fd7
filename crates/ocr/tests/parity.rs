//! The networks give what the trainer's networks gave for the same input, but for what bytes cost.

#![expect(clippy::unwrap_used, reason = "test code")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use shenfen_ocr::Models;
use shenfen_ocr::net::conv::Scratch;

/// Root of the mean square error, in standard deviations of the output. Rounding to bytes adds up layer by layer: it costs the
/// recogniser, the deepest, 0.031 at its centres; a layer that is out of place costs 1.
const TOLERANCE: f32 = 0.045;

fn models_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models")
}

/// The exported inputs and outputs of a network. Without them the engine would stand unproven, so they are required.
fn exported(network: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(models_folder().join(format!("parity/{network}.safetensors")), &Device::Cpu).unwrap()
}

/// [1, channels, height, width] -> [height, width, channels].
fn channels_last(tensor: &Tensor) -> Tensor {
    tensor.squeeze(0).unwrap().permute((1, 2, 0)).unwrap().contiguous().unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn assert_agree(what: &str, ours: &[f32], expected: &[f32]) {
    assert_eq!(ours.len(), expected.len(), "{what}");
    let count = expected.len() as f32;
    let mean = expected.iter().sum::<f32>() / count;
    let spread = expected.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / count;
    let error = ours.iter().zip(expected).map(|(a, b)| (a - b).powi(2)).sum::<f32>() / count;
    let off = (error / spread).sqrt();
    assert!(off <= TOLERANCE, "{what}: off by {off} standard deviations");
}

#[test]
fn locator_agrees_with_trainer() {
    let expected = exported("locator");
    let models = Models::load(&models_folder()).unwrap();
    let map = models.locator().forward(&channels_last(&expected["input"]), &Scratch::default()).unwrap();
    assert_agree("map", &values(&map), &values(&channels_last(&expected["output"])));
}

#[test]
fn line_detector_agrees_with_trainer() {
    let expected = exported("lines");
    let models = Models::load(&models_folder()).unwrap();
    let map = models.line_detector().forward(&channels_last(&expected["input"]), &Scratch::default()).unwrap();
    assert_agree("map", &values(&map), &values(&channels_last(&expected["output"])));
}

#[test]
fn recogniser_agrees_with_trainer() {
    let expected = exported("recogniser");
    let models = Models::load(&models_folder()).unwrap();
    let recogniser = models.recogniser();
    let seen = recogniser.forward(&channels_last(&expected["input"]), &Scratch::default()).unwrap();
    assert_agree("centres", &seen.centres, &values(&expected["centre"]));
    let mut logits = Vec::new();
    let classifier = recogniser.classifier();
    classifier.classify(&seen.features, &Scratch::default(), &mut logits);
    let expected = values(&expected["logits"]);
    assert_agree("logits", &logits, &expected);
    let width = seen.features.len() / seen.centres.len();
    let rows = seen.features.chunks(width).zip(expected.chunks(classifier.classes()));
    for (step, (features, expected)) in rows.enumerate() {
        let best = (0..expected.len()).max_by(|&a, &b| expected[a].total_cmp(&expected[b])).unwrap();
        let off = (classifier.exact(features, best) - expected[best]).abs();
        assert!(off < 0.05 * expected[best].abs().max(4.0), "step {step}: off by {off}");
    }
}
