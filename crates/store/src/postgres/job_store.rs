//! Claims on jobs that a broker delivers: counted, ended and released in the table `jobs`.

use std::collections::{HashMap, HashSet};

use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::PostgresStore;
use super::jobs::JobColumns;
use crate::error::StoreError;
use crate::job::{MAX_ATTEMPTS, POISON_CANDIDATE_ATTEMPTS};
use crate::port::{ClaimOutcome, JobStatus, JobStore};
use shenfen_core::{Job, JobId, JobKey};

/// Losing a claim in a crash of the server costs only its count, so this does not wait for the disk
/// (`synchronous_commit = off`). A job of a paused batch stays with the broker, and so does a poison candidate ($7 attempts
/// or more) unless it is claimed alone ($6); a job of a cancelled batch ends. Jobs that have already ended are not returned.
const CLAIM: &str = "
    WITH unsynced AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
    begun AS (
        INSERT INTO jobs AS known (tenant, job_id, batch, reference, source, side, state, attempts, sent_at, begun_at)
        SELECT arrived.tenant, job_id, batch, reference, source, side,
               CASE batches.state WHEN 'paused' THEN 'sent' WHEN 'cancelled' THEN 'cancelled' ELSE 'running' END,
               CASE batches.state WHEN 'active' THEN 1 ELSE 0 END,
               now(), CASE batches.state WHEN 'active' THEN now() END
        FROM unsynced,
             unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $8::text[])
                 AS arrived (job_id, batch, reference, source, side, tenant)
             JOIN batches ON batches.tenant = arrived.tenant AND batches.name = arrived.batch
        ORDER BY arrived.tenant, job_id
        ON CONFLICT (tenant, job_id) DO UPDATE
            SET state = CASE WHEN excluded.state = 'running' AND known.attempts >= $7 AND NOT $6 THEN 'sent'
                             ELSE excluded.state END,
                attempts = known.attempts + CASE WHEN known.attempts >= $7 AND NOT $6 THEN 0 ELSE excluded.attempts END,
                sent_at = coalesce(known.sent_at, excluded.sent_at),
                begun_at = coalesce(excluded.begun_at, known.begun_at),
                finished_at = CASE excluded.state WHEN 'cancelled' THEN now() END,
                message = CASE WHEN excluded.state <> 'cancelled' THEN known.message END
            WHERE known.state IN ('queued', 'sent', 'running')
        RETURNING tenant, job_id, batch, state, attempts)
    SELECT begun.tenant, begun.job_id, begun.state, begun.attempts, batches.state AS batch_state
    FROM begun JOIN batches ON batches.tenant = begun.tenant AND batches.name = begun.batch";

const RELEASE: &str = "
    UPDATE jobs SET state = 'sent', attempts = greatest(attempts - 1, 0)
    WHERE (tenant, job_id) IN (
        SELECT tenant, job_id FROM jobs JOIN unnest($1::text[], $2::uuid[]) AS given (tenant, job_id) USING (tenant, job_id)
        WHERE state = 'running' ORDER BY tenant, job_id FOR UPDATE OF jobs)";

const REOPEN: &str = "
    WITH opened AS (
        UPDATE jobs SET state = 'sent', attempts = 0, reason = NULL, finished_at = NULL, sent_at = now()
        WHERE (tenant, job_id) IN (
            SELECT tenant, job_id FROM jobs JOIN unnest($1::text[], $2::uuid[]) AS given (tenant, job_id) USING (tenant, job_id)
            WHERE state = 'dead' ORDER BY tenant, job_id FOR UPDATE OF jobs)
        RETURNING 1)
    SELECT count(*) AS jobs FROM opened";

const NOTE_PUBLISHED: &str = "
    INSERT INTO jobs (tenant, job_id, batch, reference, source, side, state, sent_at)
    SELECT tenant, job_id, batch, reference, source, side, 'sent', now()
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
         AS published (job_id, batch, reference, source, side, tenant)
    ORDER BY tenant, job_id
    ON CONFLICT (tenant, job_id) DO NOTHING";

impl JobStore for PostgresStore {
    async fn ping(&self) -> Result<(), StoreError> {
        let rows = self.rows("answer", sqlx::query("SELECT current_setting('transaction_read_only')")).await?;
        let settings = rows.iter().map(|row| row.try_get::<String, _>(0)).collect::<Result<Vec<_>, _>>();
        match settings.map_err(self.unreadable("answer"))?.as_slice() {
            [off] if off == "off" => Ok(()),
            _ => Err(StoreError::CannotWrite { database: self.name().to_owned(), reason: "it is read-only".into() }),
        }
    }

    async fn claim(&self, jobs: &[Job]) -> Result<Vec<ClaimOutcome>, StoreError> {
        self.claim_jobs(jobs, false).await
    }

