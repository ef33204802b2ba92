//! Health, metrics, jobs, pages, and a database that goes away.

use serde_json::json;

use crate::{
    database::Database,
    world::{Send, World, variables},
};
use promostack::app::Role;

#[tokio::test]
async fn health_tells_what_stands_behind() {
    let world = World::new().await;
    let health = world.plain("GET", "/api/health").answer().await;
    assert_eq!(health.status, 200);
    assert_eq!((&health.json["status"], &health.json["database"]), (&json!("ok"), &json!("ok")), "{health:?}");
    assert_eq!(health.json["telegram"], "live");
    assert_eq!(health.json["storage"], json!({ "keeper": "folder", "status": "ok" }));
    assert!(health.json["feeds"].as_array().unwrap().len() >= 3);
    assert_eq!(world.plain("GET", "/api/health/live").answer().await.status, 200);
    assert_eq!(world.plain("GET", "/api/health/ready").answer().await.status, 200);

    world.token().await;
    world.app.pool.close().await;
    assert_eq!(world.plain("GET", "/api/health").answer().await.json["status"], "unavailable");
    assert_eq!(world.plain("GET", "/api/health/live").answer().await.status, 200);
    world.plain("GET", "/api/health/ready").answer().await.expect(503, "not-ready");
    for (method, path) in [("GET", "/api/campaigns"), ("GET", "/api/events"), ("POST", "/api/campaigns")] {
        let away = world.admin(method, path).await.json(&json!({ "name": "A", "code": "AAA" })).answer().await;
        away.expect(503, "database-unavailable");
        assert_eq!(away.header("retry-after"), "1");
    }
    world.end().await;
}

