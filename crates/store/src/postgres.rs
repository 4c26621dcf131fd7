//! The store beside a broker: jobs, results and batches in a PostgreSQL database (15 or later).
//!
//! Any number of workers use it at once. Every call is one statement with a time limit on both sides, so that it is atomic
//! and a worker that stops never leaves a transaction open. Statements that lock many jobs do so in the order of their
//! identifiers, so that they do not deadlock.

mod audit;
mod batches;
mod connections;
mod dispatch;
mod erase;
mod failure;
mod job_store;
mod jobs;
mod open;
mod results;
mod schema;

use std::sync::Arc;

use shenfen_core::Tenant;
use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;

use crate::error::StoreError;
use connections::Connections;

pub use open::PostgresOptions;

/// An open store. Clones share it and its connections.
///
/// It takes jobs of all tenants, each with its name. What it shows and what it publishes are one tenant's, the default one's unless
/// [`PostgresStore::of_tenant`] names another.
#[derive(Clone)]
pub struct PostgresStore {
    connections: Arc<Connections>,
    tenant: Tenant,
}

/// A statement with its arguments.
type Statement<'q> = Query<'q, Postgres, PgArguments>;

impl PostgresStore {
    /// The same store for this tenant.
    pub fn of_tenant(&self, tenant: Tenant) -> PostgresStore {
        PostgresStore { connections: Arc::clone(&self.connections), tenant }
    }

    /// The database's name in errors and logs: `NAME on HOST:PORT`.
    pub fn name(&self) -> &str {
        &self.connections.name
    }

    /// Runs one statement, which is its own transaction.
    async fn rows(&self, operation: &'static str, statement: Statement<'_>) -> Result<Vec<PgRow>, StoreError> {
        self.connections.rows(operation, statement).await
    }

    fn unreadable(&self, operation: &'static str) -> impl Fn(sqlx::Error) -> StoreError + '_ {
        move |source| failure::of(self.name(), operation, source)
    }

    fn damaged_row(&self, column: &str) -> StoreError {
        StoreError::damaged_row(self.name(), column)
    }
}

/// Text that the database can store: U+0000 becomes the replacement character.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}
