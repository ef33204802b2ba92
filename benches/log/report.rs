//! The table for people and the line for programs.

use serde::Serialize;

use crate::{FEW, LEVELS, MANY, Sample};

/// One measurement.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Row {
    case: &'static str,
    store: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_flight: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<i64>,
    per_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    p50_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99_ms: Option<f64>,
}

impl Row {
    pub(crate) const fn of(case: &'static str, store: &'static str) -> Self {
        Self { case, store, in_flight: None, stored: None, per_s: 0.0, p50_ms: None, p99_ms: None }
    }

    pub(crate) fn measured(self, sample: Sample) -> Self {
        let short = |value: f64| (value * 1_000.0).round() / 1_000.0;
        Self { per_s: short(sample.per_s), p50_ms: sample.p50_ms.map(short), p99_ms: sample.p99_ms.map(short), ..self }
    }

    pub(crate) const fn in_flight(self, in_flight: usize) -> Self {
        Self { in_flight: Some(in_flight), ..self }
    }

    pub(crate) const fn stored(self, stored: i64) -> Self {
        Self { stored: Some(stored), ..self }
    }

    fn print(&self) {
        let optional = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        println!(
            "{:<10} {:<12} {:>9} {:>9} {:>12.0} {:>9} {:>9}",
            self.case,
            self.store,
            optional(self.in_flight.map(|n| n.to_string())),
            optional(self.stored.map(|n| n.to_string())),
            self.per_s,
            optional(self.p50_ms.map(|ms| format!("{ms:.2}"))),
            optional(self.p99_ms.map(|ms| format!("{ms:.2}"))),
        );
    }
}

#[derive(Serialize)]
struct Line<'a> {
    bench: &'static str,
    rows: &'a [Row],
}

/// All measurements of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Adds a row and shows it.
    pub(crate) fn add(&mut self, row: Row) {
        if self.rows.is_empty() {
            println!(
                "{:<10} {:<12} {:>9} {:>9} {:>12} {:>9} {:>9}",
                "case", "store", "in flight", "stored", "per second", "p50 ms", "p99 ms"
            );
        }
        row.print();
        self.rows.push(row);
    }

    /// Shows the ratios, and everything in one line of JSON.
    pub(crate) fn print(&self) {
        println!("\n{:<44} {:>8}  aim", "ratio", "");
        for in_flight in LEVELS {
            for (case, stock, plain) in
                [("distinct", [1.5, 0.0, 20.0], [0.0, 0.0, 0.0]), ("hot", [1.5, 0.0, 1_000.0], [0.0, 0.0, 10.0])]
            {
                let level = LEVELS.iter().position(|level| *level == in_flight).unwrap_or(0);
                let rate = |store| self.rate(case, store, |row| row.in_flight == Some(in_flight));
                let name = |peer| format!("{case}, {in_flight} in flight: ours / {peer}");
                ratio(&name("postgres-es"), rate("promostack") / rate("postgres-es"), stock[level]);
                ratio(&name("plain SQL"), rate("promostack") / rate("plain-sql"), plain[level]);
            }
        }
        let ours = |case, stored| self.rate(case, "promostack", |row| row.stored == Some(stored));
        let distinct = self.rate("distinct", "promostack", |row| row.in_flight == Some(1_024));
        ratio("distinct, 1024 in flight: ours / limit", distinct / self.rate("distinct", "bulk-insert", |_| true), 0.9);
        ratio("append: 10^6 / 10^4 stored", ours("append_at", MANY) / ours("append_at", FEW), 1.0 / 1.2);
        ratio("append: long transaction / none", ours("long_tx", MANY) / ours("append_at", MANY), 1.0 / 1.2);
        ratio("replay: typed events / COPY", ours("replay", MANY) / self.rate("replay", "copy", |_| true), 0.5);
        let line = Line { bench: "log", rows: &self.rows };
        println!("\n{}", serde_json::to_string(&line).expect("plain data"));
    }

    /// The best rate among some rows.
    fn rate(&self, case: &str, store: &str, which: impl Fn(&Row) -> bool) -> f64 {
        let rows = self.rows.iter().filter(|row| row.case == case && row.store == store && which(row));
        rows.map(|row| row.per_s).fold(0.0, f64::max)
    }
}

/// A ratio and the least it should be; 0 where nothing is aimed at.
fn ratio(name: &str, ratio: f64, aim: f64) {
    if !ratio.is_normal() {
        // One of the two was not measured.
        return;
    }
    let verdict = match aim {
        0.0 => String::new(),
        aim if ratio >= aim => format!(">= {aim:.2}"),
        aim => format!(">= {aim:.2}  MISSED"),
    };
    println!("{name:<44} {ratio:>8.2}  {verdict}");
}
