//! The tables' versions: forward only, each step once, all of them or none.

use std::path::Path;

use sqlx::{AssertSqlSafe, SqliteConnection, SqlitePool};

use super::{Access, failure};
use crate::error::StoreError;

/// The steps; the nth leads to version n.
const MIGRATIONS: &[&str] = &[
    include_str!("../../../../migrations/sqlite/0001_jobs_results_batches.sql"),
    include_str!("../../../../migrations/sqlite/0002_audit.sql"),
];

/// SQLite's own mark for whose file this is: "SHFN".
const APPLICATION_ID: i64 = 0x5348_464E;

/// The state of a file's tables.
enum SchemaState {
    /// Nothing in it yet.
    Empty,
    /// Ours; so many steps are done.
    At(usize),
}

/// Checks that the file is ours and applies the steps that it does not have. A file that is not ours stays as it is.
///
/// # Errors
/// When the file is another program's, from a newer version, empty and only to be read, or cannot be written.
pub(super) async fn bring_up_to_date(writer: &SqlitePool, path: &Path, access: Access) -> Result<(), StoreError> {
    let failed = |source| failure::of(path, "bring its tables up to date", source);
    // All of it seen at one moment: another process may be making the tables right now.
    let mut snapshot = writer.begin().await.map_err(failed)?;
    let state = read_state(&mut snapshot, path).await?;
    snapshot.commit().await.map_err(failed)?;
    match (state, access) {
        (SchemaState::Empty, Access::Read | Access::Reveal) => {
            return Err(StoreError::Missing { database: failure::name(path) });
        }
        (SchemaState::At(done), _) if done == MIGRATIONS.len() => return Ok(()),
        _ => {}
    }
    // Stays with the file. Readers and the writer do not wait for each other in this mode.
    sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(writer).await.map_err(failed)?;

    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    let done = match read_state(&mut transaction, path).await? {
        SchemaState::Empty => 0,
        SchemaState::At(done) => done,
    };
    for step in &MIGRATIONS[done..] {
        sqlx::raw_sql(*step).execute(&mut *transaction).await.map_err(failed)?;
    }
    let version = MIGRATIONS.len();
    let marks = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version};");
    sqlx::raw_sql(AssertSqlSafe(marks)).execute(&mut *transaction).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)
}

async fn read_state(connection: &mut SqliteConnection, path: &Path) -> Result<SchemaState, StoreError> {
    let (owner, version, tables) = marks(connection).await.map_err(|source| failure::of(path, "open", source))?;
    let known = MIGRATIONS.len();
    match usize::try_from(version) {
        Ok(0) if owner == 0 && tables == 0 => Ok(SchemaState::Empty),
        _ if owner != APPLICATION_ID => Err(StoreError::NotOurs { database: failure::name(path) }),
        Ok(done) if done <= known => Ok(SchemaState::At(done)),
        _ => Err(StoreError::Newer { database: failure::name(path), found: version, known: known as i64 }),
    }
}

/// Whose file it is, its version, and how many tables it has.
async fn marks(connection: &mut SqliteConnection) -> Result<(i64, i64, i64), sqlx::Error> {
    let owner = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await?;
    let version = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await?;
    let tables = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *connection).await?;
    Ok((owner, version, tables))
}
