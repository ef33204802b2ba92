//! What people and admins say to the bot and what it answers, as snapshots that
//! are meant to be read; with restarts in the middle.

use promostack::clock::Clock;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Process, World,
    pictures::Seen,
    transcript::{press, transcript},
};

const ADMIN: i64 = 9001;
const ADMINS: [(&str, &str); 1] = [("TELEGRAM_ADMIN_IDS", "9001, 9002")];

async fn start(world: &World) -> Process {
    let process = world.process_with(&ADMINS).await;
    world.balancer.to(&[&process.url]);
    process
}

async fn restart(world: &World, process: Process) -> Process {
    process.kill();
    start(world).await
}

/// One thing after the other, as people do them.
async fn say(world: &World, user: i64, text: &str) {
    world.telegram.say(user, text).await;
    world.settled().await;
}

async fn say_in(world: &World, user: i64, language: &str, text: &str) {
    let body = json!({"text": text, "first_name": "Борис", "language_code": language});
    world.telegram.post(&format!("/chats/{user}/messages"), &body).await;
    world.settled().await;
}

async fn push(world: &World, user: i64, text: &str) {
    press(world, user, text).await;
    world.settled().await;
}

/// Without what is another every day.
async fn read(world: &World, user: i64) -> String {
    let today = Clock::system().now();
    transcript(world, user)
        .await
        .replace(&today.format("%-d %B %Y").to_string(), "(today)")
        .replace("sandbox_4711_bot", "(bot)")
}

async fn ok(process: &Process, path: &str, body: &Value) -> Value {
    let answer = process.post(path, body).await;
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{path}: {status} {text}");
    serde_json::from_str(&text).unwrap()
}

