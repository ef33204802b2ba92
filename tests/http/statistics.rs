//! Numbers of campaigns: what is shown is what the campaign itself knows.

use chrono::{Days, NaiveDate, TimeDelta};
use promostack::clock::Clock;
use serde_json::{Value, json};

use crate::world::{Answer, World, until};

async fn ok(answer: Answer) -> Value {
    assert!(answer.status.is_success(), "{answer:?}");
    answer.json
}

async fn campaign(world: &World, terms: Value) -> String {
    let draft = ok(world.post("/api/campaigns", terms).await).await;
    let id = draft["id"].as_str().unwrap().to_owned();
    ok(world.post(&format!("/api/campaigns/{id}/activate"), json!({})).await).await;
    id
}

/// The numbers once the read model has seen everything; checked against the campaign itself.
async fn numbers(world: &World, id: &str, query: &str) -> Value {
    let position = world.app.log.last_position().await.unwrap();
    let shown =
        ok(world.get(&format!("/api/campaigns/{id}/statistics?min_position={position}&wait_ms=30000{query}")).await)
            .await;
    let supply = world.app.campaigns.look(id, |campaign, _, _| campaign.running().unwrap().supply()).await.unwrap();
    if world.app.log.last_position().await.unwrap() != position {
        // A reservation ran out between the two looks.
        return Box::pin(numbers(world, id, query)).await;
    }
    let known = json!({
        "issued": supply.issued, "redeemed": supply.redeemed, "reserved": supply.reserved, "available": supply.available,
    });
    for (name, value) in known.as_object().unwrap() {
        assert_eq!(shown.get(name).unwrap_or(&Value::Null), value, "{name}: {shown}");
    }
    if let Some(issued) = shown["issued"].as_i64() {
        let number = |name: &str| shown[name].as_i64().unwrap();
        assert_eq!(issued, number("redeemed") + number("reserved") + number("available"), "{shown}");
    }
    shown
}

#[tokio::test]
async fn the_numbers_of_unique_codes_add_up() {
    let world = World::new().await;
    let id = campaign(&world, json!({ "name": "Partners" })).await;
    let empty = numbers(&world, &id, "").await;
    assert_eq!((&empty["issued"], empty.get("conversion"), empty.get("first_redeemed_at")), (&json!(0), None, None));
    let post = async |path: String, body: Value| ok(world.post(&path, body).await).await;
    let mut batches = vec![];
    for count in [6, 4] {
        batches.push(post(format!("/api/campaigns/{id}/batches"), json!({ "count": count })).await["number"].clone());
    }
    let mut codes = vec![];
    for n in 0..8 {
        let body = json!({ "customer": format!("c{n}"), "source_id": format!("order-{n}") });
        codes.push(post(format!("/api/campaigns/{id}/publish"), body).await["code"].clone());
    }
    let using = |n: usize| json!({ "code": codes[n], "customer": format!("c{n}") });
    let mut redemptions = vec![];
    for n in 0..4 {
        redemptions.push(post("/api/coupons/redeem".to_owned(), using(n)).await);
    }
    let mut reservations = vec![];
    // One stands, one is redeemed, one is cancelled, one of the second batch expires.
    for (n, seconds) in [(4, 600), (5, 600), (6, 600), (7, 1)] {
        let mut body = using(n);
        body["seconds"] = json!(seconds);
        reservations.push(post("/api/coupons/reserve".to_owned(), body).await["id"].clone());
        numbers(&world, &id, "").await;
    }
    let mut body = using(5);
    body["reservation"] = reservations[1].clone();
    post("/api/coupons/redeem".to_owned(), body).await;
    post(format!("/api/reservations/{}/cancel", reservations[2].as_str().unwrap()), json!({})).await;
    numbers(&world, &id, "").await;
    let release = format!("/api/redemptions/{}/release", redemptions[0]["id"].as_str().unwrap());
    post(release, json!({ "reason": "sent back" })).await;
    numbers(&world, &id, "").await;
    // What is left of the first batch: one that was released. 3 + 1 are redeemed and one is reserved.
    post(format!("/api/batches/{}/revoke", batches[0]), json!({})).await;
    until(async || numbers(&world, &id, "").await["reserved"] == 1).await;
    let shown = numbers(&world, &id, "").await;
    for (name, value) in [
        ("minted", 10),
        ("imported", 0),
        ("revoked", 1),
        ("issued", 9),
        ("published", 8),
        ("redeemed", 4),
        ("released", 1),
    ] {
        assert_eq!(shown[name], value, "{name}: {shown}");
    }
    assert!((shown["conversion"].as_f64().unwrap() - 4.0 / 9.0).abs() < 1e-9, "{shown}");
    assert_eq!(shown["by_source"], json!([{ "source": "api", "redeemed": 5 }]));
    assert!(shown["first_redeemed_at"].as_str() < shown["last_redeemed_at"].as_str(), "{shown}");
    let days = shown["days"].as_array().unwrap();
    assert_eq!(days.len(), 30);
    let sum = |name: &str| days.iter().map(|day| day[name].as_i64().unwrap()).sum::<i64>();
    assert_eq!((sum("redeemed"), sum("released"), sum("reserved"), sum("published")), (5, 1, 4, 8));
    // A release after the batch was taken back leaves less issued.
    let release = format!("/api/redemptions/{}/release", redemptions[1]["id"].as_str().unwrap());
    post(release, json!({ "reason": "sent back" })).await;
    assert_eq!(numbers(&world, &id, "").await["revoked"], 2);
    world.end().await;
}

