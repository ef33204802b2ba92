//! Selections of a long log, page by page.

use chrono::{DateTime, TimeDelta, Utc};
use promostack::log::{Log, Selection};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::process::{Database, Process};

const START: DateTime<Utc> = DateTime::from_timestamp_nanos(1_700_000_000_000_000_000);

/// More than two windows, so that a page ends at the edge of one.
const EVENTS: i64 = 210_000;

/// Three events a second; every thousandth is rare, and one actor came only once.
async fn fill(database: &Database) {
    sqlx::query(
        "insert into events (position, id, recorded_at, aggregate_type, aggregate_id, sequence, event_type, \
                             event_version, payload, actor, correlation_id, causation) \
         select n, gen_random_uuid(), $1 + (n / 3) * interval '1 second', 'kind-' || n % 2, 'stream-' || n % 500, \
                (n - 1) / 500 + 1, case when n % 1000 = 7 then 'Rare' else 'Common' end, '1', '{}', \
                case when n = 123456 then 'once' else 'actor-' || n % 5 end, gen_random_uuid(), 'test' \
           from generate_series(1, $2) n",
    )
    .bind(START)
    .bind(EVENTS)
    .execute(&mut database.connect().await)
    .await
    .expect("the log is filled");
}

async fn pages(log: &Log, selection: &Selection, limit: i64) -> Vec<i64> {
    let mut positions = vec![];
    let mut cursor = None;
    loop {
        let page = log.select(selection, cursor, limit).await.expect("the log can be read");
        assert!(page.events.len() as i64 <= limit);
        positions.extend(page.events.iter().map(|event| event.position));
        match page.next {
            next @ Some(_) => {
                assert_ne!(next, cursor, "a cursor moves on");
                cursor = next;
            }
            None => return positions,
        }
    }
}

