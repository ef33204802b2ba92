//! Tables: every list has one, with all its rows.

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    PersonId, Personal, TelegramUser,
    campaign::{Asked, Command, Redemption, Source, Terms},
    guard, submission,
    subscription::{InvoiceOutcome, stripe_subscription_stream},
};
use chrono::TimeDelta;
use futures_util::future::join_all;
use promostack::{executor::Wish, log::Cause, stripe::inbox::Incoming};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    document::{operations, resolve},
    world::{Answer, Send, World, until},
};

/// More than are read at a time.
const MANY: usize = 1_003;

fn rows(answer: &Answer) -> Vec<BTreeMap<String, String>> {
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "text/csv; charset=utf-8"), "{answer:?}");
    let mut reader = csv::Reader::from_reader(answer.text.as_bytes());
    reader.deserialize().map(Result::unwrap).collect()
}

/// All items of a list, page by page.
async fn items(world: &World, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (vec![], String::new());
    let with = if path.contains('?') { '&' } else { '?' };
    loop {
        let answer = world.get(&format!("{path}{cursor}")).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        items.extend(answer.json["items"].as_array().unwrap().clone());
        let Some(next) = answer.json["next_cursor"].as_str() else { return items };
        cursor = format!("{with}cursor={next}");
    }
}

fn wish<C>(command: C) -> Wish<C> {
    let cause = Cause { actor: "test".into(), correlation: Uuid::from_u128(7), causation: "test".into() };
    Wish { command, cause, once: None, expected: None }
}

#[tokio::test]
async fn tables_go_on_after_a_page_and_say_what_was_said() {
    let world = World::new().await;
    let now = world.app.clock.now();
    let hostile = "=HYPERLINK(\"https://example.com\"), \"Gold\"; wéek";
    let draft = async |n: usize| {
        let name = if n == 0 { hostile.to_owned() } else { format!("No. {n}") };
        let terms = Terms { name, code: None, ..Terms::default() };
        let id = Uuid::from_u128(0x0193_5c2e_7b4a_7c31_9f05_0000_0000_0000 + n as u128);
        world.app.campaigns.send(&id.to_string(), wish(Command::Draft { terms, at: now })).await.unwrap().position
    };
    join_all((0..MANY).map(draft)).await;
    let answer = world.post("/api/campaigns", json!({ "name": "Rush", "code": "RUSH" })).await;
    let id = answer.json["id"].as_str().unwrap().to_owned();
    world.admin("POST", &format!("/api/campaigns/{id}/activate")).await.answer().await;
    let redeem = async |n: usize| {
        let redemption = Redemption { id: world.app.clock.new_id(), telegram: None, source: Source::Api };
        let person = PersonId(Uuid::from_u128(n as u128));
        let asked =
            Asked { person, coupon: None, code: None, reservation: None, spend: None, submission: None, at: now };
        world.app.campaigns.send(&id, wish(Command::Redeem { redemption, asked })).await.unwrap();
    };
    join_all((0..MANY).map(redeem)).await;
    let last = world.app.log.last_position().await.unwrap();
    for list in ["campaigns", "redemptions"] {
        assert_eq!(world.get(&format!("/api/{list}?min_position={last}&wait_ms=30000")).await.status, 200);
    }

    let campaigns = rows(&world.get("/api/campaigns.csv?sort=name").await);
    assert_eq!(campaigns.len(), MANY + 1);
    let names: BTreeSet<&str> = campaigns.iter().map(|row| row["name"].as_str()).collect();
    assert_eq!(names.len(), MANY + 1, "each once");
    assert!(names.contains(format!("'{hostile}").as_str()), "no spreadsheet runs it: {:?}", campaigns[0]);
    let one = rows(&world.get("/api/campaigns.csv?code=rush").await);
    assert_eq!((one.len(), one[0]["redeemed"].as_str()), (1, "1003"));

    let redemptions = rows(&world.get(&format!("/api/campaigns/{id}/redemptions.csv?order=asc")).await);
    let numbers: Vec<usize> = redemptions.iter().map(|row| row["number"].parse().unwrap()).collect();
    assert_eq!(numbers, (1..=MANY).collect::<Vec<_>>(), "in order, none twice, none left out");
    let all = rows(&world.get(&format!("/api/redemptions.csv?person={}", Uuid::from_u128(5))).await);
    assert_eq!((all.len(), all[0]["campaign_id"].as_str()), (1, id.as_str()));

    let events = rows(&world.get("/api/events.csv?type=Redeemed").await);
    assert_eq!(events.len(), MANY);
    for event in &events {
        let payload: Value = serde_json::from_str(&event["payload"]).unwrap();
        assert!(payload["Redeemed"]["number"].is_u64(), "{event:?}");
    }
    let newest = rows(&world.get("/api/events.csv?order=desc").await);
    assert_eq!((newest.len() as i64, newest[0]["position"].parse::<i64>().unwrap()), (last, last));
    world.end().await;
}