#[tokio::test]
async fn the_numbers_of_a_shared_code_are_of_its_days_and_doors() {
    let world = World::new().await;
    let terms = json!({ "name": "Gold", "code": "GOLD10", "total_limit": 8 });
    let id = campaign(&world, terms).await;
    let free = campaign(&world, json!({ "name": "Free", "code": "FREE" })).await;
    for number in 1..=3 {
        crate::webhook::say(&world, number, 7000 + number, "GOLD10").await;
    }
    until(async || numbers(&world, &id, "").await["redeemed"] == 3).await;
    ok(world.post("/api/coupons/redeem", json!({ "code": "GOLD10", "customer": "anna" })).await).await;
    ok(world.post("/api/coupons/redeem", json!({ "code": "FREE", "customer": "anna" })).await).await;
    let shown = numbers(&world, &id, "").await;
    assert_eq!((&shown["issued"], &shown["available"], &shown["conversion"]), (&json!(8), &json!(4), &json!(0.5)));
    assert_eq!(shown["by_source"], json!([{ "source": "bot", "redeemed": 3 }, { "source": "api", "redeemed": 1 }]));
    let unlimited = numbers(&world, &free, "").await;
    assert_eq!((unlimited.get("issued"), unlimited.get("available"), unlimited.get("conversion")), (None, None, None));

    let today = Clock::system().now().date_naive();
    let at = |days: u64| today.checked_sub_days(Days::new(days)).unwrap();
    let before = numbers(&world, &id, &format!("&from={}&to={}", at(9), at(3))).await;
    assert_eq!((before["days"].as_array().unwrap().len(), &before["by_source"]), (7, &json!([])));
    assert_eq!(before["redeemed"], 4, "totals are as of now");
    let day =
        |day: NaiveDate| json!({ "day": day.to_string(), "redeemed": 0, "released": 0, "reserved": 0, "published": 0 });
    assert_eq!((&before["days"][0], &before["days"][6]), (&day(at(9)), &day(at(3))));
    let path = format!("/api/campaigns/{id}/statistics");
    for query in [format!("from={today}&to={}", at(1)), format!("from={}", at(3_660)), "from=2027-13-01".to_owned()] {
        let refused = world.get(&format!("{path}?{query}")).await;
        refused.expect(400, "invalid-input");
        assert_eq!(refused.fields(), ["from"], "{query}");
    }
    world.get("/api/campaigns/01935c2e-7b4a-7c31-9f05-5d1a8e6204b7/statistics").await.expect(404, "campaign-missing");
    let table = world.get(&format!("{path}.csv?from={}", at(1))).await;
    let lines: Vec<&str> = table.text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 3, "{table:?}");
    let redeemed: i64 = lines[1..].iter().map(|line| line.split(',').nth(1).unwrap().parse::<i64>().unwrap()).sum();
    assert_eq!(redeemed, 4, "{table:?}");
    world.end().await;
}

