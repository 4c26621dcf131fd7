//! The figures that are compared from run to run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::reading::Picture;

/// What was read, by slice and by picture.
#[derive(Serialize, Deserialize)]
pub(crate) struct Baseline {
    slices: BTreeMap<String, Slice>,
    pictures: BTreeMap<String, Outcome>,
}

/// The figures of a slice.
#[derive(Default, Serialize, Deserialize)]
struct Slice {
    pictures: u32,
    pictures_right: u32,
    fields: u32,
    fields_right: u32,
    accepted_right: u32,
    accepted_wrongly: u32,
}

/// What became of a picture.
#[derive(PartialEq, Serialize, Deserialize)]
struct Outcome {
    decision: String,
    /// Fields that differ from their label; a card too many or too few counts as one.
    wrong: Vec<String>,
}

impl Baseline {
    pub(crate) fn of(pictures: &[Picture]) -> Baseline {
        let mut baseline = Baseline { slices: BTreeMap::new(), pictures: BTreeMap::new() };
        for picture in pictures {
            let (right, accepted) = (picture.is_right(), picture.decision == "accept");
            let slice = baseline.slices.entry(picture.slice.clone()).or_default();
            slice.pictures += 1;
            slice.pictures_right += u32::from(right);
            slice.fields += picture.fields;
            slice.fields_right += picture.fields - picture.wrong.len() as u32;
            slice.accepted_right += u32::from(accepted && right);
            slice.accepted_wrongly += u32::from(accepted && !right);
            let mut wrong = picture.wrong.clone();
            wrong.extend(picture.unexpected.then(|| "number of cards".to_owned()));
            baseline.pictures.insert(picture.name.clone(), Outcome { decision: picture.decision.clone(), wrong });
        }
        baseline
    }

    pub(crate) fn read(file: &Path) -> Baseline {
        serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
    }

    pub(crate) fn write(&self, file: &Path) {
        fs::write(file, serde_json::to_string_pretty(self).unwrap() + "\n").unwrap();
    }

    /// Each figure of a slice that is worse in `now`, in words.
    pub(crate) fn worse(&self, now: &Baseline) -> Vec<String> {
        let mut worse = Vec::new();
        let none = Slice::default();
        for (name, before) in &self.slices {
            let now = now.slices.get(name).unwrap_or(&none);
            for (figure, before, now, is_worse) in [
                ("pictures", before.pictures, now.pictures, now.pictures != before.pictures),
                (
                    "pictures right",
                    before.pictures_right,
                    now.pictures_right,
                    now.pictures_right < before.pictures_right,
                ),
                ("fields right", before.fields_right, now.fields_right, now.fields_right < before.fields_right),
                (
                    "accepted rightly",
                    before.accepted_right,
                    now.accepted_right,
                    now.accepted_right < before.accepted_right,
                ),
                (
                    "accepted wrongly",
                    before.accepted_wrongly,
                    now.accepted_wrongly,
                    now.accepted_wrongly > before.accepted_wrongly,
                ),
            ] {
                if is_worse {
                    worse.push(format!("{name}: {figure}: {before} before, {now} now"));
                }
            }
        }
        worse
    }

    /// Each picture whose outcome is another in `now`, in words.
    pub(crate) fn differences(&self, now: &Baseline) -> Vec<String> {
        let in_words = |outcome: Option<&Outcome>| match outcome {
            None => "not in the set".to_owned(),
            Some(Outcome { decision, wrong }) if wrong.is_empty() => format!("{decision}, right"),
            Some(Outcome { decision, wrong }) => format!("{decision}, wrong: {}", wrong.join(", ")),
        };
        let mut names: Vec<&String> = self.pictures.keys().chain(now.pictures.keys()).collect();
        names.sort_unstable();
        names.dedup();
        let pairs = names.into_iter().map(|name| (name, self.pictures.get(name), now.pictures.get(name)));
        pairs
            .filter(|(_, before, now)| before != now)
            .map(|(name, before, now)| format!("{name}: {} -> {}", in_words(before), in_words(now)))
            .collect()
    }
}
