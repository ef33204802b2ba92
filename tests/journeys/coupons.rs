//! Coupons in people's hands: what was promised with them holds, whatever comes.

use chrono::TimeDelta;
use promostack::clock::Clock;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Process, World, eventually, transcript::press};

async fn ok(process: &Process, path: &str, body: &Value) -> Value {
    let answer = process.post(path, body).await;
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{path}: {status} {text}");
    serde_json::from_str(&text).unwrap()
}

async fn say(world: &World, user: i64, text: &str) {
    world.telegram.say(user, text).await;
    world.settled().await;
}

/// The terms change; the list, the card and its caption tell of those that the coupon has.
#[tokio::test(flavor = "multi_thread")]
async fn a_coupon_is_shown_with_its_own_terms() {
    let world = World::new().await;
    let process = world.process().await;
    world.balancer.to(&[&process.url]);
    let percent = |basis_points: u32| json!({"kind": "percent", "basis_points": basis_points});
    let terms = |name: &str, code: Value| json!({"name": name, "code": code, "benefit": percent(1_000)});
    let shared = process.campaign(terms("Gold week", json!("GOLD10"))).await;
    let unique = process.campaign(terms("Partners", Value::Null)).await;
    let batch = ok(&process, &format!("/api/campaigns/{unique}/batches"), &json!({"count": 1})).await;
    say(&world, 1, "/start").await;
    for id in [&shared, &unique] {
        let given = json!({"telegram_id": 1, "source_id": "first"});
        ok(&process, &format!("/api/campaigns/{id}/publish"), &given).await;
        let change = process.admin(Method::PATCH, &format!("/api/campaigns/{id}")).await.header("if-match", "*");
        let changed = change.json(&json!({"benefit": percent(500)})).send().await.unwrap();
        assert!(changed.status().is_success(), "{}", changed.text().await.unwrap());
    }
    world.settled().await;
    say(&world, 1, "/mycoupons").await;
    let list = world.bot_said(1).await.pop().unwrap();
    assert_eq!(list.matches("10% off").count(), 2, "{list}");
    assert!(!list.contains("5% off"), "{list}");
    for name in ["Gold week", "Partners"] {
        press(&world, 1, &format!("Card: {name}")).await;
        world.settled().await;
        let shown = world.telegram.messages(1).await.pop().unwrap();
        assert!(!shown["picture"].is_null(), "{shown}");
        assert!(shown["text"].as_str().unwrap().contains("10% off"), "{shown}");
    }
    // What was taken back is good for nothing, and not shown as if it were.
    ok(&process, &format!("/api/batches/{}/revoke", batch["number"]), &Value::Null).await;
    say(&world, 1, "/mycoupons").await;
    let list = world.bot_said(1).await.pop().unwrap();
    assert!(list.contains("GOLD10") && !list.contains("Partners"), "{list}");
    world.audit().await;
}

/// A process of ours; the one before it, if there is one, is killed.
async fn restart(world: &World, before: Option<Process>) -> Process {
    if let Some(before) = before {
        before.kill();
    }
    let process = world.process().await;
    world.balancer.to(&[&process.url]);
    process
}

