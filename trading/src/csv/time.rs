//! Instants, as files have them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};

use crate::calendar;

/// Of which clock the times in a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Zone {
    /// Coordinated universal time, or Greenwich's without summer time.
    #[default]
    Utc,
    /// So many minutes ahead of UTC, all year.
    Offset(i32),
    /// Seven hours ahead of New York: UTC+2, and UTC+3 while New York has summer time. So
    /// do most brokers whose days end with New York's.
    NewYorkClose,
    /// Eastern European time: UTC+2, and UTC+3 while the European Union has summer time.
    EasternEurope,
}

/// Reads times. It remembers the date before: nearly all are of the same.
pub(super) struct Clock {
    zone: Zone,
    /// The text of a date, and its midnight.
    date: ([u8; 10], NaiveDateTime),
    /// An hour of the zone's clock, since 1970, and how far it is ahead of UTC.
    hour: (i64, TimeDelta),
}

impl Clock {
    pub(super) fn new(zone: Zone) -> Self {
        let nowhere = (i64::MIN, TimeDelta::zero());
        Self { zone, date: ([0; 10], NaiveDateTime::MIN), hour: nowhere }
    }

    /// A date and a time in one field, or seconds or milliseconds since 1970.
    pub(super) fn read(&mut self, field: &[u8]) -> Result<DateTime<Utc>, String> {
        let wrong = || format!("{:?} is no time", shown(field));
        if field.iter().all(u8::is_ascii_digit) {
            let number = digits(field).filter(|_| matches!(field.len(), 9..=13)).ok_or_else(wrong)?;
            let seconds = if field.len() >= 12 { number / 1_000 } else { number };
            // Those who count from 1970 on their own clock are shifted as it is.
            let local = DateTime::from_timestamp(seconds, 0).ok_or_else(wrong)?.naive_utc();
            return self.whole_minute(local, field);
        }
        let (date, rest) = field.split_at_checked(10).ok_or_else(wrong)?;
        let midnight = self.midnight(date).ok_or_else(wrong)?;
        let Some((b' ' | b'T', rest)) = rest.split_first() else {
            return if rest.is_empty() { self.whole_minute(midnight, field) } else { Err(wrong()) };
        };
        // The time of the day ends where a zone begins.
        let end = rest.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b':' | b'.')).unwrap_or(rest.len());
        let local = midnight + time_of_day(&rest[..end]).ok_or_else(wrong)?;
        match rest[end..].trim_ascii() {
            b"" => self.whole_minute(local, field),
            zone => {
                let ahead = offset(zone).ok_or_else(wrong)?;
                whole_minute((local - TimeDelta::minutes(ahead)).and_utc(), field)
            }
        }
    }

    /// A date and a time in two fields.
    pub(super) fn read_two(&mut self, date: &[u8], time: &[u8]) -> Result<DateTime<Utc>, String> {
        let midnight = self.midnight(date).ok_or_else(|| format!("{:?} is no date", shown(date)))?;
        let time_of_day = time_of_day(time).ok_or_else(|| format!("{:?} is no time of the day", shown(time)))?;
        self.whole_minute(midnight + time_of_day, time)
    }

    /// `2026-05-28`, `2026.05.28`, `2026/05/28` or `28.05.2026`.
    fn midnight(&mut self, date: &[u8]) -> Option<NaiveDateTime> {
        if self.date.0 == date {
            return Some(self.date.1);
        }
        let text: [u8; 10] = date.try_into().ok()?;
        let separated = |one: usize, other: usize| text[one] == text[other] && matches!(text[one], b'-' | b'.' | b'/');
        let number = |range: std::ops::Range<usize>| digits(&text[range]);
        let (year, month, day) = if separated(4, 7) {
            (number(0..4)?, number(5..7)?, number(8..10)?)
        } else if separated(2, 5) && text[2] != b'/' {
            // With slashes nobody knows which is the month.
            (number(6..10)?, number(3..5)?, number(0..2)?)
        } else {
            return None;
        };
        let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month.try_into().ok()?, day.try_into().ok()?)?;
        self.date = (text, date.and_time(chrono::NaiveTime::MIN));
        Some(self.date.1)
    }

    fn whole_minute(&mut self, local: NaiveDateTime, field: &[u8]) -> Result<DateTime<Utc>, String> {
        let hour = local.and_utc().timestamp().div_euclid(3_600);
        if self.hour.0 != hour {
            self.hour = (hour, self.ahead(local));
        }
        whole_minute((local - self.hour.1).and_utc(), field)
    }

    /// How far the zone's clock is ahead of UTC.
    fn ahead(&self, local: NaiveDateTime) -> TimeDelta {
        match self.zone {
            Zone::Utc => TimeDelta::zero(),
            Zone::Offset(minutes) => TimeDelta::minutes(minutes.into()),
            Zone::NewYorkClose => local - calendar::utc(local - TimeDelta::hours(7)).naive_utc(),
            Zone::EasternEurope => {
                let winter = (local - TimeDelta::hours(2)).and_utc();
                let summer = calendar::is_summer_in_europe(winter - TimeDelta::hours(1));
                TimeDelta::hours(if summer { 3 } else { 2 })
            }
        }
    }
}

