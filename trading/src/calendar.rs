//! When gold is traded.
//!
//! A trading day begins at 18:00 in New York on the evening before its date and ends at
//! 17:00, Monday to Friday: so the market opens on Sunday evening, closes on Friday, and
//! has a break of an hour every day. Holidays are those of CME Globex for metals
//! (<https://www.cmegroup.com/tools-information/holiday-calendar.html>), which brokers
//! follow. They are rules and no list, so that no year is lacking.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc, Weekday};

/// From the opening of a trading day to its close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TradingDay {
    /// The first instant.
    pub opens: DateTime<Utc>,
    /// The first instant after it.
    pub closes: DateTime<Utc>,
}

/// Why the market is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// From Friday to Sunday evening.
    Weekend,
    /// The hour between two trading days.
    Break,
    /// By this name, all day or from an early close on.
    Holiday(&'static str),
}

/// How far before its date a trading day begins: 18:00.
const EVENING: TimeDelta = TimeDelta::hours(6);
/// Days that are looked through at most for the next one with trade.
const FAR: u32 = 15;

/// Whether gold is traded at this instant.
#[must_use]
pub fn is_open(at: DateTime<Utc>) -> bool {
    trading_day(date_at(at)).is_some_and(|day| day.opens <= at && at < day.closes)
}

/// Why gold is not traded at this instant; none when it is.
#[must_use]
pub fn closed(at: DateTime<Utc>) -> Option<Closed> {
    if is_open(at) {
        return None;
    }
    let date = date_at(at);
    let in_break = new_york(at).time() >= hour(17, 0) && date.weekday() != Weekday::Fri;
    Some(match holiday(date) {
        Some((name, close)) if !in_break || close.is_none() => Closed::Holiday(name),
        _ if is_weekend(date) || date.weekday() == Weekday::Fri => Closed::Weekend,
        _ => Closed::Break,
    })
}

/// The first instant from `at` on at which gold is traded: `at` itself while it is.
#[must_use]
pub fn next_open(at: DateTime<Utc>) -> DateTime<Utc> {
    at.max(next_trading_day(at).opens)
}

/// When the trading day ends that `at` lies in, or else the next one.
#[must_use]
pub fn next_close(at: DateTime<Utc>) -> DateTime<Utc> {
    next_trading_day(at).closes
}

/// The last close that is not after `at`.
#[must_use]
pub fn last_close(at: DateTime<Utc>) -> DateTime<Utc> {
    let date = date_at(at);
    (0..FAR)
        .filter_map(|days| trading_day(date - Days::new(days.into())))
        .map(|day| day.closes)
        .find(|closes| *closes <= at)
        // Never: no fortnight is without trade.
        .unwrap_or(at)
}

/// How long the market is open from `from` to `to`; nothing when `to` is not after `from`.
#[must_use]
pub fn open_time_between(from: DateTime<Utc>, to: DateTime<Utc>) -> TimeDelta {
    let mut open = TimeDelta::zero();
    let mut at = from;
    while at < to {
        let day = next_trading_day(at);
        if day.opens < to {
            open += day.closes.min(to) - day.opens.max(at);
        }
        // It ends after `at`, so this comes to an end.
        at = day.closes;
    }
    open
}

/// The whole minutes of [`open_time_between`].
#[must_use]
pub fn open_minutes_between(from: DateTime<Utc>, to: DateTime<Utc>) -> i64 {
    open_time_between(from, to).num_minutes()
}

/// The instant at which the market will have been open for so long since `from`: time
/// that jumps over what is closed.
#[must_use]
pub fn after_open_time(from: DateTime<Utc>, open: TimeDelta) -> DateTime<Utc> {
    let mut left = open.max(TimeDelta::zero());
    let mut at = from;
    loop {
        let day = next_trading_day(at);
        let begins = day.opens.max(at);
        if left < day.closes - begins {
            return begins + left;
        }
        left -= day.closes - begins;
        at = day.closes;
    }
}

/// The first instant at which the market was open for so long since `from`: at a close, the
/// close itself, where [`after_open_time`] says when it opens again.
#[must_use]
pub fn when_open_for(from: DateTime<Utc>, open: TimeDelta) -> DateTime<Utc> {
    let moment = TimeDelta::nanoseconds(1);
    if open < moment { from } else { after_open_time(from, open - moment) + moment }
}

/// The trading day of a date; none when there is no trade.
#[must_use]
pub fn trading_day(date: NaiveDate) -> Option<TradingDay> {
    if is_weekend(date) {
        return None;
    }
    let close = match holiday(date) {
        None => hour(17, 0),
        Some((_, Some(early))) => early,
        Some((_, None)) => return None,
    };
    let opens = utc(date.and_time(NaiveTime::MIN) - EVENING);
    Some(TradingDay { opens, closes: utc(date.and_time(close)) })
}

