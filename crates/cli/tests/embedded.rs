//! The embedded mode: backfill, killed and stopped in every phase, and the commands that show its results.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod program;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command};

use program::{Place, Ran, sample_pictures, samples};
use serde_json::Value;
use shenfen_core::{Policy, ReadCard, assess};
use time::macros::date;

/// A folder with a number of pictures, copies of the samples.
fn with_pictures(count: usize) -> Place {
    let place = Place::new();
    let pictures = sample_pictures();
    for number in 0..count {
        place.write(&format!("cards/{number:03}.jpg"), fs::read(&pictures[number % pictures.len()]).unwrap());
    }
    place
}

/// More pictures than any run here finishes.
const MANY: usize = 1000;

/// A folder with many links to one slow picture, so that a run is still in progress when the test interrupts it.
fn with_many_pictures() -> Place {
    let place = Place::new();
    let picture = place.write("picture", fs::read(samples().join("sheet-1.jpg")).unwrap());
    fs::create_dir(place.path().join("cards")).unwrap();
    for number in 0..MANY {
        fs::hard_link(&picture, place.path().join(format!("cards/{number:04}.jpg"))).unwrap();
    }
    place
}

/// Finishes the rest quickly: from now on the links are broken.
fn read_the_rest(place: &Place) {
    place.write("picture", "no picture");
    let ran = place.run(&["backfill", "cards"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
}

/// Waits until so many results are stored and visible.
fn wait_for_results(place: &Place, child: &mut Child, count: u64) {
    while place.batch().is_none_or(|batch| batch["done"].as_u64().unwrap() < count) {
        if child.try_wait().unwrap().is_some() {
            let mut err = String::new();
            child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
            panic!("it ended before it could be interrupted: {err}");
        }
    }
}

fn sources(place: &Place) -> BTreeSet<String> {
    let results = place.results();
    let sources: BTreeSet<String> =
        results.iter().map(|result| result["source"].as_str().unwrap().to_owned()).collect();
    assert_eq!(sources.len(), results.len(), "a result stands twice");
    sources
}

#[test]
fn backfill_killed_at_any_point_loses_and_doubles_nothing() {
    let place = with_many_pictures();
    // While it starts, when the batch is there, and after more and more results.
    let mut child = place.start(&["backfill", "cards"]);
    while !place.path().join("shenfen.db-lock").exists() {
        assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
    }
    kill(child);
    for more in [0, 0, 1, 4, 8] {
        let before = if place.batch().is_some() { sources(&place) } else { BTreeSet::new() };
        let mut child = place.start(&["backfill", "cards", "--threads", "1"]);
        wait_for_results(&place, &mut child, before.len() as u64 + more);
        kill(child);
        assert!(sources(&place).is_superset(&before), "a result was lost");
    }
    assert!((13..MANY).contains(&sources(&place).len()));
    read_the_rest(&place);
    assert_eq!(sources(&place).len(), MANY);
    let batch = place.batch().unwrap();
    assert_eq!((&batch["queued"], &batch["running"], &batch["dead"]), (&0.into(), &0.into(), &0.into()));

    let again = place.run(&["backfill", "cards"]);
    assert_eq!(again.code, Some(0));
    assert!(again.out.contains(&format!("nothing to do: all {MANY} pictures of cards are done")), "{}", again.out);
}

/// SIGKILL, which cannot be caught.
fn kill(mut child: Child) {
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None, "it ended by itself");
}

#[cfg(unix)]
fn interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

#[cfg(unix)]
#[test]
fn deleted_or_replaced_database_is_an_error_at_once() {
    for replaced in [false, true] {
        let place = with_many_pictures();
        let mut child = place.start(&["backfill", "cards", "--threads", "1"]);
        wait_for_results(&place, &mut child, 1);
        fs::remove_file(place.path().join("shenfen.db")).unwrap();
        if replaced {
            place.write("shenfen.db", "");
        }
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert_eq!(ran.code, Some(1), "{}", ran.err);
        assert!(ran.err.contains("shenfen.db was deleted or replaced while it was in use"), "{}", ran.err);
    }
}

#[cfg(unix)]
#[test]
fn first_interrupt_finishes_started_pictures() {
    let place = with_many_pictures();
    let mut child = place.start(&["backfill", "cards", "--threads", "1"]);
    wait_for_results(&place, &mut child, 1);
    interrupt(&child);
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.err.contains("run the same command again"), "{}", ran.err);
    let batch = place.batch().unwrap();
    assert_eq!(batch["running"], 0, "what was not begun was given back");

    assert!(sources(&place).len() < MANY);
    read_the_rest(&place);
    assert_eq!(sources(&place).len(), MANY);
}

