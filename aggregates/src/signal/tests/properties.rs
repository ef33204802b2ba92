//! What holds whatever the market does and admins wish.

use std::sync::Arc;

use cqrs_es::Aggregate;
use proptest::prelude::*;
use trading::{Candle, Check, Direction, Levels, Price, Proposal, Readings, Settings, StrategyKind, Target, Weakness};

use super::kit::*;
use crate::{
    Decide,
    signal::{Command, Event, Observation, Phase, Signal},
};

/// A minute of the market with what may be decided at its end.
#[derive(Debug, Clone)]
struct Minute {
    /// Jumps of open, high, low and close, in ticks.
    moves: [i64; 4],
    check: Option<Direction>,
    review: Option<bool>,
    admin: Option<Admin>,
}

#[derive(Debug, Clone)]
enum Admin {
    Cancel,
    Open(Direction, bool),
    Choose(StrategyKind),
    Pause,
    Resume,
    Settings(bool, u32),
}

fn minutes() -> impl Strategy<Value = Vec<Minute>> {
    let direction = || prop_oneof![Just(Direction::Buy), Just(Direction::Sell)];
    let admin = prop_oneof![
        Just(Admin::Cancel),
        (direction(), any::<bool>()).prop_map(|(direction, waits)| Admin::Open(direction, waits)),
        (0..4_usize).prop_map(|kind| Admin::Choose(StrategyKind::ALL[kind])),
        Just(Admin::Pause),
        Just(Admin::Resume),
        (any::<bool>(), 5..300_u32).prop_map(|(breakeven, stagnant)| Admin::Settings(breakeven, stagnant)),
    ];
    let minute = (
        [-600..600_i64, 0..700, 0..700, -500..500],
        prop::option::weighted(0.2, direction()),
        prop::option::weighted(0.2, any::<bool>()),
        prop::option::weighted(0.08, admin),
    );
    let minute = minute.prop_map(|(moves, check, review, admin)| Minute { moves, check, review, admin });
    prop::collection::vec(minute, 1..250)
}

const TICK: i64 = Price::SCALE / 100;

/// A market that goes on where it was, with gaps.
fn candle_after(last: Price, moves: [i64; 4], at: i64) -> Candle {
    let [gap, up, down, way] = moves.map(|ticks| Price::from_units(ticks * TICK));
    // Half of the minutes open where the last closed.
    let open = if moves[0] % 2 == 0 { last } else { last + gap };
    let close = open + way;
    let (high, low) = (open.max(close) + up, open.min(close) - down);
    Candle { opened_at: minute(at), open, high, low, close, volume: 1 }
}

fn levels_at(entry: Price, direction: Direction) -> Levels {
    let away = |distance: i64| direction.after(entry, Price::from_units(distance * TICK));
    let half = Price::from_units(50 * TICK);
    Levels {
        direction,
        entry,
        zone_low: entry - half,
        zone_high: entry + half,
        stop: away(-700),
        targets: vec![
            Target { price: away(600), share: 33 },
            Target { price: away(1500), share: 33 },
            Target { price: away(3000), share: 34 },
        ],
    }
}

/// The commands of a market.
fn commands(minutes: &[Minute]) -> Vec<Command> {
    let mut last = price("4000");
    let mut commands = vec![];
    for (at, minute_) in (0..).zip(minutes) {
        let candle = candle_after(last, minute_.moves, at);
        last = candle.close;
        let check = minute_.check.map(|direction| Check {
            outcome: Ok(Proposal { levels: levels_at(last, direction), strategy: StrategyKind::Trend }),
            readings: Readings::default(),
        });
        let review = minute_.review.map(|holds| if holds { Ok(()) } else { Err(Weakness::CrossedBack) });
        commands.push(seen(&[candle], check, review));
        let (by_hand, at) = (by_hand(), minute(at + 1));
        commands.extend(minute_.admin.clone().map(|admin| match admin {
            Admin::Cancel => Command::Cancel { number: 0, price: Some(last), by_hand, at },
            Admin::Open(direction, waits) => {
                let entry = if waits { direction.after(last, Price::from_units(-300 * TICK)) } else { last };
                let expires_at = waits.then(|| at + chrono::TimeDelta::minutes(20));
                let price = (!waits).then_some(last);
                Command::OpenByHand { levels: levels_at(entry, direction), price, expires_at, by_hand, at }
            }
            Admin::Choose(strategy) => Command::Choose { strategy, at },
            Admin::Pause => Command::Pause { by_hand, at },
            Admin::Resume => Command::Resume { by_hand, at },
            Admin::Settings(breakeven, stagnant_after) => {
                let settings = Settings { breakeven, stagnant_after, cool_down: 0, ..Settings::default() };
                Command::Configure { settings: Arc::new(settings), revision: None, at }
            }
        }));
    }
    commands
}

/// The same, with the candles of minutes shown together up to one at which something is due.
/// What an observation leaves undone as another strategy took over is shown again.
fn merged(commands: &[Command], at_most: &[usize]) -> Vec<Command> {
    let mut at_most = at_most.iter().copied().cycle();
    let (mut merged, mut group, mut most) = (vec![], Vec::<Observation>::new(), 1);
    for command in commands.iter().map(Some).chain([None]) {
        let is_due = |one: &Observation| one.check.is_some() || one.review.is_some();
        if let Some(Command::Observe(observation)) = command {
            group.push(observation.clone());
            if !is_due(observation) && group.len() < most {
                continue;
            }
        }
        let candles = group.iter().flat_map(|one| one.candles.clone()).collect();
        merged.extend(group.last().map(|last| Command::Observe(Observation { candles, ..last.clone() })));
        merged.extend(group.drain(..).map(Command::Observe));
        merged.extend(command.filter(|command| !matches!(command, Command::Observe(_))).cloned());
        most = at_most.next().unwrap_or(1);
    }
    merged
}

