//! What the service counts, as Prometheus reads it. All names are here.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::operations::Observed;
use crate::service::Service;

/// Ends of the classes of durations, in seconds. The documented promise is 2 seconds.
const CLASSES: [f64; 11] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0];

/// The counts. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    requests: Mutex<BTreeMap<String, Path>>,
    connections: AtomicUsize,
}

/// Requests of one path.
#[derive(Debug, Default)]
struct Path {
    outcomes: BTreeMap<&'static str, u64>,
    classes: [u64; CLASSES.len()],
    count: u64,
    seconds: f64,
}

/// An open connection, as long as it lives.
pub(crate) struct Connection(Arc<Counters>);

impl Metrics {
    /// Notes an answer. `path` is one of the routes, so that strangers do not fill the memory with paths.
    pub(crate) fn answered(&self, path: &str, outcome: &'static str, elapsed: Duration) {
        let seconds = elapsed.as_secs_f64();
        let mut paths = self.0.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = match paths.get_mut(path) {
            Some(counts) => counts,
            None => paths.entry(path.to_owned()).or_default(),
        };
        *counts.outcomes.entry(outcome).or_default() += 1;
        counts.count += 1;
        counts.seconds += seconds;
        for (most, class) in CLASSES.iter().zip(&mut counts.classes) {
            *class += u64::from(seconds <= *most);
        }
    }

    pub(crate) fn connected(&self) -> Connection {
        self.0.connections.fetch_add(1, Ordering::Relaxed);
        Connection(Arc::clone(&self.0))
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let connections = self.0.connections.load(Ordering::Relaxed);
        gauge(out, "shenfen_http_connections", "Open connections.", connections)?;
        let paths = self.0.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let name = "shenfen_http_requests_total";
        writeln!(out, "# HELP {name} Requests by what became of them.\n# TYPE {name} counter")?;
        for (path, counts) in &*paths {
            for (outcome, count) in &counts.outcomes {
                writeln!(out, "{name}{{path=\"{path}\",outcome=\"{outcome}\"}} {count}")?;
            }
        }
        let name = "shenfen_http_request_seconds";
        writeln!(out, "# HELP {name} Time to the answer.\n# TYPE {name} histogram")?;
        for (path, counts) in &*paths {
            for (most, class) in CLASSES.iter().zip(&counts.classes) {
                writeln!(out, "{name}_bucket{{path=\"{path}\",le=\"{most}\"}} {class}")?;
            }
            writeln!(out, "{name}_bucket{{path=\"{path}\",le=\"+Inf\"}} {}", counts.count)?;
            writeln!(out, "{name}_sum{{path=\"{path}\"}} {}", counts.seconds)?;
            writeln!(out, "{name}_count{{path=\"{path}\"}} {}", counts.count)?;
        }
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A service as it is looked after. It is ready as long as it answers: what is full is full for moments, and what else
/// it may need (broker, database) concerns only some of its paths.
#[derive(Clone)]
pub(crate) struct OfService(pub(crate) Arc<Service>);

impl Observed for OfService {
    fn ready(&self) -> Result<(), String> {
        Ok(())
    }

    fn render(&self) -> String {
        let mut text = String::with_capacity(8 * 1024);
        // Writing to a string never fails.
        let _ = self.0.metrics.write(&mut text);
        let _ = gauge(&mut text, "shenfen_http_body_bytes", "Memory that bodies take.", self.0.bodies.held());
        let (waiting, reading) = self.0.reading_queue.load();
        let _ = gauge(&mut text, "shenfen_line_waiting", "Pictures that wait for a reading thread.", waiting);
        let _ = gauge(&mut text, "shenfen_line_reading", "Pictures that are being read.", reading);
        text
    }
}

fn gauge(out: &mut String, name: &str, help: &str, value: usize) -> std::fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}")
}
