//! Maps errors of PostgreSQL to [`StoreError`].

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgDatabaseError, PgSeverity};
use thiserror::Error;

use crate::error::StoreError;

/// A server's error. Its details may quote rows, so only message and code are kept.
#[derive(Debug, Error)]
#[error("{message} (SQLSTATE {code})")]
struct Report {
    code: String,
    message: String,
}

/// What an SQLSTATE means for the caller (PostgreSQL documentation, appendix A).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Unavailable,
    Denied,
    NoTables,
    Full,
    CannotWrite,
    Rejected,
    Damaged,
    Other,
}

fn meaning(code: &str) -> Meaning {
    match code {
        // Deadlock or serialisation failure; lock or statement timeout; the server stops or starts, or has too many
        // connections.
        "40001" | "40P01" | "55P03" | "57014" | "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => Meaning::Unavailable,
        "53300" | "53200" | "53400" | "58000" => Meaning::Unavailable,
        "53100" => Meaning::Full,
        // Password, user, database, privilege.
        "28P01" | "28000" | "3D000" | "42501" => Meaning::Denied,
        // Table, column, schema.
        "42P01" | "42703" | "3F000" => Meaning::NoTables,
        // A standby or read-only server; a file that cannot be written.
        "25006" | "58030" => Meaning::CannotWrite,
        "XX001" | "XX002" => Meaning::Damaged,
        _ => match code.get(..2) {
            Some("08") => Meaning::Unavailable,
            Some("22" | "23") => Meaning::Rejected,
            _ => Meaning::Other,
        },
    }
}

/// The [`StoreError`] of an error of the database `name` during `operation`.
pub(super) fn of(name: &str, operation: &'static str, source: sqlx::Error) -> StoreError {
    let database = name.to_owned();
    match &source {
        sqlx::Error::Database(error) => reported(database, operation, error.as_ref()),
        sqlx::Error::Io(error) => StoreError::Unavailable { database, reason: error.to_string() },
        sqlx::Error::Tls(error) => StoreError::Unavailable { database, reason: format!("TLS failed: {error}") },
        sqlx::Error::Protocol(reason) => StoreError::Unavailable { database, reason: reason.clone() },
        sqlx::Error::ColumnNotFound(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            StoreError::Damaged { database, reason: source.to_string() }
        }
        _ => StoreError::Database { database, operation, source: source.into() },
    }
}

fn reported(database: String, operation: &'static str, error: &dyn DatabaseError) -> StoreError {
    let report = Report { code: error.code().unwrap_or_default().into_owned(), message: error.message().to_owned() };
    let reason = report.to_string();
    match meaning(&report.code) {
        Meaning::Unavailable => StoreError::Unavailable { database, reason },
        Meaning::Denied => StoreError::Denied { database, reason },
        Meaning::NoTables => StoreError::NoTables { database },
        Meaning::Full => StoreError::Full { database },
        Meaning::CannotWrite => StoreError::CannotWrite { database, reason },
        Meaning::Rejected => StoreError::Rejected { database, reason },
        Meaning::Damaged => StoreError::Damaged { database, reason },
        Meaning::Other => StoreError::Database { database, operation, source: Box::new(report) },
    }
}

/// Whether the connection can be reused: the server refused the statement and did not end the session.
pub(super) fn leaves_connection_usable(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    error.try_downcast_ref::<PgDatabaseError>().is_some_and(|error| error.severity() == PgSeverity::Error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str, expected: Meaning) {
        assert_eq!(meaning(code), expected, "{code}");
    }

    #[test]
    fn classifies_sqlstates() {
        check("28P01", Meaning::Denied);
        check("57P03", Meaning::Unavailable);
        check("08006", Meaning::Unavailable);
        check("53100", Meaning::Full);
        check("25006", Meaning::CannotWrite);
        check("42P01", Meaning::NoTables);
        check("22021", Meaning::Rejected);
        check("23514", Meaning::Rejected);
        check("XX001", Meaning::Damaged);
        check("XX000", Meaning::Other);
        check("", Meaning::Other);
    }

    #[test]
    fn lost_connection_is_transient_and_not_reused() {
        let lost = || sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        assert!(!leaves_connection_usable(&lost()));
        assert!(of("kyc on db:5432", "store results", lost()).is_transient());
    }
}
