//! What campaigns cost, from end to end: `cargo bench --bench campaigns`.
//!
//! Clients, program and PostgreSQL share the machine, so what a client costs is
//! in the figures. Rows that are compared take turns, and the median of three
//! rounds counts.

mod client;
#[allow(dead_code, reason = "shared with the bench of the log")]
#[path = "../log/counter.rs"]
mod counter;
mod coupons;
#[allow(dead_code, reason = "shared with the bench of the log")]
#[path = "../log/cycle.rs"]
mod cycle;
#[allow(dead_code, reason = "shared with the bench of the log")]
#[path = "../log/database.rs"]
mod database;
mod history;
#[allow(dead_code, reason = "shared with the bench of the log")]
#[path = "../log/ours.rs"]
mod ours;
mod redeem;
mod site;
mod wire;

use cycle::{Round, Sample, cycle, median};
use serde_json::{Value, json};

/// Rounds of each row that is compared.
const ROUNDS: usize = 3;
/// Requests in flight.
const LEVELS: [usize; 3] = [1, 32, 1_024];

/// Where each command goes.
#[allow(dead_code, reason = "shared with the bench of the log")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Streams {
    Distinct,
    Hot,
}

/// Rows, shown as they come and in one line at the end.
#[derive(Default)]
struct Report(Vec<Value>);

impl Report {
    /// Adds a measured value and the aim, if there is one: `+` for at least, `-` for at most.
    fn add(&mut self, name: &str, value: f64, unit: &str, aim: Option<f64>) {
        let verdict = match aim {
            None => String::new(),
            Some(aim) if aim >= 0.0 => format!("aim >= {aim}{}", if value >= aim { "" } else { "  MISSED" }),
            Some(aim) => format!("aim <= {}{}", -aim, if value <= -aim { "" } else { "  MISSED" }),
        };
        println!("{name:<52} {value:>14.3} {unit:<10} {verdict}");
        let value = (value * 1_000.0).round() / 1_000.0;
        self.0.push(json!({ "name": name, "value": value, "unit": unit }));
    }

    fn sample(&mut self, name: &str, sample: &Sample) {
        self.add(name, sample.per_s, "per s", None);
        for (what, value) in [("p50", sample.p50_ms), ("p99", sample.p99_ms)] {
            if let Some(value) = value {
                self.add(&format!("{name}, {what}"), value, "ms", None);
            }
        }
    }
}

/// Whether to measure something: every word of the command line is one of its words.
fn wanted(word: &str) -> bool {
    std::env::args().skip(1).filter(|word| word != "--bench").all(|given| given == word)
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let mut report = Report::default();
    if wanted("cold") {
        history::cold_load(&mut report).await;
    }
    if wanted("coupons") {
        coupons::minted_and_exported(&mut report).await;
    }
    if wanted("cards") {
        coupons::cards(&mut report);
    }
    if wanted("redeem") {
        redeem::over_http(&mut report).await;
    }
    if wanted("webhook") {
        redeem::over_webhooks(&mut report).await;
    }
    database::stop();
    println!("\n{}", json!({ "bench": "campaigns", "rows": report.0 }));
}
