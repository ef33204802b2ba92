//! The past shown to whole processes gives the events that the rules alone give: at once,
//! killed fifty times, or by three processes; and each is posted once.

use std::{
    fmt::Write as _,
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use aggregates::{
    Decide, Signal,
    signal::{Command, Event, Observation, XAUUSD},
};
use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::{Aggregate, DomainEvent};
use rand::Rng;
use serde_json::Value;
use sqlx::PgPool;
use trading::{Candle, Look, Lookout, csv, synthetic::Synthetic};

use crate::support::{Database, Process, eventually};

const MINUTE: TimeDelta = TimeDelta::minutes(1);
/// Candles of which a third is the past that the strategy wants to know.
const CANDLES: usize = 13_000;
const KILLS: usize = 50;
/// Without any progress.
const PATIENCE: Duration = Duration::from_secs(60);

/// A file of candles, when what is replayed begins, and the events that must come of it.
struct Past {
    file: PathBuf,
    begins: DateTime<Utc>,
    ends: DateTime<Utc>,
    events: Vec<Event>,
}

/// Real candles where the folder with them is near, else some that never were.
fn candles() -> Vec<Candle> {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let real = folders.map(|folder| folder.join("shared/data/XAUUSD_M1_2026.csv")).find(|file| file.exists());
    let Some(real) = real else {
        println!("there is no shared/data near; what is replayed was never traded");
        let from: DateTime<Utc> = "2026-02-01T00:00:00Z".parse().unwrap();
        return Synthetic::new(7).candles(from, from + TimeDelta::weeks(2)).take(CANDLES).collect();
    };
    let report = csv::read(BufReader::new(File::open(real).unwrap()), csv::Zone::NewYorkClose).unwrap();
    report.candles[..CANDLES].to_vec()
}

impl Past {
    fn new(name: &str) -> Self {
        let candles = candles();
        let mut rows = "time,open,high,low,close\n".to_owned();
        for candle in &candles {
            let Candle { opened_at, open, high, low, close, .. } = candle;
            writeln!(rows, "{},{open},{high},{low},{close}", opened_at.format("%Y-%m-%d %H:%M:%S")).unwrap();
        }
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("replay-{name}-{}.csv", std::process::id()));
        std::fs::write(&file, rows).unwrap();
        let begins = candles[CANDLES / 3].opened_at;
        let ends = candles[CANDLES - 1].opened_at + MINUTE;
        let events = events(&candles, begins);
        let closed = events.iter().filter(|event| matches!(event, Event::Closed { .. })).count();
        assert!(closed >= 5, "{closed} signals are few for a test");
        Self { file, begins, ends, events }
    }

    /// A process that replays it; what is not said is as an earlier one said it.
    async fn process(&self, database: &Database, speed: Option<&str>) -> Process {
        let begins = self.begins.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let mut arguments = vec!["serve", "--sandbox"];
        if let Some(speed) = speed {
            let file = self.file.to_str().unwrap();
            arguments.extend(["--candles", file, "--speed", speed, "--market-from", &begins]);
        }
        let environment = [("DATABASE_URL", database.url.as_str()), ("JOB_LEASE_SECONDS", "1")];
        Process::start_with(&arguments, &environment).await
    }

    /// Waits for all posts. Telegram takes few of them a minute, so it may last, as long as
    /// less and less is left.
    async fn posted(&self, pool: &PgPool) {
        let (mut fewest, mut end) = (i64::MAX, Instant::now() + PATIENCE);
        loop {
            let left: i64 = sqlx::query_scalar(
                "select (select count(*) from jobs where kind = 'post_signal' and dead_at is null)
                      + (select max(position) from events)
                      - (select position from checkpoints where feed = 'post-signals')",
            )
            .fetch_one(pool)
            .await
            .unwrap();
            if left == 0 {
                return;
            }
            if left < fewest {
                (fewest, end) = (left, Instant::now() + PATIENCE);
            }
            assert!(Instant::now() < end, "waited in vain for {left} posts");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits for its end, and looks at what there is then.
    async fn check(&self, pool: &PgPool) {
        eventually("the end of the past", async || {
            let until: Option<DateTime<Utc>> =
                sqlx::query_scalar("select covered_until from candle_coverage").fetch_optional(pool).await.unwrap();
            (until? >= self.ends).then_some(())
        })
        .await;
        let stored = async || -> Vec<(String, String)> {
            let query =
                "select event_type, payload::text from events where aggregate_type = 'signal' and aggregate_id = $1
                          order by position";
            sqlx::query_as(query).bind(XAUUSD).fetch_all(pool).await.unwrap()
        };
        let all = eventually("all events", async || {
            let stored = stored().await;
            (stored.len() >= self.events.len()).then_some(stored)
        })
        .await;
        for ((name, payload), expected) in all.iter().zip(&self.events) {
            let payload: Value = serde_json::from_str(payload).unwrap();
            assert_eq!((name, payload), (&expected.event_type(), serde_json::to_value(expected).unwrap()));
        }
        assert_eq!(all.len(), self.events.len());
        self.posted(pool).await;
        // Each signal and what became of it is in the channel once, and nothing else is.
        let rows: Vec<(String, String, Option<i32>)> =
            sqlx::query_as("select state, text, message_id from signal_posts order by position")
                .fetch_all(pool)
                .await
                .unwrap();
        assert!(rows.iter().all(|(state, ..)| state == "sent"), "{rows:?}");
        let posts: Vec<(i32, Option<String>)> = sqlx::query_as(
            "select message_id, text from sandbox.telegram_post where bot_id is not null order by message_id",
        )
        .fetch_all(pool)
        .await
        .unwrap();
        let ours: Vec<_> = rows.iter().map(|(_, _, message)| message.unwrap()).collect();
        assert_eq!(ours, posts.iter().map(|(message, _)| *message).collect::<Vec<_>>(), "posts in the order of events");
        let opened = self.events.iter().filter(|event| matches!(event, Event::Opened { .. })).count();
        assert!(posts.len() > opened * 2, "{} posts of {opened} signals", posts.len());
    }
}

/// What the rules make of candles, without any process.
fn events(candles: &[Candle], begins: DateTime<Utc>) -> Vec<Event> {
    let (mut signal, mut events) = (Signal::default(), vec![]);
    let mut lookout = Lookout::new(signal.strategy(), Arc::clone(signal.settings()), MINUTE);
    let mut show = |signal: &mut Signal, candle: &Candle, Look { check, review }: Look| {
        let (basis, candles) = (signal.basis(), vec![*candle]);
        let observation = Observation { basis, candles, length: MINUTE, until: None, check, review, late: false };
        for event in signal.decide(&Command::Observe(observation)).unwrap() {
            signal.apply(event.clone());
            events.push(event);
        }
    };
    for candle in candles {
        let open = signal.open().map(|open| open.levels.direction);
        let look = lookout.push(candle, open);
        if candle.opened_at >= begins {
            show(&mut signal, candle, look);
        }
    }
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_and_three_give_what_the_rules_give() {
    let past = Past::new("many");
    let database = Database::fresh().await;
    let alone = past.process(&database, Some("600")).await;
    past.check(&database.pool()).await;
    drop(alone);

    let database = Database::fresh().await;
    let first = past.process(&database, Some("400")).await;
    let others = [past.process(&database, None).await, past.process(&database, None).await];
    past.check(&database.pool()).await;
    drop((first, others));
    std::fs::remove_file(&past.file).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_fifty_times_it_gives_what_the_rules_give() {
    let past = Past::new("killed");
    let database = Database::fresh().await;
    // So slow that the past lasts for all of it.
    let mut process = past.process(&database, Some("60")).await;
    let pool = database.pool();
    let count = async || -> i64 { sqlx::query_scalar("select count(*) from events").fetch_one(&pool).await.unwrap() };
    eventually("the work to begin", async || (count().await > 0).then_some(())).await;
    let mut worked = 0;
    for _ in 0..KILLS {
        let life = Duration::from_millis(rand::thread_rng().gen_range(200..2_000));
        tokio::time::sleep(life).await;
        process.kill();
        worked += usize::from(count().await < past.events.len() as i64);
        process = past.process(&database, None).await;
    }
    assert!(worked > KILLS / 2, "{worked} kills fell into the work");
    // The rest may go faster.
    drop(process);
    let process = Process::start_with(
        &["serve", "--sandbox", "--speed", "600"],
        &[("DATABASE_URL", database.url.as_str()), ("JOB_LEASE_SECONDS", "1")],
    )
    .await;
    past.check(&pool).await;
    drop(process);
    std::fs::remove_file(&past.file).unwrap();
}
