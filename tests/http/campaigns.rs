//! Campaigns through the API.

use promostack::app::Role;
use serde_json::json;

use crate::{
    database::Database,
    world::{Answer, Send, World, until, variables},
};

#[tokio::test]
async fn a_campaign_goes_its_way() {
    let world = World::new().await;
    let draft = world
        .post(
            "/api/campaigns",
            json!({ "name": "Gold week", "code": " gold10 ", "total_limit": 5, "ends_at": "2030-01-01T00:00:00Z" }),
        )
        .await;
    assert_eq!(draft.status, 201, "{draft:?}");
    assert_eq!(draft.json["events"], json!(["Drafted"]));
    assert_eq!(draft.header("etag"), "\"1\"");
    let id = draft.json["id"].as_str().unwrap();
    assert_eq!(draft.header("location"), format!("/api/campaigns/{id}"));
    assert_eq!(draft.header("promostack-position"), draft.json["position"].to_string());

    let path = format!("/api/campaigns/{id}");
    let seen = world.get(&format!("{path}?min_position={}", draft.json["position"])).await;
    assert_eq!(seen.status, 200, "{seen:?}");
    assert_eq!(seen.json["code"], "GOLD10");
    assert_eq!(seen.json["ends_at"].as_str().unwrap(), "2030-01-01T00:00:00+00:00");
    assert_eq!(seen.json.get("starts_at"), None);

    for (step, event, status) in [
        ("activate", "Activated", "active"),
        ("pause", "Paused", "paused"),
        ("resume", "Resumed", "active"),
        ("end", "Ended", "ended"),
    ] {
        let done = world.admin("POST", &format!("{path}/{step}")).await.answer().await;
        assert_eq!(done.status, 200, "{done:?}");
        assert_eq!(done.json["events"], json!([event]));
        let seen = world.get(&format!("{path}?min_position={}", done.json["position"])).await;
        assert_eq!(seen.json["status"], status);
        assert_eq!(seen.header("etag"), done.header("etag"));
    }
    for step in ["activate", "pause", "resume", "end"] {
        world.admin("POST", &format!("{path}/{step}")).await.answer().await.expect(409, "campaign-status");
    }
    let patch = world.admin("PATCH", &path).await.header("if-match", "*").json(&json!({ "name": "x" })).answer().await;
    patch.expect(409, "campaign-status");
    let listed = world.get("/api/campaigns?status=ended&q=gold&code=gold10").await;
    assert_eq!(listed.json["items"][0]["id"], id);

    let missing = "/api/campaigns/01935c2e-7b4a-7c31-9f05-5d1a8e6204b7";
    for (method, step) in [("GET", ""), ("GET", "/redemptions"), ("POST", "/activate"), ("POST", "/end")] {
        world.admin(method, &format!("{missing}{step}")).await.answer().await.expect(404, "campaign-missing");
    }
    world.end().await;
}

async fn patch(world: &World, path: &str, if_match: &str, body: serde_json::Value) -> Answer {
    world.admin("PATCH", path).await.header("if-match", if_match).json(&body).answer().await
}

#[tokio::test]
async fn nobodys_change_is_lost() {
    let world = World::new().await;
    let draft = world
        .post("/api/campaigns", json!({ "name": "A", "code": "AAA", "total_limit": 5, "limit_per_person": 2 }))
        .await;
    let path = draft.header("location").to_owned();
    let body = json!({ "name": "B" });
    world.admin("PATCH", &path).await.json(&body).answer().await.expect(428, "precondition-required");
    patch(&world, &path, "\"7\"", body.clone()).await.expect(412, "precondition-failed");
    let bad = patch(&world, &path, "1", body.clone()).await;
    bad.expect(400, "invalid-input");
    assert_eq!(bad.fields(), ["If-Match"]);

    let first = patch(&world, &path, "\"1\"", body.clone()).await;
    assert_eq!((first.status.as_u16(), first.header("etag")), (200, "\"2\""), "{first:?}");
    patch(&world, &path, "\"1\"", body.clone()).await.expect(412, "precondition-failed");
    let same = patch(&world, &path, "\"2\"", body).await;
    assert_eq!((same.status.as_u16(), same.header("etag")), (200, "\"2\""), "{same:?}");
    assert_eq!(same.json["events"], json!([]));

    // Null takes away, silence keeps.
    let second = patch(&world, &path, "\"9\", W/\"2\"", json!({ "total_limit": null })).await;
    assert_eq!(second.json["version"], 3, "{second:?}");
    let seen = world.get(&format!("{path}?min_position={}", second.json["position"])).await;
    assert_eq!((&seen.json["name"], seen.json.get("total_limit")), (&json!("B"), None));
    assert_eq!(seen.json["limit_per_person"], 2);
    let wrong = patch(&world, &path, "*", json!({ "total_limit": 1 })).await;
    wrong.expect(422, "invalid-terms");
    assert_eq!(wrong.fields(), ["limit_per_person"]);

    let request = world.admin("GET", &path).await.header("if-none-match", seen.header("etag"));
    let unchanged = request.answer().await;
    assert_eq!((unchanged.status.as_u16(), unchanged.text.as_str()), (304, ""));
    assert_eq!(unchanged.header("etag"), "\"3\"");
    let changed = world.admin("GET", &path).await.header("if-none-match", "\"2\"").answer().await;
    assert_eq!(changed.status, 200);

    world.admin("POST", &format!("{path}/activate")).await.answer().await;
    let fixed = patch(&world, &path, "*", json!({ "code": "BBB" })).await;
    fixed.expect(409, "code-fixed");
    assert_eq!(fixed.fields(), ["code"]);
    world.end().await;
}

