//! Commands from two processes on the same streams.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use aggregates::{
    Campaign, CodeText, Fact, PersonId, Personal, TelegramUser,
    campaign::{Asked, Command, Event, Redemption, Refusal, Source, Status, Terms},
};
use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use promostack::{
    executor::{Done, Executor, SendError, Wish},
    log::{Log, Once},
};
use uuid::Uuid;

use crate::process::{Database, Process, cause};

const AT: DateTime<Utc> = DateTime::from_timestamp_nanos(1_795_000_000_000_000_000);

type Answer = Result<Done<Campaign>, SendError<Refusal>>;

pub(crate) fn wish(command: Command) -> Wish<Command> {
    Wish { command, cause: cause("tester"), once: None, expected: None }
}

fn keyed(key: &str, fingerprint: u8, command: Command) -> Wish<Command> {
    Wish {
        once: Some(Once {
            source: "test".into(),
            key: key.into(),
            fingerprint: [fingerprint; 32],
            keeps_refusals: true,
        }),
        ..wish(command)
    }
}

fn expecting(version: i64, command: Command) -> Wish<Command> {
    Wish { expected: Some(version), ..wish(command) }
}

pub(crate) fn draft(total_limit: Option<u32>) -> Command {
    let terms = Terms {
        name: "Gold week".to_owned(),
        code: Some(CodeText::new("GOLD10").expect("a code")),
        total_limit,
        ..Terms::default()
    };
    Command::Draft { terms, at: AT }
}

pub(crate) fn redeem(number: u128) -> Command {
    let telegram = Personal::new(TelegramUser { id: 7, name: Some("Anna".to_owned()), language: None });
    Command::Redeem {
        redemption: Redemption { id: Uuid::from_u128(number), telegram: Some(telegram), source: Source::Bot },
        asked: Asked {
            person: PersonId(Uuid::from_u128(number)),
            coupon: None,
            code: None,
            reservation: None,
            spend: None,
            submission: None,
            at: AT,
        },
    }
}

/// Two processes on one database.
struct Two {
    // Before the database, so that they stop before it is dropped.
    a: Executor<Campaign>,
    b: Executor<Campaign>,
    processes: [Process; 2],
    database: Database,
}

impl Two {
    async fn start() -> Self {
        let database = Database::create().await;
        let processes = [Process::start(&database).await, Process::start(&database).await];
        Self { a: processes[0].executor(), b: processes[1].executor(), processes, database }
    }

    /// How often a command had to be decided again.
    fn collisions(&self) -> u64 {
        let retries = |process: &Process| process.metrics.retries.with_label_values(&[Campaign::TYPE]).get();
        self.processes.iter().map(retries).sum()
    }

    async fn events(&self) -> i64 {
        self.processes[0].log.last_position().await.expect("the log can be read")
    }
}

