//! The JSON of a job, as any AMQP client may publish it.
//!
//! ```json
//! {"v": 1, "job_id": "...", "batch": "kyc-2026-11", "reference": "customer-42", "side": "auto",
//!  "image": {"base64": "..."}}
//! ```
//! `tenant` names whose job it is where that is not `default`. `image` may instead be `{"sealed": "..."}`, `{"path": "a/b.jpg"}` or `{"url": "https://..."}`. Only `v` and `image` are
//! required. Unknown keys are ignored, so that later versions can add some. Errors name the key and never repeat a value.

use std::fmt;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_json::value::RawValue;
use shenfen_core::{JobId, JobKey, RequestedSide, Tenant};

#[cfg(test)]
mod tests;

/// Strict about the alphabet, but not about `=` at the end, which some encoders leave out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The first bytes of a binary age file (age-encryption.org/v1).
const AGE_FILE: &[u8] = b"age-encryption.org/v1\n";
const DEFAULT_BATCH: &str = "default";
const LONGEST_TEXT: usize = 300;
const LONGEST_LOCATION: usize = 4096;

/// A job to do: one picture to read.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Whose job it is; `default` unless given.
    pub tenant: Tenant,
    /// Identifies the job: two messages of a tenant with the same id are one job.
    pub job_id: JobId,
    /// The group of jobs it is counted in; `default` unless given.
    pub batch: String,
    /// The publisher's own identifier, stored with the result.
    pub reference: Option<String>,
    /// Which side of the card to expect.
    pub side: RequestedSide,
    /// The picture.
    pub image: Image,
}

/// Where the picture is.
#[derive(Clone, PartialEq, Eq)]
pub enum Image {
    /// In the message: the bytes of a picture file.
    Inline(Vec<u8>),
    /// In the message: the bytes of an age file that holds a picture file, sealed for the workers.
    Sealed(Vec<u8>),
    /// In a file below the worker's image root.
    Path(String),
    /// On a web server that the worker may fetch from.
    Url(String),
}

/// Why a message is not a valid job. The text contains nothing of the message but names of keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Not JSON at all.
    #[error("message is not JSON (line {line}, column {column})")]
    NotJson {
        /// The line of the error, from 1.
        line: usize,
        /// The column of the error, from 1.
        column: usize,
    },
    /// JSON, but not an object, or one with a repeated key.
    #[error("message is not a JSON object with each key once")]
    NotAnObject,
    /// An unknown version, or none.
    #[error("v must be 1")]
    Version,
    /// A value that is invalid for its key.
    #[error("{key} must be {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// What its value must be.
        expected: &'static str,
    },
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    v: Option<&'a RawValue>,
    #[serde(borrow)]
    tenant: Option<&'a RawValue>,
    #[serde(borrow)]
    job_id: Option<&'a RawValue>,
    #[serde(borrow)]
    batch: Option<&'a RawValue>,
    #[serde(borrow)]
    reference: Option<&'a RawValue>,
    #[serde(borrow)]
    side: Option<&'a RawValue>,
    #[serde(borrow)]
    image: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Picture<'a> {
    #[serde(borrow)]
    base64: Option<&'a RawValue>,
    #[serde(borrow)]
    sealed: Option<&'a RawValue>,
    #[serde(borrow)]
    path: Option<&'a RawValue>,
    #[serde(borrow)]
    url: Option<&'a RawValue>,
}

impl Message {
    /// The job that `body` describes. Its id is the `job_id` in it; else `message_id` (the AMQP property), if that is a
    /// UUID or else a UUID made of it; else a UUID made of the content, so that the same content is always the same job.
    ///
    /// # Errors
    /// The first error found.
    pub fn parse(body: &[u8], message_id: Option<&str>) -> Result<Self, MessageError> {
        Self::parse_envelope(body, message_id, None)
    }

    /// As [`Message::parse`], but `v` may be omitted: for a transport that states the version itself, as an HTTP path does.
    ///
    /// # Errors
    /// The first error found.
    pub fn parse_without_version(body: &[u8], message_id: Option<&str>) -> Result<Self, MessageError> {
        Self::parse_envelope(body, message_id, Some(1))
    }

