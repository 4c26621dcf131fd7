//! Enqueueing and completing jobs.

use std::collections::HashSet;

use serde::Serialize;
use sqlx::Row;
use sqlx::types::Json;
use uuid::Uuid;

use super::{PostgresStore, storable};
use crate::error::StoreError;
use crate::job::{Finished, NewJob, Outcome};
use crate::port::{Completed, Jobs};
use crate::stored::StoredResult;
use shenfen_core::{Job, Tenant};

/// Usually all of them exist, and this only reads.
const NAME_BATCHES: &str = "
    INSERT INTO batches (tenant, name)
    SELECT tenant, name FROM unnest($1::text[], $2::text[]) AS named (tenant, name)
    WHERE NOT EXISTS (SELECT FROM batches WHERE batches.tenant = named.tenant AND batches.name = named.name)
    ORDER BY tenant, name
    ON CONFLICT (tenant, name) DO NOTHING";

/// The lock on the batch keeps a concurrent cancellation from missing jobs that are being added.
const ENQUEUE: &str = "
    WITH held AS MATERIALIZED (
        SELECT tenant, name, state FROM batches
        WHERE (tenant, name) IN (SELECT * FROM unnest($7::text[], $2::text[])) ORDER BY tenant, name FOR SHARE),
    added AS (
        INSERT INTO jobs (tenant, job_id, batch, reference, source, side, message, state)
        SELECT new.tenant, job_id, batch, reference, source, side, message,
               CASE held.state WHEN 'cancelled' THEN 'cancelled' ELSE 'queued' END
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
             WITH ORDINALITY AS new (job_id, batch, reference, source, side, message, tenant, position)
             JOIN held ON held.tenant = new.tenant AND held.name = new.batch
        ORDER BY position
        ON CONFLICT (tenant, job_id) DO NOTHING
        RETURNING 1)
    SELECT count(*) AS jobs FROM added";

/// Only the first outcome finds the job open. A job that is not known, since its claim was lost in a crash of the server, is
/// inserted with its outcome. Batch and names of the result are those of the job as stored.
const COMPLETE: &str = "
    WITH barrier AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared($2)),
    finished AS MATERIALIZED (
        SELECT end_of.* FROM barrier, jsonb_to_recordset($1) AS end_of (
            position integer, tenant text, job_id uuid, batch text, reference text, source text, requested text, attempt integer,
            state text, reason text, status text, decision text, sides text, name text, gender text, ethnic text,
            birth_date date, address text, identity_no text, authority text, valid_from date, valid_to date,
            long_term boolean, confidence double precision, result jsonb, model_version text, image_sha256 text)),
    ended AS (
        INSERT INTO jobs AS known (tenant, job_id, batch, reference, source, side, attempts, state, reason, finished_at)
        SELECT tenant, job_id, batch, reference, source, requested, attempt, state, reason, now()
        FROM finished ORDER BY tenant, job_id
        ON CONFLICT (tenant, job_id) DO UPDATE
            SET state = excluded.state, reason = excluded.reason, finished_at = excluded.finished_at, message = NULL
            WHERE known.state IN ('queued', 'sent', 'running')
        RETURNING tenant, job_id, state, batch, reference, source, created_at, finished_at),
    stored AS (
        INSERT INTO results (tenant, job_id, batch, reference, source, status, decision, side, name, gender, ethnic, birth_date,
                             address, identity_no, authority, valid_from, valid_to, long_term, confidence, result,
                             attempts, model_version, image_sha256, created_at, finished_at)
        SELECT tenant, job_id, ended.batch, ended.reference, ended.source, status, decision, sides, name, gender, ethnic,
               birth_date, address, identity_no, authority, valid_from, valid_to, long_term, confidence, result,
               attempt, model_version, image_sha256, created_at, finished_at
        FROM ended JOIN finished USING (tenant, job_id)
        WHERE ended.state = 'done' ORDER BY position
        ON CONFLICT (tenant, job_id) DO NOTHING)
    SELECT count(*) AS jobs FROM ended";

/// Advisory lock, held shared while results are stored: once it was held exclusively, all results of earlier statements are
/// visible.
pub(super) const STORING: i64 = 0x5348_464E_0000_0002;

/// An outcome as one element of the array that the statement takes.
#[derive(Serialize)]
struct EndRow<'a> {
    position: usize,
    tenant: Tenant,
    job_id: Uuid,
    batch: String,
    reference: Option<String>,
    source: String,
    requested: &'a str,
    attempt: u32,
    state: &'a str,
    reason: Option<String>,
    #[serde(flatten)]
    stored: Option<StoredResult<'a>>,
}

