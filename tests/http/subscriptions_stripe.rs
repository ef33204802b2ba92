//! What is asked of Stripe: its portal, refunds, and what it never told.

use aggregates::subscription::stripe_subscription_stream;
use chrono::TimeDelta;
use promostack::{app::Role, clock::Clock, membership::pay};
use serde_json::{Value, json};

use crate::{
    database::Database,
    members::{CHANNEL, grant, send},
    stripe_support::{self, Stripe},
    subscriptions::{check, new_id},
    world::{Send, World, until, variables},
};

/// A world with a Stripe, which tells it nothing by itself: what it is to know, it is told here.
async fn with_stripe(clock: Clock) -> (World, Stripe) {
    let database = Database::fresh().await;
    promostack::app::MIGRATIONS.run(&database.pool()).await.unwrap();
    // Only what is asked for in a test is taken in.
    sqlx::query("insert into timers (name, next_at) values ('stripe', now() + interval '1 day')")
        .execute(&database.pool())
        .await
        .unwrap();
    let stripe = Stripe::serve(database.pool()).await;
    let mut variables = variables();
    variables.extend([
        ("STRIPE_SECRET_KEY", stripe_support::KEY.to_owned()),
        ("STRIPE_API_URL", stripe.url.clone()),
        ("PUBLIC_URL", "https://vip.example.com/shop/".to_owned()),
    ]);
    (World::at(database, &variables, Role::All, clock).await, stripe)
}

async fn catch_up(world: &World) {
    promostack::stripe::sync::sync(&world.app, false, |_| {}).await.unwrap();
    until(async || {
        // There is no Telegram in these worlds.
        let query = "select count(*) from jobs where dead_at is null and kind <> 'telegram_message'";
        let left: i64 = sqlx::query_scalar(query).fetch_one(&world.app.pool).await.unwrap();
        left == 0
    })
    .await;
}

/// The way to the portal that messages show lasts, and is good for nobody who made it up.
#[tokio::test]
async fn the_way_to_the_portal_lasts_for_a_month() {
    let began = Clock::system().now();
    let clock = Clock::fixed(began);
    let (world, stripe) = with_stripe(clock.clone()).await;
    let price = stripe.price(4_900).await;
    let bought = stripe.buy(&price, 9_001, "ann@example.com").await;
    catch_up(&world).await;
    let id = stripe_subscription_stream(&bought);
    let subscription = world.app.subscriptions.look(&id.to_string(), |known, _, _| known.clone()).await.unwrap();
    let place = pay::place(&world.app, id, &subscription).await.unwrap().unwrap();
    let path = place.as_str().strip_prefix("https://vip.example.com/shop").unwrap().to_owned();

    let mut sessions = vec![];
    for _ in 0..2 {
        clock.set(clock.now() + TimeDelta::days(14));
        let answer = world.plain("GET", &path).answer().await;
        assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (303, "no-store"), "{answer:?}");
        sessions.push(answer.header("location").to_owned());
    }
    assert!(sessions.iter().all(|url| url.starts_with(&format!("{}/portal/", stripe.url))), "{sessions:?}");
    assert_ne!(sessions[0], sessions[1], "each has a session of their own");

    let (rest, word) = path.rsplit_once('-').unwrap();
    let other = stripe_subscription_stream("sub_other").simple().to_string();
    let forged = path.replace(&id.simple().to_string(), &other);
    let later = format!("{}-{}-{word}", rest.rsplit_once('-').unwrap().0, 4_000_000_000_i64);
    for wrong in [forged, later, rest.to_owned(), "/api/stripe/portal/x".to_owned()] {
        world.plain("GET", &wrong).answer().await.expect(404, "portal-missing");
    }
    clock.set(clock.now() + TimeDelta::days(3));
    world.plain("GET", &path).answer().await.expect(404, "portal-missing");

    // A payment is late: the way leads to what is to be paid.
    clock.set(began);
    stripe.act(&format!("subscriptions/{bought}/fail_next"), json!({})).await;
    stripe.act(&format!("subscriptions/{bought}/advance"), json!({})).await;
    catch_up(&world).await;
    let subscription = world.app.subscriptions.look(&id.to_string(), |known, _, _| known.clone()).await.unwrap();
    let place = pay::place(&world.app, id, &subscription).await.unwrap().unwrap();
    let invoice = stripe.last_invoice(&bought).await;
    assert_eq!(place.as_str(), format!("https://invoice.stripe.com/i/sandbox/{invoice}"));
    stripe.act(&format!("invoices/{invoice}/pay"), json!({})).await;
    catch_up(&world).await;
    let subscription = world.app.subscriptions.look(&id.to_string(), |known, _, _| known.clone()).await.unwrap();
    assert_eq!(subscription.payable(), None);
    world.end().await;
}

