//! Signals: seen, opened and ended by hand, configured, and what they came to.

use aggregates::signal::{Command, XAUUSD};
use chrono::{DateTime, Utc};
use projections::signals::{Ended, Which};
use promostack::{app::Role, clock::Clock};
use serde_json::{Value, json};
use trading::{
    Direction, Price, Statistics, StrategyKind, Trade,
    statistics::{Options, equity_curve},
};

use crate::{
    database::Database,
    signals_support::{by_hand, candle, check, levels, minute, observe, open, send, some_of_all},
    world::{Answer, Send, World, variables},
};

/// A world at half past twelve of the day of the signals, without a market.
pub(crate) async fn world() -> World {
    World::at(Database::fresh().await, &variables(), Role::All, Clock::fixed(minute(150))).await
}

async fn shows_all(world: &World) -> i64 {
    let last = world.app.log.last_position().await.unwrap();
    let list = world.get(&format!("/api/forex-signals?min_position={last}&wait_ms=30000")).await;
    assert_eq!(list.status, 200, "{list:?}");
    last
}

async fn numbers(world: &World, query: &str) -> Vec<i64> {
    let answer = world.get(&format!("/api/forex-signals?{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json["items"].as_array().unwrap().iter().map(|item| item["number"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn signals_are_listed_told_and_exported() {
    let world = world().await;
    some_of_all(&world.app).await;
    shows_all(&world).await;
    for (query, expected) in [
        ("", &[4, 3, 2, 1][..]),
        ("sort=number", &[1, 2, 3, 4]),
        ("sort=-opened_at", &[4, 3, 2, 1]),
        ("sort=-r", &[1, 3, 2, 4]),
        ("sort=gain", &[4, 2, 3, 1]),
        ("status=closed", &[3, 2, 1]),
        ("status=running", &[4]),
        ("status=waiting", &[]),
        ("direction=sell", &[4, 2]),
        ("strategy=by_hand", &[3]),
        ("strategy=breakout", &[2]),
        ("exit=stop", &[2]),
        ("session=london", &[4, 3, 2, 1]),
        ("session=overlap", &[]),
        ("from=2026-11-24T11:00:00Z&to=2026-11-24T11:10:00Z", &[2]),
    ] {
        assert_eq!(numbers(&world, query).await, expected, "{query}");
    }
    for sort in ["number", "-number", "opened_at", "-opened_at", "r", "-r", "gain", "-gain"] {
        let (whole, mut pages, mut cursor) = (numbers(&world, &format!("sort={sort}")).await, vec![], String::new());
        loop {
            let page = world.get(&format!("/api/forex-signals?sort={sort}&limit=1{cursor}")).await;
            assert_eq!(page.status, 200, "{page:?}");
            pages.push(page.json["items"][0]["number"].as_i64().unwrap());
            let Some(next) = page.json["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(pages, whole, "{sort}");
    }

    let story = world.get("/api/forex-signals/1").await;
    assert_eq!(story.header("etag"), format!("\"{}\"", story.json["signal"]["version"]));
    let signal = &story.json["signal"];
    let facts = ["strategy", "direction", "status", "exit", "gain", "entry", "stop", "first_stop", "session"];
    let facts = facts.map(|field| signal[field].as_str().unwrap());
    assert_eq!(facts, ["trend", "buy", "closed", "target", "17", "4000", "4000", "3990", "london"]);
    assert_eq!((&signal["r"], &signal["pips"], &signal["targets_hit"]), (&json!(1.7), &json!(170.0), &json!(3)));
    assert_eq!(
        signal["targets"][1],
        json!({ "price": "4020", "share": 30, "hit_at": "2026-11-24T10:04:00+00:00", "hit_price": "4020", "gain": "20" })
    );
    assert_eq!(signal["readings"], json!({ "atr": 6.6667, "adx": 24.3 }));
    assert_eq!(story.json["settings"]["cool_down"], 30);
    let events = |story: &Answer| -> Vec<(String, String)> {
        let events = story.json["events"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        events.iter().map(|event| (text(&event["event"]), text(&event["words"]))).collect()
    };
    let told = events(&story);
    let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
    let expected = ["Opened", "MilestoneReached", "TargetHit", "StopMoved", "TargetHit", "TargetHit", "Closed"];
    assert_eq!(names, expected, "{told:?}");
    assert_eq!(told.last().unwrap().1, "The last target was hit at 4030. All in all it came to 17 per ounce.");

    let by_hand = world.get("/api/forex-signals/3").await;
    let signal = &by_hand.json["signal"];
    assert_eq!((&signal["opened_reason"], &signal["closed_by"]), (&json!("=before the Fed"), &json!("=root")));
    assert_eq!((&signal["entered_price"], &signal["gain"]), (&json!("4001"), &json!("3")));
    assert!((signal["r"].as_f64().unwrap() - 3.0 / 11.0).abs() < 1e-12, "from where it was entered");
    assert!(signal.get("readings").is_none());
    let weak = world.get("/api/forex-signals/4").await;
    assert_eq!(weak.json["signal"]["weakness"], "rsi_reversed");
    assert!(weak.json["signal"].get("gain").is_none(), "it has not ended");
    world.get("/api/forex-signals/1/chart.png").await.expect(404, "no-candles");
    world.get("/api/forex-signals/5").await.expect(404, "signal-missing");
    world.get("/api/forex-signals/4294967295").await.expect(404, "signal-missing");

    let table = world.get("/api/forex-signals.csv?sort=number&status=closed").await;
    let mut reader = csv::Reader::from_reader(table.text.as_bytes());
    let rows: Vec<std::collections::BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    let gains: Vec<&str> = rows.iter().map(|row| row["gain"].as_str()).collect();
    assert_eq!((gains, rows[2]["opened_reason"].as_str()), (vec!["17", "-10", "3"], "'=before the Fed"));
    assert_eq!(rows[0]["targets"], "4010:50 4020:30 4030:20");
    world.end().await;
}

/// Without what is absent, and with instants as the API writes them.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(tidy);
        }
        Value::Array(values) => values.iter_mut().for_each(tidy),
        Value::String(text) => {
            if let Ok(at) = text.parse::<DateTime<Utc>>() {
                *text = at.to_rfc3339();
            }
        }
        _ => {}
    }
}

/// What serde makes of statistics, in the words of the API.
fn in_words(mut value: Value) -> Value {
    for group in value["by_strategy"].as_array_mut().unwrap() {
        if group["key"].is_null() {
            group["key"] = json!("by_hand");
        }
    }
    for group in value["by_weekday"].as_array_mut().unwrap() {
        group["key"] = json!(group["key"].as_str().unwrap().to_lowercase());
    }
    tidy(&mut value);
    as_read(&value)
}

/// As who reads the answer has it: a number that is read may differ in its last digit from the one written.
fn as_read(value: &Value) -> Value {
    serde_json::from_str(&value.to_string()).unwrap()
}

#[tokio::test]
async fn statistics_are_those_of_the_trades() {
    let world = world().await;
    let empty = world.get("/api/forex-signals/statistics").await;
    assert_eq!((empty.status.as_u16(), &empty.json["total"]["trades"]), (200, &json!(0)), "{empty:?}");
    some_of_all(&world.app).await;
    let last = shows_all(&world).await;

    let which = Which { entered: true, ..Which::default() };
    let ended = projections::signals::ended(&world.app.pool, XAUUSD, which, None, 10).await.unwrap();
    let trades: Vec<Trade> = ended.iter().filter_map(Ended::trade).collect();
    assert_eq!(trades.iter().map(|trade| trade.number).collect::<Vec<_>>(), [1, 2, 3], "the open one is none");
    for trade in &trades {
        let row = projections::signals::find(&world.app.pool, XAUUSD, trade.number).await.unwrap().unwrap();
        let hit = row.targets.iter().filter_map(|target| target.hit_price.map(|price| (price, target.share)));
        let parts: Vec<_> = hit.chain(row.exit_price.zip(row.exit_share)).collect();
        let earned =
            |(price, share): &(Price, u8)| trade.direction.gain(trade.entry, *price).units() * i64::from(*share);
        assert_eq!(parts.iter().map(earned).sum::<i64>() / 100, trade.gain.units(), "{trade:?}");
        assert_eq!(parts.iter().map(|(_, share)| u32::from(*share)).sum::<u32>(), 100, "{trade:?}");
    }
    // Piece by piece, from both ends.
    let one = async |newest_first, after: Option<&Ended>| {
        let which = Which { newest_first, ..which };
        let piece = projections::signals::ended(&world.app.pool, XAUUSD, which, after.map(Ended::place), 1).await;
        piece.unwrap().pop()
    };
    assert_eq!(one(false, None).await.as_ref(), Some(&ended[0]));
    assert_eq!(one(false, Some(&ended[0])).await.as_ref(), Some(&ended[1]));
    assert_eq!(one(true, Some(&ended[1])).await.as_ref(), Some(&ended[0]));
    assert_eq!(one(false, Some(&ended[2])).await, None);
    let pip = Price::from_units(Price::SCALE / 10);
    let now = minute(150);
    let whole = Statistics::of(&trades, Options { from: None, to: Some(now), pip });
    let shown = world.get(&format!("/api/forex-signals/statistics?min_position={last}")).await;
    assert_eq!(shown.json, in_words(serde_json::to_value(&whole).unwrap()));
    assert_eq!((&shown.json["total"]["trades"], &shown.json["total"]["wins"]), (&json!(3), &json!(2)));
    let keys: Vec<&Value> = shown.json["by_strategy"].as_array().unwrap().iter().map(|group| &group["key"]).collect();
    assert_eq!(keys, ["by_hand", "trend", "breakout"]);

    let (from, to): (DateTime<Utc>, DateTime<Utc>) = (minute(60), minute(75));
    let part = Statistics::of(&trades[1..2], Options { from: Some(from), to: Some(to), pip });
    let query = "from=2026-11-24T11:00:00Z&to=2026-11-24T11:15:00Z";
    let shown = world.get(&format!("/api/forex-signals/statistics?{query}")).await;
    assert_eq!(shown.json, in_words(serde_json::to_value(&part).unwrap()), "{query}");
    let by_hand = world.get("/api/forex-signals/statistics?strategy=by_hand").await;
    assert_eq!((&by_hand.json["total"]["trades"], &by_hand.json["total"]["gain"]), (&json!(1), &json!("3")));

    let curve = world.get("/api/forex-signals/equity-curve").await;
    let points: Vec<_> = equity_curve(&trades).collect();
    let mut expected = serde_json::to_value(&points).unwrap();
    tidy(&mut expected);
    assert_eq!(curve.json["items"], as_read(&expected));
    assert_eq!((&curve.json["items"][2]["gain"], &curve.json["signals"]), (&json!("10"), &json!(3)));
    let table = world.get("/api/forex-signals/equity-curve.csv").await;
    assert_eq!(table.text.lines().count(), 4, "{}", table.text);
    assert!(table.text.contains("2026-11-24T11:01:00.000000Z,0.7,7"), "{}", table.text);

    // What a pip is may change; what it was stays.
    let mut config = world.get("/api/forex-config").await.json;
    config["pip"] = json!("0.01");
    let put = world.admin("PUT", "/api/forex-config").await.header("if-match", "*").json(&config).answer().await;
    assert_eq!(put.status.as_u16(), 200, "{put:?}");
    let later = world.get("/api/forex-signals/statistics").await;
    assert_eq!(later.json["total"]["pips"], json!(100.0), "10 an ounce at 0.1");

    // Many of them: the curve is thinned, the table is whole, and what is rare is found by an index.
    let many = "insert into read_models.signals
        select (jsonb_populate_record(s, jsonb_build_object('number', 100 + n, 'closed_at', s.closed_at + n * interval '1 minute',
                                                            'exit', 'target', 'strategy', 'trend', 'session', 'london',
                                                            'direction', 'buy'))).*
          from read_models.signals s, generate_series(1, 12000) n where s.number = 1";
    sqlx::query(many).execute(&world.app.pool).await.unwrap();
    let curve = world.get("/api/forex-signals/equity-curve").await;
    let (items, last) = (curve.json["items"].as_array().unwrap(), "204010");
    assert_eq!((&curve.json["signals"], items.len() <= 1_000), (&json!(12_003), true), "{}", items.len());
    assert_eq!((&items[0]["gain"], &items[items.len() - 1]["gain"]), (&json!("17"), &json!(last)));
    let table = world.get("/api/forex-signals/equity-curve.csv").await;
    assert_eq!(table.text.lines().count(), 12_004);
    assert!(table.text.trim_end().ends_with(&format!(",{last}")));
    let shown = world.get("/api/forex-signals/statistics").await;
    assert_eq!((&shown.json["total"]["trades"], &shown.json["total"]["gain"]), (&json!(12_003), &json!(last)));
    sqlx::query("analyze read_models.signals").execute(&world.app.pool).await.unwrap();
    for (column, value) in [("exit", "weak"), ("strategy", "momentum"), ("session", "new_york"), ("direction", "sell")]
    {
        let plan = format!(
            "explain select * from read_models.signals where instrument = 'XAUUSD' and {column} = '{value}'
              order by number desc limit 51"
        );
        let plan: Vec<String> = sqlx::query_scalar(&plan).fetch_all(&world.app.pool).await.unwrap();
        let plan = plan.join("\n");
        assert!(plan.contains(&format!("signals_{column}_number_idx")), "{plan}");
    }
    let wrong = world.get("/api/forex-signals/statistics?from=2026-11-24T11:00:00Z&to=2026-11-24T11:00:00Z").await;
    assert_eq!((wrong.problem(), wrong.fields()), ("invalid-input", vec!["from"]));
    world.end().await;
}

#[tokio::test]
async fn the_configuration_is_changed_on_what_was_seen() {
    let world = world().await;
    let shown = world.get("/api/forex-config").await;
    assert_eq!((shown.status.as_u16(), shown.header("etag")), (200, "\"0\""), "{shown:?}");
    let put = async |if_match: Option<&str>, key: Option<&str>, body: &Value| {
        let mut request = world.admin("PUT", "/api/forex-config").await.json(body);
        for (name, value) in [("if-match", if_match), ("idempotency-key", key)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        request.answer().await
    };
    let mut config = shown.json.clone();
    let same = put(Some("\"0\""), None, &config).await;
    assert_eq!((same.status.as_u16(), same.header("etag"), &same.json["events"]), (200, "\"0\"", &json!([])));
    config["trend"]["fast"] = json!(7);
    config["hours"] = json!({ "from": 420, "to": 1200 });
    config["sessions"] = json!(["london", "overlap"]);
    config["daily_loss"] = json!(null);
    config["recap_on"] = json!("sat");
    config["blackouts"] =
        json!([{ "from": "2026-12-04T13:15:00+00:00", "to": "2026-12-04T14:00:00+00:00", "label": "Jobs" }]);
    put(None, None, &config).await.expect(428, "precondition-required");
    put(Some("\"4\""), None, &config).await.expect(412, "precondition-failed");
    let changed = put(Some("\"0\""), Some("c1"), &config).await;
    assert_eq!((changed.status.as_u16(), changed.header("etag")), (200, "\"1\""), "{changed:?}");
    assert_eq!(changed.json["events"], json!(["Configured"]));
    let again = put(Some("\"0\""), Some("c1"), &config).await;
    assert_eq!((again.header("idempotency-replayed"), again.header("etag")), ("true", "\"1\""), "{again:?}");
    put(Some("\"0\""), None, &config).await.expect(412, "precondition-failed");
    let shown = world.get("/api/forex-config").await;
    assert_eq!(shown.header("etag"), "\"1\"");
    config.as_object_mut().unwrap().remove("daily_loss");
    assert_eq!(shown.json, config, "it comes back as it went");
    let any = put(Some("*"), None, &config).await;
    assert_eq!((any.status.as_u16(), any.header("etag")), (200, ""));

    let with = |path: &str, value: Value| {
        let mut config = config.clone();
        *config.pointer_mut(path).unwrap() = value;
        config
    };
    for (path, value, field) in [
        ("/trend/fast", json!(1), "trend.fast"),
        ("/trend/slow", json!("21"), "trend.slow"),
        ("/reversion/oversold", json!(true), "reversion.oversold"),
        ("/targets/1/percent", json!(0), "targets[1].percent"),
        ("/blackouts/0/from", json!("today"), "blackouts[0].from"),
        ("/hours/from", json!(1440), "hours.from"),
        ("/sessions", json!(["london", "tokyo"]), "sessions"),
        ("/sessions", json!(["london", "london"]), "sessions"),
        ("/timeframe", json!("d1"), "timeframe"),
        ("/tick", json!(0.01), "tick"),
        ("/pip", json!("0.000001"), "pip"),
        ("/recap_on", json!("Fri"), "recap_on"),
        ("/breakeven", json!(1), "breakeven"),
        ("/momentum", json!(null), "momentum"),
        ("/targets", json!([]), "targets"),
        ("/targets", json!([{}, {}, {}, {}]), "targets"),
    ] {
        let status =
            if path == "/targets" && value == json!([]) { (422, "invalid-settings") } else { (400, "invalid-input") };
        let answer = put(Some("*"), None, &with(path, value)).await;
        answer.expect(status.0, status.1);
        assert_eq!(answer.fields(), [field], "{answer:?}");
    }
    for (path, value, field) in [
        ("/trend/fast", json!(21), "trend.fast"),
        ("/momentum/overbought", json!(1e300), "momentum.overbought"),
        ("/reversion/oversold", json!(80), "reversion.oversold"),
        ("/targets/0/percent", json!(51), "targets"),
        ("/stop_atr", json!(0), "stop_atr"),
        ("/stagnant_after", json!(0), "stagnant_after"),
        ("/hours/to", json!(420), "hours"),
        ("/risk_percent", json!(-1), "risk_percent"),
        ("/blackouts/0/to", json!("2026-12-04T13:15:00Z"), "blackouts"),
    ] {
        let answer = put(Some("*"), None, &with(path, value)).await;
        answer.expect(422, "invalid-settings");
        assert_eq!(answer.fields(), [field], "{answer:?}");
    }
    let mut more = config.clone();
    more["trend"]["medium"] = json!(3);
    more["leverage"] = json!(100);
    more.as_object_mut().unwrap().remove("atr");
    let answer = put(Some("*"), None, &more).await;
    assert_eq!(answer.fields(), ["trend.medium", "atr", "leverage"], "{answer:?}");
    world.end().await;
}

#[tokio::test]
async fn the_bot_says_how_it_stands_and_is_stopped_and_steered() {
    let world = world().await;
    let status = async || {
        let last = world.app.log.last_position().await.unwrap();
        let answer = world.get(&format!("/api/signal-bot/status?min_position={last}&wait_ms=30000")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json
    };
    let fresh = status().await;
    assert_eq!((&fresh["state"], &fresh["strategy"]), (&json!("running"), &json!("trend")));
    assert_eq!((&fresh["market"]["state"], &fresh["last_number"]), (&json!("unavailable"), &json!(0)));
    assert!(fresh.get("last_check").is_none() && fresh.get("open").is_none());

    let paused = world.post("/api/signal-bot/pause", json!({ "reason": "Holidays." })).await;
    assert_eq!(paused.json["events"], json!(["Paused"]), "{paused:?}");
    assert_eq!(world.post("/api/signal-bot/pause", json!({ "reason": "Again." })).await.json["events"], json!([]));
    let proposal = check(Ok((Direction::Buy, StrategyKind::Trend)));
    observe(&world.app, vec![candle(14, "4000", "4000", "4000")], Some(proposal), None).await;
    let now = status().await;
    assert_eq!((&now["state"], &now["paused_reason"]), (&json!("paused"), &json!("Holidays.")));
    assert_eq!(now["last_check"]["words"], "No signal: there was a set-up, but the bot is paused.");
    assert_eq!((&now["last_check"]["reason"], &now["last_check"]["readings"]["adx"]), (&json!("paused"), &json!(24.3)));
    let resumed = world.post("/api/signal-bot/resume", json!({ "reason": "Back." })).await;
    assert_eq!(resumed.json["events"], json!(["Resumed"]));

    let chosen = world.post("/api/signal-bot/set-active", json!({ "strategy": "breakout" })).await;
    assert_eq!(chosen.json["events"], json!(["StrategyChosen"]), "{chosen:?}");
    open(&world.app, 29, Direction::Sell, StrategyKind::Breakout).await;
    let queued = world.post("/api/signal-bot/set-active", json!({ "strategy": "reversion" })).await;
    assert_eq!(queued.json["events"], json!(["StrategyQueued"]), "{queued:?}");
    let now = status().await;
    assert_eq!((&now["strategy"], &now["queued_strategy"]), (&json!("breakout"), &json!("reversion")));
    let open = &now["open"];
    assert_eq!((&open["number"], &open["next_target"]), (&json!(1), &json!("3990")));
    assert!(open.get("live_gain").is_none(), "without a price: {open}");
    assert_eq!(
        (&now["last_check"]["number"], &now["last_check"]["words"]),
        (&json!(1), &json!("Signal #1 was opened."))
    );
    let cancel = Command::Cancel {
        number: 1,
        price: Some(levels(Direction::Sell).entry),
        by_hand: by_hand("enough"),
        at: minute(31),
    };
    send(&world.app, cancel).await;
    let now = status().await;
    assert_eq!((&now["strategy"], now.get("queued_strategy")), (&json!("reversion"), None));
    let counts: Vec<(&str, i64)> = now["checks_today"]
        .as_array()
        .unwrap()
        .iter()
        .map(|count| (count["reason"].as_str().unwrap(), count["checks"].as_i64().unwrap()))
        .collect();
    assert_eq!(counts, [("opened", 1), ("paused", 1)]);
    let wrong = world.post("/api/signal-bot/set-active", json!({ "strategy": "martingale" })).await;
    assert_eq!((wrong.problem(), wrong.fields()), ("invalid-input", vec!["strategy"]));

    let reader = world.key("reader", &["signals:read"]).await;
    let get = world.plain("GET", "/api/signal-bot/status").bearer_auth(&reader).answer().await;
    assert_eq!(get.status, 200);
    let pause = world.plain("POST", "/api/signal-bot/pause").bearer_auth(&reader).json(&json!({ "reason": "x" }));
    pause.answer().await.expect(403, "scope-missing");
    world.end().await;
}
