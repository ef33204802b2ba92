//! Coupons through the API: unique codes, reservations, releases, publications.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use promostack::{app::Role, clock::Clock};
use serde_json::{Value, json};

use crate::{
    database::Database,
    world::{Answer, ENTRYLAB, Send, World, until, variables},
};

async fn ok(answer: Answer) -> Answer {
    assert!(answer.status.is_success(), "{answer:?}");
    answer
}

/// An active campaign with these terms; its id.
async fn campaign(world: &World, terms: Value) -> String {
    let draft = ok(world.post("/api/campaigns", terms).await).await;
    let id = draft.json["id"].as_str().unwrap().to_owned();
    ok(world.post(&format!("/api/campaigns/{id}/activate"), json!({})).await).await;
    id
}

async fn redeem(world: &World, code: &str, customer: &str) -> Answer {
    world.post("/api/coupons/redeem", json!({ "code": code, "customer": customer })).await
}

/// The campaign as the read model shows it once it has seen `answer`.
async fn seen(world: &World, id: &str, answer: &Answer) -> Value {
    ok(world.get(&format!("/api/campaigns/{id}?min_position={}", answer.json["position"])).await).await.json
}

#[tokio::test]
async fn unique_codes_are_made_exported_redeemed_and_taken_back() {
    let world = World::new().await;
    let id = campaign(&world, json!({ "name": "Partners", "benefit": { "kind": "free_days", "days": 30 } })).await;
    let path = format!("/api/campaigns/{id}/batches");
    let make = async || {
        world
            .admin("POST", &path)
            .await
            .header("idempotency-key", "b1")
            .json(&json!({ "count": 20_000 }))
            .answer()
            .await
    };
    let made = ok(make().await).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.json["number"], ok(make().await).await.json["number"], "the same request makes one batch");
    let position = &made.json["position"];
    let table = ok(world.get(&format!("{}?min_position={position}", made.header("location"))).await).await;
    assert!(table.header("content-type").starts_with("text/csv"), "{table:?}");
    let codes: Vec<&str> = table.text.split_terminator("\r\n").collect();
    assert_eq!((codes[0], codes.len()), ("code", 20_001));
    assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), 20_001, "all differ");

    let typed = format!("{}-{} {}", &codes[1][..4], &codes[1][4..8], &codes[1][8..]).to_lowercase();
    let offer = ok(world.post("/api/coupons/validate", json!({ "code": typed, "customer": "anna" })).await).await;
    assert_eq!((&offer.json["name"], &offer.json["benefit"]["days"]), (&json!("Partners"), &json!(30)));
    let redeemed = ok(redeem(&world, &typed, "anna").await).await;
    assert_eq!((&redeemed.json["campaign_id"], &redeemed.json["number"]), (&json!(id), &json!(1)));
    redeem(&world, codes[1], "berta").await.expect(409, "code-used");
    let wrong = if codes[2].starts_with('A') { "B" } else { "A" };
    let typo = redeem(&world, &format!("{wrong}{}", &codes[2][1..]), "anna").await;
    typo.expect(404, "code-unknown");
    assert!(typo.json["detail"].as_str().unwrap().contains("typing error"), "{typo:?}");

    let revoked = ok(world.post(&format!("/api/batches/{}/revoke", made.json["number"]), json!({})).await).await;
    assert_eq!(revoked.json["events"], json!(["BatchRevoked"]));
    redeem(&world, codes[2], "anna").await.expect(409, "code-revoked");
    let batches = world.get(&format!("{path}?min_position={}", revoked.json["position"])).await;
    assert_eq!(batches.json["items"][0]["count"], 20_000);
    assert!(batches.json["items"][0]["revoked_at"].is_string(), "{batches:?}");
    world.get("/api/batches/77/codes").await.expect(404, "batch-missing");
    world.end().await;
}

