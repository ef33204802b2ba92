//! Broadcasts and bot users over HTTP: what is refused, and what is shown.

use serde_json::{Value, json};

use crate::world::{Send, World, until};

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_name() {
    let world = World::new().await;
    for (body, status, problem, field) in [
        (json!({}), 400, "invalid-input", "text"),
        (json!({ "text": 1 }), 400, "invalid-input", "text"),
        (json!({ "text": "x", "colour": "red" }), 400, "invalid-input", "colour"),
        (json!({ "text": "x", "format": "markdown" }), 400, "invalid-input", "format"),
        (json!({ "text": "x", "audience": { "age": 7 } }), 400, "invalid-input", "audience.age"),
        (json!({ "text": "x", "audience": { "redeemed": "GOLD" } }), 400, "invalid-input", "audience.redeemed"),
        (json!({ "text": "x", "buttons": [{ "text": "a" }] }), 400, "invalid-input", "buttons"),
        (json!({ "text": "x", "draft": true, "send_at": "2099-01-01T00:00:00Z" }), 400, "invalid-input", "send_at"),
        (json!({ "text": "<b>x" }), 422, "invalid-broadcast", "text"),
        (json!({ "text": "<b></b>" }), 422, "invalid-broadcast", "text"),
        (json!({ "text": "x".repeat(4097) }), 422, "invalid-broadcast", "text"),
        (json!({ "text": "x".repeat(1025), "photo": "https://example.com/a.png" }), 422, "invalid-broadcast", "text"),
        (json!({ "text": "x", "photo": "http://example.com/a.png" }), 422, "invalid-broadcast", "photo"),
        (
            json!({ "text": "x", "buttons": [[{ "text": "a", "url": "tg://x" }]] }),
            422,
            "invalid-broadcast",
            "buttons[0][0].url",
        ),
        (json!({ "text": "x", "audience": { "language": "%" } }), 422, "invalid-broadcast", "language"),
    ] {
        for path in ["/api/broadcast", "/api/broadcast/preview"] {
            let refused = world.post(path, body.clone()).await;
            refused.expect(status, problem);
            assert_eq!(refused.fields(), [field], "{path} {body}");
        }
    }
    let listed = world.get("/api/broadcasts").await;
    assert_eq!(listed.json, json!({ "items": [] }), "a refused one and a preview leave nothing");
    world.end().await;
}

