//! Signals and the market: what is judged before an admin decides, what a change of the
//! settings leaves as it was, and when recaps come.

use std::sync::Arc;

use aggregates::signal::{Command, Event, Observation, XAUUSD};
use chrono::{DateTime, TimeDelta, Utc};
use promostack::{
    app::Role,
    clock::Clock,
    market::store::{self, Coverage, LIVE},
};
use serde_json::{Value, json};
use trading::{Candle, Direction, Price, Settings, StrategyKind, Trend, Weakness};

use crate::{
    database::Database,
    signals_support::{check, price, send},
    world::{Answer, Send, World, variables},
};

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A process that answers and has no timers, with the market's time.
async fn world(now: &str) -> World {
    let mut variables = variables();
    variables.push(("TWELVE_DATA_API_KEY", "key-for-tests".to_owned()));
    variables.push(("TWELVE_DATA_API_URL", "http://127.0.0.1:9/".to_owned()));
    World::at(Database::fresh().await, &variables, Role::Web, Clock::fixed(instant(now))).await
}

/// The candle of a minute: where it closed, having been at `low`.
fn candle(opened_at: DateTime<Utc>, low: Price, close: Price) -> Candle {
    Candle { opened_at, open: close, high: close, low, close, volume: 1 }
}

/// Keeps candles as all that there is until an instant.
async fn keep(world: &World, candles: &[Candle], until: DateTime<Utc>) {
    let covered = Coverage { source: LIVE.to_owned(), from: until - TimeDelta::days(30), until };
    store::store(&world.app.pool, XAUUSD, candles, &covered).await.unwrap();
}

/// Quiet minutes until an instant, at 4000.25.
async fn quiet(world: &World, minutes: i64, until: DateTime<Utc>) {
    let at = |before| candle(until - TimeDelta::minutes(before), price("4000"), price("4000.25"));
    let candles: Vec<_> = (1..=minutes).rev().map(at).collect();
    keep(world, &candles, until).await;
}

/// Shows a candle with a buy of the trend at its end.
async fn opened(world: &World, at: DateTime<Utc>) {
    let basis = world.app.signals.look(XAUUSD, |signal, _, _| signal.basis()).await.unwrap();
    let observation = Observation {
        basis,
        candles: vec![candle(at - TimeDelta::minutes(1), price("4000"), price("4000"))],
        length: TimeDelta::minutes(1),
        until: None,
        check: Some(check(Ok((Direction::Buy, StrategyKind::Trend)))),
        review: None,
        late: false,
    };
    let events = send(&world.app, Command::Observe(observation)).await.events;
    assert!(matches!(events[..], [Event::Opened { .. }]), "{events:?}");
}

/// The payloads of the events of a name.
async fn told(world: &World, name: &str) -> Vec<Value> {
    let query = "select payload from events where aggregate_type = 'signal' and event_type = $1 order by position";
    sqlx::query_scalar(query).bind(name).fetch_all(&world.app.pool).await.unwrap()
}

/// A key for [`post`], as the clock is moved further than a login lasts.
async fn key(world: &World) -> String {
    world.key("desk", &["signals:write"]).await
}

async fn post(world: &World, key: &str, path: &str, body: Value) -> Answer {
    world.plain("POST", path).bearer_auth(key).json(&body).answer().await
}

fn new_signal(waits: bool) -> Value {
    json!({
        "direction": "buy", "entry": "4000", "zone_low": "3999", "zone_high": "4001", "stop": "3990", "waits": waits,
        "targets": [{ "price": "4010", "share": 60 }, { "price": "4020.5", "share": 40 }], "reason": "Support."
    })
}

#[tokio::test]
async fn a_signal_by_hand_is_entered_where_the_market_is() {
    let world = world("2026-11-24T10:05:00Z").await;
    let key = key(&world).await;
    let now = world.app.clock.now();
    post(&world, &key, "/api/forex-signals", new_signal(false)).await.expect(503, "market-stale");
    post(&world, &key, "/api/forex-signals", new_signal(true)).await.expect(503, "market-stale");
    quiet(&world, 5, now).await;
    let mut far = new_signal(false);
    far["zone_high"] = json!("4000.20");
    let answer = post(&world, &key, "/api/forex-signals", far).await;
    answer.expect(422, "invalid-levels");
    assert_eq!(answer.fields(), ["entry"], "the price is outside of its zone");
    // Without a zone it is as near as a tenth of the risk.
    let mut near = new_signal(false);
    near.as_object_mut().unwrap().retain(|name, _| !name.starts_with("zone"));
    let made = post(&world, &key, "/api/forex-signals", near).await;
    assert_eq!(made.status, 201, "{made:?}");
    let opened = &told(&world, "OpenedByHand").await[0]["OpenedByHand"];
    let levels = &opened["levels"];
    assert_eq!([&levels["entry"], &levels["zone_low"], &levels["zone_high"]], ["4000.25", "3999", "4001"], "{opened}");
    world.end().await;
}

