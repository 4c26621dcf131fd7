//! The audit log of a server's database.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{PostgresStore, storable};
use crate::audit::{AuditEntry, AuditRecord, Recorded};
use crate::error::StoreError;
use crate::port::Audit;

const RECORD: &str = "SELECT seq, hash FROM record_audit($1, $2, $3, $4, $5, $6)";
const PAGE: &str = "SELECT * FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2";

impl Audit for PostgresStore {
    async fn record(&self, record: &AuditRecord) -> Result<Recorded, StoreError> {
        let operation = "write the audit log";
        let statement = sqlx::query(RECORD)
            .bind(record.tenant_name())
            .bind(storable(&record.actor))
            .bind(record.action.as_str())
            .bind(storable(&record.subject))
            .bind(record.amount.and_then(|amount| i64::try_from(amount).ok()))
            .bind(storable(&record.reason));
        let rows = self.rows(operation, statement).await?;
        let Some(row) = rows.first() else { return Err(self.damaged_row("seq")) };
        let recorded = |row: &PgRow| Ok(Recorded { seq: row.try_get("seq")?, hash: row.try_get("hash")? });
        recorded(row).map_err(self.unreadable(operation))
    }

    async fn audit_page(&self, after: i64, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let operation = "read the audit log";
        let rows = self.rows(operation, sqlx::query(PAGE).bind(after).bind(i64::from(limit))).await?;
        rows.iter().map(entry).collect::<Result<_, _>>().map_err(self.unreadable(operation))
    }
}

fn entry(row: &PgRow) -> Result<AuditEntry, sqlx::Error> {
    Ok(AuditEntry {
        seq: row.try_get("seq")?,
        at: row.try_get("at")?,
        tenant: row.try_get("tenant")?,
        actor: row.try_get("actor")?,
        action: row.try_get("action")?,
        subject: row.try_get("subject")?,
        amount: row.try_get("amount")?,
        reason: row.try_get("reason")?,
        previous_hash: row.try_get("previous_hash")?,
        hash: row.try_get("hash")?,
    })
}
