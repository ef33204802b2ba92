//! Many at once, through two processes: every limit is kept exactly.

use std::collections::BTreeMap;

use aggregates::{
    Campaign, Decide,
    campaign::{Asked, Command, Event, Redemption, Refusal, Source, Supply},
};
use chrono::{TimeDelta, Timelike};
use cqrs_es::Aggregate;
use futures_util::{StreamExt, stream};
use promostack::{
    app::{App, Role},
    clock::Clock,
    executor::{SendError, Wish},
    log::Cause,
};
use serde_json::json;

use crate::support::{Process, World};

/// Replays a campaign from the log and checks after every event that all that
/// was issued is somewhere, and nobody has more than is allowed. Answers the
/// campaign.
async fn replayed(world: &World, id: &str, limit_per_person: u32) -> Campaign {
    let events: Vec<(String, String, String)> = sqlx::query_as(
        "select event_type, event_version, payload::text from events \
          where aggregate_type = 'campaign' and aggregate_id = $1 order by sequence",
    )
    .bind(id)
    .fetch_all(&world.pool)
    .await
    .unwrap();
    let mut campaign = Campaign::default();
    for (n, (name, version, payload)) in events.iter().enumerate() {
        let event = Campaign::read(name, version, payload).unwrap();
        let whose = match &event {
            Event::Redeemed { person, at, .. } | Event::Reserved { person, at, .. } => Some((*person, *at)),
            _ => None,
        };
        campaign.apply(event);
        let running = campaign.running().unwrap();
        let Supply { issued, redeemed, reserved, available } = running.supply();
        if let Some(issued) = issued {
            assert_eq!(issued, redeemed + reserved + available.unwrap(), "after event {n}: {payload}");
        }
        if let Some((person, at)) = whose {
            let used = running.used_by(person, at);
            assert!((1..=limit_per_person).contains(&used), "after event {n} {used} by one person: {payload}");
        }
    }
    campaign
}

/// A request that redeems or reserves; whether it was taken. Any refusal but that of the limit is a failure.
async fn taken(process: &Process, what: &str, body: &serde_json::Value) -> bool {
    let key = Clock::system().new_id().to_string();
    let answer = loop {
        let request = process.admin(reqwest::Method::POST, &format!("/api/coupons/{what}")).await;
        let answer = request.header("Idempotency-Key", &key).json(body).send().await.unwrap();
        // A busy machine may have no connection in time; the same request again is the same wish.
        if answer.status() != reqwest::StatusCode::SERVICE_UNAVAILABLE {
            break answer;
        }
    };
    if answer.status().is_success() {
        return true;
    }
    let problem: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(problem["type"], "/problems/person-limit", "{problem}");
    false
}

