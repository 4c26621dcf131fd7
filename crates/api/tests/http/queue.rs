//! The reading queue, and stopping the service.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use shenfen_api::ServerLimits;

use crate::world::{Client, FORM, Setup, World, picture_form, request};

/// Sends a picture and does not wait.
fn asks(world: &World, picture: &[u8]) -> Client {
    let mut client = world.connect();
    client.send(&request("POST", "/v1/ocr_cn", &[("content-type", FORM)], picture_form(picture).as_bytes()));
    client
}

#[test]
fn full_queue_refuses_and_a_disconnect_frees_a_place() {
    let world = World::with(Setup { depth: 1, ..Setup::default() }, |_| {});
    let mut reading = asks(&world, b"hold");
    world.begun.recv().unwrap();
    let waiting = asks(&world, b"hold");
    world.wait_for("shenfen_line_waiting ", 1.0);
    world.picture("/v1/ocr_cn", b"card").is("RETRY_LATER");
    let answer = world.picture("/v1/ocr_cn?detail=1", b"card");
    assert_eq!((answer.json()["status"].as_str(), answer.header("retry-after")), (Some("RETRY_LATER"), Some("1")));
    assert_eq!(
        world.form("/idcard", "id=330825197801104539").json()["status"],
        "ok",
        "numbers do not wait in the queue"
    );

    drop(waiting);
    world.wait_for("shenfen_line_waiting ", 0.0);
    let mut next = asks(&world, b"card");
    world.wait_for("shenfen_line_waiting ", 1.0);
    world.go();
    assert_eq!(reading.answer().unwrap().json()["status"], "OK");
    assert_eq!(next.answer().unwrap().json()["status"], "OK");
    assert!(world.begun.try_recv().is_err(), "a picture that nobody waits for is not read");
    assert_eq!(world.picture("/v1/ocr_cn", b"card").json()["status"], "OK");
}

#[test]
fn waiting_ends_at_the_deadline() {
    let world = World::with(Setup { deadline: Duration::from_millis(100), ..Setup::default() }, |_| {});
    asks(&world, b"hold").answer().unwrap().is("RETRY_LATER");
    world.picture("/v1/ocr_cn", b"card").is("RETRY_LATER");
    world.begun.recv().unwrap();
    world.go();
    world.wait_for("shenfen_line_reading ", 0.0);
    assert_eq!(world.picture("/v1/ocr_cn", b"card").json()["status"], "OK");
}

#[test]
fn stop_finishes_accepted_requests() {
    let mut world = World::new();
    let mut idle = world.connect();
    idle.send(&request("GET", "/livez", &[], b""));
    assert_eq!(idle.answer().unwrap().status, 200);
    let mut reading = asks(&world, b"hold");
    world.begun.recv().unwrap();
    let mut waiting = asks(&world, b"card");
    world.wait_for("shenfen_line_waiting ", 1.0);

    world.stop();
    assert!(idle.is_closed());
    while TcpStream::connect(world.address).is_ok() {
        std::thread::yield_now();
    }
    world.go();
    for client in [&mut reading, &mut waiting] {
        assert_eq!(client.answer().unwrap().json()["status"], "OK");
        assert!(client.is_closed());
    }
    assert_eq!(world.ended(), 0);
}

#[test]
fn stop_is_bounded_by_the_drain_time() {
    let server = ServerLimits { drain: Duration::from_millis(100), ..ServerLimits::default() };
    let mut world = World::with(Setup { server, ..Setup::default() }, |_| {});
    let _reading = asks(&world, b"hold");
    world.begun.recv().unwrap();
    world.stop();
    assert_eq!(world.ended(), 1);
}

#[test]
fn half_closed_client_counts_as_disconnected() {
    let world = World::with(Setup { depth: 1, ..Setup::default() }, |_| {});
    let _reading = asks(&world, b"hold");
    world.begun.recv().unwrap();
    let mut half = asks(&world, b"card");
    world.wait_for("shenfen_line_waiting ", 1.0);
    half.stream.get_mut().flush().unwrap();
    half.stream.get_mut().shutdown(Shutdown::Write).unwrap();
    world.wait_for("shenfen_line_waiting ", 0.0);
    world.go();
}
