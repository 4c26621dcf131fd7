//! The log, on standard error: quiet unless something is wrong, and never with what a card says.

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
    /// Form of the log on standard error
    #[arg(long = "log", global = true, env = "SHENFEN_LOG", value_enum, default_value = "text")]
    form: Form,

    /// What is logged: error, warn, info, debug, trace, or a filter such as shenfen_worker=debug [default: RUST_LOG, or warn]
    #[arg(long = "log-level", global = true, env = "SHENFEN_LOG_LEVEL", value_name = "FILTER")]
    level: Option<EnvFilter>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Form {
    /// Lines for a person.
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged when nobody says: of lapin nothing, which reports errors when a connection is merely closed. What matters
/// of it is said by who uses it.
const UNASKED: &str = "warn,lapin=off";

/// Starts logging.
pub(crate) fn start(args: &LogArgs) {
    let level = args.level.clone().or_else(from_variable).unwrap_or_else(|| EnvFilter::new(UNASKED));
    // A second filter, so that no words of a user's lift what it holds back.
    let private = EnvFilter::builder().parse_lossy(format!("trace,{}", shenfen_queue::LOG_DIRECTIVES));
    let lines = tracing_subscriber::fmt::layer().with_ansi(io::stderr().is_terminal()).with_writer(io::stderr);
    let lines = match args.form {
        Form::Text => lines.boxed(),
        Form::Json => lines.json().boxed(),
    };
    tracing_subscriber::registry().with(level).with(private).with(lines).init();
}

fn from_variable() -> Option<EnvFilter> {
    let directives = env::var(EnvFilter::DEFAULT_ENV).ok().filter(|directives| !directives.is_empty())?;
    Some(EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).parse_lossy(directives))
}
