//! What the log can do beside what else one could use, on one server, in one
//! run: `cargo bench --bench log`.
//!
//! Peers take turns within a case and the median of three rounds counts, so
//! that whatever else the machine does happens to all of them.

mod counter;
mod cycle;
mod database;
mod limit;
mod ours;
mod plain;
mod replay;
mod report;
mod stock;

use cycle::{Round, Sample, cycle, median};
use database::Database;
use report::{Report, Row};

/// Rounds of each peer; their median counts.
const ROUNDS: usize = 3;
/// Commands in flight.
const LEVELS: [usize; 3] = [1, 32, 1_024];
/// Stored events before the appends to a short and to a long log.
const FEW: i64 = 10_000;
const MANY: i64 = 1_000_000;

/// Where each command goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Streams {
    /// To a stream that nobody has used before.
    Distinct,
    /// To the same one as all others.
    Hot,
}

impl Streams {
    const fn name(self) -> &'static str {
        match self {
            Self::Distinct => "distinct",
            Self::Hot => "hot",
        }
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    // `cargo test --benches` runs this too; there is nothing to test.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let mut report = Report::default();
    commands(&mut report).await;
    long_log(&mut report).await;
    report.print();
}

/// Commands on distinct streams and on one hot stream, beside the peers.
async fn commands(report: &mut Report) {
    let database = Database::create().await;
    plain::prepare(&database).await;
    stock::prepare(&database).await;
    limit::prepare(&database).await;
    for streams in [Streams::Distinct, Streams::Hot] {
        for in_flight in LEVELS {
            let round = Round::new(in_flight);
            let mut samples: [Vec<Sample>; 3] = Default::default();
            let mut limits: [Vec<Sample>; 2] = Default::default();
            for _ in 0..ROUNDS {
                samples[0].push(ours::commands(&database, streams, round).await);
                samples[1].push(stock::commands(&database, streams, round).await);
                samples[2].push(plain::commands(&database, streams, round).await);
                if streams == Streams::Distinct && in_flight == 1_024 {
                    for (samples, connections) in limits.iter_mut().zip([8, 32]) {
                        samples.push(limit::inserts(&database, connections).await);
                    }
                }
            }
            for (samples, store) in samples.into_iter().zip(["promostack", "postgres-es", "plain-sql"]) {
                report.add(Row::of(streams.name(), store, median(samples)).in_flight(in_flight));
            }
            for (samples, connections) in limits.into_iter().zip([8, 32]) {
                if !samples.is_empty() {
                    report.add(Row::of(streams.name(), "bulk-insert", median(samples)).in_flight(connections));
                }
            }
        }
    }
}

/// Reading a long log, and appending to it.
async fn long_log(report: &mut Report) {
    let long = Database::create().await;
    long.fill(MANY).await;
    let (mut replays, mut copies) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        copies.push(replay::copy(&long, MANY).await);
        replays.push(replay::facts(&long, MANY).await);
    }
    report.add(Row::of("replay", "promostack", median(replays)).stored(MANY));
    report.add(Row::of("replay", "copy", median(copies)).stored(MANY));

    let round = Round::short(1_024);
    let mut samples: [Vec<Sample>; 3] = Default::default();
    for _ in 0..ROUNDS {
        let short = Database::create().await;
        short.fill(FEW).await;
        samples[0].push(ours::commands(&short, Streams::Distinct, round).await);
        samples[1].push(ours::commands(&long, Streams::Distinct, round).await);
        let transaction = long.open_transaction().await;
        samples[2].push(ours::commands(&long, Streams::Distinct, round).await);
        drop(transaction);
    }
    for (samples, (case, stored)) in
        samples.into_iter().zip([("append_at", FEW), ("append_at", MANY), ("long_tx", MANY)])
    {
        report.add(Row::of(case, "promostack", median(samples)).in_flight(1_024).stored(stored));
    }
}