/// How often the bot told each person "Done!", and how often it told them anything.
async fn told(world: &World) -> BTreeMap<i64, (usize, usize)> {
    let told: Vec<(i64, i64, i64)> = sqlx::query_as(
        "select chat_id, count(*) filter (where starts_with(text, 'Done!')), count(*) from sandbox.telegram_message \
          where from_bot group by chat_id",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    told.into_iter().map(|(user, done, all)| (user, (done as usize, all as usize))).collect()
}

/// One person tries 2,000 times at once, by the API of two processes and by the
/// bot, in a campaign that allows each person three for ever.
#[tokio::test(flavor = "multi_thread")]
async fn one_person_gets_no_more_than_three_for_ever() {
    const LIMIT: u32 = 3;
    const USER: i64 = 7;
    let world = World::new().await;
    let (one, two) = tokio::join!(world.process(), world.process());
    let terms = json!({"name": "Loyal", "code": "LOYAL", "total_limit": 1_000, "limit_per_person": LIMIT});
    let id = one.campaign(terms).await;
    world.balancer.to(&[&one.url, &two.url]);
    for process in [&one, &two] {
        process.token().await;
    }

    // The bot begins, so that the API does not have it all.
    for _ in 0..20 {
        world.telegram.say(USER, "LOYAL").await;
    }
    let by_api = stream::iter(0..1_800)
        .map(async |n| {
            let process = if n % 2 == 0 { &one } else { &two };
            let what = if n % 3 == 0 { "reserve" } else { "redeem" };
            let mut body = json!({"code": "LOYAL", "telegram_id": USER});
            if what == "reserve" {
                body["seconds"] = json!(600);
            }
            taken(process, what, &body).await
        })
        .buffer_unordered(64)
        .filter(|taken| std::future::ready(*taken))
        .count();
    let by_bot = stream::iter(20..200).for_each_concurrent(32, async |_| {
        world.telegram.say(USER, "LOYAL").await;
    });
    let (by_api, ()) = tokio::join!(by_api, by_bot);
    world.settled().await;

    let (by_bot, answers) = told(&world).await[&USER];
    assert_eq!(by_api + by_bot, LIMIT as usize, "{by_api} by the API and {by_bot} by the bot");
    assert_eq!(answers, 200, "each message is answered once");
    let campaign = replayed(&world, &id, LIMIT).await;
    let supply = campaign.running().unwrap().supply();
    assert_eq!((supply.redeemed + supply.reserved, supply.available), (LIMIT, Some(997)));
    let shown = two.get(&format!("/api/campaigns/{id}/statistics")).await;
    assert_eq!(json!([shown["redeemed"], shown["reserved"]]), json!([supply.redeemed, supply.reserved]));
    world.audit().await;
}

/// 400 people, each of whom tries five times on each of two days, in a campaign
/// that allows each of them two a day: each gets exactly two on both days.
#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_two_a_day() {
    const PEOPLE: i64 = 400;
    const LIMIT: u32 = 2;
    let world = World::new().await;
    let (one, two) = tokio::join!(world.process(), world.process());
    let terms = json!({
        "name": "Daily", "code": "DAILY", "total_limit": 5_000, "limit_per_person": LIMIT, "limit_period": "day",
    });
    let id = one.campaign(terms).await;
    world.balancer.to(&[&one.url, &two.url]);
    let left = 86_400 - Clock::system().now().num_seconds_from_midnight();
    if left < 180 {
        // The second day shall be one.
        tokio::time::sleep(std::time::Duration::from_secs(u64::from(left) + 1)).await;
    }

    // Yesterday, when two other programs ran whose clocks said so.
    let yesterday = Clock::fixed(Clock::system().now() - TimeDelta::days(1));
    let mut apps = vec![];
    for _ in 0..2 {
        let config = crate::lifecycle::config(&world.database.url);
        let app = App::build(config, &world.database.url, yesterday.clone()).unwrap();
        let running = app.start(Role::Web).await.unwrap();
        apps.push((app, running));
    }
    let got = stream::iter(0..5 * PEOPLE)
        .map(async |n| {
            let (app, _) = &apps[(n % 2) as usize];
            let person = app.person_of_telegram(n % PEOPLE + 1).await.unwrap();
            let asked = Asked {
                person,
                coupon: None,
                code: None,
                reservation: None,
                spend: None,
                submission: None,
                at: app.clock.now(),
            };
            let redemption = Redemption { id: app.clock.new_id(), telegram: None, source: Source::Api };
            let wish = Wish {
                command: Command::Redeem { redemption, asked },
                cause: Cause { actor: "test".into(), correlation: app.clock.new_id(), causation: "test".into() },
                once: None,
                expected: None,
            };
            match app.campaigns.send(&id, wish).await {
                Ok(_) => true,
                Err(SendError::Refused(Refusal::PersonLimit { limit: LIMIT, .. })) => false,
                Err(error) => panic!("{error}"),
            }
        })
        .buffer_unordered(2_000)
        .filter(|got| std::future::ready(*got))
        .count()
        .await;
    assert_eq!(got, (PEOPLE * i64::from(LIMIT)) as usize);
    for (app, running) in apps {
        running.stop().await;
        app.pool.close().await;
    }

    // Today: twice by the bot, twice by the API, and once more to reserve.
    for process in [&one, &two] {
        process.token().await;
    }
    let by_api = stream::iter(0..3 * PEOPLE)
        .map(async |n| {
            let process = if n % 2 == 0 { &one } else { &two };
            let user = n % PEOPLE + 1;
            let (what, body) = match n / PEOPLE {
                0 => ("reserve", json!({"code": "DAILY", "telegram_id": user, "seconds": 600})),
                _ => ("redeem", json!({"code": "DAILY", "telegram_id": user})),
            };
            (user, taken(process, what, &body).await)
        })
        .buffer_unordered(64)
        .collect::<Vec<_>>();
    let by_bot = stream::iter(0..2 * PEOPLE).for_each_concurrent(64, async |n| {
        world.telegram.say(n % PEOPLE + 1, "DAILY").await;
    });
    let (by_api, ()) = tokio::join!(by_api, by_bot);
    world.settled().await;

    let mut got = told(&world).await;
    for (user, taken) in by_api {
        got.entry(user).or_default().0 += usize::from(taken);
    }
    let wrong: Vec<_> = got.iter().filter(|(_, (count, answers))| (*count, *answers) != (LIMIT as usize, 2)).collect();
    assert!(wrong.is_empty() && got.len() == PEOPLE as usize, "(got, answers of the bot): {wrong:?}");
    let campaign = replayed(&world, &id, LIMIT).await;
    let supply = campaign.running().unwrap().supply();
    let all = 2 * PEOPLE as u32 * LIMIT;
    assert_eq!((supply.redeemed + supply.reserved, supply.available), (all, Some(5_000 - all)));
    let shown = two.get(&format!("/api/campaigns/{id}/statistics")).await;
    let days = shown["days"].as_array().unwrap();
    let of = |day: &serde_json::Value| day["redeemed"].as_u64().unwrap() + day["reserved"].as_u64().unwrap();
    let last: Vec<u64> = days[days.len() - 2..].iter().map(of).collect();
    assert_eq!(last, [800, 800], "{days:?}");
    world.audit().await;
}

