use serde_json::{Value, json};

use crate::support::World;

/// Unique codes are made by HTTP, redeemed in Telegram however they are typed,
/// and drawn as cards; with restarts in between.
#[tokio::test(flavor = "multi_thread")]
async fn unique_codes_are_redeemed_in_telegram_across_restarts() {
    let world = World::new().await;
    let process = world.process().await;
    let terms =
        json!({"name": "Partners", "limit_per_person": 1, "benefit": {"kind": "percent", "basis_points": 1250}});
    let id = process.campaign(terms).await;
    let made = process.post(&format!("/api/campaigns/{id}/batches"), &json!({"count": 3})).await;
    assert_eq!(made.status(), 201);
    let made: Value = made.json().await.unwrap();
    assert!(process.stop().await.success());

    // The key they are made with is the installation's, not the process's.
    let process = world.process().await;
    world.balancer.to(&[&process.url]);
    let path = format!("/api/batches/{}/codes?min_position={}", made["number"], made["position"]);
    let table = process.admin(reqwest::Method::GET, &path).await.send().await.unwrap().text().await.unwrap();
    let codes: Vec<&str> = table.split_terminator("\r\n").skip(1).collect();
    assert_eq!(codes.len(), 3);
    let typed = format!("/redeem {}-{}-{}", &codes[0][..4], &codes[0][4..8], &codes[0][8..]).to_lowercase();
    world.telegram.say(7001, &typed).await;
    world.settled().await;
    world.telegram.say(7002, codes[0]).await;
    world.telegram.say(7003, &format!("/start {}", codes[1])).await;
    world.settled().await;
    assert!(process.stop().await.success());

    let process = world.process().await;
    world.balancer.to(&[&process.url]);
    for code in [codes[2], codes[0]] {
        world.telegram.say(7001, code).await;
        world.settled().await;
    }
    let said = world.bot_said(7001).await;
    assert_eq!(said[0], format!("Done! {} is redeemed.\n\nPartners\nRedemption no. 1", codes[0]));
    assert!(said[1].starts_with("Sorry"), "that a code is good is not told to who may not use it: {said:?}");
    assert_eq!(said[2], format!("You have redeemed {} already. It can be used only once.", codes[0]));
    let misses = process.get(&format!("/api/misses?campaign={id}")).await;
    let reasons: Vec<_> = misses["items"].as_array().unwrap().iter().map(|miss| &miss["reason"]).collect();
    assert_eq!(reasons, ["person_limit", "over_limit", "code_used"], "{misses}");
    assert!(world.bot_said(7002).await[0].starts_with("Sorry"), "a used code is as good as none to a stranger");
    assert!(world.bot_said(7003).await[0].starts_with(&format!("Done! {} is redeemed.", codes[1])));
    let campaign = process.get(&format!("/api/campaigns/{id}")).await;
    assert_eq!(campaign["redeemed"], 2, "{campaign}");

    let redemptions = process.get(&format!("/api/campaigns/{id}/redemptions")).await;
    let first = redemptions["items"][0]["id"].as_str().unwrap();
    for path in [format!("/api/redemptions/{first}/card?holder_name=Anna"), format!("/api/campaigns/{id}/card")] {
        let card = process.admin(reqwest::Method::GET, &path).await.send().await.unwrap();
        assert_eq!(card.headers()["content-type"], "image/png", "{card:?}");
        let picture = card.bytes().await.unwrap();
        assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n") && picture.len() > 20_000, "{} bytes", picture.len());
    }
    world.audit().await;
}
