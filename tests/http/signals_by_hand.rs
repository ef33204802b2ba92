//! Signals that an admin opens and ends.

use aggregates::signal::XAUUSD;
use promostack::{
    app::Role,
    clock::Clock,
    market::store::{self, Coverage, LIVE},
};
use serde_json::{Value, json};

use crate::{
    database::Database,
    signals::world,
    signals_support::{candle, minute},
    world::{Send, World, variables},
};

/// One that has prices until then.
async fn world_with_market() -> World {
    let mut variables = variables();
    variables.push(("TWELVE_DATA_API_KEY", "key-for-tests".to_owned()));
    variables.push(("TWELVE_DATA_API_URL", "http://127.0.0.1:9/".to_owned()));
    World::at(Database::fresh().await, &variables, Role::All, Clock::fixed(minute(5))).await
}

fn new_signal() -> Value {
    json!({
        "direction": "buy", "entry": "4000.00", "zone_low": "3999", "zone_high": "4001", "stop": "3990",
        "targets": [{ "price": "4010", "share": 60 }, { "price": "4020.5", "share": 40 }],
        "reason": "Support of the week."
    })
}

#[tokio::test]
async fn an_admin_opens_a_signal_and_ends_it_at_the_last_price() {
    let world = world_with_market().await;
    let keep = async |from, until, low, high, close| {
        let coverage = Coverage { source: LIVE.to_owned(), from: minute(from), until: minute(until) };
        let candles: Vec<_> = (from..until).map(|at| candle(at, low, high, close)).collect();
        store::store(&world.app.pool, XAUUSD, &candles, &coverage).await.unwrap();
    };
    keep(0, 5, "4000", "4001", "4000").await;
    let post = async |path: &str, key: &str, body: Value| {
        world.admin("POST", path).await.header("idempotency-key", key).json(&body).answer().await
    };
    let made = post("/api/forex-signals", "k1", new_signal()).await;
    assert_eq!((made.status.as_u16(), made.header("location")), (201, "/api/forex-signals/1"), "{made:?}");
    let again = post("/api/forex-signals", "k1", new_signal()).await;
    assert_eq!((again.header("idempotency-replayed"), &again.json["number"]), ("true", &json!(1)));
    let second = post("/api/forex-signals", "k2", new_signal()).await;
    second.expect(409, "signal-open");
    assert!(second.json["detail"].as_str().unwrap().contains("#1"), "{second:?}");
    let shown = world.get(&format!("/api/forex-signals/1?wait_ms=30000&min_position={}", made.json["position"])).await;
    let signal = &shown.json["signal"];
    assert_eq!((&signal["status"], &signal["strategy"]), (&json!("running"), &json!("by_hand")));
    assert_eq!(
        (&signal["opened_by"], &signal["opened_at"]),
        (&json!("admin:admin"), &json!("2026-11-24T10:05:00+00:00"))
    );

    let reason = json!({ "reason": "The news were others." });
    world.app.clock.set(minute(11));
    let stale = post("/api/forex-signals/1/cancel", "k3", reason.clone()).await;
    stale.expect(503, "market-stale");
    keep(5, 11, "4000", "4003.5", "4003.25").await;
    let status =
        world.get(&format!("/api/signal-bot/status?min_position={}&wait_ms=30000", made.json["position"])).await;
    let open = &status.json["open"];
    assert_eq!((&open["number"], &open["live_gain"], &open["live_r"]), (&json!(1), &json!("3.25"), &json!(0.325)));
    assert_eq!((&status.json["market"]["state"], &status.json["market"]["price"]), (&json!("open"), &json!("4003.25")));
    assert!(status.json.get("next_check_at").is_none(), "none is looked for while one is open");

    let missing = post("/api/forex-signals/2/cancel", "k4", reason.clone()).await;
    missing.expect(404, "signal-missing");
    let wordless = post("/api/forex-signals/1/cancel", "k5", json!({ "reason": " " })).await;
    assert_eq!((wordless.problem(), wordless.fields()), ("invalid-input", vec!["reason"]));
    let ended = post("/api/forex-signals/1/cancel", "k6", reason.clone()).await;
    assert_eq!((ended.status.as_u16(), &ended.json["events"]), (200, &json!(["Closed"])), "{ended:?}");
    let again = post("/api/forex-signals/1/cancel", "k6", reason.clone()).await;
    assert_eq!((again.header("idempotency-replayed"), &again.json), ("true", &ended.json));
    post("/api/forex-signals/1/cancel", "k7", reason).await.expect(409, "signal-not-open");
    let shown = world.get(&format!("/api/forex-signals/1?wait_ms=30000&min_position={}", ended.json["position"])).await;
    let signal = &shown.json["signal"];
    assert_eq!((&signal["exit"], &signal["exit_price"]), (&json!("cancelled"), &json!("4003.25")));
    assert_eq!((&signal["gain"], &signal["closed_reason"]), (&json!("3.25"), &json!("The news were others.")));
    assert_eq!(
        shown.json["events"][1]["words"],
        "admin:admin closed it at 4003.25. All in all it came to 3.25 per ounce."
    );
    let chart = world.get("/api/forex-signals/1/chart.png").await;
    assert_eq!((chart.status.as_u16(), chart.header("content-type")), (200, "image/png"), "{:?}", chart.headers);
    world.get("/api/forex-signals/2/chart.png").await.expect(404, "signal-missing");
    world.end().await;
}

