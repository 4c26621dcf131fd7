//! Common errors: each gives one clear line and the right exit code, and finished work is kept.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod program;

use std::fs;
use std::process::{Command, Stdio};

use program::{Place, Ran, sample_pictures};

/// A PNG of 20,000 x 20,000 pixels up to where its pixels begin; no decoder needs more to know its size.
const HUGE_PNG: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x4e\x20\0\0\x4e\x20\x08\x02\0\0\0\x6c\x12\xd1\x6e\0\0\0\0IDAT\x35\xaf\x06\x1e";

/// The same of 3,000 x 3,000 pixels of 64 bits.
const DEEP_PNG: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x0b\xb8\0\0\x0b\xb8\x10\x06\0\0\0\x21\x85\x29\x3a\0\0\0\0IDAT\x35\xaf\x06\x1e";

/// A picture that is no card.
fn no_card() -> Vec<u8> {
    fs::read(program::samples().join("no-card.jpg")).unwrap()
}

#[test]
fn picture_that_takes_more_memory_than_granted_is_refused_with_the_reason() {
    let place = Place::new();
    place.write("deep.png", DEEP_PNG);
    for command in [&["read", "deep.png", "--memory-mib", "40"][..], &["backfill", ".", "--memory-mib", "40"]] {
        assert_eq!(place.run(command).code, Some(0));
    }
    let read = &place.run(&["read", "deep.png", "--memory-mib", "40"]).lines()[0];
    for result in [read, &place.results()[0]["result"]] {
        assert_eq!(result["status"], "IMAGE_INVALID_SIZE");
        let detail = result["findings"][0]["detail"].as_str().unwrap();
        assert!(detail.starts_with("the picture has 3000 x 3000 pixels of a kind that takes 49"), "{detail}");
        assert!(detail.ends_with("bytes of memory to read, more than the limit of 41943040"), "{detail}");
    }
    let damaged = &place.run(&["read", "deep.png", "--memory-mib", "60"]).lines()[0];
    assert_eq!(damaged["status"], "IMAGE_INVALID_FORMAT", "with enough of it, it is decoded and found cut off");
}

