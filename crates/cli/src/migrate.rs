//! `shenfen migrate`: creates the tables of a database or brings them up to date.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use shenfen_store::sqlite::OpenOptions;
use shenfen_store::{Access, StoreError};

use crate::database::{DatabaseArgs, DatabaseChoice};

/// Create the tables of a database or bring them up to date
///
/// Workers and backfills do the same when they start. Run this command where they may not change tables.
#[derive(Args)]
pub(crate) struct MigrateArgs {
    #[command(flatten)]
    database: DatabaseArgs,
}

/// Runs the command.
///
/// # Errors
/// When the database cannot be reached or changed, or is not ours, or newer.
pub(crate) fn run(args: MigrateArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.context("cannot start the runtime")?.block_on(migrate(args))?;
    writeln!(io::stdout(), "{done}")?;
    Ok(ExitCode::SUCCESS)
}

async fn migrate(args: MigrateArgs) -> Result<String, StoreError> {
    match args.database.choice()? {
        DatabaseChoice::File(path) => {
            let name = path.display().to_string();
            let missing = !path.exists();
            OpenOptions::new(path, Access::Work).open().await?.close().await;
            Ok(if missing { created(&name) } else { up_to_date(&name) })
        }
        DatabaseChoice::Postgres(options) => match options.clone().open(Access::Read).await {
            Ok(store) => Ok(up_to_date(store.name())),
            Err(StoreError::NoTables { .. }) => options.open(Access::Work).await.map(|store| created(store.name())),
            Err(error) => Err(error),
        },
    }
}

fn created(name: &str) -> String {
    format!("{name}: created the tables of this version")
}

fn up_to_date(name: &str) -> String {
    format!("{name}: the tables are up to date")
}
