//! The tables' versions: forward only, each step once, all of them or none.

use std::path::Path;

use sqlx::{AssertSqlSafe, SqlitePool};

use crate::error::StoreError;

/// The steps; the nth leads to version n.
const MIGRATIONS: &[&str] = &[include_str!("../../../../migrations/sqlite/0001_jobs_results_batches.sql")];

/// SQLite's own mark for whose file this is: "SHFN".
const APPLICATION_ID: i64 = 0x5348_464E;

/// Applies the steps that the file does not have.
///
/// # Errors
/// When the file is another program's, from a newer version, or cannot be written.
pub(super) async fn bring_up_to_date(writer: &SqlitePool, path: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::of(path, "bring its tables up to date", source);
    let known = MIGRATIONS.len();
    let (owner, version, tables) = state(writer).await.map_err(failed)?;
    let ours = owner == APPLICATION_ID || (owner == 0 && version == 0 && tables == 0);
    if !ours {
        return Err(StoreError::NotOurs { path: path.to_path_buf() });
    }
    let newer = || StoreError::Newer { path: path.to_path_buf(), found: version, known: known as i64 };
    let done = usize::try_from(version).map_err(|_| newer())?;
    if done == known {
        return Ok(());
    }
    let missing = MIGRATIONS.get(done..).ok_or_else(newer)?;

    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    for step in missing {
        sqlx::raw_sql(*step).execute(&mut *transaction).await.map_err(failed)?;
    }
    let marks = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {known};");
    sqlx::raw_sql(AssertSqlSafe(marks)).execute(&mut *transaction).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)
}

/// Whose file it is, its version, and how many tables it has.
async fn state(writer: &SqlitePool) -> Result<(i64, i64, i64), sqlx::Error> {
    let owner = sqlx::query_scalar("PRAGMA application_id").fetch_one(writer).await?;
    let version = sqlx::query_scalar("PRAGMA user_version").fetch_one(writer).await?;
    let tables = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(writer).await?;
    Ok((owner, version, tables))
}
