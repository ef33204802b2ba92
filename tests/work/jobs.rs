use std::time::Duration;

use promostack::{
    app::{App, Role, Running},
    clock::Clock,
    config::Config,
    integrations::telegram::{OutgoingMessage, twin::TwinLimits},
    jobs::{
        self, Job, NewJob,
        admin::{self, Decision, State},
    },
    wake::Topic,
};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use crate::support::{Database, Telegram, eventually, telegram};

struct Office {
    app: App,
    pool: PgPool,
    telegram: Telegram,
    database: Database,
}

impl Office {
    async fn new() -> Self {
        let database = Database::fresh().await;
        let pool = database.pool();
        promostack::app::MIGRATIONS.run(&pool).await.unwrap();
        let telegram = Telegram::serve(pool.clone(), TwinLimits::NONE).await;
        let app = app(&database, &telegram);
        // A bot can write only to who wrote to it.
        app.telegram.as_ref().unwrap().identity().await.unwrap();
        for user in 1..=3 {
            telegram.say(user, "/start").await;
        }
        Self { app, pool, telegram, database }
    }

    async fn enqueue(&self, messages: &[(i64, &str)]) {
        let jobs: Vec<_> = messages
            .iter()
            .map(|(chat_id, text)| NewJob {
                job: Job::TelegramMessage(OutgoingMessage {
                    chat_id: *chat_id,
                    text: (*text).to_owned(),
                    ..OutgoingMessage::default()
                }),
                correlation: Uuid::nil(),
                causation: "test".to_owned(),
            })
            .collect();
        let mut connection = self.pool.acquire().await.unwrap();
        jobs::enqueue(&mut connection, &jobs).await.unwrap();
        self.app.wake.up(Topic::Jobs);
    }

    async fn fault(&self, times: u32, error: serde_json::Value) {
        self.telegram.post("/faults", &json!({"method": "sendMessage", "times": times, "error": error})).await;
    }

    async fn said(&self, user: i64) -> Vec<String> {
        let transcript = self.telegram.get(&format!("/chats/{user}/messages")).await;
        let messages = transcript["messages"].as_array().unwrap();
        messages
            .iter()
            .filter(|message| message["from"] == "bot")
            .map(|message| message["text"].as_str().unwrap().to_owned())
            .collect()
    }

    async fn in_state(&self, state: State) -> Vec<admin::Row> {
        admin::list(&self.pool, Some(state), None, 0, 100).await.unwrap()
    }

    async fn done(&self) {
        eventually("all jobs to be done", async || {
            let left: i64 = sqlx::query_scalar("select count(*) from jobs where dead_at is null")
                .fetch_one(&self.pool)
                .await
                .unwrap();
            (left == 0).then_some(())
        })
        .await;
    }

    async fn start(&self) -> Running {
        self.app.start(Role::Work).await.unwrap()
    }
}

fn app(database: &Database, telegram: &Telegram) -> App {
    let config = Config::read(false, |name| match name {
        "DATABASE_URL" => Some(database.url.clone()),
        "TELEGRAM_BOT_TOKEN" => Some(telegram::TOKEN.to_owned()),
        "TELEGRAM_API_URL" => Some(telegram.url.clone()),
        "TELEGRAM_MESSAGES_PER_SECOND" | "TELEGRAM_MESSAGES_PER_SECOND_AND_CHAT" => Some("100000".to_owned()),
        "JOB_LEASE_SECONDS" => Some("1".to_owned()),
        _ => None,
    });
    App::build(config.unwrap(), &database.url, Clock::system()).unwrap()
}

/// Messages of a chat keep their order, also when one of them has to be tried
/// again; other chats do not wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_chat_keeps_its_order() {
    let office = Office::new().await;
    office.fault(2, json!({"status": 500})).await;
    office.enqueue(&[(1, "a"), (1, "b"), (1, "c"), (1, "d"), (2, "x"), (2, "y")]).await;
    let running = office.start().await;
    office.done().await;
    assert_eq!(office.said(1).await, ["a", "b", "c", "d"]);
    assert_eq!(office.said(2).await, ["x", "y"]);
    running.stop().await;
}

/// Telegram's wish to wait is obeyed and does not count as a try.
#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_obeyed() {
    let office = Office::new().await;
    office.fault(1, json!({"status": 429, "retry_after": 2})).await;
    let started = tokio::time::Instant::now();
    office.enqueue(&[(1, "a"), (2, "b"), (3, "c")]).await;
    let running = office.start().await;
    office.done().await;
    assert!(started.elapsed() >= Duration::from_secs(2));
    for (user, text) in [(1, "a"), (2, "b"), (3, "c")] {
        assert_eq!(office.said(user).await, [text]);
    }
    running.stop().await;
}