#[tokio::test]
async fn levels_that_make_no_sense_are_named() {
    let without = world().await;
    without.post("/api/forex-signals", new_signal()).await.expect(503, "market-unavailable");
    without.end().await;
    let world = world_with_market().await;
    let coverage = Coverage { source: LIVE.to_owned(), from: minute(0), until: minute(5) };
    store::store(&world.app.pool, XAUUSD, &[candle(4, "4000", "4001", "4000")], &coverage).await.unwrap();
    for (field, value, status, named) in [
        ("direction", json!("long"), 400, "direction"),
        ("entry", json!(4000.5), 400, "entry"),
        ("entry", json!("4000.123456"), 400, "entry"),
        ("entry", json!("-4000"), 422, "entry"),
        ("zone_low", json!("4000.5"), 422, "zone_low"),
        ("zone_high", json!("3999.5"), 422, "zone_high"),
        ("stop", json!("3999.5"), 422, "stop"),
        ("stop", json!("3990.005"), 422, "stop"),
        ("stop", json!(null), 400, "stop"),
        ("targets", json!([]), 422, "targets"),
        ("targets", json!([{ "price": "4000.5", "share": 100 }]), 422, "targets"),
        ("targets", json!([{ "price": "4010", "share": 99 }]), 422, "targets"),
        ("targets", json!([{ "price": "4010", "share": 101 }]), 400, "targets[0].share"),
        ("waits", json!("yes"), 400, "waits"),
        ("expires_at", json!("2026-11-24T10:05:00Z"), 400, "expires_at"),
        ("reason", json!(""), 400, "reason"),
        ("leverage", json!(10), 400, "leverage"),
    ] {
        let mut body = new_signal();
        body[field] = value;
        let answer = world.post("/api/forex-signals", body).await;
        answer.expect(status, if status == 422 { "invalid-levels" } else { "invalid-input" });
        assert_eq!(answer.fields(), [named], "{answer:?}");
    }
    let mut waiting = new_signal();
    waiting["waits"] = json!(true);
    for zone in ["zone_low", "zone_high"] {
        waiting.as_object_mut().unwrap().remove(zone);
    }
    let made = world.post("/api/forex-signals", waiting).await;
    let shown = world.get(&format!("/api/forex-signals/1?wait_ms=30000&min_position={}", made.json["position"])).await;
    let signal = &shown.json["signal"];
    assert_eq!((&signal["status"], &signal["zone_low"]), (&json!("waiting"), &json!("4000")), "{shown:?}");
    let cancel = world.post("/api/forex-signals/1/cancel", json!({ "reason": "no" })).await;
    assert_eq!(cancel.status, 200, "{cancel:?}");
    world.end().await;
}
