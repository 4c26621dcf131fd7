use std::fs;

use super::*;

/// What a listing shows, paths as the user would see them; errors as text.
fn listed(path: &Path) -> Vec<String> {
    let show = |found| match found {
        Found::Picture(picture) => {
            let PictureRef { source, reference, side, .. } = picture;
            let name = Path::new(&source).strip_prefix(path.parent().unwrap()).unwrap().display().to_string();
            [name, reference.unwrap_or_default(), side.as_str().to_owned()].join("|")
        }
        Found::Other => "other".to_owned(),
        Found::Unreadable(error) => error.to_string(),
    };
    Source::open(path).unwrap().map(show).collect()
}

fn folder_with(files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join("cards").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    folder
}

#[test]
fn lists_folder_by_name_with_files_before_subfolders() {
    let folder = folder_with(&["b.jpg", "a.PNG", "z/1.tif", "m/n/2.webp", "m/3.jpeg"]);
    let expected = ["cards/a.PNG", "cards/b.jpg", "cards/m/3.jpeg", "cards/m/n/2.webp", "cards/z/1.tif"];
    assert_eq!(listed(&folder.path().join("cards")), expected.map(|name| format!("{name}||auto")));
}

#[test]
fn counts_and_skips_files_without_picture_extension() {
    let folder = folder_with(&["a.jpg", "labels.jsonl", ".hidden.jpg", "noextension", ".git/x.jpg", "iphone.heic"]);
    let mut found = listed(&folder.path().join("cards"));
    found.sort();
    assert_eq!(found, ["cards/a.jpg||auto", "cards/iphone.heic||auto", "other", "other", "other", "other"]);
}

#[cfg(unix)]
#[test]
fn does_not_follow_symlinks() {
    use std::os::unix::fs::symlink;
    let folder = folder_with(&["a.jpg"]);
    let cards = folder.path().join("cards");
    fs::write(folder.path().join("outside.jpg"), "x").unwrap();
    symlink(&cards, cards.join("loop")).unwrap();
    symlink(folder.path().join("outside.jpg"), cards.join("link.jpg")).unwrap();
    let mut found = listed(&cards);
    found.sort();
    assert_eq!(found, ["cards/a.jpg||auto", "other", "other"]);
}

#[cfg(unix)]
#[test]
fn reports_non_utf8_name_and_continues() {
    use std::os::unix::ffi::OsStrExt;
    let folder = folder_with(&["b.jpg"]);
    let name = std::ffi::OsStr::from_bytes(b"a\xff.jpg");
    fs::write(folder.path().join("cards").join(name), "x").unwrap();
    let found = listed(&folder.path().join("cards"));
    assert!(found[0].contains("is not UTF-8"), "{found:?}");
    assert_eq!(found[1], "cards/b.jpg||auto");
}

#[test]
fn lists_large_folder_completely_in_sorted_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let cards = folder.path().join("cards");
    fs::create_dir(&cards).unwrap();
    for number in 0..9000 {
        fs::write(cards.join(format!("{number:05}.jpg")), "").unwrap();
    }
    let mut found = listed(&cards);
    assert!(found[..4096].is_sorted());
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 9000);
}

#[test]
fn same_picture_has_same_job_id_however_it_is_named() {
    let folder = folder_with(&["a.jpg"]);
    let job = |path: PathBuf| match Source::open(&path).unwrap().next() {
        Some(Found::Picture(picture)) => picture.into_job(Tenant::DEFAULT, "kyc").job.id,
        _ => panic!("a picture"),
    };
    let direct = job(folder.path().join("cards"));
    assert_eq!(job(folder.path().join("cards/../cards")), direct);
    assert_eq!(job(folder.path().join("cards/a.jpg")), direct);
}

fn manifest(name: &str, content: impl AsRef<[u8]>) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    match Source::open(&path) {
        Ok(_) => listed(&path),
        Err(error) => vec![error.to_string()],
    }
}

#[test]
fn reads_csv_columns_in_any_order() {
    let content = "\u{feff}reference,path,branch,side\r\ncustomer-1,in/a.jpg,x,front\r\n\"c \"\"2\"\", d\",b.jpg,,\r\n";
    assert_eq!(manifest("m.csv", content), ["in/a.jpg|customer-1|front", "b.jpg|c \"2\", d|auto"]);
}