#[cfg(unix)]
#[test]
fn second_interrupt_exits_at_once() {
    let place = with_many_pictures();
    let mut child = place.start(&["backfill", "cards", "--threads", "1"]);
    wait_for_results(&place, &mut child, 1);
    let mut err = BufReader::new(child.stderr.take().unwrap());
    interrupt(&child);
    let mut line = String::new();
    while !line.contains("press Ctrl-C again to stop at once") {
        line.clear();
        assert_ne!(err.read_line(&mut line).unwrap(), 0, "it ended without a word");
    }
    interrupt(&child);
    // The picture being read may be done before the second signal arrives; then the first one ended the run.
    let code = child.wait().unwrap().code();
    assert!(code == Some(130) || code == Some(1), "{code:?}");
    let kept = sources(&place);
    assert!(!kept.is_empty());
    read_the_rest(&place);
    assert!(sources(&place).is_superset(&kept) && sources(&place).len() == MANY);
}

#[test]
fn prints_results_as_table_json_and_csv_with_filters() {
    let place = with_pictures(4);
    place.write("cards/text.jpg", "no picture");
    place.write("list.csv", "path,reference\ncards/000.jpg,customer-1\n");
    assert_eq!(place.run(&["backfill", "cards"]).code, Some(0));
    assert_eq!(place.run(&["backfill", "list.csv", "--batch", "second"]).code, Some(0));

    let all = place.results();
    assert_eq!(all.len(), 6);
    let read: Vec<Value> = place.run(&["read", "cards/000.jpg"]).lines();
    let stored = all.iter().find(|result| result["source"] == "cards/000.jpg").unwrap();
    assert_eq!(stored["result"]["message"], read[0]["message"], "both commands read alike");
    assert_eq!(stored["image_sha256"].as_str().unwrap().len(), 64);

    let second = place.run(&["results", "--batch", "second", "--format", "csv"]);
    let mut csv = csv::Reader::from_reader(second.out.as_bytes());
    let head = csv.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = csv.records().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(&rows[0][head.iter().position(|column| column == "reference").unwrap()], "customer-1");

    let bad = place.run(&["results", "--status", "IMAGE_INVALID_FORMAT", "--format", "table"]);
    assert_eq!(bad.out.lines().count(), 2, "{}", bad.out);
    assert!(bad.out.contains("cards/text.jpg"));
    assert_eq!(place.run(&["results", "--decision", "reject", "--status", "OK", "--batch", "none"]).out, "");
    assert_eq!(place.run(&["batches", "--format", "table"]).out.lines().count(), 3);
}

