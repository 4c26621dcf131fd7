//! The servers of the harness: what they keep, and that nothing is left of them.

use shenfen_tests::{Postgres, Rabbit};

#[tokio::test]
async fn a_killed_database_keeps_what_was_committed() {
    let mut postgres = Postgres::start().await.unwrap();
    postgres.create_database("cards").await.unwrap();
    postgres.query("cards", "CREATE TABLE kept (id int); INSERT INTO kept VALUES (7)").await.unwrap();

    postgres.kill().unwrap();
    postgres.query("cards", "SELECT 1").await.unwrap_err();
    postgres.restart().await.unwrap();

    assert_eq!(postgres.query("cards", "SELECT id FROM kept").await.unwrap(), "7");
}

#[tokio::test]
async fn a_killed_broker_keeps_what_was_declared() {
    let mut rabbit = Rabbit::start().await.unwrap();
    rabbit.create_vhost("kept").await.unwrap();

    rabbit.kill().unwrap();
    rabbit.rabbitmqctl(&["list_vhosts", "name"]).await.unwrap_err();
    rabbit.restart().await.unwrap();

    let vhosts = rabbit.rabbitmqctl(&["list_vhosts", "name"]).await.unwrap();
    assert!(vhosts.lines().any(|vhost| vhost == "kept"), "{vhosts}");
}
