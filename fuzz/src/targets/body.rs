//! One field of a form, a JSON object or a multipart body, and the base64 in it.
//!
//! An input is the content type up to the first line break, then the body.

use std::borrow::Cow;

use shenfen_api::fuzzing::{decode_base64, field};

/// The boundary of multipart bodies made of an input.
const BOUNDARY: &str = "a boundary of ours";

/// Checks a body.
///
/// # Panics
/// When a form or a JSON object is read otherwise than a second reader does, or content does not come out of a multipart
/// body as it went in.
pub fn check(bytes: &[u8]) {
    let end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
    let body = bytes.get(end + 1..).unwrap_or_default();
    let Ok(content_type) = std::str::from_utf8(&bytes[..end]) else { return };
    let given = field((!content_type.is_empty()).then_some(content_type), body);
    if let Some(text) = given.as_ref().ok().and_then(|value| String::from_utf8(value.clone()).ok()) {
        check_base64(text);
    }
    check_form(body);
    check_json(body);
    check_multipart(body);
}

/// Base64 that is read is written again with the same length, but for padding.
fn check_base64(text: String) {
    let significant = text.bytes().filter(|byte| !b"=\r\n\t".contains(byte)).count();
    if let Some(decoded) = decode_base64(text) {
        assert!(decoded.len() <= significant * 3 / 4);
    }
}

fn check_form(body: &[u8]) {
    let Ok(text) = field(Some("application/x-www-form-urlencoded"), body) else { return };
    let mut values = form_urlencoded::parse(body).filter(|(name, _)| name == "img").map(|(_, value)| value);
    assert_eq!(values.next().map(Cow::into_owned).map(String::into_bytes), Some(text));
    assert_eq!(values.next(), None);
}

fn check_json(body: &[u8]) {
    let Ok(text) = field(Some("application/json"), body) else { return };
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    assert_eq!(value["img"].as_str().map(str::as_bytes), Some(&text[..]));
}

fn check_multipart(content: &[u8]) {
    let delimiter = format!("\r\n--{BOUNDARY}");
    // Content may not hold its delimiter, nor make one with the line breaks around it.
    let framed = [b"\r\n", content, delimiter.as_bytes()].concat();
    let first = framed.windows(delimiter.len()).position(|window| window == delimiter.as_bytes());
    if first != Some(content.len() + 2) {
        return;
    }
    let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"img\"; filename=\"a\"\r\n");
    let body = [head.as_bytes(), &framed, b"--\r\n"].concat();
    let read = field(Some(&format!("multipart/form-data; boundary=\"{BOUNDARY}\"")), &body);
    assert!(read.as_deref() == Ok(content), "a file comes out otherwise than it went in");
}
