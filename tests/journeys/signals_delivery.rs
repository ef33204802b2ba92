//! From events of signals to posts in the channel: each once, whatever dies in between.

use std::time::Duration;

use aggregates::signal::{self, Observation, XAUUSD};
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use promostack::{
    app::{App, Role, Running},
    clock::Clock,
    config::Config,
    integrations::http_client,
    market::store::{self, Coverage},
};
use serde_json::{Value, json};
use trading::{Candle, Direction, Levels, Price, Target};

use crate::support::{
    Process, World, eventually,
    members::{by_hand, send},
};

const TOKEN: &str = "8020:secret-token-of-the-forex-bot";
const BOT: i64 = 8020;
const CHANNEL: i64 = -1_002_000_000_900;
const ADMIN: i64 = 77;

/// A world with a channel, and a hand on its signals.
struct Desk {
    world: World,
    app: App,
    _running: Running,
    /// The market's time.
    now: DateTime<Utc>,
}

impl Desk {
    async fn new() -> Self {
        let world = World::new().await;
        let url = world.database.url.clone();
        let config = Config::read(false, |name| (name == "DATABASE_URL").then(|| url.clone())).unwrap();
        let app = App::build(config, &url, Clock::system()).unwrap();
        let running = app.start(Role::Web).await.unwrap();
        let now = app.clock.now().duration_trunc(TimeDelta::hours(1)).unwrap();
        Self { world, app, _running: running, now }
    }

    /// A process, with the bot an administrator of the channel.
    async fn process(&self, more: &[(&str, &str)]) -> Process {
        let (channel, admin) = (CHANNEL.to_string(), ADMIN.to_string());
        let mut environment = vec![
            ("FOREX_BOT_TOKEN", TOKEN),
            ("FOREX_CHANNEL_ID", channel.as_str()),
            ("TELEGRAM_ADMIN_IDS", admin.as_str()),
            ("JOB_LEASE_SECONDS", "2"),
        ];
        environment.extend_from_slice(more);
        let process = self.world.process_with(&environment).await;
        self.world.balancer.to(&[&process.url]);
        eventually("the forex bot's webhook to be registered", async || {
            let shown = self.world.telegram.get(&format!("/webhook?bot={BOT}")).await;
            shown["url"].as_str()?.ends_with("/api/forex-telegram-webhook").then_some(())
        })
        .await;
        if self.world.telegram.get("/channels").await["channels"].as_array().unwrap().is_empty() {
            let founded = json!({ "title": "Gold", "chat_id": CHANNEL });
            self.world.telegram.post(&format!("/channels?bot={BOT}"), &founded).await;
        }
        process
    }

    async fn wish(&self, command: signal::Command) {
        send(&self.app.signals, XAUUSD, command).await;
    }

    async fn open(&self) {
        let command = signal::Command::OpenByHand {
            levels: levels(),
            price: Some(price("4000")),
            expires_at: None,
            by_hand: by_hand("news"),
            at: self.now,
        };
        self.wish(command).await;
    }

    async fn cancel(&self, number: u32) {
        let command =
            signal::Command::Cancel { number, price: Some(price("4001")), by_hand: by_hand("enough"), at: self.now };
        self.wish(command).await;
    }

    /// The next minute of the market: from one price to another by way of `low` and `high`.
    async fn minute(&mut self, [open, high, low, close]: [&str; 4]) {
        let [open, high, low, close] = [open, high, low, close].map(price);
        let candle = Candle { opened_at: self.now, open, high, low, close, volume: 1 };
        self.now += TimeDelta::minutes(1);
        let observation = Observation {
            basis: self.app.signals.look(XAUUSD, |signal, _, _| signal.basis()).await.unwrap(),
            candles: vec![candle],
            length: TimeDelta::minutes(1),
            until: None,
            check: None,
            review: None,
            late: false,
        };
        self.wish(signal::Command::Observe(observation)).await;
    }

    /// What members of the channel see.
    async fn posts(&self) -> Vec<Value> {
        let posts = self.world.telegram.get(&format!("/channels/{CHANNEL}/posts")).await;
        posts["posts"].as_array().unwrap().clone()
    }

