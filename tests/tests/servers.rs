//! The servers of the harness, killed and frozen: what they keep.

#![expect(clippy::unwrap_used, reason = "a failure of a helper fails the test")]

use std::time::Duration;

use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use shenfen_tests::{Postgres, Rabbit};

/// Long enough for a server that answers at all, with nothing to do.
const ANSWER: Duration = Duration::from_secs(30);
/// Nothing comes from a frozen server however long one waits.
const NO_ANSWER: Duration = Duration::from_millis(500);

#[tokio::test]
async fn killed_database_keeps_commits() {
    let mut postgres = Postgres::start().await.unwrap();
    postgres.create_database("cards").await.unwrap();
    postgres.query("cards", "CREATE TABLE kept (id int); INSERT INTO kept VALUES (7)").await.unwrap();

    postgres.kill().unwrap();
    postgres.query("cards", "SELECT 1").await.unwrap_err();
    postgres.restart().await.unwrap();

    assert_eq!(postgres.query("cards", "SELECT id FROM kept").await.unwrap(), "7");
}

#[tokio::test]
async fn frozen_database_answers_after_resuming() {
    let mut postgres = Postgres::start().await.unwrap();

    postgres.freeze().unwrap();
    let mut asking = Box::pin(postgres.query("postgres", "SELECT 7"));
    assert!(tokio::time::timeout(NO_ANSWER, &mut asking).await.is_err());
    drop(asking);
    postgres.thaw().unwrap();

    let answer = tokio::time::timeout(ANSWER, postgres.query("postgres", "SELECT 7")).await;
    assert_eq!(answer.unwrap().unwrap(), "7");
}

#[tokio::test]
async fn killed_broker_keeps_confirmed_messages() {
    let mut rabbit = Rabbit::start().await.unwrap();
    let url = rabbit.create_vhost("kept").await.unwrap();
    let (_connection, channel) = connect(&url).await;
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare("cards".into(), durable, arguments).await.unwrap();
    rabbit.settle_queues().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let persistent = BasicProperties::default().with_delivery_mode(2);
    let publishing = channel.basic_publish("".into(), "cards".into(), BasicPublishOptions::default(), b"7", persistent);
    assert_eq!(publishing.await.unwrap().await.unwrap(), Confirmation::Ack(None));

    rabbit.kill().unwrap();
    rabbit.rabbitmqctl(&["list_vhosts"]).await.unwrap_err();
    rabbit.restart().await.unwrap();

    let (_connection, channel) = connect(&url).await;
    let message = channel.basic_get("cards".into(), BasicGetOptions::default()).await.unwrap().unwrap();
    assert_eq!(message.delivery.data, b"7");
}

#[tokio::test]
async fn frozen_broker_answers_after_resuming() {
    let mut rabbit = Rabbit::start().await.unwrap();
    let url = rabbit.url();

    rabbit.freeze().unwrap();
    assert!(tokio::time::timeout(NO_ANSWER, connect(&url)).await.is_err());
    rabbit.thaw().unwrap();

    tokio::time::timeout(ANSWER, connect(&url)).await.unwrap();
}

#[tokio::test]
async fn raises_and_clears_a_memory_alarm() {
    let rabbit = Rabbit::start().await.unwrap();
    rabbit.rabbitmqctl(&["set_vm_memory_high_watermark", "absolute", "1"]).await.unwrap();
    let alarms = "length(rabbit_alarm:get_alarms()).";
    assert_eq!(rabbit.rabbitmqctl(&["eval", alarms]).await.unwrap(), "1");
    rabbit.rabbitmqctl(&["set_vm_memory_high_watermark", "0.4"]).await.unwrap();
    assert_eq!(rabbit.rabbitmqctl(&["eval", alarms]).await.unwrap(), "0");
}

async fn connect(url: &str) -> (Connection, Channel) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}
