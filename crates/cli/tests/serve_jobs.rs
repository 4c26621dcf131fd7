//! `shenfen serve` beside a broker and a database, whose addresses are in `SHENFEN_TEST_BROKER` and
//! `SHENFEN_TEST_DATABASE`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[expect(dead_code, reason = "other tests need more of it")]
mod program;
#[expect(dead_code, reason = "other tests need more of it")]
mod served;
#[expect(dead_code, reason = "other tests need more of it")]
mod servers;

use served::{Answer, Served};
use servers::{Bench, finished, job_of, no_card};
use shenfen_queue::Image;
use shenfen_store::{JobStore, Jobs, Outcome};

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
