//! `shenfen serve` beside a broker and a database, whose addresses are in `SHENFEN_TEST_BROKER` and
//! `SHENFEN_TEST_DATABASE`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[expect(dead_code, reason = "other tests need more of it")]
mod program;
#[expect(dead_code, reason = "other tests need more of it")]
mod served;
#[expect(dead_code, reason = "other tests need more of it")]
mod servers;

use std::sync::atomic::{AtomicU32, Ordering};

use ring::hmac;
use served::{Answer, Served};
use servers::{Bench, finished, job_of, no_card};
use shenfen_queue::Image;
use shenfen_store::{JobStore, Jobs, Outcome};
use time::OffsetDateTime;
use time::macros::format_description;

fn serve(bench: &Bench) -> Served {
    Served::start(&mut bench.command(&["serve", "--listen", "127.0.0.1:0", "--threads", "1"]))
}

fn submit(served: &Served, headers: &[(&str, &str)], body: &str) -> Answer {
    served.ask("POST", "/v1/jobs", &[headers, &[("content-type", "application/json")]].concat(), body.as_bytes())
}

#[test]
fn accepts_a_job_and_shows_its_result() {
    let bench = Bench::new();
    let served = serve(&bench);
    let accepted = submit(&served, &[], r#"{"batch":"kyc","reference":"customer-42","image":{"base64":"QUJD"}}"#);
    assert_eq!(accepted.status, 202, "{}", accepted.body);
    let id = accepted.json()["job_id"].as_str().unwrap().to_owned();
    assert!(accepted.head.contains(&format!("location: /v1/results/{id}")), "{}", accepted.head);
    let result = || served.ask("GET", &format!("/v1/results/{id}"), &[], b"");
    assert_eq!((result().status, result().json()["state"].as_str()), (202, Some("queued")));
    let batch = served.ask("GET", "/v1/batches/kyc", &[], b"");
    assert_eq!((batch.status, &batch.json()["queued"]), (200, &1.into()));

    let message = bench.take_job();
    assert_eq!((message.job_id.to_string(), message.batch.as_str()), (id.clone(), "kyc"));
    assert_eq!(message.reference.as_deref(), Some("customer-42"));
    let job = job_of(&message);
    bench.block_on(async |store, _| store.claim(std::slice::from_ref(&job)).await.map(drop).unwrap());
    assert_eq!(result().json()["state"], "running");
    let read = Outcome::Read { result: Box::new(no_card()), image_sha256: None };
    bench.block_on(async |store, _| store.complete(&[finished(&job, read)]).await.map(drop).unwrap());
    let done = result();
    assert_eq!((done.status, &done.json()["result"]["status"]), (200, &"FAIL".into()));
    assert_eq!((&done.json()["reference"], &done.json()["decision"]), (&"customer-42".into(), &"reject".into()));
    let shown = bench.run(&["results", "--format", "json"]).lines();
    assert_eq!(shown[0], done.json(), "the same as on the command line");
}

#[test]
fn key_that_reveals_shows_results_in_clear_and_is_recorded() {
    let bench = Bench::new();
    bench.place.write("master", "7".repeat(64));
    let with_keys = ["--keys", "keys.jsonl", "--master-key-file", "master"];
    let client = |arguments: &[&str]| Client::add(&bench, &[arguments, &with_keys].concat());
    let (console, reader) = (client(&["console", "--reveal"]), client(&["reader"]));
    let serve = ["serve", "--listen", "127.0.0.1:0", "--threads", "1"];
    let served = Served::start(&mut bench.command(&[&serve[..], &with_keys].concat()));
    let id =
        reader.submit(&served, &[], r#"{"image":{"base64":"QUJD"}}"#).json()["job_id"].as_str().unwrap().to_owned();
    let mut result = no_card();
    result.message = [("name", "\u{5f20}\u{4e09}"), ("identityNo", "11010519491231002X")]
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .into();
    let job = job_of(&bench.take_job());
    let read = Outcome::Read { result: Box::new(result), image_sha256: None };
    bench.block_on(async |store, _| store.complete(&[finished(&job, read)]).await.map(drop).unwrap());

    let target = format!("/v1/results/{id}");
    let masked = reader.get(&served, &target).json();
    assert_eq!((&masked["identity_no"], &masked["name"]), (&"110***********002X".into(), &"\u{5f20}*".into()));
    assert_eq!(masked["result"]["message"]["identityNo"], masked["identity_no"]);
    let clear = console.ask(&served, "GET", &target, &[("shenfen-reason", "complaint 17")], "").json();
    assert_eq!(clear["identity_no"], "11010519491231002X");
    assert_eq!(clear["result"]["message"]["name"], "\u{5f20}\u{4e09}");
    let [entry] = &bench.run(&["audit", "export"]).lines()[..] else { panic!("only the second one is recorded") };
    assert_eq!((&entry["action"], &entry["reason"]), (&"reveal".into(), &"complaint 17".into()));
    assert_eq!(entry["subject"], format!("job {id}"));
    assert_eq!(entry["actor"], format!("key {} of console", console.ak));
    assert!(bench.run(&["audit", "verify"]).out.starts_with("1 entries"));
}

#[test]
fn pictures_are_sealed_for_the_recipients() {
    let bench = Bench::new();
    bench.run(&["keyring", "init", "--keyring", "keys.json"]);
    let keyring = shenfen_keyring::Keyring::read(&bench.place.path().join("keys.json")).unwrap();
    let recipient = keyring.newest().recipient();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--threads", "1", "--recipients", &recipient];
    let served = Served::start(&mut bench.command(&arguments));
    assert_eq!(submit(&served, &[], r#"{"image":{"base64":"QUJD"}}"#).status, 202);
    let Image::Sealed(sealed) = bench.take_job().image else { panic!("the picture went out in clear") };
    assert_eq!(keyring.open_sealed(&sealed, 3).unwrap(), b"ABC");
}

/// A client with a key of its own for the service.
struct Client {
    ak: String,
    sk: String,
}

impl Client {
    fn add(bench: &Bench, arguments: &[&str]) -> Client {
        let ran = bench.run(&[&["keys", "add"], arguments].concat());
        let [key] = &ran.lines()[..] else { panic!("{}", ran.err) };
        let text = |name: &str| key[name].as_str().unwrap().to_owned();
        Client { ak: text("ak"), sk: text("sk") }
    }

    /// A signed request, as docs/api.md describes it.
    fn ask(&self, served: &Served, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
        let date = OffsetDateTime::now_utc().format(form).unwrap();
        let prefix = format!("credit-v1/{}/{date}/1800", self.ak);
        let mac = |key: &str, text: &str| {
            hex::encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), text.as_bytes()))
        };
        // A number makes each signature another one: a repeated one is refused.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed).to_string();
        let lines = format!("credit-date:{}\nx-number:{number}", date.replace(':', "%3A"));
        let signature = mac(&mac(&self.sk, &prefix), &format!("{method}\n{target}\n\n{lines}"));
        let authorization = format!("{prefix}/credit-date;x-number/{signature}");
        let signed = [("credit-date", date.as_str()), ("x-number", &number), ("authorization", &authorization)];
        served.ask(method, target, &[&signed, headers].concat(), body.as_bytes())
    }

    fn submit(&self, served: &Served, headers: &[(&str, &str)], body: &str) -> Answer {
        let headers = [headers, &[("content-type", "application/json")]].concat();
        self.ask(served, "POST", "/v1/jobs", &headers, body)
    }

    fn get(&self, served: &Served, target: &str) -> Answer {
        self.ask(served, "GET", target, &[], "")
    }
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

#[test]
fn client_learns_nothing_of_another_tenant() {
    let bench = Bench::new();
    bench.place.write("master", "7".repeat(64));
    let with_keys = ["--keys", "keys.jsonl", "--master-key-file", "master"];
    let client = |arguments: &[&str]| Client::add(&bench, &[arguments, &with_keys].concat());
    let acme = client(&["acme", "--tenant", "acme"]);
    let colleague = client(&["acme-mobile", "--tenant", "acme"]);
    let globex = client(&["acme", "--tenant", "globex"]);
    let serve = ["serve", "--listen", "127.0.0.1:0", "--threads", "1", "--log-level", "info"];
    let served = Served::start(&mut bench.command(&[&serve[..], &with_keys].concat()));

    let id = "018f3f2e-0000-7000-8000-00000000002a";
    let body = |side: &str| format!(r#"{{"job_id":"{id}","batch":"kyc","side":"{side}","image":{{"base64":"QUJD"}}}}"#);
    let (result, batch) = (format!("/v1/results/{id}"), "/v1/batches/kyc");
    assert_eq!(acme.submit(&served, &[], &body("front")).status, 202);
    let message = bench.take_job();
    assert_eq!((message.tenant.as_str(), message.side.as_str()), ("acme", "front"));
    let read = Outcome::Read { result: Box::new(no_card()), image_sha256: None };
    bench.block_on(async |store, _| store.complete(&[finished(&job_of(&message), read)]).await.map(drop).unwrap());
    assert_eq!((acme.get(&served, &result).status, acme.get(&served, batch).status), (200, 200));
    assert_eq!(colleague.get(&served, &result).status, 200, "another client of the tenant");

    // Just as if there were no such job and batch.
    let [known, unknown] =
        [&result, "/v1/results/018f3f2e-0000-7000-8000-00000000002b"].map(|path| globex.get(&served, path));
    assert_eq!((known.status, known.body), (404, unknown.body));
    assert_eq!(globex.get(&served, batch).status, 404);
    // The same identifier is a job of its own.
    assert_eq!(globex.submit(&served, &[], &body("back")).status, 202);
    assert_eq!(bench.take_job().tenant.as_str(), "globex");
    assert_eq!(globex.get(&served, &result).json()["state"], "queued");
    assert_eq!(acme.get(&served, &result).status, 200);
    assert_eq!(globex.get(&served, batch).json()["total"], 1);
    // Nor does a message lead into another tenant.
    let named = globex.submit(&served, &[], r#"{"tenant":"acme","image":{"base64":"QUJD"}}"#);
    assert_eq!(named.status, 400, "{}", named.body);

    // Keys that repeat requests are kept apart, also between clients of one name.
    let job = |client: &Client| {
        let answer =
            client.submit(&served, &[("idempotency-key", "1")], r#"{"batch":"again","image":{"base64":"QUJD"}}"#);
        answer.json()["job_id"].clone()
    };
    assert_eq!(job(&acme), job(&acme));
    job(&globex);
    for client in [&acme, &globex] {
        assert_eq!(client.get(&served, "/v1/batches/again").json()["total"], 1);
    }
    assert_eq!(bench.run(&["results", "--tenant", "acme", "--format", "json"]).lines().len(), 1);
    assert_eq!(bench.run(&["results", "--format", "json"]).lines().len(), 0, "the default tenant has none");
    assert_eq!(bench.run(&["batches", "--tenant", "globex", "--format", "json"]).lines().len(), 2);

    // The log names who asked.
    assert_eq!(served.ask("GET", &result, &[], b"").status, 401);
    let (_, log) = served.stop();
    let answers = |words: &[&str]| log.lines().filter(|line| words.iter().all(|word| line.contains(word))).count();
    assert!(answers(&["answered", &colleague.ak, "acme-mobile", "127.0.0.1:"]) == 1, "{log}");
    assert!(answers(&["answered", &globex.ak]) > 5, "{log}");
    let nobody = log.lines().rfind(|line| line.contains("answered")).unwrap();
    assert!(!nobody.contains("client=") && nobody.contains("127.0.0.1:"), "{nobody}");
}

#[test]
fn is_ready_while_broker_and_database_answer() {
    let bench = Bench::new();
    let ready = |away: &[(&str, &str)]| {
        let mut command = bench.command(&["serve", "--listen", "127.0.0.1:0", "--threads", "1"]);
        let served = Served::start(command.envs(away.iter().copied()));
        let answer = served.ask("GET", "/readyz", &[], b"");
        (answer.status, answer.body.trim().to_owned())
    };
    // Nothing listens there.
    let (broker, database) =
        (("SHENFEN_BROKER", "amqp://127.0.0.1:1/"), ("SHENFEN_DATABASE", "postgres://127.0.0.1:1/a"));
    assert_eq!(ready(&[]), (200, "ready".to_owned()));
    assert_eq!(ready(&[broker]), (503, "no broker".to_owned()));
    assert_eq!(ready(&[database]), (503, "no database".to_owned()));
}

#[test]
fn job_sent_twice_is_one_job() {
    let bench = Bench::new();
    let served = serve(&bench);
    let job = |key: &str| {
        let body = r#"{"v":1,"image":{"base64":"QUJD"}}"#;
        submit(&served, &[("idempotency-key", key)], body).json()["job_id"].as_str().unwrap().to_owned()
    };
    assert_eq!(job("a"), job("a"));
    assert_ne!(job("a"), job("b"));
    let batch = served.ask("GET", "/v1/batches/default", &[], b"").json();
    assert_eq!(batch["total"], 2);
}

#[test]
fn failed_job_gives_its_reason() {
    let bench = Bench::new();
    let served = serve(&bench);
    let id = submit(&served, &[], r#"{"image":{"path":"a.jpg"}}"#).json()["job_id"].as_str().unwrap().to_owned();
    let job = job_of(&bench.take_job());
    let dead = Outcome::Dead { reason: "it could not be fetched".into() };
    bench.block_on(async |store, _| store.complete(&[finished(&job, dead)]).await.map(drop).unwrap());
    let gone = served.ask("GET", &format!("/v1/results/{id}"), &[], b"");
    assert_eq!(gone.status, 410);
    assert!(gone.json()["detail"].as_str().unwrap().contains("could not be fetched"));
    for unknown in
        ["/v1/results/7d5f7c0e-0000-4000-8000-000000000000", "/v1/results/x", "/v1/batches/x", "/v1/batches/%00"]
    {
        let answer = served.ask("GET", unknown, &[], b"");
        assert_eq!((answer.status, answer.head.contains("application/problem+json")), (404, true), "{unknown}");
    }
}
