//! Backfills of archives: the same results as from the folder, through interruptions, and clear words about what cannot be read.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod program;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use program::{Place, sample_pictures};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::Value;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Every kind of archive.
const KINDS: [&str; 5] = ["zip", "tar", "tar.gz", "tgz", "tar.zst"];

/// Names and contents, in the order of an archive.
type Files = Vec<(String, Vec<u8>)>;

fn zip_with(files: &[(String, Vec<u8>)], options: SimpleFileOptions) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(name.as_str(), options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn zip_of(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    zip_with(files, SimpleFileOptions::default())
}

fn tar_of(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, &content[..]).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn archive(kind: &str, files: &[(String, Vec<u8>)]) -> Vec<u8> {
    match kind {
        "zip" => zip_of(files),
        "tar" => tar_of(files),
        "tar.zst" => compress_to_vec(&tar_of(files)[..], CompressionLevel::Fastest),
        _ => gzip(&tar_of(files)),
    }
}

fn named(files: &[(&str, &[u8])]) -> Files {
    files.iter().map(|(name, content)| ((*name).to_owned(), content.to_vec())).collect()
}

/// Samples in folders, one with a long name, and what is skipped.
fn cards() -> Files {
    let pictures: Vec<Vec<u8>> = sample_pictures().iter().take(3).map(|path| fs::read(path).unwrap()).collect();
    let long = format!("{}/张三.jpg", "长名".repeat(30));
    named(&[
        ("front.jpg", &pictures[0]),
        ("2026/11/back.JPG", &pictures[1]),
        (&long, &pictures[2]),
        ("2026/text.png", b"no picture"),
        ("notes.txt", b""),
        ("inner.zip", &zip_of(&named(&[("x.jpg", b"x")]))),
        ("__MACOSX/._front.jpg", b"x"),
    ])
}

/// The results by the picture's name below `prefix`, without what differs from run to run.
fn results_below(place: &Place, prefix: &str) -> BTreeMap<String, (Value, Value)> {
    let results = place.results().into_iter().map(|mut row| {
        let name = row["source"].as_str().unwrap().strip_prefix(prefix).unwrap().to_owned();
        row["result"].as_object_mut().unwrap().remove("elapsed_ms");
        (name, (row["image_sha256"].clone(), row["result"].clone()))
    });
    results.collect()
}

#[test]
fn every_kind_of_archive_has_the_results_of_the_folder() {
    let folder = Place::new();
    for (name, content) in cards() {
        folder.write(&format!("cards/{name}"), content);
    }
    assert_eq!(folder.run(&["backfill", "cards"]).code, Some(0));
    let expected = results_below(&folder, "cards/");
    assert_eq!(expected.len(), 4);
    for kind in KINDS {
        let place = Place::new();
        let name = format!("cards.{kind}");
        place.write(&name, archive(kind, &cards()));
        let ran = place.run(&["backfill", &name]);
        assert_eq!(ran.code, Some(0), "{kind}: {}", ran.err);
        assert!(ran.out.contains("skipped: 3 files (unsupported extension, archive inside"), "{kind}: {}", ran.out);
        assert!(results_below(&place, &format!("{name}#")) == expected, "{kind}");
        assert_eq!(place.batch().unwrap()["batch"], "cards", "{kind}");
        let again = place.run(&["backfill", &name]);
        assert!(again.out.contains(&format!("nothing to do: all 4 pictures of {name} are done")), "{}", again.out);
    }
}

#[test]
fn killed_backfill_of_an_archive_resumes() {
    let picture = fs::read(&sample_pictures()[0]).unwrap();
    let files: Files = (0..6).map(|number| (format!("{number}.jpg"), picture.clone())).collect();
    for kind in ["zip", "tar", "tar.zst"] {
        let place = Place::new();
        let name = format!("cards.{kind}");
        place.write(&name, archive(kind, &files));
        let mut child = place.start(&["backfill", &name, "--threads", "1"]);
        while place.batch().is_none_or(|batch| batch["done"].as_u64().unwrap() < 1) {
            assert_eq!(child.try_wait().unwrap(), None, "{kind}: it ended by itself");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(place.results().len() < files.len(), "{kind}");
        if kind == "tar.zst" {
            // Without the archive its pictures stay open.
            place.write("others/notes.txt", "");
            let others = place.run(&["backfill", "others", "--batch", "cards"]);
            assert!(others.err.contains("it is in a compressed tar: run `shenfen backfill`"), "{}", others.err);
            assert_eq!(others.code, Some(1));
        }
        let ran = place.run(&["backfill", &name]);
        assert_eq!(ran.code, Some(0), "{kind}: {}", ran.err);
        let results = results_below(&place, &format!("{name}#"));
        assert!(results.len() == files.len() && results.values().all(|(sha, _)| sha.is_string()), "{kind}");
        assert!(place.results().len() == files.len(), "{kind}: a result stands twice");
    }
}

/// The status and the first finding of each stored picture, by its name.
fn findings(place: &Place, prefix: &str) -> BTreeMap<String, String> {
    let found = results_below(place, prefix).into_iter();
    found.map(|(name, (_, result))| (name, format!("{} {}", result["status"], result["findings"][0]))).collect()
}

#[test]
fn entry_that_decompresses_to_more_than_a_picture_is_refused() {
    let files = named(&[("bomb.jpg", &vec![0; 33 << 20]), ("text.jpg", b"no picture")]);
    let packed = zip_of(&files);
    // A header that makes it small does not help it.
    let mut lying = packed.clone();
    let size = (33_u32 << 20).to_le_bytes();
    while let Some(at) = lying.windows(4).position(|bytes| bytes == size) {
        lying[at..at + 4].copy_from_slice(&9_u32.to_le_bytes());
    }
    let tar = tar_of(&files);
    for (name, packed) in
        [("cards.zip", packed), ("lying.zip", lying), ("cards.tar.gz", gzip(&tar)), ("cards.tar", tar)]
    {
        let place = Place::new();
        place.write(name, packed);
        assert_eq!(place.run(&["backfill", name]).code, Some(0));
        let found = findings(&place, &format!("{name}#"));
        let bomb = &found["bomb.jpg"];
        let words = if name == "lying.zip" { "file_unreadable" } else { "picture_bytes" };
        assert!(bomb.contains(words), "{name}: {bomb}");
        assert!(found["text.jpg"].contains("IMAGE_INVALID_FORMAT"), "{name}: {}", found["text.jpg"]);
    }
}

#[test]
fn names_that_lead_out_are_reported_and_the_rest_is_read() {
    let names = ["../escape.jpg", "/abs.jpg", "a\\b.jpg", "c:/d.jpg", "a/../../e.jpg"];
    let mut files = named(&[("good.jpg", b"no picture")]);
    files.extend(names.map(|name| (name.to_owned(), b"x".to_vec())));
    let mut tar = Vec::new();
    for (name, content) in &files {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(content.len() as u64);
        header.set_cksum();
        tar.extend_from_slice(header.as_bytes());
        tar.extend_from_slice(content);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.extend_from_slice(&[0; 1024]);
    for (archive, packed) in [("cards.zip", zip_of(&files)), ("cards.tar", tar)] {
        let place = Place::new();
        place.write(&format!("in/{archive}"), packed);
        let path = format!("in/{archive}");
        let ran = place.run(&["backfill", &path]);
        assert_eq!(ran.code, Some(1), "{}", ran.err);
        for name in names {
            assert!(ran.err.contains(&format!("error: {path}#{name}: its name ")), "{name}: {}", ran.err);
        }
        assert_eq!(findings(&place, &format!("{path}#")).into_keys().collect::<Vec<_>>(), ["good.jpg"]);
        assert!(!place.path().join("escape.jpg").exists() && !Path::new("/abs.jpg").exists());
    }
}

#[test]
fn names_in_gbk_are_decoded() {
    // As packers of Chinese Windows write them: GBK, without the mark of UTF-8.
    let (gbk, _, _) = encoding_rs::GB18030.encode("张三/正面.jpg");
    let stand_in = "x".repeat(gbk.len() - 4) + ".jpg";
    let mut packed = zip_of(&named(&[(&stand_in, b"no picture")]));
    while let Some(at) = packed.windows(gbk.len()).position(|bytes| bytes == stand_in.as_bytes()) {
        packed[at..at + gbk.len()].copy_from_slice(&gbk);
    }
    let place = Place::new();
    place.write("cards.zip", packed);
    assert_eq!(place.run(&["backfill", "cards.zip"]).code, Some(0));
    let found = findings(&place, "cards.zip#");
    assert!(found["张三/正面.jpg"].contains("IMAGE_INVALID_FORMAT"), "{found:?}");
}

#[test]
fn zip_written_as_a_stream_is_read() {
    // Sizes and checksums follow the data, as in zips that macOS and Java write.
    let mut writer = ZipWriter::new_stream(Vec::new());
    writer.start_file("1.jpg", SimpleFileOptions::default()).unwrap();
    writer.write_all(b"no picture").unwrap();
    let packed = writer.finish().unwrap().into_inner();
    let damaged_at = packed.windows(5).position(|bytes| bytes == b"1.jpg").unwrap() + 8;
    let mut damaged = packed.clone();
    damaged[damaged_at] ^= 4;
    for (name, packed, status) in [("cards.zip", packed, "IMAGE_INVALID_FORMAT"), ("damaged.zip", damaged, "FAIL")] {
        let place = Place::new();
        place.write(name, packed);
        assert_eq!(place.run(&["backfill", name]).code, Some(0));
        let found = findings(&place, &format!("{name}#"));
        assert!(found["1.jpg"].contains(status), "{found:?}");
    }
}

#[test]
fn encrypted_picture_is_a_result_that_says_so() {
    let mut packed = zip_of(&named(&[("1.jpg", b"no picture")]));
    // The bit of the flags that says so, in the entry and in the directory.
    for (signature, flags) in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)] {
        let header = packed.windows(4).position(|bytes| bytes == signature).unwrap();
        packed[header + flags] |= 1;
    }
    let place = Place::new();
    place.write("cards.zip", packed);
    let ran = place.run(&["backfill", "cards.zip"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("cards.zip#1.jpg: FAIL: the picture is encrypted in its archive"), "{}", ran.err);
    assert_eq!(place.run(&["backfill", "cards.zip", "--strict"]).code, Some(2));
}

#[test]
fn damaged_archives_are_errors_in_one_line() {
    let place = Place::new();
    let content: Vec<u8> =
        (0..200_000_u32).flat_map(|number| (number.wrapping_mul(2_654_435_761)).to_be_bytes()).collect();
    let files = named(&[("1.jpg", b"no picture"), ("2.jpg", &content)]);
    for kind in KINDS {
        let whole = archive(kind, &files);
        let name = format!("cut.{kind}");
        place.write(&name, &whole[..whole.len() / 2]);
        let ran = place.run(&["backfill", &name, "--database", &format!("{kind}.db")]);
        assert_eq!(ran.code, Some(1), "{kind}: {}", ran.err);
        assert!(ran.err.contains(&format!("{name}: the archive is ")), "{kind}: {}", ran.err);
        assert!(!ran.err.contains("panic"), "{kind}: {}", ran.err);
        // What comes before the damage is read; a zip has its directory at the end.
        assert_eq!(ran.out.contains("1.jpg") || ran.out.contains("PICTURES"), kind != "zip", "{kind}: {}", ran.out);
        place.write(&name, b"not an archive");
        let ran = place.run(&["backfill", &name, "--database", "none.db", "--batch", kind]);
        assert!(ran.code == Some(1) && ran.err.contains("the archive is "), "{kind}: {}", ran.err);
    }

    // A picture whose data is damaged fails alone.
    let mut packed = zip_with(&files, SimpleFileOptions::default().compression_method(CompressionMethod::Stored));
    let at = packed.windows(10).position(|bytes| bytes == b"no picture").unwrap();
    packed[at] ^= 1;
    place.write("bad.zip", packed);
    assert_eq!(place.run(&["backfill", "bad.zip"]).code, Some(0));
    let found = findings(&place, "bad.zip#");
    assert!(found["1.jpg"].contains("damaged or cut off in its archive"), "{found:?}");
}

#[test]
fn replaced_archive_is_noticed() {
    let place = Place::new();
    let picture = fs::read(&sample_pictures()[0]).unwrap();
    let files: Files = (0..200).map(|number| (format!("{number:03}.jpg"), picture.clone())).collect();
    place.write("cards.zip", zip_of(&files));
    let mut child = place.start(&["backfill", "cards.zip", "--threads", "1"]);
    while place.batch().is_none_or(|batch| batch["queued"].as_u64().unwrap() < 150) {
        assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let mut replaced = files;
    replaced.reverse();
    place.write("cards.zip", zip_of(&replaced));
    let ran = place.run(&["backfill", "cards.zip"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(place.results().len(), 200);
    let found = findings(&place, "cards.zip#");
    assert!(found["199.jpg"].contains("was changed after it was listed"), "{}", found["199.jpg"]);
}

#[test]
fn compressed_tar_is_refused_for_workers_elsewhere() {
    let place = Place::new();
    place.write("cards.tgz", gzip(&tar_of(&named(&[("1.jpg", b"x")]))));
    let backfill =
        ["backfill", "cards.tgz", "--broker", "amqp://127.0.0.1:1", "--database", "postgres://127.0.0.1:1/x"];
    place.run(&backfill).fails_in_one_line(&["cards.tgz: workers cannot read from the middle of a compressed tar"]);
}
