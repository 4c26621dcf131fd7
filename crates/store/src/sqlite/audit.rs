//! The audit log of a database file.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use time::OffsetDateTime;

use super::SqliteStore;
use crate::audit::{AuditEntry, AuditRecord, Recorded};
use crate::error::StoreError;
use crate::port::Audit;
use crate::timestamp;

impl Audit for SqliteStore {
    async fn record(&self, record: &AuditRecord) -> Result<Recorded, StoreError> {
        let recorded = self.append(record).await.map_err(self.error("write the audit log"))?;
        self.check_file()?;
        Ok(recorded)
    }

    async fn audit_page(&self, after: i64, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let failed = self.error("read the audit log");
        let page = sqlx::query("SELECT * FROM audit WHERE seq > ? ORDER BY seq LIMIT ?").bind(after).bind(limit);
        let rows = page.fetch_all(&self.readers).await.map_err(&failed)?;
        rows.iter().map(|row| self.entry(row).map_err(&failed)?).collect()
    }
}

impl SqliteStore {
    async fn append(&self, record: &AuditRecord) -> Result<Recorded, sqlx::Error> {
        // No other process adds an entry in between.
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let last: Option<(i64, String)> = sqlx::query_as("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
            .fetch_optional(&mut *transaction)
            .await?;
        let (last, previous_hash) = last.unwrap_or_default();
        let mut entry = AuditEntry {
            seq: last + 1,
            at: OffsetDateTime::now_utc(),
            tenant: record.tenant_name().to_owned(),
            actor: record.actor.clone(),
            action: record.action.as_str().to_owned(),
            subject: record.subject.clone(),
            amount: record.amount.and_then(|amount| i64::try_from(amount).ok()),
            reason: record.reason.clone(),
            previous_hash,
            hash: String::new(),
        };
        entry.hash = entry.computed_hash();
        sqlx::query("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(entry.seq)
            .bind(timestamp::to_text(entry.at))
            .bind(&entry.tenant)
            .bind(&entry.actor)
            .bind(&entry.action)
            .bind(&entry.subject)
            .bind(entry.amount)
            .bind(&entry.reason)
            .bind(&entry.previous_hash)
            .bind(&entry.hash)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Recorded { seq: entry.seq, hash: entry.hash })
    }

    fn entry(&self, row: &SqliteRow) -> Result<Result<AuditEntry, StoreError>, sqlx::Error> {
        let Ok(at) = timestamp::from_text(row.try_get("at")?) else { return Ok(Err(self.damaged_row("at"))) };
        Ok(Ok(AuditEntry {
            seq: row.try_get("seq")?,
            at,
            tenant: row.try_get("tenant")?,
            actor: row.try_get("actor")?,
            action: row.try_get("action")?,
            subject: row.try_get("subject")?,
            amount: row.try_get("amount")?,
            reason: row.try_get("reason")?,
            previous_hash: row.try_get("previous_hash")?,
            hash: row.try_get("hash")?,
        }))
    }
}
