//! A small connection pool. A connection runs one statement at a time and is not reused after an error that may affect it.
//!
//! sqlx's pool hides why it cannot connect, and waits without limit for a silent server when a connection is returned. A
//! worker has to distinguish a wrong password from a restart, and to recover from both.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{Connection, PgConnection};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Statement, failure};
use crate::error::StoreError;

/// A connection that was idle for longer is pinged before it is used.
const PING_AFTER_IDLE: Duration = Duration::from_secs(1);

/// Time limit of that ping.
const PING_LIMIT: Duration = Duration::from_secs(2);

/// How much longer than the server's own limit to wait for an answer.
const GRACE: Duration = Duration::from_secs(5);

/// Time limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Reaching the server, or waiting for one of our connections to be free.
    pub(super) connect: Duration,
    /// One statement.
    pub(super) statement: Duration,
}

/// The connections to one database.
pub(super) struct Connections {
    pub(super) name: String,
    options: PgConnectOptions,
    limits: Limits,
    permits: Semaphore,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: PgConnection,
    since: Instant,
}

impl Connections {
    /// Up to `most` connections; none is opened yet.
    pub(super) fn new(name: String, options: PgConnectOptions, limits: Limits, most: usize) -> Connections {
        Connections { name, options, limits, permits: Semaphore::new(most), idle: Mutex::default() }
    }

    /// A new connection, outside the pool.
    ///
    /// # Errors
    /// When the server cannot be reached in time or refuses.
    pub(super) async fn connect(&self) -> Result<PgConnection, StoreError> {
        match timeout(self.limits.connect, PgConnection::connect_with(&self.options)).await {
            Ok(connected) => connected.map_err(|source| failure::of(&self.name, "connect", source)),
            Err(_) => Err(self.silent("it accepted no connection", self.limits.connect)),
        }
    }

    /// Runs one statement on one of the connections.
    ///
    /// # Errors
    /// When there is no connection, no answer in time, or the server refuses the statement.
    pub(super) async fn rows(
        &self,
        operation: &'static str,
        statement: Statement<'_>,
    ) -> Result<Vec<PgRow>, StoreError> {
        let permit = timeout(self.limits.connect, self.permits.acquire()).await;
        let Ok(Ok(_permit)) = permit else {
            return Err(self.silent("all connections to it were busy", self.limits.connect));
        };
        let mut connection = match self.reusable().await {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        // A connection that is not returned to the pool is closed, also when this future is dropped.
        let limit = self.limits.statement + GRACE;
        match timeout(limit, statement.fetch_all(&mut connection)).await {
            Ok(Ok(rows)) => {
                self.put_back(connection);
                Ok(rows)
            }
            Ok(Err(source)) => {
                if failure::leaves_connection_usable(&source) {
                    self.put_back(connection);
                }
                Err(failure::of(&self.name, operation, source))
            }
            Err(_) => Err(self.silent("it did not answer", limit)),
        }
    }

    /// The most recently used connection that is still open.
    async fn reusable(&self) -> Option<PgConnection> {
        loop {
            let Idle { mut connection, since } = self.idle().pop()?;
            let is_open =
                since.elapsed() < PING_AFTER_IDLE || matches!(timeout(PING_LIMIT, connection.ping()).await, Ok(Ok(())));
            if is_open {
                return Some(connection);
            }
        }
    }

    fn put_back(&self, connection: PgConnection) {
        self.idle().push(Idle { connection, since: Instant::now() });
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn silent(&self, what: &str, limit: Duration) -> StoreError {
        let reason = format!("{what} within {} seconds", limit.as_secs_f64());
        StoreError::Unavailable { database: self.name.clone(), reason }
    }
}
