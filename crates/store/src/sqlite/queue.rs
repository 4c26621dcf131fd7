//! The job queue: queued -> running -> done or dead, each transition one transaction.

use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use time::OffsetDateTime;

use super::{SqliteStore, results};
use crate::error::StoreError;
use crate::job::{ClaimedJob, Finished, MAX_ATTEMPTS, NewJob, Outcome, POISON_CANDIDATE_ATTEMPTS};
use crate::port::{Completed, JobQueue, Jobs, Recovered};
use crate::stored::StoredResult;
use crate::timestamp;
use shenfen_core::{Job, JobId, Tenant};

/// Claims jobs that are not poison candidates, in the order of the index: no sorting, however many wait.
const CLAIM_OLDEST: &str = "
    UPDATE jobs SET state = 'running', attempts = attempts + 1
    WHERE seq IN (SELECT seq FROM jobs WHERE batch = ?1 AND state = 'queued' AND attempts < ?2 ORDER BY seq LIMIT ?3)
    RETURNING seq, job_id, batch, reference, source, path, side, attempts";

/// Claims poison candidates, those with the fewest attempts first, so that the actual poison job does not starve the others.
const CLAIM_POISON_CANDIDATE: &str = "
    UPDATE jobs SET state = 'running', attempts = attempts + 1
    WHERE seq IN (SELECT seq FROM jobs WHERE batch = ?1 AND state = 'queued' AND attempts >= ?2
                  ORDER BY attempts, seq LIMIT ?3)
    RETURNING seq, job_id, batch, reference, source, path, side, attempts";

/// The jobs of one batch.
pub struct SqliteQueue {
    store: SqliteStore,
    batch: String,
}

impl SqliteStore {
    /// The jobs of a batch; `None` when the store was opened for reading.
    pub fn queue(&self, batch: impl Into<String>) -> Option<SqliteQueue> {
        self.lock.as_ref().map(|_| SqliteQueue { store: self.clone(), batch: batch.into() })
    }
}

/// A job as one element of the array that a statement takes, so that a thousand rows are one statement.
#[derive(Serialize)]
struct NewRow<'a> {
    id: String,
    batch: &'a str,
    reference: Option<&'a str>,
    source: &'a str,
    path: &'a str,
    side: &'a str,
}

impl Jobs for SqliteQueue {
    async fn enqueue(&self, jobs: &[NewJob]) -> Result<u64, StoreError> {
        self.store.check_file()?;
        self.insert(jobs).await.map_err(self.store.error("enqueue jobs"))
    }

    async fn complete(&self, finished: &[Finished]) -> Result<Completed, StoreError> {
        let completed = self.finish(finished).await.map_err(self.store.error("store results"))?;
        // Asked after the commit, so that nothing counts as stored in a file that was gone by then.
        self.store.check_file()?;
        Ok(completed)
    }
}

impl JobQueue for SqliteQueue {
    async fn recover(&self) -> Result<Recovered, StoreError> {
        self.take_back().await.map_err(self.store.error("recover jobs"))
    }

    async fn claim(&self, limit: usize) -> Result<Vec<ClaimedJob>, StoreError> {
        self.store.check_file()?;
        let failed = self.store.error("claim jobs");
        let rows = self.take(limit).await.map_err(&failed)?;
        rows.iter().map(|row| self.claimed(row).map_err(&failed)?).collect()
    }

    async fn release(&self, jobs: &[JobId]) -> Result<(), StoreError> {
        self.put_back(jobs).await.map_err(self.store.error("release jobs"))
    }
}

impl SqliteQueue {
    async fn insert(&self, jobs: &[NewJob]) -> Result<u64, sqlx::Error> {
        let rows: Vec<NewRow<'_>> = jobs.iter().map(NewRow::of).collect();
        let rows = to_json(&rows)?;
        let now = timestamp::to_text(OffsetDateTime::now_utc());
        let mut transaction = self.store.writer.begin_with("BEGIN IMMEDIATE").await?;
        // `WHERE true` tells the parser that ON CONFLICT belongs to the INSERT.
        sqlx::query(
            "INSERT INTO batches (name, created_at)
             SELECT DISTINCT value ->> 'batch', ?2 FROM json_each(?1) WHERE true
             ON CONFLICT (name) DO NOTHING",
        )
        .bind(&rows)
        .bind(&now)
        .execute(&mut *transaction)
        .await?;
        let added = sqlx::query(
            "INSERT INTO jobs (job_id, batch, reference, source, path, side, created_at)
             SELECT value ->> 'id', value ->> 'batch', value ->> 'reference', value ->> 'source', value ->> 'path',
                    value ->> 'side', ?2
             FROM json_each(?1) WHERE true ORDER BY key
             ON CONFLICT (job_id) DO NOTHING",
        )
        .bind(&rows)
        .bind(&now)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(added.rows_affected())
    }

