//! `multipart/form-data` (RFC 7578), of a body that is already in memory.
//!
//! Written by hand: the crate for it, multer, reads a stream, so it would copy a body that is complete and make this
//! parser, alone of the three, asynchronous; and it brings tables of legacy encodings that a field is never read with.

use std::borrow::Cow;

use super::{Field, FieldError};

/// Maximum number of parts.
const MAX_PARTS: usize = 64;

/// The part `name`: text, or bytes where the part has a file's name or is no text.
pub(super) fn field(content_type: &str, body: &[u8], name: &str) -> Result<Field, FieldError> {
    let boundary = parameter(content_type, "boundary").filter(|boundary| (1..=70).contains(&boundary.len()));
    let delimiter = format!("\r\n--{}", boundary.ok_or(FieldError::Malformed)?).into_bytes();
    let first = &delimiter[2..];
    let mut rest = match body.strip_prefix(first) {
        Some(rest) => rest,
        None => &body[find(body, &delimiter).ok_or(FieldError::Malformed)? + delimiter.len()..],
    };
    let mut found = None;
    for _ in 0..MAX_PARTS {
        if rest.starts_with(b"--") {
            return found.ok_or(FieldError::Missing);
        }
        let part = rest.strip_prefix(b"\r\n").ok_or(FieldError::Malformed)?;
        let end = find(part, &delimiter).ok_or(FieldError::Malformed)?;
        rest = &part[end + delimiter.len()..];
        let (head, content) = match part[..end].strip_prefix(b"\r\n") {
            Some(content) => (&[][..], content),
            None => {
                let blank = find(&part[..end], b"\r\n\r\n").ok_or(FieldError::Malformed)?;
                (&part[..blank], &part[blank + 4..end])
            }
        };
        let Some(disposition) = disposition(head) else { return Err(FieldError::Malformed) };
        let disposition = &*disposition;
        if parameter(disposition, "name").is_none_or(|given| given != name) {
            continue;
        }
        if found.is_some() {
            return Err(FieldError::Repeated);
        }
        // A file name in another encoding stands in `filename*` alone (RFC 5987).
        let is_file = ["filename", "filename*"].iter().any(|name| parameter(disposition, name).is_some());
        found = Some(match std::str::from_utf8(content) {
            Ok(text) if !is_file => Field::Text(text.to_owned()),
            _ => Field::File(content.to_vec()),
        });
    }
    Err(FieldError::Malformed)
}

/// The value of the header Content-Disposition; `None` without one. File names come in whatever encoding the sender's system has, and
/// nothing is made of them: their bytes that are not UTF-8 are replaced.
fn disposition(head: &[u8]) -> Option<Cow<'_, str>> {
    let lines = head.split(|&byte| byte == b'\n').map(String::from_utf8_lossy);
    let mut values = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then(|| Cow::Owned(value.trim_end().to_owned()))
    });
    values.next()
}

/// A parameter of a header's value, without quotes.
fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = value.split_once(';')?.1;
    loop {
        let (key, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (text, behind) = match after.strip_prefix('"') {
            Some(quoted) => {
                let end = quoted.find('"')?;
                (&quoted[..end], quoted[end + 1..].split_once(';').map(|(_, behind)| behind))
            }
            None => match after.split_once(';') {
                Some((text, behind)) => (text.trim_end(), Some(behind)),
                None => (after.trim_end(), None),
            },
        };
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(text);
        }
        rest = behind?;
    }
}

/// The first position of `needle`. Boundaries begin with a line break, so only those positions are compared.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let (&first, _) = needle.split_first()?;
    let mut from = 0;
    while let Some(at) = haystack.get(from..)?.iter().position(|&byte| byte == first) {
        if haystack[from + at..].starts_with(needle) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}
