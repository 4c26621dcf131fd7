//! One named field out of a body: form-encoded as documented, JSON or multipart as a convenience.

mod form;
mod multipart;

use axum::http::{HeaderMap, header};
use serde_json::Value;
use thiserror::Error;

pub(crate) use form::{decoded, pairs};

/// What a field holds. No `Debug`: it is personal data.
#[derive(PartialEq, Eq)]
pub(crate) enum Field {
    /// Text.
    Text(String),
    /// A file of a multipart body: its bytes as they are.
    File(Vec<u8>),
}

/// Why a field cannot be had. Never what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum FieldError {
    #[error("the content type is none of application/x-www-form-urlencoded, application/json, multipart/form-data")]
    ContentType,
    #[error("the body is not what its content type says")]
    Malformed,
    #[error("the field is missing")]
    Missing,
    #[error("the field is there twice")]
    Twice,
    #[error("the field is no text")]
    NoText,
}

/// What a `+` of a form stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plus {
    /// A blank, as the standard says.
    Blank,
    /// Itself, for base64: it has no blanks, and many a script sends its `+` as they are.
    Itself,
}

/// The field `name` of a body. A body without a content type is taken for a form, as many scripts send it.
pub(crate) fn field(headers: &HeaderMap, body: &[u8], name: &str, plus: Plus) -> Result<Field, FieldError> {
    let given = match headers.get(header::CONTENT_TYPE) {
        None => "",
        Some(value) => value.to_str().map_err(|_| FieldError::ContentType)?,
    };
    let media_type = given.split(';').next().unwrap_or_default().trim();
    let is = |known: &str| media_type.eq_ignore_ascii_case(known);
    if media_type.is_empty() || is("application/x-www-form-urlencoded") {
        form::field(body, name, plus).map(Field::Text)
    } else if is("application/json") {
        json(body, name).map(Field::Text)
    } else if is("multipart/form-data") {
        multipart::field(given, body, name)
    } else {
        Err(FieldError::ContentType)
    }
}

/// The text `name` of a JSON object. A key twice is refused, for readers do not agree on which of them counts.
fn json(body: &[u8], name: &str) -> Result<String, FieldError> {
    let object: Object = serde_json::from_slice(body).map_err(|_| FieldError::Malformed)?;
    let mut found = object.0.into_iter().filter(|(key, _)| key == name).map(|(_, value)| value);
    match (found.next(), found.next()) {
        (None, _) => Err(FieldError::Missing),
        (Some(_), Some(_)) => Err(FieldError::Twice),
        (Some(Value::String(text)), None) => Ok(text),
        (Some(_), None) => Err(FieldError::NoText),
    }
}

/// An object with all its keys, in order.
struct Object(Vec<(String, Value)>);

impl<'de> serde::Deserialize<'de> for Object {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Object, D::Error> {
        struct Keys;
        impl<'de> serde::de::Visitor<'de> for Keys {
            type Value = Object;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Object(entries))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

#[cfg(test)]
mod tests;
