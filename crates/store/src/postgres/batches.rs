//! Batches and their progress.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::PostgresStore;
use crate::batch::BatchProgress;
use crate::error::StoreError;
use crate::port::Batches;
use crate::words;

/// One statement for one batch or all of them, from one snapshot. The rate is that of the thousand newest results of the last
/// minute, of all workers and by the server's clock: it follows the current speed, and its cost does not grow with the table.
const PROGRESS: &str = "
    WITH
    states AS (
        SELECT batch,
               sum(jobs) FILTER (WHERE state IN ('queued', 'sent'))::bigint AS queued,
               sum(jobs) FILTER (WHERE state = 'running')::bigint AS running,
               sum(jobs) FILTER (WHERE state = 'dead')::bigint AS dead,
               sum(jobs) FILTER (WHERE state = 'cancelled')::bigint AS cancelled
        FROM (SELECT batch, state, count(*) AS jobs FROM jobs WHERE ($1 IS NULL OR batch = $1) AND tenant = $2
              GROUP BY batch, state) AS s
        GROUP BY batch),
    decisions AS (
        SELECT batch,
               sum(jobs) FILTER (WHERE decision = 'accept')::bigint AS accepted,
               sum(jobs) FILTER (WHERE decision = 'review')::bigint AS review,
               sum(jobs) FILTER (WHERE decision = 'reject')::bigint AS failed,
               sum(jobs) FILTER (WHERE status <> 'OK')::bigint AS not_ok
        FROM (SELECT batch, decision, status, count(*) AS jobs FROM results WHERE ($1 IS NULL OR batch = $1) AND tenant = $2
              GROUP BY batch, decision, status) AS d
        GROUP BY batch)
    SELECT name, batches.state, batches.created_at, queued, running, dead, cancelled, accepted, review, failed, not_ok,
           rate
    FROM batches
         LEFT JOIN states ON states.batch = name
         LEFT JOIN decisions ON decisions.batch = name
         CROSS JOIN LATERAL (
             SELECT count(*) / nullif(extract(epoch FROM now() - min(finished_at)), 0)::double precision AS rate
             FROM (SELECT finished_at FROM results WHERE results.batch = name AND results.tenant = $2
                   ORDER BY seq DESC LIMIT 1000) AS newest
             WHERE finished_at > now() - interval '1 minute') AS latest
    WHERE ($1 IS NULL OR name = $1) AND batches.tenant = $2
    ORDER BY batches.created_at, name";

const OPERATION: &str = "count jobs and results";

impl Batches for PostgresStore {
    async fn batches(&self) -> Result<Vec<BatchProgress>, StoreError> {
        self.progress(None).await
    }

    async fn batch(&self, name: &str) -> Result<Option<BatchProgress>, StoreError> {
        Ok(self.progress(Some(name)).await?.pop())
    }
}

impl PostgresStore {
    async fn progress(&self, name: Option<&str>) -> Result<Vec<BatchProgress>, StoreError> {
        let rows = self.rows(OPERATION, sqlx::query(PROGRESS).bind(name).bind(self.tenant.as_str())).await?;
        rows.iter().map(|row| self.progress_row(row).map_err(self.unreadable(OPERATION))?).collect()
    }

    fn progress_row(&self, row: &PgRow) -> Result<Result<BatchProgress, StoreError>, sqlx::Error> {
        let Some(state) = words::value(row.try_get("state")?) else { return Ok(Err(self.damaged_row("state"))) };
        let count =
            |column| Ok::<u64, sqlx::Error>(row.try_get::<Option<i64>, _>(column)?.unwrap_or(0).cast_unsigned());
        Ok(Ok(BatchProgress {
            name: row.try_get("name")?,
            state,
            created_at: row.try_get("created_at")?,
            queued: count("queued")?,
            running: count("running")?,
            accepted: count("accepted")?,
            review: count("review")?,
            failed: count("failed")?,
            dead: count("dead")?,
            cancelled: count("cancelled")?,
            not_ok: count("not_ok")?,
            rate: row.try_get("rate")?,
        }))
    }
}