impl Jobs for PostgresStore {
    async fn enqueue(&self, jobs: &[NewJob]) -> Result<u64, StoreError> {
        if jobs.is_empty() {
            return Ok(0);
        }
        self.name_batches(jobs.iter().map(|new| &new.job)).await?;
        let columns = JobColumns::of(jobs.iter().map(|new| &new.job));
        let statement = sqlx::query(ENQUEUE)
            .bind(columns.ids)
            .bind(columns.batches)
            .bind(columns.references)
            .bind(columns.sources)
            .bind(columns.sides)
            .bind(jobs.iter().map(|new| storable(&new.picture)).collect::<Vec<_>>())
            .bind(columns.tenants);
        self.count("enqueue jobs", statement).await
    }

    async fn complete(&self, finished: &[Finished]) -> Result<Completed, StoreError> {
        if finished.is_empty() {
            return Ok(Completed::default());
        }
        self.name_batches(finished.iter().map(|end| &end.job)).await?;
        // One statement cannot complete a job twice; the first outcome stands.
        let mut met = HashSet::new();
        let first = finished.iter().filter(|end| met.insert(end.job.key()));
        let rows: Vec<EndRow<'_>> = first.enumerate().map(|(position, end)| EndRow::of(position, end)).collect();
        let stored = self.count("store results", sqlx::query(COMPLETE).bind(Json(rows)).bind(STORING)).await?;
        Ok(Completed { stored, repeated: finished.len() as u64 - stored })
    }
}

impl PostgresStore {
    /// Inserts the batches of these jobs unless they exist.
    pub(super) async fn name_batches<'a>(&self, jobs: impl Iterator<Item = &'a Job>) -> Result<(), StoreError> {
        let names: HashSet<(Tenant, &str)> = jobs.map(|job| (job.tenant, job.batch.as_str())).collect();
        let (tenants, names): (Vec<String>, Vec<String>) =
            names.into_iter().map(|(tenant, name)| (tenant.to_string(), storable(name))).unzip();
        self.rows("record batches", sqlx::query(NAME_BATCHES).bind(tenants).bind(names)).await.map(drop)
    }

    /// The number in a statement's column `jobs`.
    pub(super) async fn count(
        &self,
        operation: &'static str,
        statement: super::Statement<'_>,
    ) -> Result<u64, StoreError> {
        let rows = self.rows(operation, statement).await?;
        let count = rows.first().map_or(Ok(0), |row| row.try_get::<i64, _>("jobs"));
        Ok(count.map_err(self.unreadable(operation))?.cast_unsigned())
    }
}

/// Jobs as arrays of the same length, one for each column.
pub(super) struct JobColumns {
    pub(super) tenants: Vec<String>,
    pub(super) ids: Vec<Uuid>,
    pub(super) batches: Vec<String>,
    pub(super) references: Vec<Option<String>>,
    pub(super) sources: Vec<String>,
    pub(super) sides: Vec<&'static str>,
}

impl JobColumns {
    pub(super) fn of<'a>(jobs: impl Iterator<Item = &'a Job> + Clone) -> JobColumns {
        JobColumns {
            tenants: jobs.clone().map(|job| job.tenant.to_string()).collect(),
            ids: jobs.clone().map(|job| job.id.into()).collect(),
            batches: jobs.clone().map(|job| storable(&job.batch)).collect(),
            references: jobs.clone().map(|job| job.reference.as_deref().map(storable)).collect(),
            sources: jobs.clone().map(|job| storable(&job.source)).collect(),
            sides: jobs.map(|job| job.side.as_str()).collect(),
        }
    }
}

impl EndRow<'_> {
    fn of(position: usize, end: &Finished) -> EndRow<'_> {
        let (state, reason, stored) = match &end.outcome {
            Outcome::Read { result, image_sha256 } => {
                ("done", None, Some(StoredResult::of(result, image_sha256.as_deref())))
            }
            Outcome::Dead { reason } => ("dead", Some(storable(reason)), None),
        };
        EndRow {
            position,
            tenant: end.job.tenant,
            job_id: end.job.id.into(),
            batch: storable(&end.job.batch),
            reference: end.job.reference.as_deref().map(storable),
            source: storable(&end.job.source),
            requested: end.job.side.as_str(),
            attempt: end.attempt,
            state,
            reason,
            stored,
        }
    }
}