fn gold() -> Value {
    json!({
        "name": "Gold week", "code": "GOLD10", "limit_per_person": 1, "ends_at": "2099-01-31T18:00:00Z",
        "benefit": {"kind": "percent", "basis_points": 1250},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_finds_checks_redeems_and_sees_their_coupon() {
    let world = World::new().await;
    let process = start(&world).await;
    process.campaign(gold()).await;
    process.campaign(json!({"name": "For friends", "code": "FRIENDS", "unlisted": true})).await;
    process.campaign(json!({"name": "Silver", "code": "SILVER", "benefit": {"kind": "free_days", "days": 7}})).await;
    world.settled().await;
    for text in ["/start", "/help", "/campaigns", "/mycoupons", "/validate", "/validate gold10"] {
        say(&world, 1, text).await;
    }
    let process = restart(&world, process).await;
    push(&world, 1, "Redeem it").await;
    say(&world, 1, "/mycoupons").await;
    push(&world, 1, "Card: Gold week").await;
    say(&world, 1, "GOLD10").await;
    say(&world, 1, "/newcampaign").await;
    say(&world, 1, "/cancel").await;
    insta::assert_snapshot!("stranger", read(&world, 1).await);

    let messages = world.telegram.messages(1).await;
    let card = messages.iter().find(|message| !message["picture"].is_null()).unwrap();
    let link = Seen::look(&world.telegram.picture(card).await).qr();
    assert!(link.starts_with("https://t.me/") && link.ends_with("?start=GOLD10"), "{link}");
    drop(process);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_is_locked_out_across_restarts_until_somebody_lifts_it() {
    let world = World::new().await;
    let process = start(&world).await;
    let gold = process.campaign(gold()).await;
    let ended = process.campaign(json!({"name": "Old", "code": "OLD10"})).await;
    ok(&process, &format!("/api/campaigns/{ended}/end"), &Value::Null).await;
    for text in ["GUESS1", "/validate GUESS2", "/start OLD10", "/redeem GUESS3"] {
        say(&world, 1, text).await;
    }
    let process = restart(&world, process).await;
    say(&world, 1, "GUESS4").await;
    say(&world, 1, "GOLD10").await;
    let process = restart(&world, process).await;
    say(&world, 1, "/validate GOLD10").await;
    // Nobody else is.
    say(&world, 2, "GOLD10").await;
    assert!(world.bot_said(2).await[0].starts_with("Done!"));

    let misses = process.get("/api/misses").await;
    let reasons: Vec<_> = misses["items"].as_array().unwrap().iter().map(|miss| &miss["reason"]).collect();
    assert_eq!(reasons, ["unknown"; 5], "what was sent while locked out was not looked at: {misses}");
    let hours = process.get("/api/misses/hours").await;
    let hours = hours["items"].as_array().unwrap();
    assert_eq!(hours.len(), 48);
    assert_eq!(hours.iter().map(|hour| hour["misses"].as_i64().unwrap()).sum::<i64>(), 5);
    let locked = process.get("/api/lockouts").await;
    let person = locked["items"][0]["person"].as_str().unwrap();
    let lifted = ok(&process, &format!("/api/lockouts/{person}/lift"), &Value::Null).await;
    assert_eq!(lifted["events"], json!(["Lifted"]));
    let path = format!("/api/lockouts?min_position={}", lifted["position"]);
    assert_eq!(process.get(&path).await["items"], json!([]));
    say(&world, 1, "GOLD10").await;
    insta::assert_snapshot!("locked_out", read(&world, 1).await);

    // Programs learn the exact reason, are never locked out, and what failed is written down once.
    let again = json!({"code": "GOLD10", "telegram_id": 2});
    for _ in 0..2 {
        let request = process.admin(Method::POST, "/api/coupons/redeem").await.header("Idempotency-Key", "twice");
        let answer = request.json(&again).send().await.unwrap();
        assert_eq!(answer.status(), 409);
        assert_eq!(answer.json::<Value>().await.unwrap()["type"], "/problems/person-limit");
    }
    for _ in 0..10 {
        let answer = process.post("/api/coupons/validate", &json!({"code": "NOPE", "customer": "x"})).await;
        assert_eq!(answer.status(), 404);
    }
    world.settled().await;
    let of_gold = process.get(&format!("/api/misses?campaign={gold}")).await;
    assert_eq!(of_gold["items"].as_array().unwrap().len(), 1, "{of_gold}");
    assert_eq!(
        (&of_gold["items"][0]["reason"], &of_gold["items"][0]["source"]),
        (&json!("person_limit"), &json!("api"))
    );
    assert_eq!(process.get("/api/misses?reason=unknown").await["items"].as_array().unwrap().len(), 15);
    assert_eq!(process.get("/api/lockouts").await["items"], json!([]));
    world.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_answered_across_restarts_approved_and_rejected() {
    let world = World::new().await;
    let process = start(&world).await;
    let campaign = process
        .campaign(json!({
            "name": "Broker bonus", "code": "BONUS", "total_limit": 1,
            "questions": [
                {"text": "Which broker do you use?"},
                {"text": "How long have you been trading?", "choices": ["Less than a year", "Longer"]},
            ],
        }))
        .await;
    say(&world, 1, "/validate bonus").await;
    push(&world, 1, "Redeem it").await;
    let process = restart(&world, process).await;
    say(&world, 1, "Acme Markets").await;
    say(&world, 1, "for ages").await;
    let process = restart(&world, process).await;
    push(&world, 1, "Longer").await;
    say(&world, 1, "BONUS").await;
    say_in(&world, 2, "ru", "bonus").await;
    say_in(&world, 2, "ru", "Зенит").await;
    say_in(&world, 2, "ru", "longer").await;
    say(&world, 3, "BONUS").await;
    say(&world, 3, "/cancel").await;
    say(&world, 3, "BONUS").await;
    say(&world, 3, "Globex").await;
    push(&world, 3, "Less than a year").await;

    let list = process.get(&format!("/api/submissions?campaign={campaign}&status=pending")).await;
    let list = list["items"].as_array().unwrap();
    assert_eq!(list.iter().map(|item| &item["telegram_id"]).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(list[1]["answers"][0], json!({"question": "Which broker do you use?", "answer": "Зенит"}));
    let id = |at: usize| list[at]["id"].as_str().unwrap().to_owned();
    let rejection = json!({"reason": "Пришлите, пожалуйста, номер счёта."});
    let reject = format!("/api/submissions/{}/reject", id(1));
    let unseen = process.admin(Method::POST, &reject).await.header("If-Match", "\"7\"").json(&rejection);
    assert_eq!(unseen.send().await.unwrap().status(), 412, "not on what was not seen");
    let version = format!("\"{}\"", list[1]["version"]);
    let seen = process.admin(Method::POST, &reject).await.header("If-Match", version).json(&rejection);
    assert_eq!(seen.send().await.unwrap().status(), 200);
    ok(&process, &format!("/api/submissions/{}/approve", id(0)), &Value::Null).await;
    world.settled().await;
    // Nothing is left for the third.
    ok(&process, &format!("/api/submissions/{}/approve", id(2)), &Value::Null).await;
    let process = restart(&world, process).await;
    world.settled().await;
    let third = process.get(&format!("/api/submissions/{}", id(2))).await;
    assert_eq!((&third["status"], &third["reason"]), (&json!("pending"), &json!("all 1 redemptions are taken")));
    let first = process.get(&format!("/api/submissions/{}", id(0))).await;
    assert_eq!(first["status"], "fulfilled");
    let redemption = process.get(&format!("/api/redemptions?campaign={campaign}")).await;
    assert_eq!(redemption["items"][0]["id"], first["redemption"]);
    let answer = process.post(&format!("/api/submissions/{}/reject", id(0)), &rejection).await;
    assert_eq!(answer.status(), 409);
    insta::assert_snapshot!("questions", read(&world, 1).await);
    insta::assert_snapshot!("questions_in_russian", read(&world, 2).await);
    insta::assert_snapshot!("questions_cancelled", read(&world, 3).await);
    world.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_decides_on_answers_in_the_chat() {
    let world = World::new().await;
    let process = start(&world).await;
    // Nobody could be given a menu before they wrote to the bot.
    say(&world, ADMIN, "/start").await;
    let menu = world.telegram.get(&format!("/chats/{ADMIN}/commands")).await;
    assert!(menu.to_string().contains("newcampaign"), "{menu}");
    let questions = json!([{"text": "Which broker do you use?"}]);
    process.campaign(json!({"name": "Broker bonus", "code": "BONUS", "total_limit": 1, "questions": questions})).await;
    for (user, broker) in [(1, "Acme Markets"), (2, "Globex")] {
        say(&world, user, "BONUS").await;
        say(&world, user, broker).await;
    }
    // The newest message is the second person's.
    push(&world, ADMIN, "Reject").await;
    let process = restart(&world, process).await;
    say(&world, ADMIN, "Please use one of our partners.").await;
    push(&world, ADMIN, "Approve").await;
    assert!(world.bot_said(2).await.last().unwrap().contains("Please use one of our partners."));
    say(&world, 2, "BONUS").await;
    say(&world, 2, "Acme Markets").await;
    push(&world, ADMIN, "Approve").await;
    assert!(world.bot_said(2).await.last().unwrap().starts_with("Done!"));
    // Nothing is left for the first person: approved in vain, it is shown again with the reason.
    let left = process.get("/api/submissions?status=pending").await;
    assert_eq!(left["items"].as_array().unwrap().len(), 1, "{left}");
    let id = left["items"][0]["id"].as_str().unwrap();
    ok(&process, &format!("/api/submissions/{id}/approve"), &Value::Null).await;
    world.settled().await;
    push(&world, ADMIN, "Reject").await;
    say(&world, ADMIN, "You were too late, sorry.").await;
    assert!(world.bot_said(1).await.last().unwrap().contains("You were too late, sorry."));
    insta::assert_snapshot!("admin_decides", read(&world, ADMIN).await);
    world.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_runs_campaigns_from_the_chat() {
    let world = World::new().await;
    let process = start(&world).await;
    process.campaign(json!({"name": "First", "code": "TAKEN"})).await;
    say(&world, ADMIN, "/help").await;
    for text in ["/newcampaign", "Gold week", "gold 10!", "gold10", "12.5%", "none", "500"] {
        say(&world, ADMIN, text).await;
    }
    let process = restart(&world, process).await;
    for text in ["501", "1", "yesterday", "2099-01-31 18:00", "yes"] {
        say(&world, ADMIN, text).await;
    }
    let process = restart(&world, process).await;
    push(&world, ADMIN, "Open it now").await;
    push(&world, ADMIN, "Open it now").await;
    say(&world, 1, "GOLD10").await;
    assert!(world.bot_said(1).await[0].starts_with("Done!"));
    let drafted = process.get("/api/events?aggregate_type=campaign&type=Drafted").await;
    let actors: Vec<_> = drafted["items"].as_array().unwrap().iter().map(|event| event["actor"].as_str()).collect();
    assert_eq!(actors[0], Some("admin:admin"));
    assert!(actors[1].unwrap().starts_with("person:"), "what an admin says in the chat is theirs: {actors:?}");
    // A code that another campaign has.
    for text in ["/newcampaign", "Second", "TAKEN", "30 days"] {
        say(&world, ADMIN, text).await;
    }
    for _ in 0..3 {
        push(&world, ADMIN, "Skip").await;
    }
    push(&world, ADMIN, "Open it now").await;
    say(&world, ADMIN, "/stats").await;
    say(&world, ADMIN, "/pause").await;
    push(&world, ADMIN, "Gold week").await;
    say(&world, 2, "GOLD10").await;
    assert!(world.bot_said(2).await[0].starts_with("Sorry"));
    say(&world, ADMIN, "/resume GOLD10").await;
    say(&world, ADMIN, "/resume GOLD10").await;
    say(&world, ADMIN, "/pause NOPE").await;
    insta::assert_snapshot!("admin", read(&world, ADMIN).await);

    let campaigns = process.get("/api/campaigns?sort=created_at").await;
    let seen: Vec<_> = campaigns["items"].as_array().unwrap().iter().map(|c| (&c["name"], &c["status"])).collect();
    let wanted = [("First", "active"), ("Gold week", "active"), ("Second", "draft")];
    assert_eq!(
        seen,
        wanted.map(|(name, status)| (json!(name), json!(status))).iter().map(|(a, b)| (a, b)).collect::<Vec<_>>()
    );
    world.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_writes_to_everybody_after_a_look() {
    let world = World::new().await;
    let process = start(&world).await;
    say(&world, 1, "/start").await;
    say(&world, 2, "/start").await;
    say(&world, 2, "/stop").await;
    say(&world, ADMIN, "/broadcast").await;
    say(&world, ADMIN, "<b>Gold is up").await;
    let process = restart(&world, process).await;
    say(&world, ADMIN, "<b>Gold</b> is up! See /campaigns").await;
    say(&world, ADMIN, "yes").await;
    push(&world, ADMIN, "Send it").await;
    let done = async || {
        let list = process.get("/api/broadcasts").await;
        (list["items"][0]["status"] == "completed").then_some(list)
    };
    let list = crate::support::eventually("the broadcast to be completed", done).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
    say(&world, ADMIN, "/broadcast").await;
    say(&world, ADMIN, "Never mind").await;
    push(&world, ADMIN, "Discard it").await;
    insta::assert_snapshot!("broadcast", read(&world, ADMIN).await);
    // What is wrong is said in short, however long it is.
    say(&world, ADMIN + 1, "/broadcast").await;
    say(&world, ADMIN + 1, &format!("<{}>", "x".repeat(4_000))).await;
    let said = world.bot_said(ADMIN + 1).await.pop().unwrap();
    assert!(said.starts_with("That cannot be sent") && said.len() < 500, "{said}");
    assert_eq!(world.bot_said(1).await.last().unwrap(), "Gold is up! See /campaigns");
    assert!(!world.bot_said(2).await.iter().any(|text| text.contains("Gold is up")), "stopped means stopped");
    world.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_russian_is_answered_in_russian() {
    let world = World::new().await;
    let process = start(&world).await;
    process.campaign(gold()).await;
    for text in
        ["/start", "/help", "/campaigns", "/redeem", "/validate GOLD10", "GOLD10", "gold10", "/mycoupons", "GOLD11"]
    {
        say_in(&world, 1, "ru", text).await;
    }
    let read = read(&world, 1).await;
    let dated: Vec<String> = read
        .lines()
        .map(|line| match line.split_once("Активирован ") {
            Some((before, date)) => {
                let year = Clock::system().now().format("%Y").to_string();
                assert!(date.ends_with(&year), "{date}");
                format!("{before}Активирован (сегодня)")
            }
            None => line.to_owned(),
        })
        .collect();
    insta::assert_snapshot!("russian", dated.join("\n"));
}
