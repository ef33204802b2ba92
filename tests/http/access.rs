//! Logins, tokens, cookies and keys.

use promostack::{
    access::{self, AdminLogin},
    app::Role,
    secrets::Secret,
};
use serde_json::json;

use crate::{
    database::Database,
    world::{ENTRYLAB, PASSWORD, Send, World, config, variables},
};

async fn login(world: &World, password: &str) -> crate::world::Answer {
    world.plain("POST", "/api/login").json(&json!({ "password": password })).answer().await
}

#[tokio::test]
async fn an_admin_logs_in_and_out() {
    let world = World::new().await;
    let wrong = login(&world, "wrong-password").await;
    wrong.expect(401, "login-failed");
    let stranger = json!({ "name": "nobody", "password": PASSWORD });
    world.plain("POST", "/api/login").json(&stranger).answer().await.expect(401, "login-failed");
    let good = login(&world, PASSWORD).await;
    assert_eq!(good.status, 200);
    let cookie = good.header("set-cookie");
    for part in ["promostack_session=", "; HttpOnly", "; SameSite=Strict", "; Path=/", "; Max-Age=86"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "http only");
    let token = good.json["token"].as_str().unwrap();
    let me = world.plain("GET", "/api/me").bearer_auth(token).answer().await;
    assert_eq!((&me.json["name"], &me.json["kind"]), (&json!("admin"), &json!("admin")));
    let out = world.plain("POST", "/api/logout").answer().await;
    assert_eq!(out.status, 204);
    assert!(
        out.header("set-cookie").contains("promostack_session=; ") && out.header("set-cookie").contains("Max-Age=0")
    );
    for bad in ["Basic YWRtaW46eA==", "Bearer", "Bearer ", "bearer x.y.z", "é"] {
        let request = world.plain("GET", "/api/me").header("authorization", bad.as_bytes());
        request.answer().await.expect(401, "unauthenticated");
    }
    let mut forged = token.to_owned();
    let last = forged.pop().unwrap();
    forged.push(if last == 'A' { 'B' } else { 'A' });
    // The last character may carry spare bits; the one before it does not.
    let middle = token.len() - 10;
    forged.replace_range(middle..=middle, if &token[middle..=middle] == "A" { "B" } else { "A" });
    world.plain("GET", "/api/me").bearer_auth(forged).answer().await.expect(401, "unauthenticated");
    world.end().await;
}

