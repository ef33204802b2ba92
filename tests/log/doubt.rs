//! Connections that are lost while an append is being committed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use promostack::log::{Log, Once, Outcome};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    history::{Tally, Told, verify},
    process::{APPENDER, Database, Process, append},
};

const KILLS: usize = 60;

/// Ends the connections that append, again and again, at times of no pattern.
async fn kill(database: &Database, seed: u64) -> usize {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut connection = database.connect().await;
    let mut killed = 0;
    while killed < KILLS {
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
    let writers: Vec<_> = (0..24)
        .map(|n| tokio::spawn(write(processes[n % 2].log.clone(), format!("stream-{}", n / 2), n, stop.clone())))
        .collect();
    let seed = rand::thread_rng().r#gen();
    println!("seed {seed}");
    let killed = kill(&database, seed).await;
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
    assert!(tally.written > 500, "hardly anything was written: {tally:?}");
    for told in &told {
        assert!(!matches!(told.outcome, Outcome::Failed(_)), "the log was never away for long: {:?}", told.outcome);
    }
}

/// Appends to a stream that one writer in the other process appends to as well.
async fn write(log: Log, stream: String, writer: usize, stop: Arc<AtomicBool>) -> Vec<Told> {
    let mut told: Vec<Told> = vec![];
    let mut version = 0;
    let mut number = 0;
    // Not before its last key has an answer that can be counted on.
    while !stop.load(Ordering::Relaxed) || matches!(told.last(), Some(Told { outcome: Outcome::Conflict, .. })) {
        let mut append = append(&stream, version + 1, number % 3);
        append.once =
            Some(Once { source: "test".into(), key: format!("{writer}/{number}").into(), fingerprint: [0; 32] });
        let outcome = log.append(append.clone()).await;
        match outcome {
            Outcome::Written { .. } => {
                version += append.events.len() as i64;
                number += 1;
            }
            // Lost, or the other writer was first.
            Outcome::Conflict => version = newest(&log, &stream).await,
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
