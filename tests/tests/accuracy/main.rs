//! The built-in networks on fixed sets of drawn pictures: nothing may be read worse than when the baseline was written, and
//! the samples are read without a fault. tests/accuracy/README.md says how to update the baseline.

#![expect(clippy::unwrap_used, reason = "test code, its helpers too")]

mod baseline;
mod reading;

use std::path::{Path, PathBuf};

use baseline::Baseline;
use reading::read_set;

/// Set to 1, the baseline is written anew instead of being compared with.
const UPDATE: &str = "SHENFEN_UPDATE_BASELINE";

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn nothing_is_read_worse_than_the_baseline() {
    let folder = folder("accuracy");
    let file = folder.join("baseline.json");
    let now = Baseline::of(&read_set(&folder));
    if std::env::var_os(UPDATE).is_some_and(|value| value == "1") {
        now.write(&file);
        return;
    }
    let before = Baseline::read(&file);
    let differences = before.differences(&now).join("\n");
    let worse = before.worse(&now);
    assert!(worse.is_empty(), "{}\n\nby picture:\n{differences}", worse.join("\n"));
    println!("no slice is worse; by picture:\n{differences}");
}

#[test]
fn every_field_of_the_samples_is_right() {
    let pictures = read_set(&folder("../samples"));
    assert_eq!(pictures.len(), 13, "all but no-card.jpg, which has no label");
    let misread: Vec<String> =
        pictures.iter().filter(|picture| !picture.is_right()).map(|it| format!("{it:?}")).collect();
    assert!(misread.is_empty(), "{}", misread.join("\n"));
}

#[test]
fn a_baseline_tells_worse_from_better() {
    let fields = |right: u32, decision: &str| {
        let wrong = if right == 5 { vec![] } else { vec!["front name".to_owned()] };
        reading::Picture {
            name: "a.jpg".into(),
            slice: "scan".into(),
            fields: 5,
            wrong,
            unexpected: false,
            decision: decision.into(),
        }
    };
    let of = |right, decision| Baseline::of(&[fields(right, decision)]);
    assert!(of(5, "accept").worse(&of(5, "accept")).is_empty());
    assert!(of(4, "review").worse(&of(5, "accept")).is_empty());
    for (before, now) in [
        (of(5, "accept"), of(4, "review")),
        (of(5, "accept"), of(5, "review")),
        (of(4, "review"), of(4, "accept")),
        (of(5, "accept"), Baseline::of(&[])),
    ] {
        assert!(!before.worse(&now).is_empty() && !before.differences(&now).is_empty());
    }
}
