use std::time::Duration;

use lapin::options::QueueDeleteOptions;
use shenfen_queue::{Consumer, ConsumerSettings, Publisher, Settled};

use crate::relay::Relay;
use crate::world::{World, body, job, jobs, publish_surely, receive, receive_all, soon};

#[tokio::test]
async fn a_cut_connection_loses_nothing_that_was_not_acknowledged() {
    let world = World::new();
    let relay = Relay::to(world.address()).await;
    for outcome in world.publisher().publish_all(&jobs(10)).await {
        outcome.unwrap();
    }
    let (consumer, mut deliveries) = Consumer::start(world.through(relay.address), ConsumerSettings { prefetch: 3 });
    let done = receive(&mut deliveries).await;
    let held = receive(&mut deliveries).await;
    assert_eq!(done.ack().await, Settled::Sent);
    relay.cut();
    came_back(&consumer, 1).await;
    assert!(!held.is_live());
    assert_eq!(held.ack().await, Settled::Lost);
    receive_all(&mut deliveries, (1..10).map(|number| format!("job {number}"))).await;
    consumer.stop().await;
    world.until_depth(0, 0).await;
    world.remove().await;
}

#[tokio::test]
async fn a_network_that_swallows_everything_is_noticed_and_survived() {
    let world = World::new();
    let relay = Relay::to(world.address()).await;
    let broker = world.through(relay.address);
    let publisher = Publisher::new(broker.clone());
    publisher.check().await.unwrap();
    let (consumer, mut deliveries) = Consumer::start(broker, ConsumerSettings { prefetch: 3 });
    soon(consumer.consuming()).await;
    relay.swallow(true);
    let mut watch = consumer.watch();
    soon(watch.wait_for(|health| health.last_error.is_some())).await.unwrap();
    let error = soon(publisher.publish(&job("swallowed"))).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    relay.swallow(false);
    came_back(&consumer, 1).await;
    publish_surely(&publisher, &job("carried")).await;
    receive_all(&mut deliveries, ["carried".to_owned()].into_iter()).await;
    world.remove().await;
}

#[tokio::test]
async fn a_deleted_queue_is_declared_again_and_consumed() {
    let world = World::new();
    let (consumer, mut deliveries) = world.consumer(3).await;
    let (_connection, stranger) = world.stranger().await;
    let queue = world.broker.topology.jobs_queue();
    stranger.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
    came_back(&consumer, 1).await;
    assert!(consumer.health().last_error.unwrap().contains(&queue));
    world.publisher().publish(&job("one")).await.unwrap();
    let delivery = receive(&mut deliveries).await;
    assert_eq!(body(&delivery), "one");
    let _ = delivery.ack().await;
    world.remove().await;
}

#[tokio::test]
async fn nothing_confirmed_is_lost_over_many_cuts() {
    let world = World::new();
    let relay = Relay::to(world.address()).await;
    let broker = world.through(relay.address);
    let (consumer, mut deliveries) = Consumer::start(broker.clone(), ConsumerSettings { prefetch: 20 });
    let publishing = tokio::spawn(async move {
        let publisher = Publisher::new(broker);
        for number in 0..500 {
            publish_surely(&publisher, &job(&number.to_string())).await;
        }
    });
    let cutting = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            relay.cut();
        }
    });
    let count = receive_all(&mut deliveries, (0..500).map(|number| number.to_string())).await;
    publishing.await.unwrap();
    cutting.abort();
    println!("{count} deliveries of 500 jobs over {} reconnects", consumer.health().reconnects);
    assert!(consumer.health().reconnects > 0);
    world.remove().await;
}

async fn came_back(consumer: &Consumer, times: u64) {
    soon(consumer.watch().wait_for(|health| health.reconnects >= times)).await.unwrap();
    soon(consumer.consuming()).await;
}
