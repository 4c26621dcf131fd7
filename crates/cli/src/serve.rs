//! `shenfen serve`: the HTTP service, until it is stopped.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use shenfen_api::keys::Keys;
use shenfen_api::signing::Authenticator;
use shenfen_api::{Bodies, BodyLimits, LazyStore, Metrics, MetricsRoute, ServerLimits, Service};
use shenfen_queue::Publisher;
use shenfen_worker::{ReadingQueue, ReadingQueueSettings};
use tokio::net::TcpListener;

use crate::broker::BrokerArgs;
use crate::database::{DatabaseArgs, DatabaseChoice};
use crate::keyring::RecipientArgs;
use crate::keys::{KeyFileArgs, rate};
use crate::pictures::ReadingArgs;
use crate::signals::watch_for_stop;

/// Default queue depth for each thread: about a second of reading.
const QUEUE_DEPTH_PER_THREAD: usize = 16;

/// Serve numbers, pictures, jobs and results over HTTP until stopped
#[derive(Args)]
pub(crate) struct ServeArgs {
    /// Address to listen on; without keys it must be a loopback address
    #[arg(long, env = "SHENFEN_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    #[command(flatten)]
    keys: KeyFileArgs,

    /// Requests per second for each key without a rate of its own
    #[arg(long, env = "SHENFEN_RATE", value_name = "N", default_value = "100", value_parser = rate)]
    rate: f64,

    /// Certificate chain for TLS, a PEM file
    #[arg(long, env = "SHENFEN_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// Private key of the certificate, a PEM file
    #[arg(long, env = "SHENFEN_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Pictures that may wait while all threads are busy; further ones get RETRY_LATER [default: 16 per thread]
    #[arg(long, env = "SHENFEN_QUEUE_DEPTH", value_name = "N")]
    queue_depth: Option<usize>,

    /// The name of `--queue-depth` and its variable in earlier versions.
    #[arg(long = "line", env = "SHENFEN_LINE", value_name = "N", hide = true)]
    former_queue_depth: Option<usize>,

    /// Seconds after which a picture that has not been read gets RETRY_LATER
    #[arg(long, env = "SHENFEN_DEADLINE_SECONDS", value_name = "N", default_value_t = 10)]
    deadline_seconds: u64,

    /// Maximum number of open connections; for a further one, the one that has been idle for longest is closed
    #[arg(long, env = "SHENFEN_CONNECTIONS", value_name = "N", default_value_t = ServerLimits::default().connections)]
    connections: usize,

    /// Seconds to finish accepted requests when stopped
    #[arg(long, env = "SHENFEN_DRAIN_SECONDS", value_name = "N", default_value_t = 30)]
    drain_seconds: u64,

    /// Address that serves /metrics, /livez and /readyz, such as 127.0.0.1:9090; without it /metrics is served at a loopback --listen only
    #[arg(long, env = "SHENFEN_METRICS_LISTEN", value_name = "ADDRESS")]
    metrics_listen: Option<SocketAddr>,

    #[command(flatten)]
    broker: BrokerArgs,

    #[command(flatten)]
    database: DatabaseArgs,

    #[command(flatten)]
    recipients: RecipientArgs,

    #[command(flatten)]
    reading: ReadingArgs,
}

/// Runs the command.
///
/// # Errors
/// When the configuration is invalid or the address cannot be listened on.
pub(crate) fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(serve(args))
}

async fn serve(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => Some(shenfen_api::tls(certificate, key)?),
        _ => None,
    };
    let publisher = args.broker.choice()?.map(Publisher::new);
    let store = lazy_store(&args.database)?;
    let authenticator = authenticator(&args)?;
    let listener = TcpListener::bind(args.listen).await.with_context(|| format!("cannot listen on {}", args.listen))?;
    let address = listener.local_addr().context("cannot determine the address")?;
    let threads = args.reading.threads();
    let queue_depth = args.queue_depth.or(args.former_queue_depth).unwrap_or(threads * QUEUE_DEPTH_PER_THREAD);
    let deadline = Duration::from_secs(args.deadline_seconds);
    let settings = ReadingQueueSettings { threads, memory: args.reading.memory(), depth: queue_depth, deadline };
    let reading_queue =
        ReadingQueue::start(&args.reading.reader()?, settings).context("cannot start the reading threads")?;
    let metrics = Metrics::default();
    let service = Service {
        reading_queue,
        limits: args.reading.limits(),
        today: args.reading.today(),
        bodies: Bodies::new(BodyLimits::default()),
        authenticator,
        publisher,
        recipients: args.recipients.recipients,
        store,
        metrics: metrics.clone(),
    };
    let limits = ServerLimits {
        connections: args.connections,
        drain: Duration::from_secs(args.drain_seconds),
        ..ServerLimits::default()
    };
    let scheme = if tls.is_some() { "https" } else { "http" };
    say(&format!("serve: {threads} threads, queue depth {queue_depth}, listening on {scheme}://{address}"));
    let (service, stop) = (Arc::new(service), watch_for_stop());
    let metrics_route = match args.metrics_listen {
        None if args.listen.ip().is_loopback() => MetricsRoute::Here,
        None => MetricsRoute::Elsewhere,
        Some(address) => {
            let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
            let observed = shenfen_api::observed(Arc::clone(&service));
            tokio::spawn(shenfen_api::operations::serve(listener, observed, stop.clone()));
            MetricsRoute::Elsewhere
        }
    };
    let router = shenfen_api::router(service, metrics_route);
    let cut = shenfen_api::serve(listener, tls, router, limits, metrics, stop).await;
    match cut {
        0 => say("serve: stopped"),
        cut => say(&format!("serve: stopped; {cut} connections did not finish in time")),
    }
    Ok(ExitCode::SUCCESS)
}

/// The authenticator of the key file; `None` without one, which is allowed on a loopback address only.
fn authenticator(args: &ServeArgs) -> anyhow::Result<Option<Authenticator>> {
    let Some(file) = args.keys.choice()? else {
        if !args.listen.ip().is_loopback() {
            bail!(
                "without keys the service listens on a loopback address only, not on {}: use --keys FILE (`shenfen keys add` \
                 creates one) or --listen 127.0.0.1:{}",
                args.listen,
                args.listen.port()
            );
        }
        tracing::warn!(address = %args.listen, "no keys are configured: every local process may use the service");
        return Ok(None);
    };
    let (keys, follow) = Keys::of_file(file)?;
    if keys.count() == 0 {
        tracing::warn!("the key file has no key in force: every request will be refused");
    }
    tokio::spawn(follow);
    Ok(Some(Authenticator::new(keys, Some(args.rate))))
}

/// The database of the workers, if one was named.
fn lazy_store(database: &DatabaseArgs) -> anyhow::Result<Option<LazyStore>> {
    match database.choice()? {
        DatabaseChoice::Postgres(options) => Ok(Some(LazyStore::new(options))),
        DatabaseChoice::File(_) if database.is_default() => Ok(None),
        DatabaseChoice::File(_) => {
            bail!("the service needs a database on a server: --database postgres://USER:PASSWORD@HOST:PORT/NAME")
        }
    }
}

/// Prints a line to standard error; nothing can be done if that is closed.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
