//! What the server itself can take: inserts of ten rows, by many connections,
//! into a table with the columns and indexes of the log.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use cqrs_es::{Aggregate, DomainEvent};
use promostack::clock::Clock;
use uuid::Uuid;

use crate::{
    Round, Sample,
    counter::{Counter, Event},
    cycle,
    database::Database,
};

const ROWS: i64 = 10;

pub(crate) async fn prepare(database: &Database) {
    database
        .run(
            "create schema bulk; \
             create table bulk.events (like public.events including all); \
             create sequence bulk.positions",
        )
        .await;
}

pub(crate) async fn inserts(database: &Database, connections: usize) -> Sample {
    let pool = database.pool("bulk", connections as u32).await;
    let last: i64 = sqlx::query_scalar("select coalesce(max(position), 0) from events")
        .fetch_one(&pool)
        .await
        .expect("the last position");
    let position = Arc::new(AtomicI64::new(last + 1));
    let shared = pool.clone();
    let mut sample = cycle(Round::new(connections), move |_| {
        let (pool, position) = (shared.clone(), position.clone());
        async move {
            let first = position.fetch_add(ROWS, Ordering::Relaxed);
            insert(&pool, first).await.expect("a plain insert");
        }
    })
    .await;
    pool.close().await;
    sample.per_s *= ROWS as f64;
    sample
}

async fn insert(pool: &sqlx::PgPool, first: i64) -> sqlx::Result<()> {
    let clock = Clock::system();
    let events: Vec<Event> = (0..ROWS).map(|n| Event::counted(1, Uuid::from_u128((first + n) as u128))).collect();
    let payloads: Vec<String> = events.iter().map(|event| serde_json::to_string(event).expect("plain data")).collect();
    let ids: Vec<Uuid> = events.iter().map(|_| clock.new_id()).collect();
    let streams: Vec<String> = events.iter().map(|_| clock.new_id().to_string()).collect();
    let correlations: Vec<Uuid> = events.iter().map(|_| clock.new_id()).collect();
    sqlx::query(
        "insert into events (position, id, recorded_at, aggregate_type, aggregate_id, sequence, event_type, \
                             event_version, payload, actor, correlation_id, causation) \
         select $1 + n - 1, id, now(), $2, stream, 1, $3, $4, payload::json, 'bench', correlation, 'bench' \
           from unnest($5::uuid[], $6::text[], $7::text[], $8::uuid[]) \
                with ordinality as e (id, stream, payload, correlation, n)",
    )
    .bind(first)
    .bind(Counter::TYPE)
    .bind(events[0].event_type())
    .bind(events[0].event_version())
    .bind(ids)
    .bind(streams)
    .bind(payloads)
    .bind(correlations)
    .execute(pool)
    .await?;
    Ok(())
}
