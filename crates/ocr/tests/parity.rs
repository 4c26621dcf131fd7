//! The networks give what the trainer's networks gave for the same input, to 2e-3 of the output's spread.

#![expect(clippy::unwrap_used, reason = "test code")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use shenfen_ocr::Models;
use shenfen_ocr::net::conv::Scratch;

const TOLERANCE: f32 = 2e-3;

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
    let largest = expected.iter().fold(1.0_f32, |most, value| most.max(value.abs()));
    let off = ours.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(off <= TOLERANCE * largest, "{what}: off by {off}, largest value {largest}");
}

#[test]
fn the_locator_agrees_with_the_trainer() {
    let expected = exported("locator");
    let models = Models::load(&models_folder()).unwrap();
    let map = models.locator().forward(&channels_last(&expected["input"]), &Scratch::default()).unwrap();
    assert_agree("map", &values(&map), &values(&channels_last(&expected["output"])));
}

#[test]
fn the_line_finder_agrees_with_the_trainer() {
    let expected = exported("lines");
    let models = Models::load(&models_folder()).unwrap();
    let map = models.line_finder().forward(&channels_last(&expected["input"]), &Scratch::default()).unwrap();
    assert_agree("map", &values(&map), &values(&channels_last(&expected["output"])));
}

#[test]
fn the_recogniser_agrees_with_the_trainer() {
    let expected = exported("recogniser");
    let models = Models::load(&models_folder()).unwrap();
    let recogniser = models.recogniser();
    let seen = recogniser.forward(&channels_last(&expected["input"]), &Scratch::default()).unwrap();
    assert_agree("centres", &seen.centres, &values(&expected["centre"]));
    let mut logits = Vec::new();
    recogniser.classifier().classify(&seen.features, &Scratch::default(), &mut logits);
    assert_agree("logits", &logits, &values(&expected["logits"]));
}
