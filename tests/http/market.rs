//! The price of gold.

use chrono::{DateTime, TimeDelta, Utc};
use promostack::market::{
    GOLD,
    store::{self, Coverage, LIVE},
};
use serde_json::json;
use trading::{Candle, Price};

use crate::world::{Send, World};

#[tokio::test]
async fn the_sparkline_shows_what_is_kept_and_says_that_nothing_new_comes() {
    let world = World::new().await;
    let path = "/api/forex/xauusd-sparkline";
    world.plain("GET", path).answer().await.expect(401, "unauthenticated");
    let nothing = world.get(path).await;
    assert_eq!((nothing.status.as_u16(), &nothing.json["points"]), (200, &json!([])), "{nothing:?}");

    let from: DateTime<Utc> = "2026-05-28T10:00:00Z".parse().unwrap();
    let candle = |minute: i64| {
        let open = Price::from_units((4_000 + minute) * Price::SCALE);
        let close = Price::from_units((4_001 + minute) * Price::SCALE);
        Candle { opened_at: from + TimeDelta::minutes(minute), open, high: close, low: open, close, volume: 1 }
    };
    let candles: Vec<_> = (0..180).map(candle).collect();
    let covered = Coverage { source: LIVE.to_owned(), from, until: from + TimeDelta::minutes(180) };
    store::store(&world.app.pool, GOLD, &candles, &covered).await.unwrap();
    let shown = world.get(&format!("{path}?hours=1&points=7")).await;
    assert_eq!(shown.header("cache-control"), "private, max-age=30");
    assert_eq!(shown.json["price"], "4180.00", "{shown:?}");
    assert_eq!((&shown.json["change"], &shown.json["change_percent"]), (&json!("60.00"), &json!("1.46")));
    assert_eq!(shown.json["as_of"], "2026-05-28T13:00:00+00:00");
    assert_eq!(shown.json["points"].as_array().unwrap().len(), 6);
    assert_eq!(shown.json["points"][5], json!({ "at": "2026-05-28T13:00:00+00:00", "close": "4180.00" }));
    // No key, so nothing new comes.
    assert_eq!(shown.json["is_stale"], true);
    let health = world.plain("GET", "/api/health").answer().await;
    assert_eq!(health.json["market"], json!({ "source": "unavailable", "is_stale": false }));
    for (query, field) in [("hours=0", "hours"), ("hours=169", "hours"), ("points=1", "points"), ("points=x", "points")]
    {
        let answer = world.get(&format!("{path}?{query}")).await;
        answer.expect(400, "invalid-input");
        assert_eq!(answer.fields(), [field], "{answer:?}");
    }
    world.end().await;
}
