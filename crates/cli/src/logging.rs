//! The log, on standard error: warnings and errors by default, and never the content of a card.

use std::env;
use std::io::{self, IsTerminal};

use clap::{Args, ValueEnum};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How the program logs.
#[derive(Args)]
pub(crate) struct LogArgs {
    /// Format of the log on standard error
    #[arg(id = "log", long = "log", global = true, env = "SHENFEN_LOG", value_enum, default_value = "text")]
    format: Format,

    /// Log level (error, warn, info, debug, trace) or a filter such as shenfen_worker=debug [default: RUST_LOG, or warn]
    #[arg(long = "log-level", global = true, env = "SHENFEN_LOG_LEVEL", value_name = "FILTER")]
    level: Option<Targets>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Plain text.
    Text,
    /// One JSON object per line.
    Json,
}

/// The default filter. lapin is off: it logs errors when a connection is merely closed, and its callers report what matters.
const DEFAULT_FILTER: &str = "warn,lapin=off";

/// Starts logging.
pub(crate) fn start(args: &LogArgs) {
    let level = args.level.clone().or_else(from_variable).unwrap_or_else(|| built_in(DEFAULT_FILTER));
    // A second filter, which no filter of the user can override.
    let private = built_in(&format!("trace,{}", shenfen_queue::LOG_DIRECTIVES));
    let lines = tracing_subscriber::fmt::layer().with_ansi(io::stderr().is_terminal()).with_writer(io::stderr);
    let lines = match args.format {
        Format::Text => lines.boxed(),
        Format::Json => lines.json().boxed(),
    };
    tracing_subscriber::registry().with(level).with(private).with(lines).init();
}

/// A filter that is part of the program.
fn built_in(directives: &str) -> Targets {
    directives.parse().expect("the directives of the program itself are valid")
}

/// What `RUST_LOG` says. Other programs read it too, so directives that mean nothing here are passed over.
fn from_variable() -> Option<Targets> {
    let directives = env::var("RUST_LOG").ok()?;
    let valid = |directive: &&str| !directive.trim().is_empty() && directive.parse::<Targets>().is_ok();
    let known: Vec<&str> = directives.split(',').filter(valid).collect();
    if known.is_empty() { None } else { known.join(",").parse().ok() }
}
