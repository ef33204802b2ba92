//! Appends under concurrency, with exact counts.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use promostack::log::{Append, Log, LogError, Once, Outcome};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    history::{Tally, Told, verify},
    process::{Database, Process, append, event},
};

/// How a run is shaped; all else follows from the seed.
#[derive(Debug, Clone, Copy)]
struct Plan {
    seed: u64,
    processes: usize,
    tasks: usize,
    rounds: usize,
    streams: usize,
    keys: usize,
}

fn plans() -> impl Strategy<Value = Plan> {
    (any::<u64>(), 2..=3_usize, 16..=40_usize, 20..=30_usize, 2..=12_usize, 20..=60_usize).prop_map(
        |(seed, processes, tasks, rounds, streams, keys)| Plan { seed, processes, tasks, rounds, streams, keys },
    )
}

#[test]
fn whatever_many_appenders_do_the_log_holds_exactly_what_they_were_told() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    // Few and fat: shrinking a race tells nothing, the seed does.
    let config = Config { cases: 4, max_shrink_iters: 0, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&plans(), |plan| {
            println!("{plan:?}");
            runtime.block_on(race(plan));
            Ok(())
        })
        .expect("every plan leaves the log whole");
}

async fn race(plan: Plan) {
    let database = Database::create().await;
    let mut processes = vec![];
    for _ in 0..plan.processes {
        processes.push(Process::start(&database).await);
    }
    // What the tasks believe the versions to be. They share it without care,
    // so they collide all the time.
    let beliefs = Arc::new(Mutex::new(HashMap::new()));
    let tasks: Vec<_> = (0..plan.tasks)
        .map(|n| {
            let task = Appender {
                log: processes[n % plan.processes].log.clone(),
                rng: StdRng::seed_from_u64(plan.seed.wrapping_add(n as u64)),
                plan,
                beliefs: beliefs.clone(),
            };
            tokio::spawn(task.run())
        })
        .collect();
    let mut told = vec![];
    for task in tasks {
        told.extend(task.await.expect("no task panics"));
    }

    verify(&mut database.connect().await, &told).await;
    let tally = Tally::of(&told);
    println!("{tally:?}");
    let Tally { written, conflict, repeated, failed } = tally;
    let tame = written < 50 || conflict < 50 || repeated == 0 || failed == 0;
    assert!(!tame, "this proves nothing: {tally:?}");
    for Told { append, outcome } in &told {
        let bad = append.events.iter().any(|event| event.payload.contains('\0'));
        match outcome {
            Outcome::Failed(error) => {
                assert!(bad && matches!(**error, LogError::Unstorable { .. }), "{error:?} for {append:?}");
            }
            Outcome::Written { .. } => assert!(!bad, "{append:?}"),
            Outcome::Conflict | Outcome::Repeated => {}
        }
    }
}

struct Appender {
    log: Log,
    rng: StdRng,
    plan: Plan,
    beliefs: Arc<Mutex<HashMap<usize, i64>>>,
}

impl Appender {
    async fn run(mut self) -> Vec<Told> {
        let mut told = vec![];
        for _ in 0..self.plan.rounds {
            let stream = self.rng.gen_range(0..self.plan.streams);
            let version = self.believed(stream);
            // Sometimes two that build on each other, or collide, in one go.
            let mut appends = vec![self.invent(stream, version)];
            if self.rng.gen_bool(0.2) {
                let after = version + appends[0].events.len() as i64;
                appends.push(self.invent(stream, after));
            }
            let outcomes = futures_util::future::join_all(appends.iter().map(|one| self.log.append(one.clone()))).await;
            for (append, outcome) in appends.into_iter().zip(outcomes) {
                match outcome {
                    Outcome::Written { .. } => self.learn(stream, append.next - 1 + append.events.len() as i64),
                    Outcome::Conflict => {
                        let newest = self.newest(stream).await;
                        self.learn(stream, newest);
                    }
                    Outcome::Repeated | Outcome::Failed(_) => {}
                }
                told.push(Told { append, outcome });
            }
        }
        told
    }

    fn invent(&mut self, stream: usize, version: i64) -> Append {
        let next = match self.rng.gen_range(0..20) {
            // Long since taken, or never to be reached.
            0 => (version - self.rng.gen_range(0..3)).max(1),
            1 => version + self.rng.gen_range(2..5),
            _ => version + 1,
        };
        let events = self.rng.gen_range(0..=3);
        let mut append = append(&format!("stream/{stream}"), next, events);
        if events > 0 && self.rng.gen_bool(0.1) {
            let place = self.rng.gen_range(0..events);
            append.events[place] = event("{\"nul\":\"\0\"}");
        }
        if self.rng.gen_bool(0.3) {
            let key = self.rng.gen_range(0..self.plan.keys);
            append.once = Some(Once {
                source: "test".into(),
                key: format!("key-{key}").into(),
                fingerprint: [key as u8; 32],
                keeps_refusals: true,
            });
        }
        append
    }

    fn believed(&self, stream: usize) -> i64 {
        self.beliefs.lock().expect("no panics").get(&stream).copied().unwrap_or(0)
    }

    fn learn(&self, stream: usize, version: i64) {
        let mut beliefs = self.beliefs.lock().expect("no panics");
        let believed = beliefs.entry(stream).or_insert(0);
        *believed = version.max(*believed);
    }

    async fn newest(&self, stream: usize) -> i64 {
        let selection = promostack::log::Selection {
            aggregate_type: Some(crate::process::KIND.to_owned()),
            aggregate_id: Some(format!("stream/{stream}")),
            newest_first: true,
            ..Default::default()
        };
        let page = self.log.select(&selection, None, 1).await.expect("the log can be read");
        page.events.first().map_or(0, |event| event.sequence)
    }
}