async fn open(executor: &Executor<Campaign>, id: &str, total_limit: Option<u32>) {
    executor.send(id, wish(draft(total_limit))).await.expect("it is new");
    executor.send(id, wish(Command::Activate { at: AT })).await.expect("it is a draft");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_is_exact_with_two_processes_on_one_hot_stream() {
    const LIMIT: u32 = 400;
    let two = Two::start().await;
    open(&two.a, "gold", Some(LIMIT)).await;

    let senders: Vec<_> = (0..40_u128)
        .map(|sender| {
            let executor = if sender % 2 == 0 { &two.a } else { &two.b }.clone();
            tokio::spawn(async move {
                let mut answers = vec![];
                for n in sender * 25..(sender + 1) * 25 {
                    answers.push((n, executor.send("gold", wish(redeem(n))).await));
                }
                answers
            })
        })
        .collect();
    let mut answers = vec![];
    for sender in senders {
        answers.extend(sender.await.expect("no task panics"));
    }
    let mut redeemed = BTreeSet::new();
    let mut refused = 0;
    for (n, answer) in answers {
        match answer {
            Ok(done) => {
                let [Event::Redeemed { number, redemption, .. }] = &done.events[..] else { panic!("{done:?}") };
                assert_eq!(*redemption, Uuid::from_u128(n), "the answer is about the question");
                assert_eq!(done.version, i64::from(*number) + 2);
                assert!(!done.repeated);
                assert!(redeemed.insert(*number), "number {number} was given twice");
            }
            Err(SendError::Refused(refusal)) => {
                assert_eq!(refusal, Refusal::Exhausted { limit: LIMIT });
                refused += 1;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(redeemed, (1..=LIMIT).collect());
    assert_eq!(refused, 600);
    assert!(two.collisions() > 0, "they came into each other's way");
    assert_eq!(two.events().await, i64::from(LIMIT) + 2);
    let both =
        [&two.a, &two.b].map(|executor| executor.look("gold", |campaign, version, _| (campaign.clone(), version)));
    let [a, b] = futures_util::future::join_all(both).await.try_into().expect("two");
    assert_eq!(a.expect("can be read"), b.expect("can be read"));
    drop(two.database);
}

/// Whether the rules allow what is in the log, event by event.
async fn is_lawful(log: &Log, id: &str) {
    let mut campaign = Campaign::default();
    for event in log.read(0, i64::MAX).await.expect("the log can be read") {
        assert_eq!(event.aggregate_id, id);
        let Fact::Campaign(event) = event.fact().expect("it is known") else { panic!("{event:?}") };
        let lawful = match (&campaign, &event) {
            (Campaign::Active(running), Event::Redeemed { number, .. }) => *number == running.redeemed + 1,
            (Campaign::Active(_), Event::Paused { .. }) | (Campaign::Paused(_), Event::Resumed { .. }) => true,
            (Campaign::Missing, Event::Drafted { .. }) | (Campaign::Draft(_), Event::Activated { .. }) => true,
            _ => false,
        };
        assert!(lawful, "{event:?} while {:?}", campaign.status());
        campaign.apply(event);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_decided_on_an_event_that_never_came_is_decided_again() {
    const PAUSES: i64 = 100;
    let two = Two::start().await;
    open(&two.a, "gold", None).await;
    // Few senders, so that there is often one event in a batch, and one in the next batch that was decided on it.
    let stop = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..4_u128)
        .map(|sender| {
            let (executor, stop) = (two.a.clone(), stop.clone());
            tokio::spawn(async move {
                let mut redeemed = 0;
                while !stop.load(Ordering::Relaxed) {
                    match executor.send("gold", wish(redeem(sender))).await {
                        Ok(_) => redeemed += 1,
                        Err(SendError::Refused(Refusal::Status { status: Status::Paused, .. })) => {}
                        Err(other) => panic!("{other:?}"),
                    }
                }
                redeemed
            })
        })
        .collect();
    for _ in 0..PAUSES {
        two.b.send("gold", wish(Command::Pause { at: AT })).await.expect("it is active");
        two.b.send("gold", wish(Command::Resume { at: AT })).await.expect("it is paused");
    }
    stop.store(true, Ordering::Relaxed);
    let mut redeemed = 0;
    for sender in senders {
        redeemed += sender.await.expect("no task panics");
    }
    assert!(redeemed > PAUSES && two.collisions() > 20, "{redeemed} redeemed, {} collisions", two.collisions());
    assert_eq!(two.events().await, 2 + redeemed + 2 * PAUSES);
    is_lawful(&two.processes[0].log, "gold").await;
}

#[tokio::test]
async fn a_refusal_is_never_decided_on_what_another_process_changed() {
    let two = Two::start().await;
    open(&two.a, "gold", None).await;
    for turn in 0..20 {
        two.a.send("gold", wish(Command::Pause { at: AT })).await.expect("it is active");
        let refused = two.a.send("gold", wish(redeem(turn))).await.expect_err("it is paused");
        assert!(matches!(&refused, SendError::Refused(Refusal::Status { status: Status::Paused, .. })), "{refused:?}");
        two.b.send("gold", wish(Command::Resume { at: AT })).await.expect("it is paused");
        let done = two.a.send("gold", wish(redeem(turn))).await.expect("it was resumed");
        assert_eq!(done.events.len(), 1);
    }
    assert_eq!(two.events().await, 2 + 3 * 20);
}

fn same(first: &Done<Campaign>, again: &Answer) {
    let again = again.as_ref().expect("it was accepted the first time");
    assert!(again.repeated);
    assert_eq!((&*again.id, again.position, again.version), (&*first.id, first.position, first.version));
    assert_eq!(again.events, first.events);
}

#[tokio::test]
async fn a_key_gets_the_same_answer_again_and_no_other_request() {
    let two = Two::start().await;
    open(&two.a, "gold", Some(2)).await;
    let first = two.a.send("gold", keyed("k", 1, redeem(1))).await.expect("there is room");
    assert!(!first.repeated);
    same(&first, &two.a.send("gold", keyed("k", 1, redeem(1))).await);
    same(&first, &two.b.send("gold", keyed("k", 1, redeem(1))).await);
    for executor in [&two.a, &two.b] {
        let reused = executor.send("gold", keyed("k", 2, redeem(2))).await;
        assert!(matches!(reused, Err(SendError::KeyReused)), "{reused:?}");
    }
    assert_eq!(two.events().await, 3);

    // A refusal is an answer too, and stays one when it would no longer be given.
    two.a.send("gold", wish(Command::Pause { at: AT })).await.expect("it is active");
    let paused = |answer: &Answer| matches!(answer, Err(SendError::Refused(Refusal::Status { .. })));
    let refused = two.a.send("gold", keyed("refused", 3, redeem(3))).await;
    assert!(paused(&refused), "{refused:?}");
    two.b.send("gold", wish(Command::Resume { at: AT })).await.expect("it is paused");
    for executor in [&two.a, &two.b] {
        let again = executor.send("gold", keyed("refused", 3, redeem(3))).await;
        assert!(paused(&again), "{again:?}");
    }
    assert_eq!(two.events().await, 5);
    let other = two.b.send("gold", keyed("another", 3, redeem(3))).await.expect("there is room for one more");
    assert_eq!(other.version, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_used_by_many_at_once_takes_effect_once() {
    let two = Two::start().await;
    open(&two.a, "gold", None).await;
    let mut first = 0;
    for round in 0..20 {
        let senders: Vec<_> = (0..16)
            .map(|n| {
                let executor = if n % 2 == 0 { &two.a } else { &two.b }.clone();
                let wish = keyed(&format!("round-{round}"), 0, redeem(round));
                tokio::spawn(async move { executor.send("gold", wish).await })
            })
            .collect();
        let mut answers = vec![];
        for sender in senders {
            answers.push(sender.await.expect("no task panics").expect("it is accepted"));
        }
        first += answers.iter().filter(|done| !done.repeated).count();
        for done in &answers {
            assert_eq!((done.position, done.version), (answers[0].position, answers[0].version));
            assert_eq!(done.events, answers[0].events);
        }
    }
    assert_eq!(first, 20);
    assert_eq!(two.events().await, 22);
}

#[tokio::test]
async fn an_expected_version_is_checked_against_the_newest() {
    let two = Two::start().await;
    open(&two.a, "gold", None).await;
    assert_eq!(two.b.look("gold", |_, version, _| version).await.expect("can be read"), 2);
    // B knows version 2, and A goes on.
    two.a.send("gold", expecting(2, redeem(1))).await.expect("it is at 2");
    let late = two.b.send("gold", expecting(2, redeem(2))).await;
    assert!(matches!(late, Err(SendError::Precondition { expected: 2, found: 3 })), "{late:?}");
    two.a.send("gold", wish(redeem(3))).await.expect("it is active");
    // B is behind what its sender has seen elsewhere.
    let done = two.b.send("gold", expecting(4, redeem(4))).await.expect("it is at 4");
    assert_eq!(done.version, 5);
    let early = two.a.send("gold", expecting(9, redeem(5))).await;
    assert!(matches!(early, Err(SendError::Precondition { expected: 9, found: 5 })), "{early:?}");
    // Under a key, the first answer counts and not what has changed since.
    let once = |key| Wish { expected: Some(5), ..keyed(key, 0, redeem(6)) };
    let first = two.a.send("gold", once("k")).await.expect("it is at 5");
    same(&first, &two.a.send("gold", once("k")).await);
    same(&first, &two.b.send("gold", once("k")).await);
    assert_eq!(two.events().await, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_expected_to_be_new_is_new_or_the_command_has_no_effect() {
    let two = Two::start().await;
    let first = two.a.send("gold", expecting(0, draft(None))).await.expect("it is new");
    assert_eq!(first.version, 1);
    // B never met the stream, and is told only by the log.
    let late = two.b.send("gold", expecting(0, draft(None))).await;
    assert!(matches!(late, Err(SendError::Precondition { expected: 0, found: 1 })), "{late:?}");
    // A refusal that was right on a stream without events is not one here.
    let refused = two.b.send("gold", expecting(0, Command::Activate { at: AT })).await;
    assert!(matches!(refused, Err(SendError::Precondition { expected: 0, found: 1 })), "{refused:?}");
    // Under a key, the first answer counts.
    let once = || Wish { expected: Some(0), ..keyed("draft", 0, draft(None)) };
    let silver = two.a.send("silver", once()).await.expect("it is new");
    same(&silver, &two.a.send("silver", once()).await);
    same(&silver, &two.b.send("another id of the second try", once()).await);
    assert_eq!(two.events().await, 2);

    // Many at once, some of whom look first and some of whom do not.
    for round in 0..50_u128 {
        let id = format!("campaign-{round}");
        let senders: Vec<_> = (0..12_u128)
            .map(|n| {
                let executor = if n % 2 == 0 { &two.a } else { &two.b }.clone();
                let (id, wish) = (id.clone(), Wish { expected: (n % 3 == 0).then_some(0), ..wish(draft(None)) });
                tokio::spawn(async move { (n, executor.send(&id, wish).await) })
            })
            .collect();
        let mut drafted = 0;
        for sender in senders {
            match sender.await.expect("no task panics") {
                (_, Ok(done)) => drafted += done.version,
                (n, Err(SendError::Precondition { expected: 0, found: 1 })) if n % 3 == 0 => {}
                (n, Err(SendError::Refused(Refusal::Exists))) if n % 3 != 0 => {}
                (n, Err(other)) => panic!("{n}: {other:?}"),
            }
        }
        assert_eq!(drafted, 1);
        let seen =
            [&two.a, &two.b].map(|executor| executor.look(&id, |campaign, version, _| (campaign.clone(), version)));
        for seen in futures_util::future::join_all(seen).await {
            let (campaign, version) = seen.expect("can be read");
            assert_eq!((campaign.status(), version), (Some(Status::Draft), 1));
        }
    }
    assert_eq!(two.events().await, 52);
}

#[tokio::test]
async fn a_command_nobody_can_store_does_not_disturb_the_others() {
    let two = Two::start().await;
    let ids: Vec<String> = (0..50).map(|n| if n == 25 { "\0".to_owned() } else { format!("campaign-{n}") }).collect();
    let answers = futures_util::future::join_all(ids.iter().map(|id| two.a.send(id, wish(draft(None))))).await;
    for (id, answer) in ids.iter().zip(&answers) {
        match answer {
            Ok(done) => assert_eq!(done.version, 1),
            Err(error) => assert!(id == "\0" && matches!(error, SendError::Log(_)), "{id:?}: {error:?}"),
        }
    }
    assert_eq!(two.events().await, 49);
}
