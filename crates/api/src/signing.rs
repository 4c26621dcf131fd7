//! Who asks: requests signed as `credit-v1`, in each of the conventions of the published clients.
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
//! What this can and cannot promise:
//!
//! * A request is good from five minutes before its time to its expiry, at most half an hour after it.
//! * Where `content-md5` is signed, the body is what was signed, and each signed request is good once: a repeat is refused
//!   until it has expired. A client that sends the very same signed request again, because it lost the answer, is
//!   refused like anybody else who repeats it; it has to sign anew, a second later.
//! * `host;credit-date` binds no body, and its time has whole seconds: two different requests of one second have one
//!   signature. So a repeat cannot be told from the next request and is not refused. Use TLS with these clients.

mod authorization;
mod canonical;
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
use replay::{Seen, SeenBefore};

/// How far the clock of a client may be ahead of ours.
pub const SKEW: Duration = Duration::from_secs(5 * 60);
/// A signature is good for no longer than this after its time, whatever it says itself.
pub const LONGEST: Duration = Duration::from_secs(30 * 60);

/// Why a request is not served. Never what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Denied {
    /// No header, or two.
    #[error("the request is not signed")]
    NotSigned,
    /// A header of another form.
    #[error("the header authorization is not credit-v1/ak/timestamp/expire/signedHeaders/signature")]
    Malformed,
    /// The time of signing lies too far ahead.
    #[error("the signature's time lies in the future: check the clock")]
    Early,
    /// The time of the signature is over.
    #[error("the signature has expired: check the clock")]
    Expired,
    /// A header that was signed is not there, or is there twice.
    #[error("a signed header is not there")]
    Header,
    /// No key of that name, or another signature. Which of them is not for a stranger to know.
    #[error("the key or the signature is not right")]
    Signature,
    /// The body is not the one that was signed.
    #[error("content-md5 is not the body's")]
    Digest,
    /// The very same request was served before.
    #[error("the same signed request came before")]
    Repeated,
    /// The key's rate is used up.
    #[error("too many requests with this key")]
    RateLimited {
        /// Until there is room for another.
        wait: Duration,
    },
    /// So many signatures have to be remembered that no other fits.
    #[error("too many signed requests at the same time")]
    Full,
}

/// Checks signatures.
#[derive(Debug)]
pub struct Authenticator {
    keys: Keys,
    rates: Rates,
    seen: Mutex<Seen>,
    now: fn() -> OffsetDateTime,
}

/// A request whose headers were signed by a key. Its body is still to be held against them.
pub(crate) struct Signature {
    /// The key.
    pub(crate) key: Arc<Key>,
    /// The MD5 of the body, where it was signed.
    digest: Option<[u8; 16]>,
    signature: [u8; 32],
    expires: OffsetDateTime,
}

impl Authenticator {
    /// An authenticator for these keys, each with its own rate or `rate` requests a second.
    pub fn new(keys: Keys, rate: Option<f64>) -> Authenticator {
        Authenticator { keys, rates: Rates::new(rate), seen: Mutex::default(), now: OffsetDateTime::now_utc }
    }

    /// Whose request this is, by its headers.
    ///
    /// # Errors
    /// Why it is nobody's, or comes too fast.
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
        // A name that nobody has takes as long as a wrong signature.
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

    /// Holds the body against what was signed, and the request against those served before.
    ///
    /// # Errors
    /// When it is another body, or the same request once more.
    pub(crate) fn confirm(&self, signature: &Signature, body: &[u8]) -> Result<(), Denied> {
        let Some(digest) = signature.digest else { return Ok(()) };
        if Md5::digest(body)[..] != digest {
            return Err(Denied::Digest);
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.note(&signature.signature, signature.expires, (self.now)()).map_err(|before| match before {
            SeenBefore::Yes => Denied::Repeated,
            SeenBefore::NoRoomToTell => Denied::Full,
        })
    }
}

/// Whether one of these canonical requests has the signature. All of them are tried, each in constant time.
fn is_signed(secret: &[u8], authorization: &Authorization<'_>, requests: &[String]) -> bool {
    let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let signing_key = hex::encode(hmac::sign(&secret, authorization.prefix.as_bytes()));
    let signing_key = hmac::Key::new(hmac::HMAC_SHA256, signing_key.as_bytes());
    let is_of = |request: &String| hmac::verify(&signing_key, request.as_bytes(), &authorization.signature).is_ok();
    requests.iter().fold(false, |right, request| right | is_of(request))
}

#[cfg(test)]
mod tests;
