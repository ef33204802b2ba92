//! What candles do to a signal.

use trading::{Direction, Weakness};

use super::kit::*;
use crate::signal::Command;

#[test]
fn a_signal_goes_all_the_way() {
    let mut world = World::with_open();
    assert_eq!(world.see(&[candle(0, "4000", "4003.9", "3999", "4003")]), [""; 0]);
    assert_eq!(world.see(&[candle(1, "4003", "4004", "4002", "4003")]), ["40 %"]);
    assert_eq!(world.see(&[candle(2, "4003", "4008", "4002", "4007")]), ["70 %"]);
    assert_eq!(world.see(&[candle(3, "4007", "4009", "4002", "4007")]), [""; 0]);
    assert_eq!(world.see(&[candle(4, "4007", "4010", "4005", "4009")]), ["target 1: 50 % at 4010, 10", "stop to 4000"]);
    assert_eq!(world.see(&[candle(5, "4009", "4021", "4008", "4020")]), ["target 2: 30 % at 4020, 20"]);
    assert_eq!(
        world.see(&[candle(6, "4020", "4031", "4019", "4030")]),
        ["target 3: 20 % at 4030, 30", "closed (target): 0 % at 4030, gain 17 = 1.70 R = 170.0 pips"]
    );
    assert_eq!(world.signal.open(), None);
}

#[test]
fn a_sell_is_a_buy_upside_down() {
    let mut world = World::new();
    let levels = levels(Direction::Sell);
    let price = Some(price("4000"));
    world.send(Command::OpenByHand { levels, price, expires_at: None, by_hand: by_hand(), at: minute(0) });
    assert_eq!(world.see(&[candle(0, "4000", "4009", "3989", "3990")]), ["target 1: 50 % at 3990, 10", "stop to 4000"]);
    assert_eq!(
        world.see(&[candle(1, "3990", "4000", "3989", "3999")]),
        ["closed (breakeven): 50 % at 4000, gain 5 = 0.50 R = 50.0 pips"]
    );
}

#[test]
fn the_stop_comes_before_the_targets() {
    let mut world = World::with_open();
    assert_eq!(
        world.see(&[candle(0, "4000", "4040", "3990", "4040")]),
        ["closed (stop): 100 % at 3990, gain -10 = -1.00 R = -100.0 pips"]
    );
}

#[test]
fn gaps_are_filled_at_the_open() {
    let mut world = World::with_open();
    assert_eq!(
        world.see(&[candle(0, "3980", "4040", "3970", "4040")]),
        ["closed (stop): 100 % at 3980, gain -20 = -2.00 R = -200.0 pips"]
    );
    let mut world = World::with_open();
    assert_eq!(
        world.see(&[candle(0, "4025", "4029", "4024", "4026")]),
        ["target 1: 50 % at 4025, 25", "stop to 4000", "target 2: 30 % at 4025, 25"]
    );
    // The open came first, so the stop it moved is the stop of this candle.
    let mut world = World::with_open();
    assert_eq!(
        world.see(&[candle(0, "4012", "4013", "3999", "4001")]),
        ["target 1: 50 % at 4012, 12", "stop to 4000", "closed (breakeven): 50 % at 4000, gain 6 = 0.60 R = 60.0 pips"]
    );
}

#[test]
fn a_stop_moved_within_a_candle_is_that_of_the_next() {
    let mut world = World::with_open();
    assert_eq!(world.see(&[candle(0, "4001", "4010", "3995", "4009")]), ["target 1: 50 % at 4010, 10", "stop to 4000"]);
    assert_eq!(
        world.see(&[candle(1, "4009", "4009", "3995", "3996")]),
        ["closed (breakeven): 50 % at 4000, gain 5 = 0.50 R = 50.0 pips"]
    );
}

