//! Broadcasts: everybody once, whatever happens on the way; replies first; and
//! an admin's word is obeyed at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use promostack::integrations::telegram::twin::{Rate, TwinLimits};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Process, World, eventually};

/// How many get the great broadcast.
const MANY: i64 = 10_000;
const KILLS: usize = 3;

/// People the bot has met, without the hours it would take them all to say so:
/// their first messages stand in the log as the bot writes them, and in the twin
/// their chats.
async fn meet(world: &World, people: i64) {
    sqlx::query(
        "insert into sandbox.telegram_chat (bot_id, chat_id, first_name)
         select b.id, n, 'Person ' || n from sandbox.telegram_bot b, generate_series(1, $1) n",
    )
    .bind(people)
    .execute(&world.pool)
    .await
    .unwrap();
    sqlx::query(
        "insert into events (position, id, recorded_at, aggregate_type, aggregate_id, sequence, event_type,
                             event_version, payload, metadata, actor, correlation_id, causation)
         select coalesce((select max(position) from events), 0) + n, gen_random_uuid(), now(), 'bot_user',
                md5('person ' || n)::uuid::text, 1, 'Met', '1',
                json_build_object('Met', json_build_object('profile', json_build_object('personal',
                    json_build_object('id', n, 'name', 'Person ' || n, 'language',
                                      case when n % 2 = 0 then 'en' else 'de' end)),
                    'at', now())),
                '{}', 'system', gen_random_uuid(), 'test'
           from generate_series(1, $1) n",
    )
    .bind(people)
    .execute(&world.pool)
    .await
    .unwrap();
}

async fn connected(world: &World, environment: &[(&str, &str)]) -> Process {
    let process = world.process_with(environment).await;
    world.balancer.to(&[&process.url]);
    process
}

async fn send(process: &Process, body: Value) -> String {
    let answer = process.post("/api/broadcast", &body).await;
    let status = answer.status();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(status, 201, "{body}");
    let id = body["id"].as_str().unwrap().to_owned();
    process.get(&format!("/api/broadcasts/{id}?min_position={}&wait_ms=30000", body["position"])).await;
    id
}

async fn step(process: &Process, id: &str, step: &str) {
    let answer = process.post(&format!("/api/broadcasts/{id}/{step}"), &Value::Null).await;
    let status = answer.status();
    assert_eq!(status, 200, "{step}: {}", answer.text().await.unwrap());
}

async fn in_state(world: &World, id: &str, state: &str) -> BTreeSet<i64> {
    let chats: Vec<i64> =
        sqlx::query_scalar("select chat_id from broadcast_recipients where broadcast = $1::uuid and state = $2")
            .bind(id)
            .bind(state)
            .fetch_all(&world.pool)
            .await
            .unwrap();
    chats.into_iter().collect()
}

/// How often each person got a text, by the twin's own count.
async fn delivered(world: &World, text: &str) -> BTreeMap<i64, i64> {
    let counted = world.telegram.get(&format!("/counts/chats?text={}", text.replace(' ', "%20"))).await;
    let chats = counted["messages_from_bots"].as_object().unwrap();
    chats.iter().map(|(chat, count)| (chat.parse().unwrap(), count.as_i64().unwrap())).collect()
}