fn whole_minute(at: DateTime<Utc>, field: &[u8]) -> Result<DateTime<Utc>, String> {
    if at.timestamp() % 60 == 0 { Ok(at) } else { Err(format!("{:?} is no whole minute", shown(field))) }
}

/// `10:00`, `10:00:00` or `10:00:00.000`.
fn time_of_day(text: &[u8]) -> Option<TimeDelta> {
    let (clock, fraction) = text.split_at(text.len().min(8));
    if !fraction.is_empty() && (fraction[0] != b'.' || !fraction[1..].iter().all(|digit| *digit == b'0')) {
        return None;
    }
    let (hour, minute, second) = match clock {
        [a, b, b':', c, d] => ([*a, *b], [*c, *d], [b'0'; 2]),
        [a, b, b':', c, d, b':', e, f] => ([*a, *b], [*c, *d], [*e, *f]),
        _ => return None,
    };
    let (hour, minute, second) = (digits(&hour)?, digits(&minute)?, digits(&second)?);
    (hour < 24 && minute < 60 && second < 60)
        .then(|| TimeDelta::hours(hour) + TimeDelta::minutes(minute) + TimeDelta::seconds(second))
}

/// `Z`, `UTC`, `GMT`, `+02:00`, `-0500`, `GMT+0200`: minutes ahead of UTC.
fn offset(text: &[u8]) -> Option<i64> {
    let text = [b"GMT".as_slice(), b"UTC", b"Z"].into_iter().find_map(|name| text.strip_prefix(name)).unwrap_or(text);
    let (sign, rest) = match text.split_first() {
        None => return Some(0),
        Some((b'+', rest)) => (1, rest),
        Some((b'-', rest)) => (-1, rest),
        Some(_) => return None,
    };
    let (hours, minutes) = match rest {
        [a, b] => ([*a, *b], [b'0'; 2]),
        [a, b, c, d] | [a, b, b':', c, d] => ([*a, *b], [*c, *d]),
        _ => return None,
    };
    let (hours, minutes) = (digits(&hours)?, digits(&minutes)?);
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

fn digits(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 18 {
        return None;
    }
    text.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
}

fn shown(field: &[u8]) -> String {
    String::from_utf8_lossy(field).chars().take(40).collect()
}

/// A zone that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be as in +02:00 or -05:30")]
pub struct InvalidOffset;

impl Zone {
    /// From an offset such as `+02:00`.
    ///
    /// # Errors
    /// [`InvalidOffset`].
    pub fn from_offset(text: &str) -> Result<Self, InvalidOffset> {
        let minutes = offset(text.as_bytes()).ok_or(InvalidOffset)?;
        Ok(Self::Offset(i32::try_from(minutes).map_err(|_| InvalidOffset)?))
    }
}
