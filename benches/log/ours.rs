//! Our log, through the executor.

use std::sync::Arc;

use promostack::{
    clock::Clock,
    executor::{Executor, Loader, Wish},
    log::{Cause, Log},
    metrics::Metrics,
    wake::Wake,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    Round, Sample, Streams,
    counter::{Count, Counter},
    cycle,
    database::Database,
};

/// Connections for reading, as a process has by default.
const CONNECTIONS: u32 = 8;

pub(crate) async fn commands(database: &Database, streams: Streams, round: Round) -> Sample {
    let clock = Clock::system();
    let metrics = Arc::new(Metrics::default());
    let wake = Wake::default();
    let pool = database.pool("public", CONNECTIONS).await;
    let (log, log_task) = Log::new(pool.clone(), database.options(), wake.clone(), metrics.clone());
    let (loader, load_task) = Loader::new(pool.clone());
    let mut tasks = JoinSet::new();
    tasks.spawn(log_task.run());
    tasks.spawn(load_task.run());
    let options = database.options();
    tasks.spawn(async move { wake.run(options).await });
    let executor = Executor::<Counter>::new(log, loader, pool, clock.clone(), metrics);

    let hot: Arc<str> = clock.new_id().to_string().into();
    cycle(round, move |n| {
        let (executor, clock, hot) = (executor.clone(), clock.clone(), hot.clone());
        async move {
            let command = Count { person: Uuid::from_u128(n.into()) };
            let cause = Cause { actor: "bench".into(), correlation: clock.new_id(), causation: "bench".into() };
            let wish = |expected| Wish { command, cause, once: None, expected };
            match streams {
                // Whoever makes an id knows that its stream is new, and can say so.
                Streams::Distinct => executor.send(&clock.new_id().to_string(), wish(Some(0))).await,
                Streams::Hot => executor.send(&hot, wish(None)).await,
            }
            .expect("the counter has no reachable limit");
        }
    })
    .await
}
