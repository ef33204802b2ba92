//! The log through the API.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{Send, World};

#[tokio::test]
async fn the_log_is_read_by_selection_and_by_position() {
    let world = World::new().await;
    let draft = world.draft("AAA").await;
    let path = draft.header("location").to_owned();
    let id = draft.json["id"].as_str().unwrap().to_owned();
    let request = "7c1c7e0e-7b4a-4c31-9f05-5d1a8e6204b7";
    let done = world.admin("POST", &format!("{path}/activate")).await.header("x-request-id", request).answer().await;
    assert_eq!(done.header("x-request-id"), request);

    let all = world.get("/api/events").await;
    let items = all.json["items"].as_array().unwrap();
    let positions: Vec<_> = items.iter().map(|item| item["position"].as_i64().unwrap()).collect();
    assert_eq!(positions, [1, 2, 3]);
    let types: Vec<_> = items.iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["Drafted", "Claimed", "Activated"]);
    for item in &items[1..] {
        assert_eq!(item["correlation"], request);
        assert_eq!(item["causation"], format!("request:{request}"));
        assert_eq!(item["actor"], "admin:admin");
        assert!(item["payload"].is_object());
    }
    assert_eq!(world.get("/api/events/2").await.json, items[1]);
    world.get("/api/events/4").await.expect(404, "event-missing");

    for (query, wanted) in [
        (format!("stream=campaign/{id}"), vec![1, 3]),
        (format!("aggregate_type=campaign&aggregate_id={id}&order=desc"), vec![3, 1]),
        ("stream=code/AAA".to_owned(), vec![2]),
        ("type=Claimed".to_owned(), vec![2]),
        ("actor=admin:admin&order=desc".to_owned(), vec![3, 2, 1]),
        ("actor=admin:other".to_owned(), vec![]),
        ("since=2999-01-01T00:00:00Z".to_owned(), vec![]),
        ("until=2999-01-01T00:00:00Z".to_owned(), vec![1, 2, 3]),
    ] {
        let answer = world.get(&format!("/api/events?{query}")).await;
        let positions: Vec<i64> =
            answer.json["items"].as_array().unwrap().iter().map(|item| item["position"].as_i64().unwrap()).collect();
        assert_eq!(positions, wanted, "{query}");
    }
    let mut cursor = String::new();
    let mut seen = vec![];
    loop {
        let page = world.get(&format!("/api/events?limit=1{cursor}")).await;
        seen.extend(page.json["items"].as_array().unwrap().iter().map(|item| item["position"].as_i64().unwrap()));
        let Some(next) = page.json["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, [1, 2, 3]);
    world.end().await;
}

/// A client of the stream that reads as it comes.
struct Follower {
    response: reqwest::Response,
    text: String,
}

impl Follower {
    async fn new(world: &World, query: &str, last_event_id: Option<&str>) -> Self {
        let mut request = world.admin("GET", &format!("/api/events/stream{query}")).await;
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// The next event: id, type and data.
    async fn next(&mut self) -> (String, String, Value) {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let block: String = self.text.drain(..end + 2).collect();
                let field = |name: &str| {
                    let lines = block.lines();
                    lines.filter_map(|line| line.strip_prefix(name)).collect::<String>().trim().to_owned()
                };
                if field("data:").is_empty() {
                    continue;
                }
                return (field("id:"), field("event:"), serde_json::from_str(&field("data:")).unwrap());
            }
            let chunk = tokio::time::timeout(Duration::from_secs(60), self.response.chunk()).await;
            self.text += std::str::from_utf8(&chunk.unwrap().unwrap().expect("the stream goes on")).unwrap();
        }
    }
}

#[tokio::test]
async fn the_log_is_followed_and_gone_on_with() {
    let world = World::new().await;
    let path = world.draft("AAA").await.header("location").to_owned();
    let mut all = Follower::new(&world, "?after=0", None).await;
    let mut fresh = Follower::new(&world, "", None).await;
    assert_eq!(all.next().await.1, "Drafted");
    world.admin("POST", &format!("{path}/activate")).await.answer().await;
    for follower in [&mut all, &mut fresh] {
        let (id, name, event) = follower.next().await;
        assert_eq!((id.as_str(), name.as_str(), &event["position"]), ("2", "Claimed", &json!(2)));
        assert_eq!(follower.next().await.0, "3");
    }
    drop(all);
    world.admin("POST", &format!("{path}/pause")).await.answer().await;
    // Last-Event-ID counts more than the query of the first time.
    let mut again = Follower::new(&world, "?after=0", Some("2")).await;
    assert_eq!(again.next().await.0, "3");
    assert_eq!(again.next().await.1, "Paused");
    for bad in ["x", "-1", "99999999999999999999"] {
        let refused = world.admin("GET", "/api/events/stream").await.header("last-event-id", bad).answer().await;
        refused.expect(400, "invalid-input");
        assert_eq!(refused.fields(), ["Last-Event-ID"]);
    }
    // The open streams end when the process stops; one that did not would hold it for a minute.
    world.end().await;
}