    async fn texts(&self) -> Vec<String> {
        self.posts().await.iter().map(|post| post["text"].as_str().unwrap().to_owned()).collect()
    }

    async fn fault(&self, method: &str, error: Value) {
        self.world.telegram.post("/faults", &json!({ "method": method, "error": error })).await;
    }

    async fn state(&self, position: i64) -> String {
        let state = sqlx::query_scalar("select state from signal_posts where channel = $1 and position = $2");
        state.bind(CHANNEL).bind(position).fetch_one(&self.world.pool).await.unwrap()
    }

    async fn last_position(&self) -> i64 {
        self.app.log.last_position().await.unwrap()
    }
}

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

fn levels() -> Levels {
    let target = |text, share| Target { price: price(text), share };
    Levels {
        direction: Direction::Buy,
        entry: price("4000"),
        zone_low: price("3999"),
        zone_high: price("4001"),
        stop: price("3990"),
        targets: vec![target("4010", 50), target("4020", 30), target("4030", 20)],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_is_told_from_its_opening_to_its_end() {
    let mut desk = Desk::new().await;
    let _process = desk.process(&[("FOREX_PROTECT", "1")]).await;
    // Two hours of candles, for the chart.
    let candles: Vec<Candle> = (0..120)
        .map(|minute| {
            let close = Price::from_units(399_000_000 + minute * 8_000);
            let opened_at = desk.now - TimeDelta::minutes(120 - minute);
            Candle { opened_at, open: close, high: close + price("2"), low: close - price("2"), close, volume: 1 }
        })
        .collect();
    let covered = Coverage { source: "test".to_owned(), from: candles[0].opened_at, until: desk.now };
    store::store(&desk.world.pool, XAUUSD, &candles, &covered).await.unwrap();

    desk.open().await;
    // Told before it is over; else it would be told as one that is.
    desk.world.settled().await;
    desk.minute(["4000", "4004.5", "3999", "4004"]).await;
    desk.minute(["4004", "4007.5", "4003", "4007"]).await;
    desk.minute(["4007", "4010.5", "4006", "4010"]).await;
    desk.minute(["4010", "4021", "4009", "4020"]).await;
    desk.minute(["4020", "4020", "3999", "4000"]).await;
    desk.world.settled().await;

    let posts = desk.posts().await;
    let kinds: Vec<String> = sqlx::query_scalar("select kind from signal_posts order by position")
        .fetch_all(&desk.world.pool)
        .await
        .unwrap();
    let expected = ["introduction", "opening", "milestone", "milestone", "target", "stop_moved", "target", "closed"];
    assert_eq!(kinds, expected);
    assert_eq!(posts.len(), expected.len());
    // The opening, and the end, with a chart.
    for (index, post) in posts.iter().enumerate() {
        assert_eq!(post["bot"], json!(BOT));
        assert_eq!(post["protected"], json!(true));
        assert_eq!(post["picture"].is_object(), index == 1 || index == 7, "{post}");
        let reply_to = if index > 1 { json!(posts[1]["message_id"]) } else { Value::Null };
        assert_eq!(post["reply_to"], reply_to, "{post}");
        assert_eq!(post["silent"], json!([0, 2, 5].contains(&index)), "{post}");
    }
    let picture = desk.world.telegram.picture(&posts[1]).await;
    let info = png::Decoder::new(std::io::Cursor::new(picture)).read_info().unwrap().info().size();
    assert_eq!(info, (1200, 675));
    let texts = desk.texts().await;
    assert!(texts[1].starts_with("XAUUSD BUY\nEntry: 3999.00 - 4001.00\nSL: 3990.00\nTP1: 4010.00\n"), "{}", texts[1]);
    assert!(texts[4].contains("target 1 is hit, 50% closed\n+100.0 pips · +$10.00 an ounce · +1.00 R"), "{}", texts[4]);
    // Half at 10, three tenths at 20, the rest at the entry.
    assert!(texts[7].contains("In all: +110.0 pips · +$11.00 an ounce · +1.10 R"), "{}", texts[7]);
    insta::assert_snapshot!("a_signal", texts.join("\n\n----\n\n"));
}

/// Telegram took the post, and nobody heard of it: it is found in the channel, past what
/// others posted, and not sent again.
#[tokio::test(flavor = "multi_thread")]
async fn a_post_whose_answer_is_lost_is_there_once() {
    let desk = Desk::new().await;
    let _process = desk.process(&[]).await;
    desk.open().await;
    desk.world.settled().await;
    for _ in 0..3 {
        desk.world.telegram.post(&format!("/channels/{CHANNEL}/posts"), &json!({ "text": "Good morning" })).await;
    }
    // A number that is not there any more.
    let url = format!("{}/channels/{CHANNEL}/posts/4", desk.world.telegram.url);
    assert!(http_client().unwrap().delete(url).send().await.unwrap().status().is_success());

    desk.fault("sendMessage", json!({ "accept_then_drop": true })).await;
    desk.cancel(1).await;
    desk.world.settled().await;
    let texts = desk.texts().await;
    assert_eq!(texts.len(), 5, "{texts:#?}");
    assert!(texts[4].contains("closed by hand"), "{texts:#?}");
    assert_eq!(desk.state(desk.last_position().await).await, "sent");
    let kept: i32 = sqlx::query_scalar("select message_id from signal_posts where kind = 'closed'")
        .fetch_one(&desk.world.pool)
        .await
        .unwrap();
    assert_eq!(json!(kept), desk.posts().await[4]["message_id"]);
    let (attempts,): (i32,) = sqlx::query_as("select attempts from signal_posts where kind = 'closed'")
        .fetch_one(&desk.world.pool)
        .await
        .unwrap();
    assert_eq!(attempts, 1, "it was not sent again");

    // And what Telegram refused, it has not: it is sent again.
    desk.fault("sendMessage", json!({ "status": 502, "description": "Bad Gateway" })).await;
    desk.open().await;
    desk.world.settled().await;
    let opened = desk.texts().await.iter().filter(|text| text.starts_with("XAUUSD")).count();
    assert_eq!(opened, 2);
}

/// The process dies after Telegram took the post and before it was noted; another finds it.
/// Then one dies before its call arrives; another sends it.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_while_it_posts_neither_loses_nor_repeats() {
    let desk = Desk::new().await;
    let first = desk.process(&[]).await;
    desk.open().await;
    desk.world.settled().await;
    desk.fault("sendMessage", json!({ "hang_ms": 60_000 })).await;
    desk.cancel(1).await;
    eventually("Telegram to have the post", async || (desk.posts().await.len() == 3).then_some(())).await;
    let position = desk.last_position().await;
    assert_eq!(desk.state(position).await, "sending");
    first.kill();
    let second = desk.process(&[]).await;
    desk.world.settled().await;
    assert_eq!(desk.state(position).await, "sent");
    assert_eq!(desk.posts().await.len(), 3, "{:#?}", desk.texts().await);

    second.stop().await;
    desk.open().await;
    let position = desk.last_position().await;
    // As a process leaves it that dies between the two.
    let left = "insert into signal_posts (channel, position, number, kind, state, text, attempts, sending_at)
                values ($1, $2, 2, 'opening', 'sending', 'XAUUSD BUY', 1, now() - interval '5 seconds')";
    sqlx::query(left).bind(CHANNEL).bind(position).execute(&desk.world.pool).await.unwrap();
    let _third = desk.process(&[]).await;
    desk.world.settled().await;
    assert_eq!(desk.state(position).await, "sent");
    let texts = desk.texts().await;
    assert_eq!(texts[3..], ["XAUUSD BUY"], "what was written down is what is sent");
}

/// Telegram is down when a signal is opened: what was written down then is not what is
/// posted once nobody should follow it unseen. And it is tried often, for three days.
#[tokio::test(flavor = "multi_thread")]
async fn an_opening_that_had_to_wait_is_told_as_late() {
    let desk = Desk::new().await;
    let _process = desk.process(&[]).await;
    desk.open().await;
    desk.world.settled().await;
    assert!(desk.texts().await[1].starts_with("XAUUSD BUY\nEntry: "));
    desk.cancel(1).await;
    desk.world.settled().await;

    let down = json!({ "method": "sendMessage", "times": 1_000, "error": { "status": 502 } });
    let refused = async |tries: i32| {
        let position = desk.last_position().await;
        eventually("the post to be refused", async || {
            let row = "select state from signal_posts where channel = $1 and position = $2 and attempts >= $3";
            let row = sqlx::query_scalar(row).bind(CHANNEL).bind(position).bind(tries);
            let state: Option<String> = row.fetch_optional(&desk.world.pool).await.unwrap();
            (state? == "due").then_some(())
        })
        .await;
        position
    };
    let run = async |statement: &'static str| sqlx::query(statement).execute(&desk.world.pool).await.unwrap();
    let up = async || {
        run("delete from sandbox.telegram_fault").await;
        run("update jobs set run_at = now() where locked_until is null").await;
        desk.world.settled().await;
    };

    // It is over when the first try succeeds.
    desk.world.telegram.post("/faults", &down).await;
    desk.open().await;
    refused(1).await;
    desk.cancel(2).await;
    up().await;
    let texts = desk.texts().await;
    assert!(texts[3].starts_with("⚠️ Signal #2 for XAUUSD comes late: it is from "), "{texts:#?}");
    assert!(texts[3].contains("It is over by now"), "{texts:#?}");
    assert!(texts[4].contains("#2: closed by hand"), "{texts:#?}");

    // It is open still, but the price is another one. Meanwhile it is tried twice a minute.
    desk.world.telegram.post("/faults", &down).await;
    desk.open().await;
    let opened = refused(1).await;
    run("update jobs set attempts = 50, run_at = now() where kind = 'post_signal'").await;
    refused(2).await;
    let longest: f64 = eventually("the job to wait", async || {
        let wait = "select extract(epoch from run_at - now())::float8 from jobs
                     where kind = 'post_signal' and attempts > 50 and locked_until is null and dead_at is null";
        sqlx::query_scalar(wait).fetch_optional(&desk.world.pool).await.unwrap()
    })
    .await;
    assert!(longest <= 30.0, "{longest}");
    let mut connection = desk.world.pool.acquire().await.unwrap();
    for statement in [
        // Events are never changed, but for the sake of a test.
        "set session_replication_role = replica",
        "update events set recorded_at = recorded_at - interval '6 minutes'",
        "reset session_replication_role",
    ] {
        sqlx::query(statement).execute(&mut *connection).await.unwrap();
    }
    up().await;
    let text = desk.texts().await.pop().unwrap();
    assert!(text.contains("#3 for XAUUSD comes late") && text.contains("Look where the price is"), "{text}");
    assert!(
        text.contains("for a rise from 3999.00–4001.00; given up at 3990.00, goals at 4010.00 / 4020.00"),
        "{text}"
    );
    assert!(!text.contains("BUY") && !text.contains("SL:") && !text.contains("Entry:"), "{text}");
    let kept: String = sqlx::query_scalar("select text from signal_posts where position = $1")
        .bind(opened)
        .fetch_one(&desk.world.pool)
        .await
        .unwrap();
    assert_eq!(kept, text, "what is kept is what was posted");

    // After three days somebody has to look.
    desk.world.telegram.post("/faults", &down).await;
    desk.cancel(3).await;
    refused(1).await;
    run("update jobs set attempts = 50, run_at = now(), created_at = created_at - interval '73 hours'").await;
    eventually("the job to be dead", async || {
        let dead = "select 1 from jobs where kind = 'post_signal' and dead_at is not null";
        sqlx::query_scalar::<_, i32>(dead).fetch_optional(&desk.world.pool).await.unwrap()
    })
    .await;
}

/// Where the bot's posts cannot be told from others', nobody guesses.
#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_cannot_be_told_from_others_waits_for_an_admin() {
    let desk = Desk::new().await;
    let process = desk.process(&[]).await;
    desk.open().await;
    desk.world.settled().await;
    let rights = format!("/channels/{CHANNEL}/rights?bot={BOT}");
    desk.world.telegram.post(&rights, &json!({ "can_edit_messages": true })).await;
    desk.fault("sendMessage", json!({ "accept_then_drop": true })).await;
    desk.cancel(1).await;
    let position = desk.last_position().await;
    eventually("the job to be dead", async || {
        let dead: i64 =
            sqlx::query_scalar("select count(*) from jobs where kind = 'post_signal' and dead_at is not null")
                .fetch_one(&desk.world.pool)
                .await
                .unwrap();
        (dead == 1).then_some(())
    })
    .await;
    assert_eq!(desk.state(position).await, "unconfirmed");
    // The next signal does not wait for it.
    desk.open().await;
    desk.world.settled().await;
    assert_eq!(desk.posts().await.len(), 4);
    // The right is taken away, and the job tried again.
    desk.world.telegram.post(&rights, &json!({ "can_edit_messages": false })).await;
    let jobs = process.get("/api/jobs?state=dead").await;
    let id = jobs["items"][0]["id"].as_i64().unwrap();
    let answer = process.post(&format!("/api/jobs/{id}/retry"), &Value::Null).await;
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    desk.world.settled().await;
    assert_eq!(desk.state(position).await, "sent");
    assert_eq!(desk.posts().await.len(), 4, "{:#?}", desk.texts().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_ask_and_admins_rule() {
    let desk = Desk::new().await;
    let _process = desk.process(&[]).await;
    let say = async |user: i64, text: &str| {
        let said = json!({ "text": text, "first_name": "Ann" });
        desk.world.telegram.post(&format!("/chats/{user}/messages?bot={BOT}"), &said).await;
        desk.world.settled().await;
        let chat = desk.world.telegram.get(&format!("/chats/{user}/messages?bot={BOT}")).await;
        let last = chat["messages"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(last["from"], "bot", "{chat}");
        last["text"].as_str().unwrap().to_owned()
    };
    assert!(say(5, "/start").await.starts_with("Hello Ann!"));
    assert_eq!(say(5, "/last").await, "No signal has ended yet.");
    desk.open().await;
    let status = say(5, "/status").await;
    assert!(status.contains("Signal #1: long since 4000.00\nStop at 3990.00\nTarget 1: 4010.00"), "{status}");
    // A stranger's commands for admins do nothing.
    let help = say(5, "/help").await;
    assert_eq!(say(5, "/pause").await, help);
    assert_eq!(say(5, "/close now").await, help);
    assert!(!help.contains("/pause"), "{help}");

    assert!(say(ADMIN, "/help").await.contains("/pause [why]"));
    assert!(say(ADMIN, "/pause the news").await.starts_with("Paused"));
    assert!(say(ADMIN, "/pause").await.starts_with("Nothing to change"));
    assert!(say(5, "/status").await.contains("Paused since"));
    assert!(say(ADMIN, "/strategy breakout").await.contains("once the open one has ended"));
    assert!(say(ADMIN, "/strategy").await.contains("breakout – next"));
    assert!(say(ADMIN, "/strategy martingale").await.contains("trend, reversion, breakout, momentum"));
    // Nobody knows the price here.
    assert!(say(ADMIN, "/close").await.starts_with("The price is not known"));
    desk.cancel(1).await;
    assert!(say(ADMIN, "/close").await.contains("No signal is open"));
    assert!(say(5, "/last").await.starts_with("#1  +0.10 R · +10.0 pips – by hand"));
    let stats = say(5, "/stats").await;
    assert!(stats.contains("The last 30 days\n1 won, 0 lost (100% won)\nIn all: +0.10 R · +10.0 pips"), "{stats}");
    assert!(say(ADMIN, "/resume").await.starts_with("Signals are opened again"));
    assert!(say(5, "/status").await.contains("Strategy: breakout"));

    let menu = desk.world.telegram.get(&format!("/chats/5/commands?bot={BOT}")).await;
    assert_eq!(menu["commands"][0]["command"], "status");
    // What a process may not do: take the updates of one bot for those of the other.
    tokio::time::timeout(Duration::from_secs(30), desk.world.audit()).await.unwrap();
}