/// Waits until a broadcast has come so far, for as long as it moves at all: how fast is
/// the machine's business.
async fn come_to(process: &Process, id: &str, far_enough: impl Fn(&Value) -> bool) -> Value {
    let path = format!("/api/broadcasts/{id}");
    let (mut before, mut since) = (Value::Null, tokio::time::Instant::now());
    loop {
        let broadcast = process.get(&path).await;
        if far_enough(&broadcast) {
            return broadcast;
        }
        if broadcast["counts"] != before {
            (before, since) = (broadcast["counts"].clone(), tokio::time::Instant::now());
        }
        assert!(since.elapsed() < Duration::from_secs(90), "it stands still: {broadcast}");
        // Not too often: it is counted on the machine that sends.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn completed(process: &Process, id: &str) -> Value {
    come_to(process, id, |broadcast| broadcast["status"] == "completed").await
}

/// Ten thousand people, a Telegram that fails in every way and has its limits, and
/// three deaths: each gets it once, but those who are reported as unconfirmed, and
/// the twin never sees a limit passed.
#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_it_once_or_is_reported() {
    const BLOCKED: i64 = 50;
    // Faster than Telegram's, or it would take six minutes.
    let limits = TwinLimits { overall: Some(Rate::per_second(200)), per_chat: Some(Rate::per_second(1)) };
    let world = World::with_limits(limits).await;
    let environment = [
        ("JOB_LEASE_SECONDS", "1"),
        ("TELEGRAM_MESSAGES_PER_SECOND", "200"),
        ("TELEGRAM_MESSAGES_PER_SECOND_AND_CHAT", "1"),
    ];
    let mut process = connected(&world, &environment).await;
    meet(&world, MANY).await;
    sqlx::query("update sandbox.telegram_chat set blocked = true where chat_id <= $1")
        .bind(BLOCKED)
        .execute(&world.pool)
        .await
        .unwrap();
    let text = "Gold week begins";
    let id = send(&process, json!({ "text": format!("<b>{text}</b>") })).await;
    let moments = [MANY / 8, MANY / 3, MANY / 2];
    for moment in moments {
        // Between two deaths, what Telegram does on a bad day.
        for (times, error) in [
            (3, json!({ "accept_then_drop": true })),
            (5, json!({ "status": 500 })),
            (2, json!({ "hang_ms": 12_000 })),
            (1, json!({ "status": 429, "retry_after": 1 })),
        ] {
            let fault = json!({ "method": "sendMessage", "times": times, "error": error });
            world.telegram.post("/faults", &fault).await;
        }
        come_to(&process, &id, |broadcast| broadcast["counts"]["sent"].as_i64().unwrap() >= moment).await;
        process.kill();
        process = connected(&world, &environment).await;
    }
    assert_eq!(moments.len(), KILLS);
    let broadcast = completed(&process, &id).await;
    world.settled().await;

    let unconfirmed = in_state(&world, &id, "unconfirmed").await;
    let got = delivered(&world, text).await;
    for person in 1..=MANY {
        let times = got.get(&person).copied().unwrap_or_default();
        match person {
            _ if person <= BLOCKED => assert_eq!(times, 0, "{person} blocked the bot"),
            _ if unconfirmed.contains(&person) => assert!(times <= 1, "{person} is in doubt and got it {times} times"),
            _ => assert_eq!(times, 1, "{person} got it once"),
        }
    }
    // The hangs and drops are in doubt, and what was on its way in a death: few.
    assert!(unconfirmed.len() >= 9, "{}", unconfirmed.len());
    assert!(unconfirmed.len() <= 9 + 6 + KILLS * 32, "{}", unconfirmed.len());
    let counted = &broadcast["counts"];
    // Of one whose answer was lost it is not known that they blocked the bot.
    let gone = BLOCKED - unconfirmed.iter().filter(|person| **person <= BLOCKED).count() as i64;
    assert_eq!(counted["gone"], gone);
    assert_eq!(counted["failed"], 0, "{counted}");
    assert_eq!(counted["unconfirmed"], unconfirmed.len());
    assert_eq!(counted["sent"].as_i64().unwrap(), MANY - gone - unconfirmed.len() as i64);
    let totals: Value = sqlx::query_scalar(
        "select payload->'Completed'->'totals' from events where aggregate_type = 'broadcast' and event_type = 'Completed'",
    )
    .fetch_one(&world.pool)
    .await
    .unwrap();
    assert_eq!(totals["sent"], counted["sent"], "the event tells the same");

    // Who is gone is so in later audiences, too.
    let preview: Value = process.post("/api/broadcast/preview", &json!({ "text": "x" })).await.json().await.unwrap();
    assert_eq!(preview["recipients"], MANY - gone);

    // An order sends it to those in doubt, and to nobody else.
    step(&process, &id, "resend-unconfirmed").await;
    eventually("the order to be carried out", async || {
        (in_state(&world, &id, "unconfirmed").await.is_empty()).then_some(())
    })
    .await;
    completed(&process, &id).await;
    let again = delivered(&world, text).await;
    for person in BLOCKED + 1..=MANY {
        let before = got.get(&person).copied().unwrap_or_default();
        let more = i64::from(unconfirmed.contains(&person));
        assert_eq!(again.get(&person).copied().unwrap_or_default(), before + more, "{person}");
    }
    // The rates are kept. When Telegram orders silence, calls that are on their way come in it: no more than there are
    // at a time, for each order.
    let violations = world.telegram.get("/violations?limit=1000").await;
    let violations = violations["violations"].as_array().unwrap();
    let (silenced, rates): (Vec<_>, Vec<_>) =
        violations.iter().partition(|violation| violation["kind"] == "sent_while_silenced");
    assert_eq!(rates, Vec::<&Value>::new());
    assert!(silenced.len() <= moments.len() * 32, "{silenced:?}");
    world.audit().await;
}

