//! Databases and queues of a single test on shared servers.

use anyhow::{Context, Result};
use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use lapin::{Connection, ConnectionProperties};
use shenfen_queue::{RetryStep, Topology};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, PgConnection};
use uuid::Uuid;

/// A database for a single test on the server of `SHENFEN_TEST_DATABASE`.
pub struct Scratch {
    server: PgConnectOptions,
    name: String,
}

impl Scratch {
    /// Creates a database.
    ///
    /// # Errors
    /// Without the variable, or when the server refuses.
    pub async fn new() -> Result<Scratch> {
        let url = std::env::var("SHENFEN_TEST_DATABASE").context("run scripts/test, which starts one")?;
        let scratch = Scratch { server: url.parse()?, name: format!("scratch_{}", Uuid::new_v4().simple()) };
        scratch.on_server(&format!("CREATE DATABASE {}", scratch.name)).await?;
        Ok(scratch)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        self.server.clone().database(&self.name).to_url_lossy().to_string()
    }

    /// The first column of the only row, as text; empty for NULL.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn query(&self, sql: &str) -> Result<String> {
        let mut connection = PgConnection::connect_with(&self.server.clone().database(&self.name)).await?;
        let text = format!("SELECT coalesce(answer::text, '') FROM ({sql}) AS found (answer)");
        let value = sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(value)
    }

    /// Drops it, even if it is still in use.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn remove(self) -> Result<()> {
        self.on_server(&format!("DROP DATABASE {} WITH (FORCE)", self.name)).await
    }

    async fn on_server(&self, sql: &str) -> Result<()> {
        let mut connection = PgConnection::connect_with(&self.server).await?;
        sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await?;
        Ok(connection.close().await?)
    }
}

/// Removes the exchange and the queues of a topology.
///
/// # Errors
/// When the broker does not answer.
pub async fn remove_queues(broker_url: &str, topology: &Topology) -> Result<()> {
    let connection = Connection::connect(broker_url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let retries = RetryStep::ALL.map(|step| topology.retry_queue(step));
    for queue in [topology.jobs_queue(), topology.dead_queue()].into_iter().chain(retries) {
        channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await?;
    }
    channel.exchange_delete(topology.exchange().into(), ExchangeDeleteOptions::default()).await?;
    connection.close(200, "done".into()).await?;
    Ok(())
}
