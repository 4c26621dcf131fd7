//! Erasing from a database file. What was deleted is overwritten, in the file as in its write-ahead log.

use sqlx::Row;

use super::SqliteStore;
use crate::erase::{ERASED, EraseScope, Erased};
use crate::error::StoreError;
use crate::port::Erase;

const OPERATION: &str = "erase results";

/// One statement for both scopes: `?1` is a batch or NULL, `?2` a reference or NULL.
const OPEN: &str = "
    SELECT count(*) FROM jobs
    WHERE (?1 IS NULL OR batch = ?1) AND (?2 IS NULL OR reference = ?2) AND state IN ('queued', 'running')";

const RESULTS: &str = "
    DELETE FROM results WHERE seq IN (
        SELECT seq FROM results WHERE (?1 IS NULL OR batch = ?1) AND (?2 IS NULL OR reference = ?2) LIMIT ?3)";

const JOBS: &str = "
    UPDATE jobs SET reference = NULL, reason = NULL, source = ?4, path = ?4
    WHERE seq IN (
        SELECT seq FROM jobs
        WHERE (?1 IS NULL OR batch = ?1) AND (?2 IS NULL OR reference = ?2) AND state IN ('done', 'dead')
              AND (reference IS NOT NULL OR source <> ?4)
        LIMIT ?3)";

/// A scope as the two values of the statements.
fn values(scope: &EraseScope) -> (Option<&str>, Option<&str>) {
    match scope {
        EraseScope::Batch(name) => (Some(name), None),
        EraseScope::Reference(reference) => (None, Some(reference)),
    }
}

impl Erase for SqliteStore {
    async fn open_jobs(&self, scope: &EraseScope) -> Result<u64, StoreError> {
        let (batch, reference) = values(scope);
        let open: i64 = sqlx::query_scalar(OPEN)
            .bind(batch)
            .bind(reference)
            .fetch_one(&self.readers)
            .await
            .map_err(self.error("count open jobs"))?;
        Ok(open.cast_unsigned())
    }

    async fn erase(&self, scope: &EraseScope, limit: u32) -> Result<Erased, StoreError> {
        self.check_file()?;
        self.erase_piece(scope, limit).await.map_err(self.error(OPERATION))
    }

    async fn finish_erasing(&self) -> Result<(), StoreError> {
        // The log still has the pages as they were.
        let emptied = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&self.writer).await;
        let busy = emptied.and_then(|row| row.try_get::<i64, _>(0)).map_err(self.error(OPERATION))?;
        if busy != 0 {
            return Err(StoreError::InUse { database: super::failure::name(&self.path) });
        }
        Ok(())
    }
}

impl SqliteStore {
    async fn erase_piece(&self, scope: &EraseScope, limit: u32) -> Result<Erased, sqlx::Error> {
        let (batch, reference) = values(scope);
        // Overwrites what is deleted with zeros. A setting of the connection, which is this process's only one that writes.
        sqlx::raw_sql("PRAGMA secure_delete = ON").execute(&self.writer).await?;
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let results = sqlx::query(RESULTS).bind(batch).bind(reference).bind(limit).execute(&mut *transaction).await?;
        let jobs =
            sqlx::query(JOBS).bind(batch).bind(reference).bind(limit).bind(ERASED).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(Erased { results: results.rows_affected(), jobs: jobs.rows_affected() })
    }
}
