//! Rows and counts as the command line and the HTTP API serialise them.

use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::batch::{BatchProgress, BatchState};
use crate::result::Sides;
use crate::shown::ShownRow;

/// A result with the names of the table's columns, except the complete result.
#[derive(Serialize)]
struct FlatRow<'a> {
    job_id: String,
    batch: &'a str,
    reference: Option<&'a str>,
    source: &'a str,
    status: &'static str,
    decision: &'static str,
    side: Option<&'static str>,
    name: &'a str,
    gender: &'a str,
    ethnic: &'a str,
    birth_date: Option<String>,
    address: &'a str,
    identity_no: &'a str,
    authority: &'a str,
    valid_from: Option<String>,
    valid_to: Option<String>,
    long_term: bool,
    confidence: Option<f64>,
    attempts: u32,
    model_version: &'a str,
    image_sha256: Option<&'a str>,
    created_at: String,
    finished_at: String,
}

/// A result with all columns, including the complete result.
#[derive(Serialize)]
pub struct WholeRow<'a> {
    #[serde(flatten)]
    row: FlatRow<'a>,
    result: &'a RawValue,
}

/// The counts of a batch.
#[derive(Serialize)]
pub struct FlatBatch<'a> {
    batch: &'a str,
    state: BatchState,
    total: u64,
    queued: u64,
    running: u64,
    done: u64,
    ok: u64,
    review: u64,
    failed: u64,
    dead: u64,
    cancelled: u64,
    rate: Option<f64>,
    eta_seconds: Option<f64>,
}

impl FlatRow<'_> {
    /// The row as it is serialised.
    fn of(shown: &ShownRow) -> FlatRow<'_> {
        let row = shown.row();
        let fields = &row.columns;
        FlatRow {
            job_id: row.job_id.to_string(),
            batch: &row.batch,
            reference: row.reference.as_deref(),
            source: &row.source,
            status: row.status.as_str(),
            decision: row.decision.as_str(),
            side: row.sides.map(Sides::as_str),
            name: &fields.name,
            gender: &fields.gender,
            ethnic: &fields.ethnic,
            birth_date: fields.birth_date.map(|date| date.to_string()),
            address: &fields.address,
            identity_no: &fields.identity_no,
            authority: &fields.authority,
            valid_from: fields.valid_from.map(|date| date.to_string()),
            valid_to: fields.valid_to.map(|date| date.to_string()),
            long_term: fields.long_term,
            confidence: row.confidence,
            attempts: row.attempts,
            model_version: &row.model_version,
            image_sha256: row.image_sha256.as_deref(),
            created_at: instant(row.created_at),
            finished_at: instant(row.finished_at),
        }
    }
}

impl WholeRow<'_> {
    /// The row as it is serialised.
    ///
    /// # Errors
    /// When the stored result is not valid JSON.
    pub fn of(shown: &ShownRow) -> serde_json::Result<WholeRow<'_>> {
        Ok(WholeRow { row: FlatRow::of(shown), result: serde_json::from_str(&shown.row().result)? })
    }
}

impl FlatBatch<'_> {
    /// The batch as it is serialised.
    pub fn of(batch: &BatchProgress) -> FlatBatch<'_> {
        FlatBatch {
            batch: &batch.name,
            state: batch.state,
            total: batch.total(),
            queued: batch.queued,
            running: batch.running,
            done: batch.results(),
            ok: batch.accepted,
            review: batch.review,
            failed: batch.failed,
            dead: batch.dead,
            cancelled: batch.cancelled,
            rate: batch.rate,
            eta_seconds: batch.eta().map(|eta| eta.as_secs_f64()),
        }
    }
}

fn instant(instant: OffsetDateTime) -> String {
    instant.format(&Rfc3339).unwrap_or_default()
}