#[tokio::test]
async fn a_storage_that_does_not_work_is_told() {
    let mut variables = variables();
    // The address of no service.
    for (name, value) in [
        ("SPACES_ACCESS_KEY", "key"),
        ("SPACES_SECRET_KEY", "secret"),
        ("SPACES_BUCKET", "promo"),
        ("SPACES_ENDPOINT", "http://127.0.0.1:9"),
    ] {
        variables.push((name, value.to_owned()));
    }
    let world = World::with(Database::fresh().await, &variables, Role::Web).await;
    let health = world.plain("GET", "/api/health").answer().await;
    assert_eq!((health.status.as_u16(), &health.json["status"]), (200, &json!("degraded")), "{health:?}");
    assert_eq!(health.json["storage"], json!({ "keeper": "s3", "status": "unavailable" }));
    assert_eq!(world.plain("GET", "/api/health/ready").answer().await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn metrics_count_by_operation() {
    let world = World::new().await;
    world.draft("AAA").await;
    world.plain("GET", "/api/campaigns").answer().await.expect(401, "unauthenticated");
    let metrics = world.admin("GET", "/metrics").await.answer().await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.header("content-type").starts_with("text/plain; version=0.0.4"));
    for line in [
        r#"promostack_http_requests_total{operation="draftCampaign",status="201"} 1"#,
        r#"promostack_http_requests_total{operation="listCampaigns",status="401"} 1"#,
        r#"promostack_http_request_seconds_count{operation="login"} 1"#,
        r#"promostack_feed_lag_events{feed="campaigns"}"#,
        r#"promostack_jobs{state="dead"} 0"#,
    ] {
        assert!(metrics.text.contains(line), "{line}\n{}", metrics.text);
    }

    // Whoever was let in may see the rest while the database is away; nobody else may.
    let (key, other) = (world.key("prometheus", &["operations"]).await, world.key("other", &["operations"]).await);
    assert_eq!(world.plain("GET", "/metrics").header("x-api-key", &key).answer().await.status, 200);
    world.app.pool.close().await;
    for request in [world.plain("GET", "/metrics").header("x-api-key", &key), world.admin("GET", "/metrics").await] {
        let away = request.answer().await;
        assert_eq!(away.status, 200, "{away:?}");
        assert!(away.text.contains("promostack_http_requests_total{"), "{}", away.text);
        for left_out in ["promostack_feed_lag", "promostack_jobs{"] {
            assert!(!away.text.contains(left_out), "{left_out}\n{}", away.text);
        }
    }
    let unknown = world.plain("GET", "/metrics").header("x-api-key", &other).answer().await;
    unknown.expect(503, "database-unavailable");
    world.plain("GET", "/metrics").answer().await.expect(401, "unauthenticated");
    world.end().await;
}

#[tokio::test]
async fn a_dead_job_is_tried_again_or_dropped() {
    let world = World::with(Database::fresh().await, &variables(), Role::Web).await;
    for number in 1..=3 {
        crate::webhook::say(&world, number, 42, "/start").await;
    }
    sqlx::query("update jobs set dead_at = now(), attempts = max_attempts, last_error = 'why' where id < 3")
        .execute(&world.app.pool)
        .await
        .unwrap();
    let dead = world.get("/api/jobs?state=dead&limit=1").await;
    assert_eq!(dead.json["items"][0]["last_error"], "why");
    let next = dead.json["next_cursor"].as_str().unwrap();
    let last = world.get(&format!("/api/jobs?state=dead&limit=1&cursor={next}")).await;
    assert_eq!((&last.json["items"][0]["id"], last.json.get("next_cursor")), (&json!(2), None));
    assert!(!dead.text.contains("Xanthippe"), "no payload: {}", dead.text);

    assert_eq!(world.admin("POST", "/api/jobs/1/retry").await.answer().await.status, 204);
    let ready = world.get("/api/jobs?state=ready&kind=coupon_bot_update").await;
    assert_eq!(ready.json["items"][0]["attempts"], 0, "{ready:?}");
    assert_eq!(world.admin("DELETE", "/api/jobs/2").await.answer().await.status, 204);
    for (method, path) in [("DELETE", "/api/jobs/2"), ("POST", "/api/jobs/99/retry")] {
        world.admin(method, path).await.answer().await.expect(404, "job-missing");
    }
    sqlx::query("update jobs set locked_until = now() + interval '1 minute' where id = 3")
        .execute(&world.app.pool)
        .await
        .unwrap();
    for (method, path) in [("DELETE", "/api/jobs/3"), ("POST", "/api/jobs/3/retry")] {
        world.admin(method, path).await.answer().await.expect(409, "job-running");
    }
    let feeds = world.get("/api/feeds").await;
    assert!(feeds.json["items"].as_array().unwrap().iter().any(|feed| feed["name"] == "campaigns"));
    world.end().await;
}

#[tokio::test]
async fn pages_and_answers_are_safe_by_default() {
    let world = World::new().await;
    for path in ["/", "/api/docs", "/problems/code-in-use"] {
        let page = world.plain("GET", path).answer().await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.header("content-type").starts_with("text/html"), "{path}");
        assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(page.header("referrer-policy"), "no-referrer");
        let loads = |text: &str| text.contains("src=\"http") || text.contains("<link");
        assert!(!loads(&page.text), "{path} loads from elsewhere");
    }
    let docs = world.plain("GET", "/api/docs").answer().await.text;
    assert!(docs.contains("\"x-needs\""), "the whole document is in it");
    let answer = world.plain("GET", "/api/health").answer().await;
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(uuid::Uuid::try_parse(answer.header("x-request-id")).is_ok());

    for path in ["/nothing", "/api", "/api/nothing", "/problems/nothing", "/api/campaigns/x/y/z", "/sandbox/telegram/"]
    {
        let missing = world.plain("GET", path).answer().await;
        missing.expect(404, "not-found");
        assert_eq!(missing.json["instance"], format!("urn:uuid:{}", missing.header("x-request-id")), "{path}");
    }
    for (method, path, allowed) in [
        ("PUT", "/api/campaigns", "GET, HEAD, POST"),
        ("DELETE", "/api/events/stream", "GET, HEAD"),
        ("GET", "/api/login", "POST"),
        ("OPTIONS", "/api/campaigns/01935c2e-7b4a-7c31-9f05-5d1a8e6204b7", "GET, HEAD, PATCH"),
        ("BREW", "/api/me", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
        ("POST", "/metrics", "GET, HEAD"),
    ] {
        let refused = world.plain(method, path).answer().await;
        refused.expect(405, "method-not-allowed");
        assert_eq!(refused.header("allow"), allowed, "{method} {path}");
    }
    let head = world.admin("HEAD", "/api/campaigns").await.answer().await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
    world.end().await;
}
