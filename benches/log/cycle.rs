//! The closed loop: so many commands are in flight, and whenever one is
//! answered the next one is sent.

use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

/// How a round is run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    in_flight: usize,
    warm_up: Duration,
    measured: Duration,
}

impl Round {
    pub(crate) const fn new(in_flight: usize) -> Self {
        Self { in_flight, warm_up: Duration::from_millis(300), measured: Duration::from_millis(1_200) }
    }

    /// One that does not make a short log long.
    pub(crate) const fn short(in_flight: usize) -> Self {
        Self { in_flight, warm_up: Duration::from_millis(200), measured: Duration::from_millis(500) }
    }
}

/// What a round found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    pub(crate) per_s: f64,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
}

impl Sample {
    /// So many at once, in this time.
    pub(crate) fn rate(count: usize, took: Duration) -> Self {
        Self { per_s: count as f64 / took.as_secs_f64(), p50_ms: None, p99_ms: None }
    }

    fn of(mut latencies: Vec<Duration>, measured: Duration) -> Self {
        latencies.sort_unstable();
        let at = |percent: usize| {
            latencies.get(latencies.len() * percent / 100).map(|latency| latency.as_secs_f64() * 1_000.0)
        };
        Self { p50_ms: at(50), p99_ms: at(99), ..Self::rate(latencies.len(), measured) }
    }
}

/// Runs commands, each made by `send` from its number, and counts those that
/// are answered within the measured time.
pub(crate) async fn cycle<F>(round: Round, send: impl Fn(u64) -> F + Clone + Send + 'static) -> Sample
where
    F: Future<Output = ()> + Send,
{
    let start = Instant::now() + round.warm_up;
    let end = start + round.measured;
    let mut senders = JoinSet::new();
    let mut latencies = vec![];
    for sender in 0..round.in_flight as u64 {
        let send = send.clone();
        let mine = Arc::new(Mutex::new(vec![]));
        latencies.push(mine.clone());
        senders.spawn(async move {
            for n in 0_u64.. {
                let sent = Instant::now();
                if sent >= end {
                    break;
                }
                send(n * round.in_flight as u64 + sender).await;
                let answered = Instant::now();
                if answered >= start && answered < end {
                    mine.lock().expect("no panics").push(answered - sent);
                }
            }
        });
    }
    // What is not answered by then does not count; a hot stream can keep some waiting for ever.
    let _ = tokio::time::timeout(end - Instant::now() + Duration::from_millis(500), async {
        while let Some(sender) = senders.join_next().await {
            sender.expect("no command fails");
        }
    })
    .await;
    senders.shutdown().await;
    let latencies = latencies.iter().flat_map(|mine| std::mem::take(&mut *mine.lock().expect("no panics"))).collect();
    Sample::of(latencies, round.measured)
}

/// The sample in the middle by rate.
pub(crate) fn median(mut samples: Vec<Sample>) -> Sample {
    samples.sort_by(|a, b| a.per_s.total_cmp(&b.per_s));
    samples.swap_remove(samples.len() / 2)
}
