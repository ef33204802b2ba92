//! A campaign with a long history, met for the first time.

use std::time::Instant;

use promostack::app::Role;

use crate::{Report, database::Database, site::Site};

const MANY: i64 = 1_000_000;
const ID: &str = "01935c2e-7b4a-7c31-9f05-5d1a8e6204b7";

/// Memory of this process that is in use, in bytes.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) * 1_024.0
}

pub(crate) async fn cold_load(report: &mut Report) {
    let database = Database::create().await;
    let mut connection = database.connect().await;
    let fill = sqlx::query(include_str!("history.sql")).bind(ID).bind(MANY);
    fill.execute(&mut connection).await.expect("the log is filled");
    database.run("analyze events").await;
    database.run("checkpoint").await;
    for round in ["first", "second"] {
        let site = Site::start(&database, Role::Web).await;
        let before = resident();
        let started = Instant::now();
        let redeemed = site.app.campaigns.look(ID, |campaign, _, _| campaign.running().map(|known| known.redeemed));
        assert_eq!(redeemed.await.expect("it is loaded"), Some(MANY as u32));
        let took = started.elapsed().as_secs_f64();
        report.add(&format!("cold load of 10^6 redemptions, {round}"), took, "s", Some(-2.0));
        let bytes = (resident() - before) / MANY as f64;
        report.add(&format!("memory for each, {round}"), bytes, "bytes", None);
        site.stop().await;
    }
}
