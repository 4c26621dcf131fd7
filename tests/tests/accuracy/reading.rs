//! Reads a labelled set and compares every field with its label.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde::Deserialize;
use shenfen_core::{PictureResult, Policy};
use shenfen_ocr::{CardReader, Limits, Models};
use shenfen_worker::read_picture;
use time::Date;
use time::macros::date;

/// Cards are judged as of this day, so that none expires between two runs.
const TODAY: Date = date!(2026 - 11 - 26);

/// A line of labels.jsonl: one card, or a picture without any.
#[derive(Deserialize)]
struct Label {
    path: String,
    slice: String,
    #[serde(default)]
    side: Option<String>,
    #[serde(default)]
    fields: BTreeMap<String, String>,
}

/// What became of one picture. Texts are left out: labels.jsonl has them.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) name: String,
    pub(crate) slice: String,
    /// Labelled fields.
    pub(crate) fields: u32,
    /// Side and name of each field that differs from its label.
    pub(crate) wrong: Vec<String>,
    /// Whether there is another number of cards than labelled.
    pub(crate) unexpected: bool,
    pub(crate) decision: String,
}

impl Picture {
    /// Whether every card was found and every field is right.
    pub(crate) fn is_right(&self) -> bool {
        self.wrong.is_empty() && !self.unexpected
    }
}

/// Reads every picture that labels.jsonl in `folder` names, in its order.
pub(crate) fn read_set(folder: &Path) -> Vec<Picture> {
    let labels = fs::read_to_string(folder.join("labels.jsonl")).unwrap();
    let mut pictures: Vec<Vec<Label>> = Vec::new();
    for line in labels.lines() {
        let label: Label = serde_json::from_str(line).unwrap();
        match pictures.last_mut() {
            Some(cards) if cards[0].path == label.path => cards.push(label),
            _ => pictures.push(vec![label]),
        }
    }
    let models = Arc::new(Models::embedded().unwrap());
    let next = AtomicUsize::new(0);
    let read = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                let mut reader = CardReader::new(Arc::clone(&models), Limits::default());
                while let Some(cards) = pictures.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let bytes = fs::read(folder.join(&cards[0].path)).unwrap();
                    let outcome = read_picture(&mut reader, &bytes, TODAY, &Policy::default());
                    let result = outcome.into_result(reader.models().info()).unwrap();
                    read.lock().unwrap().insert(&cards[0].path, compare(cards, &result));
                }
            });
        }
    });
    let mut read = read.into_inner().unwrap();
    pictures.iter().filter_map(|cards| read.remove(&cards[0].path)).collect()
}

/// Compares a result with the labels of its picture. Each label is compared with the card of its side that fits best.
fn compare(labels: &[Label], result: &PictureResult) -> Picture {
    // By the names in the JSON, which stay when those in the code change.
    let result = serde_json::to_value(result).unwrap();
    let mut cards = result["cards"].as_array().unwrap().clone();
    let expected: Vec<(&str, &Label)> =
        labels.iter().filter_map(|label| Some((label.side.as_deref()?, label))).collect();
    let unexpected = cards.len() != expected.len();
    let mut wrong = Vec::new();
    for (side, label) in &expected {
        let differing = |card: &serde_json::Value| -> Vec<&String> {
            let text = |field: &str| card["fields"][field]["text"].as_str().unwrap_or_default();
            label.fields.iter().filter(|(field, expected)| text(field) != **expected).map(|(field, _)| field).collect()
        };
        let of_side = (0..cards.len()).filter(|&card| cards[card]["side"] == **side);
        let card = of_side.min_by_key(|&card| differing(&cards[card]).len()).map(|card| cards.remove(card));
        wrong.extend(differing(&card.unwrap_or_default()).iter().map(|field| format!("{side} {field}")));
    }
    Picture {
        name: labels[0].path.clone(),
        slice: labels[0].slice.clone(),
        fields: expected.iter().map(|(_, label)| label.fields.len() as u32).sum(),
        wrong,
        unexpected,
        decision: result["decision"].as_str().unwrap().to_owned(),
    }
}
