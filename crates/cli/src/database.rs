//! The database argument, a file or a server, and advice on its errors.

use std::error::Error;
use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use shenfen_core::Tenant;
use shenfen_store::postgres::PostgresOptions;
use shenfen_store::sqlite::OpenOptions;
use shenfen_store::{
    Access, Audit, AuditEntry, AuditRecord, BatchProgress, Batches, Erase, EraseScope, Erased, PostgresStore, Recorded,
    ResultFilter, ResultRow, Results, SqliteStore, StoreError,
};
use shenfen_worker::BackfillError;

/// The default database file.
const DEFAULT: &str = "shenfen.db";

/// Where results are kept.
#[derive(Args)]
pub(crate) struct DatabaseArgs {
    /// Database: a file, or a server as postgres://USER:PASSWORD@HOST:PORT/NAME
    // Parsed later: an error of the argument parser would repeat the value, password included.
    #[arg(
        long,
        global = true,
        env = "SHENFEN_DATABASE",
        hide_env_values = true,
        default_value = DEFAULT,
        value_name = "FILE|URL"
    )]
    database: OsString,
}

/// Which of the two stores the argument names.
#[expect(clippy::large_enum_variant, reason = "one is made, at startup")]
pub(crate) enum DatabaseChoice {
    /// The embedded one, in this file.
    File(PathBuf),
    /// The one on a server.
    Postgres(PostgresOptions),
}

impl DatabaseArgs {
    /// Which store the argument names.
    ///
    /// # Errors
    /// When it is an address that is not understood.
    pub(crate) fn choice(&self) -> Result<DatabaseChoice, StoreError> {
        match self.database.to_str() {
            Some(text) if is_address(text) => text.parse().map(DatabaseChoice::Postgres),
            _ => Ok(DatabaseChoice::File(PathBuf::from(&self.database))),
        }
    }

    /// Opens a file, which has the default tenant only.
    ///
    /// # Errors
    /// When it is a server's address, the tenant is another one, or the file cannot be opened.
    pub(crate) async fn open(&self, access: Access, tenant: Tenant) -> anyhow::Result<SqliteStore> {
        needs_default(tenant)?;
        match self.choice()? {
            DatabaseChoice::File(path) => Ok(OpenOptions::new(path, access).open().await?),
            DatabaseChoice::Postgres(_) => bail!("this command needs a database file"),
        }
    }

    /// Opens a server's database for a tenant.
    ///
    /// # Errors
    /// When it is a file, or the database cannot be opened.
    pub(crate) async fn open_server(&self, access: Access, tenant: Tenant) -> anyhow::Result<PostgresStore> {
        match self.choice()? {
            DatabaseChoice::File(_) => {
                bail!("this command needs a database on a server: --database postgres://USER:PASSWORD@HOST:PORT/NAME")
            }
            DatabaseChoice::Postgres(options) => Ok(options.open(access).await?.of_tenant(tenant)),
        }
    }

    /// Opens either store for reading what is a tenant's, with [`Access::Reveal`] also in clear.
    ///
    /// # Errors
    /// When it cannot be opened, or is a file and the tenant is not the default one.
    pub(crate) async fn open_to_read(&self, access: Access, tenant: Tenant) -> anyhow::Result<Store> {
        Ok(match self.choice()? {
            DatabaseChoice::File(path) => {
                needs_default(tenant)?;
                Store::File(OpenOptions::new(path, access).open().await?)
            }
            DatabaseChoice::Postgres(options) => Store::Server(options.open(access).await?.of_tenant(tenant)),
        })
    }

    /// Whether it is the default.
    pub(crate) fn is_default(&self) -> bool {
        self.database == DEFAULT
    }

    /// The arguments that name the same database in another command, without a password; empty for the default one.
    pub(crate) fn as_typed(&self) -> String {
        match self.database.to_str() {
            Some(DEFAULT) => String::new(),
            Some(text) if is_address(text) => " --database postgres://...".to_owned(),
            _ => format!(" --database '{}'", self.database.display()),
        }
    }
}

fn needs_default(tenant: Tenant) -> anyhow::Result<()> {
    if tenant != Tenant::DEFAULT {
        bail!("a database file has no tenants: --tenant needs a database on a server");
    }
    Ok(())
}

/// Whether the text is meant as an address, even if a wrong one: it may contain a password, so it must not be taken for the
/// name of a file, which error messages show.
fn is_address(text: &str) -> bool {
    let scheme = |scheme| text.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    text.contains("://") || scheme("postgres") && text.contains([':', '@'])
}

/// Results and batches of either store.
pub(crate) enum Store {
    /// The embedded one.
    File(SqliteStore),
    /// The one on a server.
    Server(PostgresStore),
}

