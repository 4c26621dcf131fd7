//! Doors for the fuzz targets in `fuzz/`: the parsers of requests without a server. No part of the crate's interface.

use std::ops::RangeInclusive;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};

use crate::fields::{Field, Plus};
use crate::signing;

/// The field `img` of a body: its text or the bytes of its file; the error in words.
///
/// # Errors
/// When there is no such field, or the body or its content type are malformed.
pub fn field(content_type: Option<&str>, body: &[u8]) -> Result<Vec<u8>, String> {
    let mut headers = HeaderMap::new();
    if let Some(content_type) = content_type {
        let value = HeaderValue::from_str(content_type).map_err(|error| error.to_string())?;
        headers.insert(header::CONTENT_TYPE, value);
    }
    match crate::fields::field(&headers, body, "img", Plus::Space) {
        Ok(Field::Text(text)) => Ok(text.into_bytes()),
        Ok(Field::File(bytes)) => Ok(bytes),
        Err(error) => Err(error.to_string()),
    }
}

/// The bytes of a picture in base64, as [`crate`] takes it in any of its usual forms; `None` for anything else.
pub fn decode_base64(text: String) -> Option<Vec<u8>> {
    crate::encoding::decode(text)
}

/// The parts of the header Authorization.
pub struct Authorization<'a> {
    /// What the signing key is made of.
    pub prefix: &'a str,
    /// Names joined by `;`.
    pub signed_headers: &'a str,
    /// The signature.
    pub signature: [u8; 32],
    /// From the time of signing to the expiry, in seconds since 1970-01-01 UTC.
    pub valid: RangeInclusive<i64>,
}

/// Takes the header Authorization apart; `None` for anything of another form.
pub fn authorization(text: &str) -> Option<Authorization<'_>> {
    let parsed = signing::authorization::Authorization::parse(text)?;
    Some(Authorization {
        prefix: parsed.prefix,
        signed_headers: parsed.signed_headers,
        signature: parsed.signature,
        valid: parsed.time.unix_timestamp()..=parsed.expires().unix_timestamp(),
    })
}

/// The canonical requests that may have been signed; `None` when a signed header is missing or repeated, or the request is
/// none that HTTP knows.
pub fn canonical_requests(
    method: &str,
    uri: &str,
    headers: &[(&str, &str)],
    signed_headers: &str,
) -> Option<Vec<String>> {
    let method = Method::from_bytes(method.as_bytes()).ok()?;
    let uri: Uri = uri.parse().ok()?;
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.try_append(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?).ok()?;
    }
    Some(signing::canonical::Signed::of(&method, &uri, &map, signed_headers)?.requests)
}
