//! Opening the database: address, time limits, and a check that the tables are this program's.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use shenfen_core::Tenant;
use sqlx::postgres::PgConnectOptions;

use super::connections::{Connections, Limits};
use super::{PostgresStore, schema};
use crate::access::Access;
use crate::error::StoreError;

/// How to open a store.
#[derive(Clone)]
pub struct PostgresOptions {
    connect: PgConnectOptions,
    limits: Limits,
    connections: usize,
}

impl PostgresOptions {
    /// Maximum number of connections.
    pub fn connections(self, connections: usize) -> PostgresOptions {
        PostgresOptions { connections: connections.max(1), ..self }
    }

    /// Time limit for connecting to the server.
    pub fn connect_limit(self, connect: Duration) -> PostgresOptions {
        PostgresOptions { limits: Limits { connect, ..self.limits }, ..self }
    }

    /// Time limit for a statement, including waits for locks.
    pub fn statement_limit(self, statement: Duration) -> PostgresOptions {
        PostgresOptions { limits: Limits { statement, ..self.limits }, ..self }
    }

    /// Opens the store; for [`Access::Work`] it brings the tables up to date; concurrent programs do so one at a time.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses, when the tables are another program's or a newer version's, and,
    /// for [`Access::Read`], when they are missing or older. Nothing is retried: that is up to the caller.
    pub async fn open(self, access: Access) -> Result<PostgresStore, StoreError> {
        let PostgresOptions { connect, limits, connections } = self;
        let name = name(&connect);
        let statement_limit = limits.statement.as_millis().max(1).to_string();
        let mut connect = connect.application_name("shenfen").options([
            ("statement_timeout", statement_limit.as_str()),
            ("idle_in_transaction_session_timeout", "60s"),
            ("timezone", "UTC"),
        ]);
        // Where the administrator has made the database read-only, as for a move, it stays so.
        if access == Access::Read {
            connect = connect.options([("default_transaction_read_only", "on")]);
        }
        let connections = Connections::new(name, connect, limits, connections);
        schema::bring_up_to_date(&connections, access).await?;
        Ok(PostgresStore { connections: Arc::new(connections), tenant: Tenant::DEFAULT })
    }
}

/// A URL, `postgres://USER:PASSWORD@HOST:PORT/NAME?sslmode=verify-full&sslrootcert=FILE`. Missing parts come
/// from `PGPASSWORD`, `.pgpass` and the other usual places.
impl FromStr for PostgresOptions {
    type Err = StoreError;

    fn from_str(url: &str) -> Result<PostgresOptions, StoreError> {
        let bad = |reason: String| StoreError::BadAddress { reason };
        if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(bad("it does not begin with postgres://".into()));
        }
        let connect = PgConnectOptions::from_str(url).map_err(|error| match error {
            sqlx::Error::Configuration(reason) => bad(reason.to_string()),
            _ => bad("one of its options has an invalid value".into()),
        })?;
        let limits = Limits { connect: Duration::from_secs(10), statement: Duration::from_secs(30) };
        Ok(PostgresOptions { connect, limits, connections: 4 })
    }
}

/// Shows the address without the password.
impl fmt::Debug for PostgresOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("PostgresOptions").field(&name(&self.connect)).finish()
    }
}

fn name(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    match options.get_socket() {
        Some(socket) => format!("{database} on {}", socket.display()),
        None => format!("{database} on {}:{}", options.get_host(), options.get_port()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_shows_the_password() {
        let options: PostgresOptions = "postgres://worker:s3cret@db.example:5433/kyc?sslmode=require".parse().unwrap();
        assert_eq!(format!("{options:?}"), "PostgresOptions(\"kyc on db.example:5433\")");
        for url in
            ["s3cret", "mysql://u:s3cret@h/d", "postgres://u:s3cret@h:port/d", "postgres://u:s3cret@h/d?sslmode=sure"]
        {
            let error = url.parse::<PostgresOptions>().unwrap_err();
            assert!(matches!(error, StoreError::BadAddress { .. }));
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        }
    }
}