#[test]
fn policy_decides_about_pictures_and_is_simulated_over_their_results() {
    let place = Place::new();
    let expired = samples().join("scan-6.jpg");
    place.write("cards/1.jpg", fs::read(&expired).unwrap());
    place.write("strict.toml", "name = \"strict\"\n[severity]\nexpired = \"warning\"\n");
    place.write("wrong.toml", "[severity]\nexpired = \"info\"\nexpird = \"info\"\n");

    assert_eq!(place.run(&["backfill", "cards"]).code, Some(0));
    let [stored] = &place.results()[..] else { panic!("one result") };
    assert_eq!((&stored["decision"], &stored["result"]["validity"]), (&"accept".into(), &"expired".into()));
    assert_eq!(stored["result"]["policy"]["name"], "default");
    let [read] = &place.run(&["read", "cards", "--policy", "strict.toml"]).lines()[..] else { panic!("one result") };
    assert_eq!((&read["decision"], &read["policy"]["name"]), (&"review".into(), &"strict".into()));

    let simulated = place.run(&["policy", "simulate", "--policy", "strict.toml", "--format", "table"]);
    assert_eq!(simulated.out, "NOW     THEN    PICTURES  RULES\naccept  review  1         expired 1\n");
    let unchanged = place.run(&["policy", "simulate", "--batch", "cards"]).lines();
    let expected = serde_json::json!({"from": "accept", "to": "accept", "pictures": 1, "rules": {}});
    assert_eq!(unchanged, [expected]);

    let shown = place.run(&["policy", "show", "--policy", "strict.toml"]).out;
    place.write("shown.toml", &shown);
    assert_eq!(place.run(&["policy", "show", "--policy", "shown.toml"]).out, shown);
    assert_eq!(place.run(&["policy", "check", "strict.toml"]).code, Some(0));
    for command in [&["policy", "check", "wrong.toml"][..], &["backfill", "cards", "--policy", "wrong.toml"]] {
        place.run(command).fails_in_one_line(&["wrong.toml:3", "expird"]);
    }
}

#[test]
fn every_flag_has_an_environment_variable() {
    let place = with_pictures(1);
    let mut command = place.shenfen(&["backfill", "cards"]);
    command.envs([("SHENFEN_DATABASE", "other.db"), ("SHENFEN_BATCH", "named"), ("SHENFEN_THREADS", "1")]);
    assert!(command.status().unwrap().success());
    let ran = place.run(&["results", "--database", "other.db", "--batch", "named"]);
    assert_eq!(ran.lines().len(), 1);
}