#[tokio::test]
async fn a_broadcast_is_written_once_shown_and_cancelled() {
    let world = World::new().await;
    let body = json!({ "text": "<b>Gold</b> &amp; more", "draft": true, "audience": { "language": "pt" } });
    let preview = world.post("/api/broadcast/preview", body.clone()).await;
    assert_eq!(preview.json, json!({ "recipients": 0, "text": "Gold & more", "length": 11, "longest": 4096 }));
    let with_key = async |body: &Value| {
        world.admin("POST", "/api/broadcast").await.header("Idempotency-Key", "k1").json(body).answer().await
    };
    let made = with_key(&body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let again = with_key(&body).await;
    assert_eq!((again.json.clone(), again.header("idempotency-replayed")), (made.json.clone(), "true"));
    with_key(&json!({ "text": "other" })).await.expect(422, "idempotency-key-reused");

    let path = made.header("location").to_owned();
    let shown = world.get(&format!("{path}?min_position={}", made.json["position"])).await;
    assert_eq!(shown.header("etag"), "\"1\"");
    assert_eq!((&shown.json["status"], &shown.json["format"]), (&json!("draft"), &json!("html")));
    assert_eq!(shown.json["audience"], json!({ "language": "pt" }));
    let unchanged = world.admin("GET", &path).await.header("If-None-Match", "\"1\"").answer().await;
    assert_eq!(unchanged.status, 304);
    for step in ["pause", "resume", "resend-unconfirmed"] {
        world.admin("POST", &format!("{path}/{step}")).await.answer().await.expect(409, "broadcast-status");
    }
    let cancelled = world.admin("POST", &format!("{path}/cancel")).await.answer().await;
    assert_eq!((cancelled.status.as_u16(), &cancelled.json["events"]), (200, &json!(["Cancelled"])));
    let listed =
        world.get(&format!("/api/broadcasts?status=cancelled&min_position={}", cancelled.json["position"])).await;
    assert_eq!(listed.json["items"].as_array().unwrap().len(), 1);
    // Its stream of progress says so and ends.
    let progress = world.get(&format!("{path}/progress")).await;
    assert!(progress.text.contains("event: finished") && progress.text.contains("\"cancelled\""), "{progress:?}");
    world.get("/api/broadcasts/01935c2e-7b4a-7c31-9f05-5d1a8e6204b7").await.expect(404, "broadcast-missing");
    world.end().await;
}

#[tokio::test]
async fn who_uses_the_bot_is_found_and_exported() {
    let world = World::new().await;
    for (number, user) in [(1, 501), (2, 502), (3, 503)] {
        crate::webhook::say(&world, number, user, "/start").await;
    }
    crate::webhook::say(&world, 4, 502, "/stop").await;
    until(async || world.get("/api/bot-users?status=stopped").await.json["items"].as_array().unwrap().len() == 1).await;
    let active = world.get("/api/bot-users?status=active&language=EN&active_within_days=1&limit=1").await;
    assert_eq!(active.json["items"].as_array().unwrap().len(), 1);
    let cursor = active.json["next_cursor"].as_str().unwrap();
    let rest = world.get(&format!("/api/bot-users?status=active&limit=1&cursor={cursor}")).await;
    assert_eq!((rest.json["items"].as_array().unwrap().len(), rest.json.get("next_cursor")), (1, None));
    assert_ne!(rest.json["items"][0]["id"], active.json["items"][0]["id"]);
    assert_eq!(world.get("/api/bot-users?language=e").await.status, 400);
    assert_eq!(world.get("/api/bot-users?language=en-gb").await.json, json!({ "items": [] }));

    let one = &active.json["items"][0];
    let found = world.get(&format!("/api/bot-users/{}", one["id"].as_str().unwrap())).await;
    assert_eq!(&found.json, one);
    world.get("/api/bot-users/01935c2e-7b4a-7c31-9f05-5d1a8e6204b7").await.expect(404, "bot-user-missing");
    let table = world.get("/api/bot-users.csv?status=stopped").await;
    assert_eq!(table.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(table.header("content-disposition"), "attachment; filename=\"bot-users.csv\"");
    let lines: Vec<&str> = table.text.lines().collect();
    assert!(lines.len() == 2 && lines[1].contains(",502,Xanthippe,,en,stopped,2,"), "{table:?}");
    let mut usage = world.get("/api/bot-usage").await;
    until(async || {
        usage = world.get("/api/bot-usage").await;
        usage.json["items"].as_array().unwrap().len() == 2
    })
    .await;
    assert_eq!((&usage.json["items"][0]["uses"], &usage.json["items"][1]["command"]), (&json!(3), &json!("stop")));
    world.end().await;
}

#[tokio::test]
async fn holders_are_those_whose_coupon_is_still_good() {
    let world = World::new().await;
    let post = async |path: String, body: Value| {
        let answer = world.post(&path, body).await;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        answer.json
    };
    for user in 1..=6 {
        crate::webhook::say(&world, user, 600 + user, "/start").await;
    }
    until(async || world.get("/api/bot-users").await.json["items"].as_array().unwrap().len() == 6).await;
    let campaign = async |terms: Value| {
        let id = post("/api/campaigns".to_owned(), terms).await["id"].as_str().unwrap().to_owned();
        post(format!("/api/campaigns/{id}/activate"), json!({})).await;
        id
    };
    let holders = async |id: &str| {
        let last = world.app.log.last_position().await.unwrap();
        for list in ["redemptions", &format!("campaigns/{id}/publications")] {
            assert_eq!(world.get(&format!("/api/{list}?min_position={last}&wait_ms=30000")).await.status, 200);
        }
        let body = json!({ "text": "Yours ends soon", "audience": { "holds": id } });
        post("/api/broadcast/preview".to_owned(), body).await["recipients"].as_i64().unwrap()
    };

    let unique = campaign(json!({ "name": "Partners" })).await;
    let mut batches = vec![];
    for count in [3, 1] {
        batches
            .push(post(format!("/api/campaigns/{unique}/batches"), json!({ "count": count })).await["number"].clone());
    }
    let mut codes = vec![];
    for user in 601..=604 {
        let body = json!({ "telegram_id": user, "source_id": format!("gift-{user}") });
        codes.push(post(format!("/api/campaigns/{unique}/publish"), body).await["code"].clone());
    }
    assert_eq!(holders(&unique).await, 4);
    // Whoever redeems it: it is gone.
    let done = post("/api/coupons/redeem".to_owned(), json!({ "code": codes[0], "telegram_id": 605 })).await;
    assert_eq!(holders(&unique).await, 3);
    let release = format!("/api/redemptions/{}/release", done["id"].as_str().unwrap());
    post(release, json!({ "reason": "by mistake" })).await;
    assert_eq!(holders(&unique).await, 4, "it is good again");
    post(format!("/api/batches/{}/revoke", batches[1]), json!({})).await;
    assert_eq!(holders(&unique).await, 3);

    let shared = campaign(json!({ "name": "Gold", "code": "GOLD10" })).await;
    assert_eq!(holders(&shared).await, 0);
    let body = json!({ "telegram_id": 601, "source_id": "gift" });
    post(format!("/api/campaigns/{shared}/publish"), body).await;
    let body = json!({ "code": "GOLD10", "telegram_id": 602, "seconds": 600 });
    let kept = post("/api/coupons/reserve".to_owned(), body).await;
    assert_eq!(holders(&shared).await, 2);
    post("/api/coupons/redeem".to_owned(), json!({ "code": "GOLD10", "telegram_id": 603 })).await;
    assert_eq!(holders(&shared).await, 2, "another's redemption is not theirs");
    post("/api/coupons/redeem".to_owned(), json!({ "code": "GOLD10", "telegram_id": 601 })).await;
    assert_eq!(holders(&shared).await, 1);
    post(format!("/api/reservations/{}/cancel", kept["id"].as_str().unwrap()), json!({})).await;
    assert_eq!(holders(&shared).await, 0);

    // It is sent to them and nobody else.
    let body = json!({ "text": "Yours", "audience": { "holds": unique } });
    let sent = post("/api/broadcast".to_owned(), body).await;
    let path = format!("/api/broadcasts/{}", sent["id"].as_str().unwrap());
    until(async || world.get(&path).await.json["recipients"] == 3).await;
    let listed = world.get(&format!("{path}/recipients")).await;
    let mut people: Vec<_> =
        listed.json["items"].as_array().unwrap().iter().map(|to| to["telegram_id"].as_i64()).collect();
    people.sort_unstable();
    assert_eq!(people, [Some(601), Some(602), Some(603)]);
    assert_eq!(world.get(&path).await.json["audience"], json!({ "holds": unique }));
    post(format!("{path}/cancel"), Value::Null).await;
    world.end().await;
}
