//! Tests that need a private broker, since they kill or starve it.

use shenfen_queue::{DeadLetters, Error, Settled};
use shenfen_tests::Rabbit;

use crate::world::{World, jobs, publish_surely, receive, receive_all, soon};

#[tokio::test]
async fn consumer_and_publisher_survive_a_broker_restart() {
    let mut rabbit = Rabbit::start().await.unwrap();
    let world = World::at(&rabbit.url());
    let publisher = world.publisher();
    for outcome in publisher.publish_all(&jobs(20)).await {
        outcome.unwrap();
    }
    let (consumer, mut deliveries) = world.consumer(5).await;
    let held = receive(&mut deliveries).await;

    rabbit.rabbitmqctl(&["close_all_connections", "maintenance"]).await.unwrap();
    soon(consumer.watch().wait_for(|health| health.reconnects == 1)).await.unwrap();
    assert_eq!(held.ack().await, Settled::Lost);
    assert!(consumer.health().last_error.unwrap().contains("maintenance"));

    rabbit.kill().unwrap();
    rabbit.restart().await.unwrap();
    soon(consumer.watch().wait_for(|health| health.reconnects == 2)).await.unwrap();
    publish_surely(&publisher, &crate::world::job("last")).await;
    let names = (0..20).map(|number| format!("job {number}")).chain(["last".to_owned()]);
    receive_all(&mut deliveries, names).await;

    rabbit.freeze().unwrap();
    soon(consumer.watch().wait_for(|health| health.phase == shenfen_queue::Phase::Connecting)).await.unwrap();
    rabbit.thaw().unwrap();
    soon(consumer.watch().wait_for(|health| health.reconnects == 3)).await.unwrap();
}

#[tokio::test]
async fn publishing_resumes_after_a_memory_alarm() {
    let rabbit = Rabbit::start().await.unwrap();
    let mut world = World::at(&rabbit.url());
    world.broker.limits.confirm = std::time::Duration::from_secs(2);
    let publisher = world.publisher();
    publisher.check().await.unwrap();

    // A full queue refuses single messages.
    let pattern = format!("^{}$", world.broker.topology.jobs_queue());
    rabbit.rabbitmqctl(&["set_policy", "full", &pattern, r#"{"max-length":1}"#, "--apply-to", "queues"]).await.unwrap();
    soon(async {
        loop {
            match publisher.publish(&crate::world::job("one")).await {
                Ok(()) => {}
                Err(Error::Rejected { .. }) => break,
                Err(error) => panic!("{error}"),
            }
        }
    })
    .await;
    rabbit.rabbitmqctl(&["clear_policy", "full"]).await.unwrap();

    // An alarm blocks only connections that publish.
    rabbit.rabbitmqctl(&["set_vm_memory_high_watermark", "absolute", "1"]).await.unwrap();
    let error = soon(async {
        loop {
            if let Err(error) = publisher.publish(&crate::world::job("two")).await {
                break error;
            }
        }
    })
    .await;
    assert!(error.is_transient(), "{error:?}");
    let (consumer, mut deliveries) = world.consumer(1).await;
    assert_eq!(receive(&mut deliveries).await.ack().await, Settled::Sent);
    let letters = DeadLetters::new(world.broker.clone());
    assert_eq!(letters.list(1).await.unwrap(), []);
    let error = publisher.publish(&crate::world::job("two")).await.unwrap_err();
    assert!(matches!(error, Error::Blocked), "{error:?}");

    rabbit.rabbitmqctl(&["set_vm_memory_high_watermark", "0.6"]).await.unwrap();
    publish_surely(&publisher, &crate::world::job("three")).await;
    receive_all(&mut deliveries, ["three".to_owned()].into_iter()).await;
    assert_eq!(consumer.health().reconnects, 0);
}
