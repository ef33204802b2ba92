//! What subscriptions earn, beside the books of a year that were kept without this
//! program: see `tests/data/ledger/make.py`.

use std::collections::BTreeMap;

use aggregates::{
    campaign::Currency,
    plan::{Every, Interval},
    subscription::{
        Command, Contract, Discount, DisputeFacts, DisputeStatus, InvoiceFacts, InvoiceOutcome, Item, Observation,
        Period, RefundFacts, Seen, Settings, StripeIds, StripeStatus, stripe_subscription_stream,
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream};
use promostack::{app::Role, clock::Clock, executor::Wish, log::Cause, stripe::sync};
use serde_json::{Value, json};

use crate::{
    database::Database,
    stripe_support::{self, Stripe},
    world::{Send, World, until, variables},
};

const HISTORY: &str = include_str!("../data/ledger/history.jsonl");
const EXPECTED: &str = include_str!("../data/ledger/expected.json");

fn instant(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

fn maybe(value: &Value) -> Option<DateTime<Utc>> {
    value.as_str().map(|text| text.parse().unwrap())
}

fn currency(value: &Value) -> Currency {
    Currency::new(value.as_str().unwrap()).unwrap()
}

/// The price list, and what Stripe told, in the order in which it happened.
fn history() -> (Value, Vec<Value>) {
    let mut lines = HISTORY.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let prices = lines.next().unwrap()["prices"].clone();
    (prices, lines.collect())
}

/// The stream a fact is of.
fn subscription(fact: &Value) -> String {
    stripe_subscription_stream(fact["s"].as_str().unwrap()).to_string()
}

fn command(fact: &Value, prices: &Value, at: DateTime<Utc>) -> Command {
    let text = |name: &str| fact[name].as_str().unwrap().to_owned();
    let number = |name: &str| fact[name].as_i64().unwrap_or_default();
    let (happened, settings) = (instant(&fact["t"]), Settings::default());
    let stripe = StripeIds { subscription: text("s"), customer: Some(text("c")) };
    match text("k").as_str() {
        "say" => {
            let seen = Seen::Carried { created: happened, event: text("e") };
            let contract = contract(fact, prices);
            let observation = Observation { stripe, contract, email: None, account: None, seen };
            Command::Observe { observation: Box::new(observation), settings, at }
        }
        kind @ ("paid" | "failed") => {
            let invoice = InvoiceFacts {
                id: text("id"),
                paid_minor: number("paid"),
                due_minor: number("due"),
                tax_minor: number("tax"),
                currency: currency(&fact["cur"]),
                billing_reason: None,
                attempts: u32::try_from(number("n")).unwrap(),
                next_attempt_at: maybe(&fact["next"]),
                hosted_url: None,
                period: None,
                created: instant(&fact["made"]),
                at: Some(happened),
            };
            let outcome = if kind == "paid" { InvoiceOutcome::Paid } else { InvoiceOutcome::PaymentFailed };
            Command::Invoice { stripe, invoice: Box::new(invoice), outcome, at }
        }
        "refund" => {
            let refund = RefundFacts {
                charge: text("id"),
                charged_minor: number("of"),
                charged_at: instant(&fact["made"]),
                refunded_minor: number("total"),
                currency: currency(&fact["cur"]),
                at: happened,
            };
            Command::Refund { stripe, refund: Box::new(refund), settings, at }
        }
        "dispute" => {
            let status = match text("st").as_str() {
                "opened" => DisputeStatus::Opened,
                "won" => DisputeStatus::Won,
                _ => DisputeStatus::Lost,
            };
            let dispute = DisputeFacts {
                dispute: text("id"),
                charge: format!("ch_{}", text("id")),
                amount_minor: number("amount"),
                currency: currency(&fact["cur"]),
                status,
                at: happened,
            };
            Command::Dispute { stripe, dispute: Box::new(dispute), settings, at }
        }
        unknown => panic!("{unknown}"),
    }
}

fn contract(fact: &Value, prices: &Value) -> Contract {
    let item = |item: &Value| {
        let name = item[0].as_str().unwrap();
        let price = &prices[name];
        let interval = match price["interval"].as_str().unwrap() {
            "day" => Interval::Day,
            "week" => Interval::Week,
            "month" => Interval::Month,
            _ => Interval::Year,
        };
        Item {
            price: name.to_owned(),
            product: None,
            unit_minor: price["minor"].as_i64(),
            currency: currency(&price["currency"]),
            every: Every { count: u16::try_from(price["count"].as_u64().unwrap()).unwrap(), interval },
            quantity: item[1].as_u64().unwrap(),
            metered: price["metered"] == true,
        }
    };
    let discount = |discount: &Value| match discount["percent"].as_u64() {
        Some(points) => Discount::Percent { basis_points: u16::try_from(points).unwrap() },
        None => Discount::Amount {
            minor: discount["amount"][0].as_i64().unwrap(),
            currency: currency(&discount["amount"][1]),
        },
    };
    let period = maybe(&fact["period"][0]).zip(maybe(&fact["period"][1])).map(|(start, end)| Period { start, end });
    Contract {
        status: StripeStatus::of(fact["st"].as_str().unwrap()),
        livemode: true,
        started_at: instant(&fact["start"]),
        period,
        cancel_at_period_end: fact["stops"] == true,
        cancel_at: None,
        canceled_at: maybe(&fact["canceled"]),
        ended_at: maybe(&fact["ended"]),
        trial_end: maybe(&fact["trial"]),
        cancellation: None,
        items: fact["items"].as_array().unwrap().iter().map(item).collect(),
        discounts: fact["off"].as_array().into_iter().flatten().map(discount).collect(),
        plan: None,
    }
}

/// Sends wishes to the log, those of one subscription one after the other; answers the last position.
async fn live(world: &World, wishes: impl IntoIterator<Item = (String, Command)>) -> i64 {
    let mut streams: BTreeMap<String, Vec<Command>> = BTreeMap::new();
    for (id, command) in wishes {
        streams.entry(id).or_default().push(command);
    }
    let one_by_one = async |(id, commands): (String, Vec<Command>)| {
        for command in commands {
            let clock = &world.app.clock;
            let cause = Cause { actor: "test".into(), correlation: clock.new_id(), causation: "test".into() };
            let wish = Wish { command, cause, once: None, expected: None };
            world.app.subscriptions.send(&id, wish).await.unwrap();
        }
    };
    stream::iter(streams).for_each_concurrent(16, one_by_one).await;
    world.app.log.last_position().await.unwrap()
}

/// Whether two figures are the same: whole numbers and texts exactly, rates to the twelfth place, and what is missing is null.
fn same(shown: &Value, expected: &Value) -> bool {
    match (shown, expected) {
        (Value::Object(shown), Value::Object(expected)) => {
            let names = shown.keys().chain(expected.keys());
            names
                .into_iter()
                .all(|name| same(shown.get(name).unwrap_or(&Value::Null), expected.get(name).unwrap_or(&Value::Null)))
        }
        (Value::Array(shown), Value::Array(expected)) => {
            shown.len() == expected.len() && shown.iter().zip(expected).all(|(shown, expected)| same(shown, expected))
        }
        (Value::Number(one), Value::Number(other)) if one.is_f64() || other.is_f64() => {
            (one.as_f64().unwrap() - other.as_f64().unwrap()).abs() < 1e-12
        }
        (Value::String(one), Value::String(other)) => {
            one == other || maybe_instant(one).is_some_and(|one| maybe_instant(other) == Some(one))
        }
        (shown, expected) => shown == expected,
    }
}

fn maybe_instant(text: &str) -> Option<DateTime<Utc>> {
    text.parse().ok()
}

/// Whether nothing is in it but noughts.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.values().all(is_nothing),
        Value::Array(items) => items.iter().all(is_nothing),
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Null | Value::String(_) => true,
        Value::Bool(_) => false,
    }
}

