//! A few connections, each used for one statement at a time, and never trusted after it failed.
//!
//! sqlx's own pool hides why it cannot connect, and waits without limit for a server that has fallen silent when a
//! connection is given back. A worker has to tell a wrong password from a restart, and to go on after both.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{Connection, PgConnection};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Statement, failure};
use crate::error::StoreError;

/// A connection that rested longer than this is asked whether it still lives before it is used.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// How long that question may take.
const PING_LIMIT: Duration = Duration::from_secs(2);

/// How much longer than the server's own limit an answer may take to arrive.
const GRACE: Duration = Duration::from_secs(5);

/// How long things may take.
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
    /// Up to `most` connections; none is made yet.
    pub(super) fn new(name: String, options: PgConnectOptions, limits: Limits, most: usize) -> Connections {
        Connections { name, options, limits, permits: Semaphore::new(most), idle: Mutex::default() }
    }

    /// A new connection, for its caller alone.
    ///
    /// # Errors
    /// When the server cannot be reached in time or refuses.
    pub(super) async fn connect(&self) -> Result<PgConnection, StoreError> {
        match timeout(self.limits.connect, PgConnection::connect_with(&self.options)).await {
            Ok(connected) => connected.map_err(|source| failure::of(&self.name, "connect", source)),
            Err(_) => Err(self.silent("it let no connection in", self.limits.connect)),
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
        let mut connection = match self.rested().await {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        // A connection that is not given back is closed, also when this future is dropped halfway.
        let patience = self.limits.statement + GRACE;
        match timeout(patience, statement.fetch_all(&mut connection)).await {
            Ok(Ok(rows)) => {
                self.give_back(connection);
                Ok(rows)
            }
            Ok(Err(source)) => {
                if failure::leaves_connection_usable(&source) {
                    self.give_back(connection);
                }
                Err(failure::of(&self.name, operation, source))
            }
            Err(_) => Err(self.silent("it gave no answer", patience)),
        }
    }

    /// The connection used last that still lives.
    async fn rested(&self) -> Option<PgConnection> {
        loop {
            let Idle { mut connection, since } = self.idle().pop()?;
            let lives =
                since.elapsed() < TRUSTED_FOR || matches!(timeout(PING_LIMIT, connection.ping()).await, Ok(Ok(())));
            if lives {
                return Some(connection);
            }
        }
    }

    fn give_back(&self, connection: PgConnection) {
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