#[tokio::test]
async fn a_key_takes_effect_once() {
    let world = World::new().await;
    let body = json!({ "name": "A", "code": "AAA" });
    let draft = |key: &'static str, body: serde_json::Value| {
        let world = &world;
        async move {
            let request = world.admin("POST", "/api/campaigns").await.header("idempotency-key", key);
            request.json(&body).answer().await
        }
    };
    let first = draft("k", body.clone()).await;
    assert_eq!(first.header("idempotency-replayed"), "");
    // The order of the fields and the space between them make no other request.
    let request = world.admin("POST", "/api/campaigns").await.header("idempotency-key", "k");
    let again = request
        .header("content-type", "application/json; charset=utf-8")
        .body(r#" {"code" : "AAA","name":"A"} "#)
        .answer()
        .await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!((again.status, &again.json), (first.status, &first.json));
    assert_eq!(again.header("location"), first.header("location"));
    draft("k", json!({ "name": "B", "code": "AAA" })).await.expect(422, "idempotency-key-reused");
    for bad in ["", "two words", &"x".repeat(256)] {
        let request = world.admin("POST", "/api/campaigns").await.header("idempotency-key", bad).json(&body);
        let refused = request.answer().await;
        refused.expect(400, "invalid-input");
        assert_eq!(refused.fields(), ["Idempotency-Key"], "{bad:?}");
    }
    // Another caller's keys are its own.
    let key = world.key("writer", &["campaigns:write"]).await;
    let other = world.plain("POST", "/api/campaigns").header("x-api-key", &key).header("idempotency-key", "k");
    let other = other.json(&body).answer().await;
    assert_eq!(other.status, 201);
    assert_ne!(other.json["id"], first.json["id"]);

    // Refusals are answers, too.
    let path = first.header("location").to_owned();
    let pause = |key: &'static str| {
        let (world, path) = (&world, format!("{path}/pause"));
        async move { world.admin("POST", &path).await.header("idempotency-key", key).answer().await }
    };
    pause("early").await.expect(409, "campaign-status");
    let activate = || async {
        let request = world.admin("POST", &format!("{path}/activate")).await.header("idempotency-key", "go");
        request.answer().await
    };
    let done = activate().await;
    assert_eq!(done.status, 200, "{done:?}");
    pause("early").await.expect(409, "campaign-status");
    assert_eq!(pause("late").await.status, 200);
    world.admin("POST", &format!("{path}/end")).await.answer().await;
    let again = activate().await;
    assert_eq!((again.status, &again.json), (done.status, &done.json));
    assert_eq!(again.header("idempotency-replayed"), "true");
    // The repetition claimed nothing: the code is free for the other one.
    let other = world.admin("POST", &format!("{}/activate", other.header("location"))).await.answer().await;
    assert_eq!(other.status, 200, "{other:?}");
    world.end().await;
}

#[tokio::test]
async fn a_change_is_found_again_under_its_key() {
    let world = World::new().await;
    let path = world.draft("AAA").await.header("location").to_owned();
    let change = |name: &'static str| {
        let (world, path) = (&world, &path);
        async move {
            let request = world.admin("PATCH", path).await.header("if-match", "\"1\"").header("idempotency-key", "c");
            request.json(&json!({ "name": name })).answer().await
        }
    };
    let first = change("B").await;
    assert_eq!(first.status, 200, "{first:?}");
    let again = change("B").await;
    assert_eq!((again.status, &again.json), (first.status, &first.json));
    assert_eq!(again.header("idempotency-replayed"), "true");
    change("C").await.expect(422, "idempotency-key-reused");
    world.end().await;
}

