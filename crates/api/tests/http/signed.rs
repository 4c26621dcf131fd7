//! Signed requests.

use std::time::{Duration, Instant};

use md5::{Digest, Md5};
use ring::hmac;
use shenfen_api::keys::{KeyFile, KeyHolder, Keys, MasterKey, NewKey};
use shenfen_api::signing::Authenticator;
use tempfile::TempDir;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::world::{Answer, FORM, LONG, Setup, World, request};

const RIGHT: &str = "id=330825197801104539";

struct Signed {
    world: World,
    file: KeyFile,
    _folder: TempDir,
}

impl Signed {
    fn new(rate: Option<f64>) -> (Signed, NewKey) {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::new(folder.path().join("keys.jsonl"), MasterKey::parse(&"7".repeat(64)).unwrap());
        let key = file.add(KeyHolder::new("acme"), None).unwrap();
        let (keys, follow) = Keys::of_file(file.clone()).unwrap();
        let world =
            World::with(Setup::default(), |service| service.authenticator = Some(Authenticator::new(keys, rate)));
        world.runtime.spawn(follow);
        (Signed { world, file, _folder: folder }, key)
    }

    fn send(&self, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut client = self.world.connect();
        client.send(&request("POST", "/idcard", headers, body.as_bytes()));
        client.answer().unwrap()
    }

    /// Signs host and date, as the Python client does.
    fn ask(&self, key: &NewKey) -> Answer {
        let (date, authorization) = by_host(key);
        self.send(&[("content-type", FORM), ("credit-date", &date), ("authorization", &authorization)], RIGHT)
    }
}

fn hex_hmac(key: &str, text: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), text.as_bytes());
    hex::encode(tag)
}

fn now() -> String {
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    OffsetDateTime::now_utc().format(form).unwrap()
}

fn sign(key: &NewKey, date: &str, signed_headers: &str, lines: &str) -> String {
    let prefix = format!("credit-v1/{}/{date}/1800", key.ak);
    let signature = hex_hmac(&hex_hmac(&key.sk, &prefix), &format!("POST\n/idcard\n\n{lines}"));
    format!("{prefix}/{signed_headers}/{signature}")
}

fn by_host(key: &NewKey) -> (String, String) {
    let date = now();
    let lines = format!("credit-date:{}\nhost:test", date.replace(':', "%3A"));
    let authorization = sign(key, &date, "host;credit-date", &lines);
    (date, authorization)
}

#[test]
fn unsigned_request_gets_the_documented_refusal() {
    let (signed, key) = Signed::new(None);
    signed.send(&[("content-type", FORM)], RIGHT).is("INVALID_REQUEST");
    let impostor = NewKey { ak: key.ak.clone(), sk: "guessed".to_owned() };
    signed.ask(&impostor).is("INVALID_REQUEST");
    assert_eq!(signed.ask(&key).json()["status"], "ok");
    assert_eq!(signed.world.get("/livez").status, 200, "machines need no key");
    let problem = signed.world.get("/v1/batches/kyc");
    assert_eq!((problem.status, problem.header("www-authenticate")), (401, Some("credit-v1")));
    // Refused without keeping the body, and with a response.
    let mut client = signed.world.connect();
    client.send(&request("POST", "/v1/ocr_cn", &[("content-type", FORM)], &vec![b'A'; 8 << 20]));
    client.answer().unwrap().is("INVALID_REQUEST");
}

#[test]
fn serves_a_request_with_its_signed_body_and_no_other() {
    let (signed, key) = Signed::new(None);
    let digest = hex::encode(Md5::digest(RIGHT));
    let lines = format!("content-length:{}\ncontent-md5:{digest}\ncontent-type:", RIGHT.len());
    let authorization = sign(&key, &now(), "", &lines);
    let headers = [("content-type", FORM), ("content-md5", digest.as_str()), ("authorization", authorization.as_str())];
    signed.send(&headers, &RIGHT.replace('9', "8")).is("INVALID_REQUEST");
    assert_eq!(signed.send(&headers, RIGHT).json()["status"], "ok");
}

#[test]
fn keys_change_without_a_restart() {
    let (signed, old) = Signed::new(None);
    let new = signed.file.add(KeyHolder::new("acme"), None).unwrap();
    let becomes = |key: &NewKey, status: &str| {
        let begin = Instant::now();
        while signed.ask(key).json()["status"] != status {
            assert!(begin.elapsed() < LONG);
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    becomes(&new, "ok");
    assert_eq!(signed.ask(&old).json()["status"], "ok", "both are in force");
    signed.file.revoke(&old.ak).unwrap();
    becomes(&old, "INVALID_REQUEST");
    assert_eq!(signed.ask(&new).json()["status"], "ok");
}

#[test]
fn rate_limited_key_gets_retry_later() {
    let (signed, key) = Signed::new(Some(0.5));
    assert_eq!(signed.ask(&key).json()["status"], "ok");
    signed.ask(&key).is("RETRY_LATER");
}
