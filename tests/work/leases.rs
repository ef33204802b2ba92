use std::time::Duration;

use futures_util::future::join_all;
use promostack::{
    app::{App, Role},
    clock::Clock,
    config::Config,
    lease,
};
use uuid::Uuid;

use crate::support::{Database, eventually};

/// Of any number of processes, one gets the lease; a dead one's runs out; what
/// was done is not due again before its rest.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_gets_the_lease() {
    let database = Database::fresh().await;
    let pool = database.pool();
    promostack::app::MIGRATIONS.run(&pool).await.unwrap();
    lease::register(&pool, "timer").await.unwrap();
    let holders: Vec<_> = (1..=16).map(Uuid::from_u128).collect();
    let take = async || {
        let taken = join_all(holders.iter().map(|holder| lease::take(&pool, "timer", *holder))).await;
        let taken = taken.into_iter().map(Result::unwrap);
        holders.iter().copied().zip(taken).filter(|(_, taken)| *taken).map(|(holder, _)| holder).collect::<Vec<_>>()
    };
    let first = take().await;
    assert_eq!(first.len(), 1);
    assert_eq!(take().await, first, "only its holder has it, who extends it");

    sqlx::query("update timers set locked_until = now() - interval '1 second'").execute(&pool).await.unwrap();
    let second = take().await;
    assert_eq!(second.len(), 1, "a lease that ran out goes to one of the others");

    if second != first {
        lease::give_back(&pool, "timer", first[0], Duration::ZERO, None).await.unwrap();
        assert_eq!(take().await, second, "who lost the lease cannot give it back");
    }
    lease::give_back(&pool, "timer", second[0], Duration::from_secs(60), Some("what went wrong")).await.unwrap();
    assert!(take().await.is_empty(), "it rests");
    let error: String = sqlx::query_scalar("select last_error from timers").fetch_one(&pool).await.unwrap();
    assert_eq!(error, "what went wrong");
    sqlx::query("update timers set next_at = now()").execute(&pool).await.unwrap();
    assert_eq!(take().await.len(), 1, "and is due again");
}

/// However many processes there are, a timer that is due runs once.
#[tokio::test(flavor = "multi_thread")]
async fn three_processes_run_a_timer_once() {
    let database = Database::fresh().await;
    let mut running = vec![];
    for _ in 0..3 {
        let config = Config::read(false, |name| (name == "DATABASE_URL").then(|| database.url.clone())).unwrap();
        let app = App::build(config, &database.url, Clock::system()).unwrap();
        running.push((app.start(Role::Work).await.unwrap(), app));
    }
    let runs = async || {
        let runs: i64 = sqlx::query_scalar("select runs from timers where name = 'housekeeping'")
            .fetch_one(&running[0].1.pool)
            .await
            .unwrap();
        runs
    };
    for due in 1..=3 {
        eventually("the timer to run", async || (runs().await >= due).then_some(())).await;
        let beats = || -> i64 {
            let beat = |app: &App| app.metrics.heartbeats.with_label_values(&["timer:housekeeping"]).get();
            running.iter().map(|(_, app)| beat(app)).min().unwrap()
        };
        // Every process has looked since then, and left it alone.
        let since = running[0].1.clock.now().timestamp();
        eventually("every process to look", async || (beats() > since).then_some(())).await;
        assert_eq!(runs().await, due);
        sqlx::query("update timers set next_at = now()").execute(&running[0].1.pool).await.unwrap();
    }
    for (running, _) in running {
        running.stop().await;
    }
}

/// A timer that waits for somebody who does not answer keeps no other one waiting.
#[tokio::test(flavor = "multi_thread")]
async fn a_timer_that_hangs_delays_no_other() {
    let database = Database::fresh().await;
    // Takes calls, and never says anything.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stripe = format!("http://{}", silent.local_addr().unwrap());
    let config = Config::read(false, |name| match name {
        "DATABASE_URL" => Some(database.url.clone()),
        "STRIPE_SECRET_KEY" => Some("sk_test_of_the_tests".to_owned()),
        "STRIPE_API_URL" => Some(stripe.clone()),
        "SHUTDOWN_SECONDS" => Some("1".to_owned()),
        _ => None,
    });
    let app = App::build(config.unwrap(), &database.url, Clock::system()).unwrap();
    let running = app.start(Role::Work).await.unwrap();
    let of = async |name: &str| {
        let timer: (i64, bool) =
            sqlx::query_as("select runs, coalesce(locked_until > now(), false) from timers where name = $1")
                .bind(name)
                .fetch_one(&app.pool)
                .await
                .unwrap();
        timer
    };
    eventually("Stripe's timer to be on its way", async || of("stripe").await.1.then_some(())).await;
    let (seen, _) = of("memberships").await;
    eventually("the others to go on", async || (of("memberships").await.0 >= seen + 2).then_some(())).await;
    assert_eq!(of("stripe").await, (0, true), "it still waits");
    running.stop().await;
}