fn query(time_zone: &str) -> String {
    time_zone.replace('/', "%2F")
}

/// Every figure of every moment is as in the books.
async fn compare(world: &World, position: i64) {
    let expected: Value = serde_json::from_str(EXPECTED).unwrap();
    assert!(expected["subscriptions"].as_i64().unwrap() >= 200);
    for moment in expected["moments"].as_array().unwrap() {
        let (at, zone) = (moment["at"].as_str().unwrap(), moment["time_zone"].as_str().unwrap());
        let path = format!(
            "/api/telegram/revenue-metrics?at={at}&time_zone={}&min_position={position}&wait_ms=30000",
            query(zone)
        );
        let answer = world.get(&path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let shown: BTreeMap<&str, &Value> = answer.json["currencies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|figures| (figures["currency"].as_str().unwrap(), figures))
            .collect();
        for (currency, books) in moment["currencies"].as_object().unwrap() {
            let Some(shown) = shown.get(currency.as_str()) else {
                assert!(is_nothing(books), "{at} {currency} is not shown: {books:#}");
                continue;
            };
            for (name, value) in books.as_object().unwrap() {
                if let Some(months) = value.as_array() {
                    for (month, expected) in shown["months"].as_array().unwrap().iter().zip(months) {
                        assert!(same(month, expected), "{at} {currency}\nshown: {month:#}\nbooks: {expected:#}");
                        let sum = ["start", "new", "reactivation", "expansion", "contraction", "churn", "rounding"];
                        let sum: i64 = sum.iter().map(|name| month[format!("{name}_minor")].as_i64().unwrap()).sum();
                        assert_eq!(sum, month["end_minor"].as_i64().unwrap(), "{month:#}");
                    }
                }
                let shown = shown.get(name).unwrap_or(&Value::Null);
                assert!(same(shown, value), "{at} {currency} {name}\nshown: {shown:#}\nbooks: {value:#}");
            }
        }
        assert!(shown.keys().all(|currency| moment["currencies"].get(currency).is_some()));
        compare_queue(world, moment).await;
    }
}

/// What could not be collected, page by page.
async fn compare_queue(world: &World, moment: &Value) {
    let at = moment["at"].as_str().unwrap();
    let (mut items, mut cursor) = (vec![], String::new());
    loop {
        let path = format!("/api/telegram/revenue-metrics/failed-payments?at={at}&limit=2{cursor}");
        let page = world.get(&path).await;
        assert_eq!(page.status, 200, "{page:?}");
        items.extend(page.json["items"].as_array().unwrap().clone());
        match page.json["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    for item in &mut items {
        let id = item.as_object_mut().unwrap().remove("subscription_id").unwrap();
        let subscription = item["subscription"].as_str().unwrap();
        assert_eq!(id, json!(stripe_subscription_stream(subscription).to_string()));
    }
    let shown = Value::Array(items);
    assert!(same(&shown, &moment["failed_payments"]), "{at}\n{shown:#}\n{:#}", moment["failed_payments"]);
    let table = world.get(&format!("/api/telegram/revenue-metrics/failed-payments.csv?at={at}")).await;
    assert_eq!(table.text.lines().count(), 1 + shown.as_array().unwrap().len());
}

#[tokio::test]
async fn a_year_comes_to_what_the_books_say() {
    let world = World::new().await;
    let (prices, facts) = history();
    let soon = |fact: &Value| instant(&fact["t"]) + TimeDelta::seconds(5);
    let wishes = facts.iter().map(|fact| (subscription(fact), command(fact, &prices, soon(fact))));
    let position = live(&world, wishes).await;
    compare(&world, position).await;

    // The table says the same as the months.
    let query = "at=2025-12-31T23:59:59Z&from=2025-03&to=2025-05&currency=jpy";
    let shown = world.get(&format!("/api/telegram/revenue-metrics?{query}")).await.json;
    let table = world.get(&format!("/api/telegram/revenue-metrics.csv?{query}")).await;
    let mut table = csv::Reader::from_reader(table.text.as_bytes());
    let names = table.headers().unwrap().clone();
    let rows: Vec<_> = table.records().map(Result::unwrap).collect();
    let months = shown["currencies"][0]["months"].as_array().unwrap();
    assert_eq!((rows.len(), months.len(), months[0]["month"].as_str()), (3, 3, Some("2025-03")));
    for (row, month) in rows.iter().zip(months) {
        for (name, cell) in names.iter().zip(row) {
            let told = if name == "currency" { &json!("JPY") } else { &month[name] };
            assert_eq!(told.as_str().map_or_else(|| told.to_string(), str::to_owned), cell, "{name}");
        }
    }
    world.end().await;
}

/// What Stripe tells may come in any order, and months later: the past is the same.
#[tokio::test]
async fn the_order_of_the_news_does_not_matter() {
    let world = World::new().await;
    let (prices, facts) = history();
    // An order that looks random and is always the same.
    let mut facts: Vec<_> = facts.into_iter().enumerate().collect();
    facts.sort_by_key(|(place, _)| (*place as u64 ^ 0x5bd1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let late = instant(&json!("2026-07-01T00:00:00Z"));
    let mut commands: Vec<_> =
        facts.iter().map(|(_, fact)| (subscription(fact), command(fact, &prices, late))).collect();
    // And every seventh twice.
    let again: Vec<_> = commands.iter().step_by(7).cloned().collect();
    commands.extend(again);
    let position = live(&world, commands).await;
    compare(&world, position).await;
    world.end().await;
}

/// Everything is asked of Stripe weeks after it happened, and at once: it counts when it happened.
#[tokio::test]
async fn what_was_fetched_late_counts_when_it_happened() {
    let database = Database::fresh().await;
    promostack::app::MIGRATIONS.run(&database.pool()).await.unwrap();
    let now = Clock::system().now();
    let ago = |hours: i64| now - TimeDelta::hours(hours);
    let clock = Clock::fixed(ago(480));
    let stripe = Stripe::serve_at(database.pool(), clock.clone()).await;
    let mut variables = variables();
    variables.extend([("STRIPE_SECRET_KEY", stripe_support::KEY.to_owned()), ("STRIPE_API_URL", stripe.url.clone())]);

    let (silver, gold, diamond) = (stripe.price(4_900).await, stripe.price(9_900).await, stripe.price(19_900).await);
    let subscription = stripe.buy(&silver, 9_001, "ann@example.com").await;
    let change = async |hours: i64, price: &str| {
        clock.set(ago(hours));
        stripe.call(&format!("subscriptions/{subscription}"), &[("items[0][price]", price)]).await;
    };
    change(400, &gold).await;
    change(399, &diamond).await;
    change(350, &gold).await;
    // A renewal that fails twice, and is paid then.
    clock.set(ago(300));
    stripe.act(&format!("subscriptions/{subscription}/fail_next"), json!({})).await;
    stripe.act(&format!("subscriptions/{subscription}/advance"), json!({})).await;
    let invoice = stripe.last_invoice(&subscription).await;
    clock.set(ago(250));
    stripe.act(&format!("invoices/{invoice}/pay"), json!({ "fails": true })).await;
    clock.set(ago(200));
    stripe.act(&format!("invoices/{invoice}/pay"), json!({})).await;
    // Two parts go back of it.
    let charges = stripe.get("v1/charges").await;
    let charge = charges["data"].as_array().unwrap().iter().find(|charge| charge["status"] == "succeeded").unwrap();
    let refund = format!("charges/{}/refund", charge["id"].as_str().unwrap());
    clock.set(ago(150));
    stripe.act(&refund, json!({ "amount": 1_000 })).await;
    clock.set(ago(100));
    stripe.act(&refund, json!({ "amount": 500 })).await;
    clock.set(ago(50));
    stripe.call_method("DELETE", &format!("subscriptions/{subscription}")).await;

    // The timer has it all at its first look.
    let world = World::with(database, &variables, Role::All).await;
    sync::sync(&world.app, false, |_| {}).await.unwrap();
    until(async || {
        let left: i64 = sqlx::query_scalar("select count(*) from stripe_events where worked_at is null")
            .fetch_one(&world.app.pool)
            .await
            .unwrap();
        left == 0
    })
    .await;
    let position = world.app.log.last_position().await.unwrap();
    let at = async |hours: i64| {
        let at = ago(hours).format("%Y-%m-%dT%H:%M:%SZ");
        let path = format!("/api/telegram/revenue-metrics?at={at}&min_position={position}&wait_ms=30000");
        let shown = world.get(&path).await;
        assert_eq!(shown.status, 200, "{shown:?}");
        shown.json["currencies"][0].clone()
    };
    for (hours, mrr) in [(479, 4_900), (401, 4_900), (398, 19_900), (351, 19_900), (349, 9_900), (51, 9_900), (49, 0)] {
        assert_eq!(at(hours).await["mrr_minor"], mrr, "{hours} hours ago");
    }
    for (hours, open) in [(301, 0), (299, 1), (201, 1), (199, 0)] {
        assert_eq!(at(hours).await["failed_payments"]["invoices"], open, "{hours} hours ago");
    }
    let failed = async |hours: i64| {
        let at = ago(hours).format("%Y-%m-%dT%H:%M:%SZ");
        world.get(&format!("/api/telegram/revenue-metrics/failed-payments?at={at}")).await.json["items"][0].clone()
    };
    let second = |hours: i64| DateTime::from_timestamp(ago(hours).timestamp(), 0).unwrap();
    let (first, both) = (failed(299).await, failed(249).await);
    assert_eq!((first["attempts"].as_i64(), maybe(&first["failed_at"])), (Some(1), Some(second(300))), "{first}");
    assert_eq!((both["attempts"].as_i64(), maybe(&both["failed_at"])), (Some(2), Some(second(250))), "{both}");
    let refunded = |figures: Value| -> i64 {
        let months = figures["months"].as_array().unwrap().iter();
        months.map(|month| month["refunded_minor"].as_i64().unwrap()).sum()
    };
    for (hours, minor) in [(151, 0), (149, 1_000), (101, 1_000), (99, 1_500)] {
        assert_eq!(refunded(at(hours).await), minor, "{hours} hours ago");
    }
    world.end().await;
}

#[tokio::test]
async fn what_cannot_be_understood_is_named() {
    let world = World::new().await;
    let path = "/api/telegram/revenue-metrics";
    for (query, field) in [
        ("time_zone=Europe%2FNowhere", "time_zone"),
        ("time_zone=Foo%2F5", "time_zone"),
        ("time_zone=Mars", "time_zone"),
        ("time_zone=a%00b%2Fc", "time_zone"),
        ("currency=euro", "currency"),
        ("from=2025-13", "from"),
        ("from=2025-1", "from"),
        ("to=soon", "to"),
        ("from=2025-05&to=2025-04", "from"),
        ("from=2025-05&at=2025-04-30T00:00:00Z", "from"),
        ("from=2000-01&to=2025-04", "from"),
        ("to=2025-05&at=2025-04-30T00:00:00Z", "to"),
        ("at=2999-01-01T00:00:00Z", "at"),
        ("at=yesterday", "at"),
    ] {
        let answer = world.get(&format!("{path}?{query}")).await;
        answer.expect(400, "invalid-input");
        assert_eq!(answer.fields(), [field], "{query}");
    }
    let answer = world.get(&format!("{path}/failed-payments?cursor=x")).await;
    assert_eq!((answer.status.as_u16(), answer.fields()), (400, vec!["cursor"]));
    for zone in ["Etc%2FGMT%2B5", "CET", "America%2FArgentina%2FBuenos_Aires"] {
        let answer = world.get(&format!("{path}?time_zone={zone}")).await;
        assert_eq!((answer.status.as_u16(), &answer.json["currencies"]), (200, &json!([])), "{answer:?}");
    }

    // A key needs the scope.
    for (scope, status) in [("campaigns:read", 403), ("subscriptions:read", 200)] {
        let key = world.key(&scope.replace(':', "-"), &[scope]).await;
        for path in [path, "/api/telegram/revenue-metrics/failed-payments"] {
            let answer = world.plain("GET", path).header("x-api-key", &key).answer().await;
            assert_eq!(answer.status.as_u16(), status, "{scope} {path}");
        }
    }
    world.end().await;
}