    async fn claim_alone(&self, candidate: &Job) -> Result<ClaimOutcome, StoreError> {
        let outcomes = self.claim_jobs(std::slice::from_ref(candidate), true).await?;
        Ok(outcomes.first().copied().unwrap_or(ClaimOutcome::AlreadyEnded))
    }

    async fn release(&self, jobs: &[JobKey]) -> Result<(), StoreError> {
        let (tenants, ids) = key_columns(jobs);
        self.rows("release jobs", sqlx::query(RELEASE).bind(tenants).bind(ids)).await.map(drop)
    }

    async fn reopen(&self, jobs: &[JobKey]) -> Result<u64, StoreError> {
        let (tenants, ids) = key_columns(jobs);
        self.count("reopen jobs", sqlx::query(REOPEN).bind(tenants).bind(ids)).await
    }

    async fn note_published(&self, jobs: &[Job]) -> Result<(), StoreError> {
        self.name_batches(jobs.iter()).await?;
        let columns = JobColumns::of(jobs.iter());
        let statement = sqlx::query(NOTE_PUBLISHED)
            .bind(columns.ids)
            .bind(columns.batches)
            .bind(columns.references)
            .bind(columns.sources)
            .bind(columns.sides)
            .bind(columns.tenants);
        self.rows("record published jobs", statement).await.map(drop)
    }

    async fn status(&self, job: JobId) -> Result<Option<JobStatus>, StoreError> {
        let operation = "look up a job";
        let statement = sqlx::query("SELECT state, reason FROM jobs WHERE tenant = $1 AND job_id = $2");
        let statement = statement.bind(self.tenant.as_str()).bind(Uuid::from(job));
        let rows = self.rows(operation, statement).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let status = match row.try_get("state").map_err(self.unreadable(operation))? {
            "queued" | "sent" => JobStatus::Waiting,
            "running" => JobStatus::Running,
            "cancelled" => JobStatus::Cancelled,
            "dead" => {
                let reason: Option<String> = row.try_get("reason").map_err(self.unreadable(operation))?;
                JobStatus::Dead { reason: reason.unwrap_or_default() }
            }
            // Stored together with this state.
            "done" => match self.result(job).await? {
                Some(row) => JobStatus::Done(Box::new(row)),
                None => return Ok(None),
            },
            _ => return Err(self.damaged_row("state")),
        };
        Ok(Some(status))
    }
}

impl PostgresStore {
    async fn claim_jobs(&self, jobs: &[Job], alone: bool) -> Result<Vec<ClaimOutcome>, StoreError> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        self.name_batches(jobs.iter()).await?;
        let mut met = HashSet::new();
        let columns = JobColumns::of(jobs.iter().filter(|job| met.insert(job.key())).collect::<Vec<_>>().into_iter());
        let statement = sqlx::query(CLAIM)
            .bind(columns.ids)
            .bind(columns.batches)
            .bind(columns.references)
            .bind(columns.sources)
            .bind(columns.sides)
            .bind(alone)
            .bind(POISON_CANDIDATE_ATTEMPTS.cast_signed())
            .bind(columns.tenants);
        let rows = self.rows("claim jobs", statement).await?;
        let outcomes: Result<HashMap<JobKey, ClaimOutcome>, sqlx::Error> = rows.iter().map(outcome).collect();
        let outcomes = outcomes.map_err(self.unreadable("claim jobs"))?;
        Ok(jobs.iter().map(|job| outcomes.get(&job.key()).copied().unwrap_or(ClaimOutcome::AlreadyEnded)).collect())
    }
}

fn outcome(row: &PgRow) -> Result<(JobKey, ClaimOutcome), sqlx::Error> {
    let attempts = row.try_get::<i32, _>("attempts")?.cast_unsigned();
    let outcome = match row.try_get("state")? {
        "running" if attempts > MAX_ATTEMPTS => ClaimOutcome::Exhausted { attempts: attempts - 1 },
        "running" => ClaimOutcome::Claimed { attempt: attempts },
        "sent" if row.try_get::<&str, _>("batch_state")? == "active" => ClaimOutcome::PoisonCandidate,
        "sent" => ClaimOutcome::BatchPaused,
        _ => ClaimOutcome::AlreadyEnded,
    };
    let tenant = row.try_get::<&str, _>("tenant")?.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok((JobKey { tenant, id: row.try_get::<Uuid, _>("job_id")?.into() }, outcome))
}

/// Keys as two arrays of the same length.
fn key_columns(jobs: &[JobKey]) -> (Vec<&str>, Vec<Uuid>) {
    jobs.iter().map(|key| (key.tenant.as_str(), Uuid::from(key.id))).unzip()
}
