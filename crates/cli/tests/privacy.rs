//! Nothing on a card may reach the log, at any log level.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[expect(dead_code, reason = "other tests need more of it")]
mod program;

use std::fs;

use program::{Place, samples};
use serde_json::Value;

/// All personal data on the sample cards: texts that are long enough not to be in a log by chance.
fn personal_texts() -> Vec<String> {
    let labels = fs::read_to_string(samples().join("labels.jsonl")).unwrap();
    let labels = labels.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let texts = labels.flat_map(|label| label["fields"].as_object().unwrap().values().cloned().collect::<Vec<_>>());
    texts.filter_map(|text| text.as_str().map(str::to_owned)).filter(|text| text.len() >= 6).collect()
}

#[test]
fn backfill_log_contains_no_card_data() {
    let texts = personal_texts();
    assert!(texts.len() > 10);
    let place = Place::new();
    let samples = samples();
    let samples = samples.to_str().unwrap();
    let mut seen_on_cards = 0;
    for arguments in [
        &["backfill", samples][..],
        &["results", "--format", "json"],
        &["read", samples, "--format", "json"],
        &["eval", samples, "--errors", "misread.jsonl", "--dump", "dump.jsonl"],
        &["batches"],
    ] {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--log", "json", "--log-level", "trace"]).collect();
        let ran = place.run(&arguments);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        for text in &texts {
            assert!(!ran.err.contains(text.as_str()), "{arguments:?} logs a field");
            seen_on_cards += usize::from(ran.out.contains(text.as_str()));
        }
        // Text that was misread is personal data too.
        for line in ran.out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            let message = if line["result"].is_object() { &line["result"]["message"] } else { &line["message"] };
            for text in message.as_object().into_iter().flatten().filter_map(|(_, text)| text.as_str()) {
                let own = !["中华人民共和国", "居民身份证"].contains(&text) && text.len() >= 6;
                assert!(!own || !ran.err.contains(text), "{arguments:?} logs a field");
            }
        }
    }
    assert!(seen_on_cards > 0, "the search found nothing even where it should");
}
