//! Stripe, what is known here, and the channels are compared: what does not fit is found, and mended
//! if it may be.

use serde_json::{Value, json};

use crate::{
    shop::{ANN, EVE, Shop, VIP, cancel},
    support::{Process, eventually},
};

const BOB: i64 = 9003;
const STRANGER: i64 = 9004;
const GONE: i64 = 9005;

/// Another one, as somebody who is removed while the others are counted makes them fewer.
const ANOTHER: i64 = 9006;

/// Asks for a comparison, and for its report when it is done.
async fn compared(process: &Process, repair: bool) -> Value {
    let id = asked(process, repair).await;
    eventually("the comparison", async || {
        let report = process.get(&format!("/api/telegram/drift?run={id}")).await;
        report["finished_at"].is_string().then_some(report)
    })
    .await
}

async fn asked(process: &Process, repair: bool) -> String {
    let answer = process.post("/api/telegram/drift", &json!({ "repair": repair })).await;
    assert_eq!(answer.status(), 202);
    answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned()
}

/// What was found: its kind, whom it concerns, whether it was mended.
fn found(report: &Value) -> Vec<(String, Option<i64>, bool)> {
    let of = |item: &Value| {
        let kind = item["kind"].as_str().unwrap().to_owned();
        (kind, item["telegram_id"].as_i64(), item["repaired"].as_bool().unwrap())
    };
    report["items"].as_array().unwrap().iter().map(of).collect()
}

fn these(wanted: &[(&str, Option<i64>, bool)]) -> Vec<(String, Option<i64>, bool)> {
    wanted.iter().map(|(kind, who, repaired)| ((*kind).to_owned(), *who, *repaired)).collect()
}

async fn sql(shop: &Shop, statement: &str) {
    sqlx::raw_sql(statement).execute(&shop.world.pool).await.unwrap();
}

async fn fault(shop: &Shop, method: &str, times: u32, error: Value) {
    shop.world.telegram.post("/faults", &json!({ "method": method, "times": times, "error": error })).await;
}

/// Webhooks of Stripe and updates of Telegram that never came, a removal that is dead, a stranger, and
/// somebody about whom Telegram says nothing: all are found; what may be mended is, when it may.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_found_and_mended() {
    let shop = Shop::open().await;
    let process = shop.prepared().await;
    shop.world.telegram.say(BOB, "/start").await;
    let anns = shop.stripe.buy(&shop.price, ANN, "ann@example.com").await;
    let gone = shop.stripe.buy(&shop.price, GONE, "gone@example.com").await;
    shop.settled().await;
    shop.enter(ANN).await;
    let eves = shop.grant(&process, EVE, None).await;
    shop.enter(EVE).await;
    shop.grant(&process, BOB, None).await;
    shop.enter(BOB).await;
    assert_eq!(shop.inside().await, [ANN, EVE, BOB]);
    let fits = compared(&process, false).await;
    assert_eq!((found(&fits), &fits["members_checked"]), (vec![], &json!(4)), "who was invited is looked for, too");
    assert_eq!(fits["subscriptions_checked"], 2);

    // Telegram would not remove Eve, and her job is dead. Bob left, and somebody came, and Ann's
    // subscription ended, of which nobody told.
    fault(&shop, "unbanChatMember", 1, json!({ "status": 400, "description": "Bad Request: USER_ADMIN_INVALID" }))
        .await;
    cancel(&process, &eves).await;
    shop.settled().await;
    assert_eq!(shop.inside().await, [ANN, EVE, BOB]);
    sql(&shop, &format!("update sandbox.telegram_channel_member set status = 'left' where user_id = {BOB}")).await;
    for stranger in [STRANGER, ANOTHER] {
        let came = format!(
            "insert into sandbox.telegram_person (user_id, first_name) values ({stranger}, 'Carl') on conflict do nothing;
             insert into sandbox.telegram_channel_member (chat_id, user_id, status) values ({VIP}, {stranger}, 'member')"
        );
        sql(&shop, &came).await;
    }
    for subscription in [&anns, &gone] {
        sql(
            &shop,
            &format!(
                "update sandbox.stripe_object set body = body || '{{\"status\": \"canceled\"}}' where id = '{subscription}'"
            ),
        )
        .await;
    }
    sql(&shop, &format!("delete from sandbox.stripe_object where id = '{gone}'")).await;
    fault(&shop, "getChatMember", 1, json!({ "status": 500 })).await;

    let report = compared(&process, false).await;
    let mut kinds = found(&report);
    kinds[4..].sort();
    assert_eq!(
        kinds,
        these(&[
            ("not_answered", Some(ANN), false),
            ("in_and_should_not_be", Some(EVE), false),
            ("presence_differs", Some(BOB), false),
            ("out_and_may_be_in", Some(BOB), false),
            ("missing_at_stripe", None, false),
            ("strangers", None, false),
            ("stripe_differs", None, false),
        ]),
        "{report}"
    );
    shop.settled().await;
    assert_eq!(shop.inside().await, [ANN, EVE, STRANGER, ANOTHER], "it only reported");

    let report = compared(&process, true).await;
    let mut kinds = found(&report);
    kinds[3..].sort();
    assert_eq!(
        kinds,
        these(&[
            ("in_and_should_not_be", Some(EVE), true),
            ("presence_differs", Some(BOB), true),
            ("out_and_may_be_in", Some(BOB), false),
            ("missing_at_stripe", None, false),
            ("strangers", None, false),
            ("stripe_differs", None, true),
        ]),
        "{report}"
    );
    shop.settled().await;
    assert_eq!(shop.inside().await, [STRANGER, ANOTHER], "nobody who came before us is removed");
    let members = process.get("/api/telegram/members?is_in=true").await;
    assert_eq!(members["items"], json!([]), "{members}");
    shop.enter(BOB).await;
    assert_eq!(shop.inside().await, [BOB, STRANGER, ANOTHER], "his link lets him in again");

    let report = compared(&process, true).await;
    let mut kinds = found(&report);
    kinds.sort();
    assert_eq!(kinds, these(&[("missing_at_stripe", None, false), ("strangers", None, false)]), "{report}");
    assert_eq!(report["subscriptions_checked"], 1, "nothing follows what is over; the other is missing");
    shop.world.audit().await;
}

