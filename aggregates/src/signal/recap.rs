//! What a day and a week came to.

use chrono::{DateTime, Days, NaiveDate, Utc, Weekday};
use serde::{Deserialize, Serialize};
use trading::Settings;

use super::{Event, Outcome, Period};

/// The signals that ended since the last recaps, and what the present day came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    day: Vec<Outcome>,
    week: Vec<Outcome>,
    /// The day (UTC) of the last signal that ended, and what that day came to in R.
    today: Option<(NaiveDate, f64)>,
}

impl Record {
    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            &Event::Closed { number, exit, price, result, at, .. } => {
                let outcome = Outcome { number, exit, entered: price.is_some(), result, at };
                self.day.push(outcome);
                self.week.push(outcome);
                let date = at.date_naive();
                self.today = Some((date, self.r_on(date) + result.r()));
            }
            Event::Recapped { period: Period::Day, to, .. } => self.day.retain(|outcome| outcome.at > *to),
            Event::Recapped { period: Period::Week, to, .. } => self.week.retain(|outcome| outcome.at > *to),
            _ => {}
        }
    }

    /// What the signals that ended on a day came to, in R.
    pub(super) fn r_on(&self, date: NaiveDate) -> f64 {
        self.today.filter(|(day, _)| *day == date).map_or(0.0, |(_, r)| r)
    }

    /// When the next recap is due, in seconds since 1970; none when there is nothing to tell.
    /// It is asked for at every candle, and due at one in a thousand.
    pub(super) fn next(&self, settings: &Settings) -> Option<i64> {
        let first = |outcomes: &[Outcome]| outcomes.first().map(|outcome| outcome.at);
        let day = first(&self.day).map(|at| next(at, settings.recap_at, None));
        let week = first(&self.week).map(|at| next(at, settings.recap_at, Some(settings.recap_on)));
        day.into_iter().chain(week).min()
    }

    /// The first recap that is due by `now`. A time without signals has none.
    pub(super) fn due(&self, now: DateTime<Utc>, settings: &Settings) -> Option<Event> {
        self.recap(Period::Day, now, settings).or_else(|| self.recap(Period::Week, now, settings))
    }

    fn recap(&self, period: Period, now: DateTime<Utc>, settings: &Settings) -> Option<Event> {
        let (outcomes, weekday, days) = match period {
            Period::Day => (&self.day, None, 1),
            Period::Week => (&self.week, Some(settings.recap_on), 7),
        };
        let to = next(outcomes.first()?.at, settings.recap_at, weekday);
        let to = DateTime::from_timestamp(to, 0).filter(|to| *to <= now)?;
        let outcomes = outcomes.iter().copied().filter(|outcome| outcome.at <= to).collect();
        Some(Event::Recapped { period, from: to - Days::new(days), to, outcomes, at: to })
    }
}

/// The first instant, not before `at`, at this minute of the day, and on this weekday if
/// one is given; in seconds since 1970.
fn next(at: DateTime<Utc>, minute: u16, weekday: Option<Weekday>) -> i64 {
    const DAY: i64 = 24 * 60 * 60;
    let from = at.timestamp() + i64::from(at.timestamp_subsec_nanos() > 0);
    let minute = i64::from(minute) * 60;
    let mut day = (from - minute + DAY - 1).div_euclid(DAY);
    if let Some(weekday) = weekday {
        // The first day of 1970 was a Thursday.
        day += (i64::from(weekday.num_days_from_monday()) - 3 - day).rem_euclid(7);
    }
    day * DAY + minute
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "what cannot be read ends the test")]
mod tests {
    use chrono::{Datelike, Timelike};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_next_is_the_first_at_that_minute_and_on_that_weekday(
            at in -100_000_000_i64..4_000_000_000, nanos in prop_oneof![Just(0_u32), 0_u32..1_000_000_000],
            minute in 0_u16..1_440, weekday in prop::option::of(0_u8..7),
        ) {
            let at = DateTime::from_timestamp(at, nanos).unwrap();
            let weekday = weekday.map(|day| Weekday::try_from(day).unwrap());
            let next = DateTime::from_timestamp(next(at, minute, weekday), 0).unwrap();
            let days = if weekday.is_some() { 7 } else { 1 };
            prop_assert!(at <= next && next - Days::new(days) < at, "{} {}", at, next);
            prop_assert_eq!(next.hour() * 60 + next.minute(), u32::from(minute));
            prop_assert_eq!((next.second(), next.nanosecond()), (0, 0));
            prop_assert!(weekday.is_none_or(|weekday| next.weekday() == weekday));
        }
    }
}
