//! The metrics of the HTTP service, in the Prometheus text format. All names are here.

use std::sync::Arc;
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry, Result as PrometheusResult, TextEncoder,
};

/// Upper bounds of the buckets of durations, in seconds. The documented promise is 2 seconds.
const BUCKETS: [f64; 11] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0];

/// The metrics of one service. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Families>);

#[derive(Debug)]
struct Families {
    registry: Registry,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    connections: IntGauge,
    body_bytes: IntGauge,
    pictures_waiting: IntGauge,
    pictures_reading: IntGauge,
}

/// Values that are read when the metrics are, not counted as they change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Levels {
    /// Memory that request bodies take.
    pub(crate) body_bytes: usize,
    /// Pictures that wait for a reading thread.
    pub(crate) pictures_waiting: usize,
    /// Pictures that are being read.
    pub(crate) pictures_reading: usize,
}

/// An open connection, as long as it lives.
pub(crate) struct Connection(IntGauge);

impl Default for Families {
    fn default() -> Families {
        let registry = Registry::new();
        let gauge = |name, help| register(&registry, IntGauge::new(name, help));
        Families {
            connections: gauge("shenfen_http_connections", "Open connections."),
            body_bytes: gauge("shenfen_http_body_bytes", "Memory that request bodies take."),
            pictures_waiting: gauge("shenfen_line_waiting", "Pictures that wait for a reading thread."),
            pictures_reading: gauge("shenfen_line_reading", "Pictures that are being read."),
            requests: register(
                &registry,
                IntCounterVec::new(
                    Opts::new("shenfen_http_requests_total", "Requests by outcome."),
                    &["path", "outcome"],
                ),
            ),
            request_seconds: register(
                &registry,
                HistogramVec::new(
                    HistogramOpts::new("shenfen_http_request_seconds", "Time to the response.")
                        .buckets(BUCKETS.to_vec()),
                    &["path"],
                ),
            ),
            registry,
        }
    }
}

/// Registers a metric. Its name and labels are constants of this module, so a failure is a mistake in it, which any test
/// that makes a [`Metrics`] finds.
fn register<C: Collector + Clone + 'static>(registry: &Registry, metric: PrometheusResult<C>) -> C {
    let metric = metric.expect("the name of the metric is valid");
    registry.register(Box::new(metric.clone())).expect("the name of the metric is registered once");
    metric
}

impl Metrics {
    /// Counts a response. `path` is one of the routes, so that arbitrary requests do not create series without bound.
    pub(crate) fn answered(&self, path: &str, outcome: &str, elapsed: Duration) {
        self.0.requests.with_label_values(&[path, outcome]).inc();
        self.0.request_seconds.with_label_values(&[path]).observe(elapsed.as_secs_f64());
    }

    pub(crate) fn connected(&self) -> Connection {
        self.0.connections.inc();
        Connection(self.0.connections.clone())
    }

    /// All metrics in the Prometheus text format 0.0.4.
    pub(crate) fn render(&self, levels: Levels) -> String {
        self.0.body_bytes.set(levels.body_bytes as i64);
        self.0.pictures_waiting.set(levels.pictures_waiting as i64);
        self.0.pictures_reading.set(levels.pictures_reading as i64);
        TextEncoder::new().encode_to_string(&self.0.registry.gather()).unwrap_or_default()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the program wrote before it used a library for it, but for HELP and the order of families and labels.
    const EXPOSITION: &str = r#"# TYPE shenfen_http_body_bytes gauge
shenfen_http_body_bytes 65536
# TYPE shenfen_http_connections gauge
shenfen_http_connections 1
# TYPE shenfen_http_request_seconds histogram
shenfen_http_request_seconds_bucket{path="/idcard",le="0.001"} 1
shenfen_http_request_seconds_bucket{path="/idcard",le="0.005"} 1
shenfen_http_request_seconds_bucket{path="/idcard",le="0.01"} 1
shenfen_http_request_seconds_bucket{path="/idcard",le="0.025"} 1
shenfen_http_request_seconds_bucket{path="/idcard",le="0.05"} 1
shenfen_http_request_seconds_bucket{path="/idcard",le="0.1"} 1
shenfen_http_request_seconds_bucket{path="/idcard",le="0.25"} 1
shenfen_http_request_seconds_bucket{path="/idcard",le="0.5"} 2
shenfen_http_request_seconds_bucket{path="/idcard",le="1"} 2
shenfen_http_request_seconds_bucket{path="/idcard",le="2"} 2
shenfen_http_request_seconds_bucket{path="/idcard",le="5"} 2
shenfen_http_request_seconds_bucket{path="/idcard",le="+Inf"} 3
shenfen_http_request_seconds_sum{path="/idcard"} 9.5005
shenfen_http_request_seconds_count{path="/idcard"} 3
# TYPE shenfen_http_requests_total counter
shenfen_http_requests_total{outcome="fail",path="/idcard"} 1
shenfen_http_requests_total{outcome="ok",path="/idcard"} 2
# TYPE shenfen_line_reading gauge
shenfen_line_reading 1
# TYPE shenfen_line_waiting gauge
shenfen_line_waiting 4
"#;

    #[test]
    fn names_types_labels_and_values_stay_as_they_were() {
        let metrics = Metrics::default();
        let _open = metrics.connected();
        drop(metrics.connected());
        metrics.answered("/idcard", "ok", Duration::from_micros(500));
        metrics.answered("/idcard", "ok", Duration::from_millis(500));
        metrics.answered("/idcard", "fail", Duration::from_secs(9));
        let text = metrics.render(Levels { body_bytes: 65536, pictures_waiting: 4, pictures_reading: 1 });
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("# HELP")).collect();
        assert_eq!(lines, EXPOSITION.lines().collect::<Vec<_>>());
    }
}
