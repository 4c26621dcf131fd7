//! Archives of pictures: the first byte of an input says which kind, `z` for zip, `g` for tar with gzip, `s` for tar with
//! Zstandard or anything else for tar.

use std::io::Write;

use shenfen_worker::{Archives, Found, Source, fuzzing};

/// The most bytes of a picture.
const MAX_BYTES: usize = 4096;

/// What an input of a megabyte may decompress to, in entries, and far more.
const MAX_ENTRIES: usize = 10_000_000;

/// Checks an archive.
///
/// # Panics
/// When listing it does not end, a name leads out of it, an error holds control characters, or a picture has too many bytes.
pub fn check(bytes: &[u8]) {
    let (&kind, content) = bytes.split_first().unwrap_or((&b't', &[]));
    let suffix = match kind {
        b'z' => ".zip",
        b'g' => ".tar.gz",
        b's' => ".tar.zst",
        _ => ".tar",
    };
    let mut file = tempfile::Builder::new().suffix(suffix).tempfile().expect("a temporary file");
    file.write_all(content).expect("room for a temporary file");
    let Ok(mut source) = Source::open_with(file.path(), Archives::Decompressed) else { return };
    let prefix = format!("{}#", file.path().display());
    for _ in 0..=MAX_ENTRIES {
        match source.next() {
            None => return,
            Some(Found::Picture(picture)) => {
                let name = picture.source.strip_prefix(&prefix).expect("a name in the archive");
                assert!(!name.starts_with('/') && !name.contains('\\') && name.split('/').all(|part| part != ".."));
                let loaded = fuzzing::load(&picture, &source, MAX_BYTES);
                assert!(loaded.is_none_or(|bytes| bytes.len() <= MAX_BYTES), "too many bytes");
            }
            Some(Found::Other) => {}
            Some(Found::Unreadable(error)) => assert!(!error.to_string().contains(char::is_control), "{error:?}"),
        }
    }
    panic!("listing does not end");
}