/// Two processes share the work; a pause, a resumption and an end are obeyed
/// by both within a second, and by those that come after them.
#[tokio::test(flavor = "multi_thread")]
async fn an_admins_word_is_obeyed_by_all_processes() {
    let world = World::new().await;
    let slow = [("TELEGRAM_MESSAGES_PER_SECOND", "50")];
    let one = connected(&world, &slow).await;
    let two = world.process_with(&slow).await;
    meet(&world, 300).await;
    let id = send(&one, json!({ "text": "Slowly", "audience": { "language": "EN" }, "draft": true })).await;
    let draft = one.get(&format!("/api/broadcasts/{id}")).await;
    assert_eq!(draft["status"], "draft");
    step(&one, &id, "start").await;
    let sent = async || delivered(&world, "Slowly").await.len();
    let grown = async |than: usize| {
        eventually("more to be sent", async || (sent().await > than).then_some(())).await;
    };
    grown(10).await;
    let workers: i64 = eventually("both processes to be at it", async || {
        let workers: i64 = sqlx::query_scalar(
            "select count(distinct claimed_by) from broadcast_recipients where claimed_by is not null",
        )
        .fetch_one(&world.pool)
        .await
        .unwrap();
        (workers >= 2).then_some(workers)
    })
    .await;
    assert_eq!(workers, 2);

    step(&two, &id, "pause").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let paused = sent().await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(sent().await, paused, "nothing is sent while it is paused");
    assert!(paused < 100, "it was paused on the way: {paused}");

    // Whoever starts now has not heard of the pause and keeps it all the same.
    one.kill();
    two.kill();
    let (one, two) = (connected(&world, &slow).await, world.process_with(&slow).await);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(one.get(&format!("/api/broadcasts/{id}")).await["status"], "paused");
    assert_eq!(sent().await, paused, "nothing is sent by new processes");
    step(&one, &id, "resume").await;
    grown(paused).await;
    step(&one, &id, "cancel").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let cancelled = sent().await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(sent().await, cancelled, "nothing is sent after the end");
    let broadcast = two.get(&format!("/api/broadcasts/{id}")).await;
    assert_eq!((&broadcast["status"], &broadcast["recipients"]), (&json!("cancelled"), &json!(150)));
    assert_eq!(broadcast["counts"]["sent"], cancelled);
    let refused = one.post(&format!("/api/broadcasts/{id}/resume"), &Value::Null).await;
    assert_eq!(refused.status(), 409);
}

/// The limits are kept, by the twin's clock and by its own judgement, and a
/// scheduled broadcast starts by itself.
#[tokio::test(flavor = "multi_thread")]
async fn the_limits_are_kept() {
    const PEOPLE: i64 = 60;
    let limits = TwinLimits { overall: Some(Rate::per_second(20)), per_chat: Some(Rate::per_second(1)) };
    let world = World::with_limits(limits).await;
    let environment = [("TELEGRAM_MESSAGES_PER_SECOND", "20"), ("TELEGRAM_MESSAGES_PER_SECOND_AND_CHAT", "1")];
    let process = connected(&world, &environment).await;
    let _other = world.process_with(&environment).await;
    meet(&world, PEOPLE).await;
    let send_at = chrono::DateTime::from_timestamp(now(&world).await + 2, 0).unwrap();
    let id = send(&process, json!({ "text": "On time", "send_at": send_at })).await;
    completed(&process, &id).await;
    let times: Vec<f64> = sqlx::query_scalar(
        "select extract(epoch from sent_at)::float8 from sandbox.telegram_message where from_bot order by sent_at",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    assert_eq!(times.len() as i64, PEOPLE);
    assert!(times[0] >= send_at.timestamp() as f64, "not before its time");
    // Broadcasts use nine tenths of twenty a second; a call may take its time on the way.
    for (at, first) in times.iter().enumerate() {
        let in_a_second = times[at..].iter().take_while(|time| **time < first + 1.0).count();
        assert!(in_a_second <= 20, "{in_a_second} in a second");
    }
    assert!(times[times.len() - 1] - times[0] >= (PEOPLE - 1) as f64 / 18.0 - 0.2, "{times:?}");
    assert_eq!(world.telegram.get("/violations").await["count"], 0);
}

async fn now(world: &World) -> i64 {
    sqlx::query_scalar("select extract(epoch from now())::bigint").fetch_one(&world.pool).await.unwrap()
}

/// While replies wait, broadcasts do: by the order in which the twin took them.
#[tokio::test(flavor = "multi_thread")]
async fn replies_go_first() {
    const REPLIES: i64 = 40;
    let world = World::new().await;
    let slow = [("TELEGRAM_MESSAGES_PER_SECOND", "5")];
    let process = connected(&world, &slow).await;
    let _other = world.process_with(&slow).await;
    meet(&world, 200).await;
    let id = send(&process, json!({ "text": "Great news" })).await;
    eventually("the broadcast to be on its way", async || {
        (delivered(&world, "Great news").await.len() > 5).then_some(())
    })
    .await;
    // All at once, enqueued like any reply.
    let before = sent_in_order(&world).await.len();
    sqlx::query(
        "select enqueue_jobs(array_agg('telegram_message'::text),
                             array_agg(json_build_object('chat_id', n, 'text', 'A reply', 'silent', false)::text),
                             array_agg('coupon-bot-out:' || n), array_agg(0::bigint), array_agg(10),
                             array_agg(gen_random_uuid()), array_agg('test'::text))
           from generate_series(151, 150 + $1) n",
    )
    .bind(REPLIES)
    .execute(&world.pool)
    .await
    .unwrap();
    sqlx::query("notify promostack_jobs").execute(&world.pool).await.unwrap();
    eventually("all replies to be there", async || {
        (delivered(&world, "A reply").await.len() as i64 == REPLIES).then_some(())
    })
    .await;
    let order = sent_in_order(&world).await;
    let first = order.iter().position(|text| text == "A reply").unwrap();
    let last = order.iter().rposition(|text| text == "A reply").unwrap();
    assert!(first <= before + 3, "the first reply went almost at once: {order:?}");
    let between = order[first..last].iter().filter(|text| *text == "Great news").count();
    // A slot that is free in the moment between a reply's claim and its slot may be taken;
    // whoever takes slots in turn with the replies takes eight.
    assert!(between <= 2, "{between} messages of the broadcast between the replies: {order:?}");
    step(&process, &id, "cancel").await;
}

