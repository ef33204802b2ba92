//! Bad input of any kind is answered with a problem that names what is wrong
//! and that the document foretells.

use serde_json::{Value, json};

use crate::{
    document::declares,
    world::{Answer, Send, World},
};

struct Checked {
    world: World,
    document: Value,
}

impl Checked {
    async fn new() -> Self {
        let world = World::new().await;
        let document = world.plain("GET", "/api/openapi.json").answer().await.json;
        Self { world, document }
    }

    /// A problem, never of the server's making, that the operation declares.
    #[track_caller]
    fn check(&self, method: &str, path: &str, answer: &Answer, what: &str) {
        let what = format!("{method} {path}: {what}: {answer:#?}");
        assert!(answer.status.is_client_error(), "{what}");
        assert!(!answer.problem().is_empty(), "{what}");
        assert_eq!(answer.json["status"], answer.status.as_u16(), "{what}");
        let declared = declares(&self.document, method, path, answer.status.as_u16(), answer.problem());
        assert_ne!(declared, Some(false), "not declared: {what}");
    }
}

const ID: &str = "/api/campaigns/01935c2e-7b4a-7c31-9f05-5d1a8e6204b7";

#[tokio::test]
async fn a_bad_body_is_refused_by_field() {
    let checked = Checked::new().await;
    let draft = |field: &str, value: Value| {
        let mut body = json!({ "name": "A", "code": "AAA" });
        body[field] = value;
        body.to_string()
    };
    let mut cases: Vec<(&str, &str, String, &str)> = vec![];
    for (field, values) in [
        (
            "name",
            vec![
                json!(null),
                json!(1),
                json!(""),
                json!("  "),
                json!("a\u{0}b"),
                json!("a\nb"),
                json!("x".repeat(121)),
                json!([]),
            ],
        ),
        (
            "code",
            vec![
                json!(1),
                json!(""),
                json!("AB"),
                json!("A B C"),
                json!("золото"),
                json!("x".repeat(33)),
                json!("A\u{0}BC"),
            ],
        ),
        (
            "benefit",
            vec![
                json!(1),
                json!({}),
                json!({ "kind": "gift" }),
                json!({ "kind": "percent" }),
                json!({ "kind": "percent", "basis_points": 10_001 }),
                json!({ "kind": "percent", "basis_points": 1, "days": 1 }),
                json!({ "kind": "amount", "amount": { "minor": 0, "currency": "EUR" } }),
                json!({ "kind": "amount", "amount": { "minor": 1.5, "currency": "EUR" } }),
                json!({ "kind": "amount", "amount": { "minor": 1, "currency": "EURO" } }),
                json!({ "kind": "free_days", "days": 0 }),
                json!({ "kind": "text", "text": "A\u{0}B" }),
            ],
        ),
        ("limit_period", vec![json!(1), json!("year")]),
        ("minimum_spend", vec![json!(1), json!({ "minor": 1 })]),
        ("audience", vec![json!(1), json!("friends")]),
        ("metadata", vec![json!([]), json!({ "a": 1 }), json!({ "a\u{0}": "b" })]),
        (
            "starts_at",
            vec![json!(1), json!(""), json!("tomorrow"), json!("2027-13-01T00:00:00Z"), json!("2027-01-01"), json!({})],
        ),
        (
            "ends_at",
            vec![
                json!("2027-01-01T00:00:00"),
                json!("9999-12-31T23:59:59-01:00"),
                json!("0000-01-01T00:00:00+01:00"),
                json!("-5000-01-01T00:00:00Z"),
                json!(true),
            ],
        ),
        (
            "total_limit",
            vec![json!(0), json!(-1), json!(1.5), json!("5"), json!(2_147_483_648_u64), json!(1e300), json!([])],
        ),
        ("limit_per_person", vec![json!(0), json!(u64::MAX), json!({})]),
        ("unknown", vec![json!(1), json!(null)]),
        ("__proto__", vec![json!({})]),
    ] {
        for value in values {
            cases.push(("POST", "/api/campaigns", draft(field, value.clone()), field));
            if field != "__proto__" {
                cases.push(("PATCH", ID, json!({ field: value }).to_string(), field));
            }
        }
    }
    // What a patch may say and a draft may not, or the other way round, is no bad input.
    let blank =
        |body: &str| body.contains("\"\"") || body.contains("\"  \"") || body.contains("\\n") || body.contains("xxxx");
    cases.retain(|(method, _, body, field)| !(*method == "PATCH" && (*field == "name" && blank(body))));
    for body in
        ["", " ", "null", "1", "\"x\"", "[]", "{", "{\"name\":}", "\u{0}", "{\"name\":\"\\ud800\"}", "[[[[", "{} x"]
    {
        for (method, path) in [("POST", "/api/campaigns"), ("PATCH", ID), ("POST", "/api/keys"), ("POST", "/api/login")]
        {
            cases.push((method, path, body.to_owned(), "body"));
        }
    }
    cases.push(("POST", "/api/campaigns", "[".repeat(100_000), "body"));
    for (body, field) in [
        (json!({ "scopes": [] }), "name"),
        (json!({ "name": "", "scopes": [] }), "name"),
        (json!({ "name": "Upper", "scopes": [] }), "name"),
        (json!({ "name": "a\u{0}", "scopes": [] }), "name"),
        (json!({ "name": "a" }), "scopes"),
        (json!({ "name": "a", "scopes": "operations" }), "scopes"),
        (json!({ "name": "a", "scopes": ["everything"] }), "scopes"),
        (json!({ "name": "a", "scopes": [1] }), "scopes"),
        (json!({ "name": "a", "scopes": [], "admin": true }), "admin"),
    ] {
        cases.push(("POST", "/api/keys", body.to_string(), field));
    }
    for (body, field) in [
        (json!({}), "password"),
        (json!({ "password": 1 }), "password"),
        (json!({ "password": "" }), "password"),
        (json!({ "password": "a\u{0}" }), "password"),
        (json!({ "password": "x".repeat(1001) }), "password"),
        (json!({ "name": ["admin"], "password": "x" }), "name"),
        (json!({ "user": "admin", "password": "x" }), "user"),
    ] {
        cases.push(("POST", "/api/login", body.to_string(), field));
    }
    for (method, path, body, field) in cases {
        let request = checked.world.admin(method, path).await.header("if-match", "*");
        let answer = request.header("content-type", "application/json").body(body.clone()).answer().await;
        let shown: String = body.chars().take(80).collect();
        checked.check(method, path, &answer, &shown);
        assert!(answer.fields().contains(&field), "{method} {path} {shown}: {field} is not in {answer:#?}");
    }
    // All that is wrong at once.
    let all = checked.world.post("/api/campaigns", json!({ "code": 1, "total_limit": 0, "x": 1 })).await;
    assert_eq!(all.fields(), ["name", "code", "total_limit", "x"]);
    for (method, path) in [("POST", "/api/campaigns"), ("PATCH", ID), ("POST", "/api/keys"), ("POST", "/api/login")] {
        for media in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "", "\u{1}"] {
            let request = checked.world.admin(method, path).await.header("if-match", "*");
            let Ok(value) = reqwest::header::HeaderValue::from_str(media) else { continue };
            let answer = request.header("content-type", value).body("{}").answer().await;
            answer.expect(415, "unsupported-media-type");
            checked.check(method, path, &answer, media);
        }
        let answer = checked.world.admin(method, path).await.header("if-match", "*").answer().await;
        answer.expect(415, "unsupported-media-type");
        let large = checked.world.admin(method, path).await.header("if-match", "*");
        let large = large.header("content-type", "application/json").body(" ".repeat(1024 * 1024 + 1)).answer().await;
        large.expect(413, "body-too-large");
        checked.check(method, path, &large, "too large");
    }
    // One that tells its length only by its end, and is within the limit.
    let chunks = futures_util::stream::iter([Ok::<_, std::io::Error>("{\"name\":\"A\","), Ok("\"code\":\"AAA\"}")]);
    let chunked = checked.world.admin("POST", "/api/campaigns").await.header("content-type", "application/json");
    let chunked = chunked.body(reqwest::Body::wrap_stream(chunks)).answer().await;
    assert_eq!(chunked.status, 201, "{chunked:?}");
    checked.world.end().await;
}