    fn parse_envelope(
        body: &[u8],
        message_id: Option<&str>,
        default_version: Option<u64>,
    ) -> Result<Self, MessageError> {
        let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
        let envelope: Envelope<'_> = object(body).map_err(|error| match error.classify() {
            Category::Data => MessageError::NotAnObject,
            _ => MessageError::NotJson { line: error.line(), column: error.column() },
        })?;
        let version = value::<u64>("v", "1", envelope.v).map_err(|_| MessageError::Version)?;
        if version.or(default_version) != Some(1) {
            return Err(MessageError::Version);
        }
        let tenant = tenant(envelope.tenant)?;
        let batch = text("batch", "1 to 300 bytes of text without control characters", envelope.batch)?;
        let batch = batch.unwrap_or_else(|| DEFAULT_BATCH.to_owned());
        let reference = text("reference", "1 to 300 bytes of text without control characters", envelope.reference)?;
        let side = side(envelope.side)?;
        let image = image(envelope.image)?;
        let given: Option<String> = value("job_id", "a UUID", envelope.job_id)?;
        let job_id = match (given, message_id.filter(|id| !id.is_empty())) {
            (Some(id), _) => id.parse().map_err(|_| wrong("job_id", "a UUID"))?,
            (None, Some(id)) => {
                id.parse().unwrap_or_else(|_| JobId::of_message(&[b"message_id".as_slice(), id.as_bytes()]))
            }
            (None, None) => content_id(&batch, reference.as_deref(), side, &image),
        };
        Ok(Message { tenant, job_id, batch, reference, side, image })
    }

    /// The same job with its picture sealed. Its id stays that of the picture: sealing again gives other bytes, and no other job.
    pub fn with_sealed(self, sealed: Vec<u8>) -> Message {
        Message { image: Image::Sealed(sealed), ..self }
    }

    /// A job of the default tenant with the id that is derived from its content.
    pub fn new(batch: String, reference: Option<String>, side: RequestedSide, image: Image) -> Message {
        let job_id = content_id(&batch, reference.as_deref(), side, &image);
        Message { tenant: Tenant::DEFAULT, job_id, batch, reference, side, image }
    }

    /// The same job as one of this tenant.
    pub fn of_tenant(self, tenant: Tenant) -> Message {
        Message { tenant, ..self }
    }

    /// The key of the job.
    pub fn key(&self) -> JobKey {
        JobKey { tenant: self.tenant, id: self.job_id }
    }

    /// The JSON to publish.
    pub fn to_json(&self) -> Vec<u8> {
        let image = match &self.image {
            Image::Inline(bytes) => serde_json::json!({ "base64": BASE64.encode(bytes) }),
            Image::Sealed(bytes) => serde_json::json!({ "sealed": BASE64.encode(bytes) }),
            Image::Path(path) => serde_json::json!({ "path": path }),
            Image::Url(url) => serde_json::json!({ "url": url }),
        };
        let mut json = serde_json::json!({
            "v": 1, "job_id": self.job_id, "batch": self.batch, "side": self.side.as_str(), "image": image,
        });
        if self.tenant != Tenant::DEFAULT {
            json["tenant"] = self.tenant.as_str().into();
        }
        if let Some(reference) = &self.reference {
            json["reference"] = reference.as_str().into();
        }
        json.to_string().into_bytes()
    }
}

/// The id that is derived from the content.
fn content_id(batch: &str, reference: Option<&str>, side: RequestedSide, image: &Image) -> JobId {
    let (kind, content) = match image {
        Image::Inline(bytes) => ("base64", bytes.as_slice()),
        Image::Sealed(bytes) => ("sealed", bytes.as_slice()),
        Image::Path(path) => ("path", path.as_bytes()),
        Image::Url(url) => ("url", url.as_bytes()),
    };
    let parts = ["content", batch, reference.unwrap_or_default(), side.as_str(), kind];
    JobId::of_message(&[parts.map(str::as_bytes).as_slice(), &[content]].concat())
}

/// Shows ids and sizes only: a reference, a path or a picture may identify a person.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Message { batch, side, image, .. } = self;
        write!(f, "Message({}, batch {batch:?}, {}, {image:?})", self.key(), side.as_str())
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Image::Inline(bytes) => write!(f, "picture of {} bytes", bytes.len()),
            Image::Sealed(bytes) => write!(f, "sealed picture of {} bytes", bytes.len()),
            Image::Path(_) => f.write_str("path"),
            Image::Url(_) => f.write_str("url"),
        }
    }
}