async fn sent_in_order(world: &World) -> Vec<String> {
    sqlx::query_scalar("select text from sandbox.telegram_message where from_bot order by sent_at, chat_id")
        .fetch_all(&world.pool)
        .await
        .unwrap()
}

/// People come, stop, block and return; who is written to follows, and admins see it.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_stops_or_blocks_is_left_alone() {
    let world = World::new().await;
    let process = connected(&world, &[]).await;
    for (user, texts) in [(1, vec!["/start"]), (2, vec!["/start", "/stop"]), (3, vec!["/help"]), (4, vec!["/start"])] {
        for text in texts {
            world.telegram.say(user, text).await;
        }
    }
    world.telegram.post("/chats/3/block", &json!({})).await;
    world.telegram.post("/chats/4/block", &json!({})).await;
    world.telegram.post("/chats/4/unblock", &json!({})).await;
    world.settled().await;
    assert!(world.bot_said(2).await[1].starts_with("You will get no more news"));
    let status = async |user: i64| {
        let users = process.get("/api/bot-users?limit=200").await;
        let users = users["items"].as_array().unwrap().clone();
        users.iter().find(|found| found["telegram_id"] == user).unwrap()["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(status(1).await, "active");
    assert_eq!(status(2).await, "stopped");
    assert_eq!(status(3).await, "blocked");
    assert_eq!(status(4).await, "active");
    let id = send(
        &process,
        json!({
            "text": "News", "buttons": [[{ "text": "Open", "url": "https://example.com/" }]],
            "photo": "https://example.com/gold.png",
        }),
    )
    .await;
    completed(&process, &id).await;
    assert_eq!(delivered(&world, "News").await, BTreeMap::from([(1, 1), (4, 1)]));
    let chat = world.telegram.get("/chats/1/messages").await;
    let news = chat["messages"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(news["photo"], "https://example.com/gold.png");
    assert_eq!(news["reply_markup"]["inline_keyboard"][0][0]["url"], "https://example.com/");

    // Back again, each in their own way.
    world.telegram.say(2, "/start").await;
    world.telegram.post("/chats/3/unblock", &json!({})).await;
    world.settled().await;
    let id = send(&process, json!({ "text": "More news" })).await;
    completed(&process, &id).await;
    assert_eq!(delivered(&world, "More news").await.len(), 4);
    let usage = process.get("/api/bot-usage?days=2").await;
    let uses = |command: &str| {
        let items = usage["items"].as_array().unwrap();
        items.iter().filter(|item| item["command"] == command).map(|item| item["uses"].as_i64().unwrap()).sum::<i64>()
    };
    assert_eq!((uses("start"), uses("stop"), uses("help")), (4, 1, 1), "{usage}");
    let table = process.admin(Method::GET, "/api/bot-users.csv").await.send().await.unwrap().text().await.unwrap();
    assert_eq!(table.lines().count(), 5, "{table}");
    let path = format!("/api/broadcasts/{id}/recipients.csv?state=sent");
    let table = process.admin(Method::GET, &path).await.send().await.unwrap().text().await.unwrap();
    assert_eq!(table.lines().count(), 5, "{table}");
    world.audit().await;
}
