//! Jobs and results without broker or database: what is refused, and how.

use crate::world::{Answer, Setup, World, request};

#[track_caller]
fn is_problem(answer: &Answer, status: u16, words: &str) {
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (status, Some("application/problem+json")),
        "{answer:?}"
    );
    let problem = answer.json();
    assert_eq!((&problem["status"], &problem["type"]), (&status.into(), &"about:blank".into()));
    assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
}

#[test]
fn names_the_missing_broker_or_database() {
    let world = World::new();
    is_problem(&world.post("/v1/jobs", "application/json", r#"{"image":{"base64":"QUJD"}}"#), 503, "without a broker");
    for path in ["/v1/results/7d5f7c0e-0000-4000-8000-000000000000", "/v1/batches/kyc"] {
        is_problem(&world.get(path), 503, "without a database");
    }
}

#[test]
fn invalid_job_is_refused_before_publishing() {
    let broker = shenfen_queue::Broker::new("amqp://127.0.0.1:1/".parse().unwrap());
    let publisher = shenfen_queue::Publisher::new(broker);
    let world = World::with(Setup::default(), |service| service.publisher = Some(publisher));
    let post = |body: &str| world.post("/v1/jobs", "application/json", body);
    is_problem(&post("nonsense"), 400, "not JSON");
    is_problem(&post("{}"), 400, "image must be");
    is_problem(&post(r#"{"v":2,"image":{"base64":"QUJD"}}"#), 400, "v must be 1");
    is_problem(&post(r#"{"image":{"base64":"*"}}"#), 400, "image.base64 must be");
    is_problem(&post(r#"{"side":"left","image":{"base64":"QUJD"}}"#), 400, "side must be");
    is_problem(&world.post("/v1/jobs", "text/plain", "x"), 415, "application/json");
    is_problem(&post(&" ".repeat((16 << 20) + 1)), 413, "too large");
    let refused = |key: &[(&str, &str)]| {
        let mut client = world.connect();
        client.send(&request("POST", "/v1/jobs", key, br#"{"image":{"base64":"QUJD"}}"#));
        client.answer().unwrap()
    };
    is_problem(&refused(&[("idempotency-key", "")]), 400, "1 to 200 ASCII characters");
    is_problem(&refused(&[("idempotency-key", "a"), ("idempotency-key", "a")]), 400, "must be given once");
    let unavailable = refused(&[("idempotency-key", "a")]);
    is_problem(&unavailable, 503, "does not accept jobs");
    assert!(unavailable.header("retry-after").is_some());
}
