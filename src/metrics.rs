//! What Prometheus sees of this process.

use std::time::Duration;

use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::log::{Append, Outcome};

/// The metrics of one [`App`](crate::app::App), in a registry of their own.
pub struct Metrics {
    registry: Registry,
    append_commands: Histogram,
    append_seconds: Histogram,
    commands: IntCounterVec,
    /// Commands decided again after a conflict, by aggregate.
    pub retries: IntCounterVec,
    /// Unix time of each loop's last turn, by loop: a loop that stopped is one
    /// whose heartbeat stopped.
    pub heartbeats: IntGaugeVec,
    /// Events not yet consumed, by feed.
    pub feed_lag_events: IntGaugeVec,
    /// Age of the oldest event not yet consumed, by feed; seconds.
    pub feed_lag_seconds: IntGaugeVec,
    /// Jobs worked, by kind and outcome.
    pub jobs: IntCounterVec,
    /// Jobs there are, by state.
    pub jobs_waiting: IntGaugeVec,
    /// Time to work a job, by kind; seconds.
    pub job_seconds: HistogramVec,
    /// Messages of broadcasts, by what became of them.
    pub broadcast_messages: IntCounterVec,
    /// Alerts, by what they are about.
    pub alerts: IntCounterVec,
    /// Removals from channels, by what became of them.
    pub removals: IntCounterVec,
    /// HTTP requests, by operation and status.
    pub requests: IntCounterVec,
    /// Time to answer, by operation; seconds.
    pub request_seconds: HistogramVec,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new().expect("metric names are constant and distinct")
    }
}

impl Metrics {
    fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let seconds = || vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let gauge = |name: &str, help: &str, labels: &[&str]| {
            let gauge = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let histogram = |name: &str, help: &str, buckets: Vec<f64>| {
            let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?;
            registry.register(Box::new(histogram.clone()))?;
            Ok::<_, prometheus::Error>(histogram)
        };
        let histograms = |name: &str, help: &str, label: &str| {
            let histogram = HistogramVec::new(HistogramOpts::new(name, help).buckets(seconds()), &[label])?;
            registry.register(Box::new(histogram.clone()))?;
            Ok::<_, prometheus::Error>(histogram)
        };
        let sizes = prometheus::exponential_buckets(1.0, 2.0, 12)?;
        Ok(Self {
            append_commands: histogram("promostack_append_batch_commands", "Commands in one append.", sizes)?,
            append_seconds: histogram("promostack_append_seconds", "Time to append a batch.", seconds())?,
            commands: counter(
                "promostack_commands_total",
                "Commands by outcome of their append.",
                &["aggregate", "outcome"],
            )?,
            retries: counter("promostack_command_retries_total", "Commands decided again.", &["aggregate"])?,
            heartbeats: gauge("promostack_loop_heartbeat_seconds", "Unix time of a loop's last turn.", &["loop"])?,
            feed_lag_events: gauge("promostack_feed_lag_events", "Events not yet consumed.", &["feed"])?,
            feed_lag_seconds: gauge(
                "promostack_feed_lag_seconds",
                "Age of the oldest event not yet consumed.",
                &["feed"],
            )?,
            jobs: counter("promostack_jobs_total", "Jobs worked.", &["kind", "outcome"])?,
            jobs_waiting: gauge("promostack_jobs", "Jobs there are: ready, later, running, dead.", &["state"])?,
            job_seconds: histograms("promostack_job_seconds", "Time to work a job.", "kind")?,
            broadcast_messages: counter(
                "promostack_broadcast_messages_total",
                "Messages of broadcasts: sent, failed, gone, unconfirmed, pending (to be tried again).",
                &["outcome"],
            )?,
            alerts: counter("promostack_alerts_total", "Alerts: rights, removals.", &["subject"])?,
            removals: counter(
                "promostack_removals_total",
                "Removals from channels: removed, refused, dry_run, capped.",
                &["outcome"],
            )?,
            requests: counter("promostack_http_requests_total", "HTTP requests.", &["operation", "status"])?,
            request_seconds: histograms("promostack_http_request_seconds", "Time to answer a request.", "operation")?,
            registry,
        })
    }

    /// Counts a batch.
    pub fn appended(&self, appends: &[Append], outcomes: &[Outcome], took: Duration) {
        self.append_commands.observe(appends.len() as f64);
        self.append_seconds.observe(took.as_secs_f64());
        for (append, outcome) in appends.iter().zip(outcomes) {
            let outcome = match outcome {
                Outcome::Written { .. } if append.events.is_empty() => "nothing",
                Outcome::Written { .. } => "written",
                Outcome::Conflict => "conflict",
                Outcome::Repeated => "repeated",
                Outcome::Failed(_) => "failed",
            };
            self.commands.with_label_values(&[append.stream.kind, outcome]).inc();
        }
    }

    /// A loop is alive.
    pub fn beat(&self, name: &str, now: chrono::DateTime<chrono::Utc>) {
        self.heartbeats.with_label_values(&[name]).set(now.timestamp());
    }

    /// The metrics in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = vec![];
        // Writing to memory cannot fail, and every name was checked when it was registered.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }
}