/// The trading date of an instant: of the hour of the break, the date before it.
#[must_use]
pub fn date_at(at: DateTime<Utc>) -> NaiveDate {
    (new_york(at) + EVENING).date()
}

/// The trading day that ends next after `at`.
#[must_use]
pub fn next_trading_day(at: DateTime<Utc>) -> TradingDay {
    let date = date_at(at);
    (0..FAR)
        .filter_map(|days| trading_day(date + Days::new(days.into())))
        .find(|day| at < day.closes)
        // Never: no fortnight is without trade.
        .unwrap_or(TradingDay { opens: at, closes: at + TimeDelta::days(1) })
}

fn is_weekend(date: NaiveDate) -> bool {
    matches!(date.weekday(), Weekday::Sat | Weekday::Sun)
}

/// The holiday on a weekday, and when it closes early; without that, there is no trade.
///
/// A holiday on a Friday ends the week at noon in Chicago, others at 13:30; the days beside
/// Thanksgiving and Christmas end at 12:45.
#[must_use]
pub fn holiday(date: NaiveDate) -> Option<(&'static str, Option<NaiveTime>)> {
    let (year, month, day, weekday) = (date.year(), date.month(), date.day(), date.weekday());
    let nth = (day - 1) / 7 + 1;
    // A holiday on Sunday is kept on Monday; most on Saturday, on Friday.
    let kept_on = |month, day, on_friday: bool| {
        NaiveDate::from_ymd_opt(year, month, day).is_some_and(|proper| match proper.weekday() {
            Weekday::Sun => Some(date) == proper.succ_opt(),
            Weekday::Sat => on_friday && Some(date) == proper.pred_opt(),
            _ => date == proper,
        })
    };
    let usual = Some(if weekday == Weekday::Fri { hour(13, 0) } else { hour(14, 30) });
    let eve = Some(hour(13, 45));
    match (month, weekday) {
        _ if kept_on(1, 1, false) => Some(("New Year's Day", None)),
        _ if kept_on(12, 25, true) => Some(("Christmas Day", None)),
        (3 | 4, Weekday::Fri) if Some(date) == good_friday(year) => Some(("Good Friday", None)),
        (1, Weekday::Mon) if nth == 3 => Some(("Martin Luther King Jr. Day", usual)),
        (2, Weekday::Mon) if nth == 3 => Some(("Presidents' Day", usual)),
        (5, Weekday::Mon) if day > 24 => Some(("Memorial Day", usual)),
        (6, _) if year >= 2022 && kept_on(6, 19, true) => Some(("Juneteenth", usual)),
        (7, _) if kept_on(7, 4, true) => Some(("Independence Day", usual)),
        (9, Weekday::Mon) if nth == 1 => Some(("Labor Day", usual)),
        (11, Weekday::Thu) if nth == 4 => Some(("Thanksgiving", usual)),
        (11, Weekday::Fri) if (23..=29).contains(&day) => Some(("the day after Thanksgiving", eve)),
        (12, _) if day == 24 && !is_weekend(date) => Some(("Christmas Eve", eve)),
        _ => None,
    }
}

/// Two days before Easter (the anonymous Gregorian algorithm: J. Meeus, *Astronomical
/// Algorithms*, 2nd ed., chapter 8).
fn good_friday(year: i32) -> Option<NaiveDate> {
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 19 * l) / 433;
    let month = (h + l - 7 * m + 90) / 25;
    let day = (h + l - 7 * m + 33 * month + 19) % 32;
    let easter = NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?)?;
    easter.checked_sub_days(Days::new(2))
}

const fn hour(hour: u32, minute: u32) -> NaiveTime {
    match NaiveTime::from_hms_opt(hour, minute, 0) {
        Some(time) => time,
        None => NaiveTime::MIN,
    }
}

/// What clocks in New York show.
#[must_use]
pub fn new_york(at: DateTime<Utc>) -> NaiveDateTime {
    let standard = at.naive_utc() - TimeDelta::hours(5);
    if is_summer_in_new_york(standard) { standard + TimeDelta::hours(1) } else { standard }
}

/// The instant at which clocks in New York show this; of two, the later.
#[must_use]
pub fn utc(new_york: NaiveDateTime) -> DateTime<Utc> {
    // The hour that is shown twice lies in the night of a Saturday.
    let summer = is_summer_in_new_york(new_york - TimeDelta::hours(1));
    let hours = if summer && is_summer_in_new_york(new_york) { 4 } else { 5 };
    (new_york + TimeDelta::hours(hours)).and_utc()
}

