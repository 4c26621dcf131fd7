//! The commands around broker and database, against real servers, whose addresses are in `SHENFEN_TEST_BROKER` and
//! `SHENFEN_TEST_DATABASE`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[expect(dead_code, reason = "other tests need more of it")]
mod program;
mod servers;

use std::fs;
use std::process::Command;

use serde_json::Value;
use shenfen_core::RequestedSide;
use shenfen_queue::{Depths, Image, Message};
use shenfen_store::{ClaimOutcome, Dispatch, JobStore, Jobs, Outcome};

use program::{Place, Ran, sample_pictures};
use servers::{Bench, finished, job_of, message, no_card, picture_job};

#[test]
fn migrate_runs_once() {
    let bench = Bench::new();
    let ran = bench.run(&["migrate"]);
    assert_eq!((ran.code, ran.out.contains("created the tables")), (Some(0), true), "{}", ran.err);
    let ran = bench.run(&["migrate"]);
    assert_eq!((ran.code, ran.out.contains("are up to date")), (Some(0), true), "{}", ran.err);

    let place = Place::new();
    assert!(place.run(&["migrate"]).out.contains("shenfen.db: created the tables"));
    assert!(place.run(&["migrate"]).out.contains("are up to date"));
    assert_eq!(place.run(&["batches"]).code, Some(0));
}

