//! The plain way, without events: a counter that is updated where its limit
//! allows it, and a row about it.

use promostack::clock::Clock;
use uuid::Uuid;

use crate::{Round, Sample, Streams, counter::LIMIT, cycle, database::Database};

const CONNECTIONS: u32 = 32;

/// Counters there are from the start: to use one is an update, as it is when a limit is checked.
const COUNTERS: i64 = 300_000;

pub(crate) async fn prepare(database: &Database) {
    database
        .run(&format!(
            "create schema plain; \
             create table plain.counters (id bigint primary key, counted integer not null, most integer not null); \
             insert into plain.counters select n, 0, {LIMIT} from generate_series(1, {COUNTERS}) n; \
             create table plain.counts ( \
                 id uuid primary key, \
                 counter bigint not null, \
                 number integer not null, \
                 person uuid not null, \
                 note text not null, \
                 at timestamptz not null default now(), \
                 unique (counter, number))",
        ))
        .await;
    database.run("vacuum analyze plain.counters").await;
}

pub(crate) async fn commands(database: &Database, streams: Streams, round: Round) -> Sample {
    let pool = database.pool("plain", CONNECTIONS).await;
    let shared = pool.clone();
    let sample = cycle(round, move |n| {
        let pool = shared.clone();
        async move {
            let counter = if streams == Streams::Hot { 1 } else { n as i64 % (COUNTERS - 1) + 2 };
            count(&pool, counter, Uuid::from_u128(n.into())).await.expect("a plain transaction");
        }
    })
    .await;
    pool.close().await;
    sample
}

async fn count(pool: &sqlx::PgPool, counter: i64, person: Uuid) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    let number: i32 = sqlx::query_scalar(
        "update counters set counted = counted + 1 where id = $1 and counted < most returning counted",
    )
    .bind(counter)
    .fetch_one(&mut *transaction)
    .await?;
    sqlx::query("insert into counts (id, counter, number, person, note) values ($1, $2, $3, $4, $5)")
        .bind(Clock::system().new_id())
        .bind(counter)
        .bind(number)
        .bind(person)
        .bind("one more of a hundred bytes or so")
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}
