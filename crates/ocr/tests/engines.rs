//! The int8 kernels against the reference engine, on the exported inputs and on what the networks are given when a sample
//! picture is read: layer by layer, network by network, and picture by picture.

#![expect(clippy::unwrap_used, reason = "test code")]

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};

use exported::{error, input, models_folder};
use shenfen_ocr::net::{FeatureMap, Observer, Scratch};
use shenfen_ocr::{CardReader, Device, Engine, Limits, Models, Reading};

mod exported;

/// The most that a layer may be off, in standard deviations of its output, when it is given what the reference gives it.
/// Measured over all layers and inputs below: 0.001 to 0.021, and 0.025 to 0.029 for the first two layers of each network,
/// which have the fewest inputs to average over. A layer out of place or with a wrong stride is off by about 1 or has
/// another shape.
const LAYER_TOLERANCE: f32 = 0.04;
/// The most that a layer may be off when what comes before it is computed in bytes too. Measured: 0.014 to 0.088, the most
/// in the line detector's coarsest layers.
const ACCUMULATED_TOLERANCE: f32 = 0.1;

const SAMPLES: [&str; 3] = ["scan-2.jpg", "photo-1.jpg", "sheet-1.jpg"];

fn models(engine: Engine) -> Arc<Models> {
    Models::load_for(engine, &models_folder()).unwrap()
}

fn both() -> [Arc<Models>; 2] {
    [models(Engine::Quantised), models(Engine::Reference(Device::Cpu))]
}

/// What networks are given and what layers give, in this order.
#[derive(Clone, Default)]
struct Record {
    inputs: Arc<Mutex<Vec<(String, FeatureMap)>>>,
    outputs: Arc<Mutex<Vec<(String, FeatureMap)>>>,
}

impl Observer for Record {
    fn input(&mut self, network: &str, map: &FeatureMap) {
        self.inputs.lock().unwrap().push((network.to_owned(), map.clone()));
    }

    fn output(&mut self, layer: &str, map: &mut FeatureMap) {
        self.outputs.lock().unwrap().push((layer.to_owned(), map.clone()));
    }
}

/// Compares each layer with what the reference gave, and lets the next one work on that, if `corrects`.
struct Comparison {
    expected: std::vec::IntoIter<(String, FeatureMap)>,
    errors: Arc<Mutex<Vec<(String, f32)>>>,
    corrects: bool,
}

impl Observer for Comparison {
    fn input(&mut self, _network: &str, _map: &FeatureMap) {}

    fn output(&mut self, layer: &str, map: &mut FeatureMap) {
        let (name, expected) = self.expected.next().expect("as many layers as in the reference");
        assert_eq!(layer, name, "the layers in the reference's order");
        assert_eq!(map.shape(), expected.shape(), "{layer}");
        self.errors.lock().unwrap().push((name, error(map.values(), expected.values())));
        if self.corrects {
            *map = expected;
        }
    }
}

/// Applies the network of that name.
fn apply(models: &Models, network: &str, input: &FeatureMap, scratch: &Scratch) {
    match network {
        "locator" => drop(models.locator().forward(input, scratch).unwrap()),
        "lines" => drop(models.line_detector().forward(input, scratch).unwrap()),
        "recogniser" => drop(models.recogniser().forward(input, scratch).unwrap()),
        other => panic!("no network {other}"),
    }
}

/// The exported inputs, and what the networks are given when a sample picture is read.
fn inputs() -> Vec<(String, FeatureMap)> {
    let record = Record::default();
    let models = models(Engine::Quantised);
    let mut reader = CardReader::observed_by(Arc::clone(&models), Limits::default(), Box::new(record.clone()));
    reader.read(&sample("photo-1.jpg")).unwrap();
    let mut inputs = std::mem::take(&mut *record.inputs.lock().unwrap());
    for network in ["locator", "lines", "recogniser"] {
        assert!(inputs.iter().any(|(of, _)| of == network), "the sample needs the {network}");
        inputs.push((network.to_owned(), input(&models, network)));
    }
    inputs
}

fn sample(name: &str) -> Vec<u8> {
    fs::read(models_folder().join("../samples").join(name)).unwrap()
}