/// What clocks in London show: it goes by the same dates as the European Union.
#[must_use]
pub fn london(at: DateTime<Utc>) -> NaiveDateTime {
    let summer = TimeDelta::hours(i64::from(is_summer_in_europe(at)));
    at.naive_utc() + summer
}

/// Whether daylight saving time is in force, by standard time: from the second Sunday of
/// March at 2 to the first Sunday of November at 1 (15 U.S.C. § 260a, since 2007).
fn is_summer_in_new_york(standard: NaiveDateTime) -> bool {
    let sunday = |month, nth: u8, at: u32| {
        NaiveDate::from_weekday_of_month_opt(standard.year(), month, Weekday::Sun, nth)
            .map(|date| date.and_time(hour(at, 0)))
    };
    let (Some(begins), Some(ends)) = (sunday(3, 2, 2), sunday(11, 1, 1)) else { return false };
    begins <= standard && standard < ends
}

/// Whether summer time is in force in the European Union: from the last Sunday of March
/// to the last Sunday of October, at 1:00 UTC (Directive 2000/84/EC).
#[must_use]
pub fn is_summer_in_europe(at: DateTime<Utc>) -> bool {
    let last_sunday = |month| {
        let last = NaiveDate::from_ymd_opt(at.year(), month, 31)?;
        let sunday = last - Days::new(last.weekday().num_days_from_sunday().into());
        Some(sunday.and_time(hour(1, 0)).and_utc())
    };
    let (Some(begins), Some(ends)) = (last_sunday(3), last_sunday(10)) else { return false };
    begins <= at && at < ends
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "what cannot be read ends the test")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_week_has_five_days_with_a_break_between_them() {
        // In winter New York is five hours behind UTC, in summer four.
        for (text, open) in [
            ("2026-02-01T22:59:59Z", false), // Sunday
            ("2026-02-01T23:00:00Z", true),
            ("2026-02-02T21:59:59Z", true),
            ("2026-02-02T22:00:00Z", false),
            ("2026-02-02T23:00:00Z", true),
            ("2026-02-06T21:59:59Z", true), // Friday
            ("2026-02-06T22:00:00Z", false),
            ("2026-02-07T12:00:00Z", false),
            ("2026-05-03T21:59:59Z", false),
            ("2026-05-03T22:00:00Z", true),
            ("2026-05-08T20:59:59Z", true),
            ("2026-05-08T21:00:00Z", false),
            // The clocks change in the night of Sunday, 8 March and 1 November.
            ("2026-03-06T22:00:00Z", false),
            ("2026-03-06T21:59:59Z", true),
            ("2026-03-08T21:59:59Z", false),
            ("2026-03-08T22:00:00Z", true),
            ("2026-11-01T22:59:59Z", false),
            ("2026-11-01T23:00:00Z", true),
        ] {
            assert_eq!(is_open(at(text)), open, "{text}");
        }
        assert_eq!(closed(at("2026-02-02T22:10:00Z")), Some(Closed::Break));
        assert_eq!(closed(at("2026-02-06T22:10:00Z")), Some(Closed::Weekend));
        assert_eq!(closed(at("2026-02-08T12:00:00Z")), Some(Closed::Weekend));
        assert_eq!(closed(at("2026-04-03T12:00:00Z")), Some(Closed::Holiday("Good Friday")));
        assert_eq!(closed(at("2026-05-25T19:00:00Z")), Some(Closed::Holiday("Memorial Day")));
        assert_eq!(closed(at("2026-05-25T12:00:00Z")), None);
        assert_eq!(next_open(at("2026-04-02T21:30:00Z")), at("2026-04-05T22:00:00Z"));
        assert_eq!(next_close(at("2026-04-02T21:30:00Z")), at("2026-04-06T21:00:00Z"));
    }

    /// The dates themselves, so that the rules are held to a list.
    #[test]
    fn holidays_of_2024_to_2027() {
        let closed = [
            "2024-01-01",
            "2024-03-29",
            "2024-12-25",
            "2025-01-01",
            "2025-04-18",
            "2025-12-25",
            "2026-01-01",
            "2026-04-03",
            "2026-12-25",
            "2027-01-01",
            "2027-03-26",
            "2027-12-24",
        ];
        let early = [
            "2024-01-15 14:30",
            "2024-02-19 14:30",
            "2024-05-27 14:30",
            "2024-06-19 14:30",
            "2024-07-04 14:30",
            "2024-09-02 14:30",
            "2024-11-28 14:30",
            "2024-11-29 13:45",
            "2024-12-24 13:45",
            "2025-01-20 14:30",
            "2025-02-17 14:30",
            "2025-05-26 14:30",
            "2025-06-19 14:30",
            "2025-07-04 13:00",
            "2025-09-01 14:30",
            "2025-11-27 14:30",
            "2025-11-28 13:45",
            "2025-12-24 13:45",
            "2026-01-19 14:30",
            "2026-02-16 14:30",
            "2026-05-25 14:30",
            "2026-06-19 13:00",
            "2026-07-03 13:00",
            "2026-09-07 14:30",
            "2026-11-26 14:30",
            "2026-11-27 13:45",
            "2026-12-24 13:45",
            "2027-01-18 14:30",
            "2027-02-15 14:30",
            "2027-05-31 14:30",
            "2027-06-18 13:00",
            "2027-07-05 14:30",
            "2027-09-06 14:30",
            "2027-11-25 14:30",
            "2027-11-26 13:45",
        ];
        let first: NaiveDate = "2024-01-01".parse().unwrap();
        let days = first.iter_days().take_while(|date| date.year() < 2028).filter(|date| !is_weekend(*date));
        let found: Vec<_> = days.filter_map(|date| Some((date, holiday(date)?.1))).collect();
        let all_day = found.iter().filter(|(_, close)| close.is_none()).map(|(date, _)| date.to_string());
        assert_eq!(all_day.collect::<Vec<_>>(), closed);
        let in_part =
            found.iter().filter_map(|(date, close)| Some(format!("{date} {}", close.as_ref()?.format("%H:%M"))));
        assert_eq!(in_part.collect::<Vec<_>>(), early);
    }

    #[test]
    fn summer_time_follows_each_law() {
        let new_york = |text: &str| new_york(at(text)).to_string();
        assert_eq!(new_york("2026-03-08T06:59:59Z"), "2026-03-08 01:59:59");
        assert_eq!(new_york("2026-03-08T07:00:00Z"), "2026-03-08 03:00:00");
        assert_eq!(new_york("2026-11-01T05:59:59Z"), "2026-11-01 01:59:59");
        assert_eq!(new_york("2026-11-01T06:00:00Z"), "2026-11-01 01:00:00");
        let europe = ["2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z", "2026-10-25T00:59:59Z", "2026-10-25T01:00:00Z"];
        assert_eq!(europe.map(|text| is_summer_in_europe(at(text))), [false, true, true, false]);
    }

    proptest! {
        #[test]
        fn openings_and_closes_are_where_it_changes(seconds in 1_170_000_000_i64..2_200_000_000) {
            let now = DateTime::from_timestamp(seconds, 0).unwrap();
            let (opens, closes) = (next_open(now), next_close(now));
            prop_assert!(now <= opens && opens < closes);
            prop_assert!(is_open(opens) && !is_open(closes) && is_open(closes - TimeDelta::seconds(1)));
            prop_assert_eq!(is_open(now), opens == now);
            prop_assert_eq!(is_open(now), closed(now).is_none());
            let last = last_close(now);
            prop_assert!(last <= now && next_close(last - TimeDelta::seconds(1)) == last);
            prop_assert!(is_open(now) || next_open(last) == opens, "closed since then");
            if opens > now {
                prop_assert!(!is_open(opens - TimeDelta::seconds(1)));
                prop_assert!(opens - now <= TimeDelta::days(4), "closed for longer than any holiday");
            }
        }

        #[test]
        fn open_time_adds_up_and_is_what_is_counted_minute_by_minute(
            minute in 19_500_000_i64..36_000_000, first in 0_i64..9_000, second in 0_i64..9_000
        ) {
            let from = DateTime::from_timestamp(minute * 60, 0).unwrap();
            let (middle, to) = (from + TimeDelta::minutes(first), from + TimeDelta::minutes(first + second));
            let all = open_minutes_between(from, to);
            prop_assert_eq!(open_minutes_between(from, middle) + open_minutes_between(middle, to), all);
            let counted = (0..first + second).filter(|n| is_open(from + TimeDelta::minutes(*n))).count();
            prop_assert_eq!(i64::try_from(counted).unwrap(), all);
            prop_assert_eq!(open_minutes_between(to, from), 0);
            // There and back.
            let there = after_open_time(from, TimeDelta::minutes(first));
            prop_assert_eq!(open_minutes_between(from, there), first);
            prop_assert!(is_open(there));
            let ended = when_open_for(from, TimeDelta::minutes(first));
            prop_assert_eq!(open_minutes_between(from, ended), first);
            prop_assert!(ended <= there && (first == 0 || is_open(ended - TimeDelta::seconds(1))));
        }

        #[test]
        fn new_york_and_utc_are_the_same_instant(seconds in 1_170_000_000_i64..2_200_000_000) {
            let now = DateTime::from_timestamp(seconds, 0).unwrap();
            let back = utc(new_york(now));
            // But for the hour that is shown twice.
            prop_assert!(back == now || back == now + TimeDelta::hours(1) && new_york(now) == new_york(back));
        }
    }
}