#[tokio::test]
async fn the_overview_compares_periods_and_sees_what_ends() {
    let world = World::new().await;
    let now = Clock::system().now();
    let ends = |days: i64| now + TimeDelta::days(days);
    let soon = campaign(&world, json!({ "name": "Soon", "code": "SOON", "ends_at": ends(2) })).await;
    campaign(&world, json!({ "name": "Later", "code": "LATER", "ends_at": ends(8) })).await;
    ok(world.post("/api/campaigns", json!({ "name": "Draft", "code": "DRAFT", "ends_at": ends(1) })).await).await;
    for customer in ["anna", "berta"] {
        ok(world.post("/api/coupons/redeem", json!({ "code": "SOON", "customer": customer })).await).await;
    }
    let position = world.app.log.last_position().await.unwrap();
    let path = format!("/api/statistics?min_position={position}&wait_ms=30000");
    let shown = ok(world.get(&path).await).await;
    let (draft, active) = (&shown["campaigns"]["draft"], &shown["campaigns"]["active"]);
    assert_eq!((draft, active), (&json!(1), &json!(2)), "{shown}");
    assert_eq!(shown["ending_soon"].as_array().unwrap().len(), 1, "{shown}");
    assert_eq!((&shown["ending_soon"][0]["id"], &shown["ending_soon"][0]["redeemed"]), (&json!(soon), &json!(2)));
    assert_eq!(shown["last_7_days"], json!({ "redeemed": 2, "before": 0 }));

    // As if they had happened on other days: a read model is ours to bend.
    for (days, count) in [(1, 1), (6, 10), (7, 100), (13, 1_000), (14, 10_000), (29, 100_000), (59, 1_000_000), (60, 7)]
    {
        sqlx::query("insert into statistics_days values ($1::uuid, current_date - $2::int, 'redeemed', 'test', $3)")
            .bind(&soon)
            .bind(days)
            .bind(i64::from(count))
            .execute(&world.app.pool)
            .await
            .unwrap();
    }
    let shown = ok(world.get(&path).await).await;
    assert_eq!(shown["today"], json!({ "redeemed": 2, "before": 1 }));
    assert_eq!(shown["last_7_days"], json!({ "redeemed": 13, "before": 1_100 }));
    assert_eq!(shown["last_30_days"], json!({ "redeemed": 111_113, "before": 1_000_000 }));
    world.end().await;
}

/// So many codes that nobody knows in one hour, after hours without: somebody guesses.
#[tokio::test]
async fn an_hour_of_guesses_stands_out() {
    let world = World::new().await;
    let spikes = async || {
        let position = world.app.log.last_position().await.unwrap();
        let hours = ok(world.get(&format!("/api/misses/hours?min_position={position}")).await).await;
        let hours = hours["items"].as_array().unwrap().clone();
        let table = world.get("/api/misses/hours.csv").await.text;
        let spikes: Vec<Value> = hours.iter().filter(|hour| hour["spike"] == true).cloned().collect();
        assert_eq!(table.matches(",true").count(), spikes.len(), "{table}");
        spikes
    };
    let guess = async || {
        let answer = world.post("/api/coupons/validate", json!({ "code": "NOPE", "customer": "anna" })).await;
        answer.expect(404, "code-unknown");
    };
    for _ in 0..19 {
        guess().await;
    }
    assert_eq!(spikes().await, Vec::<Value>::new(), "so many happen");
    // If the hour ends meanwhile, one of the two has enough.
    for _ in 0..21 {
        guess().await;
    }
    let spikes = spikes().await;
    assert_eq!(spikes.len(), 1, "{spikes:?}");
    assert!(spikes[0]["misses"].as_i64().unwrap() >= 20, "{spikes:?}");
    assert_eq!(spikes[0]["misses"], spikes[0]["unknown"]);
    world.end().await;
}