#[test]
fn results_and_batches_work_on_a_server() {
    let bench = Bench::new();
    bench.run(&["results"]).fails_in_one_line(&["no tables", "shenfen migrate"]);
    bench.run(&["migrate"]);
    bench.block_on(async |store, _| {
        let jobs = [picture_job("kyc", "a.jpg"), picture_job("kyc", "b.jpg"), picture_job("other", "a.jpg")];
        assert_eq!(store.enqueue(&jobs).await.unwrap(), 3);
        let read = Outcome::Read { result: Box::new(no_card()), image_sha256: None };
        store.complete(&[finished(&jobs[0].job, read.clone()), finished(&jobs[2].job, read)]).await.unwrap();
    });

    let ran = bench.run(&["results", "--batch", "kyc"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let [result] = &ran.lines()[..] else { panic!("{}", ran.out) };
    assert_eq!(
        (&result["source"], &result["status"], &result["decision"]),
        (&"a.jpg".into(), &"FAIL".into(), &"reject".into())
    );
    assert_eq!(bench.run(&["results", "--format", "csv"]).out.lines().count(), 3);

    let simulated = bench.run(&["policy", "simulate", "--batch", "kyc"]).lines();
    assert_eq!((&simulated[0]["from"], &simulated[0]["pictures"]), (&"reject".into(), &1.into()));

    let batches = bench.run(&["batches"]).lines();
    assert_eq!(batches.len(), 2);
    assert_eq!(
        (&batches[0]["batch"], &batches[0]["queued"], &batches[0]["failed"]),
        (&"kyc".into(), &1.into(), &1.into())
    );
    assert_eq!(batches[0]["state"], "active");
}

#[test]
fn pauses_resumes_and_cancels_a_batch() {
    let bench = Bench::new();
    bench.run(&["migrate"]);
    let job = picture_job("kyc", "a.jpg");
    let unsent = || bench.block_on(async |store, _| store.unsent("kyc", servers::NEVER, 9).await.unwrap().len());
    bench.block_on(async |store, _| store.enqueue(std::slice::from_ref(&job)).await.map(drop).unwrap());
    for (change, state, waiting) in [("pause", "paused", 0), ("resume", "active", 1), ("cancel", "cancelled", 0)] {
        let ran = bench.run(&["batches", change, "kyc", "--format", "json"]);
        assert_eq!((ran.code, &ran.lines()[0]["state"]), (Some(0), &state.into()), "{}", ran.err);
        assert_eq!(unsent(), waiting, "{change}");
    }
    bench.run(&["batches", "resume", "kyc"]).fails_in_one_line(&["kyc", "cancelled", "final"]);
    bench.run(&["batches", "pause", "nobody"]).fails_in_one_line(&["there is no batch nobody"]);
    Place::new().run(&["batches", "pause", "kyc"]).fails_in_one_line(&["database on a server", "postgres://"]);
}

#[test]
fn submit_prints_the_job_ids() {
    let bench = Bench::new();
    let picture = fs::read(&sample_pictures()[0]).unwrap();
    bench.place.write("cards/front.jpg", &picture);
    bench.place.write("cards/notes.txt", "left out silently");
    let arguments = ["submit", "cards", "--batch", "kyc", "--reference", "customer-42", "--side", "front"];
    let ran = bench.run(&arguments);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let [line] = &ran.lines()[..] else { panic!("{}", ran.out) };
    assert_eq!((&line["batch"], &line["reference"]), (&"kyc".into(), &"customer-42".into()));
    assert!(line["source"].as_str().unwrap().ends_with("front.jpg"));

    let message = bench.take_job();
    assert_eq!(message.job_id.to_string(), line["job_id"]);
    assert!(message.image == Image::Inline(picture));
    assert_eq!((message.batch.as_str(), message.side), ("kyc", RequestedSide::Front));
    assert_eq!(message.reference.as_deref(), Some("customer-42"));
    assert_eq!(bench.run(&arguments).lines()[0]["job_id"], line["job_id"], "the same again is the same job");
}

#[test]
fn submit_seals_pictures_for_the_workers_keyring() {
    let bench = Bench::new();
    let picture = fs::read(&sample_pictures()[0]).unwrap();
    bench.place.write("front.jpg", &picture);
    let keyring = |action: &str| bench.run(&["keyring", action, "--keyring", "keys.json", "--format", "json"]);
    assert_eq!(keyring("init").lines()[0]["version"], 1);
    let recipient = keyring("export-public").out.trim().to_owned();
    let ran = bench.run(&["submit", "front.jpg", "--recipients", &recipient]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let message = bench.take_job();
    let Image::Sealed(sealed) = &message.image else { panic!("{message:?}") };
    let keys = shenfen_keyring::Keyring::read(&bench.place.path().join("keys.json")).unwrap();
    assert!(keys.open_sealed(sealed, picture.len()).unwrap() == picture);

    let in_clear = bench.run(&["submit", "front.jpg"]).lines();
    assert_eq!(in_clear[0]["job_id"], message.job_id.to_string(), "sealed or not, the same picture is the same job");
    assert_eq!(keyring("rotate").lines()[0]["version"], 2);
    assert_eq!(keyring("list").lines().len(), 2);
    assert_ne!(keyring("export-public").out.trim(), recipient);
    keyring("init").fails_in_one_line(&["keys.json exists already", "keyring rotate"]);
    let refused = bench.run(&["submit", "front.jpg", "--recipients", "age1nobody"]);
    assert!(refused.code != Some(0) && refused.err.contains("a recipient is age1 and"), "{}", refused.err);
}

#[test]
fn submit_by_path_is_relative_to_the_image_root() {
    let bench = Bench::new();
    bench.place.write("images/2026/a.jpg", "never looked into");
    bench.place.write("elsewhere/b.jpg", "outside");
    bench.place.write("list.csv", "path,reference,side\nimages/2026/a.jpg,customer-7,back\nelsewhere/b.jpg,,\n");
    let ran = bench.run(&["submit", "list.csv", "--by-path", "images"]);
    assert_eq!((ran.code, ran.lines().len()), (Some(1), 1), "{}", ran.err);
    assert!(ran.err.contains("b.jpg: is not below images"), "{}", ran.err);
    let message = bench.take_job();
    assert!(message.image == Image::Path("2026/a.jpg".to_owned()));
    assert_eq!((message.reference.as_deref(), message.side), (Some("customer-7"), RequestedSide::Back));
}

#[test]
fn submit_names_pictures_that_cannot_be_sent() {
    let bench = Bench::new();
    bench.place.write("cards/empty.jpg", "");
    bench.place.write("cards/good.jpg", "as good as any");
    let large = bench.place.write("cards/large.jpg", "");
    fs::File::options().write(true).open(large).unwrap().set_len(13 << 20).unwrap();
    let ran = bench.run(&["submit", "cards"]);
    assert_eq!((ran.code, ran.lines().len()), (Some(1), 1), "{}", ran.err);
    for words in [["empty.jpg", "is empty"], ["large.jpg", "--by-path"], ["1 published", "2 not published"]] {
        assert!(ran.err.lines().any(|line| words.iter().all(|word| line.contains(word))), "{words:?} in {}", ran.err);
    }
    bench.run(&["submit", "cards", "--batch", "two\nlines"]).fails_in_one_line(&["batch must be"]);
    bench.run(&["submit", "nowhere"]).fails_in_one_line(&["nowhere does not exist"]);
}

/// A dead letter of a dead job, a dead job without a dead letter, and a dead letter that is not a job.
fn with_dead_letters() -> (Bench, Message) {
    let bench = Bench::new();
    bench.run(&["migrate"]);
    let message = message("kyc", b"a secret picture");
    bench.block_on(async |store, broker| {
        let job = job_of(&message);
        let dead = Outcome::Dead { reason: "killed its worker".into() };
        assert_eq!(store.claim(std::slice::from_ref(&job)).await.unwrap(), [ClaimOutcome::Claimed { attempt: 1 }]);
        store.complete(&[finished(&job, dead)]).await.unwrap();
        servers::bury(&broker, message.to_json(), "killed its worker", 10).await;
        servers::bury(&broker, b"a secret text".to_vec(), "message is not JSON (line 1, column 1)", 0).await;
    });
    (bench, message)
}

#[test]
fn lists_dead_letters_without_their_content() {
    let (bench, message) = with_dead_letters();
    let ran = bench.run(&["dead", "list"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let [job, no_job] = &ran.lines()[..] else { panic!("{}", ran.out) };
    assert_eq!(job["job_id"], message.job_id.to_string());
    assert_eq!((&job["batch"], &job["reference"]), (&"kyc".into(), &"customer-42".into()));
    assert_eq!((&job["reason"], &job["attempts"]), (&"killed its worker".into(), &10.into()));
    assert!(job["since"].as_str().unwrap().starts_with("20"));
    assert_eq!(
        (&no_job["job_id"], &no_job["reason"]),
        (&Value::Null, &"message is not JSON (line 1, column 1)".into())
    );

    let table = bench.run(&["dead", "list", "--format", "table", "--reason", "not JSON"]).out;
    assert!(table.contains("no job") && !table.contains("killed"), "{table}");
    for shown in [ran.out, table] {
        assert!(!shown.contains("secret") && !shown.contains(servers::SECRET_PICTURE), "{shown}");
    }
    let first = bench.run(&["dead", "list", "--limit", "1"]);
    assert_eq!(first.lines().len(), 1);
    assert!(first.err.contains("1 of 2"), "{}", first.err);
}

#[test]
fn redriven_job_can_be_claimed_again() {
    let (bench, message) = with_dead_letters();
    bench.run(&["dead", "redrive"]).fails_in_one_line(&["--id", "--all"]);
    let without = ["dead", "redrive", "--all", "--database", "some.db"];
    bench.run(&without).fails_in_one_line(&["database on a server"]);
    let other = bench.run(&["dead", "redrive", "--id", "11111111-2222-4333-8444-555555555555"]);
    assert_eq!((other.code, other.out.as_str()), (Some(0), "0 published again\n"));

    let ran = bench.run(&["dead", "redrive", "--all"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out.contains("1 published again") && ran.out.contains("1 left"), "{}", ran.out);
    assert_eq!(bench.take_job().job_id, message.job_id);
    bench.block_on(async |store, broker| {
        let job = job_of(&message);
        assert_eq!(
            store.claim(&[job]).await.unwrap(),
            [ClaimOutcome::Claimed { attempt: 1 }],
            "its attempts count anew"
        );
        assert_eq!(Depths::new(broker).read().await.unwrap().dead, 1);
    });
    let [entry] = &bench.run(&["audit", "export"]).lines()[..] else { panic!("what changes nothing is not recorded") };
    assert_eq!((&entry["action"], &entry["amount"]), (&"redrive".into(), &1.into()));
}

#[test]
fn erasing_a_batch_takes_its_dead_letters_along() {
    let (bench, message) = with_dead_letters();
    let others = servers::message("other", b"a picture of another batch");
    bench.block_on(async |store, broker| {
        store.note_published(&[job_of(&others)]).await.unwrap();
        servers::bury(&broker, others.to_json(), "a test", 1).await;
    });
    let erase = |batch: &str| bench.run(&["erase", "--batch", batch, "--reason", "request 9", "--yes"]);
    erase("other").fails_in_one_line(&["1 of these jobs have not ended", "shenfen batches cancel"]);
    let without_broker = bench
        .command(&["erase", "--batch", "kyc", "--reason", "request 9", "--yes"])
        .env_remove("SHENFEN_BROKER")
        .output()
        .unwrap();
    let erased = Ran::of(without_broker);
    assert!(erased.out.starts_with("erased 0 results, 1 jobs, 0 dead letters\n"), "{}{}", erased.out, erased.err);
    let erased = erase("kyc");
    assert!(erased.out.starts_with("erased 0 results, 0 jobs, 1 dead letters\n"), "{}{}", erased.out, erased.err);
    let left = bench.run(&["dead", "list"]).lines();
    assert!(left.iter().all(|letter| letter["batch"] != "kyc") && left.len() == 2);
    // Its end is still known, so a message that comes late is not read.
    bench.block_on(async |store, _| {
        assert_eq!(store.claim(&[job_of(&message)]).await.unwrap(), [ClaimOutcome::AlreadyEnded]);
    });
}

#[test]
fn purge_needs_confirmation() {
    let (bench, message) = with_dead_letters();
    bench.run(&["dead", "purge", "--all"]).fails_in_one_line(&["--yes"]);
    bench.run(&["dead", "purge", "--yes"]).fails_in_one_line(&["--all"]);
    assert_eq!(bench.run(&["dead", "list"]).lines().len(), 2);
    assert_eq!(bench.run(&["dead", "purge", "--id", &message.job_id.to_string(), "--yes"]).out, "1 deleted\n");
    assert_eq!(bench.run(&["dead", "list"]).lines().len(), 1);
    assert_eq!(bench.run(&["dead", "purge", "--all", "--yes"]).out, "1 deleted\n");
    assert_eq!(bench.run(&["dead", "list"]).lines().len(), 0);
    let entries = bench.run(&["audit", "export"]).lines();
    assert!(entries.iter().all(|entry| entry["action"] == "purge" && entry["tenant"] == "*"));
    let subjects: Vec<&str> = entries.iter().map(|entry| entry["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, [&format!("dead letters of {}", message.job_id), "all dead letters"]);
}

#[test]
fn log_contains_no_passwords_or_pictures() {
    let bench = Bench::new();
    bench.run(&["migrate"]);
    bench.place.write("a.jpg", b"a secret picture");
    let password = "s3cretword";
    let mut shown = String::new();
    let mut keep = |command: &mut Command| {
        let ran = Ran::of(command.output().unwrap());
        shown.push_str(&ran.out);
        shown.push_str(&ran.err);
        ran
    };
    let broker = bench.url_with_password(password);
    for level in ["trace", "trace,lapin::channel=trace,lapin::returned_messages=trace"] {
        let ran = keep(&mut bench.command(&["submit", "a.jpg", "--log-level", level]));
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let refused = keep(bench.command(&["submit", "a.jpg", "--log-level", level]).env("SHENFEN_BROKER", &broker));
        assert!(refused.err.contains("refuses this user"), "{}", refused.err);
    }
    let database = "postgres://user:s3cretword@127.0.0.1:1/none";
    for command in ["submit", "dead", "batches", "results", "migrate", "backfill"] {
        keep(bench.command(&[command, "--help"]).env("SHENFEN_BROKER", &broker).env("SHENFEN_DATABASE", database));
    }
    for (arguments, words) in [
        (&["migrate", "--database", database][..], "127.0.0.1:1"),
        (&["migrate", "--database", "mysql://user:s3cretword@host/none"], "postgres://"),
        (&["dead", "list", "--broker", "http://user:s3cretword@host/"], "amqp://"),
    ] {
        let ran = keep(&mut bench.command(arguments));
        ran.fails_in_one_line(&[words]);
    }
    assert!(!shown.contains(password), "a password is shown");
    assert!(!shown.contains("a secret picture") && !shown.contains(servers::SECRET_PICTURE), "a picture is shown");
}

#[test]
fn names_the_missing_servers() {
    let place = Place::new();
    place.write("a.jpg", "a picture");
    place.run(&["submit", "a.jpg"]).fails_in_one_line(&["needs a broker", "--broker amqp://", "SHENFEN_BROKER"]);
    place
        .run(&["submit", "a.jpg", "--broker", "amqp://guest:guest@127.0.0.1:1/"])
        .fails_in_one_line(&["cannot connect to amqp://guest:***@127.0.0.1:1/", "check that it runs"]);
    place
        .run(&["dead", "list", "--broker", "amqp://127.0.0.1/", "--queue-prefix", "a b"])
        .fails_in_one_line(&["queue prefix"]);
}
