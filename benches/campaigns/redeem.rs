//! Redemptions of one hot campaign, through the public doors.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use futures_util::{StreamExt, stream};
use promostack::{access, app::Role};
use serde_json::json;

use crate::{
    LEVELS, ROUNDS, Report, Round, Streams, client::Clients, cycle, database::Database, median, ours, site::Site, wire,
};

/// By a process that answers and leaves feeds and jobs to another, beside what
/// the log alone does with one hot stream, the server with requests that it has
/// nothing to do for, and the system with the same bytes to and fro.
///
/// A redemption is such an exchange and such an append, at least. Where both keep
/// the cores busy, what they take one after the other is the least that any program
/// could take.
pub(crate) async fn over_http(report: &mut Report) {
    let database = Database::create().await;
    let site = Arc::new(Site::start(&database, Role::Web).await);
    site.campaign(Some("HOT")).await;
    let customers = Arc::new(AtomicU64::new(0));
    let echo = wire::answering().await;
    for in_flight in LEVELS {
        let clients = Arc::new(Clients::connected(&site.url, &site.key, in_flight).await);
        let exchanging = Arc::new(Clients::connected(&echo, &site.key, in_flight).await);
        let (mut http, mut log, mut bare, mut bytes) = (vec![], vec![], vec![], vec![]);
        for _ in 0..ROUNDS {
            log.push(ours::commands(&database, Streams::Hot, Round::new(in_flight)).await);
            let (sent_by, customers) = (clients.clone(), customers.clone());
            let redeem = move |n| {
                let (clients, customers) = (sent_by.clone(), customers.clone());
                async move {
                    clients.send(n, "POST", "/api/coupons/redeem", &body(customers.fetch_add(1, Relaxed))).await;
                }
            };
            http.push(cycle(Round::new(in_flight), redeem).await);
            let sent_by = exchanging.clone();
            let exchange = move |n| {
                let clients = sent_by.clone();
                async move { clients.send(n, "POST", "/api/coupons/redeem", &body(n)).await }
            };
            bytes.push(cycle(Round::new(in_flight), exchange).await);
            let sent_by = clients.clone();
            let nothing = move |n| {
                let clients = sent_by.clone();
                async move { clients.send(n, "GET", "/api/health/live", "").await }
            };
            bare.push(cycle(Round::new(in_flight), nothing).await);
        }
        let (http, log, bare, bytes) = (median(http), median(log), median(bare), median(bytes));
        report.sample(&format!("redeemed over HTTP, {in_flight} in flight"), &http);
        report.sample(&format!("hot stream of the log, {in_flight} in flight"), &log);
        report.sample(&format!("nothing over HTTP, {in_flight} in flight"), &bare);
        report.sample(&format!("bytes to and fro, {in_flight} in flight"), &bytes);
        report.add(&format!("  redeemed / log, {in_flight} in flight"), http.per_s / log.per_s, "", Some(0.5));
        let most = 1.0 / (1.0 / bytes.per_s + 1.0 / log.per_s);
        report.add(&format!("  bytes, then log / log, {in_flight} in flight"), most / log.per_s, "", None);
    }
    if let Some(site) = Arc::into_inner(site) {
        site.stop().await;
    }
}

fn body(customer: u64) -> String {
    format!(r#"{{"code":"HOT","customer":"customer-{customer}"}}"#)
}

/// By a process that does everything: until all updates are worked.
pub(crate) async fn over_webhooks(report: &mut Report) {
    let database = Database::create().await;
    let site = Site::start(&database, Role::All).await;
    site.campaign(Some("HOT")).await;
    let secret =
        access::telegram_webhook_secret(&site.app, promostack::bots::Bot::Coupon).await.expect("there is a secret");
    let mut number = 0_i64;
    for (in_flight, updates) in LEVELS.into_iter().zip([300, 2_000, 6_000]) {
        let started = Instant::now();
        let first = number + 1;
        number += updates;
        stream::iter(first..=number)
            .for_each_concurrent(in_flight, async |number| {
                let user = 1_000_000 + number;
                let update = json!({
                    "update_id": number,
                    "message": {
                        "message_id": number, "date": 1_800_000_000, "text": "HOT",
                        "chat": { "id": user, "type": "private", "first_name": "Anna" },
                        "from": { "id": user, "is_bot": false, "first_name": "Anna", "language_code": "en" },
                    },
                });
                let request = site.client.post(format!("{}/api/telegram-webhook", site.url)).json(&update);
                let request = request.header("x-telegram-bot-api-secret-token", secret.reveal());
                let answer = request.send().await.expect("it answers");
                assert!(answer.status().is_success(), "{}", answer.status());
            })
            .await;
        let taken = started.elapsed().as_secs_f64();
        loop {
            let left: bool = sqlx::query_scalar("select exists (select from jobs where kind = 'coupon_bot_update')")
                .fetch_one(&site.app.pool)
                .await
                .expect("the jobs can be read");
            if !left {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let worked = started.elapsed().as_secs_f64();
        report.add(&format!("updates taken, {in_flight} in flight"), updates as f64 / taken, "per s", None);
        report.add(&format!("updates worked, {in_flight} in flight"), updates as f64 / worked, "per s", None);
    }
    let redeemed: i64 = sqlx::query_scalar("select count(*) from events where event_type = 'Redeemed'")
        .fetch_one(&site.app.pool)
        .await
        .expect("the log can be read");
    assert_eq!(redeemed, number, "each is redeemed once");
    site.stop().await;
}
