//! Publishing enqueued jobs to a broker through a window.

use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

use super::PostgresStore;
use crate::batch::BatchState;
use crate::error::StoreError;
use crate::port::{Dispatch, Unsent};
use crate::words;
use shenfen_core::JobId;

/// Jobs cancelled by one statement, so that a batch of millions stays within the time limit.
const CANCELLED_AT_ONCE: i64 = 10_000;

const UNSENT: &str = "
    WITH active AS MATERIALIZED (SELECT name FROM batches WHERE tenant = $4 AND name = $1 AND state = 'active'),
    unsent AS (
        SELECT job_id, seq, message FROM jobs, active
        WHERE tenant = $4 AND batch = $1 AND jobs.state = 'queued' AND message IS NOT NULL ORDER BY seq LIMIT $2),
    lost AS (
        SELECT job_id, seq, message FROM jobs, active
        WHERE tenant = $4 AND batch = $1 AND jobs.state IN ('sent', 'running') AND message IS NOT NULL
              AND greatest(sent_at, begun_at) < now() - $3
        ORDER BY seq LIMIT $2)
    SELECT job_id, message FROM (TABLE unsent UNION ALL TABLE lost) AS open ORDER BY seq LIMIT $2";

/// A worker may have claimed a job before it is marked as sent.
const MARK_SENT: &str = "
    UPDATE jobs SET state = CASE state WHEN 'queued' THEN 'sent' ELSE state END, sent_at = now()
    WHERE tenant = $2 AND job_id IN (
        SELECT job_id FROM jobs WHERE tenant = $2 AND job_id = ANY($1) AND state IN ('queued', 'sent', 'running')
        ORDER BY job_id FOR UPDATE)";

const WINDOW: &str = "
    SELECT count(*) AS jobs FROM jobs WHERE tenant = $2 AND batch = $1 AND state IN ('sent', 'running')";

/// Cancelled is final.
const SET_STATE: &str = "
    UPDATE batches SET state = CASE state WHEN 'cancelled' THEN state ELSE $2 END
    WHERE tenant = $3 AND name = $1 RETURNING state";

const CANCEL: &str = "
    WITH cancelled AS (
        UPDATE jobs SET state = 'cancelled', finished_at = now(), message = NULL
        WHERE tenant = $3 AND job_id IN (
            SELECT job_id FROM jobs
            WHERE tenant = $3
                  AND job_id IN (SELECT job_id FROM jobs
                                 WHERE tenant = $3 AND batch = $1 AND state IN ('queued', 'sent') LIMIT $2)
                  AND state IN ('queued', 'sent')
            ORDER BY job_id FOR UPDATE)
        RETURNING 1)
    SELECT count(*) AS jobs FROM cancelled";

impl Dispatch for PostgresStore {
    async fn unsent(&self, batch: &str, lost_after: Duration, limit: usize) -> Result<Vec<Unsent>, StoreError> {
        let failed = self.unreadable("find jobs to publish");
        let lost_after = PgInterval {
            microseconds: i64::try_from(lost_after.as_micros()).unwrap_or(i64::MAX),
            ..PgInterval::default()
        };
        let statement = sqlx::query(UNSENT).bind(batch).bind(clamp(limit)).bind(lost_after).bind(self.tenant.as_str());
        let rows = self.rows("find jobs to publish", statement).await?;
        rows.iter()
            .map(|row| Ok(Unsent { id: row.try_get::<Uuid, _>("job_id")?.into(), message: row.try_get("message")? }))
            .collect::<Result<_, _>>()
            .map_err(failed)
    }

    async fn mark_sent(&self, jobs: &[JobId]) -> Result<(), StoreError> {
        let ids: Vec<Uuid> = jobs.iter().map(|&id| id.into()).collect();
        let statement = sqlx::query(MARK_SENT).bind(ids).bind(self.tenant.as_str());
        self.rows("mark jobs as sent", statement).await.map(drop)
    }

    async fn window(&self, batch: &str) -> Result<u64, StoreError> {
        let statement = sqlx::query(WINDOW).bind(batch).bind(self.tenant.as_str());
        self.count("count published jobs", statement).await
    }

    async fn set_batch_state(&self, batch: &str, state: BatchState) -> Result<Option<BatchState>, StoreError> {
        let statement = sqlx::query(SET_STATE).bind(batch).bind(state.as_str()).bind(self.tenant.as_str());
        let rows = self.rows("change a batch", statement).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let word: &str = row.try_get("state").map_err(self.unreadable("change a batch"))?;
        let now = words::value(word).ok_or_else(|| self.damaged_row("state"))?;
        if now == BatchState::Cancelled {
            // After a crash here the batch is cancelled, and cancelling it again ends the remaining jobs.
            let some = || sqlx::query(CANCEL).bind(batch).bind(CANCELLED_AT_ONCE).bind(self.tenant.as_str());
            while self.count("cancel jobs", some()).await? > 0 {}
        }
        Ok(Some(now))
    }
}

fn clamp(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
