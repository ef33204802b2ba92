//! How many webhooks of Stripe's are taken, durably, and how often it is answered whether
//! somebody has access; each beside the bare framework, which reads a request and does
//! nothing: `cargo bench --bench webhooks`.
//!
//! Client, program and PostgreSQL share the machine, so what the client costs (it signs
//! each event) is in the figures. The two take turns, and the median of three rounds counts.

#[allow(dead_code, reason = "shared with the bench of the log")]
#[path = "../log/cycle.rs"]
mod cycle;
#[allow(dead_code, reason = "shared with the bench of the log")]
#[path = "../log/database.rs"]
mod database;
mod members;
mod wire;

use std::sync::Arc;

use cycle::{Round, Sample, cycle, median};
use database::Database;
use poem::{Body, Route, Server, get, handler, listener::TcpAcceptor, post, web::Json};
use promostack::{
    app::{App, Role},
    clock::Clock,
    config::Config,
    http,
    integrations::stripe::signature::sign,
    secrets::Secret,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use wire::Wire;

const ROUNDS: usize = 3;
/// Requests in flight.
const LEVELS: [usize; 3] = [1, 32, 256];
/// Webhooks a second that are aimed at with the most in flight; of check-access, half of
/// what the bare framework does is.
const AIM: f64 = 10_000.0;
const SECRET: &str = "whsec_of-the-bench";
const PATH: &str = "/api/stripe/webhook";

/// An event around a subscription, about as long as they are.
const OBJECT: &str = include_str!("../../src/integrations/stripe/object/samples/subscription.basil.json");

/// Reads the body, and that is all.
#[handler]
async fn read(body: Body) -> poem::Result<Json<Value>> {
    body.into_bytes_limit(1 << 20).await?;
    Ok(Json(json!({ "received": true })))
}

/// Answers what we would.
#[handler]
fn nothing() -> Json<Value> {
    Json(json!({ "has_access": true, "rule": "manual_grant" }))
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound").to_string();
    (listener, address)
}

/// As many connections as requests are in flight.
async fn wires(address: &str, in_flight: usize) -> Arc<Vec<tokio::sync::Mutex<Wire>>> {
    let mut wires = vec![];
    for _ in 0..in_flight {
        wires.push(tokio::sync::Mutex::new(Wire::connect(address).await));
    }
    Arc::new(wires)
}

/// Posts signed events.
async fn posted(address: &str, in_flight: usize, run: u64) -> Sample {
    let wires = wires(address, in_flight).await;
    let clock = Clock::system();
    cycle(Round::new(in_flight), move |n| {
        let (wires, clock) = (wires.clone(), clock.clone());
        async move {
            let now = clock.now();
            let body = format!(
                r#"{{"id":"evt_{run}_{n}","object":"event","type":"customer.subscription.updated","created":{},"api_version":"2026-09-30.endive","livemode":true,"data":{{"object":{OBJECT}}}}}"#,
                now.timestamp()
            );
            let signature = sign(&[SECRET], now, body.as_bytes());
            let index = usize::try_from(n).unwrap_or_default() % wires.len();
            let status = wires[index].lock().await.post(PATH, &signature, &body).await;
            assert_eq!(status, 200, "it is taken");
        }
    })
    .await
}

/// Asks for one subscriber after the other.
async fn asked(address: &str, in_flight: usize, key: &Secret) -> Sample {
    let wires = wires(address, in_flight).await;
    let key = key.clone();
    cycle(Round::new(in_flight), move |n| {
        let (wires, key) = (wires.clone(), key.clone());
        async move {
            let index = usize::try_from(n).unwrap_or_default() % wires.len();
            let path = format!("/api/telegram/check-access/{}", members::address(n % members::MANY));
            assert_eq!(wires[index].lock().await.get(&path, key.reveal()).await, 200, "it is answered");
        }
    })
    .await
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let database = Database::create().await;
    let variable = |name: &str| (name == "STRIPE_WEBHOOK_SECRET").then(|| SECRET.to_owned());
    let config = Config::read(false, variable).expect("it is a configuration");
    let app = App::build(config, &database.url(), Clock::system()).expect("its parts fit");
    let running = app.start(Role::Web).await.expect("it starts");
    let mut tasks = JoinSet::new();
    let (listener, ours) = listen().await;
    let served = app.clone();
    tasks.spawn(async move {
        let _ = http::serve(served, listener, None, CancellationToken::new()).await;
    });
    let (listener, framework) = listen().await;
    let acceptor = TcpAcceptor::from_tokio(listener).expect("a listener");
    tasks.spawn(async move {
        let routes = Route::new().at(PATH, post(read)).at("/api/telegram/check-access/:email", get(nothing));
        let _ = Server::new_with_acceptor(acceptor).run(routes).await;
    });
    let key = members::made(&app).await;
    let mut rows = vec![];
    let mut run = 0;
    for in_flight in LEVELS {
        let mut samples = [vec![], vec![]];
        for _ in 0..ROUNDS {
            for (address, samples) in [&ours, &framework].into_iter().zip(&mut samples) {
                run += 1;
                samples.push(posted(address, in_flight, run).await);
            }
        }
        let [kept, bare] = samples.map(median);
        let aim = (in_flight == 256).then_some(AIM);
        show(&mut rows, "kept", in_flight, &kept, aim);
        show(&mut rows, "bare framework, posted", in_flight, &bare, None);
        let mut samples = [vec![], vec![]];
        for _ in 0..ROUNDS {
            for (address, samples) in [&ours, &framework].into_iter().zip(&mut samples) {
                samples.push(asked(address, in_flight, &key).await);
            }
        }
        let [answered, bare] = samples.map(median);
        show(&mut rows, "check-access", in_flight, &answered, Some(bare.per_s / 2.0));
        show(&mut rows, "bare framework, asked", in_flight, &bare, None);
    }
    let (events, jobs): (i64, i64) =
        sqlx::query_as("select (select count(*) from stripe_events), (select count(*) from jobs)")
            .fetch_one(&app.pool)
            .await
            .expect("they can be counted");
    assert_eq!(events, jobs, "each has its job");
    println!("{events} events are kept, each with its job");
    tasks.shutdown().await;
    running.stop().await;
    app.pool.close().await;
    drop(database);
    database::stop();
    println!("\n{}", json!({ "bench": "webhooks", "rows": rows }));
}

fn show(rows: &mut Vec<Value>, name: &str, in_flight: usize, sample: &Sample, aim: Option<f64>) {
    let missed = aim.is_some_and(|aim| sample.per_s < aim);
    let (p50, p99) = (sample.p50_ms.unwrap_or_default(), sample.p99_ms.unwrap_or_default());
    println!(
        "{name:<22} {in_flight:>5} in flight {:>10.0} per s   p50 {p50:>8.3} ms   p99 {p99:>8.3} ms {}",
        sample.per_s,
        aim.map(|aim| format!("  aim >= {aim:.0}{}", if missed { "  MISSED" } else { "" })).unwrap_or_default(),
    );
    rows.push(
        json!({ "name": name, "in_flight": in_flight, "per_s": sample.per_s.round(), "p50_ms": p50, "p99_ms": p99 }),
    );
}
