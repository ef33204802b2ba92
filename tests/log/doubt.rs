//! Connections that are lost while an append is being committed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use promostack::log::{Append, Log, Once, Outcome};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    history::{Tally, Told, verify},
    process::{APPENDER, Database, Process, append},
    wire::Wire,
};

/// Connections to end, and appends to see written, before it is enough.
const KILLS: usize = 60;
const WRITTEN: usize = 500;

/// Ends the connections that append, again and again, at times of no pattern.
async fn kill(database: &Database, seed: u64, written: &AtomicUsize) -> usize {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut connection = database.connect().await;
    let mut killed = 0;
    while killed < KILLS || written.load(Ordering::Relaxed) < WRITTEN {
        tokio::time::sleep(Duration::from_micros(rng.gen_range(500..30_000))).await;
        killed += sqlx::query(
            "select pg_terminate_backend(pid) from pg_stat_activity \
              where datname = current_database() and application_name = $1 and state = 'active'",
        )
        .bind(APPENDER)
        .execute(&mut connection)
        .await
        .expect("may end connections")
        .rows_affected() as usize;
    }
    killed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_neither_loses_nor_doubles_what_was_acknowledged() {
    let database = Database::create().await;
    let processes = [Process::start(&database).await, Process::start(&database).await];
    let stop = Arc::new(AtomicBool::new(false));
    let written = Arc::new(AtomicUsize::new(0));
    let writers: Vec<_> = (0..24)
        .map(|n| {
            let writer = Writer {
                log: processes[n % 2].log.clone(),
                number: n,
                stream: format!("stream-{}", n / 2),
                written: written.clone(),
                stop: stop.clone(),
            };
            tokio::spawn(writer.run())
        })
        .collect();
    let seed = rand::thread_rng().r#gen();
    println!("seed {seed}");
    let killed = kill(&database, seed, &written).await;
    stop.store(true, Ordering::Relaxed);
    let mut told = vec![];
    for writer in writers {
        told.extend(writer.await.expect("no task panics"));
    }

    let mut connection = database.connect().await;
    verify(&mut connection, &told).await;
    let tally = Tally::of(&told);
    println!("{killed} connections ended, {tally:?}");
    let retired: i64 =
        sqlx::query_scalar("select count(*) from retired_writers").fetch_one(&mut connection).await.expect("counts");
    assert!(retired as usize >= KILLS / 4, "only {retired} writers were lost");
    assert!(tally.written >= WRITTEN, "{tally:?}");
    for told in &told {
        assert!(!matches!(told.outcome, Outcome::Failed(_)), "the log was never away for long: {:?}", told.outcome);
    }
}

/// Appends to a stream that one writer in the other process appends to as well.
struct Writer {
    log: Log,
    number: usize,
    stream: String,
    written: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl Writer {
    async fn run(self) -> Vec<Told> {
        let mut told: Vec<Told> = vec![];
        let mut version = 0;
        let mut number = 0;
        // Not before its last key has an answer that can be counted on.
        while !self.stop.load(Ordering::Relaxed) || matches!(told.last(), Some(Told { outcome: Outcome::Conflict, .. }))
        {
            let append = keyed(&format!("{}/{number}", self.number), append(&self.stream, version + 1, number % 3));
            let outcome = self.log.append(append.clone()).await;
            match outcome {
                Outcome::Written { .. } => {
                    version += append.events.len() as i64;
                    number += 1;
                    self.written.fetch_add(1, Ordering::Relaxed);
                }
                // Lost, or the other writer was first.
                Outcome::Conflict => version = newest(&self.log, &self.stream).await,
                // A check without events was written, but its connection was lost: nobody could tell.
                Outcome::Repeated => {
                    assert!(append.events.is_empty(), "{append:?} was not acknowledged, but is there");
                    let earlier = told.last_mut().expect("it came before");
                    assert!(matches!(earlier.outcome, Outcome::Conflict));
                    earlier.outcome = Outcome::Written { position: 0 };
                    number += 1;
                }
                Outcome::Failed(_) => {}
            }
            told.push(Told { append, outcome });
        }
        told
    }
}

fn keyed(key: &str, append: Append) -> Append {
    Append {
        once: Some(Once { source: "test".into(), key: key.into(), fingerprint: [0; 32], keeps_refusals: true }),
        ..append
    }
}

async fn newest(log: &Log, stream: &str) -> i64 {
    let selection = promostack::log::Selection {
        aggregate_type: Some(crate::process::KIND.to_owned()),
        aggregate_id: Some(stream.to_owned()),
        newest_first: true,
        ..Default::default()
    };
    loop {
        // The pool's connections are not ended, but may wait for the log's lock.
        if let Ok(page) = log.select(&selection, None, 1).await {
            return page.events.first().map_or(0, |event| event.sequence);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_committed_is_acknowledged_though_the_answer_was_lost() {
    const ROUNDS: usize = 15;
    let database = Database::create().await;
    let wire = Wire::start(&database.options()).await;
    let process = Process::start_over(&database, wire.options(&database.options())).await;
    let mut told = vec![];
    for round in 0..ROUNDS {
        // What comes first on a connection prepares the statement, which has answers of its own.
        let mut appends = vec![append(&format!("{round}"), 1, 1)];
        let outcome = process.log.append(appends[0].clone()).await;
        assert!(matches!(outcome, Outcome::Written { .. }), "{outcome:?}");
        told.push(Told { append: appends.remove(0), outcome });

        wire.lose_an_answer();
        appends.extend((1..=3).map(|n| keyed(&format!("{round}-{n}"), append(&format!("{round}-{n}"), 1, n))));
        let outcomes = futures_util::future::join_all(appends.iter().map(|one| process.log.append(one.clone()))).await;
        for (append, outcome) in appends.into_iter().zip(outcomes) {
            assert!(matches!(outcome, Outcome::Written { .. }), "{outcome:?} of {append:?}");
            told.push(Told { append, outcome });
        }
        assert_eq!(wire.lost(), round + 1, "an answer was lost");
    }
    let mut connection = database.connect().await;
    verify(&mut connection, &told).await;
    let retired: i64 =
        sqlx::query_scalar("select count(*) from retired_writers").fetch_one(&mut connection).await.expect("counts");
    assert_eq!(retired as usize, ROUNDS);
}