/// The whole life of coupons, with a death between every two steps: imported, taken
/// back, released, kept free until the time is over, given away, and opened on time.
#[tokio::test(flavor = "multi_thread")]
async fn coupons_live_on_across_restarts() {
    let world = World::new().await;
    let process = restart(&world, None).await;
    let last = async |user: i64| world.bot_said(user).await.pop().unwrap_or_default();

    let printed = process.campaign(json!({"name": "Printed"})).await;
    let request = process.admin(Method::POST, &format!("/api/campaigns/{printed}/imports")).await;
    let request = request.header("content-type", "text/csv").body("code\r\nPRINT-1\r\nPRINT-2\r\n");
    let report: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(report["imported"], 2, "{report}");
    let process = restart(&world, Some(process)).await;
    say(&world, 1, "print-1").await;
    assert_eq!(last(1).await, "Done! PRINT-1 is redeemed.\n\nPrinted\nRedemption no. 1");
    ok(&process, &format!("/api/batches/{}/revoke", report["number"]), &Value::Null).await;
    let process = restart(&world, Some(process)).await;
    say(&world, 2, "PRINT-2").await;
    assert!(last(2).await.starts_with("Sorry"), "it was taken back");

    let gold = process.campaign(json!({"name": "Gold week", "code": "GOLD10", "total_limit": 1})).await;
    say(&world, 1, "GOLD10").await;
    say(&world, 2, "GOLD10").await;
    assert!(last(1).await.starts_with("Done!") && last(2).await.starts_with("Sorry"));
    let process = restart(&world, Some(process)).await;
    let redemptions = process.get(&format!("/api/campaigns/{gold}/redemptions")).await;
    let release = format!("/api/redemptions/{}/release", redemptions["items"][0]["id"].as_str().unwrap());
    ok(&process, &release, &json!({"reason": "sent back"})).await;
    let process = restart(&world, Some(process)).await;
    world.settled().await;
    let whom = json!({"text": "x", "audience": {"redeemed": gold}});
    let preview = ok(&process, "/api/broadcast/preview", &whom).await;
    assert_eq!(preview["recipients"], 0, "who gave it back has not redeemed it");
    say(&world, 2, "GOLD10").await;
    assert_eq!(last(2).await, "Done! GOLD10 is redeemed.\n\nGold week\nRedemption no. 2");

    process.campaign(json!({"name": "Kept", "code": "KEPT", "total_limit": 1})).await;
    let keep = |seconds: u32| json!({"code": "KEPT", "customer": "anna", "seconds": seconds});
    let kept = ok(&process, "/api/coupons/reserve", &keep(600)).await;
    let process = restart(&world, Some(process)).await;
    say(&world, 1, "KEPT").await;
    assert!(last(1).await.starts_with("Sorry"), "it is kept for somebody else");
    ok(&process, &format!("/api/reservations/{}/cancel", kept["id"].as_str().unwrap()), &Value::Null).await;
    ok(&process, "/api/coupons/reserve", &keep(1)).await;
    let process = restart(&world, Some(process)).await;
    eventually("the reservation to end by itself", async || {
        let ended = process.get("/api/events?aggregate_type=campaign&type=ReservationEnded").await;
        (ended["items"].as_array().unwrap().len() == 2).then_some(())
    })
    .await;
    say(&world, 1, "KEPT").await;
    assert!(last(1).await.starts_with("Done!"));

    let partners = process.campaign(json!({"name": "Partners", "audience": "holders"})).await;
    ok(&process, &format!("/api/campaigns/{partners}/batches"), &json!({"count": 2})).await;
    let publish = format!("/api/campaigns/{partners}/publish");
    let given = json!({"telegram_id": 2, "source_id": "order-1"});
    let first = ok(&process, &publish, &given).await;
    let process = restart(&world, Some(process)).await;
    assert_eq!(ok(&process, &publish, &given).await["code"], first["code"], "the same order gets the same coupon");
    let code = first["code"].as_str().unwrap();
    say(&world, 1, code).await;
    assert!(last(1).await.starts_with("Sorry"), "it was given to somebody else");
    say(&world, 2, code).await;
    assert!(last(2).await.starts_with(&format!("Done! {code} is redeemed.")));

    let starts_at = Clock::system().now() + TimeDelta::seconds(4);
    let flash = process.campaign(json!({"name": "Flash", "code": "FLASH", "starts_at": starts_at})).await;
    let process = restart(&world, Some(process)).await;
    eventually("the campaign to open by itself", async || {
        (process.get(&format!("/api/campaigns/{flash}")).await["status"] == "active").then_some(())
    })
    .await;
    assert!(Clock::system().now() >= starts_at);
    say(&world, 1, "FLASH").await;
    assert!(last(1).await.starts_with("Done!"));
    world.audit().await;
}

/// Telegram does not take the answer to a press: it is asked later when it says so, and
/// in the end let go, as nobody waits for it any more.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_a_press_that_fails_alarms_nobody() {
    let world = World::new().await;
    let process = world.process().await;
    world.balancer.to(&[&process.url]);
    process.campaign(json!({"name": "Gold week", "code": "GOLD10", "limit_per_person": 1})).await;
    say(&world, 1, "/validate gold10").await;
    for (times, error) in [(4, json!({"status": 429, "retry_after": 1})), (3, json!({"status": 500}))] {
        let fault = json!({"method": "answerCallbackQuery", "times": times, "error": error});
        world.telegram.post("/faults", &fault).await;
    }
    press(&world, 1, "Redeem it").await;
    world.settled().await;
    let dead: Vec<String> =
        sqlx::query_scalar("select kind || ': ' || last_error from jobs").fetch_all(&world.pool).await.unwrap();
    assert_eq!(dead, Vec::<String>::new());
    let left: Option<i64> = sqlx::query_scalar("select sum(remaining)::bigint from sandbox.telegram_fault")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(left, Some(0), "it was tried as often as it may be, not counting when Telegram asked to wait");
    assert!(world.bot_said(1).await.last().unwrap().starts_with("Done!"));
}
