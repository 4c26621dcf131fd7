//! `shenfen keyring`: the keys that open what was sealed for the workers.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::json;
use shenfen_keyring::{KeyVersion, Keyring, Recipients, SharedKeyring};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::table::{Format, Table};

/// The keyring of a command that opens what is sealed.
#[derive(Args)]
pub(crate) struct KeyringFileArgs {
    /// Keyring that opens sealed pictures, created by `shenfen keyring init`
    #[arg(long, global = true, env = "SHENFEN_KEYRING", value_name = "FILE")]
    keyring: Option<PathBuf>,
}

impl KeyringFileArgs {
    /// The keyring; `None` when none was named.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub(crate) fn choice(&self) -> anyhow::Result<Option<SharedKeyring>> {
        Ok(self.keyring.as_deref().map(SharedKeyring::read).transpose()?)
    }
}

/// Whom a command seals pictures for.
#[derive(Args)]
pub(crate) struct RecipientArgs {
    /// Seal pictures for these recipients (age1..., as `shenfen keyring export-public` prints them), so that neither the
    /// broker nor its disk nor dead letters hold them in clear
    #[arg(long, env = "SHENFEN_RECIPIENTS", value_name = "RECIPIENTS")]
    pub(crate) recipients: Option<Recipients>,
}

/// Create, list and rotate the keys that open sealed pictures
#[derive(Args)]
pub(crate) struct KeyringArgs {
    #[command(flatten)]
    file: KeyringFileArgs,

    /// Output format [default: table on a terminal, otherwise json, one object per line]
    #[arg(long, global = true, env = "SHENFEN_FORMAT", value_enum)]
    format: Option<Format>,

    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Create a keyring with a first key; only its owner can read the file
    Init,
    /// Show the keys, without their secrets
    List,
    /// Add a key; pictures sealed for the former ones still open, and running workers notice
    Rotate,
    /// Print the recipient of the newest key, for publishers to seal pictures for
    ExportPublic,
}

/// Runs the command.
///
/// # Errors
/// When the keyring cannot be read or written.
pub(crate) fn run(args: KeyringArgs) -> anyhow::Result<ExitCode> {
    let Some(path) = args.file.keyring else {
        bail!("this command needs a keyring: --keyring FILE or SHENFEN_KEYRING");
    };
    let now = OffsetDateTime::now_utc().replace_nanosecond(0)?;
    let mut out = BufWriter::new(io::stdout());
    match args.action {
        Action::Init => print(&mut out, args.format, Keyring::create(&path, now)?.versions())?,
        Action::Rotate => print(&mut out, args.format, &[Keyring::rotate(&path, now)?.newest().clone()])?,
        Action::List => print(&mut out, args.format, Keyring::read(&path)?.versions())?,
        Action::ExportPublic => writeln!(out, "{}", Keyring::read(&path)?.newest().recipient())?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn print(out: &mut impl Write, format: Option<Format>, versions: &[KeyVersion]) -> anyhow::Result<()> {
    let rows: Vec<[String; 3]> = versions
        .iter()
        .map(|key| Ok([key.number().to_string(), key.created_at().format(&Rfc3339)?, key.recipient()]))
        .collect::<anyhow::Result<_>>()?;
    match Format::or_default(format) {
        Format::Table => Table::new(["VERSION", "CREATED", "RECIPIENT"]).print(out, &rows)?,
        Format::Json => {
            for (key, [_, created_at, recipient]) in versions.iter().zip(&rows) {
                let line = json!({"version": key.number(), "created_at": created_at, "recipient": recipient});
                writeln!(out, "{line}")?;
            }
        }
    }
    Ok(())
}
