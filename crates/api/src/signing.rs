//! Request signatures `credit-v1`, in each of the conventions of the published client libraries.
//!
//! The header is `Authorization: credit-v1/{ak}/{timestamp}/{expire}/{signedHeaders}/{signature}`, with the time in UTC as
//! `2006-01-02T15:04:05Z` and `expire` in seconds. With HMAC-SHA256 throughout,
//!
//! ```text
//! signingKey       = hex(HMAC(sk, "credit-v1/{ak}/{timestamp}/{expire}"))
//! signature        = hex(HMAC(signingKey, canonicalRequest))        the key is the text of hexadecimal digits
//! canonicalRequest = METHOD \n path \n query \n headers
//! ```
//!
//! The path is percent-encoded with its slashes kept; the query is its pairs `k=v`, percent-encoded, sorted, joined by `&`;
//! each header is `name:value`, the name in lower case, the value trimmed and percent-encoded, sorted, joined by `\n`.
//! Everything but `A-Z a-z 0-9 - . _ ~` is encoded, in upper-case digits.
//!
//! | client | signedHeaders | what it signs |
//! | --- | --- | --- |
//! | Python | `host;credit-date` | the host without its port, even where the request has one |
//! | PHP | `host;credit-date` | the host as the URL has it, port included |
//! | Java | empty | `content-length`, `content-md5`, `content-type` as sent |
//! | Go | empty | the same three, but nothing as the value of `content-type` whatever it sends |
//!
//! Guarantees and their limits:
//!
//! * A request is valid from five minutes before its timestamp to its expiry, at most half an hour after the timestamp.
//! * Where `content-md5` is signed, the body is the one that was signed, and each signed request is accepted once: a replay is
//!   refused until it has expired. The time has whole seconds, so a client that sends the same picture twice within a second signs the
//!   same request twice: within two seconds of the first one it is accepted again. A client that lost the response and sends the
//!   identical request later is refused; it has to sign again.
//! * `host;credit-date` does not cover the body, and its time has whole seconds: two requests within one second have the same
//!   signature. A replay cannot be distinguished from the next request and is not refused. Use TLS with these clients.

pub(crate) mod authorization;
pub(crate) mod canonical;
mod replay;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, header};
use axum::http::{Method, Uri};
use md5::{Digest, Md5};
use ring::hmac;
use thiserror::Error;
use time::OffsetDateTime;

use crate::keys::{Key, Keys};
use crate::rate::Rates;
use authorization::Authorization;
use canonical::Signed;
use replay::{AcceptedSignatures, ReplayError};

/// How far a client's clock may be ahead.
pub const SKEW: Duration = Duration::from_secs(5 * 60);
/// Maximum validity of a signature after its timestamp, whatever it says itself.
pub const MAX_VALIDITY: Duration = Duration::from_secs(30 * 60);

/// Why a request is refused. Contains nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Denied {
    /// No `Authorization` header, or more than one.
    #[error("the request is not signed")]
    NotSigned,
    /// The header is malformed.
    #[error("the header Authorization must be credit-v1/ak/timestamp/expire/signedHeaders/signature")]
    Malformed,
    /// The timestamp is too far in the future.
    #[error("the timestamp of the signature is in the future: check the clock")]
    Early,
    /// The signature has expired.
    #[error("the signature has expired: check the clock")]
    Expired,
    /// A signed header is missing or repeated.
    #[error("a signed header is missing or repeated")]
    Header,
    /// Unknown key or wrong signature. The response does not tell which.
    #[error("unknown key or wrong signature")]
    Signature,
    /// The body is not the one that was signed.
    #[error("content-md5 does not match the body")]
    Digest,
    /// The same signed request was accepted before.
    #[error("this signed request was already used")]
    Repeated,
    /// The key's rate limit is exceeded.
    #[error("too many requests with this key")]
    RateLimited {
        /// Time until the next request is accepted.
        wait: Duration,
    },
    /// The memory for accepted signatures is full.
    #[error("too many signed requests at the same time")]
    Full,
}

/// Checks signatures, rates and replays.
#[derive(Debug)]
pub struct Authenticator {
    keys: Keys,
    rates: Rates,
    seen: Mutex<AcceptedSignatures>,
    now: fn() -> OffsetDateTime,
}

/// A verified signature over the headers. The body is still to be checked against it.
pub(crate) struct Signature {
    /// The key.
    pub(crate) key: Arc<Key>,
    /// The MD5 of the body, where it was signed.
    digest: Option<[u8; 16]>,
    signature: [u8; 32],
    expires: OffsetDateTime,
}

impl Authenticator {
    /// An authenticator for these keys, each with its own rate or `rate` requests per second.
    pub fn new(keys: Keys, rate: Option<f64>) -> Authenticator {
        Authenticator { keys, rates: Rates::new(rate), seen: Mutex::default(), now: OffsetDateTime::now_utc }
    }

    /// Verifies the signature over the headers and the rate of its key.
    ///
    /// # Errors
    /// Why the request is refused.
    pub(crate) fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Signature, Denied> {
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(given), None) = (given.next(), given.next()) else { return Err(Denied::NotSigned) };
        let authorization = given.to_str().ok().and_then(Authorization::parse).ok_or(Denied::Malformed)?;
        let expires = authorization.expires();
        let now = (self.now)();
        if authorization.time > now + SKEW {
            return Err(Denied::Early);
        }
        if expires < now {
            return Err(Denied::Expired);
        }
        let signed = Signed::of(method, uri, headers, authorization.signed_headers).ok_or(Denied::Header)?;
        let key = self.keys.get(authorization.ak);
        // An unknown key takes as long as a wrong signature.
        let secret = key.as_ref().map_or(&b"no such key"[..], |key| key.secret());
        let right = is_signed(secret, &authorization, &signed.requests);
        let key = key.filter(|_| right).ok_or(Denied::Signature)?;
        self.rates.take(&key.ak, key.rate, Instant::now()).map_err(|wait| Denied::RateLimited { wait })?;
        let digest = match signed.digest {
            Some(digest) => Some(digest.ok_or(Denied::Digest)?),
            None => None,
        };
        Ok(Signature { key, digest, signature: authorization.signature, expires })
    }

    /// Checks the body against the signed digest, and the request against those accepted before.
    ///
    /// # Errors
    /// When the body does not match, or the request is a replay.
    pub(crate) fn confirm(&self, signature: &Signature, body: &[u8]) -> Result<(), Denied> {
        let Some(digest) = signature.digest else { return Ok(()) };
        if Md5::digest(body)[..] != digest {
            return Err(Denied::Digest);
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.note(&signature.signature, signature.expires, (self.now)()).map_err(|before| match before {
            ReplayError::Replayed => Denied::Repeated,
            ReplayError::Full => Denied::Full,
        })
    }
}

/// Whether the signature is that of one of these canonical requests. All are tried, each in constant time.
fn is_signed(secret: &[u8], authorization: &Authorization<'_>, requests: &[String]) -> bool {
    let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let signing_key = hex::encode(hmac::sign(&secret, authorization.prefix.as_bytes()));
    let signing_key = hmac::Key::new(hmac::HMAC_SHA256, signing_key.as_bytes());
    let is_of = |request: &String| hmac::verify(&signing_key, request.as_bytes(), &authorization.signature).is_ok();
    requests.iter().fold(false, |right, request| right | is_of(request))
}

#[cfg(test)]
mod tests;