#[test]
fn unreadable_pictures_get_a_status_and_a_reason() {
    let place = Place::new();
    let picture = no_card();
    place.write("cards/empty.jpg", "");
    place.write("cards/text.jpg", "this is no picture\n");
    place.write("cards/cut.jpg", &picture[..picture.len() / 2]);
    place.write("cards/huge.png", HUGE_PNG);
    place.write("cards/no-card.jpg", &picture);
    place.write(
        "list.csv",
        "path\ncards/empty.jpg\ncards/text.jpg\ncards/cut.jpg\ncards/huge.png\ncards/no-card.jpg\ngone.jpg\n",
    );

    let ran = place.run(&["backfill", "list.csv"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let results = place.results();
    let expected = [
        ("empty.jpg", "IMAGE_INVALID_FORMAT", "0 bytes"),
        ("text.jpg", "IMAGE_INVALID_FORMAT", "expected JPEG"),
        ("cut.jpg", "IMAGE_INVALID_FORMAT", "the file ends before the picture does"),
        ("huge.png", "IMAGE_INVALID_SIZE", "20000 x 20000"),
        ("no-card.jpg", "FAIL", ""),
        ("gone.jpg", "FAIL", "no such file"),
    ];
    assert_eq!(results.len(), expected.len());
    for (name, status, reason) in expected {
        let result = results.iter().find(|result| result["source"].as_str().unwrap().ends_with(name)).unwrap();
        assert_eq!(result["status"], status, "{name}");
        let detail = result["result"]["findings"][0]["detail"].as_str().unwrap();
        assert!(detail.contains(reason), "{name}: {detail}");
        // The user is told which file, and why.
        assert!(ran.err.lines().any(|line| line.contains(name) && line.contains(reason)), "{name} in {}", ran.err);
    }

    let read = place.run(&["read", "cards"]);
    assert_eq!((read.code, read.lines().len()), (Some(0), 5));
    for command in [["read", "cards", "--strict"], ["backfill", "list.csv", "--strict"]] {
        assert_eq!(place.run(&command).code, Some(2));
    }
}

#[cfg(unix)]
#[test]
fn manifest_entry_that_is_a_pipe_is_refused() {
    let place = Place::new();
    assert!(Command::new("mkfifo").arg(place.path().join("pipe.jpg")).status().unwrap().success());
    place.write("list.jsonl", "{\"path\":\"pipe.jpg\"}\n");
    assert_eq!(place.run(&["backfill", "list.jsonl"]).code, Some(0));
    assert_eq!(place.results()[0]["status"], "FAIL");
}

#[test]
fn names_empty_and_missing_folders() {
    let place = Place::new();
    place.write("papers/readme.txt", "nothing here");
    place.run(&["backfill", "papers"]).fails_in_one_line(&["no pictures in papers", "1 other file", ".jpg"]);
    place.run(&["backfill", "nowhere"]).fails_in_one_line(&["nowhere does not exist"]);
    place.run(&["read", "nowhere"]).fails_in_one_line(&["nowhere does not exist"]);
    place.run(&["read", "papers"]).fails_in_one_line(&["no pictures"]);
}

#[test]
fn names_an_invalid_manifest_line_and_reads_the_others() {
    let place = Place::new();
    place.write("a.jpg", no_card());
    place.write("list.csv", "path,side\na.jpg,front\nb.jpg,left\nc.jpg,front\n");
    let ran = place.run(&["backfill", "list.csv"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("list.csv line 3: side must be auto, front or back"), "{}", ran.err);
    assert_eq!(place.results().len(), 2);
}

#[test]
fn unusable_databases_are_named_with_advice() {
    let place = Place::new();
    let picture = place.write("cards/a.jpg", no_card());
    for command in [["results"], ["batches"]] {
        place.run(&command).fails_in_one_line(&["no database shenfen.db", "shenfen backfill"]);
    }
    place.write("text.db", "name,number\n".repeat(1000));
    place
        .run(&["backfill", "cards", "--database", "text.db"])
        .fails_in_one_line(&["text.db is not a shenfen database", "--database"]);
    place
        .run(&["backfill", "cards", "--database", "/proc/x.db"])
        .fails_in_one_line(&["cannot open the database /proc/x.db", "--database"]);
    place
        .run(&["backfill", "cards", "--database", "no/folder/x.db"])
        .fails_in_one_line(&["cannot open the database no/folder/x.db"]);

    // The version is in the file header as a big-endian number (sqlite.org/fileformat.html, 1.3).
    assert_eq!(place.run(&["backfill", "cards"]).code, Some(0));
    let mut bytes = fs::read(place.path().join("shenfen.db")).unwrap();
    bytes[60..64].copy_from_slice(&999_u32.to_be_bytes());
    place.write("newer.db", bytes);
    for command in [&["backfill", "cards", "--database", "newer.db"][..], &["results", "--database", "newer.db"]] {
        place.run(command).fails_in_one_line(&["newer.db is from a newer version", "999", "--database"]);
    }
    assert!(picture.exists());
}

#[test]
fn second_process_on_a_database_is_refused() {
    let place = Place::new();
    for (number, picture) in sample_pictures().iter().enumerate() {
        place.write(&format!("cards/{number}.jpg"), fs::read(picture).unwrap());
    }
    let first = place.start(&["backfill", "cards", "--threads", "1"]);
    while place.batch().is_none() {}
    place.run(&["backfill", "cards"]).fails_in_one_line(&["another process", "shenfen.db"]);
    let first = Ran::of(first.wait_with_output().unwrap());
    assert_eq!(first.code, Some(0), "{}", first.err);
    assert_eq!(place.results().len(), sample_pictures().len());
}

/// A limit on the file size simulates a full disk: the system refuses the write.
#[cfg(unix)]
#[test]
fn full_disk_is_one_error_line_and_loses_nothing() {
    let place = Place::new();
    place.write("cards/a.jpg", no_card());
    let lines: String = (0..4000).map(|number| format!("cards/{number}.jpg\n")).collect();
    place.write("list.csv", format!("path\ncards/a.jpg\n{lines}"));
    let program = env!("CARGO_BIN_EXE_shenfen");
    let limited = Command::new("sh")
        .current_dir(place.path())
        .args(["-c", "trap '' XFSZ; ulimit -f 600; exec \"$0\" backfill list.csv", program])
        .output()
        .unwrap();
    let limited = Ran::of(limited);
    assert_eq!(limited.code, Some(1), "{}", limited.err);
    let last = limited.err.lines().last().unwrap();
    assert!(last.contains("shenfen.db") && last.contains("run the same command again"), "{last}");

    let kept = place.results().len();
    let ran = place.run(&["backfill", "list.csv"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(place.results().len(), 4001, "{kept} were kept");
}

#[test]
fn usage_errors_exit_with_1_and_help_with_0() {
    let place = Place::new();
    for wrong in [&["backfill"][..], &["nonsense"], &["read", "--threads", "0", "x"], &["results", "--status", "GOOD"]]
    {
        let ran = place.run(wrong);
        assert_eq!(ran.code, Some(1), "{wrong:?}");
        assert!(ran.err.contains("error:"), "{}", ran.err);
    }
    assert_eq!(place.run(&["--help"]).code, Some(0));
    assert_eq!(place.run(&["--version"]).code, Some(0));
}

#[test]
fn closed_pipe_is_not_an_error() {
    let place = Place::new();
    place.write("cards/a.jpg", no_card());
    place.run(&["backfill", "cards"]);
    let mut child = place.shenfen(&["results"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = Ran::of(child.wait_with_output().unwrap());
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
}