#[tokio::test]
async fn a_change_sent_several_times_at_once_has_one_answer() {
    let world = World::new().await;
    let path = world.draft("AAA").await.header("location").to_owned();
    let token = world.token().await;
    for round in 1..=20 {
        let (key, tag) = (format!("round-{round}"), format!("\"{round}\""));
        let tries = (0..4).map(|_| {
            let request = world.plain("PATCH", &path).bearer_auth(&token).header("idempotency-key", &key);
            request.header("if-match", &tag).json(&json!({ "name": format!("Round {round}") })).answer()
        });
        let answers = futures_util::future::join_all(tries).await;
        for answer in &answers {
            assert_eq!((answer.status.as_u16(), &answer.json), (200, &answers[0].json), "{answers:#?}");
        }
        assert_eq!(answers[0].json["version"], round + 1, "{answers:#?}");
        let first = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty());
        assert_eq!(first.count(), 1, "{answers:#?}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_code_belongs_to_one_campaign_at_a_time() {
    let world = World::new().await;
    let first = world.draft("GOLD10").await.header("location").to_owned();
    let second = world.draft("gold10").await.header("location").to_owned();
    let post = |path: String| {
        let world = &world;
        async move { world.admin("POST", &path).await.answer().await }
    };
    assert_eq!(post(format!("{first}/activate")).await.status, 200);
    let refused = post(format!("{second}/activate")).await;
    refused.expect(409, "code-in-use");
    let holder = first.rsplit('/').next().unwrap();
    assert!(refused.json["detail"].as_str().unwrap().contains(holder), "{refused:?}");
    // Ended: free at once, whether or not anything has worked the release yet.
    assert_eq!(post(format!("{first}/end")).await.status, 200);
    let opened = post(format!("{second}/activate")).await;
    assert_eq!(opened.status, 200, "{opened:?}");
    world.end().await;
}

#[tokio::test]
async fn many_activations_at_once_agree() {
    let world = World::new().await;
    let mut paths = vec![];
    for _ in 0..6 {
        paths.push(world.draft("SAME").await.header("location").to_owned());
    }
    let token = world.token().await;
    let tries = paths.iter().flat_map(|path| [path, path]).map(|path| {
        let request = world.plain("POST", &format!("{path}/activate")).bearer_auth(&token);
        request.answer()
    });
    let answers = futures_util::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:#?}");
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert!(["code-in-use", "campaign-status"].contains(&answer.problem()), "{answer:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_read_model_that_is_behind_says_so() {
    // Nothing works the feeds here.
    let world = World::with(Database::fresh().await, &variables(), Role::Web).await;
    let draft = world.draft("AAA").await;
    let path = draft.header("location");
    world.get(path).await.expect(404, "campaign-missing");
    let position = draft.json["position"].as_i64().unwrap();
    for path in [path, "/api/campaigns", "/api/redemptions", &format!("{path}/redemptions")] {
        let behind = world.get(&format!("{path}?min_position={position}&wait_ms=50")).await;
        behind.expect(503, "read-model-behind");
        assert_eq!(behind.header("retry-after"), "1");
        let beyond = world.get(&format!("{path}?min_position={}", position + 1)).await;
        beyond.expect(422, "position-unknown");
        assert_eq!(beyond.fields(), ["min_position"]);
    }
    assert_eq!(world.get("/api/campaigns").await.json["items"], json!([]));
    world.end().await;
}

#[tokio::test]
async fn a_release_that_comes_late_takes_no_code_away() {
    // Nothing works the jobs yet.
    let world = World::with(Database::fresh().await, &variables(), Role::Web).await;
    let path = world.draft("GOLD10").await.header("location").to_owned();
    for code in ["OTHER", "GOLD10"] {
        assert_eq!(patch(&world, &path, "*", json!({ "code": code })).await.status, 200);
    }
    assert_eq!(world.admin("POST", &format!("{path}/activate")).await.answer().await.status, 200);
    let database = world.halt().await;
    let world = World::with(database, &variables(), Role::All).await;
    // Two changes of code, two releases.
    let worked = "select position >= 5 from checkpoints where feed = 'release-code' and not exists (select from jobs)";
    until(async || sqlx::query_scalar(worked).fetch_optional(&world.app.pool).await.unwrap() == Some(true)).await;
    let second = world.draft("GOLD10").await.header("location").to_owned();
    let refused = world.admin("POST", &format!("{second}/activate")).await.answer().await;
    refused.expect(409, "code-in-use");
    world.end().await;
}
