use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use shenfen_queue::{Broker, Consumer, ConsumerSettings, Error, Outgoing, Publisher, Route, Settled};

use crate::world::{World, body, job, jobs, receive, soon};

#[tokio::test]
async fn published_message_is_delivered_once() {
    let world = World::new();
    let publisher = world.publisher();
    let message = Outgoing { failures: 3, ..job("one") };
    publisher.publish(&message).await.unwrap();
    let (consumer, mut deliveries) = world.consumer(10).await;

    let delivery = receive(&mut deliveries).await;
    assert_eq!(delivery.body, message.body);
    assert_eq!(delivery.message_id, message.message_id);
    assert_eq!((delivery.redelivered, delivery.deliveries, delivery.failures), (false, 0, 3));
    assert!(delivery.is_live());
    assert_eq!(delivery.ack().await, Settled::Sent);

    consumer.stop().await;
    world.until_depth(0, 0).await;
    world.remove().await;
}

#[tokio::test]
async fn publishes_a_batch_in_order() {
    let world = World::new();
    let batch = jobs(2000);
    for outcome in world.publisher().publish_all(&batch).await {
        outcome.unwrap();
    }
    let (_consumer, mut deliveries) = world.consumer(100).await;
    for message in &batch {
        let delivery = receive(&mut deliveries).await;
        assert_eq!(delivery.body, message.body);
        let _ = delivery.ack().await;
    }
    world.remove().await;
}

#[tokio::test]
async fn unroutable_message_is_reported() {
    let world = World::new();
    let publisher = world.publisher();
    publisher.check().await.unwrap();
    let (_connection, client) = world.plain_client().await;
    let topology = &world.broker.topology;
    let (queue, exchange) = (topology.jobs_queue(), topology.exchange());
    client.queue_unbind(queue.as_str().into(), exchange.into(), "jobs".into(), FieldTable::default()).await.unwrap();

    let mut batch = jobs(50);
    for message in batch.iter_mut().step_by(2) {
        message.route = Route::Dead;
    }
    for (outcome, message) in publisher.publish_all(&batch).await.into_iter().zip(&batch) {
        match message.route {
            Route::Dead => outcome.unwrap(),
            _ => assert!(matches!(outcome, Err(Error::Unroutable { .. })), "{outcome:?}"),
        }
    }
    // The publisher stays usable.
    publisher.publish(&Outgoing { route: Route::Dead, ..job("last") }).await.unwrap();
    world.until_depth(0, 26).await;
    world.remove().await;
}

#[tokio::test]
async fn too_large_message_does_not_affect_the_others() {
    let mut world = World::new();
    world.broker.limits.max_body = 5;
    let named = Outgoing { message_id: Some("x".repeat(256)), ..job("named") };
    let outcomes = world.publisher().publish_all(&[job("short"), job("too long"), job("brief"), named]).await;
    assert!(matches!(outcomes[1], Err(Error::TooLarge { bytes: 8, limit: 5 })), "{outcomes:?}");
    assert!(matches!(outcomes[3], Err(Error::LongMessageId { bytes: 256 })), "{outcomes:?}");
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok(), "{outcomes:?}");
    world.until_depth(2, 0).await;
    world.remove().await;
}

#[tokio::test]
async fn mismatched_queue_is_named_and_retried() {
    let world = World::new();
    let queue = world.broker.topology.jobs_queue();
    let (_connection, client) = world.plain_client().await;
    let classic = QueueDeclareOptions { durable: true, ..Default::default() };
    client.queue_declare(queue.as_str().into(), classic, FieldTable::default()).await.unwrap();

    let error = world.publisher().check().await.unwrap_err();
    assert!(matches!(&error, Error::Mismatch { name, .. } if *name == queue), "{error:?}");
    assert!(!error.is_transient() && error.to_string().contains("inequivalent arg"), "{error}");

    let (consumer, _deliveries) = Consumer::start(world.broker.clone(), ConsumerSettings { prefetch: 1 });
    let mut watch = consumer.watch();
    let health = soon(watch.wait_for(|health| health.last_error.is_some())).await.unwrap().clone();
    assert!(health.last_error.unwrap().contains(&queue));
    client.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
    soon(consumer.consuming()).await;
    world.remove().await;
}

#[tokio::test]
async fn refused_login_is_reported_without_the_password() {
    let world = World::new();
    let address = world.address();
    for url in [format!("amqp://guest:secret@{address}/"), format!("amqp://guest:guest@{address}/no-such-vhost")] {
        let error = check_at(&world.broker, &url).await;
        assert!(matches!(error, Error::Refused { .. }), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    }
    let error = check_at(&world.broker, "amqp://guest:secret@127.0.0.1:1/").await;
    assert!(matches!(error, Error::Unreachable { .. }) && error.is_transient(), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
}

async fn check_at(broker: &Broker, url: &str) -> Error {
    Publisher::new(Broker { url: url.parse().unwrap(), ..broker.clone() }).check().await.unwrap_err()
}

#[tokio::test]
async fn concurrent_batches_keep_their_own_outcomes() {
    let world = World::new();
    let publisher = world.publisher();
    publisher.check().await.unwrap();
    let (_connection, client) = world.plain_client().await;
    let topology = &world.broker.topology;
    let (queue, exchange) = (topology.jobs_queue(), topology.exchange());
    client.queue_unbind(queue.as_str().into(), exchange.into(), "jobs".into(), FieldTable::default()).await.unwrap();
    let tasks: Vec<_> = (0..40)
        .map(|number| {
            let (publisher, route) = (publisher.clone(), if number % 2 == 0 { Route::Dead } else { Route::Jobs });
            tokio::spawn(async move {
                let message = Outgoing { route, ..job("same name") };
                (route, publisher.publish(&message).await)
            })
        })
        .collect();
    for task in tasks {
        let (route, outcome) = task.await.unwrap();
        assert_eq!(outcome.is_ok(), route == Route::Dead, "{outcome:?}");
    }
    world.remove().await;
}

#[tokio::test]
async fn accepts_messages_of_other_clients() {
    let world = World::new();
    let (_consumer, mut deliveries) = world.consumer(1).await;
    let (_connection, client) = world.plain_client().await;
    let exchange = world.broker.topology.exchange();
    let publishing =
        client.basic_publish(exchange.into(), "jobs".into(), Default::default(), b"{}", Default::default());
    publishing.await.unwrap();
    let delivery = receive(&mut deliveries).await;
    assert_eq!((body(&delivery).as_str(), &delivery.message_id, delivery.failures), ("{}", &None, 0));
    let _ = delivery.ack().await;
    world.remove().await;
}
