//! Killed at random moments under mixed load: nothing acknowledged is lost,
//! nothing happens twice that must happen once.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use promostack::postgres::Cluster;
use rand::Rng;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Database, Process, World, database, eventually};

const KILLS: usize = 50;
/// So that what a killed process had in hand is worked by the next one soon.
const SHORT_LEASES: [(&str, &str); 1] = [("JOB_LEASE_SECONDS", "1")];
/// The campaign everybody redeems: enough for the first, refused to the rest.
const LIMIT: i64 = 150;

/// What the load was told, to be found again afterwards.
#[derive(Default)]
struct Told {
    /// Campaign ids by the name they were drafted under.
    drafted: Mutex<BTreeMap<String, String>>,
    /// Users whose message the bot has been given.
    users: AtomicI64,
    stop: AtomicBool,
}

/// The processes the load may talk to right now.
type Live = Arc<Mutex<Option<(String, String)>>>;

/// Drafts campaigns by HTTP, repeating each under its Idempotency-Key until it is acknowledged.
async fn draft(told: Arc<Told>, live: Live, lane: usize) {
    let http = promostack::integrations::http_client().unwrap();
    for n in 0.. {
        let name = format!("Campaign {lane}-{n}");
        let body = json!({"name": name, "code": format!("C-{lane}-{n}"), "total_limit": 5});
        loop {
            if told.stop.load(Ordering::Relaxed) {
                return;
            }
            let Some((url, token)) = live.lock().unwrap().clone() else {
                tokio::time::sleep(Duration::from_millis(5)).await;
                continue;
            };
            let request = http
                .post(format!("{url}/api/campaigns"))
                .bearer_auth(token)
                .header("Idempotency-Key", name.replace(' ', "-"))
                .timeout(Duration::from_secs(15))
                .json(&body);
            match request.send().await {
                Ok(answer) if answer.status() == 201 => {
                    // An acknowledgement cut off by the kill is none.
                    if let Ok(body) = answer.json::<Value>().await {
                        told.drafted.lock().unwrap().insert(name.clone(), body["id"].as_str().unwrap().to_owned());
                        break;
                    }
                }
                Ok(answer) => {
                    let status = answer.status();
                    let body = answer.text().await.unwrap_or_default();
                    assert!(status.as_u16() == 503, "{status}: {body}");
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// New people write the code to the bot; the twin delivers until it is acknowledged.
/// While nobody is there they wait, or a slow machine would be left with more than it can work off.
async fn redeem(told: Arc<Told>, world: Arc<World>, live: Live) {
    while !told.stop.load(Ordering::Relaxed) {
        if live.lock().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        }
        let user = told.users.fetch_add(1, Ordering::Relaxed) + 1;
        world.telegram.say(user, "RUSH").await;
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}

fn start_load(world: &Arc<World>, told: &Arc<Told>, live: &Live) -> JoinSet<()> {
    let mut load = JoinSet::new();
    for lane in 0..4 {
        load.spawn(draft(told.clone(), live.clone(), lane));
    }
    for _ in 0..2 {
        load.spawn(redeem(told.clone(), world.clone(), live.clone()));
    }
    load
}

async fn go_live(world: &World, live: &Live, process: &Process) {
    world.balancer.to(&[&process.url]);
    let token = process.token().await.to_owned();
    *live.lock().unwrap() = Some((process.url.clone(), token));
}

async fn end_load(told: &Told, mut load: JoinSet<()>) {
    told.stop.store(true, Ordering::Relaxed);
    while let Some(done) = load.join_next().await {
        done.unwrap();
    }
}

/// Everything that was acknowledged is there, once.
async fn check(world: &World, told: &Told, process: &Process) {
    world.settled().await;
    world.audit().await;
    let drafted = told.drafted.lock().unwrap().clone();
    assert!(drafted.len() > 20, "the load did something: {}", drafted.len());
    let stored: Vec<(String, String)> = sqlx::query_as(
        "select payload->'Drafted'->'terms'->>'name', aggregate_id from events where event_type = 'Drafted'",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    let names: BTreeMap<_, _> = stored.iter().cloned().collect();
    assert_eq!(names.len(), stored.len(), "no campaign was drafted twice");
    for (name, id) in &drafted {
        assert_eq!(names.get(name), Some(id), "{name} was acknowledged");
    }

    let users = told.users.load(Ordering::Relaxed);
    let (redeemed, people): (i64, i64) = sqlx::query_as(
        "select count(*), count(distinct payload->'Redeemed'->>'person') from events where event_type = 'Redeemed'",
    )
    .fetch_one(&world.pool)
    .await
    .unwrap();
    assert_eq!(redeemed, people, "nobody redeemed twice");
    assert_eq!(redeemed, LIMIT.min(users), "the limit is used up and kept");
    let (mut yes, mut no) = (0, 0);
    for user in 1..=users {
        let said = world.bot_said(user).await;
        // A message on its way in the moment of a kill may go out again: Telegram has no idempotency key.
        assert!(!said.is_empty(), "user {user} was answered");
        assert!(said.iter().all(|text| *text == said[0]), "user {user} was told {said:?}");
        if said[0].starts_with("Done!") { yes += 1 } else { no += 1 }
    }
    assert_eq!((yes, no), (redeemed, users - redeemed), "each was told the truth");
    let dead = process.get("/api/jobs?state=dead").await;
    assert_eq!(dead["items"], json!([]), "no job is dead");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_fifty_times_nothing_is_lost_or_doubled() {
    let world = Arc::new(World::new().await);
    let (told, live) = (Arc::new(Told::default()), Live::default());
    let mut process = world.process_with(&SHORT_LEASES).await;
    process.campaign(json!({"name": "Rush", "code": "RUSH", "total_limit": LIMIT, "limit_per_person": 1})).await;
    let load = start_load(&world, &told, &live);
    for _ in 0..KILLS {
        go_live(&world, &live, &process).await;
        let moment = rand::thread_rng().gen_range(20..400);
        tokio::time::sleep(Duration::from_millis(moment)).await;
        *live.lock().unwrap() = None;
        process.kill();
        process = world.process_with(&SHORT_LEASES).await;
    }
    go_live(&world, &live, &process).await;
    eventually("the load to have done something", async || (told.drafted.lock().unwrap().len() > 20).then_some(()))
        .await;
    end_load(&told, load).await;
    check(&world, &told, &process).await;
}

/// PostgreSQL is killed and comes back, again and again; the processes stay.
#[tokio::test(flavor = "multi_thread")]
async fn the_service_survives_its_database() {
    const DEATHS: usize = 5;
    let home = std::env::temp_dir().join(format!("promostack-deaths-{}", std::process::id()));
    let (server, commands) = cluster(home.clone());
    let url = server.recv().unwrap();
    let world = Arc::new(World::on(Database::fresh_on(&url).await).await);
    let (told, live) = (Arc::new(Told::default()), Live::default());
    let process = world.process_with(&SHORT_LEASES).await;
    process.campaign(json!({"name": "Rush", "code": "RUSH", "total_limit": LIMIT, "limit_per_person": 1})).await;
    let mut load = JoinSet::new();
    for lane in 0..4 {
        load.spawn(draft(told.clone(), live.clone(), lane));
    }
    go_live(&world, &live, &process).await;
    for user in 1..=60 {
        world.telegram.say(user, "RUSH").await;
        told.users.store(user, Ordering::Relaxed);
        if user % 12 == 0 {
            let before = told.drafted.lock().unwrap().len();
            commands.send(()).unwrap();
            server.recv().unwrap();
            eventually("the load to go on after the database died", async || {
                let drafted = told.drafted.lock().unwrap().len();
                (drafted > before + 5).then_some(())
            })
            .await;
        }
    }
    assert_eq!(60 / 12, DEATHS);
    end_load(&told, load).await;
    check(&world, &told, &process).await;
    let ready = process.request(Method::GET, "/api/health/ready").send().await.unwrap();
    assert_eq!(ready.status(), 200);
    drop(process);
    drop(world);
    drop(commands);
    let _ = server.recv();
    let _ = std::fs::remove_dir_all(home);
}

/// A durable cluster on a thread of its own: each command kills the postmaster
/// and its children and brings it back.
fn cluster(home: std::path::PathBuf) -> (std::sync::mpsc::Receiver<String>, std::sync::mpsc::Sender<()>) {
    let (tell, told) = std::sync::mpsc::channel();
    let (command, commands) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut cluster = Cluster::start(&database::settings(home, true)).unwrap();
        tell.send(cluster.url().to_owned()).unwrap();
        while commands.recv().is_ok() {
            let killed = std::process::Command::new("kill").args(["-9", &cluster.pid().to_string()]).status();
            assert!(killed.unwrap().success());
            while !cluster.restart_if_dead().unwrap() {
                std::thread::sleep(Duration::from_millis(20));
            }
            tell.send(String::new()).unwrap();
        }
        cluster.stop().unwrap();
    });
    (told, command)
}
