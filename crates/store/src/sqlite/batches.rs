//! The batches and how far they are.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use time::OffsetDateTime;

use super::SqliteStore;
use crate::batch::{BatchProgress, BatchState};
use crate::error::StoreError;
use crate::port::Batches;
use crate::timestamp;

/// One statement for one batch or all of them. The rate comes from the thousand newest results of the last minute: it
/// follows the present speed and costs the same in a table of any size.
const PROGRESS: &str = "
    WITH
    states AS (
        SELECT batch, state, count(*) AS jobs FROM jobs WHERE ?1 IS NULL OR batch = ?1 GROUP BY batch, state),
    decisions AS (
        SELECT batch, decision, status, count(*) AS rows FROM results WHERE ?1 IS NULL OR batch = ?1
        GROUP BY batch, decision, status),
    latest AS (
        SELECT batch, count(*) AS rows, min(finished_at) AS since
        FROM (SELECT batch, finished_at FROM results ORDER BY seq DESC LIMIT 1000)
        WHERE finished_at > ?2 GROUP BY batch)
    SELECT name, created_at,
           (SELECT sum(jobs) FROM states WHERE batch = name AND state = 'queued') AS queued,
           (SELECT sum(jobs) FROM states WHERE batch = name AND state = 'running') AS running,
           (SELECT sum(jobs) FROM states WHERE batch = name AND state = 'dead') AS dead,
           (SELECT sum(rows) FROM decisions WHERE batch = name AND decision = 'accept') AS accepted,
           (SELECT sum(rows) FROM decisions WHERE batch = name AND decision = 'review') AS review,
           (SELECT sum(rows) FROM decisions WHERE batch = name AND decision = 'reject') AS failed,
           (SELECT sum(rows) FROM decisions WHERE batch = name AND status <> 'OK') AS not_ok,
           latest.rows AS latest, latest.since AS since
    FROM batches LEFT JOIN latest ON latest.batch = name
    WHERE ?1 IS NULL OR name = ?1
    ORDER BY created_at, name";

impl Batches for SqliteStore {
    async fn batches(&self) -> Result<Vec<BatchProgress>, StoreError> {
        self.progress(None).await
    }

    async fn batch(&self, name: &str) -> Result<Option<BatchProgress>, StoreError> {
        Ok(self.progress(Some(name)).await?.pop())
    }
}

impl SqliteStore {
    async fn progress(&self, name: Option<&str>) -> Result<Vec<BatchProgress>, StoreError> {
        let failed = self.error("count jobs and results");
        let now = OffsetDateTime::now_utc();
        let rows = sqlx::query(PROGRESS)
            .bind(name)
            .bind(timestamp::to_text(now - time::Duration::MINUTE))
            .fetch_all(&self.readers)
            .await
            .map_err(&failed)?;
        rows.iter().map(|row| self.progress_row(row, now).map_err(&failed)?).collect()
    }

    fn progress_row(
        &self,
        row: &SqliteRow,
        now: OffsetDateTime,
    ) -> Result<Result<BatchProgress, StoreError>, sqlx::Error> {
        let count = |column| Ok::<u64, sqlx::Error>(row.try_get::<Option<u64>, _>(column)?.unwrap_or(0));
        let Ok(created_at) = timestamp::from_text(row.try_get("created_at")?) else {
            return Ok(Err(self.damaged_row("created_at")));
        };
        let since = row.try_get::<Option<&str>, _>("since")?.and_then(|since| timestamp::from_text(since).ok());
        let latest = count("latest")? as f64;
        // A single moment says nothing about speed.
        let rate = since.map(|since| (now - since).as_seconds_f64()).filter(|&seconds| seconds > 0.0);
        Ok(Ok(BatchProgress {
            name: row.try_get("name")?,
            state: BatchState::Active,
            created_at,
            queued: count("queued")?,
            running: count("running")?,
            accepted: count("accepted")?,
            review: count("review")?,
            failed: count("failed")?,
            dead: count("dead")?,
            cancelled: 0,
            not_ok: count("not_ok")?,
            rate: rate.map(|seconds| latest / seconds),
        }))
    }
}
