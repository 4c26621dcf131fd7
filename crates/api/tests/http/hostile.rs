//! Broken, slow or malicious clients: each gets the right response or none, and the next one is served.

use std::io::Write;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use shenfen_api::{BodyLimits, ServerLimits};

use crate::world::{Client, FORM, LONG, Setup, World, picture_form, request};

/// Long enough for a well-behaved client on one machine, short enough for a test to wait for.
const SHORT: Duration = Duration::from_millis(300);

#[track_caller]
fn the_next_is_served(world: &World) {
    assert_eq!(world.picture("/v1/ocr_cn", b"card").json()["status"], "OK");
}

fn head(length: &str) -> Vec<u8> {
    format!("POST /v1/ocr_cn HTTP/1.1\r\nhost: h\r\ncontent-type: {FORM}\r\n{length}\r\n\r\n").into_bytes()
}

#[test]
fn endless_headers_time_out() {
    let server = ServerLimits { headers: SHORT, ..ServerLimits::default() };
    let world = World::with(Setup { server, ..Setup::default() }, |_| {});
    let mut silent = world.connect();
    let mut slow = world.connect();
    slow.send(b"POST /v1/ocr_cn HTTP/1.1\r\nhost: ");
    let begin = Instant::now();
    while begin.elapsed() < LONG && slow.stream.get_mut().write_all(b"x").is_ok() {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(slow.is_closed() && silent.is_closed());
    the_next_is_served(&world);
}

#[test]
fn endless_body_times_out() {
    let limits =
        [BodyLimits { pause: SHORT, ..BodyLimits::default() }, BodyLimits { whole: SHORT, ..BodyLimits::default() }];
    for bodies in limits {
        let world = World::with(Setup { bodies, ..Setup::default() }, |_| {});
        let mut client = world.connect();
        client.send(&head("content-length: 1000"));
        client.send(b"img=QUJD");
        client.answer().unwrap().is("INVALID_REQUEST");
        assert!(client.is_closed(), "the rest of the body is no request");
        the_next_is_served(&world);
    }
}

#[test]
fn truncated_or_misframed_body_is_refused() {
    let world = World::new();
    for length in ["content-length: 1000", "transfer-encoding: chunked"] {
        let mut client = world.connect();
        client.send(&head(length));
        client.send(b"5\r\nimg=Q\r\n");
        client.stream.get_mut().shutdown(Shutdown::Write).unwrap();
        assert!(client.answer().is_none_or(|answer| answer.text.contains("INVALID_REQUEST")));
        the_next_is_served(&world);
    }
    let mut client = world.connect();
    client.send(&head("transfer-encoding: chunked"));
    client.send(b"nonsense\r\n");
    client.answer().unwrap().is("INVALID_REQUEST");
    for nonsense in
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
    {
        let mut client = world.connect();
        client.send(nonsense);
        assert!(client.answer().is_none_or(|answer| answer.status == 400 || answer.status == 505));
        the_next_is_served(&world);
    }
    let mut client = world.connect();
    client.send(b"GET /livez HTTP/1.1\r\nhost: h\r\n");
    let _ = client.stream.get_mut().write_all(&b"x: 0123456789\r\n".repeat(10_000));
    assert!(client.answer().is_none_or(|answer| answer.status == 431));
    the_next_is_served(&world);
}

#[test]
fn refuses_a_hundred_megabytes_without_buffering_them() {
    // All bodies together may take as much memory as one picture.
    let bodies = BodyLimits { memory: 9 << 20, ..BodyLimits::default() };
    let world = World::with(Setup { bodies, ..Setup::default() }, |_| {});
    let piece = vec![b'A'; 1 << 20];
    let mut client = world.connect();
    client.send(&head(&format!("content-length: {}", 100 << 20)));
    (0..100).for_each(|_| client.send(&piece));
    client.answer().unwrap().is("IMAGE_INVALID_SIZE");

    let mut client = world.connect();
    client.send(&head("transfer-encoding: chunked"));
    for _ in 0..100 {
        client.send(b"100000\r\n");
        client.send(&piece);
        client.send(b"\r\n");
    }
    client.send(b"0\r\n\r\n");
    client.answer().unwrap().is("IMAGE_INVALID_SIZE");

    let mut client = world.connect();
    client.send(&head("expect: 100-continue\r\ncontent-length: 100000000"));
    client.answer().unwrap().is("IMAGE_INVALID_SIZE");
    let mut client = world.connect();
    client.send(&head("content-length: 10000000000000"));
    client.answer().unwrap().is("IMAGE_INVALID_SIZE");
    the_next_is_served(&world);
}

#[test]
fn bodies_stay_within_the_memory_limit() {
    let bodies = BodyLimits { memory: 1 << 20, ..BodyLimits::default() };
    let world = World::with(Setup { bodies, ..Setup::default() }, |_| {});
    let body = picture_form(&vec![1; 600 << 10]);
    let whole = request("POST", "/v1/ocr_cn", &[("content-type", FORM)], body.as_bytes());
    let mut first = world.connect();
    first.send(&whole[..whole.len() - 1]);
    world.wait_for("shenfen_http_body_bytes ", whole.len().next_multiple_of(64 << 10) as f64);
    world.form("/v1/ocr_cn", &body).is("RETRY_LATER");
    assert_eq!(world.picture("/v1/ocr_cn", b"card").json()["status"], "OK", "a small one finds room");
    first.send(&whole[whole.len() - 1..]);
    assert_eq!(first.answer().unwrap().json()["status"], "OK");
    assert_eq!(world.form("/v1/ocr_cn", &body).json()["status"], "OK", "the room is free again");
}

#[test]
fn idle_connections_give_way_to_new_ones() {
    let for_ever = Duration::from_secs(24 * 3600);
    let server = ServerLimits { connections: 2, headers: for_ever, ..ServerLimits::default() };
    let world = World::with(Setup { server, ..Setup::default() }, |_| {});
    let mut silent: Vec<Client> = (0..2).map(|_| world.connect()).collect();
    the_next_is_served(&world);
    assert!(silent[0].is_closed(), "the one that was idle for longest");
    // One that has had an answer is idle as well.
    let mut served = world.connect();
    served.send(&request("GET", "/livez", &[], b""));
    assert_eq!(served.answer().unwrap().status, 200);
    let _others = [world.connect(), world.connect()];
    assert!(served.is_closed());
}

#[test]
fn connection_over_the_limit_waits_for_requests_under_way() {
    let server = ServerLimits { connections: 1, ..ServerLimits::default() };
    let world = World::with(Setup { server, ..Setup::default() }, |_| {});
    let mut first = world.connect();
    let body = picture_form(b"hold");
    first.send(&request("POST", "/v1/ocr_cn", &[("content-type", FORM)], body.as_bytes()));
    world.begun.recv().unwrap();
    let mut second = world.connect();
    second.send(&request("GET", "/livez", &[], b""));
    world.go();
    assert_eq!(first.answer().unwrap().json()["status"], "OK", "the request under way is finished");
    assert_eq!(second.answer().unwrap().status, 200);
}
