//! Manifests of pictures: the first byte of an input says which kind, `c` for CSV or anything else for JSON Lines.

use std::io::Write;

use shenfen_worker::{Found, Source};

/// Checks a manifest.
///
/// # Panics
/// When listing it gives more pictures and errors than it has lines, or refuses it in words that hold control characters.
pub fn check(bytes: &[u8]) {
    let (&kind, content) = bytes.split_first().unwrap_or((&b'j', &[]));
    let suffix = if kind == b'c' { ".csv" } else { ".jsonl" };
    let mut file = tempfile::Builder::new().suffix(suffix).tempfile().expect("a temporary file");
    file.write_all(content).expect("room for a temporary file");
    let Ok(mut source) = Source::open(file.path()) else { return };
    let lines = content.iter().filter(|byte| b"\r\n".contains(byte)).count() + 1;
    for _ in 0..=lines {
        match source.next() {
            None => return,
            Some(Found::Picture(picture)) => assert!(!picture.path.is_empty()),
            Some(Found::Other) => panic!("a manifest lists pictures only"),
            Some(Found::Unreadable(error)) => {
                assert!(!error.to_string().contains(char::is_control), "{error:?}");
            }
        }
    }
    panic!("more pictures and errors than lines");
}
