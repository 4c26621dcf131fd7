//! Migrations: forward only, each applied once, all missing ones in one transaction.

use std::time::Duration;

use sqlx::PgConnection;
use tokio::time::timeout;

use super::connections::Connections;
use super::failure;
use crate::access::Access;
use crate::error::StoreError;

/// The migrations; the nth leads to version n.
const MIGRATIONS: &[&str] = &[
    include_str!("../../../../migrations/postgres/0001_jobs_results_batches.sql"),
    include_str!("../../../../migrations/postgres/0002_tenants.sql"),
    include_str!("../../../../migrations/postgres/0003_audit.sql"),
];

/// The advisory lock that a program holds while it changes the tables: "SHFN" and 1.
const LOCK: i64 = 0x5348_464E_0000_0001;

/// Time limit for reading the version.
const LOOK_LIMIT: Duration = Duration::from_secs(30);

/// Time limit for the migrations, including waiting for another program; they may take long on large tables.
const LIMIT: Duration = Duration::from_secs(3600);

/// The operation in errors.
const OPERATION: &str = "bring its tables up to date";

/// What a database holds, as seen by this program.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SchemaState {
    /// No tables of this program.
    Empty,
    /// Tables of another program, with the names of ours.
    Occupied,
    /// Tables of this program, at this version.
    At(i64),
}

/// Checks that the tables are this program's and, for [`Access::Work`], applies missing migrations.
///
/// # Errors
/// When the server cannot be reached or refuses, when the database is not in UTF-8, when the tables are another program's or newer, or,
/// for [`Access::Read`], missing.
pub(super) async fn bring_up_to_date(connections: &Connections, access: Access) -> Result<(), StoreError> {
    let mut connection = connections.connect().await?;
    let name = connections.name.as_str();
    check_encoding(&mut connection, name).await?;
    let silent = || StoreError::Unavailable { database: name.to_owned(), reason: "it did not answer in time".into() };
    let state = timeout(LOOK_LIMIT, read_state(&mut connection)).await.map_err(|_| silent())?;
    if is_current(state.map_err(|error| failure::of(name, "open", error))?, name)? {
        return Ok(());
    }
    if access != Access::Work {
        return Err(StoreError::NoTables { database: name.to_owned() });
    }
    timeout(LIMIT, apply(&mut connection, name)).await.map_err(|_| silent())?
}

/// In another encoding rows with characters that it lacks would be rejected one by one, with errors that quote them.
async fn check_encoding(connection: &mut PgConnection, name: &str) -> Result<(), StoreError> {
    let asked = sqlx::query_scalar("SHOW server_encoding").fetch_one(connection).await;
    let encoding: String = asked.map_err(|error| failure::of(name, "open", error))?;
    if encoding == "UTF8" { Ok(()) } else { Err(StoreError::NotUtf8 { database: name.to_owned(), encoding }) }
}

/// False if migrations are missing.
fn is_current(state: SchemaState, name: &str) -> Result<bool, StoreError> {
    let known = MIGRATIONS.len() as i64;
    let database = name.to_owned();
    match state {
        SchemaState::Occupied => Err(StoreError::NotOurs { database }),
        SchemaState::At(found) if found > known => Err(StoreError::Newer { database, found, known }),
        SchemaState::At(found) => Ok(found == known),
        SchemaState::Empty => Ok(false),
    }
}

async fn apply(connection: &mut PgConnection, name: &str) -> Result<(), StoreError> {
    let failed = |source| failure::of(name, OPERATION, source);
    let begin = "BEGIN; SET LOCAL statement_timeout = 0";
    sqlx::raw_sql(begin).execute(&mut *connection).await.map_err(failed)?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *connection).await.map_err(failed)?;
    // Another program may have migrated while this one waited.
    let state = read_state(connection).await.map_err(failed)?;
    if !is_current(state, name)? {
        steps(connection, state).await.map_err(failed)?;
    }
    sqlx::raw_sql("COMMIT").execute(connection).await.map_err(failed)?;
    Ok(())
}

async fn steps(connection: &mut PgConnection, state: SchemaState) -> Result<(), sqlx::Error> {
    let done = match state {
        SchemaState::At(version) => usize::try_from(version).unwrap_or_default(),
        SchemaState::Empty | SchemaState::Occupied => {
            let marks = "CREATE TABLE shenfen_schema (
                             version bigint PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())";
            sqlx::raw_sql(marks).execute(&mut *connection).await?;
            0
        }
    };
    for (index, step) in MIGRATIONS.iter().enumerate().skip(done) {
        sqlx::raw_sql(*step).execute(&mut *connection).await?;
        let mark = sqlx::query("INSERT INTO shenfen_schema (version) VALUES ($1)").bind(index as i64 + 1);
        mark.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn read_state(connection: &mut PgConnection) -> Result<SchemaState, sqlx::Error> {
    // Read from the catalogue itself: to_regclass uses a cache that may not yet contain tables that another program created
    // while this one waited.
    let (ours, others): (bool, bool) = sqlx::query_as(
        "SELECT coalesce(bool_or(relname = 'shenfen_schema'), false), count(*) > 0
         FROM pg_class
         WHERE relname IN ('shenfen_schema', 'jobs', 'results', 'batches') AND pg_table_is_visible(oid)",
    )
    .fetch_one(&mut *connection)
    .await?;
    match (ours, others) {
        (true, _) => {
            let version = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM shenfen_schema");
            Ok(SchemaState::At(version.fetch_one(connection).await?))
        }
        (false, true) => Ok(SchemaState::Occupied),
        (false, false) => Ok(SchemaState::Empty),
    }
}