/// A comparison that is broken off goes on where it was, and reports nothing twice; one whose job is
/// dead has ended, says why, and stands in nobody's way.
#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_goes_on_and_a_dead_one_is_over() {
    let shop = Shop::open().await;
    let process = shop.prepared().await;
    for user in 9101..9109 {
        shop.world.telegram.say(user, "/start").await;
        shop.settled().await;
        shop.grant(&process, user, None).await;
        shop.enter(user).await;
    }
    // So many in a row are no accident of one person: it is tried again, from the first of them.
    fault(&shop, "getChatMember", 1, json!({ "status": 500 })).await;
    fault(&shop, "getChatMember", 4, json!({ "status": 502 })).await;
    let report = compared(&process, false).await;
    assert_eq!((found(&report), &report["members_checked"]), (vec![], &json!(8)));
    let tries: Vec<i32> = sqlx::query_scalar("select attempts from jobs where kind = 'check_drift'")
        .fetch_all(&shop.world.pool)
        .await
        .unwrap();
    assert!(tries.is_empty(), "it is done");

    fault(&shop, "getChatMember", 1_000, json!({ "status": 500 })).await;
    let dead = asked(&process, true).await;
    assert_eq!(asked(&process, true).await, dead, "it is under way");
    eventually("it to wait for another try", async || {
        let killed = sqlx::query(
            "update jobs set dead_at = now() where kind = 'check_drift' and locked_by is null and attempts > 0",
        )
        .execute(&shop.world.pool)
        .await
        .unwrap();
        (killed.rows_affected() == 1).then_some(())
    })
    .await;
    let report = process.get(&format!("/api/telegram/drift?run={dead}")).await;
    assert!(report["finished_at"].is_string() && report["failure"].is_string(), "{report}");
    let http = promostack::integrations::http_client().unwrap();
    http.delete(format!("{}/faults", shop.world.telegram.url)).send().await.unwrap().error_for_status().unwrap();
    let report = compared(&process, true).await;
    assert_ne!(report["id"], json!(dead));
    assert_eq!((found(&report), &report["failure"]), (vec![], &Value::Null));
}
