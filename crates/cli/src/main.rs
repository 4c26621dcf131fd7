//! The binary `shenfen`: one file per subcommand.

mod audit;
mod backfill;
mod batches;
mod bench;
mod check;
mod dead;
mod erase;
mod eval;
mod keyring;
mod keys;
mod migrate;
mod policy;
mod read;
mod results;
mod serve;
mod submit;
mod worker;

mod actor;
mod allocator;
mod broker;
mod clock;
mod database;
mod engine;
mod logging;
mod memory;
mod pictures;
mod privacy;
mod private_file;
mod signals;
mod table;
mod tenant;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Read photographs of Chinese resident identity cards, check what they say and store the results
#[derive(Parser)]
#[command(name = "shenfen", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    log: logging::LogArgs,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(check::CheckArgs),
    Read(read::ReadArgs),
    Backfill(Box<backfill::BackfillArgs>),
    Results(results::ResultsArgs),
    Batches(batches::BatchesArgs),
    Policy(policy::PolicyCommandArgs),
    Worker(Box<worker::WorkerArgs>),
    Serve(Box<serve::ServeArgs>),
    Keys(keys::KeysArgs),
    Keyring(keyring::KeyringArgs),
    Submit(submit::SubmitArgs),
    Dead(dead::DeadArgs),
    Erase(Box<erase::EraseArgs>),
    Audit(audit::AuditArgs),
    Migrate(migrate::MigrateArgs),
    Eval(eval::EvalArgs),
    Bench(bench::BenchArgs),
}

/// The exit codes that scripts rely on: 0 the job ran, 1 usage or service failure, 2 with `--strict` some item was not OK.
fn main() -> ExitCode {
    allocator::keep_picture_buffers();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are not errors. Nothing can be done if the terminal is closed.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    logging::start(&cli.log);
    shenfen_worker::silence_panics();
    match run(cli.command) {
        Ok(code) => code,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let advice = database::advice(&error).or_else(|| broker::advice(&error));
            let advice = advice.map(|advice| format!("; {advice}")).unwrap_or_default();
            let _ = writeln!(io::stderr(), "error: {error:#}{advice}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Check(args) => check::run(args),
        Command::Read(args) => read::run(args),
        Command::Backfill(args) => {
            privacy::close_memory();
            backfill::run(*args)
        }
        Command::Results(args) => results::run(args),
        Command::Batches(args) => batches::run(args),
        Command::Policy(args) => policy::run(args),
        Command::Worker(args) => {
            privacy::close_memory();
            worker::run(*args)
        }
        Command::Serve(args) => {
            privacy::close_memory();
            serve::run(*args)
        }
        Command::Keys(args) => keys::run(args),
        Command::Keyring(args) => keyring::run(args),
        Command::Submit(args) => submit::run(args),
        Command::Dead(args) => dead::run(args),
        Command::Erase(args) => erase::run(&args),
        Command::Audit(args) => audit::run(args),
        Command::Migrate(args) => migrate::run(args),
        Command::Eval(args) => eval::run(args),
        Command::Bench(args) => bench::run(args),
    }
}

/// Whether the reader of our output closed it early, as in `shenfen results | head`.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        let in_csv = cause.downcast_ref::<csv::Error>().is_some_and(|error| match error.kind() {
            csv::ErrorKind::Io(error) => error.kind() == io::ErrorKind::BrokenPipe,
            _ => false,
        });
        in_csv || kind == Some(io::ErrorKind::BrokenPipe)
    })
}