#[test]
fn what_goes_nowhere_is_ended() {
    let mut world = World::with_open();
    let quiet: Vec<_> = (0..239).map(|at| candle(at, "4000", "4001", "3999", "4001")).collect();
    assert_eq!(world.see(&quiet), [""; 0]);
    assert_eq!(
        world.see(&[candle(239, "4000", "4001", "3999", "4001")]),
        ["closed (stagnant): 100 % at 4001, gain 1 = 0.10 R = 10.0 pips"]
    );
}

#[test]
fn a_closed_market_does_not_make_it_stagnant() {
    // Opened at ten on a Tuesday, to be ended after 720 minutes: at 22:00, when the market closes. With one more
    // minute it lasts over the break, until 23:01.
    let end = |stagnant_after| {
        let mut world = World::with_settings(|settings| settings.stagnant_after = stagnant_after);
        world.send(opening());
        let minutes = (0..720).chain(780..900);
        minutes.map(|at| at + 1).find(|at| !world.see(&[candle(at - 1, "4000", "4001", "3999", "4001")]).is_empty())
    };
    assert_eq!(end(720), Some(720));
    assert_eq!(end(721), Some(781));
}

#[test]
fn a_weak_case_is_told_once_or_ends_the_signal() {
    let weak = Some(Err(Weakness::CrossedBack));
    let mut world = World::with_open();
    let mut review = |at, review| -> Vec<_> {
        let candles = [candle(at, "4000", "4001", "3999", "4000")];
        world.send(seen(&candles, None, review)).iter().map(words).collect()
    };
    assert_eq!(review(4, Some(Ok(()))), [""; 0]);
    assert_eq!(review(9, weak), ["weak: crossed_back"]);
    assert_eq!(review(14, weak), [""; 0]);
    assert_eq!(review(19, Some(Ok(()))), ["regained"]);
    assert_eq!(review(24, None), [""; 0]);

    let mut world = World::with_settings(|settings| settings.close_when_weak = true);
    world.send(opening());
    let candles = [candle(0, "4000", "4001", "3999", "3998.5")];
    let events: Vec<_> = world.send(seen(&candles, None, weak)).iter().map(words).collect();
    assert_eq!(events, ["closed (weak): 100 % at 3998.5, gain -1.5 = -0.15 R = -15.0 pips"]);
}

#[test]
fn one_that_waits_is_entered_in_its_zone_or_expires() {
    let waiting = || {
        let mut world = World::new();
        let (levels, expires_at) = (levels(Direction::Buy), Some(minute(30)));
        world.send(Command::OpenByHand { levels, price: None, expires_at, by_hand: by_hand(), at: minute(0) });
        world
    };
    let mut world = waiting();
    assert_eq!(world.see(&[candle(0, "4005", "4050", "4002", "4003")]), [""; 0]);
    assert_eq!(world.see(&[candle(1, "4003", "4004", "4000.5", "4002")]), ["entered at 4001"]);
    assert_eq!(world.see(&[candle(2, "4002", "4005.5", "4001", "4004")]), ["40 %"]);

    let mut world = waiting();
    assert_eq!(
        world.see(&[candle(0, "4005", "4050", "3985", "4040")]),
        ["entered at 4001", "closed (stop): 100 % at 3990, gain -11 = -1.00 R = -110.0 pips"]
    );

    let mut world = waiting();
    assert_eq!(world.see(&[candle(29, "4005", "4006", "4002", "4003")]), ["closed (expired), never entered"]);
    let mut world = waiting();
    assert_eq!(world.see(&[candle(3, "3989", "4006", "3980", "4003")]), ["closed (expired), never entered"]);
}

#[test]
fn the_minute_in_which_it_was_opened_is_not_judged() {
    let mut world = World::new();
    let at = minute(0) + chrono::TimeDelta::seconds(30);
    let levels = levels(Direction::Buy);
    let price = Some(price("4000"));
    world.send(Command::OpenByHand { levels, price, expires_at: None, by_hand: by_hand(), at });
    assert_eq!(world.see(&[candle(0, "3980", "4001", "3970", "4000")]), [""; 0]);
    assert_eq!(world.see(&[candle(1, "4000", "4011", "4000", "4000")]).len(), 2);
}
