//! Events of a signal become its row, and lines of its story.

use aggregates::{ByHand, signal};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, types::Json};
use trading::{Levels, Price, Readings, Session, Settings, StrategyKind};

use super::Target;
use crate::Event;

/// Writes what an event says of a signal.
pub(super) async fn signal(
    connection: &mut PgConnection,
    event: &Event,
    fact: &signal::Event,
) -> Result<(), sqlx::Error> {
    use signal::Event as Fact;
    match fact {
        Fact::Opened { number, strategy, levels, readings, settings, at } => {
            let opening = Opening {
                number: *number,
                strategy: Some(*strategy),
                levels,
                waits: false,
                expires_at: None,
                by_hand: None,
                settings,
                readings: Some(readings),
                at: *at,
            };
            opening.insert(connection, event).await?;
        }
        Fact::OpenedByHand { number, levels, waits, expires_at, settings, by_hand, at } => {
            let opening = Opening {
                number: *number,
                strategy: None,
                levels,
                waits: *waits,
                expires_at: *expires_at,
                by_hand: Some(by_hand),
                settings,
                readings: None,
                at: *at,
            };
            opening.insert(connection, event).await?;
        }
        Fact::Entered { number, price, at } => {
            sqlx::query!(
                "update signals set status = 'running', entered_at = $3, entered_price = $4, risk = abs($4 - first_stop) \
                  where instrument = $1 and number = $2",
                event.stream,
                *number as i32,
                at,
                price.units(),
            )
            .execute(&mut *connection)
            .await?;
        }
        Fact::MilestoneReached { number, milestone, .. } => {
            sqlx::query!(
                "update signals set milestone = $3 where instrument = $1 and number = $2",
                event.stream,
                *number as i32,
                i16::from(milestone.percent()),
            )
            .execute(&mut *connection)
            .await?;
        }
        Fact::TargetHit { number, target, price, gain, at, .. } => {
            sqlx::query!(
                "update signals set hit = $3, \
                        targets = jsonb_set(targets, array[($3::smallint - 1)::text], targets -> ($3 - 1) || $4) \
                  where instrument = $1 and number = $2",
                event.stream,
                *number as i32,
                i16::from(*target),
                Json(Hit { hit_at: *at, hit_price: *price, gain: *gain }) as _,
            )
            .execute(&mut *connection)
            .await?;
        }
        Fact::StopMoved { number, stop, .. } => {
            sqlx::query!(
                "update signals set stop = $3 where instrument = $1 and number = $2",
                event.stream,
                *number as i32,
                stop.units(),
            )
            .execute(&mut *connection)
            .await?;
        }
        Fact::Weakened { number, weakness, .. } => {
            weakness_is(connection, event, *number, Some(weakness.as_str())).await?;
        }
        Fact::Regained { number, .. } => weakness_is(connection, event, *number, None).await?,
        Fact::Closed { number, exit, price, share, result, by_hand, at } => {
            let r_micros = result.gain.part(1_000_000, result.risk.units()).units();
            sqlx::query!(
                "update signals set status = 'closed', closed_at = $3, exit = $4, exit_price = $5, exit_share = $6, \
                        gain = $7, risk = $8, r_micros = $9, pip = $10, closed_by = $11, closed_reason = $12 \
                  where instrument = $1 and number = $2",
                event.stream,
                *number as i32,
                at,
                exit.as_str(),
                price.map(Price::units),
                i16::from(*share),
                result.gain.units(),
                result.risk.units(),
                r_micros,
                result.pip.units(),
                by_hand.as_ref().map(|by_hand| by_hand.by.reveal().as_str()),
                by_hand.as_ref().map(|by_hand| by_hand.reason.reveal().as_str()),
            )
            .execute(&mut *connection)
            .await?;
        }
        Fact::Configured { .. }
        | Fact::StrategyChosen { .. }
        | Fact::StrategyQueued { .. }
        | Fact::Paused { .. }
        | Fact::Resumed { .. }
        | Fact::Passed { .. }
        | Fact::Recapped { .. } => return Ok(()),
    }
    step(connection, event, fact).await
}

/// What is added to a [`Target`] that was hit.
#[derive(Serialize)]
struct Hit {
    hit_at: DateTime<Utc>,
    hit_price: Price,
    gain: Price,
}

/// What a signal begins with.
struct Opening<'a> {
    number: u32,
    strategy: Option<StrategyKind>,
    levels: &'a Levels,
    waits: bool,
    expires_at: Option<DateTime<Utc>>,
    by_hand: Option<&'a ByHand>,
    settings: &'a Settings,
    readings: Option<&'a Readings>,
    at: DateTime<Utc>,
}