/// A payment that failed, an event of Stripe's that nobody needs, and a comparison that found something.
async fn some_that_stripe_and_telegram_say(world: &World) {
    let (app, now) = (&world.app, world.app.clock.now());
    let late = stripe_subscription_stream("sub_late").to_string();
    let failed = crate::members::invoice("late", "in_late_again", InvoiceOutcome::PaymentFailed, now);
    crate::members::send(&app.subscriptions, &late, failed).await;
    let event = json!({ "id": "evt_1", "object": "event", "type": "=customer.created", "created": now.timestamp(),
                        "data": { "object": { "id": "cus_1", "object": "customer" } } });
    let incoming = Incoming { body: event.to_string().into(), received_at: now, correlation: app.clock.new_id() };
    app.stripe_inbox.keep(incoming).await.unwrap();
    // The last one: another is made when the process starts.
    let run = app.clock.new_id();
    let runs = "insert into drift_runs (id, repair, started_at, finished_at) values ($1, false, $2, $2)";
    sqlx::query(runs).bind(run).bind(now + TimeDelta::hours(1)).execute(&app.pool).await.unwrap();
    let found = "insert into drift_found (run, number, kind, channel, telegram_id, detail, repaired) \
                 values ($1, 1, 'out_and_may_be_in', -7, 501, '=is not in', false), \
                        ($1, 2, 'strangers', -7, null, 'about 7 of 9', false)";
    sqlx::query(found).bind(run).execute(&app.pool).await.unwrap();
}

/// What there is of everything.
async fn some_of_each(world: &World) -> String {
    let made = world.post("/api/campaigns", json!({ "name": "Partners" })).await;
    let id = made.json["id"].as_str().unwrap().to_owned();
    world.admin("POST", &format!("/api/campaigns/{id}/activate")).await.answer().await;
    let post = async |path: String, body: Value| {
        let answer = world.post(&path, body).await;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        answer.json
    };
    for _ in 0..2 {
        post(format!("/api/campaigns/{id}/batches"), json!({ "count": 5 })).await;
    }
    for n in 0..3 {
        let body = json!({ "customer": format!("c{n}"), "source_id": format!("order-{n}") });
        let code = post(format!("/api/campaigns/{id}/publish"), body).await["code"].clone();
        let using = json!({ "code": code, "customer": format!("c{n}") });
        if n == 0 {
            post("/api/coupons/redeem".to_owned(), using).await;
        } else {
            post(
                "/api/coupons/reserve".to_owned(),
                json!({ "code": code, "customer": format!("c{n}"), "seconds": 600 }),
            )
            .await;
        }
    }
    let person = PersonId(Uuid::from_u128(0x5d1a_8e62_04b7_8c31_9f05_0193_5c2e_7b4a));
    for _ in 0..5 {
        let miss = guard::Command::Miss {
            miss: guard::Miss::Unknown,
            campaign: None,
            source: Source::Bot,
            at: world.app.clock.now(),
        };
        world.app.guards.send(&person.to_string(), wish(miss)).await.unwrap();
    }
    let submitted = submission::Submitted {
        campaign: id.parse().unwrap(),
        person,
        telegram: Personal::new(TelegramUser { id: 7, name: Some("=Anna".to_owned()), language: None }),
        coupon: None,
        answers: Personal::new(vec![submission::Answer { question: "Which?".to_owned(), answer: "=Acme".to_owned() }]),
    };
    let submit = submission::Command::Submit { submitted, at: world.app.clock.now() };
    world.app.submissions.send(&world.app.clock.new_id().to_string(), wish(submit)).await.unwrap();
    crate::templates::uploaded(world).await;
    crate::members::some_of_all(&world.app).await;
    crate::signals_support::some_of_all(&world.app).await;
    some_that_stripe_and_telegram_say(world).await;
    crate::webhook::say(world, 1, 501, "/start").await;
    until(async || !world.get("/api/bot-users").await.json["items"].as_array().unwrap().is_empty()).await;
    world.key("reporting", &["campaigns:read"]).await;
    // The reply to them finds nobody; it is left alone from then on.
    until(async || {
        let left = sqlx::query(
            "update jobs set dead_at = now() \
              where kind = 'telegram_message' and last_error is not null and locked_until is null and dead_at is null",
        );
        left.execute(&world.app.pool).await.unwrap().rows_affected() == 1
    })
    .await;
    let last = world.app.log.last_position().await.unwrap();
    let publications = format!("campaigns/{id}/publications");
    let lists = ["campaigns", "redemptions", "bot-users", "misses", "submissions", "templates", &publications];
    for list in lists.into_iter().chain([
        "plans",
        "telegram-subscriptions",
        "telegram/members",
        "telegram/revenue-metrics",
        "forex-signals",
    ]) {
        assert_eq!(world.get(&format!("/api/{list}?min_position={last}&wait_ms=30000")).await.status, 200);
    }
    id
}

