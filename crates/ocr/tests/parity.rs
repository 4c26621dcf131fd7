//! Both engines give what the trainer's networks gave for the same input: the reference exactly, the int8 kernels but for
//! what 8 bits cost.

#![expect(clippy::unwrap_used, reason = "test code")]

use std::sync::Arc;

use exported::{error, exported, models_folder};
use shenfen_ocr::net::{DetectorNetwork, Scratch};
use shenfen_ocr::{Device, Engine, Models};

mod exported;

/// Each engine with the most that it may be off: [`error`] of a network's output.
///
/// Rounding to bytes adds up layer by layer: it costs the recogniser, the deepest, 0.031 at its centres. The reference
/// sums in another order than PyTorch: 1e-6. A layer that is out of place costs 1.
const ENGINES: [(Engine, f32); 2] = [(Engine::Quantised, 0.045), (Engine::Reference(Device::Cpu), 1e-5)];

fn models() -> impl Iterator<Item = (Arc<Models>, f32)> {
    ENGINES.into_iter().map(|(engine, tolerance)| (Models::load_for(engine, &models_folder()).unwrap(), tolerance))
}

fn assert_close(what: &str, ours: &[f32], expected: &[f32], tolerance: f32) {
    let off = error(ours, expected);
    assert!(off <= tolerance, "{what}: off by {off} standard deviations");
}

fn assert_detector_agrees(network: &str, of: fn(&Models) -> &dyn DetectorNetwork) {
    let expected = exported(network);
    for (models, tolerance) in models() {
        let map = of(&models).forward(&expected["input"].channels_last(), &Scratch::default()).unwrap();
        assert_close(network, map.values(), expected["output"].channels_last().values(), tolerance);
    }
}

#[test]
fn locator_agrees_with_trainer() {
    assert_detector_agrees("locator", Models::locator);
}

#[test]
fn line_detector_agrees_with_trainer() {
    assert_detector_agrees("lines", Models::line_detector);
}

#[test]
fn recogniser_agrees_with_trainer() {
    let expected = exported("recogniser");
    for (models, tolerance) in models() {
        let recogniser = models.recogniser();
        let output = recogniser.forward(&expected["input"].channels_last(), &Scratch::default()).unwrap();
        assert_close("centres", &output.centres, &expected["centre"].values, tolerance);
        let mut logits = Vec::new();
        recogniser.classify(&output.features, &Scratch::default(), &mut logits).unwrap();
        let expected = &expected["logits"].values;
        assert_close("logits", &logits, expected, tolerance);

        let features = output.features.chunks(recogniser.width());
        let rows = features.zip(logits.chunks_mut(recogniser.classes())).zip(expected.chunks(recogniser.classes()));
        for (step, ((features, logits), expected)) in rows.enumerate() {
            let best = (0..expected.len()).max_by(|&a, &b| expected[a].total_cmp(&expected[b])).unwrap();
            recogniser.refine(features, &[best], logits);
            let off = (logits[best] - expected[best]).abs();
            assert!(off < 0.05 * expected[best].abs().max(4.0), "step {step}: off by {off}");
        }
    }
}
