use std::collections::HashSet;

use shenfen_core::{JobKey, RequestedSide, Tenant};
use shenfen_queue::{DeadLetters, Filter, Image, Message, Outgoing, Route};
use uuid::Uuid;

use crate::world::{World, body, job, receive};

fn key(number: u128) -> JobKey {
    JobKey { tenant: Tenant::DEFAULT, id: Uuid::from_u128(number).into() }
}

fn dead(number: u128, batch: &str, reason: &str) -> Outgoing {
    let message = Message {
        tenant: Tenant::DEFAULT,
        job_id: Uuid::from_u128(number).into(),
        batch: batch.to_owned(),
        reference: Some(format!("customer {number}")),
        side: RequestedSide::Auto,
        image: Image::Path("a.jpg".to_owned()),
    };
    Outgoing {
        route: Route::Dead,
        body: message.to_json(),
        message_id: Some(message.job_id.to_string()),
        failures: 4,
        reason: Some(reason.to_owned()),
    }
}

async fn with_three_dead() -> (World, DeadLetters) {
    let world = World::new();
    let letters = [
        dead(1, "spring", "picture gone"),
        dead(2, "spring", "worker died on it"),
        // At-least-once dead lettering may duplicate one.
        dead(2, "spring", "worker died on it"),
        Outgoing { route: Route::Dead, reason: Some("message is not JSON".to_owned()), ..job("rubbish") },
    ];
    for outcome in world.publisher().publish_all(&letters).await {
        outcome.unwrap();
    }
    let dead = DeadLetters::new(world.broker.clone());
    (world, dead)
}

#[tokio::test]
async fn lists_dead_letters_without_removing_them() {
    let (world, dead) = with_three_dead().await;
    for _ in 0..2 {
        let letters = dead.list(100).await.unwrap();
        assert_eq!(letters.len(), 3);
        assert_eq!(letters[0].job, Some(key(1)));
        assert_eq!(
            (letters[0].batch.as_deref(), letters[0].reference.as_deref()),
            (Some("spring"), Some("customer 1"))
        );
        assert_eq!((letters[0].reason.as_str(), letters[0].failures), ("picture gone", 4));
        assert!(letters[0].at.is_some());
        assert_eq!((letters[2].job, letters[2].reason.as_str()), (None, "message is not JSON"));
    }
    assert_eq!(dead.list(1).await.unwrap().len(), 1);
    world.until_depth(0, 4).await;
    world.remove().await;
}

#[tokio::test]
async fn redrives_matching_letters_only() {
    let (world, dead) = with_three_dead().await;
    assert_eq!(dead.redrive(&Filter::Jobs(HashSet::from([Uuid::from_u128(1).into()]))).await.unwrap(), 1);
    let (_consumer, mut deliveries) = world.consumer(10).await;
    let delivery = receive(&mut deliveries).await;
    let message = Message::parse(&delivery.body, delivery.message_id.as_deref()).unwrap();
    assert_eq!((message.job_id, delivery.failures), (Uuid::from_u128(1).into(), 0));
    let _ = delivery.ack().await;
    world.until_depth(0, 3).await;

    assert_eq!(dead.redrive(&Filter::Batch("autumn".to_owned())).await.unwrap(), 0);
    // Of a duplicate, each call redrives one.
    assert_eq!(dead.redrive(&Filter::Reason("worker".to_owned())).await.unwrap(), 1);
    assert_eq!(dead.redrive(&Filter::All).await.unwrap(), 2);
    for _ in 0..3 {
        let _ = receive(&mut deliveries).await.ack().await;
    }
    world.until_depth(0, 0).await;
    world.remove().await;
}

#[tokio::test]
async fn purges_matching_letters_only() {
    let (world, dead) = with_three_dead().await;
    assert_eq!(dead.purge(&Filter::Batch("spring".to_owned())).await.unwrap(), 3);
    world.until_depth(0, 1).await;
    assert_eq!(dead.purge(&Filter::All).await.unwrap(), 1);
    assert_eq!(dead.list(10).await.unwrap(), []);
    world.remove().await;
}

#[tokio::test]
async fn unsettled_message_is_dead_lettered_by_the_broker() {
    let world = World::new();
    world.publisher().publish(&job("poison")).await.unwrap();
    let (consumer, mut deliveries) = world.consumer(1).await;
    // As often as the delivery limit allows, and once more.
    for count in 0..=20 {
        let delivery = receive(&mut deliveries).await;
        assert_eq!((body(&delivery).as_str(), delivery.deliveries), ("poison", count));
        let _ = delivery.requeue().await;
    }
    world.until_depth(0, 1).await;
    let letters = DeadLetters::new(world.broker.clone()).list(10).await.unwrap();
    assert_eq!(letters[0].reason, "reached the delivery limit without an acknowledgement");
    consumer.stop().await;
    world.remove().await;
}