/// The largest error of each layer over all inputs.
fn errors_by_layer(corrects: bool) -> BTreeMap<String, f32> {
    let [quantised, reference] = both();
    let mut worst = BTreeMap::new();
    for (network, input) in inputs() {
        let record = Record::default();
        apply(&reference, &network, &input, &Scratch::observed_by(Box::new(record.clone())));
        let expected = std::mem::take(&mut *record.outputs.lock().unwrap());
        let (layers, errors) = (expected.len(), Arc::new(Mutex::new(Vec::new())));
        let comparison = Comparison { expected: expected.into_iter(), errors: Arc::clone(&errors), corrects };
        apply(&quantised, &network, &input, &Scratch::observed_by(Box::new(comparison)));
        let errors = std::mem::take(&mut *errors.lock().unwrap());
        assert_eq!(errors.len(), layers, "{network}: as many layers as in the reference");
        for (layer, error) in errors {
            let worst = worst.entry(layer).or_insert(0.0);
            *worst = f32::max(*worst, error);
        }
    }
    worst
}

fn assert_all_below(errors: BTreeMap<String, f32>, tolerance: f32) {
    let beyond: Vec<_> = errors.iter().filter(|&(_, &error)| error.is_nan() || error > tolerance).collect();
    assert!(beyond.is_empty(), "off by more than {tolerance} standard deviations: {beyond:?}");
}

#[test]
fn each_int8_layer_is_close_to_the_reference_on_the_same_input() {
    assert_all_below(errors_by_layer(true), LAYER_TOLERANCE);
}

#[test]
fn errors_of_int8_layers_stay_small_when_they_add_up() {
    assert_all_below(errors_by_layer(false), ACCUMULATED_TOLERANCE);
}

#[test]
fn int8_classifier_is_close_to_the_reference_and_exact_where_refined() {
    let [quantised, reference] = both();
    let strip = input(&quantised, "recogniser");
    let features = reference.recogniser().forward(&strip, &Scratch::default()).unwrap().features;
    let [mut ours, mut expected] = [Vec::new(), Vec::new()];
    quantised.recogniser().classify(&features, &Scratch::default(), &mut ours).unwrap();
    reference.recogniser().classify(&features, &Scratch::default(), &mut expected).unwrap();
    let off = error(&ours, &expected);
    assert!(off <= LAYER_TOLERANCE, "off by {off} standard deviations");

    let (width, classes) = (reference.recogniser().width(), reference.recogniser().classes());
    let all: Vec<usize> = (0..classes).collect();
    quantised.recogniser().refine(&features[..width], &all, &mut ours[..classes]);
    assert!(error(&ours[..classes], &expected[..classes]) < 1e-5);
}

/// What a reading says, without confidences.
fn texts(reading: &Reading) -> Vec<Vec<(&'static str, String)>> {
    let text = |field: &shenfen_core::ReadField| field.chars.iter().map(|read| read.candidates[0].character).collect();
    let card =
        |card: &shenfen_core::ReadCard| card.fields.iter().map(|(name, field)| (name.as_str(), text(field))).collect();
    reading.cards.iter().map(card).collect()
}

#[test]
fn both_engines_read_the_same_from_whole_pictures() {
    let mut readers = both().map(|models| CardReader::new(models, Limits::default()));
    for name in SAMPLES {
        let [quantised, reference] = readers.each_mut().map(|reader| reader.read(&sample(name)).unwrap());
        assert!(!reference.cards.is_empty(), "{name}");
        assert_eq!(texts(&quantised), texts(&reference), "{name}");
        for (ours, expected) in quantised.cards.iter().zip(&reference.cards) {
            assert_eq!((ours.side, ours.rotation), (expected.side, expected.rotation), "{name}");
            let corners = ours.quad.as_flattened().iter().zip(expected.quad.as_flattened());
            let farthest = corners.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(farthest < 2.0, "{name}: corners {farthest} pixels apart");
            for (field, read) in &ours.fields {
                let apart = (read.confidence - expected.fields[field].confidence).abs();
                assert!(apart < 0.05, "{name}, {}: confidences {apart} apart", field.as_str());
            }
        }
    }
}