/// All events of commands. A cancellation is of whatever is open, and who looks knows by what
/// signals are made.
fn run(commands: &[Command]) -> (Signal, Vec<Event>) {
    let (mut signal, mut events) = (Signal::default(), vec![]);
    for command in commands {
        let mut command = command.clone();
        if let (Command::Cancel { number, .. }, Some(open)) = (&mut command, signal.open()) {
            *number = open.number;
        }
        command = looked_by(signal.basis(), command);
        for event in signal.decide(&command).unwrap_or_default() {
            signal.apply(event.clone());
            events.push(event);
        }
    }
    (signal, events)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn there_are_never_two_and_nothing_follows_the_end(minutes in minutes()) {
        let (_, events) = run(&commands(&minutes));
        let (mut open, mut last, mut hit) = (None, 0, 0);
        for event in &events {
            match event {
                Event::Opened { number, levels, .. } | Event::OpenedByHand { number, levels, .. } => {
                    prop_assert_eq!((open, *number), (None, last + 1));
                    prop_assert!(levels.check().is_ok(), "levels are in order");
                    (open, last, hit) = (Some(*number), *number, 0);
                }
                Event::Closed { number, .. } => {
                    prop_assert_eq!(open, Some(*number));
                    open = None;
                }
                event => {
                    if let Some(number) = event.number() {
                        prop_assert_eq!(open, Some(number), "{}", words(event));
                    }
                    if let Event::TargetHit { target, .. } = event {
                        prop_assert_eq!(*target, hit + 1, "targets are hit in order");
                        hit = *target;
                    }
                }
            }
        }
    }

    #[test]
    fn the_result_is_the_sum_of_what_was_closed(minutes in minutes()) {
        let (_, events) = run(&commands(&minutes));
        let (mut sum, mut shares, mut entry, mut levels) = (0, 0, None, None);
        for event in &events {
            match event {
                Event::Opened { levels: of, .. } => (sum, shares, entry, levels) = (0, 0, Some(of.entry), Some(of)),
                Event::OpenedByHand { levels: of, waits, .. } => {
                    (sum, shares, entry, levels) = (0, 0, (!waits).then_some(of.entry), Some(of));
                }
                Event::Entered { price, .. } => {
                    let of = levels.unwrap();
                    prop_assert!(of.zone_low <= *price && *price <= of.zone_high);
                    entry = Some(*price);
                }
                Event::TargetHit { price, share, gain, .. } => {
                    prop_assert_eq!(*gain, levels.unwrap().direction.gain(entry.unwrap(), *price));
                    sum += gain.units() * i64::from(*share);
                    shares += share;
                }
                Event::Closed { price: Some(price), share, result, .. } => {
                    let direction = levels.unwrap().direction;
                    sum += direction.gain(entry.unwrap(), *price).units() * i64::from(*share);
                    shares += share;
                    prop_assert_eq!(shares, 100);
                    prop_assert_eq!(result.gain.units() * 100, sum, "ticks have two decimals, so nothing is rounded");
                    prop_assert_eq!(result.risk, -direction.gain(entry.unwrap(), levels.unwrap().stop));
                }
                Event::Closed { price: None, share, result, .. } => {
                    prop_assert_eq!((entry, *share, result.gain), (None, 0, Price::ZERO));
                }
                _ => {}
            }
        }
    }

    /// Who catches up shows many candles at once, and the events are the same.
    #[test]
    fn candles_may_be_shown_together(minutes in minutes(), at_most in prop::collection::vec(1..30_usize, 1..50)) {
        let commands = commands(&minutes);
        let (signal, events) = run(&commands);
        let (after, together) = run(&merged(&commands, &at_most));
        prop_assert_eq!(events, together);
        prop_assert_eq!(signal, after);
    }

    /// A stop of the process, two processes, one that lags: candles come again, and the events
    /// are the same.
    #[test]
    fn what_was_looked_at_may_be_looked_at_again(minutes in minutes(), again in prop::collection::vec(1..8_usize, 1..250)) {
        let commands = commands(&minutes);
        let mut repeated = vec![];
        let mut seen_since: Vec<Command> = vec![];
        for (command, again) in commands.iter().zip(again.iter().cycle()) {
            // What an admin does between is done once, and ends what may be looked at again.
            if !matches!(command, Command::Observe(_)) {
                seen_since.clear();
                repeated.push(command.clone());
                continue;
            }
            seen_since.push(command.clone());
            repeated.push(command.clone());
            let from = seen_since.len().saturating_sub(*again);
            repeated.extend(seen_since[from..].iter().cloned());
        }
        let (signal, events) = run(&commands);
        let (after, once_more) = run(&repeated);
        prop_assert_eq!(events, once_more);
        prop_assert_eq!(signal, after);
    }

    #[test]
    fn the_stop_is_where_it_was_or_at_the_entry(minutes in minutes()) {
        let mut signal = Signal::default();
        for mut command in commands(&minutes) {
            if let (Command::Cancel { number, .. }, Some(open)) = (&mut command, signal.open()) {
                *number = open.number;
            }
            command = looked_by(signal.basis(), command);
            for event in signal.decide(&command).unwrap_or_default() {
                signal.apply(event);
                if let Some(open) = signal.open() && let Phase::Running(running) = &open.phase {
                    let is_moved = running.stop != open.levels.stop;
                    prop_assert_eq!(is_moved, running.hit > 0 && open.settings.breakeven && running.stop == running.entry);
                    let left: u8 = open.levels.targets.iter().skip(running.hit.into()).map(|target| target.share).sum();
                    prop_assert_eq!(running.remaining, left);
                }
            }
        }
    }
}
