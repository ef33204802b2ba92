//! Lists: their pages stay whole while others write.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::world::{Answer, Send, World, until};

async fn pages(world: &World, path: &str, between: impl AsyncFn(usize)) -> Vec<Value> {
    let (mut items, mut cursor, mut page) = (vec![], String::new(), 0);
    loop {
        let answer = world.get(&format!("{path}{cursor}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        items.extend(answer.json["items"].as_array().unwrap().clone());
        let Some(next) = answer.json["next_cursor"].as_str() else { return items };
        cursor = format!("&cursor={next}");
        between(page).await;
        page += 1;
    }
}

async fn caught_up(world: &World, answer: &Answer) {
    let position = &answer.json["position"];
    for list in ["campaigns", "redemptions"] {
        assert_eq!(world.get(&format!("/api/{list}?min_position={position}")).await.status, 200);
    }
}

#[tokio::test]
async fn pages_of_campaigns_stay_whole() {
    let world = World::new().await;
    let mut ids = HashSet::new();
    let mut last = world.draft("C00").await;
    ids.insert(last.json["id"].clone());
    for number in 1..7 {
        last = world.draft(&format!("C{number:02}")).await;
        ids.insert(last.json["id"].clone());
    }
    caught_up(&world, &last).await;
    for sort in ["created_at", "-created_at", "name", "-name", "redeemed", "-redeemed"] {
        let items = pages(&world, &format!("/api/campaigns?q=campaign%20c&sort={sort}&limit=2"), async |page| {
            // One that sorts first and one that sorts last.
            for name in ["Campaign B", "Campaign D"] {
                let body = json!({ "name": name, "code": format!("XX{page}") });
                let made = world.post("/api/campaigns", body).await;
                caught_up(&world, &made).await;
            }
        })
        .await;
        let mut keys: Vec<String> = items.iter().map(|item| item["name"].to_string()).collect();
        let seen: Vec<&Value> = items.iter().map(|item| &item["id"]).filter(|id| ids.contains(id)).collect();
        assert_eq!(seen.iter().collect::<HashSet<_>>().len(), seen.len(), "{sort}: none twice");
        assert_eq!(seen.len(), ids.len(), "{sort}: none left out");
        if sort.ends_with("name") {
            if sort.starts_with('-') {
                keys.reverse();
            }
            assert!(keys.is_sorted(), "{keys:?}");
        }
    }
    let other = world.get("/api/campaigns?sort=name&limit=1").await;
    let cursor = other.json["next_cursor"].as_str().unwrap();
    let refused = world.get(&format!("/api/campaigns?sort=-redeemed&cursor={cursor}")).await;
    refused.expect(400, "invalid-input");
    assert_eq!(refused.fields(), ["cursor"]);
    world.end().await;
}

#[tokio::test]
async fn redemptions_are_found_by_who_and_when() {
    let world = World::new().await;
    let path = world.draft("GOLD10").await.header("location").to_owned();
    let active = world.admin("POST", &format!("{path}/activate")).await.answer().await;
    caught_up(&world, &active).await;
    for number in 1..=5 {
        crate::webhook::say(&world, number, 7000 + number, "GOLD10").await;
    }
    let mut found = vec![];
    until(async || {
        found = pages(&world, &format!("{path}/redemptions?limit=2&order=asc"), async |_| {}).await;
        found.len() == 5
    })
    .await;
    let numbers: Vec<_> = found.iter().map(|item| item["number"].as_i64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    let one = &found[2];
    let telegram_id = one["telegram_id"].as_i64().unwrap();
    for query in [
        format!("telegram_id={telegram_id}"),
        format!("person={}", one["person"].as_str().unwrap()),
        format!("telegram_id={telegram_id}&campaign={}", path.rsplit('/').next().unwrap()),
        format!("telegram_id={telegram_id}&since=2020-01-01T00:00:00Z&until=2999-01-01T00:00:00Z"),
    ] {
        let answer = world.get(&format!("/api/redemptions?{query}")).await;
        assert_eq!(answer.json["items"], json!([one]), "{query}");
    }
    let none = world.get("/api/redemptions?until=2020-01-01T00:00:00Z").await;
    assert_eq!(none.json, json!({ "items": [] }));
    world.end().await;
}
