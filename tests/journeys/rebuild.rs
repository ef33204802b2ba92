use std::process::Command;

use aggregates::{
    campaign::Currency,
    plan::{Every, Interval},
    subscription::{
        self, Contract, DisputeFacts, DisputeStatus, InvoiceFacts, InvoiceOutcome, Item, Observation, RefundFacts,
        Seen, Settings, StripeIds, StripeStatus, stripe_subscription_stream,
    },
};
use promostack::{
    app::{App, Role},
    clock::Clock,
    config::Config,
    executor::Wish,
    log::Cause,
};
use serde_json::json;

use crate::support::{Process, World};

/// Every row of every read model, as text.
async fn rows(world: &World) -> Vec<(String, Vec<String>)> {
    let mut all = vec![];
    for projection in projections::all() {
        for table in projection.tables() {
            let rows: Vec<String> =
                sqlx::query_scalar(&format!("select t::text from read_models.{table} t order by 1"))
                    .fetch_all(&world.pool)
                    .await
                    .unwrap();
            all.push(((*table).to_owned(), rows));
        }
    }
    all
}

/// A campaign with all that can become of unique codes.
async fn coupons(process: &Process) {
    let id = process.campaign(json!({"name": "Partners"})).await;
    let send = async |path: String, body: serde_json::Value| {
        let answer = process.post(&path, &body).await;
        assert!(answer.status().is_success(), "{path}: {answer:?}");
        answer.json::<serde_json::Value>().await.unwrap()
    };
    for _ in 0..2 {
        send(format!("/api/campaigns/{id}/batches"), json!({"count": 5})).await;
    }
    let imported = process
        .admin(reqwest::Method::POST, &format!("/api/campaigns/{id}/imports"))
        .await
        .header("content-type", "text/csv")
        .body("PRINTED-1\nPRINTED-2\n");
    assert!(imported.send().await.unwrap().status().is_success());
    let mut codes = vec![];
    for n in 0..3 {
        let body = json!({"customer": format!("customer-{n}"), "source_id": format!("order-{n}")});
        let given = send(format!("/api/campaigns/{id}/publish"), body).await;
        codes.push(given["code"].as_str().unwrap().to_owned());
    }
    let redeemed = send("/api/coupons/redeem".to_owned(), json!({"code": codes[0], "customer": "customer-0"})).await;
    let path = format!("/api/redemptions?min_position={}", redeemed["position"]);
    process.get(&path).await;
    let release = format!("/api/redemptions/{}/release", redeemed["id"].as_str().unwrap());
    send(release, json!({"reason": "sent back"})).await;
    for (n, seconds) in [(1, 600), (2, 1)] {
        let body = json!({"code": codes[n], "customer": format!("customer-{n}"), "seconds": seconds});
        send("/api/coupons/reserve".to_owned(), body).await;
    }
}

/// A template that was changed, put away and brought back, and a campaign that has it.
async fn template(process: &Process) {
    let picture = crate::support::pictures::png(300, 300, [1, 2, 3]);
    let upload = process.admin(reqwest::Method::POST, "/api/templates?name=Spring").await;
    let answer = upload.header("content-type", "image/png").body(picture).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let made: serde_json::Value = answer.json().await.unwrap();
    let id = made["id"].as_str().unwrap();
    for step in ["archive", "restore"] {
        assert!(process.post(&format!("/api/templates/{id}/{step}"), &json!(null)).await.status().is_success());
    }
    let campaign = process.campaign(json!({"name": "Drawn", "code": "DRAWN"})).await;
    let choose = process.admin(reqwest::Method::PUT, &format!("/api/campaigns/{campaign}/template")).await;
    assert!(choose.json(&json!({"template": id})).send().await.unwrap().status().is_success());
}

