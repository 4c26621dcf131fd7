//! `shenfen worker`: reads jobs from a broker and stores the results in a database, until it is stopped.

use std::collections::BTreeMap;
use std::env;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use clap::builder::FalseyValueParser;
use shenfen_core::Tenant;
use shenfen_queue::{Broker, Depths};
use shenfen_store::postgres::PostgresOptions;
use shenfen_store::{Access, PostgresStore, StoreError};
use shenfen_worker::service::{Images, Metrics, QueueTenants, WebHosts};
use shenfen_worker::{Service, ServiceSettings};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::broker::BrokerArgs;
use crate::database::{DatabaseArgs, DatabaseChoice};
use crate::keyring::KeyringFileArgs;
use crate::pictures::ReadingArgs;
use crate::signals::watch_for_stop;
use crate::tenant::OfTenant;

/// Interval between attempts to reach a database that is unavailable at startup.
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(3);
/// Interval between queries of the queue depths.
const BETWEEN_DEPTHS: Duration = Duration::from_secs(10);

/// Read jobs from a broker and store the results in a database until stopped
#[derive(Args)]
pub(crate) struct WorkerArgs {
    #[command(flatten)]
    broker: BrokerArgs,

    #[command(flatten)]
    database: DatabaseArgs,

    /// Tenants whose jobs the queue may carry: names separated by commas, or * for all; messages that name others become dead letters
    #[arg(long, env = "SHENFEN_TENANTS", value_name = "NAMES", default_value = Tenant::DEFAULT_NAME)]
    tenants: QueueTenants,

    /// Folder that paths in messages are relative to; without it they are refused. TENANT=DIR for another tenant's; may be given several times
    #[arg(long, env = "SHENFEN_IMAGE_ROOT", value_name = "DIR")]
    image_root: Vec<OfTenant<PathBuf>>,

    /// Host that pictures may be fetched from; *.example.com for all its subdomains, http://host:port for one without TLS. TENANT=HOST
    /// for another tenant's
    #[arg(long, env = "SHENFEN_IMAGE_HOSTS", value_name = "HOST", value_delimiter = ',')]
    image_host: Vec<OfTenant<String>>,

    /// Allow those hosts to be in private networks
    #[arg(long, env = "SHENFEN_ALLOW_PRIVATE_HOSTS", value_parser = FalseyValueParser::new())]
    allow_private_hosts: bool,

    /// PEM file with certificate authorities of those hosts, beside those that browsers trust; also SSL_CERT_FILE
    #[arg(long, env = "SHENFEN_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// Maximum number of unacknowledged jobs [default: 32, and 8 more for each thread]
    #[arg(long, env = "SHENFEN_PREFETCH", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=2000))]
    prefetch: Option<u16>,

    /// Maximum number of retries after a transient failure
    #[arg(long, env = "SHENFEN_RETRIES", value_name = "N", default_value_t = 5)]
    retries: u32,

    /// Seconds to finish the jobs being read when stopped
    #[arg(long, env = "SHENFEN_DRAIN_SECONDS", value_name = "N", default_value_t = 30)]
    drain_seconds: u64,

    /// Address that serves /livez, /readyz and /metrics, such as 127.0.0.1:9090
    #[arg(long, env = "SHENFEN_METRICS_LISTEN", value_name = "ADDRESS")]
    metrics_listen: Option<SocketAddr>,

    #[command(flatten)]
    keyring: KeyringFileArgs,

    #[command(flatten)]
    reading: ReadingArgs,
}

/// Runs the command.
///
/// # Errors
/// When the configuration is invalid. A broker or database that is unavailable is waited for.
pub(crate) fn run(args: WorkerArgs) -> anyhow::Result<ExitCode> {
    // Two threads for I/O, so that heartbeats are always answered.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(work(args))
}

async fn work(args: WorkerArgs) -> anyhow::Result<ExitCode> {
    let options = match args.database.choice()? {
        DatabaseChoice::Postgres(options) => options,
        DatabaseChoice::File(_) => {
            bail!("a worker needs a PostgreSQL database: --database postgres://... or SHENFEN_DATABASE")
        }
    };
    let broker = args.broker.required()?;
    let images = images(&args)?;
    let reader = args.reading.reader()?;
    let threads = args.reading.threads();
    let mut settings = ServiceSettings::with_threads(threads);
    settings.memory = args.reading.memory();
    settings.prefetch = args.prefetch.unwrap_or(settings.prefetch);
    settings.retries = args.retries;
    settings.drain = Duration::from_secs(args.drain_seconds);

    let stop = watch_for_stop();
    let metrics = Metrics::default();
    if let Some(address) = args.metrics_listen {
        let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        tokio::spawn(shenfen_api::operations::serve(listener, metrics.clone(), stop.clone()));
        tokio::spawn(watch_depths(broker.clone(), metrics.clone()));
    }
    let Some(store) = reach(options, stop.clone()).await? else { return Ok(ExitCode::SUCCESS) };
    say(&format!("worker: {threads} threads, jobs from {}, results to {}", broker.url, store.name()));
    let service = Service { store, reader, broker, images, tenants: args.tenants, settings, metrics };
    let report = service.run(stop).await?;
    say(&format!("worker: stopped; {} jobs ended", report.stored));
    if report.abandoned > 0 {
        say(&format!("worker: {} jobs did not finish in time; the broker will redeliver them", report.abandoned));
    }
    Ok(ExitCode::SUCCESS)
}

fn images(args: &WorkerArgs) -> anyhow::Result<Images> {
    let mut images = Images::default();
    for OfTenant { tenant, value: root } in &args.image_root {
        images = images.below(*tenant, root)?;
    }
    let mut hosts: BTreeMap<Tenant, Vec<String>> = BTreeMap::new();
    for OfTenant { tenant, value: host } in &args.image_host {
        hosts.entry(*tenant).or_default().push(host.clone());
    }
    // As programs that use OpenSSL take it.
    let authorities = args.ca_file.clone().or_else(|| env::var_os("SSL_CERT_FILE").map(PathBuf::from));
    for (tenant, hosts) in hosts {
        let hosts = WebHosts::new(&hosts, args.allow_private_hosts, authorities.as_deref())?;
        images = images.from_web(tenant, hosts);
    }
    if let Some(keyring) = args.keyring.choice()? {
        images = images.sealed_for(keyring);
    }
    Ok(images)
}

/// Opens the database and waits while it is unavailable. `None` when stopped before.
async fn reach(options: PostgresOptions, mut stop: watch::Receiver<bool>) -> anyhow::Result<Option<PostgresStore>> {
    let mut said = false;
    loop {
        match options.clone().open(Access::Work).await {
            Ok(store) => return Ok(Some(store)),
            Err(
                error @ (StoreError::Unavailable { .. } | StoreError::Full { .. } | StoreError::CannotWrite { .. }),
            ) => {
                if !said {
                    say(&format!("worker: {error}; retrying"));
                    said = true;
                }
            }
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = sleep(BETWEEN_ATTEMPTS) => {}
            _ = stop.wait_for(|&stop| stop) => return Ok(None),
        }
    }
}

async fn watch_depths(broker: Broker, metrics: Metrics) {
    let depths = Depths::new(broker);
    loop {
        metrics.set_depth(depths.read().await.ok());
        sleep(BETWEEN_DEPTHS).await;
    }
}

/// Prints a line to standard error; nothing can be done if that is closed.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