/// What cannot work is dead at once; what could, after its tries. The dead are
/// listed, retried and dropped, and do not hold up their chat.
#[tokio::test(flavor = "multi_thread")]
async fn the_dead_wait_for_a_person() {
    let office = Office::new().await;
    office.fault(1, json!({"status": 400})).await;
    office.enqueue(&[(1, "first")]).await;
    let running = office.start().await;
    eventually("the job to be dead", async || (office.in_state(State::Dead).await.len() == 1).then_some(())).await;
    office.enqueue(&[(1, "second")]).await;
    office.done().await;
    assert_eq!(office.said(1).await, ["second"]);

    let dead = office.in_state(State::Dead).await.remove(0);
    assert_eq!((dead.kind.as_str(), dead.attempts), ("telegram_message", 1));
    let error = dead.last_error.unwrap();
    assert!(error.starts_with("failed: Telegram sendMessage: rejected"), "{error}");
    assert_eq!(admin::retry(&office.pool, dead.id).await.unwrap(), Decision::Done);
    office.app.wake.up(Topic::Jobs);
    office.done().await;
    assert_eq!(office.said(1).await, ["second", "first"]);
    assert_eq!(admin::retry(&office.pool, dead.id).await.unwrap(), Decision::Missing);

    // Its last try fails, too.
    office.fault(1, json!({"status": 500})).await;
    running.stop().await;
    office.enqueue(&[(1, "third")]).await;
    sqlx::query("update jobs set attempts = max_attempts - 1").execute(&office.pool).await.unwrap();
    let other = app(&office.database, &office.telegram);
    let running = other.start(Role::Work).await.unwrap();
    eventually("the job to be dead", async || (office.in_state(State::Dead).await.len() == 1).then_some(())).await;
    let dead = office.in_state(State::Dead).await.remove(0);
    assert_eq!(dead.attempts, dead.max_attempts);
    assert_eq!(admin::drop(&office.pool, dead.id).await.unwrap(), Decision::Done);
    assert_eq!(admin::drop(&office.pool, dead.id).await.unwrap(), Decision::Missing);
    assert_eq!(office.said(1).await, ["second", "first"]);
    running.stop().await;
}

/// A dead process gives its jobs up by doing nothing, one that lives keeps them
/// beyond the length of a lease, and a death in the last try is noticed.
#[tokio::test(flavor = "multi_thread")]
async fn leases_run_out() {
    let office = Office::new().await;
    let stranger = Uuid::from_u128(42);
    office.enqueue(&[(1, "left behind"), (2, "died on it")]).await;
    sqlx::query("update jobs set locked_by = $1, locked_until = now() + interval '1 second', attempts = 1")
        .bind(stranger)
        .execute(&office.pool)
        .await
        .unwrap();
    sqlx::query("update jobs set attempts = max_attempts where lane like '%:2'").execute(&office.pool).await.unwrap();
    // Longer than the lease of one second: it is extended meanwhile.
    office.fault(1, json!({"hang_ms": 2_500})).await;
    let running = office.start().await;
    eventually("the abandoned job to be claimed", async || {
        (office.in_state(State::Running).await.iter().any(|job| job.attempts == 2)).then_some(())
    })
    .await;
    let dead = eventually("the last try to be noticed", async || office.in_state(State::Dead).await.pop()).await;
    assert_eq!(dead.last_error.as_deref(), Some("failed: the process died during the last try"));
    assert_eq!(admin::retry(&office.pool, i64::MAX).await.unwrap(), Decision::Missing);
    let held = office.in_state(State::Running).await;
    if let Some(job) = held.first() {
        assert_eq!(admin::drop(&office.pool, job.id).await.unwrap(), Decision::Running);
    }
    office.done().await;
    assert_eq!(office.said(1).await, ["left behind"], "once");
    running.stop().await;
}

/// Somebody who blocked the bot is no reason for alarm.
#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_who_is_gone_is_no_failure() {
    let office = Office::new().await;
    office.telegram.post("/chats/1/block", &json!({})).await;
    office.enqueue(&[(1, "anybody there?"), (2, "hello")]).await;
    let running = office.start().await;
    office.done().await;
    assert!(office.in_state(State::Dead).await.is_empty());
    assert_eq!(office.said(2).await, ["hello"]);
    running.stop().await;
}
