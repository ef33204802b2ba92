use reqwest::Method;
use serde_json::{Value, json};

use crate::support::World;

/// Create and activate by HTTP, redeem by a Telegram update, see the reply, the
/// read model and the event; with restarts in between.
#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_is_created_redeemed_and_seen_across_restarts() {
    let world = World::new().await;
    let process = world.process().await;
    let id =
        process.campaign(json!({"name": "Gold week", "code": "gold10", "total_limit": 2, "limit_per_person": 1})).await;
    assert!(process.stop().await.success(), "a stop on request is a success");

    let process = world.process().await;
    world.balancer.to(&[&process.url]);
    world.telegram.say(7001, "/start").await;
    world.telegram.say(7001, "gold10").await;
    world.telegram.say(7001, "/redeem GOLD10").await;
    world.telegram.say(7002, "GOLD11").await;
    world.settled().await;
    let said = world.bot_said(7001).await;
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said[0].starts_with("Hello Anna!"), "{said:?}");
    let done = |text: &&String| **text == "Done! GOLD10 is redeemed.\n\nGold week\nRedemption no. 1";
    assert_eq!(said.iter().filter(done).count(), 1, "{said:?}");
    assert!(said.iter().any(|text| text.starts_with("You have redeemed GOLD10 already.")), "{said:?}");
    assert!(world.bot_said(7002).await[0].starts_with("Sorry, this code cannot be redeemed."));
    assert!(process.stop().await.success());

    let process = world.process().await;
    let campaign = process.get(&format!("/api/campaigns/{id}")).await;
    assert_eq!((&campaign["redeemed"], &campaign["status"]), (&json!(1), &json!("active")));
    let redemptions = process.get(&format!("/api/campaigns/{id}/redemptions")).await;
    assert_eq!(redemptions["items"][0]["telegram_id"], 7001);
    assert_eq!(redemptions["items"].as_array().unwrap().len(), 1);

    let events = process.get(&format!("/api/events?stream=campaign/{id}")).await;
    let events = events["items"].as_array().unwrap();
    let types: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["Drafted", "Activated", "Redeemed"]);
    let redeemed = &events[2];
    assert!(redeemed["actor"].as_str().unwrap().starts_with("person:"), "{redeemed}");
    assert!(redeemed["causation"].as_str().unwrap().starts_with("telegram-update:"), "{redeemed}");
    assert_eq!(redeemed["payload"]["Redeemed"]["telegram"]["personal"]["id"], 7001);
    world.audit().await;
}

/// A campaign is paused, resumed and ended; its code then serves another.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_held_by_one_campaign_until_it_ends() {
    let world = World::new().await;
    let process = world.process().await;
    world.balancer.to(&[&process.url]);
    let first = process.campaign(json!({"name": "First", "code": "SHARED"})).await;
    let draft: Value =
        process.post("/api/campaigns", &json!({"name": "Second", "code": "SHARED"})).await.json().await.unwrap();
    let second = draft["id"].as_str().unwrap();

    let answer = process.post(&format!("/api/campaigns/{second}/activate"), &Value::Null).await;
    assert_eq!(answer.status(), 409);
    let problem = answer.text().await.unwrap();
    assert!(problem.contains(&first) && problem.contains("code-in-use"), "{problem}");

    assert!(process.post(&format!("/api/campaigns/{first}/pause"), &Value::Null).await.status().is_success());
    world.telegram.say(1, "SHARED").await;
    world.settled().await;
    assert!(world.bot_said(1).await[0].starts_with("Sorry"), "a paused campaign is not redeemed");
    assert!(process.post(&format!("/api/campaigns/{first}/resume"), &Value::Null).await.status().is_success());
    world.telegram.say(1, "SHARED").await;
    world.settled().await;
    assert!(world.bot_said(1).await[1].starts_with("Done!"), "a resumed one is");

    assert!(process.post(&format!("/api/campaigns/{first}/end"), &Value::Null).await.status().is_success());
    world.settled().await;
    let answer = process.post(&format!("/api/campaigns/{second}/activate"), &Value::Null).await;
    let position = answer.headers()["promostack-position"].to_str().unwrap().to_owned();
    assert!(answer.status().is_success());
    let path = format!("/api/campaigns/{second}?min_position={position}");
    assert_eq!(process.get(&path).await["status"], "active", "a read that waits sees the write");
    world.telegram.say(1, "SHARED").await;
    world.settled().await;
    assert!(world.bot_said(1).await[2].contains("Second"));
    assert_eq!(process.admin(Method::GET, "/api/jobs?state=dead").await.send().await.unwrap().status(), 200);
}
