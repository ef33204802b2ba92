//! Stock postgres-es as its users use it.

use std::sync::Arc;

use cqrs_es::AggregateError;
use postgres_es::{PostgresCqrs, postgres_cqrs};
use promostack::clock::Clock;
use uuid::Uuid;

use crate::{
    Round, Sample, Streams,
    counter::{Count, Counter},
    cycle,
    database::Database,
};

const CONNECTIONS: u32 = 32;

/// The table of its documentation.
pub(crate) async fn prepare(database: &Database) {
    database
        .run(
            "create schema stock; \
             create table stock.events ( \
                 aggregate_type text not null, \
                 aggregate_id   text not null, \
                 sequence       bigint check (sequence >= 0) not null, \
                 event_type     text not null, \
                 event_version  text not null, \
                 payload        json not null, \
                 metadata       json not null, \
                 primary key (aggregate_type, aggregate_id, sequence))",
        )
        .await;
}

pub(crate) async fn commands(database: &Database, streams: Streams, round: Round) -> Sample {
    let pool = database.pool("stock", CONNECTIONS).await;
    let framework: Arc<PostgresCqrs<Counter>> = Arc::new(postgres_cqrs(pool.clone(), vec![], ()));
    let hot: Arc<str> = Clock::system().new_id().to_string().into();
    let sample = cycle(round, move |n| {
        let (framework, hot) = (framework.clone(), hot.clone());
        async move {
            let command = Count { person: Uuid::from_u128(n.into()) };
            let fresh = Clock::system().new_id().to_string();
            let id = if streams == Streams::Hot { &*hot } else { &*fresh };
            // It leaves it to its user to try again.
            while let Err(error) = framework.execute(id, command.clone()).await {
                assert!(matches!(error, AggregateError::AggregateConflict), "{error}");
            }
        }
    })
    .await;
    pool.close().await;
    sample
}
