//! The header Authorization and the canonical request that it signs.
//!
//! An input is a request as it stands on the wire: method and URI, then a header a line, Authorization among them.

use shenfen_api::fuzzing::{authorization, canonical_requests};

/// A signature is good for no longer than this, in seconds.
const LONGEST: i64 = 30 * 60;
/// As sent, with the port or without, with either usual port; or with and without the content type.
const MAX_CANONICAL_REQUESTS: usize = 3;

/// Checks a request.
///
/// # Panics
/// When the header does not consist of the parts that were read, is good for too long, or a canonical request is ambiguous:
/// a character that could stand for another line, or lines out of order.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.lines();
    let (method, uri) = lines.next().and_then(|line| line.split_once(' ')).unwrap_or(("POST", "/"));
    let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
    let given = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    let Some(parsed) = given.and_then(|(_, value)| authorization(value)) else { return };
    let signature: String = parsed.signature.iter().map(|byte| format!("{byte:02x}")).collect();
    let rebuilt = format!("{}/{}/{signature}", parsed.prefix, parsed.signed_headers);
    assert!(given.is_some_and(|(_, value)| value.trim_ascii().eq_ignore_ascii_case(&rebuilt)));
    assert!((0..=LONGEST).contains(&(parsed.valid.end() - parsed.valid.start())));
    let Some(requests) = canonical_requests(method, uri, &headers, parsed.signed_headers) else { return };
    assert!((1..=MAX_CANONICAL_REQUESTS).contains(&requests.len()));
    for request in requests {
        check_canonical(method, &request);
    }
}

fn check_canonical(method: &str, request: &str) {
    let mut lines = request.split('\n');
    assert_eq!(lines.next(), Some(method));
    let (Some(path), Some(query)) = (lines.next(), lines.next()) else { panic!("no path or query") };
    let is_encoded = |text: &str, other: &[u8]| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte) || other.contains(&byte))
    };
    assert!(is_encoded(path, b"/"));
    assert!(is_encoded(query, b"=&") && query.split('&').is_sorted());
    let lines: Vec<&str> = lines.collect();
    assert!(lines.is_sorted());
    for line in lines {
        let value = line.split_once(':').map_or(line, |(_, value)| value);
        assert!(is_encoded(value, b""));
    }
}