#[test]
fn blank_rows_are_left_out_and_a_wrong_value_costs_one_row() {
    let content = "path,side,note\na.jpg,,\n,,\n\n  ,,\nb.jpg,left,\n,front,x\n,\nc.jpg,back,\n";
    let found = manifest("m.csv", content);
    assert_eq!((found.len(), &*found[0], &*found[3]), (4, "a.jpg||auto", "c.jpg||back"), "{found:?}");
    assert!(found[1].ends_with("line 6: side must be auto, front or back"), "{found:?}");
    assert!(found[2].ends_with("line 7: the path is empty"), "{found:?}");
    let found = manifest("m.jsonl", "{\"path\":1}\n\nnonsense\n{\"path\":\"c.jpg\"}\n");
    assert_eq!((found.len(), &*found[2]), (3, "c.jpg||auto"), "{found:?}");
}

#[test]
fn row_whose_end_is_uncertain_ends_the_manifest_and_says_so() {
    let found = manifest("m.csv", "path,side\na.jpg,front\nb.jpg,front,x\nc.jpg,back\n");
    assert_eq!((found.len(), &*found[0]), (2, "a.jpg||front"), "{found:?}");
    assert!(found[1].contains("line 3: 3 columns where the first line names 2; what follows"), "{found:?}");
}

#[test]
fn encodings_of_spreadsheets_are_told_apart() {
    // A name of which the bytes in GBK are valid UTF-8 as well, and one that GBK lacks.
    let rows = "path,reference\nc1/正面.jpg,客户一\nc2/联通.jpg,联通\nc3/㐂.jpg,𠮷\n";
    let expected = ["c1/正面.jpg|客户一|auto", "c2/联通.jpg|联通|auto", "c3/㐂.jpg|𠮷|auto"];
    let utf_16 =
        |unit: fn(u16) -> [u8; 2]| -> Vec<u8> { format!("\u{feff}{rows}").encode_utf16().flat_map(unit).collect() };
    for content in [
        rows.as_bytes().to_vec(),
        format!("\u{feff}{rows}").into_bytes(),
        encoding_rs::GB18030.encode(rows).0.into_owned(),
        utf_16(u16::to_le_bytes),
        utf_16(u16::to_be_bytes),
    ] {
        assert_eq!(manifest("m.csv", content), expected);
    }
    let json = encoding_rs::GB18030.encode("{\"path\":\"正面.jpg\"}\n").0.into_owned();
    assert_eq!(manifest("m.jsonl", json), ["正面.jpg||auto"]);
    let [error] = &manifest("m.csv", b"path\n\xff\xff.jpg\n")[..] else { panic!("one error") };
    assert!(error.contains("neither UTF-8 nor GB 18030"), "{error}");
}

#[test]
fn json_lines_reference_and_side_are_optional() {
    let content = "{\"path\":\"a.jpg\",\"reference\":\"客户\",\"extra\":1}\n\n{\"path\":\"b.jpg\",\"side\":\"back\"}\n";
    assert_eq!(manifest("m.jsonl", content), ["a.jpg|客户|auto", "b.jpg||back"]);
}

#[test]
fn manifest_error_names_line_and_reason_but_no_value() {
    let cases = [
        ("m.csv", "file,reference\na.jpg,张三\n", "line 1: the first line must name the columns"),
        ("m.csv", "path,reference\na.jpg,1\nb.jpg,张三,3\n", "line 3: 3 columns where the first line names 2"),
        ("m.csv", "path,side\na.jpg,张三\n", "line 2: side must be auto, front or back"),
        ("m.csv", "path,batch\na.jpg,x\n", "line 1: a manifest holds one batch"),
        ("m.jsonl", "{\"path\":\"a.jpg\"}\n{\"reference\":\"张三\"}\n", "line 2: expected an object"),
        ("m.jsonl", "{\"path\":\"a.jpg\"\n", "line 1: not JSON"),
        ("m.jsonl", "{\"path\":\"\"}\n", "line 1: the path is empty"),
        ("m.jsonl", "[\"a.jpg\",null,null,null]\n", "line 1: expected an object"),
    ];
    for (name, content, expected) in cases {
        let last = manifest(name, content).pop().unwrap();
        assert!(last.contains(expected) && !last.contains("张三"), "{last}");
    }
}

#[test]
fn rejects_csv_line_without_end_before_it_fills_memory() {
    let content = format!("path\n\"{}", "a,\n".repeat(1 << 19));
    let [error] = &manifest("m.csv", &content)[..] else { panic!("one error") };
    assert!(error.contains("cannot read it: a line has more than 1048576 bytes; what follows"), "{error}");
}

#[test]
fn reports_missing_path() {
    let error = Source::open(Path::new("/no/such/folder")).err().unwrap();
    assert_eq!(error.to_string(), "/no/such/folder does not exist");
}
