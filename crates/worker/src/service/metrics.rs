//! What a service counts, in the text format of Prometheus. Numbers only: no identifiers, no fields.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use shenfen_core::{Decision, PictureResult};
use shenfen_queue::{Depth, Health, Phase};
use tokio::sync::watch;

/// Upper ends of the classes of durations, in seconds.
const CLASSES: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// A part of a job's way whose duration is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Getting a picture from the web.
    Fetch,
    /// Bytes to pixels.
    Decode,
    /// Pixels to card corners.
    Locate,
    /// Cards to fields.
    Recognise,
    /// Fetching from disk, reading and checking, together.
    Read,
    /// A commit of a group of ends.
    Commit,
}

const STAGES: [(Stage, &str); 6] = [
    (Stage::Fetch, "fetch"),
    (Stage::Decode, "decode"),
    (Stage::Locate, "locate"),
    (Stage::Recognise, "recognise"),
    (Stage::Read, "read"),
    (Stage::Commit, "commit"),
];

/// The counters of one service. Clones share them.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Counters>);

#[derive(Default)]
struct Counters {
    received: AtomicU64,
    accepted: AtomicU64,
    review: AtomicU64,
    rejected: AtomicU64,
    dead: AtomicU64,
    retried: AtomicU64,
    repeated: AtomicU64,
    given_back: AtomicU64,
    in_hand: AtomicU64,
    threads: AtomicU64,
    database_away: AtomicBool,
    stages: [Durations; STAGES.len()],
    consumer: Mutex<Option<watch::Receiver<Health>>>,
    depth: Mutex<Option<Depth>>,
}

#[derive(Default)]
struct Durations {
    classes: [AtomicU64; CLASSES.len()],
    count: AtomicU64,
    microseconds: AtomicU64,
}

impl Metrics {
    pub(crate) fn received(&self) {
        self.0.received.fetch_add(1, Relaxed);
    }