/// What [`fill`] put at a position.
fn matches(selection: &Selection, n: i64) -> bool {
    let is = |wanted: &Option<String>, found: String| wanted.as_ref().is_none_or(|wanted| *wanted == found);
    let recorded_at = START + TimeDelta::seconds(n / 3);
    is(&selection.aggregate_type, format!("kind-{}", n % 2))
        && is(&selection.aggregate_id, format!("stream-{}", n % 500))
        && is(&selection.event_type, if n % 1_000 == 7 { "Rare" } else { "Common" }.to_owned())
        && is(&selection.actor, if n == 123_456 { "once".to_owned() } else { format!("actor-{}", n % 5) })
        && selection.since.is_none_or(|since| recorded_at >= since)
        && selection.until.is_none_or(|until| recorded_at < until)
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Selections of all sorts, some of which match nothing.
fn selections(seed: u64) -> Vec<(Selection, i64)> {
    let mut rng = StdRng::seed_from_u64(seed);
    let at = |seconds: i64| Some(START + TimeDelta::milliseconds(seconds * 1_000 + 500));
    let all = Selection::default();
    let mut selections = vec![
        (Selection { since: at(68_000), ..all.clone() }, 3_000),
        (Selection { event_type: some("Rare"), ..all.clone() }, 7),
        (Selection { event_type: some("Rare"), ..all.clone() }, 115),
        (Selection { actor: some("once"), ..all.clone() }, 10),
        (Selection { actor: some("nobody"), ..all.clone() }, 10),
        (Selection { aggregate_type: some("kind-0"), aggregate_id: some("stream-42"), ..all.clone() }, 20),
        (Selection { aggregate_type: some("kind-1"), aggregate_id: some("stream-42"), ..all.clone() }, 20),
        (Selection { since: at(70_000), until: at(70_010), ..all.clone() }, 4),
        (Selection { since: at(EVENTS), ..all.clone() }, 10),
        (Selection { until: at(-5), ..all.clone() }, 10),
        // Exactly one page, and exactly one window.
        (Selection { aggregate_type: some("kind-1"), aggregate_id: some("stream-1"), ..all.clone() }, 420),
        (Selection { event_type: some("Rare"), until: at(33_333), ..all.clone() }, 100),
    ];
    for _ in 0..20 {
        let number = rng.gen_range(0..500);
        let from = rng.gen_range(0..EVENTS / 3);
        selections.push((
            // One thing at least that few events are.
            Selection {
                aggregate_type: rng.gen_bool(0.5).then(|| format!("kind-{}", number % 2)),
                aggregate_id: rng.gen_bool(0.5).then(|| format!("stream-{number}")),
                event_type: some(if rng.gen_bool(0.7) { "Rare" } else { "Common" }),
                actor: rng.gen_bool(0.3).then(|| format!("actor-{}", number % 5)),
                since: if rng.gen_bool(0.5) { at(from) } else { None },
                until: if rng.gen_bool(0.5) { at(from + rng.gen_range(0..20_000)) } else { None },
                newest_first: false,
            },
            rng.gen_range(50..5_000),
        ));
    }
    selections
}

#[tokio::test]
async fn pages_of_a_selection_are_the_selection() {
    let database = Database::create().await;
    fill(&database).await;
    let process = Process::start(&database).await;
    let log = &process.log;
    assert_eq!(log.last_position().await.expect("can be read"), EVENTS);
    let seed = rand::thread_rng().r#gen();
    println!("seed {seed}");
    let mut found = 0;
    for (mut selection, limit) in selections(seed) {
        let mut expected: Vec<i64> = (1..=EVENTS).filter(|n| matches(&selection, *n)).collect();
        found += usize::from(!expected.is_empty());
        assert!(pages(log, &selection, limit).await == expected, "{selection:?} by {limit}");
        expected.reverse();
        selection.newest_first = true;
        assert!(pages(log, &selection, limit).await == expected, "{selection:?} by {limit}");
    }
    assert!(found >= 8, "hardly any selection matched anything: {found}");
}

#[tokio::test]
async fn a_time_has_its_position() {
    let database = Database::create().await;
    let mut connection = database.connect().await;
    let mut position_at = async |moment: DateTime<Utc>| -> i64 {
        sqlx::query_scalar("select position_at($1)").bind(moment).fetch_one(&mut connection).await.expect("answers")
    };
    assert_eq!(position_at(START).await, 1, "in an empty log, where the first will be");
    fill(&database).await;
    assert_eq!(position_at(START - TimeDelta::days(1)).await, 1);
    assert_eq!(position_at(START).await, 1);
    // Second 1 has the positions 3, 4 and 5.
    assert_eq!(position_at(START + TimeDelta::microseconds(1)).await, 3);
    assert_eq!(position_at(START + TimeDelta::seconds(1)).await, 3);
    assert_eq!(position_at(START + TimeDelta::milliseconds(1_001)).await, 6);
    assert_eq!(position_at(START + TimeDelta::seconds(50_000)).await, 150_000);
    assert_eq!(position_at(START + TimeDelta::days(30)).await, EVENTS + 1);
}

#[tokio::test]
async fn one_event_and_typed_events_are_read_by_position() {
    let database = Database::create().await;
    let process = Process::start(&database).await;
    let executor = process.executor::<aggregates::Campaign>();
    for n in 0..5 {
        let wish = crate::executor::wish(crate::executor::draft(Some(n + 1)));
        executor.send(&format!("campaign-{n}"), wish).await.expect("it is new");
    }
    let all = process.log.read(0, 100).await.expect("can be read");
    assert_eq!(all.len(), 5);
    assert_eq!(process.log.read(2, 2).await.expect("can be read").first().map(|event| event.position), Some(3));
    assert_eq!(process.log.read(5, 2).await.expect("can be read").len(), 0);
    let third = process.log.at(3).await.expect("can be read").expect("is there");
    assert_eq!(third.id, all[2].id);
    assert!(process.log.at(6).await.expect("can be read").is_none());
    let facts = process.log.facts(1, 3).await.expect("can be read");
    let expected: Vec<_> = all[1..4].iter().map(|event| (event.position, event.fact().expect("is known"))).collect();
    assert_eq!(facts, expected);

    // What this program does not know stops it; it is not skipped.
    process.log.append(crate::process::append("unknown", 1, 1)).await;
    let error = process.log.facts(0, 10).await.expect_err("an unknown event");
    assert!(matches!(error, promostack::log::LogError::Unreadable { position: 6, .. }), "{error:?}");
}