#[tokio::test]
async fn a_stop_that_was_hit_is_not_undone_by_hand() {
    let world = world("2026-11-24T10:05:00Z").await;
    let key = key(&world).await;
    let now = world.app.clock.now();
    quiet(&world, 5, now).await;
    assert_eq!(post(&world, &key, "/api/forex-signals", new_signal(false)).await.status, 201);
    // The price was at the stop, and is back; nobody has shown it to the signals yet.
    let later = now + TimeDelta::minutes(2);
    keep(&world, &[candle(now, price("3989"), price("4005"))], later).await;
    world.app.clock.set(later);
    let cancel = post(&world, &key, "/api/forex-signals/1/cancel", json!({ "reason": "Up again." })).await;
    cancel.expect(409, "signal-not-open");
    let closed = &told(&world, "Closed").await[0]["Closed"];
    assert_eq!((&closed["exit"], &closed["price"]), (&json!("stop"), &json!("3990")), "{closed}");
    world.end().await;
}

#[tokio::test]
async fn nothing_is_bought_or_sold_in_a_closed_market() {
    // A Friday in summer, until 21:00.
    let world = world("2026-05-22T20:55:00Z").await;
    let key = key(&world).await;
    quiet(&world, 5, world.app.clock.now()).await;
    assert_eq!(post(&world, &key, "/api/forex-signals", new_signal(false)).await.status, 201);
    world.app.clock.set(instant("2026-05-23T12:00:00Z"));
    quiet(&world, 5, instant("2026-05-22T21:00:00Z")).await;
    let cancel = post(&world, &key, "/api/forex-signals/1/cancel", json!({ "reason": "Sleep." })).await;
    cancel.expect(409, "market-closed");
    assert!(cancel.json["detail"].as_str().unwrap().contains("2026-05-24 22:00:00 UTC"), "{cancel:?}");
    // It opens, and nobody knows yet how far it jumped.
    world.app.clock.set(instant("2026-05-24T22:00:30Z"));
    let cancel = post(&world, &key, "/api/forex-signals/1/cancel", json!({ "reason": "Awake." })).await;
    cancel.expect(503, "market-stale");
    assert!(cancel.json["detail"].as_str().unwrap().contains("since the market opened"), "{cancel:?}");
    // It is quiet.
    world.app.clock.set(instant("2026-05-24T22:05:00Z"));
    quiet(&world, 5, world.app.clock.now()).await;
    let cancel = post(&world, &key, "/api/forex-signals/1/cancel", json!({ "reason": "Awake." })).await;
    assert_eq!(cancel.status, 200, "{cancel:?}");

    world.app.clock.set(instant("2026-05-30T12:00:00Z"));
    quiet(&world, 5, instant("2026-05-29T21:00:00Z")).await;
    post(&world, &key, "/api/forex-signals", new_signal(false)).await.expect(409, "market-closed");
    assert_eq!(
        post(&world, &key, "/api/forex-signals", new_signal(true)).await.status,
        201,
        "it may wait for the price"
    );
    // The market is not known any more, and what was never entered needs no price.
    world.app.clock.set(instant("2026-06-01T12:00:00Z"));
    let cancel = post(&world, &key, "/api/forex-signals/2/cancel", json!({ "reason": "Enough." })).await;
    assert_eq!((cancel.status.as_u16(), &cancel.json["events"]), (200, &json!(["Closed"])), "{cancel:?}");
    world.end().await;
}