#[tokio::test]
async fn every_list_has_its_table() {
    let world = World::new().await;
    let id = some_of_each(&world).await;
    let broadcast = world.post("/api/broadcast", json!({ "text": "=Gold", "draft": true })).await;
    let broadcast_id = broadcast.json["id"].as_str().unwrap().to_owned();
    let seen = world.get(&format!("/api/broadcasts?wait_ms=30000&min_position={}", broadcast.json["position"])).await;
    assert_eq!(seen.status, 200);
    let document = world.plain("GET", "/api/openapi.json").answer().await.json;
    let all = operations(&document);
    let mut compared = vec![];
    for (_, path, operation) in all.iter().filter(|(method, ..)| method == "GET") {
        let schema = resolve(&document, &operation["responses"]["200"]["content"]["application/json"]["schema"]);
        let schema = if schema.is_null() {
            resolve(&document, &operation["responses"]["200"]["content"]["application/json; charset=utf-8"]["schema"])
        } else {
            schema
        };
        if schema["properties"].get("items").is_none() {
            continue;
        }
        let table = format!("{path}.csv");
        let twin = all.iter().find(|(method, path, _)| method == "GET" && *path == table);
        let (_, _, twin) = twin.unwrap_or_else(|| panic!("{path} has no table"));
        let names = |operation: &Value| -> BTreeSet<String> {
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            parameters.iter().map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect()
        };
        let mut filters = names(operation);
        for of_pages in ["limit", "cursor", "min_position", "wait_ms"] {
            filters.remove(of_pages);
        }
        assert_eq!(names(twin), filters, "{table} has the filters of its list");
        assert_eq!(twin["x-needs"], operation["x-needs"], "{table} is for whoever may see the list");
        let id = if path.starts_with("/api/broadcasts") { &broadcast_id } else { &id };
        let path = path.replace("{id}", id);
        // Jobs are tried again meanwhile: theirs must be the same list before the table and after.
        let mut listed = items(&world, &path).await;
        let rows = loop {
            let rows = rows(&world.get(&format!("{path}.csv")).await);
            let before = std::mem::replace(&mut listed, items(&world, &path).await);
            if before == listed || path != "/api/jobs" {
                break rows;
            }
        };
        assert_eq!(rows.len(), listed.len(), "{path}");
        for (row, item) in rows.iter().zip(&listed) {
            // What is text is the same text; feeds never rest, and instants have a form of their own.
            for (name, shown) in row.keys().filter_map(|name| Some((name, item.get(name)?.as_str()?))) {
                let time = |text: &str| chrono::DateTime::parse_from_rfc3339(text).ok();
                let same = row[name] == shown
                    || row[name] == format!("'{shown}")
                    || time(shown).is_some_and(|shown| time(&row[name]) == Some(shown));
                assert!(same || name == "last_used_at", "{path} {name}: {row:?} {item}");
            }
        }
        compared.push((path, rows.len()));
    }
    let empty: Vec<_> = compared.iter().filter(|(_, rows)| *rows == 0).map(|(path, _)| path.as_str()).collect();
    assert_eq!(empty, [format!("/api/broadcasts/{broadcast_id}/recipients")], "{compared:?}");
    assert!(compared.len() >= 24, "{compared:?}");
    world.end().await;
}