#[tokio::test]
async fn a_bad_parameter_is_refused_by_name() {
    let checked = Checked::new().await;
    for (method, path, field) in [
        ("GET", "/api/campaigns?limit=0", "limit"),
        ("GET", "/api/campaigns?limit=201", "limit"),
        ("GET", "/api/campaigns?limit=-1", "limit"),
        ("GET", "/api/campaigns?limit=x", "limit"),
        ("GET", "/api/campaigns?limit=", "limit"),
        ("GET", "/api/campaigns?limit=1&limit=2", "limit"),
        ("GET", "/api/campaigns?limit=99999999999999999999", "limit"),
        ("GET", "/api/campaigns?sort=size", "sort"),
        ("GET", "/api/campaigns?status=gone", "status"),
        ("GET", "/api/campaigns?code=a%20b", "code"),
        ("GET", "/api/campaigns?code=%00", "code"),
        ("GET", "/api/campaigns?q=a%00b", "q"),
        ("GET", "/api/campaigns?cursor=x", "cursor"),
        ("GET", "/api/campaigns?cursor=%F0%9F%92%A9", "cursor"),
        ("GET", "/api/campaigns?cursor=", "cursor"),
        ("GET", "/api/campaigns?cursor=00000000000000000000000000000000t99999999999999999999", "cursor"),
        ("GET", "/api/campaigns?cursor=00000000000000000000000000000000t-9223372036854775808", "cursor"),
        ("GET", "/api/campaigns?cursor=00000000000000000000000000000000t-8000000000000000000", "cursor"),
        ("GET", "/api/campaigns?cursor=00000000000000000000000000000000t8000000000000000000", "cursor"),
        ("GET", "/api/campaigns?min_position=-1", "min_position"),
        ("GET", "/api/campaigns?min_position=9223372036854775807", "min_position"),
        ("GET", "/api/campaigns?min_position=9223372036854775808", "min_position"),
        ("GET", "/api/campaigns?wait_ms=30001", "wait_ms"),
        ("GET", "/api/campaigns?wait_ms=-1", "wait_ms"),
        ("GET", "/api/campaigns/x", "id"),
        ("GET", "/api/campaigns/%00", "path"),
        ("GET", "/api/campaigns/%FF", "path"),
        ("GET", "/api/campaigns/..%2F..%2Fkeys", "id"),
        ("PATCH", "/api/campaigns/1", "id"),
        ("POST", "/api/campaigns/x/activate", "id"),
        ("POST", "/api/campaigns/x/end", "id"),
        ("GET", "/api/campaigns/x/redemptions", "id"),
        ("GET", "/api/redemptions?campaign=x", "campaign"),
        ("GET", "/api/redemptions?person=1", "person"),
        ("GET", "/api/redemptions?telegram_id=x", "telegram_id"),
        ("GET", "/api/redemptions?telegram_id=9223372036854775808", "telegram_id"),
        ("GET", "/api/redemptions?since=yesterday", "since"),
        ("GET", "/api/redemptions?until=2027-01-01", "until"),
        ("GET", "/api/redemptions?since=-5000-01-01T00:00:00Z", "since"),
        ("GET", "/api/redemptions?until=%2B10000-01-01T00:00:00Z", "until"),
        ("GET", "/api/redemptions?order=up", "order"),
        ("GET", "/api/redemptions?cursor=00000000000000000000000000000000s41", "cursor"),
        ("GET", "/api/campaigns/01935c2e-7b4a-7c31-9f05-5d1a8e6204b7/statistics?from=-5000-01-01", "from"),
        ("GET", "/api/campaigns/01935c2e-7b4a-7c31-9f05-5d1a8e6204b7/statistics?to=-5000-01-01", "from"),
        ("GET", "/api/events?stream=campaign", "stream"),
        ("GET", "/api/events?stream=a/b&aggregate_type=a", "stream"),
        ("GET", "/api/events?cursor=-1", "cursor"),
        ("GET", "/api/events?cursor=9223372036854775807", "cursor"),
        ("GET", "/api/events?order=DESC", "order"),
        ("GET", "/api/events?actor=%00", "actor"),
        ("GET", "/api/events?since=2027-01-01T00:00:00%2B99:00", "since"),
        ("GET", "/api/events?since=-9999-01-01T00:00:00Z", "since"),
        ("GET", "/api/events?until=-9999-01-01T00:00:00Z", "until"),
        ("GET", "/api/events?until=%2B262142-01-01T00:00:00Z", "until"),
        ("GET", "/api/events?since=0000-01-01T00:00:00%2B01:00", "since"),
        ("GET", "/api/events/0", "position"),
        ("GET", "/api/events/-9223372036854775808", "position"),
        ("GET", "/api/events/9223372036854775807", "position"),
        ("GET", "/api/events/x", "position"),
        ("GET", "/api/events/stream?after=-1", "after"),
        ("GET", "/api/events/stream?after=x", "after"),
        ("GET", "/api/templates?limit=0", "limit"),
        ("GET", "/api/templates?archived=maybe", "archived"),
        ("GET", "/api/templates?cursor=00000000000000000000000000000000s41", "cursor"),
        ("GET", "/api/templates/x", "id"),
        ("GET", "/api/templates/x/image", "id"),
        ("POST", "/api/templates", "name"),
        ("POST", "/api/templates?name=", "name"),
        ("POST", "/api/templates/x/archive", "id"),
        ("GET", "/api/jobs?state=done", "state"),
        ("GET", "/api/jobs?kind=%00", "kind"),
        ("GET", "/api/jobs?cursor=-1", "cursor"),
        ("GET", "/api/jobs?limit=1000", "limit"),
        ("GET", "/api/plans?status=gone", "status"),
        ("GET", "/api/plans/x", "id"),
        ("GET", "/api/telegram-subscriptions?status=gone", "status"),
        ("GET", "/api/telegram-subscriptions?origin=gift", "origin"),
        ("GET", "/api/telegram-subscriptions?currency=EU", "currency"),
        ("GET", "/api/telegram-subscriptions?plan=x", "plan"),
        ("GET", "/api/telegram-subscriptions?email=a%00", "email"),
        ("GET", "/api/telegram-subscriptions?ends_before=%2B10000-01-01T00:00:00Z", "ends_before"),
        ("GET", "/api/telegram-subscriptions?cursor=00000000000000000000000000000000s41", "cursor"),
        ("GET", "/api/telegram-subscriptions/x", "id"),
        ("GET", "/api/telegram/check-access/x", "email"),
        ("GET", "/api/telegram/check-access/a@b.c?plan=x", "plan"),
        ("GET", "/api/telegram/why/x", "who"),
        ("GET", "/api/telegram/members?is_in=maybe", "is_in"),
        ("GET", "/api/telegram/members?cursor=00000000000000000000000000000000s41", "cursor"),
        ("GET", "/api/forex-signals?status=open", "status"),
        ("GET", "/api/forex-signals?strategy=martingale", "strategy"),
        ("GET", "/api/forex-signals?sort=pips", "sort"),
        ("GET", "/api/forex-signals?from=yesterday", "from"),
        ("GET", "/api/forex-signals?to=%2B10000-01-01T00:00:00Z", "to"),
        ("GET", "/api/forex-signals?cursor=00000000000000000000000000000001t0", "cursor"),
        ("GET", "/api/forex-signals?cursor=ffffffffffffffffffffffffffffffffn1", "cursor"),
        ("GET", "/api/forex-signals?cursor=00000000000000000000000000000001n9223372036854775807", "cursor"),
        ("GET", "/api/forex-signals/x", "number"),
        ("GET", "/api/forex-signals/-1", "number"),
        ("GET", "/api/forex-signals/4294967296", "number"),
        ("GET", "/api/forex-signals/statistics?strategy=x", "strategy"),
        ("GET", "/api/forex-signals/equity-curve?from=-9999-01-01T00:00:00Z", "from"),
        ("POST", "/api/jobs/x/retry", "id"),
        ("DELETE", "/api/jobs/99999999999999999999", "id"),
        ("DELETE", "/api/keys/x", "id"),
    ] {
        let answer = checked.world.admin(method, path).await.answer().await;
        checked.check(method, path, &answer, "");
        assert_eq!(answer.fields(), [field], "{method} {path}: {answer:#?}");
    }
    for (method, path, header, value) in [
        ("PATCH", ID, "If-Match", "3"),
        ("PATCH", ID, "If-Match", ""),
        ("GET", ID, "If-None-Match", "3"),
        ("POST", "/api/campaigns/01935c2e-7b4a-7c31-9f05-5d1a8e6204b7/end", "Idempotency-Key", "a b"),
        ("GET", "/api/events/stream", "Last-Event-ID", "x"),
    ] {
        let request = checked.world.admin(method, path).await.header(header, value);
        let request = if method == "PATCH" { request.json(&json!({})) } else { request };
        let answer = request.answer().await;
        checked.check(method, path, &answer, header);
        assert_eq!(answer.fields(), [header], "{method} {path}: {answer:#?}");
    }
    // Bytes that are no text.
    for (header, name) in
        [(&b"\xff\xfe"[..], "Idempotency-Key"), (&b"\xff"[..], "If-Match"), (&b"\xff"[..], "Last-Event-ID")]
    {
        let (method, path) = match name {
            "If-Match" => ("PATCH", ID),
            "Last-Event-ID" => ("GET", "/api/events/stream"),
            _ => ("POST", "/api/campaigns"),
        };
        let request = checked.world.admin(method, path).await.header(name, header);
        let request = if method == "GET" { request } else { request.json(&json!({ "name": "A", "code": "AAA" })) };
        let answer = request.answer().await;
        checked.check(method, path, &answer, name);
        assert_eq!(answer.fields(), [name], "{answer:#?}");
    }
    // Strange, but not wrong.
    for path in [
        "/api/campaigns?q=%25_%27%22%5C",
        "/api/campaigns?q=%FF",
        "/api/campaigns?&&",
        "/api/events?type=%F0%9F%92%A9&actor=%27%3B--",
        "/api/events?stream=/",
        "/api/events?since=0000-01-01T00:00:00Z&until=9999-12-31T23:59:59Z",
        "/api/redemptions?since=0000-01-01T00:00:00Z&telegram_id=-9223372036854775808",
        "/api/campaigns?sort=name&cursor=ffffffffffffffffffffffffffffffffs",
        "/api/events?cursor=9007199254740991&order=desc",
    ] {
        let answer = checked.world.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:#?}");
    }
    checked.world.end().await;
}

