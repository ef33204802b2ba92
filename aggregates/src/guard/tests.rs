use proptest::prelude::*;

use super::*;

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + 60 * minute, 0).unwrap()
}

fn try_code(guard: &mut Guard, miss: Miss, source: Source, at: DateTime<Utc>) -> Vec<Event> {
    let events = guard.decide(&Command::Miss { miss, campaign: None, source, at }).unwrap();
    for event in events.clone() {
        guard.apply(event);
    }
    events
}

fn guess(guard: &mut Guard, minute: i64) -> Vec<Event> {
    try_code(guard, Miss::Unknown, Source::Bot, at(minute))
}

#[test]
fn the_fifth_guess_in_a_quarter_of_an_hour_locks_out() {
    let mut guard = Guard::default();
    for minute in 0..4 {
        assert_eq!(guess(&mut guard, minute).len(), 1);
    }
    let locked = guess(&mut guard, 4);
    assert_eq!(locked[1], Event::LockedOut { until: at(19), in_a_row: 1, at: at(4) });
    assert_eq!(guard.locked_until(at(18)), Some(at(19)));
    assert_eq!(guard.locked_until(at(19)), None);
    assert_eq!(guess(&mut guard, 18), [], "nothing was looked at");
    assert_eq!(guess(&mut guard, 19).len(), 1, "a fresh start");
}

#[test]
fn slow_guesses_and_honest_errors_lock_nobody_out() {
    let mut guard = Guard::default();
    for hour in 0..100 {
        assert_eq!(guess(&mut guard, 80 * hour).len(), 1, "18 a day");
    }
    let mut guard = Guard::default();
    for minute in 0..20 {
        for miss in [Miss::Mistyped, Miss::PersonLimit, Miss::Unanswered] {
            assert_eq!(try_code(&mut guard, miss, Source::Bot, at(minute)).len(), 1);
        }
        assert_eq!(try_code(&mut guard, Miss::Unknown, Source::Api, at(minute)).len(), 1, "no stranger");
    }
}

#[test]
fn who_finds_more_codes_than_they_may_use_is_guessing() {
    let mut guard = Guard::default();
    let tries = |miss: Miss, guard: &mut Guard| {
        (0..5).map(|minute| try_code(guard, miss, Source::Bot, at(minute)).len()).collect::<Vec<_>>()
    };
    assert_eq!(tries(Miss::OverLimit, &mut guard), [1, 1, 1, 1, 2]);
}

#[test]
fn who_guesses_slowly_all_day_is_locked_out_as_well() {
    let mut guard = Guard::default();
    for quarter in 0..19 {
        assert_eq!(guess(&mut guard, 15 * quarter).len(), 1);
    }
    assert_eq!(guess(&mut guard, 15 * 19).len(), 2, "the twentieth");
    assert_eq!(guess(&mut guard, 15 * 20).len(), 2, "and then each one");
}

#[test]
fn each_lock_out_is_twice_as_long_until_a_day_went_well() {
    let mut guard = Guard::default();
    let (mut minute, mut lasted) = (0, vec![]);
    for _ in 0..9 {
        // The more of the day is used up, the fewer guesses it takes.
        let locked = (0..5).find_map(|_| guess(&mut guard, minute).get(1).cloned());
        let Some(Event::LockedOut { until, at: since, .. }) = locked else { panic!("not locked out") };
        lasted.push((until - since).num_minutes());
        minute += (until - since).num_minutes();
    }
    assert_eq!(lasted, [15, 30, 60, 120, 240, 480, 960, 1440, 1440]);
    minute += 24 * 60;
    for _ in 0..4 {
        guess(&mut guard, minute);
    }
    assert!(matches!(guess(&mut guard, minute)[1], Event::LockedOut { in_a_row: 1, .. }));
}

#[test]
fn an_admin_lifts_it() {
    let mut guard = Guard::default();
    assert_eq!(guard.decide(&Command::Lift { at: at(0) }).unwrap(), []);
    for _ in 0..5 {
        guess(&mut guard, 0);
    }
    let lifted = guard.decide(&Command::Lift { at: at(1) }).unwrap();
    assert_eq!(lifted, [Event::Lifted { at: at(1) }]);
    guard.apply(lifted[0].clone());
    assert_eq!(guard.locked_until(at(1)), None);
}

proptest! {
    /// Whatever the rhythm: no window ever holds more guesses than lock out.
    #[test]
    fn nobody_guesses_faster_than_allowed(waits in prop::collection::vec(0_i64..3_600, 1..200)) {
        let (mut guard, mut now, mut looked_at) = (Guard::default(), at(0), vec![]);
        for wait in waits {
            now += TimeDelta::seconds(wait);
            if !try_code(&mut guard, Miss::CodeUsed, Source::Bot, now).is_empty() {
                looked_at.push(now);
            }
            let within = |time| looked_at.iter().filter(|then| **then > now - time).count();
            let (window, day) = (within(Guard::WINDOW), within(Guard::DAY));
            prop_assert!(window <= Guard::IN_WINDOW, "{window} guesses in a window");
            // Lock-outs double, so few fit into what is left of the day.
            prop_assert!(day <= Guard::IN_DAY + 7, "{day} guesses in a day");
            prop_assert!(guard.recent.len() <= Guard::IN_DAY + 7);
        }
    }
}