/// Parses a JSON object. serde would also take an array for a struct.
fn object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> serde_json::Result<T> {
    let parsed = serde_json::from_slice(json)?;
    match json.trim_ascii_start().first() {
        Some(b'{') => Ok(parsed),
        _ => Err(serde::de::Error::custom("not an object")),
    }
}

/// The value of a key; `null` means absent.
fn value<T: DeserializeOwned>(
    key: &'static str,
    expected: &'static str,
    raw: Option<&RawValue>,
) -> Result<Option<T>, MessageError> {
    let Some(raw) = raw else { return Ok(None) };
    serde_json::from_str(raw.get()).map_err(|_| wrong(key, expected))
}

/// Text without control characters, which databases and terminals can handle; empty means absent.
fn text(key: &'static str, expected: &'static str, raw: Option<&RawValue>) -> Result<Option<String>, MessageError> {
    let text: Option<String> = value(key, expected, raw)?;
    match text {
        Some(text) if text.len() > LONGEST_TEXT || text.contains(char::is_control) => Err(wrong(key, expected)),
        text => Ok(text.filter(|text| !text.is_empty())),
    }
}

fn tenant(raw: Option<&RawValue>) -> Result<Tenant, MessageError> {
    let expected = "1 to 32 of a-z, 0-9, - and _";
    let Some(tenant) = text("tenant", expected, raw)? else { return Ok(Tenant::DEFAULT) };
    tenant.parse().map_err(|_| wrong("tenant", expected))
}

fn side(raw: Option<&RawValue>) -> Result<RequestedSide, MessageError> {
    let expected = "\"auto\", \"front\" or \"back\"";
    let Some(side) = value::<String>("side", expected, raw)? else { return Ok(RequestedSide::Auto) };
    side.parse().map_err(|_| wrong("side", expected))
}

fn image(raw: Option<&RawValue>) -> Result<Image, MessageError> {
    let expected = "an object with exactly one of base64, sealed, path, url";
    let Some(raw) = raw else { return Err(wrong("image", expected)) };
    let picture: Picture<'_> = object(raw.get().as_bytes()).map_err(|_| wrong("image", expected))?;
    let place = "1 to 4096 bytes of text without control characters";
    let base64: Option<String> = value("image.base64", "text", picture.base64)?;
    let sealed: Option<String> = value("image.sealed", "text", picture.sealed)?;
    let path: Option<String> = value("image.path", place, picture.path)?;
    let url: Option<String> = value("image.url", "an http or https URL of at most 4096 bytes", picture.url)?;
    match (base64, sealed, path, url) {
        (Some(encoded), None, None, None) => decode(encoded).map(Image::Inline).ok_or_else(|| {
            wrong("image.base64", "the base64 (RFC 4648, section 4) of a picture file, without a data: prefix")
        }),
        (None, Some(encoded), None, None) => {
            let bytes = decode(encoded).filter(|bytes| bytes.starts_with(AGE_FILE));
            let expected = "the base64 (RFC 4648, section 4) of a binary age file, which holds the picture file";
            bytes.map(Image::Sealed).ok_or_else(|| wrong("image.sealed", expected))
        }
        (None, None, Some(path), None) if fits(&path) => Ok(Image::Path(path)),
        (None, None, Some(_), None) => Err(wrong("image.path", place)),
        (None, None, None, Some(url)) if fits(&url) && is_web(&url) => Ok(Image::Url(url)),
        (None, None, None, Some(_)) => Err(wrong("image.url", "an http or https URL of at most 4096 bytes")),
        _ => Err(wrong("image", expected)),
    }
}

/// `None` for what is no base64, or nothing. Line breaks, as many encoders insert them, are allowed.
fn decode(mut encoded: String) -> Option<Vec<u8>> {
    encoded.retain(|character| !character.is_ascii_whitespace());
    BASE64.decode(encoded).ok().filter(|bytes| !bytes.is_empty())
}

fn fits(location: &str) -> bool {
    (1..=LONGEST_LOCATION).contains(&location.len()) && !location.contains(char::is_control)
}

fn is_web(url: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| url.get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme)))
}

fn wrong(key: &'static str, expected: &'static str) -> MessageError {
    MessageError::Value { key, expected }
}