#[test]
fn eval_scores_by_field_side_and_slice() {
    let place = Place::new();
    let ran = place.run(&[
        "eval",
        samples().to_str().unwrap(),
        "--format",
        "json",
        "--errors",
        "misread.jsonl",
        "--html",
        "report.html",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let scores = &ran.lines()[0];
    let labels = fs::read_to_string(samples().join("labels.jsonl")).unwrap();
    let numbers = labels.lines().filter(|line| line.contains("identityNo")).count() as u64;
    assert_eq!(scores["fields"]["identityNo"]["total"].as_u64(), Some(numbers));
    let wrong = scores["all"]["total"].as_u64().unwrap() - scores["all"]["exact"].as_u64().unwrap();
    let misread = fs::read_to_string(place.path().join("misread.jsonl")).unwrap();
    assert_eq!(misread.lines().count() as u64, wrong);
    for line in misread.lines() {
        let error: Value = serde_json::from_str(line).unwrap();
        assert!(error["path"].is_string() && error["expected"] != error["read"] && error["confidence"].is_number());
    }
    let report = fs::read_to_string(place.path().join("report.html")).unwrap();
    assert_eq!(report.matches(" → ").count() as u64, wrong);
    assert!(report.starts_with("<!doctype html>") && report.ends_with("</html>\n") && report.contains("all fields"));
    let outside = report.match_indices("src=").filter(|(at, _)| !report[*at..].starts_with("src=\"data:image/jpeg"));
    assert_eq!(outside.count() + report.matches("href=").count(), 0, "everything is in the file");
    let accepted = scores["decisions"]["accept"]["total"].as_f64().unwrap_or(0.0);
    let pictures = scores["pictures"]["total"].as_f64().unwrap();
    assert!((scores["accepted"]["share"].as_f64().unwrap() - accepted / pictures).abs() < 1e-9);
    let error = scores["calibration"]["error"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&error), "{error}");
    assert!(scores["sides"]["front"].is_object());
    let slices = scores["slices"].as_object().unwrap();
    assert!(
        slices.values().all(|slice| slice["calibration"]["bins"].is_array() && slice["unseen"]["share"].is_number())
    );
}

#[test]
fn dump_holds_what_assessment_starts_from_and_what_lies_behind_it() {
    let place = Place::new();
    let path = place.write("dump.jsonl", "left over");
    let ran = place.run(&["eval", samples().to_str().unwrap(), "--today", "2026-11-26", "--dump", "dump.jsonl"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);

    let labels = fs::read_to_string(samples().join("labels.jsonl")).unwrap();
    let mut cards_read = 0;
    for line in fs::read_to_string(path).unwrap().lines() {
        let picture: Value = serde_json::from_str(line).unwrap();
        assert_eq!(picture["today"], "2026-11-26");
        let cards = picture["cards"].as_array().unwrap();
        let read = cards.iter().map(|card| serde_json::from_value::<ReadCard>(card["read"].clone()).unwrap());
        let again = assess(read.collect(), date!(2026 - 11 - 26), &Policy::default());
        assert_eq!(picture["decision"], serde_json::to_value(again.decision).unwrap());
        for (card, again) in cards.iter().zip(&again.cards) {
            // As text, because a Value keeps more digits of an f32 than JSON has.
            let again = serde_json::to_string(again).unwrap();
            assert_eq!(card["result"], serde_json::from_str::<Value>(&again).unwrap());
            let labelled = format!(r#""path": {}, "side": {}"#, picture["path"], card["label"]["side"]);
            assert!(labels.contains(&labelled), "{labelled}");
            for (name, field) in card["read"]["fields"].as_object().unwrap() {
                let details = &card["details"][name];
                assert!((0.0..=1.0).contains(&details["probability"].as_f64().unwrap()));
                let lines = details["lines"].as_array().unwrap();
                assert!(lines.iter().all(|line| line["rounds"][0]["crops"] == 1));
                let detections = lines.iter().flat_map(|line| line["detections"].as_array().unwrap());
                let kept: Vec<&Value> =
                    detections.filter(|one| one["kept"] == true).map(|one| &one["candidates"]).collect();
                let read: Vec<&Value> =
                    field["chars"].as_array().unwrap().iter().map(|read| &read["candidates"]).collect();
                assert_eq!(kept, read, "{name}");
            }
            cards_read += 1;
        }
    }
    assert_eq!(cards_read, labels.lines().count());
}

#[test]
fn covered_pictures_are_counted_by_place_field_and_material_whatever_the_threads() {
    let place = Place::new();
    let samples = samples();
    let run = |threads: &str, seed: &str| {
        let args = ["eval", samples.to_str().unwrap(), "--today", "2026-11-26", "--cover=2", "--cover-seed", seed];
        place.run(&[&args[..], &["--threads", threads, "--format", "json"]].concat()).lines().remove(0)
    };
    let scores = run("1", "7");
    assert_eq!(run("3", "7"), scores);
    assert_ne!(run("2", "8"), scores);

    let count = |tally: &Value, name: &str| tally[name].as_u64().unwrap();
    let covered = count(&scores["all"], "covered");
    assert!(count(&scores, "right") > 5 && covered <= 2 * count(&scores, "right") && covered > 5);
    for group in ["fields", "places", "materials"] {
        let tallies = scores[group].as_object().unwrap();
        assert_eq!(tallies.values().map(|tally| count(tally, "covered")).sum::<u64>(), covered, "{group}");
    }
    let all = &scores["all"];
    let outcomes = ["accepted_right", "accepted_wrong", "flagged"].map(|name| count(all, name));
    assert_eq!(outcomes.iter().sum::<u64>(), covered);
    let table = place.run(&["eval", samples.to_str().unwrap(), "--cover=1", "--format", "table"]).out;
    assert!(table.contains("ACCEPTED WRONG") && table.contains("PLACE") && table.contains("MATERIAL"), "{table}");
}

#[test]
fn cover_test_names_what_it_cannot_read_or_write() {
    let place = Place::new();
    place.write("set/labels.jsonl", r#"{"path":"gone.jpg","side":"front","fields":{"name":"x"}}"#);
    place.run(&["eval", "set", "--cover"]).fails_in_one_line(&["cannot read", "gone.jpg"]);
    place.write("file", "");
    place.run(&["eval", "set", "--cover", "--cover-save", "file/x"]).fails_in_one_line(&["cannot create file/x"]);
}

#[test]
fn eval_scores_labelled_corners() {
    let place = Place::new();
    let picture = place.write("set/card.jpg", fs::read(samples().join("photo-1.jpg")).unwrap());
    for copy in ["turned", "elsewhere"] {
        fs::copy(&picture, place.path().join(format!("set/{copy}.jpg"))).unwrap();
    }
    let read = place.run(&["read", "set/card.jpg", "--format", "json"]).lines().remove(0);
    let [card] = read["cards"].as_array().unwrap().as_slice() else { panic!("photo-1 shows one card") };
    let side = card["side"].as_str().unwrap();
    let other_side = if side == "front" { "back" } else { "front" };
    let quad: Vec<[f64; 2]> = serde_json::from_value(card["quad"].clone()).unwrap();
    let mut turned = quad.clone();
    turned.rotate_left(1);
    let elsewhere: Vec<[f64; 2]> = quad.iter().map(|[x, y]| [x + 5000.0, *y]).collect();
    let labels = [("card", side, quad), ("turned", other_side, turned), ("elsewhere", side, elsewhere)].map(
        |(name, side, quad)| serde_json::json!({"path": format!("{name}.jpg"), "side": side, "quad": quad}).to_string(),
    );
    place.write("set/labels.jsonl", labels.join("\n"));
    let located = &place.run(&["eval", "set", "--format", "json"]).lines()[0]["locating"];
    let counts = ["labelled", "found", "extra", "side", "turn", "side_and_turn"].map(|name| located[name].as_u64());
    assert_eq!(counts, [3, 2, 1, 1, 1, 1].map(Some));
    assert!(located["mean_error"].as_f64().unwrap() < 1e-4 && located["close"] == 1.0);
    assert!(place.run(&["eval", "set", "--format", "table"]).out.contains("right turn"));
}

#[test]
fn erased_customer_is_gone_and_not_read_again() {
    let place = Place::new();
    place.write("cards/a.jpg", "no picture");
    place.write("cards/b.jpg", "nor this");
    place.write("cards/list.csv", "path,reference\na.jpg,customer-1\nb.jpg,customer-2\n");
    let backfill = ["backfill", "cards/list.csv", "--batch", "kyc"];
    assert_eq!(place.run(&backfill).code, Some(0));
    let erase = ["erase", "--reference", "customer-1", "--reason", "request 9"];
    place.run(&erase).fails_in_one_line(&["--yes"]);
    assert_eq!(place.run(&["erase", "--reason", "x", "--yes"]).code, Some(1), "what to erase must be said");
    assert_eq!(place.results().len(), 2);

    let erased = place.run(&[&erase[..], &["--yes"]].concat());
    assert_eq!(erased.code, Some(0), "{}", erased.err);
    assert!(erased.out.starts_with("erased 1 results, 1 jobs, 0 dead letters\naudit entry "), "{}", erased.out);
    assert!(place.run(&[&erase[..], &["--yes"]].concat()).out.starts_with("erased 0 results"));
    assert_eq!(place.run(&backfill).code, Some(0));
    let left = place.results();
    assert!(left.len() == 1 && left[0]["reference"] == "customer-2");
    let entries = place.run(&["audit", "export"]).lines();
    let erasures: Vec<_> = entries.iter().filter(|entry| entry["action"] == "erase").collect();
    assert_eq!(
        (&erasures[0]["subject"], &erasures[0]["reason"]),
        (&"reference customer-1".into(), &"request 9".into())
    );
    assert!(erased.out.contains(erasures[0]["hash"].as_str().unwrap()));
    place
        .run(&["erase", "--batch", "kyc", "--reason", "x", "--yes", "--database", "none.db"])
        .fails_in_one_line(&["none.db"]);
    assert!(!place.path().join("none.db").exists());
}

#[test]
fn database_file_has_no_tenants() {
    let place = Place::new();
    place.write("cards/a.jpg", "no picture");
    for command in [&["results"][..], &["batches"], &["backfill", "cards"]] {
        let arguments = [command, &["--tenant", "acme"]].concat();
        place.run(&arguments).fails_in_one_line(&["a database file has no tenants"]);
    }
}

#[test]
fn eval_names_labels_without_a_picture() {
    let place = Place::new();
    place.write("set/labels.jsonl", r#"{"path":"gone.jpg","side":"front","fields":{"name":"x"}}"#);
    place.run(&["eval", "set"]).fails_in_one_line(&["gone.jpg", "no such file", "labels"]);
    place.run(&["eval", "nowhere"]).fails_in_one_line(&["cannot open", "labels.jsonl"]);
    place.run(&["eval", "set", "--errors", "no/folder/x"]).fails_in_one_line(&["cannot write no/folder/x"]);
    place.run(&["eval", "set", "--dump", "no/folder/x"]).fails_in_one_line(&["cannot write no/folder/x"]);
    place.run(&["eval", "set", "--html", "no/folder/x"]).fails_in_one_line(&["cannot write no/folder/x"]);
}

#[test]
fn log_level_comes_from_its_variable_or_rust_log() {
    let place = with_pictures(1);
    let log_of = |variables: &[(&str, &str)]| {
        let mut command = place.shenfen(&["backfill", "cards", "--database", "log.db"]);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let _ = fs::remove_file(place.path().join("log.db"));
        Ran::of(output).err
    };
    assert!(!log_of(&[]).contains("TRACE") && !log_of(&[]).contains("DEBUG"));
    assert!(log_of(&[("RUST_LOG", "trace")]).contains("DEBUG"));
    assert!(!log_of(&[("RUST_LOG", "trace"), ("SHENFEN_LOG_LEVEL", "error")]).contains("DEBUG"));
}

#[test]
#[cfg(target_os = "linux")]
fn picture_that_cannot_be_read_now_stays_open() {
    let place = Place::new();
    let picture = fs::read(&sample_pictures()[0]).unwrap();
    place.write("b.jpg", &picture);
    // Reading the first bytes of a process's memory is an input/output error.
    let link = place.path().join("a.jpg");
    std::os::unix::fs::symlink("/proc/self/mem", &link).unwrap();
    place.write("list.csv", "path\na.jpg\nb.jpg\n");
    let ran = place.run(&["backfill", "list.csv"]);
    assert_eq!(ran.code, Some(1), "{}", ran.out);
    for words in ["a.jpg: cannot be read now: Input/output error", "trying again in 5 s", "run the same command again"]
    {
        assert!(ran.err.contains(words), "{words:?} in {}", ran.err);
    }
    let batch = place.batch().unwrap();
    assert_eq!((&batch["queued"], &batch["done"]), (&1.into(), &1.into()));
    let ran = place.run(&["read", "a.jpg"]);
    assert!(ran.code == Some(1) && ran.err.contains("cannot be read now"), "{}", ran.err);

    fs::remove_file(&link).unwrap();
    fs::write(&link, &picture).unwrap();
    assert_eq!(place.run(&["backfill", "list.csv"]).code, Some(0));
    let batch = place.batch().unwrap();
    assert_eq!((&batch["queued"], &batch["done"]), (&0.into(), &2.into()));
}

#[test]
fn read_writes_the_cards_upright_and_the_portraits() {
    let place = Place::new();
    place.write("cards/front.jpg", fs::read(samples().join("scan-2.jpg")).unwrap());
    place.write("cards/none.jpg", fs::read(samples().join("no-card.jpg")).unwrap());
    let ran = place.run(&["read", "cards", "--crops", "out", "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let [front, none] = &ran.lines()[..] else { panic!("{}", ran.out) };
    assert_eq!(none["crops"], serde_json::json!([]));
    let card = serde_json::json!({
        "card": "out/cards/front.jpg-1-front.jpg", "portrait": "out/cards/front.jpg-1-portrait.jpg",
    });
    assert_eq!(front["crops"], serde_json::json!([card]));
    for file in ["out/cards/front.jpg-1-front.jpg", "out/cards/front.jpg-1-portrait.jpg"] {
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(place.path().join(file)).unwrap().permissions());
        assert_eq!(mode & 0o077, 0, "{file} is its owner's alone");
    }
    let again = place.run(&["read", "out/cards/front.jpg-1-front.jpg", "--format", "json"]).lines();
    assert_eq!(again[0]["message"], front["message"], "the upright card reads the same");
    assert!(place.run(&["read", "cards", "--format", "json"]).lines()[0]["crops"].is_null());
}
