//! Reading the whole log: into typed events by one thread, and as the server
//! itself sends it.

use std::{sync::Arc, time::Instant};

use aggregates::{Fact, campaign::Event};
use futures_util::TryStreamExt;
use promostack::{log::Log, metrics::Metrics, wake::Wake};

use crate::{Sample, database::Database};

/// Events read in one piece.
const PAGE: i64 = 1_000;

/// Runs on one thread, as a feed does.
fn alone<T: Send>(work: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        scope
            .spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(work)
            })
            .join()
            .expect("it does not panic")
    })
}

pub(crate) async fn facts(database: &Database, stored: i64) -> Sample {
    alone(async {
        let pool = database.pool("public", 2).await;
        let (log, _task) = Log::new(pool, database.options(), Wake::default(), Arc::new(Metrics::default()));
        let started = Instant::now();
        let (mut position, mut redeemed) = (0, 0);
        loop {
            let page = log.facts(position, PAGE).await.expect("the log can be read");
            let Some((last, _)) = page.last() else { break };
            position = *last;
            redeemed += page.iter().filter(|(_, fact)| matches!(fact, Fact::Campaign(Event::Redeemed { .. }))).count();
        }
        assert_eq!((position, redeemed as i64), (stored, stored - 200), "every event was read");
        Sample::rate(position as usize, started.elapsed())
    })
}

pub(crate) async fn copy(database: &Database, stored: i64) -> Sample {
    alone(async {
        let mut connection = database.connect().await;
        let started = Instant::now();
        let mut rows = connection.copy_out_raw("copy events to stdout").await.expect("may copy");
        let mut count = 0;
        while let Some(piece) = rows.try_next().await.expect("the copy goes on") {
            // One row a message: PostgreSQL's way since version 7.4.
            count += i64::from(!piece.is_empty());
        }
        assert_eq!(count, stored);
        Sample::rate(count as usize, started.elapsed())
    })
}