#[tokio::test]
async fn a_query_is_taken_at_its_word() {
    let checked = Checked::new().await;
    for (method, path, query, field, reason) in [
        ("GET", "/api/campaigns", "statuss=active", "statuss", "is not a parameter of this operation, which has "),
        ("GET", "/api/campaigns.csv", "Status=active", "Status", "is not a parameter of this operation, which has "),
        ("GET", "/api/campaigns", "limit=1&l%69mit=2", "limit", "must be given once"),
        ("GET", "/api/campaigns", "&&=&%", "", "is not a parameter of this operation, which has "),
        ("GET", ID, "verbose", "verbose", "is not a parameter of this operation, which has min_position, wait_ms"),
        ("POST", "/api/campaigns", "dry_run=true", "dry_run", "is not a parameter of this operation, which has none"),
        (
            "GET",
            "/api/campaigns",
            "status=open",
            "status",
            "must be one of draft, scheduled, active, paused, ended, archived",
        ),
    ] {
        let answer = checked.world.admin(method, &format!("{path}?{query}")).await.answer().await;
        let template = path.replace("01935c2e-7b4a-7c31-9f05-5d1a8e6204b7", "{id}");
        checked.check(method, &template, &answer, query);
        assert_eq!(answer.json["errors"][0]["field"], field, "{answer:#?}");
        let said = answer.json["errors"][0]["reason"].as_str().unwrap_or_default();
        assert!(said.starts_with(reason), "{said}");
    }
    // What others call, and what is no operation, may have any.
    for path in ["/", "/api/docs", "/api/openapi.json"] {
        assert!(checked.world.plain("GET", &format!("{path}?utm_source=mail")).answer().await.status.is_success());
    }
}
