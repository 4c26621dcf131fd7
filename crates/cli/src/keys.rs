//! `shenfen keys`: the keys with which clients of `shenfen serve` sign their requests.

use std::env;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};
use serde_json::json;
use shenfen_api::keys::{KeyFile, KeyHolder, MasterKey};
use shenfen_core::Tenant;

use crate::table::{Format, Table};

/// The variable that holds the master key itself.
const MASTER_KEY: &str = "SHENFEN_MASTER_KEY";

/// The key file and the master key to it.
#[derive(Args)]
pub(crate) struct KeyFileArgs {
    /// Key file with the clients' keys, created by `shenfen keys add`
    #[arg(long, global = true, env = "SHENFEN_KEYS", value_name = "FILE")]
    keys: Option<PathBuf>,

    /// File with the master key (64 hexadecimal digits) that encrypts the secrets in the key file; alternatively set the
    /// environment variable SHENFEN_MASTER_KEY
    #[arg(long, global = true, env = "SHENFEN_MASTER_KEY_FILE", value_name = "FILE")]
    master_key_file: Option<PathBuf>,
}

impl KeyFileArgs {
    /// The key file; `None` when none was named.
    ///
    /// # Errors
    /// When there is no master key to it.
    pub(crate) fn choice(&self) -> anyhow::Result<Option<KeyFile>> {
        let Some(path) = &self.keys else { return Ok(None) };
        let master = match (&self.master_key_file, env::var(MASTER_KEY)) {
            (Some(path), _) => {
                let file = || format!("cannot read the master key file {}", path.display());
                fs::read_to_string(path).with_context(file)?
            }
            (None, Ok(master)) if !master.is_empty() => master,
            _ => bail!("the key file needs a master key: --master-key-file FILE or the variable {MASTER_KEY}"),
        };
        Ok(Some(KeyFile::new(path, MasterKey::parse(&master)?)))
    }

    fn required(&self) -> anyhow::Result<KeyFile> {
        match self.choice()? {
            Some(file) => Ok(file),
            None => bail!("this command needs a key file: --keys FILE or SHENFEN_KEYS"),
        }
    }
}

/// Add, list and revoke the keys with which clients of `shenfen serve` sign their requests
#[derive(Args)]
pub(crate) struct KeysArgs {
    #[command(flatten)]
    file: KeyFileArgs,

    /// Output format [default: table on a terminal, otherwise json, one object per line]
    #[arg(long, global = true, env = "SHENFEN_FORMAT", value_enum)]
    format: Option<Format>,

    #[command(subcommand)]
    change: Change,
}

#[derive(Subcommand)]
enum Change {
    /// Add a key; its secret is shown only once
    Add {
        /// Name of the client; a client may have several keys
        #[arg(value_name = "CLIENT")]
        client: String,

        /// Tenant whose jobs and results the client may use
        #[arg(long, env = "SHENFEN_TENANT", value_name = "NAME", default_value_t = Tenant::DEFAULT)]
        tenant: Tenant,

        /// Show this client stored results in clear, which the audit log records, and not masked
        #[arg(long, env = "SHENFEN_KEY_REVEAL", value_parser = FalseyValueParser::new())]
        reveal: bool,

        /// Requests per second [default: that of `shenfen serve --rate`]
        #[arg(long, env = "SHENFEN_KEY_RATE", value_name = "N", value_parser = rate)]
        rate: Option<f64>,
    },
    /// Show all keys, without their secrets
    List,
    /// Revoke a key; a running service notices within a second
    Revoke {
        /// Name of the key
        #[arg(value_name = "AK")]
        ak: String,
    },
}

/// Runs the command.
///
/// # Errors
/// When the key file cannot be read or written, or has no such key.
pub(crate) fn run(args: KeysArgs) -> anyhow::Result<ExitCode> {
    let file = args.file.required()?;
    let format = Format::or_default(args.format);
    let mut out = BufWriter::new(io::stdout());
    match args.change {
        Change::Add { client, tenant, reveal, rate } => {
            let key = file.add(KeyHolder { client: &client, tenant, reveals: reveal }, rate)?;
            match format {
                Format::Json => {
                    writeln!(out, "{}", json!({"client": client, "tenant": tenant, "ak": key.ak, "sk": key.sk}))?
                }
                Format::Table => writeln!(out, "ak  {}\nsk  {}", key.ak, key.sk)?,
            }
        }
        Change::List => {
            let keys = file.list()?;
            match format {
                Format::Json => {
                    for key in keys {
                        serde_json::to_writer(&mut out, &key)?;
                        out.write_all(b"\n")?;
                    }
                }
                Format::Table => {
                    let rows: Vec<[String; 7]> = keys
                        .into_iter()
                        .map(|key| {
                            let rate = key.rate.map(|rate| rate.to_string()).unwrap_or_default();
                            let [tenant, revoked] = [key.tenant.to_string(), key.revoked_at.unwrap_or_default()];
                            let results = if key.reveals { "in clear" } else { "masked" };
                            [key.ak, rate, key.created_at, revoked, tenant, results.to_owned(), key.client]
                        })
                        .collect();
                    Table::new(["AK", "RATE", "CREATED", "REVOKED", "TENANT", "RESULTS", "CLIENT"])
                        .print(&mut out, &rows)?;
                }
            }
        }
        Change::Revoke { ak } => file.revoke(&ak)?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Requests per second: any number above 0.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| "must be a number above 0".to_owned())
}