/// Money goes back once for each key, whatever it is named by.
#[tokio::test]
async fn money_goes_back_when_it_is_asked_for() {
    let (world, stripe) = with_stripe(Clock::system()).await;
    let price = stripe.price(4_900).await;
    let bought = stripe.buy(&price, 9_001, "ann@example.com").await;
    catch_up(&world).await;
    let id = stripe_subscription_stream(&bought);
    let invoice = stripe.last_invoice(&bought).await;
    let charge = stripe.get("v1/charges").await["data"][0].clone();
    let (charge, payment) = (charge["id"].as_str().unwrap(), charge["payment_intent"].as_str().unwrap());
    let refund = async |key: &str, mut body: Value| {
        body["reason"] = json!("a kindness");
        let request = world.admin("POST", "/api/telegram/refund").await.header("idempotency-key", key);
        request.json(&body).answer().await
    };
    let back = async || stripe.get(&format!("v1/charges/{charge}")).await["amount_refunded"].as_i64().unwrap();
    for (key, body, total) in [
        ("a", json!({ "subscription_id": id, "amount_minor": 1_000 }), 1_000),
        ("a", json!({ "subscription_id": id, "amount_minor": 1_000 }), 1_000),
        ("b", json!({ "invoice": invoice, "amount_minor": 500 }), 1_500),
        ("c", json!({ "payment": payment, "amount_minor": 400 }), 1_900),
        ("d", json!({ "payment": charge }), 4_900),
    ] {
        let answer = refund(key, body.clone()).await;
        assert_eq!(answer.status, 200, "{body} {answer:?}");
        assert_eq!(answer.json["id"], id.to_string());
        assert_eq!(answer.json["events"], json!(["RefundRequested"]));
        until(async || back().await == total).await;
        // Its events come, too.
        catch_up(&world).await;
        assert_eq!(back().await, total, "{key}: {body}");
    }
    // All of it is back: access follows, and more is not to be had.
    let answer = refund("e", json!({ "invoice": invoice })).await;
    until(async || {
        let failed: i64 = sqlx::query_scalar("select count(*) from events where event_type = 'RefundFailed'")
            .fetch_one(&world.app.pool)
            .await
            .unwrap();
        failed == 1
    })
    .await;
    let last = world.app.log.last_position().await.unwrap();
    assert!(last > answer.json["position"].as_i64().unwrap());
    assert_eq!(check(&world, "ann@example.com", last).await["rule"], "refunded");
    let told: i64 = sqlx::query_scalar("select count(*) from events where event_type = 'Refunded'")
        .fetch_one(&world.app.pool)
        .await
        .unwrap();
    assert_eq!(told, 4, "each once, though its event comes, too");

    refund("f", json!({ "invoice": "in_none" })).await.expect(404, "payment-missing");
    refund("g", json!({ "subscription_id": new_id(9) })).await.expect(404, "subscription-missing");
    let given = grant("bob@example.com", None, None, world.app.clock.now());
    let given = send(&world.app.subscriptions, &new_id(3), given).await;
    refund("h", json!({ "subscription_id": given.id })).await.expect(409, "not-at-stripe");
    for (body, field) in [
        (json!({}), "subscription_id"),
        (json!({ "invoice": invoice, "payment": payment }), "subscription_id"),
        (json!({ "invoice": "sub_1" }), "invoice"),
        (json!({ "payment": payment, "amount_minor": 0 }), "amount_minor"),
    ] {
        let answer = refund("i", body).await;
        assert_eq!((answer.status.as_u16(), answer.fields()[0]), (400, field), "{answer:?}");
    }
    let key = world.key("reader", &["subscriptions:read"]).await;
    let request = world.plain("POST", "/api/telegram/refund").header("x-api-key", &key);
    request.json(&json!({ "invoice": invoice, "reason": "x" })).answer().await.expect(403, "scope-missing");
    world.end().await;
}

