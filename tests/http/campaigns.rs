//! Campaigns through the API.

use serde_json::json;

use crate::world::{Send, World};

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
    let again = world.admin("POST", &format!("{path}/activate")).await.answer().await;
    again.expect(409, "campaign-status");
    let listed = world.get("/api/campaigns?status=ended&q=GOLD&code=gold10").await;
    assert_eq!(listed.json["items"][0]["id"], id);
    world.end().await;
}
