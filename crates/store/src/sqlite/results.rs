//! The table of results.

use shenfen_core::{CardColumns, Decision, Status};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use time::Date;
use time::macros::format_description;

use super::SqliteStore;
use crate::error::StoreError;
use crate::job::Finished;
use crate::port::Results;
use crate::result::{ResultFilter, ResultRow};
use crate::stored::StoredResult;
use crate::{timestamp, words};

/// When a job came and when it ended, as text.
pub(super) struct Times<'a> {
    pub(super) created_at: String,
    pub(super) finished_at: &'a str,
}

/// Stores a result. The fields stand in columns as well as in the JSON, for people who query the table.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    finished: &Finished,
    stored: &StoredResult<'_>,
    times: Times<'_>,
) -> Result<(), sqlx::Error> {
    let json = serde_json::to_string(stored.result).map_err(unwritable)?;
    sqlx::query(
        "INSERT INTO results (job_id, batch, reference, source, status, decision, side, name, gender, ethnic, birth_date,
                              address, identity_no, authority, valid_from, valid_to, long_term, confidence, result,
                              attempts, model_version, image_sha256, created_at, finished_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(finished.job.id.to_string())
    .bind(&finished.job.batch)
    .bind(&finished.job.reference)
    .bind(&finished.job.source)
    .bind(stored.status)
    .bind(stored.decision)
    .bind(stored.sides)
    .bind(&stored.name)
    .bind(&stored.gender)
    .bind(&stored.ethnic)
    .bind(&stored.birth_date)
    .bind(&stored.address)
    .bind(&stored.identity_no)
    .bind(&stored.authority)
    .bind(&stored.valid_from)
    .bind(&stored.valid_to)
    .bind(stored.long_term)
    .bind(stored.confidence)
    .bind(json)
    .bind(finished.attempt)
    .bind(stored.model_version)
    .bind(stored.image_sha256)
    .bind(times.created_at)
    .bind(times.finished_at)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) fn unwritable(error: serde_json::Error) -> sqlx::Error {
    sqlx::Error::Encode(error.into())
}

impl Results for SqliteStore {
    async fn page(&self, filter: &ResultFilter, after: i64, limit: u32) -> Result<Vec<ResultRow>, StoreError> {
        let failed = self.error("read results");
        let rows = sqlx::query(
            "SELECT * FROM results
             WHERE seq > ?1 AND (?2 IS NULL OR batch = ?2) AND (?3 IS NULL OR status = ?3)
                   AND (?4 IS NULL OR decision = ?4)
             ORDER BY seq LIMIT ?5",
        )
        .bind(after)
        .bind(&filter.batch)
        .bind(filter.status.map(Status::as_str))
        .bind(filter.decision.map(Decision::as_str))
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(&failed)?;
        rows.iter().map(|row| self.result_row(row).map_err(&failed)?).collect()
    }
}

impl SqliteStore {
    /// A row of the table, or the name of its first column that no version of this program wrote.
    fn result_row(&self, row: &SqliteRow) -> Result<Result<ResultRow, StoreError>, sqlx::Error> {
        let damaged = |column| Ok(Err(self.damaged_row(column)));
        let Ok(job_id) = row.try_get::<&str, _>("job_id")?.parse() else { return damaged("job_id") };
        let Some(status) = words::value(row.try_get("status")?) else { return damaged("status") };
        let Some(decision) = words::value(row.try_get("decision")?) else { return damaged("decision") };
        let Ok(created_at) = timestamp::from_text(row.try_get("created_at")?) else { return damaged("created_at") };
        let Ok(finished_at) = timestamp::from_text(row.try_get("finished_at")?) else { return damaged("finished_at") };
        Ok(Ok(ResultRow {
            seq: row.try_get("seq")?,
            job_id,
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
                birth_date: date(row, "birth_date")?,
                address: text(row, "address")?,
                identity_no: text(row, "identity_no")?,
                authority: text(row, "authority")?,
                valid_from: date(row, "valid_from")?,
                valid_to: date(row, "valid_to")?,
                long_term: row.try_get("long_term")?,
            },
            confidence: row.try_get("confidence")?,
            result: row.try_get("result")?,
            attempts: row.try_get("attempts")?,
            model_version: row.try_get("model_version")?,
            image_sha256: row.try_get("image_sha256")?,
            created_at,
            finished_at,
        }))
    }
}

fn text(row: &SqliteRow, column: &str) -> Result<String, sqlx::Error> {
    Ok(row.try_get::<Option<String>, _>(column)?.unwrap_or_default())
}

fn date(row: &SqliteRow, column: &str) -> Result<Option<Date>, sqlx::Error> {
    let text: Option<&str> = row.try_get(column)?;
    Ok(text.and_then(|text| Date::parse(text, format_description!("[year]-[month]-[day]")).ok()))
}