    async fn take_back(&self) -> Result<Recovered, sqlx::Error> {
        let mut transaction = self.store.writer.begin_with("BEGIN IMMEDIATE").await?;
        let dead = sqlx::query(
            "UPDATE jobs SET state = 'dead', finished_at = ?3,
                    reason = 'the process ended ' || attempts || ' times while reading this picture'
             WHERE batch = ?1 AND state = 'running' AND attempts >= ?2",
        )
        .bind(&self.batch)
        .bind(MAX_ATTEMPTS)
        .bind(timestamp::to_text(OffsetDateTime::now_utc()))
        .execute(&mut *transaction)
        .await?;
        let returned = sqlx::query("UPDATE jobs SET state = 'queued' WHERE batch = ?1 AND state = 'running'")
            .bind(&self.batch)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Recovered { returned: returned.rows_affected(), dead: dead.rows_affected() })
    }

    async fn take(&self, limit: usize) -> Result<Vec<SqliteRow>, sqlx::Error> {
        let mut transaction = self.store.writer.begin_with("BEGIN IMMEDIATE").await?;
        let running: (i64, Option<u32>) =
            sqlx::query_as("SELECT count(*), max(attempts) FROM jobs WHERE batch = ?1 AND state = 'running'")
                .bind(&self.batch)
                .fetch_one(&mut *transaction)
                .await?;
        let candidate_is_running = running.1.is_some_and(|attempts| attempts > POISON_CANDIDATE_ATTEMPTS);
        if candidate_is_running {
            return Ok(Vec::new());
        }
        let mut rows = self.mark(CLAIM_OLDEST, limit, &mut transaction).await?;
        if rows.is_empty() && running.0 == 0 {
            rows = self.mark(CLAIM_POISON_CANDIDATE, limit.min(1), &mut transaction).await?;
        }
        transaction.commit().await?;
        // RETURNING promises no order.
        rows.sort_by_key(|row| row.get::<i64, _>("seq"));
        Ok(rows)
    }

    async fn mark(
        &self,
        statement: &'static str,
        limit: usize,
        connection: &mut SqliteConnection,
    ) -> Result<Vec<SqliteRow>, sqlx::Error> {
        sqlx::query(statement)
            .bind(&self.batch)
            .bind(POISON_CANDIDATE_ATTEMPTS)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(connection)
            .await
    }

    fn claimed(&self, row: &SqliteRow) -> Result<Result<ClaimedJob, StoreError>, sqlx::Error> {
        let id: &str = row.try_get("job_id")?;
        let side: &str = row.try_get("side")?;
        let damaged = |column| Ok(Err(self.store.damaged_row(column)));
        let (Ok(id), Ok(side)) = (id.parse(), side.parse()) else { return damaged("job_id or side") };
        let job = Job {
            tenant: Tenant::DEFAULT,
            id,
            batch: row.try_get("batch")?,
            reference: row.try_get("reference")?,
            source: row.try_get("source")?,
            side,
        };
        Ok(Ok(ClaimedJob { job, path: row.try_get("path")?, attempt: row.try_get("attempts")? }))
    }

    async fn put_back(&self, jobs: &[JobId]) -> Result<(), sqlx::Error> {
        let ids: Vec<String> = jobs.iter().map(JobId::to_string).collect();
        sqlx::query(
            "UPDATE jobs SET state = 'queued', attempts = attempts - 1
             WHERE state = 'running' AND job_id IN (SELECT value FROM json_each(?1))",
        )
        .bind(to_json(&ids)?)
        .execute(&self.store.writer)
        .await?;
        Ok(())
    }

    async fn finish(&self, finished: &[Finished]) -> Result<Completed, sqlx::Error> {
        let now = timestamp::to_text(OffsetDateTime::now_utc());
        let mut completed = Completed::default();
        let mut transaction = self.store.writer.begin_with("BEGIN IMMEDIATE").await?;
        for end in finished {
            let id = end.job.id.to_string();
            let (state, reason) = match &end.outcome {
                Outcome::Read { .. } => ("done", None),
                Outcome::Dead { reason } => ("dead", Some(reason.as_str())),
            };
            // Only the first outcome finds the job open.
            let ended = sqlx::query(
                "UPDATE jobs SET state = ?2, reason = ?3, finished_at = ?4
                 WHERE job_id = ?1 AND state IN ('queued', 'running')
                 RETURNING created_at",
            )
            .bind(&id)
            .bind(state)
            .bind(reason)
            .bind(&now)
            .fetch_optional(&mut *transaction)
            .await?;
            let Some(row) = ended else {
                completed.repeated += 1;
                continue;
            };
            if let Outcome::Read { result, image_sha256 } = &end.outcome {
                let stored = StoredResult::of(result, image_sha256.as_deref());
                let times = results::Times { created_at: row.try_get("created_at")?, finished_at: &now };
                results::insert(&mut transaction, end, &stored, times).await?;
            }
            completed.stored += 1;
        }
        transaction.commit().await?;
        Ok(completed)
    }
}

impl NewRow<'_> {
    fn of(new: &NewJob) -> NewRow<'_> {
        NewRow {
            id: new.job.id.to_string(),
            batch: &new.job.batch,
            reference: new.job.reference.as_deref(),
            source: &new.job.source,
            path: &new.picture,
            side: new.job.side.as_str(),
        }
    }
}

/// An argument that is an array.
fn to_json<T: Serialize>(rows: &[T]) -> Result<String, sqlx::Error> {
    serde_json::to_string(rows).map_err(|error| sqlx::Error::Encode(error.into()))
}
