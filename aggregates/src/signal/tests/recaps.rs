//! What a day and a week came to.

use super::kit::*;
use crate::signal::Event;

#[test]
fn days_and_weeks_with_signals_are_told_of_once() {
    let mut world = World::with_open();
    world.see(&[candle(0, "4000", "4000", "3990", "3990")]);
    let candles = [candle(100, "4000", "4000", "4000", "4000")];
    world.send(seen(&candles, Some(proposal()), None));
    world.see(&[candle(101, "4000", "4040", "4000", "4040")]);
    // Ten in the morning is eleven hours before the recap.
    assert_eq!(world.see(&[candle(658, "4000", "4000", "4000", "4000")]), [""; 0]);
    let day = "day 2026-11-23 21:00:00 UTC to 2026-11-24 21:00:00 UTC: #1 #2";
    assert_eq!(world.see(&[candle(659, "4000", "4000", "4000", "4000")]), [day]);
    assert_eq!(
        world.see(&[candle(659, "4000", "4000", "4000", "4000"), candle(660, "4000", "4000", "4000", "4000")]),
        [""; 0]
    );
    // A day without signals is not told of; the week is.
    let days = 24 * 60;
    assert_eq!(world.see(&[candle(659 + days, "4000", "4000", "4000", "4000")]), [""; 0]);
    let week = "week 2026-11-20 21:00:00 UTC to 2026-11-27 21:00:00 UTC: #1 #2";
    // Nothing was traded in that minute: it is told of with the next candle, if nobody knew it before.
    assert_eq!(world.see(&[candle(800 + 5 * days, "4000", "4000", "4000", "4000")]), [week]);
    assert_eq!(world.see(&[candle(801 + 5 * days, "4000", "4000", "4000", "4000")]), [""; 0]);
}

#[test]
fn a_recap_comes_when_nothing_else_can_come_before_it() {
    let mut world = World::with_open();
    world.see(&[candle(0, "4000", "4000", "3990", "3990")]);
    let mut quiet = |at| world.send(quiet_until(at)).iter().map(words).collect::<Vec<_>>();
    assert_eq!(quiet(minute(659)), [""; 0]);
    assert_eq!(quiet(minute(660)).len(), 1);
    assert_eq!(quiet(minute(661)), [""; 0]);
    assert_eq!(quiet(minute(660 + 3 * 24 * 60)), ["week 2026-11-20 21:00:00 UTC to 2026-11-27 21:00:00 UTC: #1"]);
}

#[test]
fn what_is_decided_in_the_minute_of_the_recap_is_in_it() {
    let mut world = World::with_settings(|settings| settings.close_when_weak = true);
    world.send(opening());
    let candles = [candle(659, "4000", "4001", "3999", "4000")];
    world.send(seen(&candles, None, Some(Err(trading::Weakness::CrossedBack))));
    let told = world.signal.next_recap();
    assert_eq!(told, Some(minute(660 + 3 * 24 * 60)), "that of the day is made, with it");
}

#[test]
fn a_recap_comes_before_what_happened_after_it() {
    let mut world = World::with_open();
    world.see(&[candle(0, "4000", "4000", "3990", "3990")]);
    let candles = [candle(100, "4000", "4000", "4000", "4000")];
    world.send(seen(&candles, Some(proposal()), None));
    // A gap in the candles from 11:41 to 21:30.
    let events = world.send(observe(&[candle(690, "4000", "4000", "3980", "3990")]));
    let [Event::Recapped { outcomes, .. }, Event::Closed { number: 2, .. }] = &events[..] else {
        panic!("{:?}", events.iter().map(words).collect::<Vec<_>>());
    };
    assert_eq!(outcomes.len(), 1);
}
