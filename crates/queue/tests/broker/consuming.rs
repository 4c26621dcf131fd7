use std::time::{Duration, Instant};

use shenfen_queue::{Consumer, Outgoing, Phase, RetryStep, Route, Settled};

use crate::world::{World, body, job, jobs, receive, receive_all, soon};

#[tokio::test]
async fn requeued_delivery_is_redelivered_and_counted() {
    let world = World::new();
    world.publisher().publish(&job("one")).await.unwrap();
    let (_consumer, mut deliveries) = world.consumer(1).await;
    assert_eq!(receive(&mut deliveries).await.requeue().await, Settled::Sent);
    let again = receive(&mut deliveries).await;
    assert_eq!((body(&again).as_str(), again.redelivered, again.deliveries), ("one", true, 1));
    let _ = again.ack().await;
    world.remove().await;
}

#[tokio::test]
async fn dropped_delivery_is_redelivered() {
    let world = World::new();
    world.publisher().publish(&job("one")).await.unwrap();
    let (_consumer, mut deliveries) = world.consumer(1).await;
    drop(receive(&mut deliveries).await);
    let again = receive(&mut deliveries).await;
    assert!(again.redelivered);
    let _ = again.ack().await;
    world.remove().await;
}

#[tokio::test]
async fn prefetch_limits_unsettled_deliveries() {
    let world = World::new();
    for outcome in world.publisher().publish_all(&jobs(10)).await {
        outcome.unwrap();
    }
    let (_consumer, mut deliveries) = world.consumer(3).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(receive(&mut deliveries).await);
    }
    // The prefetch is used up: the other seven are still ready.
    world.until_depth(7, 0).await;
    assert!(deliveries.try_recv().is_err());
    let _ = held.remove(0).ack().await;
    let _ = receive(&mut deliveries).await.ack().await;
    world.remove().await;
}

#[tokio::test]
async fn retry_is_redelivered_unchanged_after_its_delay() {
    let world = World::new();
    let reason = Some("database away".to_owned());
    let retry = Outgoing { route: Route::Retry(RetryStep::Seconds5), failures: 2, reason, ..job("one") };
    let (_consumer, mut deliveries) = world.consumer(1).await;
    let began = Instant::now();
    world.publisher().publish(&retry).await.unwrap();
    let delivery = receive(&mut deliveries).await;
    assert!(began.elapsed() >= Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(
        (delivery.body.clone(), delivery.message_id.clone(), delivery.failures),
        (retry.body, retry.message_id, 2)
    );
    assert!(!delivery.redelivered);
    let _ = delivery.ack().await;
    world.remove().await;
}

#[tokio::test]
async fn paused_consumer_receives_nothing_and_can_settle() {
    let world = World::new();
    for outcome in world.publisher().publish_all(&jobs(5)).await {
        outcome.unwrap();
    }
    let (consumer, mut deliveries) = world.consumer(2).await;
    let held = receive(&mut deliveries).await;
    consumer.pause();
    soon(phase(&consumer, Phase::Paused)).await;
    assert_eq!(held.ack().await, Settled::Sent);
    // A second one may have been handed out before the pause; all others are ready again.
    let second = deliveries.try_recv().ok();
    let settled = if second.is_some() { 2 } else { 1 };
    world.until_depth(5 - settled, 0).await;
    if let Some(second) = second {
        assert_eq!(second.ack().await, Settled::Sent);
    }
    assert!(deliveries.try_recv().is_err());

    consumer.resume();
    receive_all(&mut deliveries, (settled..5).map(|number| format!("job {number}"))).await;
    assert_eq!(consumer.health().reconnects, 0);
    world.remove().await;
}

#[tokio::test]
async fn drained_consumer_receives_nothing_and_can_settle() {
    let world = World::new();
    for outcome in world.publisher().publish_all(&jobs(20)).await {
        outcome.unwrap();
    }
    let (consumer, mut deliveries) = world.consumer(4).await;
    let mut held = vec![receive(&mut deliveries).await];
    soon(consumer.drain()).await;
    while let Some(delivery) = soon(deliveries.recv()).await {
        held.push(delivery);
    }
    assert!(held.len() <= 4);
    let count = held.len() as u32;
    for delivery in held {
        assert_eq!(delivery.ack().await, Settled::Sent);
    }
    consumer.resume();
    assert_eq!(consumer.health().phase, Phase::Drained);
    consumer.stop().await;
    world.until_depth(20 - count, 0).await;
    world.remove().await;
}

#[tokio::test]
async fn unsettled_deliveries_of_a_stopped_consumer_are_redelivered() {
    let world = World::new();
    world.publisher().publish(&job("one")).await.unwrap();
    let (first, mut deliveries) = world.consumer(1).await;
    let held = receive(&mut deliveries).await;
    first.stop().await;
    let (_second, mut deliveries) = world.consumer(1).await;
    let again = receive(&mut deliveries).await;
    assert!(again.redelivered && !held.is_live());
    assert_eq!(held.ack().await, Settled::Lost);
    assert_eq!(again.ack().await, Settled::Sent);
    world.remove().await;
}

#[tokio::test]
async fn dropping_the_handle_stops_the_consumer() {
    let world = World::new();
    let (consumer, mut deliveries) = world.consumer(1).await;
    drop(consumer);
    assert!(soon(deliveries.recv()).await.is_none());
    world.remove().await;
}

async fn phase(consumer: &Consumer, phase: Phase) {
    consumer.watch().wait_for(|health| health.phase == phase).await.unwrap();
}