/// Who bought before the plan was defined has it as soon as it is; so has who bought it, when it is called
/// otherwise.
#[tokio::test]
async fn a_plan_that_is_defined_late_is_everybodys_at_once() {
    let (world, stripe) = with_stripe(Clock::system()).await;
    let price = stripe.price(4_900).await;
    let bought = stripe.buy(&price, 9_001, "ann@example.com").await;
    stripe.buy(&stripe.price(900).await, 9_002, "bob@example.com").await;
    catch_up(&world).await;
    let id = stripe_subscription_stream(&bought).to_string();
    let plan_of = async |id: &str| {
        let looked = world.app.subscriptions.look(id, |known, _, _| known.party().plan.map(|plan| plan.name));
        looked.await.unwrap()
    };
    assert_eq!(plan_of(&id).await, None);
    let draft = json!({ "name": "VIP", "interval": "month", "channel": CHANNEL, "prices": [price] });
    let made = world.post("/api/plans", draft).await;
    assert_eq!(made.status, 201, "{made:?}");
    until(async || plan_of(&id).await.as_deref() == Some("VIP")).await;
    let path = made.header("location").to_owned();
    let change = world.admin("PATCH", &path).await.header("if-match", "*").json(&json!({ "name": "Gold" }));
    assert_eq!(change.answer().await.status, 200);
    until(async || plan_of(&id).await.as_deref() == Some("Gold")).await;
    let others: i64 = sqlx::query_scalar("select count(*) from events where event_type = 'PlanChanged'")
        .fetch_one(&world.app.pool)
        .await
        .unwrap();
    assert_eq!(others, 2, "nobody else's");
    world.end().await;
}

/// What Stripe never told is found by comparing, not only where the status is another, and repaired when asked.
#[tokio::test]
async fn what_stripe_never_told_is_found_by_comparing() {
    let (world, stripe) = with_stripe(Clock::system()).await;
    let (silver, gold) = (stripe.price(4_900).await, stripe.price(9_900).await);
    let bought = stripe.buy(&silver, 9_001, "ann@example.com").await;
    catch_up(&world).await;
    let compare = async |repair: bool| {
        let asked = world.post("/api/telegram/drift", json!({ "repair": repair })).await;
        assert!(asked.status.is_success(), "{asked:?}");
        let report = asked.header("location").to_owned();
        until(async || world.get(&report).await.json["finished_at"].is_string()).await;
        world.get(&report).await.json
    };
    let nothing = compare(false).await;
    assert_eq!(nothing["items"], json!([]), "{nothing}");
    stripe.call(&format!("subscriptions/{bought}"), &[("items[0][price]", &gold)]).await;
    let price = async || {
        let id = stripe_subscription_stream(&bought).to_string();
        let items = world.app.subscriptions.look(&id, |known, _, _| known.latest().unwrap().contract.items.clone());
        items.await.unwrap()[0].price.clone()
    };
    for repair in [false, true] {
        let found = compare(repair).await;
        assert_eq!(found["items"][0]["kind"], "stripe_differs", "{found}");
        assert!(found["items"][0]["detail"].as_str().unwrap().contains("what is sold"), "{found}");
        assert_eq!(found["items"][0]["repaired"], json!(repair));
        assert_eq!(price().await, if repair { gold.clone() } else { silver.clone() });
    }
    assert_eq!(compare(false).await["items"], json!([]));
    world.end().await;
}
