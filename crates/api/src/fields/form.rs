//! `application/x-www-form-urlencoded` (WHATWG URL, section 5).

use std::borrow::Cow;

use percent_encoding::percent_decode;

use super::{FieldError, Plus};

/// The text `name` of a form.
pub(super) fn field(body: &[u8], name: &str, plus: Plus) -> Result<String, FieldError> {
    let mut found = None;
    for (key, value) in pairs(body) {
        if decoded(key, Plus::Space) == name.as_bytes() {
            if found.is_some() {
                return Err(FieldError::Repeated);
            }
            found = Some(value);
        }
    }
    let value = decoded(found.ok_or(FieldError::Missing)?, plus).into_owned();
    String::from_utf8(value).map_err(|_| FieldError::NotText)
}

/// Names and values, still encoded.
pub(crate) fn pairs(encoded: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    encoded.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        match pair.iter().position(|&byte| byte == b'=') {
            Some(sign) => (&pair[..sign], &pair[sign + 1..]),
            None => (pair, &[][..]),
        }
    })
}

/// Decodes a name or value.
pub(crate) fn decoded(text: &[u8], plus: Plus) -> Cow<'_, [u8]> {
    if plus == Plus::Literal || !text.contains(&b'+') {
        return percent_decode(text).into();
    }
    let spaces: Vec<u8> = text.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    Cow::Owned(percent_decode(&spaces).collect())
}