    /// A result was stored.
    pub(crate) fn stored(&self, decision: Decision) {
        let counter = match decision {
            Decision::Accept => &self.0.accepted,
            Decision::Review => &self.0.review,
            Decision::Reject => &self.0.rejected,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub(crate) fn dead(&self) {
        self.0.dead.fetch_add(1, Relaxed);
    }

    pub(crate) fn retried(&self) {
        self.0.retried.fetch_add(1, Relaxed);
    }

    /// Jobs came again that had their end.
    pub(crate) fn repeated(&self, jobs: u64) {
        self.0.repeated.fetch_add(jobs, Relaxed);
    }

    pub(crate) fn given_back(&self, jobs: usize) {
        self.0.given_back.fetch_add(jobs as u64, Relaxed);
    }

    pub(crate) fn in_hand(&self, jobs: usize) {
        self.0.in_hand.store(jobs as u64, Relaxed);
    }

    pub(crate) fn threads(&self, threads: usize) {
        self.0.threads.store(threads as u64, Relaxed);
    }

    pub(crate) fn database_away(&self, away: bool) {
        self.0.database_away.store(away, Relaxed);
    }

    pub(crate) fn took(&self, stage: Stage, time: Duration) {
        let Some(place) = STAGES.iter().position(|&(other, _)| other == stage) else { return };
        let durations = &self.0.stages[place];
        let seconds = time.as_secs_f64();
        for (most, class) in CLASSES.iter().zip(&durations.classes) {
            if seconds <= *most {
                class.fetch_add(1, Relaxed);
            }
        }
        durations.count.fetch_add(1, Relaxed);
        durations.microseconds.fetch_add(time.as_micros() as u64, Relaxed);
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

    /// Notes how deep the queues are.
    pub fn set_depth(&self, depth: Option<Depth>) {
        *self.0.depth.lock().unwrap_or_else(PoisonError::into_inner) = depth;
    }

    /// Whether the service can do its work now; if not, what it waits for.
    ///
    /// # Errors
    /// What it waits for.
    pub fn ready(&self) -> Result<(), String> {
        match self.consumer() {
            None => return Err("starting".into()),
            Some(Health { phase: Phase::Consuming, .. }) => {}
            Some(Health { phase: Phase::Connecting, last_error, .. }) => {
                return Err(format!("no broker: {}", last_error.unwrap_or_else(|| "connecting".into())));
            }
            Some(Health { phase, .. }) => return Err(format!("{phase:?}").to_lowercase()),
        }
        if self.0.database_away.load(Relaxed) { Err("no database".into()) } else { Ok(()) }
    }

    fn consumer(&self) -> Option<Health> {
        let consumer = self.0.consumer.lock().unwrap_or_else(PoisonError::into_inner);
        consumer.as_ref().map(|health| health.borrow().clone())
    }

    /// All of it as Prometheus reads it.
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(8 * 1024);
        // Writing to a string never fails.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let counters = &*self.0;
        let value = |counter: &AtomicU64| counter.load(Relaxed);
        counter(out, "shenfen_jobs_received_total", "Deliveries from the broker.", value(&counters.received))?;
        writeln!(out, "# HELP shenfen_jobs_total Jobs by what became of them.\n# TYPE shenfen_jobs_total counter")?;
        for (outcome, count) in [
            ("accepted", &counters.accepted),
            ("review", &counters.review),
            ("rejected", &counters.rejected),
            ("dead", &counters.dead),
            ("retried", &counters.retried),
            ("repeated", &counters.repeated),
            ("given_back", &counters.given_back),
        ] {
            writeln!(out, "shenfen_jobs_total{{outcome=\"{outcome}\"}} {}", value(count))?;
        }
        gauge(out, "shenfen_jobs_in_hand", "Jobs received and not yet settled.", value(&counters.in_hand))?;
        let away = u64::from(counters.database_away.load(Relaxed));
        gauge(out, "shenfen_database_away", "1 while the database is waited for.", away)?;
        if let Some(health) = self.consumer() {
            let consuming = u64::from(health.phase == Phase::Consuming);
            gauge(out, "shenfen_broker_connected", "1 while jobs are received.", consuming)?;
            counter(out, "shenfen_broker_reconnects_total", "Connections rebuilt after a loss.", health.reconnects)?;
        }
        self.write_depth(out)?;
        let help = "# HELP shenfen_stage_seconds Duration of a stage.\n# TYPE shenfen_stage_seconds histogram";
        writeln!(out, "{help}")?;
        for ((_, name), durations) in STAGES.iter().zip(&counters.stages) {
            for (most, class) in CLASSES.iter().zip(&durations.classes) {
                writeln!(out, "shenfen_stage_seconds_bucket{{stage=\"{name}\",le=\"{most}\"}} {}", value(class))?;
            }
            let count = value(&durations.count);
            writeln!(out, "shenfen_stage_seconds_bucket{{stage=\"{name}\",le=\"+Inf\"}} {count}")?;
            let seconds = value(&durations.microseconds) as f64 / 1e6;
            writeln!(out, "shenfen_stage_seconds_sum{{stage=\"{name}\"}} {seconds}")?;
            writeln!(out, "shenfen_stage_seconds_count{{stage=\"{name}\"}} {count}")?;
        }
        Ok(())
    }

    fn write_depth(&self, out: &mut String) -> std::fmt::Result {
        let depth = self.0.depth.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(depth) = depth.as_ref() else { return Ok(()) };
        let retries: u32 = depth.retries.iter().map(|&(_, count)| count).sum();
        let help = "Messages ready in the broker's queues.";
        writeln!(out, "# HELP shenfen_queue_depth {help}\n# TYPE shenfen_queue_depth gauge")?;
        for (queue, count) in [("jobs", depth.jobs), ("retry", retries), ("dead", depth.dead)] {
            writeln!(out, "shenfen_queue_depth{{queue=\"{queue}\"}} {count}")?;
        }
        gauge(out, "shenfen_queue_consumers", "Workers that consume jobs.", u64::from(depth.consumers))?;
        let reading = STAGES.iter().position(|&(stage, _)| stage == Stage::Read).map(|place| &self.0.stages[place]);
        let Some(reading) = reading.filter(|reading| reading.count.load(Relaxed) > 0) else { return Ok(()) };
        let mean = reading.microseconds.load(Relaxed) as f64 / 1e6 / reading.count.load(Relaxed) as f64;
        let threads = self.0.threads.load(Relaxed).max(1) * u64::from(depth.consumers.max(1));
        let eta = f64::from(depth.jobs + retries) * mean / threads as f64;
        let help = "How long the waiting jobs take if all workers are like this one.";
        let name = "shenfen_backlog_eta_seconds";
        writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {eta:.1}")
    }
}

fn counter(out: &mut String, name: &str, help: &str, value: u64) -> std::fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}")
}

fn gauge(out: &mut String, name: &str, help: &str, value: u64) -> std::fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_count_everything_up_to_their_end() {
        let metrics = Metrics::default();
        metrics.took(Stage::Commit, Duration::from_millis(7));
        metrics.took(Stage::Commit, Duration::from_secs(60));
        metrics.stored(Decision::Review);
        let text = metrics.render();
        for line in [
            "shenfen_stage_seconds_bucket{stage=\"commit\",le=\"0.005\"} 0",
            "shenfen_stage_seconds_bucket{stage=\"commit\",le=\"0.01\"} 1",
            "shenfen_stage_seconds_bucket{stage=\"commit\",le=\"10\"} 1",
            "shenfen_stage_seconds_bucket{stage=\"commit\",le=\"+Inf\"} 2",
            "shenfen_stage_seconds_sum{stage=\"commit\"} 60.007",
            "shenfen_jobs_total{outcome=\"review\"} 1",
            "shenfen_jobs_total{outcome=\"accepted\"} 0",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
        }
        assert!(metrics.ready().is_err(), "nothing has started");
    }
}
