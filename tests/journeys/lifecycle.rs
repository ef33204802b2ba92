//! Starting and stopping.

use std::time::{Duration, Instant};

use promostack::{
    app::{App, Role},
    clock::Clock,
    config::Config,
};
use serde_json::{Value, json};

use crate::support::{Database, Process, World, eventually, telegram};

pub(crate) fn config(url: &str) -> Config {
    Config::read(false, |name| (name == "DATABASE_URL").then(|| url.to_owned())).unwrap()
}

async fn sessions(database: &Database) -> i64 {
    // Of the program, not of the test's own pool.
    sqlx::query_scalar(
        "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'promostack'",
    )
    .fetch_one(&database.pool())
    .await
    .unwrap()
}

/// To build an app does nothing; to start it does everything once; to start it twice is harmless.
#[tokio::test(flavor = "multi_thread")]
async fn building_does_nothing_and_starting_does_it_once() {
    let database = Database::fresh().await;
    let app = App::build(config(&database.url), &database.url, Clock::system()).unwrap();
    assert_eq!(sessions(&database).await, 0, "no connection is made");
    let nowhere = "postgres://nobody@127.0.0.1:1/nothing";
    App::build(config(nowhere), nowhere, Clock::system()).expect("the database need not even be there");

    let running = app.start(Role::All).await.unwrap();
    let mut looks = vec![];
    let before = eventually("the loops to have connected", async || {
        looks.push(sessions(&database).await);
        let last = looks.last_chunk::<25>()?;
        (last[0] > 3 && last.iter().all(|look| *look == last[0])).then_some(last[0])
    })
    .await;
    let again = app.start(Role::All).await.unwrap();
    assert!(sessions(&database).await <= before + 1, "a second start starts no second loop");
    again.stop().await;
    let beats: i64 = sqlx::query_scalar("select count(*) from checkpoints").fetch_one(&database.pool()).await.unwrap();
    let feeds = promostack::feed::Consumer::all().count();
    assert_eq!(beats, feeds as i64, "each feed is registered once");
    assert!(app.metrics.render().contains(r#"promostack_loop_heartbeat_seconds{loop="jobs:work"}"#));
    running.stop().await;
}

/// Two apps on two databases in one process know nothing of each other.
#[tokio::test(flavor = "multi_thread")]
async fn two_apps_live_in_one_process() {
    let (one, two) = (Database::fresh().await, Database::fresh().await);
    let mut apps = vec![];
    for database in [&one, &two] {
        let app = App::build(config(&database.url), &database.url, Clock::system()).unwrap();
        let running = app.start(Role::All).await.unwrap();
        apps.push((app, running));
    }
    let people: Vec<_> = [
        apps[0].0.person_of_telegram(7).await.unwrap(),
        apps[0].0.person_of_telegram(7).await.unwrap(),
        apps[1].0.person_of_telegram(7).await.unwrap(),
    ]
    .into();
    assert_eq!(people[0], people[1]);
    assert_ne!(people[0], people[2], "a pseudonym is of one installation");
    for (_, running) in apps {
        running.stop().await;
    }
}

/// A stop finishes what is under way and gives jobs back; a second signal stops at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_loses_nothing_and_a_second_signal_is_obeyed() {
    let world = World::new().await;
    let process = world.process().await;
    world.balancer.to(&[&process.url]);
    process.campaign(json!({"name": "Rush", "code": "RUSH"})).await;
    // Telegram hangs, so that a job is surely under way when the signal comes.
    world.telegram.post("/faults", &json!({"method": "sendMessage", "times": 1, "error": {"hang_ms": 60_000}})).await;
    world.telegram.say(1, "RUSH").await;
    let running = async || {
        let running: i64 = sqlx::query_scalar("select count(*) from jobs where locked_until > now() and kind in ('confirm_redemption', 'telegram_message')")
            .fetch_one(&world.pool)
            .await
            .unwrap();
        (running > 0).then_some(())
    };
    eventually("the message to be on its way", running).await;
    let mut process = process;
    let asked = Instant::now();
    process.terminate();
    eventually("the stop to begin", async || {
        process.output.lock().unwrap().contains("a second signal stops at once").then_some(())
    })
    .await;
    process.terminate();
    assert_eq!(process.ended().await.code(), Some(130));
    assert!(asked.elapsed() < Duration::from_secs(15), "it did not wait for the job");

    // What was under way is worked by the next process, once its lease has run out.
    let process = world.process_with(&[("SHUTDOWN_SECONDS", "1")]).await;
    world.balancer.to(&[&process.url]);
    world.settled().await;
    assert!(world.bot_said(1).await.iter().all(|text| text.starts_with("Done!")));
    world.telegram.post("/faults", &json!({"method": "sendMessage", "times": 1, "error": {"hang_ms": 60_000}})).await;
    world.telegram.say(1, "/help").await;
    eventually("the message to be on its way", running).await;
    let asked = Instant::now();
    assert!(process.stop().await.success(), "a graceful stop is a success");
    assert!(asked.elapsed() < Duration::from_secs(15));
    let (held, attempts): (bool, i32) =
        sqlx::query_as("select locked_by is not null, attempts from jobs").fetch_one(&world.pool).await.unwrap();
    assert_eq!((held, attempts), (false, 0), "the job is given back as if it had never been tried");
}

/// Roles: one process answers, another works.
#[tokio::test(flavor = "multi_thread")]
async fn web_and_work_can_be_two_processes() {
    let world = World::new().await;
    let environment = [
        ("DATABASE_URL", world.database.url.as_str()),
        ("TELEGRAM_BOT_TOKEN", telegram::TOKEN),
        ("TELEGRAM_API_URL", world.telegram.url.as_str()),
        ("PUBLIC_URL", world.balancer.url.as_str()),
    ];
    let web = Process::start_with(&["serve", "--role", "web"], &environment).await;
    eventually("the webhook to be registered", async || {
        web.output.lock().unwrap().contains("Telegram delivers updates here").then_some(())
    })
    .await;
    world.balancer.to(&[&web.url]);
    world.telegram.say(1, "/help").await;
    eventually("the update to be stored", async || {
        let stored: i64 = sqlx::query_scalar("select count(*) from jobs").fetch_one(&world.pool).await.unwrap();
        (stored == 1).then_some(())
    })
    .await;
    let mut work = std::process::Command::new(env!("CARGO_BIN_EXE_promostack"))
        .args(["serve", "--role", "work"])
        .envs(environment)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    eventually("the work process to answer", async || (!world.bot_said(1).await.is_empty()).then_some(())).await;
    work.kill().unwrap();
    work.wait().unwrap();
}

/// The newcomer's way: nothing configured. Killed, it finds its data again.
#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_needs_nothing_and_keeps_everything() {
    let home = std::env::temp_dir().join(format!("promostack-home-{}", std::process::id()));
    let home = home.to_str().unwrap();
    let start = async || {
        let environment = [("PROMOSTACK_HOME", home), ("ADMIN_PASSWORD", crate::support::process::PASSWORD)];
        Process::start_with(&["serve", "--sandbox"], &environment).await
    };
    let process = start().await;
    process.campaign(json!({"name": "Welcome", "code": "WELCOME10"})).await;
    let http = promostack::integrations::http_client().unwrap();
    let say = async |process: &Process, text: &str| -> Value {
        let url = format!("{}/sandbox/telegram/chats/5/messages", process.url);
        let body = json!({"text": text, "first_name": "Anna"});
        eventually("the bot to be connected", async || {
            let answer = http.post(&url).json(&body).send().await.ok()?;
            if answer.status().is_success() { answer.json().await.ok() } else { None }
        })
        .await
    };
    let bot_said = async |process: &Process, text: &str| {
        let url = format!("{}/sandbox/telegram/chats/5/messages", process.url);
        eventually("the bot to answer", async || {
            let transcript = http.get(&url).send().await.ok()?.text().await.ok()?;
            transcript.contains(text).then_some(())
        })
        .await;
    };
    say(&process, "WELCOME10").await;
    bot_said(&process, "Done! WELCOME10 is redeemed.").await;
    process.kill();

    let process = start().await;
    let campaigns = process.get("/api/campaigns").await;
    assert_eq!(campaigns["items"][0]["redeemed"], 1, "{campaigns}");
    say(&process, "WELCOME10").await;
    bot_said(&process, "Redemption no. 2").await;
    assert!(process.stop().await.success());
    let left = std::process::Command::new("pgrep").args(["-f", home]).output().unwrap();
    assert!(left.stdout.is_empty(), "PostgreSQL stopped with it");
    std::fs::remove_dir_all(home).unwrap();
}
