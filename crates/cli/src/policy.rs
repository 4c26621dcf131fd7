//! `shenfen policy`, and the policy that a command decides by.

mod simulate;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use shenfen_core::{Policy, Rule};

use simulate::SimulateArgs;

/// By which policy a command decides.
#[derive(Args)]
pub(crate) struct PolicyArgs {
    /// Policy that decides between accept, review and reject, a TOML file [default: the built-in one]
    #[arg(long, env = "SHENFEN_POLICY", value_name = "FILE")]
    policy: Option<PathBuf>,
}

impl PolicyArgs {
    /// The policy given, or the default one.
    ///
    /// # Errors
    /// When its file cannot be read, or is no policy.
    pub(crate) fn policy(&self) -> anyhow::Result<Policy> {
        self.policy.as_deref().map_or_else(|| Ok(Policy::default()), open)
    }

    /// Whether one was given.
    pub(crate) fn is_given(&self) -> bool {
        self.policy.is_some()
    }
}

/// Check and show policies, and try one on stored results
#[derive(Args)]
pub(crate) struct PolicyCommandArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Subcommand)]
enum PolicyCommand {
    /// Check a policy file; an error names its line
    Check(CheckArgs),
    /// Print a policy with everything that it leaves at the default
    Show(PolicyArgs),
    /// Show how a policy would change the decisions about stored results, without reading a picture again
    Simulate(SimulateArgs),
}

#[derive(Args)]
struct CheckArgs {
    /// The policy
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When the policy is wrong, the database cannot be read, or the output cannot be written.
pub(crate) fn run(args: PolicyCommandArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        PolicyCommand::Check(CheckArgs { file }) => {
            let policy = open(&file)?.info();
            writeln!(io::stdout(), "{}: ok, policy {}, version {}", file.display(), policy.name, policy.version)?;
        }
        PolicyCommand::Show(args) => show(&args.policy()?, &mut io::stdout().lock())?,
        PolicyCommand::Simulate(args) => simulate::run(&args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn open(file: &Path) -> anyhow::Result<Policy> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read the policy {}", file.display()))?;
    Policy::from_toml(&text).map_err(|error| anyhow!("{}:{}: {}", file.display(), error.line, error.reason))
}

fn show(policy: &Policy, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "# version {}", policy.info().version)?;
    write!(out, "{policy}")?;
    writeln!(out, "# The usual severities of the other rules:")?;
    let others = Rule::ALL.iter().filter(|rule| !policy.severities.contains_key(rule));
    others.into_iter().try_for_each(|rule| writeln!(out, "# {rule} = \"{}\"", rule.severity().as_str()))
}