/// Somebody who guesses, and two who answer questions.
async fn strangers(world: &World, process: &Process) {
    let questions = json!([{"text": "Which broker?"}]);
    process.campaign(json!({"name": "Asking", "code": "ASKING", "questions": questions})).await;
    for n in 0..6 {
        world.telegram.say(99, &format!("GUESS-{n}")).await;
    }
    for user in [97, 98] {
        world.telegram.say(user, "ASKING").await;
        world.telegram.say(user, "Acme").await;
    }
    world.settled().await;
    let list = process.get("/api/submissions").await;
    for (at, step, body) in [(0, "approve", json!(null)), (1, "reject", json!({"reason": "no"}))] {
        let path = format!("/api/submissions/{}/{step}", list["items"][at]["id"].as_str().unwrap());
        assert!(process.post(&path, &body).await.status().is_success());
    }
    world.settled().await;
}

/// Plans, subscriptions, members and signals, by an app on the same database.
async fn members(world: &World) {
    let config = Config::read(false, |_| None).unwrap();
    let app = App::build(config, &world.database.url, Clock::system()).unwrap();
    let running = app.start(Role::Web).await.unwrap();
    crate::support::members::some_of_all(&app).await;
    crate::support::signals::some_of_all(&app).await;
    running.stop().await;
    app.pool.close().await;
}

/// A subscription that was paid, refunded in part, disputed, and is late.
async fn revenue(world: &World) {
    let config = Config::read(false, |name| (name == "ADMIN_PASSWORD").then(|| "a-password-for-tests".to_owned()));
    let app = App::build(config.unwrap(), &world.database.url, Clock::system()).unwrap();
    let running = app.start(Role::Web).await.unwrap();
    let (at, eur) = (app.clock.now(), Currency::new("EUR").unwrap());
    let stripe = StripeIds { subscription: "sub_1".to_owned(), customer: Some("cus_1".to_owned()) };
    let item = Item {
        price: "price_1".to_owned(),
        product: None,
        unit_minor: Some(4_900),
        currency: eur,
        every: Every { count: 1, interval: Interval::Month },
        quantity: 1,
        metered: false,
    };
    let contract = Contract {
        status: StripeStatus::PastDue,
        livemode: true,
        started_at: at,
        period: None,
        cancel_at_period_end: false,
        cancel_at: None,
        canceled_at: None,
        ended_at: None,
        trial_end: None,
        cancellation: None,
        items: vec![item],
        discounts: vec![],
        plan: None,
    };
    let (seen, settings) = (Seen::Fetched { at }, Settings::default());
    let observation = Observation { stripe: stripe.clone(), contract, email: None, account: None, seen };
    let invoice = |id: &str, paid_minor, outcome| subscription::Command::Invoice {
        stripe: stripe.clone(),
        invoice: Box::new(InvoiceFacts {
            id: id.to_owned(),
            paid_minor,
            due_minor: 4_900,
            tax_minor: 0,
            currency: eur,
            billing_reason: None,
            attempts: 1,
            next_attempt_at: None,
            hosted_url: None,
            period: None,
            created: at,
            at: Some(at),
        }),
        outcome,
        at,
    };
    let charge = "ch_1".to_owned();
    let refund = RefundFacts {
        charge: charge.clone(),
        charged_minor: 4_900,
        charged_at: at,
        refunded_minor: 900,
        currency: eur,
        at,
    };
    let dispute = DisputeFacts {
        dispute: "dp_1".to_owned(),
        charge,
        amount_minor: 4_000,
        currency: eur,
        status: DisputeStatus::Lost,
        at,
    };
    for command in [
        subscription::Command::Observe { observation: Box::new(observation), settings, at },
        invoice("in_1", 4_900, InvoiceOutcome::Paid),
        invoice("in_2", 0, InvoiceOutcome::PaymentFailed),
        subscription::Command::Refund { stripe: stripe.clone(), refund: Box::new(refund), settings, at },
        subscription::Command::Dispute { stripe: stripe.clone(), dispute: Box::new(dispute), settings, at },
    ] {
        let cause = Cause { actor: "test".into(), correlation: app.clock.new_id(), causation: "test".into() };
        let wish = Wish { command, cause, once: None, expected: None };
        app.subscriptions.send(&stripe_subscription_stream("sub_1").to_string(), wish).await.unwrap();
    }
    running.stop().await;
    app.pool.close().await;
}

