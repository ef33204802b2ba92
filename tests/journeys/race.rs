use futures_util::{StreamExt, stream};
use serde_json::json;

use crate::support::World;

/// 2,000 people at once, through two processes, for 500 redemptions: exactly
/// 500 get one, each is told so, and the other 1,500 are told no.
#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_race_for_five_hundred() {
    let world = World::new().await;
    let (one, two) = tokio::join!(world.process(), world.process());
    let id = one.campaign(json!({"name": "Rush", "code": "RUSH", "total_limit": 500, "limit_per_person": 1})).await;
    world.balancer.to(&[&one.url, &two.url]);

    stream::iter(1..=2_000)
        .for_each_concurrent(64, async |user| {
            world.telegram.say(user, "RUSH").await;
        })
        .await;
    world.settled().await;

    let mut told = (0, 0);
    for user in 1..=2_000 {
        let said = world.bot_said(user).await;
        assert_eq!(said.len(), 1, "user {user} was told {said:?}");
        if said[0].starts_with("Done! RUSH is redeemed.") {
            told.0 += 1;
        } else {
            assert!(said[0].starts_with("Sorry, this code cannot be redeemed."), "{said:?}");
            told.1 += 1;
        }
    }
    assert_eq!(told, (500, 1_500));
    let (count, people, numbers): (i64, i64, i64) = sqlx::query_as(
        "select count(*), count(distinct person), count(distinct number) from redemptions where number between 1 and 500",
    )
    .fetch_one(&world.pool)
    .await
    .unwrap();
    assert_eq!((count, people, numbers), (500, 500, 500));
    assert_eq!(two.get(&format!("/api/campaigns/{id}")).await["redeemed"], 500);
    for process in [&one, &two] {
        let metrics = process.admin(reqwest::Method::GET, "/metrics").await.send().await.unwrap().text().await.unwrap();
        assert!(metrics.contains(r#"promostack_jobs_total{kind="coupon_bot_update",outcome="done"}"#), "both worked");
    }
    world.audit().await;
}
