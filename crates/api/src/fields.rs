//! Extracts one named field from a body: a form as documented, or JSON or multipart for convenience.

mod form;
mod multipart;

use axum::http::{HeaderMap, header};
use serde_json::Value;
use thiserror::Error;

pub(crate) use form::{decoded, pairs};

/// The value of a field. No `Debug`: it is personal data.
#[derive(PartialEq, Eq)]
pub(crate) enum Field {
    /// Text.
    Text(String),
    /// A part of a multipart body that has a file's name, or is no text.
    File(Vec<u8>),
}

/// Why a field cannot be extracted. Contains nothing of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum FieldError {
    #[error("the content type must be application/x-www-form-urlencoded, application/json or multipart/form-data")]
    ContentType,
    #[error("the body does not match its content type")]
    Malformed,
    #[error("the field is missing")]
    Missing,
    #[error("the field is repeated")]
    Repeated,
    #[error("the field is not text")]
    NotText,
}

/// What a `+` in a form means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plus {
    /// A space, as the standard says.
    Space,
    /// A plus sign, for base64: it has no spaces, and many scripts do not encode its `+`.
    Literal,
}

/// The field `name` of a body. A body without a content type is treated as a form, as many scripts send it.
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

/// The text `name` of a JSON object. A repeated key is refused, since parsers disagree on which one counts.
fn json(body: &[u8], name: &str) -> Result<String, FieldError> {
    let object: Object = serde_json::from_slice(body).map_err(|_| FieldError::Malformed)?;
    let mut found = object.0.into_iter().filter(|(key, _)| key == name).map(|(_, value)| value);
    match (found.next(), found.next()) {
        (None, _) => Err(FieldError::Missing),
        (Some(_), Some(_)) => Err(FieldError::Repeated),
        (Some(Value::String(text)), None) => Ok(text),
        (Some(_), None) => Err(FieldError::NotText),
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
