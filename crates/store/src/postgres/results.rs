//! Reading results.

use shenfen_core::{CardColumns, JobId};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::PostgresStore;
use super::jobs::STORING;
use crate::error::StoreError;
use crate::port::Results;
use crate::result::{ResultFilter, ResultRow};
use crate::words;

/// Results older than this, and all with lower numbers, are committed: no statement takes that long.
const SETTLED: &str = "now() - finished_at > interval '5 minutes'";

const OPERATION: &str = "read results";

impl Results for PostgresStore {
    /// Workers store results concurrently, and a higher number may become visible before a lower one. So the newest page waits
    /// for the statements in progress and ends where they do.
    async fn page(&self, filter: &ResultFilter, after: i64, limit: u32) -> Result<Vec<ResultRow>, StoreError> {
        let page = self.rows_up_to(i64::MAX, filter, after, limit).await?;
        let full = page.len() == limit as usize;
        let settled = page.last().map_or(Ok(true), |row| row.try_get("settled")).map_err(self.unreadable(OPERATION))?;
        let page = if full && settled {
            page
        } else {
            let newest = self.newest_stored().await?;
            self.rows_up_to(newest, filter, after, limit).await?
        };
        page.iter().map(|row| self.result_row(row).map_err(self.unreadable(OPERATION))?).collect()
    }
}

impl PostgresStore {
    async fn rows_up_to(
        &self,
        newest: i64,
        filter: &ResultFilter,
        after: i64,
        limit: u32,
    ) -> Result<Vec<PgRow>, StoreError> {
        let mut query = sqlx::QueryBuilder::new("SELECT *, result::text AS json, ");
        query.push(SETTLED).push(" AS settled FROM results WHERE seq <= ").push_bind(newest);
        query.push(" AND seq > ").push_bind(after).push(" AND tenant = ").push_bind(self.tenant.as_str());
        // Only the conditions that are used, so that each filter can use its index.
        if let Some(status) = &filter.status {
            query.push(" AND status = ").push_bind(status.as_str());
        }
        if let Some(decision) = &filter.decision {
            query.push(" AND decision = ").push_bind(decision.as_str());
        }
        match &filter.batch {
            // As one range of the index `results_in_order`, and in its order. Of `batch = ... ORDER BY seq` the planner thinks that it finds enough
            // rows soon by walking through all batches in the order of `seq`, and reads a million rows of others where those come first.
            Some(batch) => {
                for (comparison, seq) in [(" > ", after), (" <= ", newest)] {
                    query.push(" AND (batch, tenant, seq)").push(comparison).push("(").push_bind(batch).push(", ");
                    query.push_bind(self.tenant.as_str()).push(", ").push_bind(seq).push(")");
                }
                query.push(" ORDER BY batch, tenant, seq")
            }
            None => query.push(" ORDER BY seq"),
        };
        query.push(" LIMIT ").push_bind(i64::from(limit));
        self.rows(OPERATION, query.build()).await
    }

    /// A number up to which all results are visible: the newest one assigned, once the statements in progress are done.
    async fn newest_stored(&self) -> Result<i64, StoreError> {
        let statement = sqlx::query("SELECT last_value, pg_advisory_xact_lock($1) FROM results_seq_seq").bind(STORING);
        let rows = self.rows(OPERATION, statement).await?;
        rows.first().map_or(Ok(0), |row| row.try_get("last_value")).map_err(self.unreadable(OPERATION))
    }

    /// The result of a job.
    pub(super) async fn result(&self, job: JobId) -> Result<Option<ResultRow>, StoreError> {
        let statement = sqlx::query("SELECT *, result::text AS json FROM results WHERE tenant = $1 AND job_id = $2");
        let statement = statement.bind(self.tenant.as_str()).bind(Uuid::from(job));
        let rows = self.rows(OPERATION, statement).await?;
        rows.first().map(|row| self.result_row(row).map_err(self.unreadable(OPERATION))?).transpose()
    }

    /// A row of the table, or the error of its first invalid column.
    fn result_row(&self, row: &PgRow) -> Result<Result<ResultRow, StoreError>, sqlx::Error> {
        let damaged = |column| Ok(Err(self.damaged_row(column)));
        let Some(status) = words::value(row.try_get("status")?) else { return damaged("status") };
        let Some(decision) = words::value(row.try_get("decision")?) else { return damaged("decision") };
        Ok(Ok(ResultRow {
            seq: row.try_get("seq")?,
            job_id: row.try_get::<Uuid, _>("job_id")?.into(),
            batch: row.try_get("batch")?,
            reference: row.try_get("reference")?,
            source: row.try_get("source")?,
            status,
            decision,
            sides: row.try_get::<Option<&str>, _>("side")?.and_then(words::value),
            columns: CardColumns {
                name: text(row, "name")?,
                gender: text(row, "gender")?,
                ethnic: text(row, "ethnic")?,
                birth_date: row.try_get("birth_date")?,
                address: text(row, "address")?,
                identity_no: text(row, "identity_no")?,
                authority: text(row, "authority")?,
                valid_from: row.try_get("valid_from")?,
                valid_to: row.try_get("valid_to")?,
                long_term: row.try_get("long_term")?,
            },
            confidence: row.try_get("confidence")?,
            result: row.try_get("json")?,
            attempts: row.try_get::<i32, _>("attempts")?.cast_unsigned(),
            model_version: row.try_get("model_version")?,
            image_sha256: row.try_get("image_sha256")?,
            created_at: row.try_get("created_at")?,
            finished_at: row.try_get("finished_at")?,
        }))
    }
}

fn text(row: &PgRow, column: &str) -> Result<String, sqlx::Error> {
    Ok(row.try_get::<Option<String>, _>(column)?.unwrap_or_default())
}