/// What a process remembers of a code is no answer: when another process gives the code to
/// another campaign, the next redemption is of that one, and the key's answer is kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_moved_on_is_redeemed_where_it_is_now() {
    let world = World::new().await;
    let (one, two) = tokio::join!(world.process(), world.process());
    let first = one.campaign(json!({"name": "First", "code": "MOVES"})).await;
    let redeem = async |customer: &str| {
        let request = one.admin(reqwest::Method::POST, "/api/coupons/redeem").await;
        let body = json!({"code": "MOVES", "customer": customer});
        let answer = request.header("Idempotency-Key", customer).json(&body).send().await.unwrap();
        let (status, replayed) = (answer.status(), answer.headers().contains_key("idempotency-replayed"));
        let answer: serde_json::Value = answer.json().await.unwrap();
        (status.as_u16(), answer["campaign_id"].as_str().map(str::to_owned), answer["number"].as_u64(), replayed)
    };
    assert_eq!(redeem("anna").await, (200, Some(first.clone()), Some(1), false));
    assert_eq!(redeem("ben").await, (200, Some(first.clone()), Some(2), false));
    assert_eq!(two.post(&format!("/api/campaigns/{first}/end"), &json!({})).await.status(), 200);
    world.settled().await;
    let second = two.campaign(json!({"name": "Second", "code": "MOVES"})).await;
    for replayed in [false, true] {
        assert_eq!(redeem("carl").await, (200, Some(second.clone()), Some(1), replayed));
        assert_eq!(redeem("ben").await, (200, Some(first.clone()), Some(2), true));
    }
    world.audit().await;
}

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
