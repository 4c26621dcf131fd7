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
        &["results", "--format", "json", "--reveal", "--reason", "a test"],
        &["audit", "list"],
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

#[test]
fn stored_results_are_masked_until_the_audit_log_says_why() {
    let texts = personal_texts();
    let place = Place::new();
    let samples = samples();
    assert_eq!(place.run(&["backfill", samples.to_str().unwrap()]).code, Some(0));
    let shown = |arguments: &[&str]| {
        let ran = place.run(arguments);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        texts.iter().filter(|text| ran.out.contains(text.as_str())).count()
    };
    // What many people share is shown: authorities and periods of validity.
    let shared = |text: &&String| text.ends_with('局') || text.contains('-') && text.contains('.');
    let shared = texts.iter().filter(shared).count();
    for format in ["table", "json", "csv"] {
        assert!(shown(&["results", "--format", format]) <= shared, "{format} shows personal texts");
    }
    let audit = |arguments: &[&str]| place.run(&[&["audit"], arguments].concat());
    assert_eq!(audit(&["export"]).lines().len(), 0, "masked results need no reason");

    let unexplained = place.run(&["results", "--reveal"]);
    assert!(unexplained.code == Some(1) && unexplained.err.contains("--reason"), "{}", unexplained.err);
    assert_eq!(unexplained.out, "");
    assert!(
        shown(&["results", "--format", "json", "--reveal", "--reason", "complaint 17", "--decision", "accept"])
            > shared
    );
    let [entry] = &audit(&["export"]).lines()[..] else { panic!("one act is one entry") };
    assert_eq!((&entry["action"], &entry["reason"]), (&"reveal".into(), &"complaint 17".into()));
    assert_eq!(entry["subject"], "results with decision accept");
    assert!(entry["actor"].as_str().unwrap().starts_with("user "), "{entry}");

    let first = audit(&["verify"]);
    let hash = first.out.trim().rsplit(' ').next().unwrap().to_owned();
    assert!(first.out.starts_with("1 entries, ") && entry["hash"] == hash.as_str(), "{}", first.out);
    place.results();
    assert!(audit(&["verify", "--hash", &hash]).out.starts_with("2 entries, "));
    audit(&["verify", "--hash", "0000"]).fails_in_one_line(&["hash that was kept"]);
}

#[test]
fn nothing_is_revealed_that_cannot_be_recorded() {
    let place = Place::new();
    place.write("cards/a.jpg", "no picture");
    assert_eq!(place.run(&["backfill", "cards"]).code, Some(0));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.path().join("shenfen.db"));
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::raw_sql("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT raise(ABORT, 'no'); END")
            .execute(&pool)
            .await
            .unwrap();
        pool.close().await;
    });
    let ran = place.run(&["results", "--reveal", "--reason", "x"]);
    ran.fails_in_one_line(&["write the audit log"]);
    assert_eq!(ran.out, "");
    assert_eq!(place.run(&["results"]).lines().len(), 1, "masked results are still shown");
}
