//! What the log must look like after everybody said what became of their
//! appends.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use promostack::log::{Append, Outcome};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

/// An append and what its sender was told.
pub(crate) struct Told {
    pub(crate) append: Append,
    pub(crate) outcome: Outcome,
}

/// How many senders were told what.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) written: usize,
    pub(crate) conflict: usize,
    pub(crate) repeated: usize,
    pub(crate) failed: usize,
}

impl Tally {
    pub(crate) fn of(told: &[Told]) -> Self {
        let mut tally = Self::default();
        for told in told {
            match told.outcome {
                Outcome::Written { .. } => tally.written += 1,
                Outcome::Conflict => tally.conflict += 1,
                Outcome::Repeated => tally.repeated += 1,
                Outcome::Failed(_) => tally.failed += 1,
            }
        }
        tally
    }
}

#[derive(FromRow)]
struct Stored {
    position: i64,
    id: Uuid,
    recorded_at: DateTime<Utc>,
    aggregate_id: String,
    sequence: i64,
    payload: String,
}

#[derive(FromRow)]
struct Receipt {
    key: String,
    aggregate_id: String,
    position: Option<i64>,
    events: i32,
    version: i64,
}

/// Compares the whole log and all receipts with what was told; not one event
/// more or less may be there.
pub(crate) async fn verify(connection: &mut PgConnection, told: &[Told]) {
    // Not through `Log`: it is what is being tested.
    let log: Vec<Stored> = sqlx::query_as(
        "select position, id, recorded_at, aggregate_id, sequence, payload::text from events order by position",
    )
    .fetch_all(&mut *connection)
    .await
    .expect("the log can be read");
    one_gapless_order(&log);
    exactly_what_was_acknowledged(&log, told);
    let receipts: Vec<Receipt> = sqlx::query_as("select key, aggregate_id, position, events, version from receipts")
        .fetch_all(&mut *connection)
        .await
        .expect("the receipts can be read");
    every_key_once(&receipts, told);
}

fn one_gapless_order(log: &[Stored]) {
    let mut versions: HashMap<&str, i64> = HashMap::new();
    let mut time = DateTime::UNIX_EPOCH;
    for (event, position) in log.iter().zip(1..) {
        assert_eq!(event.position, position, "positions run from 1 without gaps");
        assert!(event.recorded_at >= time, "position {position} was recorded before the one before it");
        time = event.recorded_at;
        let version = versions.entry(&event.aggregate_id).or_default();
        assert_eq!(event.sequence, *version + 1, "the sequences of {} have no gap", event.aggregate_id);
        *version = event.sequence;
    }
}

fn exactly_what_was_acknowledged(log: &[Stored], told: &[Told]) {
    let mut acknowledged = 0;
    let stored: HashSet<Uuid> = log.iter().map(|event| event.id).collect();
    assert_eq!(stored.len(), log.len(), "no event is there twice");
    for Told { append, outcome } in told {
        let Outcome::Written { position } = outcome else {
            for event in &append.events {
                assert!(!stored.contains(&event.id), "{outcome:?} was told of {append:?}, which is in the log");
            }
            continue;
        };
        acknowledged += append.events.len();
        for (n, event) in append.events.iter().enumerate() {
            let found = &log[*position as usize - 1 + n];
            assert_eq!(found.id, event.id, "at its position");
            assert_eq!(*found.aggregate_id, *append.stream.id);
            assert_eq!(found.sequence, append.next + n as i64);
            assert_eq!(found.payload, event.payload, "as it was written");
        }
    }
    assert_eq!(log.len(), acknowledged, "nothing is there that nobody wrote");
}

fn every_key_once(receipts: &[Receipt], told: &[Told]) {
    let receipts: HashMap<&str, &Receipt> = receipts.iter().map(|receipt| (&*receipt.key, receipt)).collect();
    let mut effects: HashMap<&str, &Told> = HashMap::new();
    for each in told {
        let Some(once) = &each.append.once else { continue };
        match each.outcome {
            Outcome::Written { .. } => {
                assert!(effects.insert(&once.key, each).is_none(), "key {} took effect twice", once.key);
            }
            Outcome::Repeated => {
                assert!(receipts.contains_key(&*once.key), "key {} was called repeated, but is new", once.key);
            }
            Outcome::Conflict | Outcome::Failed(_) => {}
        }
    }
    assert_eq!(receipts.len(), effects.len(), "a receipt for each effect");
    for (key, Told { append, outcome }) in effects {
        let receipt = receipts[key];
        assert_eq!(*receipt.aggregate_id, *append.stream.id);
        assert_eq!(receipt.events as usize, append.events.len());
        assert_eq!(receipt.version, append.next - 1 + append.events.len() as i64);
        let Outcome::Written { position } = outcome else { unreachable!("effects are written") };
        assert_eq!(receipt.position, (!append.events.is_empty()).then_some(*position));
    }
}
