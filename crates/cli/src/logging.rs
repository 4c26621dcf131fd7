//! The log, on standard error: warnings and errors by default, and never the content of a card.

use std::env;
use std::io::{self, IsTerminal};

use clap::{Args, ValueEnum};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// How the program logs.
#[derive(Args)]
pub(crate) struct LogArgs {
    /// Format of the log on standard error
    #[arg(long = "log", global = true, env = "SHENFEN_LOG", value_enum, default_value = "text")]
    format: Format,

    /// Log level (error, warn, info, debug, trace) or a filter such as shenfen_worker=debug [default: RUST_LOG, or warn]
    #[arg(long = "log-level", global = true, env = "SHENFEN_LOG_LEVEL", value_name = "FILTER")]
    level: Option<EnvFilter>,
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
    let level = args.level.clone().or_else(from_variable).unwrap_or_else(|| EnvFilter::new(DEFAULT_FILTER));
    // A second filter, which no filter of the user can override.
    let private = EnvFilter::builder().parse_lossy(format!("trace,{}", shenfen_queue::LOG_DIRECTIVES));
    let lines = tracing_subscriber::fmt::layer().with_ansi(io::stderr().is_terminal()).with_writer(io::stderr);
    let lines = match args.format {
        Format::Text => lines.boxed(),
        Format::Json => lines.json().boxed(),
    };
    tracing_subscriber::registry().with(level).with(private).with(lines).init();
}

fn from_variable() -> Option<EnvFilter> {
    let directives = env::var(EnvFilter::DEFAULT_ENV).ok().filter(|directives| !directives.is_empty())?;
    Some(EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).parse_lossy(directives))
}