/// All read models dropped and rebuilt equal the live ones, row by row, while
/// the service goes on; and nobody is written to again.
#[tokio::test(flavor = "multi_thread")]
async fn rebuilt_read_models_equal_the_live_ones() {
    let world = World::new().await;
    let home = crate::support::s3::Scratch::new("rebuild");
    let process = world.process_with(&[("PROMOSTACK_HOME", home.path().to_str().unwrap())]).await;
    world.balancer.to(&[&process.url]);
    for n in 0..4 {
        let id =
            process.campaign(json!({"name": format!("No. {n}"), "code": format!("CODE-{n}"), "total_limit": 20})).await;
        for user in 1..=10 {
            world.telegram.say(user, &format!("CODE-{n}")).await;
        }
        world.settled().await;
        if n % 2 == 0 {
            assert!(process.post(&format!("/api/campaigns/{id}/pause"), &json!(null)).await.status().is_success());
        }
    }
    coupons(&process).await;
    template(&process).await;
    strangers(&world, &process).await;
    let channel = json!({ "chat_id": crate::support::members::CHANNEL, "title": "VIP" });
    world.telegram.post("/channels", &channel).await;
    members(&world).await;
    revenue(&world).await;
    // What time alone brings is over before anything is compared.
    crate::support::eventually("the short reservation to end", async || {
        let ended: i64 = sqlx::query_scalar("select count(*) from reservations where state = 'expired'")
            .fetch_one(&world.pool)
            .await
            .unwrap();
        (ended == 1).then_some(())
    })
    .await;
    for text in ["To all", "To all again"] {
        let answer = process.post("/api/broadcast", &json!({"text": text})).await;
        assert!(answer.status().is_success());
    }
    crate::support::eventually("the broadcasts to be completed", async || {
        let completed: i64 = sqlx::query_scalar("select count(*) from broadcasts where status = 'completed'")
            .fetch_one(&world.pool)
            .await
            .unwrap();
        (completed == 2).then_some(())
    })
    .await;
    world.settled().await;
    let live = rows(&world).await;
    assert!(live.iter().all(|(_, rows)| !rows.is_empty()), "{live:?}");
    let indexes = || {
        sqlx::query_scalar::<_, String>("select indexdef from pg_indexes where schemaname = 'read_models' order by 1")
    };
    let live_indexes = indexes().fetch_all(&world.pool).await.unwrap();
    let sent: i64 = sqlx::query_scalar("select count(*) from sandbox.telegram_message where from_bot")
        .fetch_one(&world.pool)
        .await
        .unwrap();

    // What is wrong in the live tables, and what is missing, must be right afterwards.
    sqlx::query("update campaigns set redeemed = 0, name = 'wrong'").execute(&world.pool).await.unwrap();
    for table in [
        "redemptions",
        "batches",
        "reservations",
        "statistics_days",
        "statistics_totals",
        "revenue_movements",
        "revenue_subscriptions",
    ] {
        sqlx::query(&format!("delete from {table}")).execute(&world.pool).await.unwrap();
    }
    let rebuilt = Command::new(env!("CARGO_BIN_EXE_promostack"))
        .args(["rebuild", "all"])
        .env("DATABASE_URL", &world.database.url)
        .output()
        .unwrap();
    assert!(rebuilt.status.success(), "{}", String::from_utf8_lossy(&rebuilt.stderr));
    assert_eq!(rows(&world).await, live);
    assert_eq!(indexes().fetch_all(&world.pool).await.unwrap(), live_indexes);

    // The live feeds go on from there.
    world.telegram.say(99, "CODE-1").await;
    world.settled().await;
    let after: i64 = sqlx::query_scalar("select count(*) from redemptions").fetch_one(&world.pool).await.unwrap();
    assert_eq!(after, 42);
    let sent_since: i64 = sqlx::query_scalar("select count(*) from sandbox.telegram_message where from_bot")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(sent_since, sent + 1, "a rebuild has no effects");

    let unknown = Command::new(env!("CARGO_BIN_EXE_promostack"))
        .args(["rebuild", "nothing"])
        .env("DATABASE_URL", &world.database.url)
        .output()
        .unwrap();
    assert!(!unknown.status.success());
    let known = projections::all().map(|projection| projection.name()).join(", ");
    assert!(String::from_utf8_lossy(&unknown.stderr).contains(&format!("there are: {known}, all")));
}
