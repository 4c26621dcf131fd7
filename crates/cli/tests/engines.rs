//! The engines that the networks can be computed with.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
#![allow(dead_code, reason = "the shared helpers are for all test binaries")]

mod program;

use program::{Place, samples};

#[test]
fn evaluates_and_reads_with_the_reference_engine() {
    let place = Place::new();
    let sample = samples().join("scan-1.jpg");
    let labels = std::fs::read_to_string(samples().join("labels.jsonl")).unwrap();
    let label = labels.lines().find(|line| line.contains("\"scan-1.jpg\"")).unwrap();
    place.write("set/labels.jsonl", label);
    place.write("set/scan-1.jpg", std::fs::read(&sample).unwrap());

    let message = |engine: &str| {
        let ran = place.run(&["read", "set/scan-1.jpg", "--engine", engine]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        ran.lines()[0]["message"].clone()
    };
    assert_eq!(message("reference"), message("quantised"));
    assert!(message("reference").as_object().is_some_and(|message| !message.is_empty()));

    let ran = place.run(&["eval", "set", "--engine", "reference", "--device", "cpu", "--strict"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
}

#[test]
fn says_what_a_device_needs() {
    let place = Place::new();
    let sample = samples().join("scan-1.jpg");
    let read = |arguments: &[&str]| place.run(&[&["read", sample.to_str().unwrap()], arguments].concat());
    read(&["--device", "cpu"]).fails_in_one_line(&["--device", "--engine reference"]);
    // The tests build neither feature, so these devices are missing on every machine.
    read(&["--engine", "reference", "--device", "cuda"]).fails_in_one_line(&["cuda", "--features cuda"]);
    read(&["--engine", "reference", "--device", "metal"]).fails_in_one_line(&["metal", "--features metal"]);
}
