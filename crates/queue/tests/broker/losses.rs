use std::net::SocketAddr;
use std::time::Duration;

use lapin::options::QueueDeleteOptions;
use shenfen_queue::{Consumer, ConsumerSettings, Publisher, Settled};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::relay::Relay;
use crate::world::{World, body, job, jobs, publish_surely, receive, receive_all, soon};

#[tokio::test]
async fn cut_connection_loses_no_unacknowledged_message() {
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
async fn recovers_from_a_black_hole() {
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
async fn redeclares_a_deleted_queue() {
    let world = World::new();
    let (consumer, mut deliveries) = world.consumer(3).await;
    let (_connection, client) = world.plain_client().await;
    let queue = world.broker.topology.jobs_queue();
    client.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
    came_back(&consumer, 1).await;
    assert!(consumer.health().last_error.unwrap().contains(&queue));
    world.publisher().publish(&job("one")).await.unwrap();
    let delivery = receive(&mut deliveries).await;
    assert_eq!(body(&delivery), "one");
    let _ = delivery.ack().await;
    world.remove().await;
}

#[tokio::test]
async fn repeated_cuts_lose_no_confirmed_message() {
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

#[tokio::test]
async fn unparsable_message_is_dead_lettered_alone() {
    let world = World::new();
    let publisher = world.publisher();
    publisher.publish(&job("before")).await.unwrap();
    publish_unreadable(world.address(), world.broker.topology.exchange()).await.unwrap();
    for outcome in publisher.publish_all(&jobs(30)).await {
        outcome.unwrap();
    }
    let (consumer, mut deliveries) = Consumer::start(world.broker.clone(), ConsumerSettings { prefetch: 10 });
    let names = (0..30).map(|number| format!("job {number}")).chain(["before".to_owned()]);
    receive_all(&mut deliveries, names).await;
    assert!(consumer.health().last_error.unwrap().contains("not UTF-8"));
    world.until_depth(0, 1).await;
    consumer.stop().await;
    world.remove().await;
}

/// Publishes a job with a message id that is not UTF-8, in raw AMQP 0-9-1 frames, since no client library would.
async fn publish_unreadable(broker: SocketAddr, exchange: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(broker).await?;
    let named = |name: &[u8]| [&[name.len() as u8], name].concat();
    let long = |text: &[u8]| [&(text.len() as u32).to_be_bytes(), text].concat();
    stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
    answered(&mut stream).await?;
    let credentials = [named(b"PLAIN"), long(b"\0guest\0guest"), named(b"en_US")].concat();
    send(&mut stream, 1, 0, &[&[0, 10, 0, 11, 0, 0, 0, 0], credentials.as_slice()].concat()).await?;
    answered(&mut stream).await?;
    // Tune: ten channels, frames of 128 KiB, no heartbeat. Then the virtual host and a channel.
    send(&mut stream, 1, 0, &[0, 10, 0, 31, 0, 10, 0, 2, 0, 0, 0, 0]).await?;
    send(&mut stream, 1, 0, &[&[0, 10, 0, 40], named(b"/").as_slice(), &[0, 0]].concat()).await?;
    answered(&mut stream).await?;
    send(&mut stream, 1, 1, &[0, 20, 0, 10, 0]).await?;
    answered(&mut stream).await?;
    let publish = [named(exchange.as_bytes()), named(b"jobs"), vec![0]].concat();
    send(&mut stream, 1, 1, &[&[0, 60, 0, 40, 0, 0], publish.as_slice()].concat()).await?;
    // A body of two bytes; delivery mode 2 and the message id.
    let properties = [&[0x10, 0x80, 2], named(b"\xff\xfe").as_slice()].concat();
    send(&mut stream, 2, 1, &[&[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2], properties.as_slice()].concat()).await?;
    send(&mut stream, 3, 1, b"{}").await?;
    // Closing the channel is answered after all that went before.
    send(&mut stream, 1, 1, &[0, 20, 0, 40, 0, 200, 0, 0, 0, 0, 0]).await?;
    answered(&mut stream).await
}

async fn send(stream: &mut TcpStream, kind: u8, channel: u8, payload: &[u8]) -> std::io::Result<()> {
    let head = [&[kind, 0, channel], (payload.len() as u32).to_be_bytes().as_slice()].concat();
    stream.write_all(&[&head, payload, &[0xce]].concat()).await
}

/// Reads one frame.
async fn answered(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut head = [0; 7];
    stream.read_exact(&mut head).await?;
    let length = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
    stream.read_exact(&mut vec![0; length + 1]).await?;
    Ok(())
}

async fn came_back(consumer: &Consumer, times: u64) {
    soon(consumer.watch().wait_for(|health| health.reconnects >= times)).await.unwrap();
    soon(consumer.consuming()).await;
}
