//! The service from outside, in this process: real broker, real database, a reader that reads nothing.

#![expect(clippy::unwrap_used, reason = "test code, its helpers too")]

mod world;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use shenfen_core::{Status, Tenant};
use shenfen_keyring::{Keyring, Recipients, SharedKeyring};
use shenfen_queue::{Filter, Image, Message, Outgoing, RetryStep, Route};
use shenfen_store::{BatchState, Dispatch, Finished, JobStatus, JobStore, Jobs, Outcome, ResultFilter, Results};
use shenfen_tests::{StubPictures, stub};
use shenfen_worker::service::{Images, WebHosts, job_of};
use time::OffsetDateTime;
use world::{World, message, soon};

#[tokio::test(flavor = "multi_thread")]
async fn job_becomes_a_row_and_is_acknowledged() {
    let world = World::new().await;
    let running = world.start(2);
    let one = Message { reference: Some("customer-42".into()), ..message("one") };
    world.publish(&one).await;
    let rows = world.until_results(1).await;
    assert_eq!((rows[0].batch.as_str(), rows[0].reference.as_deref()), ("test", Some("customer-42")));
    assert_eq!((rows[0].attempts, rows[0].source.as_str()), (1, "inline"));
    world.until_quiet().await;
    assert_eq!(running.stop().await.stored, 1);
    world.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicate_jobs_are_read_once() {
    let world = World::new().await;
    let running = world.start(2);
    for _ in 0..20 {
        world.publish(&message("one")).await;
    }
    world.until_quiet().await;
    assert_eq!(world.until_results(1).await.len(), 1);
    running.stop().await;
    world.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_message_becomes_a_dead_letter() {
    let world = World::new().await;
    let running = world.start(1);
    world.publish_raw(b"{\"v\": 2}".to_vec(), Some("strange".into())).await;
    let letters = world.until_dead(1).await;
    assert_eq!((letters[0].message_id.as_deref(), letters[0].reason.as_str()), (Some("strange"), "v must be 1"));
    world.until_quiet().await;
    running.stop().await;
    world.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn panic_makes_the_job_dead() {
    let world = World::new().await;
    let running = world.start(1);
    let panicking = Message { image: Image::Inline(stub::PANICKING.to_vec()), ..message("panicking") };
    world.publish(&panicking).await;
    world.publish(&message("next")).await;
    let letters = world.until_dead(1).await;
    assert_eq!(letters[0].job, Some(panicking.key()));
    assert!(letters[0].reason.starts_with("the reader failed at "), "{}", letters[0].reason);
    assert_eq!(world.until_results(1).await.len(), 1, "its neighbour is read");
    world.until_quiet().await;
    assert_eq!(world.progress().await.dead, 1);
    running.stop().await;
    world.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn message_that_names_another_tenant_is_no_job_of_that_tenant() {
    let world = World::new().await;
    // A job of that tenant that has failed, so that its record could be changed.
    let acme: Tenant = "acme".parse().unwrap();
    let theirs = message("theirs").of_tenant(acme);
    let dead = Outcome::Dead { reason: "a test".into() };
    world.store.complete(&[Finished { job: job_of(&theirs), attempt: 1, outcome: dead }]).await.unwrap();
    let new = message("new").of_tenant(acme);
    let running = world.start(1);
    world.publish(&theirs).await;
    world.publish(&new).await;
    for letter in world.until_dead(2).await {
        assert_eq!((letter.job, letter.refused), (None, true));
        assert!(letter.reason.starts_with("tenant must be one"), "{}", letter.reason);
    }
    running.stop().await;
    let store = world.store.of_tenant(acme);
    let unchanged = |state: Option<JobStatus>| matches!(state, Some(JobStatus::Dead { reason }) if reason == "a test");
    assert!(unchanged(store.status(theirs.job_id).await.unwrap()));
    assert!(store.status(new.job_id).await.unwrap().is_none());

    // Once a worker may take the tenant's jobs, what was refused can be published again.
    assert_eq!(world.redrive(&Filter::Refused).await, 2);
    let running = world.start_for("acme".parse().unwrap());
    soon(async {
        while !matches!(store.status(new.job_id).await.unwrap(), Some(JobStatus::Done(_))) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    world.until_quiet().await;
    assert!(unchanged(store.status(theirs.job_id).await.unwrap()), "a job that has ended is not begun again");
    running.stop().await;
    world.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unavailable_picture_gets_a_result_with_the_reason() {
    let world = World::new().await;
    let running = world.start(1);
    world.publish(&Message { image: Image::Path("../etc/passwd".into()), ..message("path") }).await;
    let rows = world.until_results(1).await;
    assert!(rows[0].result.contains("path_refused"), "{}", rows[0].result);
    world.until_quiet().await;
    running.stop().await;
    world.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn temporarily_unavailable_picture_is_retried() {
    let world = World::new().await;
    let root = tempfile::tempdir().unwrap();
    let images = root.path().join("images");
    std::fs::create_dir(&images).unwrap();
    let running = world.start_below(1, &images);
    // The root goes away, as a network folder does.
    std::fs::rename(&images, root.path().join("away")).unwrap();
    world.publish(&Message { image: Image::Path("a.jpg".into()), ..message("later") }).await;
    soon(async {
        while world.depth().await.retries[0] != (RetryStep::Seconds5, 1) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    std::fs::rename(root.path().join("away"), &images).unwrap();
    std::fs::write(images.join("a.jpg"), b"one").unwrap();
    let rows = world.until_results(1).await;
    assert_eq!(rows[0].attempts, 1, "the first attempt was taken back: it was not the job's fault");
    world.until_quiet().await;
    running.stop().await;
    world.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_picture_is_read_and_waits_for_its_key() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let seal = |keyring: &Keyring, name: &str| {
        let recipients: Recipients = keyring.newest().recipient().parse().unwrap();
        message(name).with_sealed(recipients.seal(name.as_bytes()).unwrap())
    };
    let first = Keyring::create(&path, OffsetDateTime::UNIX_EPOCH).unwrap();
    let images = Images::default().sealed_for(SharedKeyring::read(&path).unwrap());
    let running = world.start_with(1, images, StubPictures::default());
    world.publish(&seal(&first, "one")).await;
    assert_eq!(world.until_results(1).await[0].attempts, 1);

    // A key that this worker is given only later.
    let other = folder.path().join("other.json");
    std::fs::copy(&path, &other).unwrap();
    let second = Keyring::rotate(&other, OffsetDateTime::UNIX_EPOCH).unwrap();
    world.publish(&seal(&second, "two")).await;
    soon(async {
        while world.depth().await.retries[0] != (RetryStep::Seconds5, 1) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    std::fs::rename(&other, &path).unwrap();
    world.until_results(2).await;
    world.until_quiet().await;
    running.stop().await;
    world.remove().await;
}

/// Serves one picture of so many bytes to whoever connects, and says where.
fn serve_picture(bytes: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(&vec![b'x'; bytes]);
        }
    });
    host
}

#[tokio::test(flavor = "multi_thread")]
async fn fetched_pictures_obey_the_readers_size_limit() {
    let world = World::new().await;
    let most = shenfen_ocr::Limits::default().max_bytes + 1;
    let [largest, too_large] = [most, most + 1].map(serve_picture);
    let hosts = WebHosts::new(&[largest.clone(), too_large.clone()], true, None).unwrap();
    let reader = StubPictures::default().with_max_bytes(most);
    let running = world.start_with(1, Images::default().from_web(Tenant::DEFAULT, hosts), reader);
    for (name, host) in [("largest", largest), ("too large", too_large)] {
        world.publish(&Message { image: Image::Url(format!("{host}/a.jpg")), ..message(name) }).await;
    }
    let rows = world.until_results(2).await;
    let mut statuses: Vec<Status> = rows.iter().map(|row| row.status).collect();
    statuses.sort_by_key(|status| *status != Status::Ok);
    assert_eq!(statuses, [Status::Ok, Status::ImageInvalidSize]);
    running.stop().await;
    world.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_batch_waits_and_cancelled_batch_ends() {
    let world = World::new().await;
    let running = world.start(1);
    world.publish(&message("first")).await;
    world.until_results(1).await;
    world.store.set_batch_state("test", BatchState::Paused).await.unwrap();
    world.publish(&message("paused")).await;
    soon(async {
        while world.depth().await.retries[1] != (RetryStep::Seconds30, 1) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    world.store.set_batch_state("test", BatchState::Cancelled).await.unwrap();
    world.publish(&message("cancelled")).await;
    soon(async {
        while world.depth().await.jobs > 0 || world.progress().await.open() > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(world.store.page(&ResultFilter::default(), 0, 10).await.unwrap().len(), 1);
    running.stop().await;
    world.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_finishes_reading_and_releases_the_rest_uncounted() {
    let world = World::new().await;
    // Longer than two heartbeats of two seconds: the connection must live through the drain.
    let slow = |name: &str| Message { image: Image::Inline(b"slow 5000".to_vec()), ..message(name) };
    for name in ["a", "b", "c", "d", "e", "f"] {
        world.publish(&slow(name)).await;
    }
    let running = world.start(1);
    world.until_running(1).await;
    let report = running.stop().await;
    assert_eq!((report.stored, report.abandoned), (1, 0));
    assert_eq!(world.store.page(&ResultFilter::default(), 0, 10).await.unwrap().len(), 1);
    soon(async {
        while world.depth().await.jobs != 5 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let attempts = world.query("SELECT max(attempts) FROM jobs WHERE state <> 'done'").await;
    assert!(["0", ""].contains(&attempts.as_str()), "{attempts}");
    world.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn job_that_the_broker_gave_up_has_its_end() {
    let world = World::new().await;
    let lost = message("lost");
    world.give_up(&lost).await;
    assert_eq!(world.progress().await.open(), 1);
    let running = world.start(1);
    soon(async {
        while world.progress().await.open() > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(world.progress().await.dead, 1);
    assert_eq!(world.until_dead(1).await.len(), 1, "its dead letter stays");
    running.stop().await;
    world.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exhausted_job_becomes_a_dead_letter() {
    let world = World::new().await;
    let deadly = message("worn");
    // What ten ended workers leave behind.
    world.begin_without_end(&deadly, 10).await;
    let running = world.start(1);
    world.publish_as(Outgoing { route: Route::Jobs, ..world::outgoing(&deadly) }).await;
    let letters = world.until_dead(1).await;
    assert_eq!(letters[0].reason, "reading it ended the worker 10 times");
    world.until_quiet().await;
    running.stop().await;
    world.remove().await;
}