#[tokio::test]
async fn a_coupon_is_kept_free_redeemed_and_released() {
    let world = World::new().await;
    let terms = json!({
        "name": "Gold week", "code": "GOLD10", "total_limit": 1, "limit_per_person": 1,
        "minimum_spend": { "minor": 5000, "currency": "EUR" },
    });
    let id = campaign(&world, terms).await;
    let spend = json!({ "minor": 5000, "currency": "eur" });
    let body = |customer: &str, more: Value| {
        let mut body = json!({ "code": "gold10", "customer": customer, "spend": spend });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    redeem(&world, "GOLD10", "anna").await.expect(409, "below-minimum");
    let kept = ok(world.post("/api/coupons/reserve", body("anna", json!({ "seconds": 600 }))).await).await;
    let reservation = &kept.json["id"];
    assert_eq!(seen(&world, &id, &kept).await["reserved"], 1);
    world.post("/api/coupons/redeem", body("berta", json!({}))).await.expect(409, "campaign-exhausted");
    world
        .post("/api/coupons/redeem", body("berta", json!({ "reservation": reservation })))
        .await
        .expect(409, "reservation-of-another");
    let redeemed =
        ok(world.post("/api/coupons/redeem", body("anna", json!({ "reservation": reservation }))).await).await;
    let now = seen(&world, &id, &redeemed).await;
    assert_eq!((&now["reserved"], &now["redeemed"]), (&json!(0), &json!(1)));

    let release = format!("/api/redemptions/{}/release", redeemed.json["id"].as_str().unwrap());
    let silent = world.post(&release, json!({ "reason": " " })).await;
    silent.expect(400, "invalid-input");
    assert_eq!(silent.fields(), ["reason"]);
    let released = ok(world.post(&release, json!({ "reason": "sent back" })).await).await;
    world.post(&release, json!({ "reason": "sent back" })).await.expect(409, "released-before");
    let now = seen(&world, &id, &released).await;
    assert_eq!((&now["redeemed"], &now["released"]), (&json!(0), &json!(1)));
    let again = ok(world.post("/api/coupons/redeem", body("anna", json!({}))).await).await;
    assert_eq!(again.json["number"], 2, "a number is not given again");

    // A place that is kept for a second comes free by itself.
    let raised = world.admin("PATCH", &format!("/api/campaigns/{id}")).await.header("if-match", "*");
    ok(raised.json(&json!({ "total_limit": 2 })).answer().await).await;
    let kept = ok(world.post("/api/coupons/reserve", body("berta", json!({ "seconds": 1 }))).await).await;
    assert_eq!(seen(&world, &id, &kept).await["reserved"], 1);
    until(async || world.get(&format!("/api/campaigns/{id}")).await.json["reserved"] == 0).await;
    let gone = world.post(&format!("/api/reservations/{}/cancel", kept.json["id"].as_str().unwrap()), json!({})).await;
    gone.expect(404, "reservation-missing");
    let late = world.post("/api/coupons/redeem", body("berta", json!({ "reservation": kept.json["id"] }))).await;
    late.expect(404, "reservation-missing");
    world.end().await;
}

/// What was acknowledged can be taken back at once, whatever the read models show by then.
#[tokio::test]
async fn what_was_just_acknowledged_is_there_to_be_taken_back() {
    let world = World::new().await;
    campaign(&world, json!({ "name": "Gold week", "code": "GOLD10" })).await;
    let unique = campaign(&world, json!({ "name": "Partners" })).await;
    for n in 0..5 {
        let redeemed = ok(redeem(&world, "GOLD10", "anna").await).await;
        let release = format!("/api/redemptions/{}/release", redeemed.json["id"].as_str().unwrap());
        ok(world.post(&release, json!({ "reason": "sent back" })).await).await;
        let body = json!({ "code": "GOLD10", "customer": "anna", "seconds": 60 });
        let kept = ok(world.post("/api/coupons/reserve", body).await).await;
        let cancel = format!("/api/reservations/{}/cancel", kept.json["id"].as_str().unwrap());
        ok(world.post(&cancel, json!({})).await).await;
        let made = ok(world.post(&format!("/api/campaigns/{unique}/batches"), json!({ "count": 1 })).await).await;
        let revoked = world.post(&format!("/api/batches/{}/revoke", made.json["number"]), json!({})).await;
        assert_eq!(ok(revoked).await.json["events"], json!(["BatchRevoked"]), "{n}");
    }
    let nobodys = "/api/redemptions/01935c2e-7b4a-7c31-9f05-5d1a8e6204b7/release";
    world.post(nobodys, json!({ "reason": "sent back" })).await.expect(404, "redemption-missing");
    world.end().await;
}

#[tokio::test]
async fn a_publication_is_repeatable_by_its_source() {
    let world = World::new().await;
    let id = campaign(&world, json!({ "name": "Welcome", "audience": "holders" })).await;
    let publish = async |customer: &str, source: &str| {
        world.post(&format!("/api/campaigns/{id}/publish"), json!({ "customer": customer, "source_id": source })).await
    };
    publish("anna", "order-1").await.expect(409, "no-code-left");
    ok(world.post(&format!("/api/campaigns/{id}/batches"), json!({ "count": 2 })).await).await;
    // That there was none before is no answer for ever.
    let (first, second) = (ok(publish("anna", "order-1").await).await, ok(publish("berta", "order-3").await).await);
    assert_ne!(first.json["code"], second.json["code"]);
    let again = ok(publish("anna", "order-1").await).await;
    assert_eq!((&again.json["code"], &again.json["id"]), (&first.json["code"], &first.json["id"]));
    assert_eq!(again.header("idempotency-replayed"), "true");
    publish("berta", "order-1").await.expect(422, "idempotency-key-reused");
    publish("carla", "order-4").await.expect(409, "no-code-left");
    let code = first.json["code"].as_str().unwrap();
    redeem(&world, code, "carla").await.expect(409, "not-holder");
    ok(redeem(&world, code, "anna").await).await;
    world.end().await;
}

#[tokio::test]
async fn a_campaign_opens_and_ends_by_itself() {
    let world = World::new().await;
    let now = || Clock::system().now();
    // Room to be seen scheduled and active by a busy machine.
    let (start, end) = (now() + TimeDelta::seconds(6), now() + TimeDelta::seconds(12));
    let id = campaign(&world, json!({ "name": "Flash", "code": "FLASH", "starts_at": start, "ends_at": end })).await;
    let status = async || world.get(&format!("/api/campaigns/{id}")).await.json["status"].clone();
    until(async || status().await == "scheduled").await;
    if now() < start {
        redeem(&world, "FLASH", "anna").await.expect(409, "campaign-not-started");
    }
    until(async || status().await == "active").await;
    assert!(now() >= start);
    until(async || status().await == "ended").await;
    assert!(now() >= end);
    ok(world.post(&format!("/api/campaigns/{id}/archive"), json!({})).await).await;
    until(async || status().await == "archived").await;
    // Its code is another's to have.
    until(async || redeem(&world, "FLASH", "anna").await.problem() == "code-unknown").await;
    world.end().await;
}

#[tokio::test]
async fn a_merchant_may_redeem_and_nothing_else() {
    let world = World::new().await;
    let id = campaign(&world, json!({ "name": "Gold week", "code": "GOLD10" })).await;
    let key = world.key("merchant", &["coupons:redeem"]).await;
    let send = |method: &str, path: &str, body: Value| {
        world.plain(method, path).header("x-api-key", &key).json(&body).answer()
    };
    let done = send("POST", "/api/coupons/redeem", json!({ "code": "GOLD10", "telegram_id": 7 })).await;
    assert_eq!(done.status, 200, "{done:?}");
    send("GET", &format!("/api/campaigns/{id}"), json!({})).await.expect(403, "scope-missing");
    send("POST", &format!("/api/campaigns/{id}/publish"), json!({})).await.expect(403, "scope-missing");
    for (body, field) in [
        (json!({ "code": "GOLD10" }), "customer"),
        (json!({ "code": "GOLD10", "customer": "a", "telegram_id": 7 }), "customer"),
        (json!({ "code": "", "customer": "a" }), "code"),
        (json!({ "code": "x".repeat(65), "customer": "a" }), "code"),
        (json!({ "code": "GOLD10", "customer": "a\u{7}" }), "customer"),
        (json!({ "code": "GOLD10", "customer": "a", "spend": { "minor": -1, "currency": "EUR" } }), "spend"),
        (json!({ "code": "GOLD10", "customer": "a", "spend": { "minor": 1, "currency": "EURO" } }), "spend"),
        (json!({ "code": "GOLD10", "customer": "a", "reservation": "x" }), "reservation"),
    ] {
        let answer = send("POST", "/api/coupons/redeem", body.clone()).await;
        answer.expect(400, "invalid-input");
        assert!(answer.fields().contains(&field), "{body}: {answer:?}");
    }
    // A letter that only looks like one.
    send("POST", "/api/coupons/redeem", json!({ "code": "G\u{41e}LD10", "customer": "a" }))
        .await
        .expect(404, "code-unknown");
    world.end().await;
}

/// A key is forgotten after a while with all that was written down under it.
#[tokio::test]
async fn a_key_that_led_to_a_miss_can_be_used_again_after_a_while() {
    let world = World::new().await;
    let redeem = async |code: &str| {
        let request = world.admin("POST", "/api/coupons/redeem").await.header("idempotency-key", "r1");
        request.json(&json!({ "code": code, "customer": "anna" })).answer().await
    };
    redeem("NOPE").await.expect(404, "code-unknown");
    redeem("NOPE2").await.expect(422, "idempotency-key-reused");
    let run = "update timers set next_at = now() where name = 'housekeeping'";
    for statement in ["update receipts set recorded_at = now() - interval '31 days'", run] {
        sqlx::query(statement).execute(&world.app.pool).await.unwrap();
    }
    until(async || redeem("NOPE2").await.problem() == "code-unknown").await;
    world.end().await;
}

/// Who reads campaigns and not people sees pseudonyms, and cannot look for an account.
#[tokio::test]
async fn a_telegram_id_is_for_those_who_may_see_people() {
    let world = World::new().await;
    let id = campaign(&world, json!({ "name": "Gold week", "code": "GOLD10" })).await;
    let given = json!({ "telegram_id": 4711, "source_id": "first" });
    ok(world.post(&format!("/api/campaigns/{id}/publish"), given).await).await;
    let redeemed = ok(world.post("/api/coupons/redeem", json!({ "code": "GOLD10", "telegram_id": 4711 })).await).await;
    let (partner, both) = (ENTRYLAB.to_owned(), world.key("both", &["campaigns:read", "bot-users:read"]).await);
    let get = async |key: &str, path: &str| world.plain("GET", path).bearer_auth(key).answer().await;
    for list in
        ["/api/redemptions", &format!("/api/campaigns/{id}/redemptions"), &format!("/api/campaigns/{id}/publications")]
    {
        let position = &redeemed.json["position"];
        let (page, table) = (format!("{list}?min_position={position}"), format!("{list}.csv"));
        for (key, seen) in [(&partner, false), (&both, true)] {
            for path in [&page, &table] {
                let answer = ok(get(key, path).await).await;
                assert_eq!(answer.text.contains("4711"), seen, "{path}: {answer:?}");
                let person = answer.json["items"][0]["person"].is_string() || answer.text.contains(&id);
                assert!(person, "{path}: {answer:?}");
            }
        }
    }
    for path in ["/api/redemptions?telegram_id=4711", "/api/redemptions.csv?telegram_id=4711"] {
        get(&partner, path).await.expect(403, "scope-missing");
        ok(get(&both, path).await).await;
    }
    world.end().await;
}

/// Sends a table of codes, under a key if there is one.
async fn import(world: &World, id: &str, table: &str, key: Option<&str>) -> Answer {
    let request = world.admin("POST", &format!("/api/campaigns/{id}/imports")).await;
    let request = request.header("content-type", "text/csv").body(table.to_owned());
    let request = if let Some(key) = key { request.header("idempotency-key", key) } else { request };
    request.answer().await
}

#[tokio::test]
async fn codes_from_elsewhere_are_imported_with_a_report() {
    let world = World::new().await;
    let id = campaign(&world, json!({ "name": "Printed" })).await;
    let import = async |table: &str| import(&world, &id, table, None).await;
    let report =
        ok(import("\u{feff}Code,Shop\r\nspring-1,A\r\n\"SPRING-2\";B\r\nab\r\n\r\nSpring-1\r\nзолото\r\n").await)
            .await
            .json;
    assert_eq!((&report["imported"], &report["skipped_in_all"]), (&json!(2), &json!(3)), "{report}");
    let lines: Vec<&Value> = report["skipped"].as_array().unwrap().iter().map(|skipped| &skipped["line"]).collect();
    assert_eq!(lines, [&json!(4), &json!(6), &json!(7)]);
    let path = format!("/api/batches/{}/codes?min_position={}", report["number"], report["position"]);
    assert_eq!(ok(world.get(&path).await).await.text, "code\r\nSPRING-1\r\nSPRING-2\r\n");
    let again = ok(import("spring-2\nspring-3\n").await).await.json;
    let known = json!("it was imported before, or is a campaign's shared code");
    assert_eq!((&again["imported"], &again["skipped"][0]["reason"]), (&json!(1), &known));
    assert_eq!(ok(import("spring-2").await).await.json.get("number"), None, "nothing new is no batch");
    ok(redeem(&world, "Spring-2", "anna").await).await;
    redeem(&world, "SPRING-2", "berta").await.expect(409, "code-used");
    let json = world.post(&format!("/api/campaigns/{id}/imports"), json!({})).await;
    json.expect(415, "unsupported-media-type");
    world.end().await;
}

#[tokio::test]
async fn a_table_that_comes_twice_is_imported_once() {
    let world = World::new().await;
    let id = campaign(&world, json!({ "name": "Printed" })).await;
    let table: String = (0..500).map(|n| format!("PRINTED-{n}\r\n")).collect();
    let sent = (0..4).map(|_| import(&world, &id, &table, None));
    let reports = futures_util::future::join_all(sent).await;
    let imported: Vec<i64> = reports.iter().map(|report| report.json["imported"].as_i64().unwrap()).collect();
    assert_eq!(imported.iter().sum::<i64>(), 500, "{imported:?}");
    // The next table has a line that the first had; the same request gets the same report.
    let table = "PRINTED-499\r\nPRINTED-500\r\nab\r\n";
    let first = ok(import(&world, &id, table, Some("i1")).await).await;
    let again = ok(import(&world, &id, table, Some("i1")).await).await;
    assert_eq!((&first.json["imported"], &first.json["skipped_in_all"]), (&json!(1), &json!(2)), "{first:?}");
    assert_eq!((&again.json, again.header("idempotency-replayed")), (&first.json, "true"));
    import(&world, &id, "PRINTED-501", Some("i1")).await.expect(422, "idempotency-key-reused");
    let path = format!("/api/campaigns/{id}/statistics?min_position={}", again.json["position"]);
    let numbers = ok(world.get(&path).await).await.json;
    assert_eq!(
        (&numbers["issued"], &numbers["available"]),
        (&json!(501), &json!(501)),
        "each is there once: {numbers}"
    );
    world.end().await;
}

#[tokio::test]
async fn a_code_is_shared_or_imported_and_never_both() {
    shared_or_imported(World::new().await).await.end().await;
    // And where nothing works the feeds: the log itself is asked.
    let world = World::with(Database::fresh().await, &variables(), Role::Web).await;
    let world = shared_or_imported(world).await;
    let printed = campaign(&world, json!({ "name": "Printed once more" })).await;
    let report = ok(import(&world, &printed, "silver10", None).await).await.json;
    assert_eq!(report["imported"], 0, "{report}");
    world.end().await;
}

async fn shared_or_imported(world: World) -> World {
    campaign(&world, json!({ "name": "Gold week", "code": "GOLD10" })).await;
    let printed = campaign(&world, json!({ "name": "Printed" })).await;
    let report = ok(import(&world, &printed, "gold10\r\nsilver10\r\n", None).await).await.json;
    assert_eq!((&report["imported"], &report["skipped"][0]["line"]), (&json!(1), &json!(1)), "{report}");
    let draft = ok(world.post("/api/campaigns", json!({ "name": "Silver", "code": "SILVER10" })).await).await;
    let activate = format!("/api/campaigns/{}/activate", draft.json["id"].as_str().unwrap());
    let refused = world.post(&activate, json!({})).await;
    refused.expect(409, "code-in-use");
    assert!(refused.json["detail"].as_str().unwrap().contains(&printed), "{refused:?}");
    world
}

#[tokio::test]
async fn a_batch_that_is_not_made_spends_no_number() {
    let world = World::new().await;
    let id = campaign(&world, json!({ "name": "Partners" })).await;
    let shared = campaign(&world, json!({ "name": "Gold week", "code": "GOLD10" })).await;
    let mint = async |id: &str, count: u32, key: &str| {
        let request = world.admin("POST", &format!("/api/campaigns/{id}/batches")).await;
        request.header("idempotency-key", key).json(&json!({ "count": count })).answer().await
    };
    let first = ok(mint(&id, 1, "b1").await).await.json["number"].as_i64().unwrap();
    assert_eq!(ok(mint(&id, 1, "b1").await).await.json["number"], first);
    mint(&shared, 1, "b2").await.expect(409, "other-kind-of-code");
    mint("01935c2e-7b4a-7c31-9f05-5d1a8e6204b7", 1, "b3").await.expect(404, "campaign-missing");
    mint(&id, 20_000_000, "b4").await.expect(400, "invalid-input");
    import(&world, &shared, "PRINTED-1", None).await.expect(409, "other-kind-of-code");
    assert_eq!(ok(mint(&id, 1, "b5").await).await.json["number"], first + 1);
    world.end().await;
}
