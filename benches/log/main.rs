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
/// What counts as many of them.
const MOST: usize = LEVELS[2];
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

/// Whether to measure something: every word of the command line is one of its
/// words, as in `cargo bench --bench log -- distinct promostack 1024`.
fn wanted(words: &[&str]) -> bool {
    std::env::args().skip(1).filter(|word| word != "--bench").all(|word| words.contains(&&*word))
}

/// Rounds of several peers, who take turns.
#[derive(Default)]
struct Rounds(Vec<(Row, Vec<Sample>)>);

impl Rounds {
    /// A sample for a row.
    fn push(&mut self, row: Row, sample: Sample) {
        match self.0.iter_mut().find(|(known, _)| *known == row) {
            Some((_, samples)) => samples.push(sample),
            None => self.0.push((row, vec![sample])),
        }
    }

    fn report(self, report: &mut Report) {
        for (row, samples) in self.0 {
            report.add(row.measured(median(samples)));
        }
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let mut report = Report::default();
    commands(&mut report).await;
    replays(&mut report).await;
    long_log(&mut report).await;
    database::stop();
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
            let name = streams.name();
            let level = in_flight.to_string();
            let round = Round::new(in_flight);
            let mut rounds = Rounds::default();
            let row = |store| Row::of(name, store).in_flight(in_flight);
            for _ in 0..ROUNDS {
                if wanted(&[name, "promostack", &level]) {
                    rounds.push(row("promostack"), ours::commands(&database, streams, round).await);
                }
                if wanted(&[name, "postgres-es", &level]) {
                    rounds.push(row("postgres-es"), stock::commands(&database, streams, round).await);
                }
                if wanted(&[name, "plain-sql", &level]) {
                    rounds.push(row("plain-sql"), plain::commands(&database, streams, round).await);
                }
                if streams == Streams::Distinct && in_flight == MOST && wanted(&[name, "bulk-insert", &level]) {
                    for connections in [8, 32_usize] {
                        let row = Row::of(name, "bulk-insert").in_flight(connections);
                        rounds.push(row, limit::inserts(&database, connections).await);
                    }
                }
            }
            rounds.report(report);
        }
    }
}

/// Reading a long log.
async fn replays(report: &mut Report) {
    if !wanted(&["replay"]) {
        return;
    }
    let long = Database::create().await;
    long.fill(MANY).await;
    let mut rounds = Rounds::default();
    let row = |store| Row::of("replay", store).stored(MANY);
    for _ in 0..ROUNDS {
        rounds.push(row("promostack"), replay::facts(&long, MANY).await);
        rounds.push(row("copy"), replay::copy(&long, MANY).await);
    }
    rounds.report(report);
}

/// Appending to a long log, and beside a long transaction.
async fn long_log(report: &mut Report) {
    if !wanted(&["append_at"]) && !wanted(&["long_tx"]) {
        return;
    }
    let long = Database::create().await;
    long.fill(MANY).await;
    let mut rounds = Rounds::default();
    let row = |case, stored| Row::of(case, "promostack").in_flight(MOST).stored(stored);
    // Short rounds, for a short log does not stay one; so more of them.
    let round = Round::short(MOST);
    for _ in 0..2 * ROUNDS - 1 {
        let short = Database::create().await;
        short.fill(FEW).await;
        rounds.push(row("append_at", FEW), ours::commands(&short, Streams::Distinct, round).await);
        rounds.push(row("append_at", MANY), ours::commands(&long, Streams::Distinct, round).await);
        let transaction = long.open_transaction().await;
        rounds.push(row("long_tx", MANY), ours::commands(&long, Streams::Distinct, round).await);
        drop(transaction);
    }
    rounds.report(report);
}