impl Results for Store {
    async fn page(&self, filter: &ResultFilter, after: i64, limit: u32) -> Result<Vec<ResultRow>, StoreError> {
        match self {
            Store::File(store) => store.page(filter, after, limit).await,
            Store::Server(store) => store.page(filter, after, limit).await,
        }
    }
}

impl Audit for Store {
    async fn record(&self, record: &AuditRecord) -> Result<Recorded, StoreError> {
        match self {
            Store::File(store) => store.record(record).await,
            Store::Server(store) => store.record(record).await,
        }
    }

    async fn audit_page(&self, after: i64, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        match self {
            Store::File(store) => store.audit_page(after, limit).await,
            Store::Server(store) => store.audit_page(after, limit).await,
        }
    }
}

impl Erase for Store {
    async fn open_jobs(&self, scope: &EraseScope) -> Result<u64, StoreError> {
        match self {
            Store::File(store) => store.open_jobs(scope).await,
            Store::Server(store) => store.open_jobs(scope).await,
        }
    }

    async fn erase(&self, scope: &EraseScope, limit: u32) -> Result<Erased, StoreError> {
        match self {
            Store::File(store) => store.erase(scope, limit).await,
            Store::Server(store) => store.erase(scope, limit).await,
        }
    }

    async fn finish_erasing(&self) -> Result<(), StoreError> {
        match self {
            Store::File(store) => store.finish_erasing().await,
            Store::Server(store) => store.finish_erasing().await,
        }
    }
}

impl Batches for Store {
    async fn batches(&self) -> Result<Vec<BatchProgress>, StoreError> {
        match self {
            Store::File(store) => store.batches().await,
            Store::Server(store) => store.batches().await,
        }
    }

    async fn batch(&self, name: &str) -> Result<Option<BatchProgress>, StoreError> {
        match self {
            Store::File(store) => store.batch(name).await,
            Store::Server(store) => store.batch(name).await,
        }
    }
}

/// What the user can do about an error of the store.
pub(crate) fn advice(error: &anyhow::Error) -> Option<&'static str> {
    let error = error.chain().find_map(of_the_store)?;
    Some(match error {
        StoreError::Missing { .. } => "run `shenfen backfill` first, or choose another one with --database",
        StoreError::CannotOpen { .. } => "check the folder and its permissions, or choose another one with --database",
        StoreError::NoTables { .. } => "run `shenfen migrate`",
        StoreError::BadAddress { .. } => "the format is postgres://USER:PASSWORD@HOST:PORT/NAME",
        StoreError::Unavailable { .. } => "check that it runs and is reachable, and try again: finished work is kept",
        StoreError::Denied { .. } => "check user, password and database name in --database, and the user's privileges",
        StoreError::Rejected { .. } => "please report this as a bug",
        StoreError::NotUtf8 { .. } => "create one with CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0",
        StoreError::NotOurs { .. } => "choose another one with --database",
        StoreError::Newer { .. } => "install that version or choose another one with --database",
        StoreError::InUse { .. } => "wait for it to finish or choose another one with --database",
        StoreError::Full { .. } | StoreError::CannotWrite { .. } => {
            "free space or check the permissions and run the same command again: finished work is kept"
        }
        StoreError::Gone { .. } => "leave it in its place and run the same command again",
        StoreError::Damaged { .. } => "restore it from a backup or choose another one with --database",
        StoreError::Database { .. } => "run the same command again: finished work is kept",
    })
}

/// A backfill's error shows itself as the store's, whose place in the chain it takes.
fn of_the_store<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a StoreError> {
    match cause.downcast_ref::<BackfillError>() {
        Some(BackfillError::Store(error)) => Some(error),
        _ => cause.downcast_ref(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(database: &str) -> DatabaseArgs {
        DatabaseArgs { database: database.into() }
    }

    #[test]
    fn distinguishes_a_server_url_from_a_file() {
        for file in ["shenfen.db", "/data/kyc.db", "postgres", "postgres.db", "postgres/kyc.db"] {
            assert!(matches!(args(file).choice(), Ok(DatabaseChoice::File(path)) if path.as_os_str() == file));
        }
        for server in ["postgres://u:p@h:5433/kyc", "postgresql://h/kyc"] {
            assert!(matches!(args(server).choice(), Ok(DatabaseChoice::Postgres(_))), "{server}");
        }
    }

    #[test]
    fn mistyped_url_is_not_taken_for_a_file_and_hides_its_password() {
        for wrong in ["mysql://u:s3cret@h/d", "postgres:/u:s3cret@h/d", "Postgres:u:s3cret@h", "postgresql:u:s3cret"] {
            let args = args(wrong);
            let Err(error) = args.choice() else { panic!("{wrong} passes") };
            assert!(!error.to_string().contains("s3cret"), "{error}");
            assert!(!args.as_typed().contains("s3cret"));
        }
    }
}
