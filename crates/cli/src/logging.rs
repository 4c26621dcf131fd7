//! The log, on standard error: quiet unless something is wrong, and never with what a card says.

use std::io;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

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

/// Starts logging.
pub(crate) fn start(args: &LogArgs) {
    let from_variable = || EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).from_env_lossy();
    let level = args.level.clone().unwrap_or_else(from_variable);
    let subscriber = tracing_subscriber::fmt().with_env_filter(level).with_writer(io::stderr);
    match args.form {
        Form::Text => subscriber.init(),
        Form::Json => subscriber.json().init(),
    }
}
