//! Streams that are loaded in many pages.

use std::time::Duration;

use aggregates::{
    Campaign, Personal, TelegramUser,
    campaign::{Command, Redemption},
};
use promostack::{executor::Executor, log::LogError};

use crate::{
    executor::{redeem, wish},
    process::{Database, Process},
};

/// In the campaign `gold`, which has two events more.
const REDEEMED: u32 = 9_999;

async fn filled() -> Database {
    let database = Database::create().await;
    let fill = sqlx::query(include_str!("../../benches/campaigns/history.sql")).bind("gold").bind(i64::from(REDEEMED));
    fill.execute(&mut database.connect().await).await.expect("the log is filled");
    database
}

/// Redemptions, version and last position.
async fn look(executor: &Executor<Campaign>, id: &str) -> Result<(Option<u32>, i64, i64), LogError> {
    executor.look(id, |campaign, version, at| (campaign.running().map(|known| known.redeemed), version, at)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_stream_is_taken_in_whole_whoever_gives_up_or_appends_meanwhile() {
    let database = filled().await;
    let process = Process::start(&database).await;
    let executor = process.executor();
    assert_eq!(look(&executor, "gold").await.expect("it is loaded"), (Some(REDEEMED), 10_001, 10_001));

    // What a person is called must not be taken for the end of an event.
    let Command::Redeem { redemption, asked } = redeem(1) else { unreachable!("it redeems") };
    let named = TelegramUser { id: 7, name: Some("An\u{1e}na".to_owned()), language: None };
    let redemption = Redemption { telegram: Some(Personal::new(named)), ..redemption };
    let done = executor.send("gold", wish(Command::Redeem { redemption, asked })).await.expect("it is active");
    assert_eq!((done.version, done.position), (10_002, 10_002));

    let late = Process::start(&database).await;
    let others: Executor<Campaign> = late.executor();
    for given_up in 0..10 {
        let _ = tokio::time::timeout(Duration::from_millis(given_up), look(&others, "gold")).await;
    }
    let more = futures_util::future::join_all((2..=50).map(|n| executor.send("gold", wish(redeem(n)))));
    let (met, sent) = tokio::join!(look(&others, "gold"), more);
    assert!(met.expect("it is loaded").1 >= 10_002);
    assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    assert_eq!(look(&others, "gold").await.expect("it is loaded"), (Some(REDEEMED + 50), 10_051, 10_051));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_that_is_cut_off_says_so_and_the_next_one_is_whole() {
    let database = filled().await;
    let mut connection = database.connect().await;
    let mut cut_off = 0;
    while cut_off < 3 {
        let process = Process::start(&database).await;
        let executor = process.executor();
        let loading = look(&executor, "gold");
        tokio::pin!(loading);
        let loaded = loop {
            let kill = sqlx::query(
                "select pg_terminate_backend(pid) from pg_stat_activity
                  where datname = current_database() and query like '%generate_series%' and pid <> pg_backend_pid()",
            );
            tokio::select! {
                loaded = &mut loading => break loaded,
                killed = kill.execute(&mut connection) => killed.expect("may end connections"),
            };
        };
        match loaded {
            Ok(whole) => assert_eq!(whole, (Some(REDEEMED), 10_001, 10_001)),
            Err(error) => {
                assert!(matches!(error, LogError::Unavailable { .. }), "{error:?}");
                cut_off += 1;
            }
        }
        assert_eq!(look(&executor, "gold").await.expect("it is loaded"), (Some(REDEEMED), 10_001, 10_001));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_and_what_is_not_there_is_named() {
    let database = filled().await;
    let mut connection = database.connect().await;
    let warm = Process::start(&database).await;
    look(&warm.executor(), "gold").await.expect("it is loaded");
    let insert = "insert into events (position, id, recorded_at, aggregate_type, aggregate_id, sequence, event_type,
                                      event_version, payload, actor, correlation_id, causation) ";
    let next = "select position + 1, gen_random_uuid(), recorded_at, aggregate_type, aggregate_id, sequence + 1,
                       event_type, '99', payload, actor, correlation_id, causation
                  from events where position = 10001";
    // `short` lacks an event within its first page, `silver` one far behind it.
    let without = "select position + $2, gen_random_uuid(), recorded_at, aggregate_type, $1,
                          sequence + case when sequence > $3 then 1 else 0 end,
                          event_type, event_version, payload, actor, correlation_id, causation
                     from events where aggregate_id = 'gold' and sequence <= $4";
    sqlx::query(&format!("{insert}{next}")).execute(&mut connection).await.expect("it is the next");
    for (id, offset, gap, events) in [("short", 20_000_i64, 5_i64, 10_i64), ("silver", 30_000, 7_000, 10_001)] {
        let query = format!("{insert}{without}");
        let insert = sqlx::query(&query).bind(id).bind(offset).bind(gap).bind(events);
        insert.execute(&mut connection).await.expect("nothing but the append looks for gaps");
    }

    let cold = Process::start(&database).await;
    for executor in [warm.executor(), cold.executor()] {
        let error = look(&executor, "gold").await.expect_err("an unknown version");
        assert!(matches!(error, LogError::Unreadable { position: 10_002, .. }), "{error:?}");
        for (id, gap, page_ends) in [("short", 20_005, 20_010), ("silver", 37_000, 37_512)] {
            let error = look(&executor, id).await.expect_err("an event is missing");
            let LogError::Incomplete { position } = error else { panic!("{error:?}") };
            assert!((gap + 1..=page_ends).contains(&position), "{id}: {position}");
        }
    }
}