#[tokio::test]
async fn an_open_signal_is_looked_at_by_its_own_settings() {
    let world = world("2026-11-24T10:05:00Z").await;
    let (now, ten) = (world.app.clock.now(), instant("2026-11-24T10:00:00Z"));
    // It fell for days, and was up a little in the last quarter of an hour.
    let fell = |before: i64| {
        let close = price("4000") + Price::from_units(before * Price::SCALE / 100);
        let jump = if before <= 15 { price("1.50") } else { Price::ZERO };
        candle(ten - TimeDelta::minutes(before), close + jump, close + jump)
    };
    let candles: Vec<_> = (1..=15_000).rev().map(fell).collect();
    keep(&world, &candles, ten).await;
    opened(&world, ten).await;
    // Two averages that are so fast that they have crossed up already.
    let fast = Settings { trend: Trend { fast: 2, slow: 3, ..Settings::default().trend }, ..Settings::default() };
    send(&world.app, Command::Configure { settings: Arc::new(fast), revision: None, at: now }).await;
    let after: Vec<_> =
        (0..5).map(|at| candle(ten + TimeDelta::minutes(at), price("4000"), price("4000.25"))).collect();
    keep(&world, &after, now).await;
    world.app.watch.run(&world.app).await.unwrap();
    let weak = told(&world, "Weakened").await;
    assert_eq!(weak.len(), 1, "those of the signal have not");
    assert_eq!(weak[0]["Weakened"]["weakness"], json!(Weakness::CrossedBack));
    world.end().await;
}

#[tokio::test]
async fn a_queued_strategy_looks_from_the_end_of_the_signal_on_however_late_that_is_seen() {
    let world = world("2026-11-24T10:15:00Z").await;
    let ten = instant("2026-11-24T10:00:00Z");
    opened(&world, ten).await;
    send(&world.app, Command::Choose { strategy: StrategyKind::Breakout, at: ten + TimeDelta::minutes(1) }).await;
    // The stop was hit in the third minute; all is seen when a quarter of an hour is over.
    let low = |at| if at == 2 { price("3989") } else { price("4000") };
    let candles: Vec<_> = (0..15).map(|at| candle(ten + TimeDelta::minutes(at), low(at), price("4000"))).collect();
    keep(&world, &candles, world.app.clock.now()).await;
    world.app.watch.run(&world.app).await.unwrap();
    let chosen = told(&world, "StrategyChosen").await;
    assert_eq!(chosen[0]["StrategyChosen"]["at"], "2026-11-24T10:03:00Z");
    let passed = told(&world, "Passed").await;
    let passed: Vec<_> = passed.iter().map(|event| (&event["Passed"]["strategy"], &event["Passed"]["at"])).collect();
    assert_eq!(passed, [(&json!("breakout"), &json!("2026-11-24T10:15:00Z"))]);
    world.end().await;
}

#[tokio::test]
async fn recaps_come_at_their_time_though_the_market_is_closed() {
    // On Friday it closes at 21:00; the last candle is that of 20:56.
    let world = world("2026-05-22T20:58:00Z").await;
    let saturday = Settings { recap_on: chrono::Weekday::Sat, ..Settings::default() };
    let at = world.app.clock.now();
    send(&world.app, Command::Configure { settings: Arc::new(saturday), revision: None, at }).await;
    let ten = instant("2026-05-22T10:00:00Z");
    opened(&world, ten).await;
    let cancel = Command::Cancel {
        number: 1,
        price: Some(price("4004")),
        by_hand: crate::signals_support::by_hand("enough"),
        at: ten + TimeDelta::minutes(3),
    };
    send(&world.app, cancel).await;
    quiet(&world, 30, instant("2026-05-22T20:57:00Z")).await;
    let periods = async || -> Vec<(Value, Value)> {
        world.app.watch.run(&world.app).await.unwrap();
        let told = told(&world, "Recapped").await;
        told.into_iter().map(|event| (event["Recapped"]["period"].clone(), event["Recapped"]["at"].clone())).collect()
    };
    assert_eq!(periods().await, [], "a candle may still come");
    // Ten minutes after the close, nothing more is believed to come.
    world.app.clock.set(instant("2026-05-22T21:10:00Z"));
    keep(&world, &[], instant("2026-05-22T21:10:00Z")).await;
    let both = [("day", "2026-05-22T21:00:00Z"), ("week", "2026-05-23T21:00:00Z")].map(|(p, at)| (json!(p), json!(at)));
    assert_eq!(periods().await, both[..1]);
    world.app.clock.set(instant("2026-05-23T20:59:59Z"));
    assert_eq!(periods().await.len(), 1);
    world.app.clock.set(instant("2026-05-23T21:00:00Z"));
    assert_eq!(periods().await, both);
    world.end().await;
}
