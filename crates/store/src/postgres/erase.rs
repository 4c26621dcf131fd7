//! Erasing from a server's database, a piece at a time, so that no worker waits long for a lock.

use super::PostgresStore;
use crate::erase::{ERASED, EraseScope, Erased};
use crate::error::StoreError;
use crate::port::Erase;

const OPERATION: &str = "erase results";

/// A scope as the column that it is about and its value.
fn column(scope: &EraseScope) -> (&'static str, &str) {
    match scope {
        EraseScope::Batch(name) => ("batch", name),
        EraseScope::Reference(reference) => ("reference", reference),
    }
}

impl Erase for PostgresStore {
    async fn open_jobs(&self, scope: &EraseScope) -> Result<u64, StoreError> {
        let (column, value) = column(scope);
        let mut query = sqlx::QueryBuilder::new("SELECT count(*) AS jobs FROM jobs WHERE tenant = ");
        query.push_bind(self.tenant.as_str()).push(" AND ").push(column).push(" = ").push_bind(value);
        query.push(" AND state IN ('queued', 'sent', 'running')");
        self.count("count open jobs", query.build()).await
    }

    async fn erase(&self, scope: &EraseScope, limit: u32) -> Result<Erased, StoreError> {
        let (column, value) = column(scope);
        let mut query =
            sqlx::QueryBuilder::new("WITH gone AS (DELETE FROM results WHERE seq IN (SELECT seq FROM results WHERE ");
        query.push(column).push(" = ").push_bind(value);
        query.push(" AND tenant = ").push_bind(self.tenant.as_str()).push(" LIMIT ").push_bind(i64::from(limit));
        query.push(") RETURNING 1) SELECT count(*) AS jobs FROM gone");
        let results = self.count(OPERATION, query.build()).await?;

        let mut query = sqlx::QueryBuilder::new(
            "WITH cleared AS (UPDATE jobs SET reference = NULL, message = NULL, reason = NULL, source = ",
        );
        query.push_bind(ERASED).push(" WHERE seq IN (SELECT seq FROM jobs WHERE ");
        query.push(column).push(" = ").push_bind(value).push(" AND tenant = ").push_bind(self.tenant.as_str());
        query
            .push(" AND state IN ('done', 'dead', 'cancelled') AND (reference IS NOT NULL OR source <> ")
            .push_bind(ERASED);
        query.push(") LIMIT ").push_bind(i64::from(limit)).push(") RETURNING 1) SELECT count(*) AS jobs FROM cleared");
        Ok(Erased { results, jobs: self.count(OPERATION, query.build()).await? })
    }

    async fn finish_erasing(&self) -> Result<(), StoreError> {
        // Freed rows are the server's to reuse; its vacuum needs the owner of the tables and may take long.
        Ok(())
    }
}
