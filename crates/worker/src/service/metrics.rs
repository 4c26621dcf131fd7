//! The metrics of a worker, in the Prometheus text format. Numbers only: no identifiers, no fields.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use shenfen_core::{Decision, PictureResult};
use shenfen_queue::{Depth, Health, Phase};
use tokio::sync::watch;

/// Upper bounds of the buckets of durations, in seconds.
const BUCKETS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// A stage of a job whose duration is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Fetching a picture by URL.
    Fetch,
    /// Bytes to pixels.
    Decode,
    /// Pixels to card corners.
    Locate,
    /// Cards to fields.
    Recognise,
    /// Fetching from disk, reading and checking, together.
    Read,
    /// The commit of a group of jobs.
    Commit,
}

impl Stage {
    const ALL: [Stage; 6] = [Stage::Fetch, Stage::Decode, Stage::Locate, Stage::Recognise, Stage::Read, Stage::Commit];

    fn label(self) -> &'static str {
        match self {
            Stage::Fetch => "fetch",
            Stage::Decode => "decode",
            Stage::Locate => "locate",
            Stage::Recognise => "recognise",
            Stage::Read => "read",
            Stage::Commit => "commit",
        }
    }
}

/// The metrics of one worker. Clones share them.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Counters>);

struct Counters {
    registry: Registry,
    received: IntCounter,
    jobs: IntCounterVec,
    in_hand: IntGauge,
    database_away: IntGauge,
    is_database_away: AtomicBool,
    stages: HistogramVec,
    threads: AtomicU64,
    consumer: Mutex<Option<watch::Receiver<Health>>>,
    depth: Mutex<Option<Depth>>,
}

impl Default for Counters {
    fn default() -> Counters {
        let registry = Registry::new();
        let jobs =
            register(&registry, IntCounterVec::new(Opts::new("shenfen_jobs_total", "Jobs by outcome."), &["outcome"]));
        let stages = register(
            &registry,
            HistogramVec::new(
                HistogramOpts::new("shenfen_stage_seconds", "Duration of a stage.").buckets(BUCKETS.to_vec()),
                &["stage"],
            ),
        );
        // Every series is there from the start, so that a rate over it begins at zero.
        for outcome in ["accepted", "review", "rejected", "dead", "retried", "repeated", "given_back"] {
            jobs.with_label_values(&[outcome]);
        }
        for stage in Stage::ALL {
            stages.with_label_values(&[stage.label()]);
        }
        Counters {
            received: register(
                &registry,
                IntCounter::new("shenfen_jobs_received_total", "Deliveries from the broker."),
            ),
            in_hand: register(&registry, IntGauge::new("shenfen_jobs_in_hand", "Jobs received and not yet settled.")),
            database_away: register(
                &registry,
                IntGauge::new("shenfen_database_away", "1 while the worker waits for the database."),
            ),
            is_database_away: AtomicBool::default(),
            jobs,
            stages,
            registry,
            threads: AtomicU64::default(),
            consumer: Mutex::default(),
            depth: Mutex::default(),
        }
    }
}

/// Registers a metric. Its name and labels are constants of this module, so a failure is a mistake in it, which any test
/// that makes a [`Metrics`] finds.
fn register<C: Collector + Clone + 'static>(registry: &Registry, metric: prometheus::Result<C>) -> C {
    let metric = metric.expect("the name of the metric is valid");
    registry.register(Box::new(metric.clone())).expect("the name of the metric is registered once");
    metric
}

impl Metrics {
    pub(crate) fn received(&self) {
        self.0.received.inc();
    }

    /// A result was stored.
    pub(crate) fn stored(&self, decision: Decision) {
        self.count(
            match decision {
                Decision::Accept => "accepted",
                Decision::Review => "review",
                Decision::Reject => "rejected",
            },
            1,
        );
    }

    pub(crate) fn dead(&self) {
        self.count("dead", 1);
    }

    pub(crate) fn retried(&self) {
        self.count("retried", 1);
    }

    /// Jobs were delivered again that had already ended.
    pub(crate) fn repeated(&self, jobs: u64) {
        self.count("repeated", jobs);
    }

    pub(crate) fn given_back(&self, jobs: usize) {
        self.count("given_back", jobs as u64);
    }

    fn count(&self, outcome: &str, jobs: u64) {
        self.0.jobs.with_label_values(&[outcome]).inc_by(jobs);
    }

    pub(crate) fn in_hand(&self, jobs: usize) {
        self.0.in_hand.set(jobs as i64);
    }

    pub(crate) fn threads(&self, threads: usize) {
        self.0.threads.store(threads as u64, Relaxed);
    }

    /// Whether that is news.
    pub(crate) fn database_away(&self, away: bool) -> bool {
        let was_away = self.0.is_database_away.swap(away, Relaxed);
        self.0.database_away.set(away.into());
        was_away != away
    }

    pub(crate) fn took(&self, stage: Stage, time: Duration) {
        self.stage(stage).observe(time.as_secs_f64());
    }

    fn stage(&self, stage: Stage) -> Histogram {
        self.0.stages.with_label_values(&[stage.label()])
    }

    pub(crate) fn read(&self, result: &PictureResult, whole: Duration) {
        let times = result.elapsed_ms;
        let stages =
            [(Stage::Decode, times.decode), (Stage::Locate, times.locate), (Stage::Recognise, times.recognise)];
        for (stage, milliseconds) in stages {
            self.took(stage, Duration::from_secs_f64(milliseconds.max(0.0) / 1000.0));
        }
        self.took(Stage::Read, whole);
    }