impl Opening<'_> {
    async fn insert(&self, connection: &mut PgConnection, event: &Event) -> Result<(), sqlx::Error> {
        let Levels { direction, entry, zone_low, zone_high, stop, targets } = self.levels;
        let targets: Vec<Target> = targets
            .iter()
            .map(|target| Target {
                price: target.price,
                share: target.share,
                hit_at: None,
                hit_price: None,
                gain: None,
            })
            .collect();
        sqlx::query!(
            "insert into signals (instrument, number, strategy, direction, status, entry, zone_low, zone_high, first_stop, \
                                  targets, stop, opened_at, expires_at, entered_at, entered_price, risk, pip, session, \
                                  opened_by, opened_reason, settings, readings, updated_at, position, version) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $9, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
                     $22, $23, $24)",
            event.stream,
            self.number as i32,
            self.strategy.map(StrategyKind::as_str),
            direction.as_str(),
            if self.waits { "waiting" } else { "running" },
            entry.units(),
            zone_low.units(),
            zone_high.units(),
            stop.units(),
            Json(targets) as _,
            self.at,
            self.expires_at,
            (!self.waits).then_some(self.at),
            (!self.waits).then_some(entry.units()),
            self.levels.risk().units(),
            self.settings.pip.units(),
            Session::of(self.at).as_str(),
            self.by_hand.map(|by_hand| by_hand.by.reveal().as_str()),
            self.by_hand.map(|by_hand| by_hand.reason.reveal().as_str()),
            Json(self.settings) as _,
            self.readings.map(Json) as _,
            event.recorded_at,
            event.position,
            event.sequence,
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}

async fn weakness_is(
    connection: &mut PgConnection,
    event: &Event,
    number: u32,
    weakness: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update signals set weakness = $3 where instrument = $1 and number = $2",
        event.stream,
        number as i32,
        weakness,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What a line of a story says besides what it is about.
#[derive(Default)]
struct Line<'a> {
    price: Option<Price>,
    target: Option<u8>,
    share: Option<u8>,
    gain: Option<Price>,
    reason: Option<&'a str>,
    milestone: Option<u8>,
    by_hand: Option<&'a ByHand>,
}

impl<'a> Line<'a> {
    fn of(fact: &'a signal::Event) -> Self {
        use signal::Event as Fact;
        let nothing = Self::default();
        match fact {
            Fact::Opened { levels, .. } => Self { price: Some(levels.entry), ..nothing },
            Fact::OpenedByHand { levels, by_hand, .. } => {
                Self { price: Some(levels.entry), by_hand: Some(by_hand), ..nothing }
            }
            Fact::Entered { price, .. } | Fact::Regained { price, .. } => Self { price: Some(*price), ..nothing },
            Fact::MilestoneReached { milestone, price, .. } => {
                Self { price: Some(*price), milestone: Some(milestone.percent()), ..nothing }
            }
            Fact::TargetHit { target, price, share, gain, .. } => {
                let (target, share, gain) = (Some(*target), Some(*share), Some(*gain));
                Self { price: Some(*price), target, share, gain, ..nothing }
            }
            Fact::StopMoved { stop, .. } => Self { price: Some(*stop), ..nothing },
            Fact::Weakened { weakness, price, .. } => {
                Self { price: Some(*price), reason: Some(weakness.as_str()), ..nothing }
            }
            Fact::Closed { exit, price, share, result, by_hand, .. } => Self {
                price: *price,
                share: Some(*share),
                gain: Some(result.gain),
                reason: Some(exit.as_str()),
                by_hand: by_hand.as_ref(),
                ..nothing
            },
            Fact::Configured { .. }
            | Fact::StrategyChosen { .. }
            | Fact::StrategyQueued { .. }
            | Fact::Paused { .. }
            | Fact::Resumed { .. }
            | Fact::Passed { .. }
            | Fact::Recapped { .. } => nothing,
        }
    }
}

async fn step(connection: &mut PgConnection, event: &Event, fact: &signal::Event) -> Result<(), sqlx::Error> {
    let Some(number) = fact.number() else { return Ok(()) };
    let line = Line::of(fact);
    sqlx::query!(
        "insert into signal_events (position, instrument, number, at, event, price, target, share, gain, reason, milestone, \
                                    by_name, by_reason) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        event.position,
        event.stream,
        number as i32,
        fact.at(),
        cqrs_es::DomainEvent::event_type(fact),
        line.price.map(Price::units),
        line.target.map(i16::from),
        line.share.map(i16::from),
        line.gain.map(Price::units),
        line.reason,
        line.milestone.map(i16::from),
        line.by_hand.map(|by_hand| by_hand.by.reveal().as_str()),
        line.by_hand.map(|by_hand| by_hand.reason.reveal().as_str()),
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update signals set updated_at = $3, position = $4, version = $5 where instrument = $1 and number = $2",
        event.stream,
        number as i32,
        event.recorded_at,
        event.position,
        event.sequence,
    )
    .execute(connection)
    .await?;
    Ok(())
}
