//! One bad command in a batch is its own bad luck.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use promostack::log::{Append, LogError, Once, Outcome, Ticket};
use tokio::sync::oneshot;

use crate::{
    history::{Tally, Told, verify},
    process::{Database, Process, append, event},
};

/// Brings appends to the log in one batch.
async fn in_one_batch(database: &Database, appends: Vec<Append>) -> Vec<Outcome> {
    let (process, task) = Process::stopped(database).await;
    let mut waiting: Vec<_> = appends.into_iter().map(|append| Box::pin(process.log.append(append))).collect();
    for one in &mut waiting {
        assert!(futures_util::poll!(one).is_pending(), "nothing is answered before the appender runs");
    }
    let appender = tokio::spawn(task.run());
    let outcomes = futures_util::future::join_all(waiting).await;
    appender.abort();
    outcomes
}

fn keyed(key: &str, mut append: Append) -> Append {
    append.once = Some(Once { source: "test".into(), key: key.into(), fingerprint: [7; 32], keeps_refusals: true });
    append
}

fn unstorable(stream: &str, next: i64) -> Append {
    Append { events: vec![event("{\"nul\":\"\0\"}")], ..append(stream, next, 0) }
}

/// What was told, each in one letter.
fn letters(outcomes: &[Outcome]) -> String {
    let letter = |outcome: &Outcome| match outcome {
        Outcome::Written { .. } => 'W',
        Outcome::Conflict => 'C',
        Outcome::Repeated => 'R',
        Outcome::Failed(error) if matches!(**error, LogError::Unstorable { .. }) => 'U',
        Outcome::Failed(error) => panic!("{error:?}"),
    };
    outcomes.iter().map(letter).collect()
}

async fn expect(cases: Vec<(char, Append)>) {
    let database = Database::create().await;
    let before = append("old", 1, 2);
    let position = in_one_batch(&database, vec![before.clone()]).await.remove(0);
    let (expected, appends): (String, Vec<_>) = cases.into_iter().unzip();
    let outcomes = in_one_batch(&database, appends.clone()).await;
    assert_eq!(letters(&outcomes), expected);
    let mut told = vec![Told { append: before, outcome: position }];
    told.extend(appends.into_iter().zip(outcomes).map(|(append, outcome)| Told { append, outcome }));
    verify(&mut database.connect().await, &told).await;
}

#[tokio::test]
async fn a_conflict_fails_only_what_was_decided_on_top_of_it() {
    expect(vec![
        ('W', append("a", 1, 3)),
        ('C', append("old", 2, 1)),
        ('C', append("old", 3, 1)),
        ('W', append("a", 4, 1)),
        ('W', append("b", 1, 1)),
    ])
    .await;
}

#[tokio::test]
async fn a_refusal_stands_only_on_the_newest_state() {
    expect(vec![
        ('W', append("a", 1, 1)),
        ('C', append("old", 2, 0)),
        ('W', append("a", 2, 0)),
        ('W', append("a", 2, 1)),
    ])
    .await;
    expect(vec![('W', append("a", 1, 1)), ('C', append("a", 1, 0)), ('W', append("b", 1, 0))]).await;
    expect(vec![('W', append("old", 3, 0)), ('W', keyed("k", append("old", 3, 0))), ('W', append("old", 3, 1))]).await;
}

#[tokio::test]
async fn a_key_takes_effect_once_even_within_a_batch() {
    expect(vec![
        ('W', keyed("k", append("a", 1, 1))),
        ('R', keyed("k", append("a", 2, 1))),
        ('C', append("a", 3, 1)),
        ('R', keyed("k", append("b", 1, 1))),
        ('W', append("c", 1, 1)),
        ('W', keyed("nothing", append("c", 2, 0))),
        ('R', keyed("nothing", append("c", 2, 0))),
        // What changed nothing is no ground that could be lost.
        ('W', append("c", 2, 1)),
    ])
    .await;
}

#[tokio::test]
async fn what_cannot_be_stored_fails_alone() {
    let mut many: Vec<_> = (0..600).map(|n| ('W', append(&format!("stream-{n}"), 1, 1))).collect();
    many[100] = ('U', unstorable("stream-100", 1));
    many.push(('C', append("stream-100", 2, 1)));
    many[400] = ('U', unstorable("stream-400", 1));
    many.push(('W', append("stream-399", 2, 2)));
    expect(many).await;
    // The third was decided on the first, and not on the second, which another process could have written by then.
    expect(vec![
        ('U', unstorable("a", 1)),
        ('C', append("a", 1, 1)),
        ('C', append("a", 2, 1)),
        ('W', append("b", 1, 1)),
    ])
    .await;
}

/// Whether the first append failed, which all others were decided on.
struct Ground {
    sound: Arc<AtomicBool>,
    answer: oneshot::Sender<Outcome>,
}

impl Ticket for Ground {
    fn stands(&self) -> bool {
        self.sound.load(Ordering::SeqCst)
    }

    fn settle(self: Box<Self>, outcome: Outcome) {
        self.sound.fetch_and(matches!(outcome, Outcome::Written { .. }), Ordering::SeqCst);
        self.answer.send(outcome).expect("it is waited for");
    }
}

#[tokio::test]
async fn nothing_is_tried_on_ground_that_was_lost_in_an_earlier_batch() {
    let database = Database::create().await;
    let (process, task) = Process::stopped(&database).await;
    let sound = Arc::new(AtomicBool::new(true));
    // Enough for several batches. The first one is in conflict; the database knows nothing of what the rest was
    // decided on, for every one is for a stream of its own.
    let appends: Vec<_> = (0..8_000).map(|n| append(&format!("stream-{n}"), if n == 0 { 2 } else { 1 }, 1)).collect();
    let answers: Vec<_> = appends
        .iter()
        .map(|append| {
            let (answer, outcome) = oneshot::channel();
            let ticket = Ground { sound: sound.clone(), answer };
            process.log.submit(append.clone(), Box::new(ticket)).expect("there is room for them");
            outcome
        })
        .collect();
    let appender = tokio::spawn(task.run());
    let mut told = vec![];
    for (append, answer) in appends.into_iter().zip(answers) {
        told.push(Told { append, outcome: answer.await.expect("it is answered") });
    }
    appender.abort();

    let mut connection = database.connect().await;
    verify(&mut connection, &told).await;
    let tally = Tally::of(&told);
    assert!(tally.written > 0 && tally.conflict > tally.written, "one of several batches: {tally:?}");
    let batches: i64 = sqlx::query_scalar("select count(distinct recorded_at) from events")
        .fetch_one(&mut connection)
        .await
        .expect("counts");
    assert_eq!(batches, 1, "only those that were in one batch with the first were tried");
}

#[tokio::test]
async fn a_stream_has_no_gaps_whatever_is_asked() {
    expect(vec![
        ('C', append("new", 2, 1)),
        ('C', append("old", 4, 1)),
        ('W', append("a", 1, 1)),
        ('C', append("a", 3, 1)),
        ('C', append("a", 3, 0)),
    ])
    .await;
    expect(vec![('C', append("old", 5, 0)), ('W', append("b", 1, 1))]).await;
    // Not even one that is filled within the batch: position and sequence run the same way.
    expect(vec![('C', append("a", 2, 1)), ('C', append("a", 1, 1)), ('W', append("b", 1, 1))]).await;
}