    pub(crate) fn follow(&self, consumer: watch::Receiver<Health>) {
        *self.0.consumer.lock().unwrap_or_else(PoisonError::into_inner) = Some(consumer);
    }

    /// Sets how many messages wait in the broker's queues; `None` where that is not known.
    pub fn set_depth(&self, depth: Option<Depth>) {
        *self.0.depth.lock().unwrap_or_else(PoisonError::into_inner) = depth;
    }

    /// Whether the worker can read jobs now.
    ///
    /// # Errors
    /// What it waits for.
    pub fn ready(&self) -> Result<(), String> {
        match self.consumer() {
            None => Err("starting".into()),
            Some(Health { phase: Phase::Connecting, last_error, .. }) => {
                Err(format!("no broker: {}", last_error.unwrap_or_else(|| "connecting".into())))
            }
            // It is also why nothing is received.
            Some(_) if self.0.is_database_away.load(Relaxed) => Err("no database".into()),
            Some(Health { phase: Phase::Consuming, .. }) => Ok(()),
            Some(Health { phase, .. }) => Err(format!("{phase:?}").to_lowercase()),
        }
    }

    fn consumer(&self) -> Option<Health> {
        let consumer = self.0.consumer.lock().unwrap_or_else(PoisonError::into_inner);
        consumer.as_ref().map(|health| health.borrow().clone())
    }

    /// All metrics in the Prometheus text format 0.0.4.
    pub fn render(&self) -> String {
        let mut families = self.0.registry.gather();
        families.extend(self.broker_metrics().gather());
        TextEncoder::new().encode_to_string(&families).unwrap_or_default()
    }

    /// What is known about the broker at this moment. Families of which nothing is known are left out.
    fn broker_metrics(&self) -> Registry {
        let registry = Registry::new();
        if let Some(health) = self.consumer() {
            register(&registry, IntGauge::new("shenfen_broker_connected", "1 while jobs are received."))
                .set((health.phase == Phase::Consuming).into());
            register(
                &registry,
                IntCounter::new("shenfen_broker_reconnects_total", "Connections reopened after a loss."),
            )
            .inc_by(health.reconnects);
        }
        let depth = self.0.depth.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(depth) = depth.as_ref() else { return registry };
        let retries: u32 = depth.retries.iter().map(|&(_, count)| count).sum();
        let queues = register(
            &registry,
            IntGaugeVec::new(Opts::new("shenfen_queue_depth", "Messages ready in the broker's queues."), &["queue"]),
        );
        for (queue, count) in [("jobs", depth.jobs), ("retry", retries), ("dead", depth.dead)] {
            queues.with_label_values(&[queue]).set(count.into());
        }
        register(&registry, IntGauge::new("shenfen_queue_consumers", "Workers that consume jobs."))
            .set(depth.consumers.into());
        let reading = self.stage(Stage::Read);
        if reading.get_sample_count() > 0 {
            let mean = reading.get_sample_sum() / reading.get_sample_count() as f64;
            let threads = self.0.threads.load(Relaxed).max(1) * u64::from(depth.consumers.max(1));
            let eta = f64::from(depth.jobs + retries) * mean / threads as f64;
            let help = "Time to read the waiting jobs if all workers are as fast as this one.";
            register(&registry, Gauge::new("shenfen_backlog_eta_seconds", help)).set((eta * 10.0).round() / 10.0);
        }
        registry
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use shenfen_queue::RetryStep;

    use super::*;

    /// The exposition of the program before it used a library for it, for what the test below records.
    const EXPOSITION: &str = include_str!("metrics/exposition.txt");

    /// The lines but for HELP and for the order of lines and labels, neither of which means anything to Prometheus.
    fn series(text: &str) -> BTreeSet<String> {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with("# HELP"));
        let normal = |line: &str| match line.split_once('{').zip(line.split_once('}')) {
            Some(((name, _), (labels, value))) => {
                let mut labels: Vec<&str> = labels[name.len() + 1..].split(',').collect();
                labels.sort_unstable();
                format!("{name}{{{}}}{value}", labels.join(","))
            }
            None => line.to_owned(),
        };
        lines.map(normal).collect()
    }

    #[test]
    fn names_types_labels_and_values_stay_as_they_were() {
        let metrics = Metrics::default();
        (0..3).for_each(|_| metrics.received());
        metrics.stored(Decision::Review);
        metrics.repeated(2);
        metrics.given_back(1);
        metrics.in_hand(5);
        metrics.threads(2);
        metrics.database_away(true);
        metrics.took(Stage::Commit, Duration::from_millis(7));
        metrics.took(Stage::Commit, Duration::from_secs(60));
        metrics.took(Stage::Read, Duration::from_millis(250));
        let health = Health { phase: Phase::Consuming, reconnects: 4, last_error: None };
        metrics.follow(watch::channel(health).1);
        let retries = RetryStep::ALL.map(|step| (step, 1));
        metrics.set_depth(Some(Depth { jobs: 96, consumers: 1, dead: 3, retries }));
        assert_eq!(series(&metrics.render()), series(EXPOSITION));
    }

    #[test]
    fn is_not_ready_before_the_consumer_starts() {
        let metrics = Metrics::default();
        assert_eq!(metrics.ready(), Err("starting".to_owned()));
        assert!(!metrics.render().contains("shenfen_broker_connected"));
    }
}
