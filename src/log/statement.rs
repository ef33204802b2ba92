//! The statements of the append.

use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::{Append, Outcome, append::Writer};

/// Appends a batch in one round trip, which commits it.
pub(super) async fn append(writer: &mut Writer, appends: &[Append]) -> Result<Vec<Outcome>, sqlx::Error> {
    let commands = Commands::of(appends);
    let events = Events::of(appends);
    let row = sqlx::query(
        "select base, outcomes, positions from append_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, \
         $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
    )
    .bind(writer.id)
    .bind(commands.kind)
    .bind(commands.stream)
    .bind(commands.next)
    .bind(commands.first)
    .bind(commands.count)
    .bind(commands.source)
    .bind(commands.key)
    .bind(commands.fingerprint)
    .bind(commands.refusal)
    .bind(events.kind)
    .bind(events.stream)
    .bind(events.sequence)
    .bind(events.id)
    .bind(events.name)
    .bind(events.version)
    .bind(events.payload)
    .bind(events.actor)
    .bind(events.correlation)
    .bind(events.causation)
    .fetch_one(&mut writer.connection)
    .await?;

    let mut position = row.try_get::<i64, _>("base")? + 1;
    let Some(outcomes) = row.try_get::<Option<Vec<i16>>, _>("outcomes")? else {
        return Ok(appends
            .iter()
            .map(|append| {
                let first = position;
                position += append.events.len() as i64;
                Outcome::Written { position: first }
            })
            .collect());
    };
    let positions = row.try_get::<Vec<Option<i64>>, _>("positions")?;
    Ok(outcomes
        .into_iter()
        .zip(positions)
        .map(|(outcome, position)| match (outcome, position) {
            (0, Some(position)) => Outcome::Written { position },
            (2, _) => Outcome::Repeated,
            _ => Outcome::Conflict,
        })
        .collect())
}

/// Whether an error means that nothing was committed. A FATAL from the server
/// (classes 57P and 08) can come after the commit and before the answer.
pub(super) fn is_certain(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            !["57P", "08", "XX", "58"].iter().any(|class| code.starts_with(class)) && code != "PSRET"
        }),
        sqlx::Error::Encode(_) => true,
        _ => false,
    }
}

/// After this commits, the writer appends no more.
pub(super) async fn retire(connection: &mut PgConnection, writer: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("select retire_writer($1)", writer).execute(connection).await?;
    Ok(())
}

/// What became of appends whose writer is retired: found by their event ids.
/// One without events is judged again, which is harmless.
pub(super) async fn look_up(connection: &mut PgConnection, appends: &[Append]) -> Result<Vec<Outcome>, sqlx::Error> {
    let mut outcomes = Vec::with_capacity(appends.len());
    for append in appends {
        let Some(first) = append.events.first() else {
            outcomes.push(Outcome::Conflict);
            continue;
        };
        let position = sqlx::query_scalar!(
            "select position from events where aggregate_type = $1 and aggregate_id = $2 and sequence = $3 and id = $4",
            append.stream.kind,
            &*append.stream.id,
            append.next,
            first.id,
        )
        .fetch_optional(&mut *connection)
        .await?;
        outcomes.push(position.map_or(Outcome::Conflict, |position| Outcome::Written { position }));
    }
    Ok(outcomes)
}

/// A name for a connection; random, for it needs no order.
#[allow(clippy::disallowed_methods, reason = "never seen outside retired_writers, nothing to seed")]
pub(super) fn writer_id() -> Uuid {
    Uuid::new_v4()
}

/// The `c_*` arrays of `append_events`.
#[derive(Default)]
struct Commands<'a> {
    kind: Vec<&'a str>,
    stream: Vec<&'a str>,
    next: Vec<i64>,
    first: Vec<i32>,
    count: Vec<i32>,
    source: Vec<Option<&'a str>>,
    key: Vec<Option<&'a str>>,
    fingerprint: Vec<Option<&'a [u8]>>,
    refusal: Vec<Option<&'a str>>,
}

impl<'a> Commands<'a> {
    fn of(appends: &'a [Append]) -> Self {
        let mut all = Self::default();
        let mut first = 1;
        for append in appends {
            let count = append.events.len() as i32;
            let once = append.once.as_ref();
            all.kind.push(append.stream.kind);
            all.stream.push(&append.stream.id);
            all.next.push(append.next);
            all.first.push(first);
            all.count.push(count);
            all.source.push(once.map(|once| &*once.source));
            all.key.push(once.map(|once| &*once.key));
            all.fingerprint.push(once.map(|once| &once.fingerprint[..]));
            all.refusal.push(append.refusal.as_deref());
            first += count;
        }
        all
    }
}

/// The `e_*` arrays of `append_events`.
#[derive(Default)]
struct Events<'a> {
    kind: Vec<&'a str>,
    stream: Vec<&'a str>,
    sequence: Vec<i64>,
    id: Vec<Uuid>,
    name: Vec<&'a str>,
    version: Vec<&'a str>,
    payload: Vec<&'a str>,
    actor: Vec<&'a str>,
    correlation: Vec<Uuid>,
    causation: Vec<&'a str>,
}

impl<'a> Events<'a> {
    fn of(appends: &'a [Append]) -> Self {
        let mut all = Self::default();
        for append in appends {
            for (sequence, event) in (append.next..).zip(&append.events) {
                all.kind.push(append.stream.kind);
                all.stream.push(&append.stream.id);
                all.sequence.push(sequence);
                all.id.push(event.id);
                all.name.push(&event.name);
                all.version.push(&event.version);
                all.payload.push(&event.payload);
                all.actor.push(&append.cause.actor);
                all.correlation.push(append.cause.correlation);
                all.causation.push(&append.cause.causation);
            }
        }
        all
    }
}