#[tokio::test]
async fn guessing_is_slowed_down_and_a_restart_forgets_nothing() {
    let world = World::new().await;
    for _ in 0..4 {
        login(&world, "wrong-password").await.expect(401, "login-failed");
    }
    // A success clears what was counted.
    assert_eq!(login(&world, PASSWORD).await.status, 200);
    let guesses = futures_util::future::join_all((0..12).map(|_| login(&world, "wrong-password"))).await;
    let judged = guesses.iter().filter(|guess| guess.problem() == "login-failed").count();
    assert!(judged <= 5, "{judged} guesses were judged at once");
    let throttled = login(&world, PASSWORD).await;
    throttled.expect(429, "too-many-logins");
    let wait: u64 = throttled.header("retry-after").parse().unwrap();
    assert!((1..=901).contains(&wait), "{wait}");
    let database = world.halt().await;
    let world = World::with(database, &variables(), Role::Web).await;
    login(&world, PASSWORD).await.expect(429, "too-many-logins");
    // From another address, which a proxy on this machine notes, the admin comes in.
    let request = world.plain("POST", "/api/login").header("x-forwarded-for", "1.1.1.1, 203.0.113.7");
    assert_eq!(request.json(&json!({ "password": PASSWORD })).answer().await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn a_token_dies_with_its_password() {
    let world = World::new().await;
    let token = world.token().await;
    let me = || world.plain("GET", "/api/me").bearer_auth(&token).answer();
    assert_eq!(me().await.status, 200);
    // The same password again changes nothing, as at every start.
    assert_eq!(access::prepare(&world.app).await.unwrap(), AdminLogin::Configured);
    assert_eq!(me().await.status, 200);
    let other = Secret::new("another-password".to_owned());
    access::admins::set_password(&world.app.pool, "admin", &other).await.unwrap();
    me().await.expect(401, "unauthenticated");
    login(&world, PASSWORD).await.expect(401, "login-failed");
    let fresh = login(&world, other.reveal()).await.json["token"].as_str().unwrap().to_owned();
    assert_eq!(world.plain("GET", "/api/me").bearer_auth(&fresh).answer().await.status, 200);
    // A start with the configured one makes it count again.
    access::prepare(&world.app).await.unwrap();
    world.plain("GET", "/api/me").bearer_auth(&fresh).answer().await.expect(401, "unauthenticated");
    assert!(access::admins::remove(&world.app.pool, "admin").await.unwrap());
    login(&world, PASSWORD).await.expect(503, "no-admin");
    world.end().await;
}

#[tokio::test]
async fn a_cookie_works_for_our_own_pages_only() {
    let world = World::new().await;
    let cookie = format!("theme=dark; promostack_session={}", world.token().await);
    let host = world.base.trim_start_matches("http://").to_owned();
    let send = |method: &'static str, headers: Vec<(&'static str, String)>| {
        let mut request = world.plain(method, "/api/campaigns").header("cookie", &cookie);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if method == "POST" { request.json(&json!({ "name": "A", "code": "AAA" })) } else { request }
    };
    assert_eq!(send("GET", vec![]).answer().await.status, 200);
    for headers in [
        vec![],
        vec![("origin", "https://evil.example".to_owned())],
        vec![("origin", "null".to_owned())],
        vec![("origin", format!("http://{host}.evil.example"))],
        vec![("sec-fetch-site", "cross-site".to_owned())],
        vec![("sec-fetch-site", "same-site".to_owned()), ("origin", format!("http://{host}"))],
    ] {
        send("POST", headers).answer().await.expect(403, "cross-site-request");
    }
    for headers in [vec![("origin", format!("http://{host}"))], vec![("sec-fetch-site", "same-origin".to_owned())]] {
        let answer = send("POST", headers).answer().await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    world.end().await;

    let mut variables = variables();
    variables.push(("PUBLIC_URL", "https://promo.example".to_owned()));
    let world = World::with(Database::fresh().await, &variables, Role::Web).await;
    let answer = login(&world, PASSWORD).await;
    assert!(answer.header("set-cookie").contains("; Secure"), "{answer:?}");
    let cookie = format!("promostack_session={}", answer.json["token"].as_str().unwrap());
    let request = world.plain("POST", "/api/campaigns").header("cookie", &cookie);
    let request = request.header("origin", "https://promo.example").json(&json!({ "name": "A", "code": "AAA" }));
    assert_eq!(request.answer().await.status, 201);
    world.end().await;
}

#[tokio::test]
async fn a_key_is_shown_once_and_can_be_revoked() {
    let world = World::new().await;
    let made = world.post("/api/keys", json!({ "name": "reporting", "scopes": ["campaigns:read"] })).await;
    assert_eq!(made.status, 201);
    let key = made.json["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("ps_") && key.len() == 35);
    world.post("/api/keys", json!({ "name": "reporting", "scopes": [] })).await.expect(409, "key-name-taken");
    let list = || world.plain("GET", "/api/campaigns").header("x-api-key", &key).answer();
    assert_eq!(list().await.status, 200);
    assert_eq!(world.plain("GET", "/api/campaigns").bearer_auth(&key).answer().await.status, 200);
    let me = world.plain("GET", "/api/me").bearer_auth(&key).answer().await;
    assert_eq!(me.json["actor"], "key:reporting");

    let keys = world.get("/api/keys").await;
    assert!(!keys.text.contains(&key), "never shown again");
    let shown = keys.json["items"].as_array().unwrap().iter().find(|key| key["name"] == "reporting").unwrap();
    assert!(shown["last_used_at"].is_string() && shown.get("revoked_at").is_none(), "{shown}");
    let stored: (Vec<u8>,) = sqlx::query_as("select key_hash from api_keys where name = 'reporting'")
        .fetch_one(&world.app.pool)
        .await
        .unwrap();
    assert_eq!(stored.0.len(), 32);

    let path = made.header("location");
    assert_eq!(world.admin("DELETE", path).await.answer().await.status, 204);
    list().await.expect(401, "unauthenticated");
    assert_eq!(world.admin("DELETE", path).await.answer().await.status, 204, "again is harmless");
    let missing = "/api/keys/01935c2e-7b4a-7c31-9f05-5d1a8e6204b7";
    world.admin("DELETE", missing).await.answer().await.expect(404, "key-missing");
    world.post("/api/keys", json!({ "name": "reporting", "scopes": [] })).await.expect(409, "key-name-taken");
    world.end().await;
}

#[tokio::test]
async fn the_partner_has_the_configured_key() {
    let world = World::new().await;
    let list = |key: &str| world.plain("GET", "/api/campaigns").header("x-api-key", key).answer();
    assert_eq!(list(ENTRYLAB).await.status, 200);
    let post = world.plain("POST", "/api/campaigns").header("x-api-key", ENTRYLAB);
    post.json(&json!({})).answer().await.expect(403, "scope-missing");
    let database = world.halt().await;
    let mut variables = variables();
    variables.retain(|(name, _)| *name != "ENTRYLAB_API_KEY");
    variables.push(("ENTRYLAB_API_KEY", "another-entrylab-key".to_owned()));
    let world = World::with(database, &variables, Role::Web).await;
    let list = |key: &str| world.plain("GET", "/api/campaigns").header("x-api-key", key).answer();
    list(ENTRYLAB).await.expect(401, "unauthenticated");
    assert_eq!(list("another-entrylab-key").await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn a_start_says_how_to_log_in() {
    let database = Database::fresh().await;
    let build = |variables: &[(&'static str, String)], sandbox| {
        let mut config = config(variables);
        config.sandbox = sandbox;
        promostack::app::App::build(config, &database.url, promostack::clock::Clock::system()).unwrap()
    };
    let plain = build(&[], false);
    plain.prepare().await.unwrap();
    assert_eq!(access::prepare(&plain).await.unwrap(), AdminLogin::Nobody);
    let sandbox = build(&[], true);
    let AdminLogin::Generated(password) = access::prepare(&sandbox).await.unwrap() else { panic!() };
    assert!(password.reveal().len() >= 20);
    assert_eq!(access::prepare(&sandbox).await.unwrap(), AdminLogin::Generated(password.clone()), "at every start");
    assert!(access::admins::verify(&sandbox.pool, "admin", &password).await.unwrap());
    assert_eq!(access::prepare(&plain).await.unwrap(), AdminLogin::Existing);
    let set = Secret::new("set-by-hand".to_owned());
    access::admins::set_password(&sandbox.pool, "admin", &set).await.unwrap();
    assert_eq!(access::prepare(&sandbox).await.unwrap(), AdminLogin::Existing, "a password set by hand stays");
    for (name, password) in [("Admin", "long-enough"), ("admin", "short")] {
        let password = Secret::new(password.to_owned());
        assert!(access::admins::set_password(&sandbox.pool, name, &password).await.is_err());
    }
    plain.pool.close().await;
    sandbox.pool.close().await;
    drop(database);
}
