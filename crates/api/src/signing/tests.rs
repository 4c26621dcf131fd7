use axum::http::{HeaderName, HeaderValue};
use serde::Deserialize;
use std::collections::BTreeMap;
use time::format_description::well_known::Rfc3339;

use super::*;

/// Made by `vectors.py`, which shares no code with us.
const VECTORS: &str = include_str!("vectors.json");

#[derive(Deserialize)]
struct Vectors {
    ak: String,
    sk: String,
    time: String,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Vector {
    fn check(&self, authenticator: &Authenticator) -> Result<Signature, Denied> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        authenticator.check(&self.method.parse().unwrap(), &self.target.parse().unwrap(), &headers)
    }

    /// The same request with another header.
    fn with(&self, name: &str, value: &str) -> Vector {
        let mut headers = self.headers.clone();
        headers.insert(name.to_owned(), value.to_owned());
        let (method, target) = (self.method.clone(), self.target.clone());
        Vector { name: self.name.clone(), method, target, headers, body: self.body.clone() }
    }

    fn is_digested(&self) -> bool {
        self.headers.contains_key("content-md5")
    }
}

fn vectors() -> Vectors {
    serde_json::from_str(VECTORS).unwrap()
}

fn authenticator(vectors: &Vectors, now: fn() -> OffsetDateTime) -> Authenticator {
    let key = Key::with_secret(&vectors.ak, vectors.sk.as_bytes());
    Authenticator { now, ..Authenticator::new(Keys::of(vec![key]), None) }
}

fn signed_at() -> OffsetDateTime {
    OffsetDateTime::parse(&vectors().time, &Rfc3339).unwrap()
}

#[test]
fn accepts_requests_of_every_published_client() {
    let vectors = vectors();
    let authenticator = authenticator(&vectors, signed_at);
    for vector in &vectors.vectors {
        let signature = vector.check(&authenticator).unwrap_or_else(|denied| panic!("{}: {denied}", vector.name));
        assert_eq!(signature.key.ak, vectors.ak);
        assert_eq!(authenticator.confirm(&signature, vector.body.as_bytes()), Ok(()), "{}", vector.name);
    }
}

#[test]
fn rejects_any_change_to_a_signed_part() {
    let vectors = vectors();
    let authenticator = authenticator(&vectors, signed_at);
    for vector in &vectors.vectors {
        let denied = |changed: Vector| changed.check(&authenticator).err().map(|denied| (changed.name, denied));
        let other = Some((vector.name.clone(), Denied::Signature));
        assert_eq!(denied(Vector { method: "PUT".into(), ..vector.with("x", "") }), other);
        assert_eq!(denied(Vector { target: "/other".into(), ..vector.with("x", "") }), other);
        assert_eq!(denied(Vector { target: format!("{}?x=1", vector.target), ..vector.with("x", "") }), other);
        let authorization = &vector.headers["authorization"];
        for (from, to) in [("/1800/", "/1799/"), (":00Z/", ":01Z/"), (vectors.ak.as_str(), "nobody")] {
            assert_eq!(denied(vector.with("authorization", &authorization.replacen(from, to, 1))), other);
        }
        let last = if authorization.ends_with('0') { '1' } else { '0' };
        let changed = format!("{}{last}", &authorization[..authorization.len() - 1]);
        assert_eq!(denied(vector.with("authorization", &changed)), other);
        if vector.is_digested() {
            assert_eq!(denied(vector.with("content-length", "1")), other);
            assert_eq!(denied(vector.with("content-md5", &"0".repeat(32))), other);
        } else {
            assert_eq!(denied(vector.with("host", "elsewhere")), other);
            assert_eq!(denied(vector.with("credit-date", "2026-11-23T12:00:01Z")), other);
        }
    }
}

#[test]
fn rejects_another_body_without_using_the_signature_up() {
    let vectors = vectors();
    let authenticator = authenticator(&vectors, signed_at);
    for vector in vectors.vectors.iter().filter(|vector| vector.is_digested()) {
        let signature = vector.check(&authenticator).unwrap();
        assert_eq!(authenticator.confirm(&signature, b"id=1"), Err(Denied::Digest), "{}", vector.name);
        assert_eq!(authenticator.confirm(&signature, vector.body.as_bytes()), Ok(()), "{}", vector.name);
    }
}

#[test]
fn serves_a_request_with_a_signed_body_once() {
    let vectors = vectors();
    let mut authenticator = authenticator(&vectors, signed_at);
    for vector in &vectors.vectors {
        let confirm = |authenticator: &Authenticator| {
            authenticator.confirm(&vector.check(authenticator).unwrap(), vector.body.as_bytes())
        };
        authenticator.now = signed_at;
        assert_eq!(confirm(&authenticator), Ok(()));
        assert_eq!(confirm(&authenticator), Ok(()), "made twice within a second");
        authenticator.now = || signed_at() + time::Duration::seconds(2);
        let again = if vector.is_digested() { Err(Denied::Repeated) } else { Ok(()) };
        assert_eq!(confirm(&authenticator), again, "{}", vector.name);
    }
}

#[test]
fn rejects_signatures_outside_their_time() {
    let vectors = vectors();
    let vector = &vectors.vectors[0];
    let check = |now: fn() -> OffsetDateTime| vector.check(&authenticator(&vectors, now)).err();
    assert_eq!(check(|| signed_at() - SKEW), None);
    assert_eq!(check(|| signed_at() - SKEW - Duration::from_secs(1)), Some(Denied::Early));
    assert_eq!(check(|| signed_at() + MAX_VALIDITY), None);
    assert_eq!(check(|| signed_at() + MAX_VALIDITY + Duration::from_secs(1)), Some(Denied::Expired));
}

#[test]
fn rejects_malformed_signatures() {
    let vectors = vectors();
    let authenticator = authenticator(&vectors, signed_at);
    let vector = &vectors.vectors[0];
    for authorization in ["", "Bearer x", "credit-v1/", "credit-v1/a/b/c/d/e", "bce-auth-v1/a/b/c/d/e"] {
        assert_eq!(vector.with("authorization", authorization).check(&authenticator).err(), Some(Denied::Malformed));
    }
    assert_eq!(
        authenticator.check(&Method::POST, &"/".parse().unwrap(), &HeaderMap::new()).err(),
        Some(Denied::NotSigned)
    );
    let mut headers = vector.headers.clone();
    headers.remove("credit-date");
    let vector = Vector { headers, ..vector.with("x", "") };
    assert_eq!(vector.check(&authenticator).err(), Some(Denied::Header));
}

#[test]
fn rate_limited_key_is_told_how_long_to_wait() {
    let vectors = vectors();
    let key = Key::with_secret(&vectors.ak, vectors.sk.as_bytes());
    let authenticator = Authenticator { now: signed_at, ..Authenticator::new(Keys::of(vec![key]), Some(0.25)) };
    let vector = &vectors.vectors[0];
    assert!(vector.with("host", "elsewhere").check(&authenticator).is_err(), "costs nothing");
    assert!(vector.check(&authenticator).is_ok());
    let Err(Denied::RateLimited { wait }) = vector.check(&authenticator) else { panic!("let in") };
    assert!(wait > Duration::from_secs(3) && wait <= Duration::from_secs(4));
}
