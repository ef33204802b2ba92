//! Numbers as people write them.

use super::Unit;

/// A number in a text, with the ways in which it can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number {
    /// The sign before it, if there is one.
    negative: Option<bool>,
    unit: Option<Unit>,
    /// Whether it is one of the digits 1, 2 and 3 by itself.
    ordinal: bool,
    /// Digits before and after the decimal point, without zeros that say nothing. More than
    /// one when a comma can be a decimal point or part thousands; none when it is no number.
    readings: Vec<(String, String)>,
}

impl Number {
    /// From digits with points and commas between them; `suffix` is what it is glued to.
    pub(super) fn new(digits: &str, negative: Option<bool>, unit: Option<Unit>, suffix: &str) -> Self {
        // Of 4k, 2x, 1e5 and 1st nobody knows what they stand for.
        let readable = matches!(suffix, "" | "r" | "р" | "pip" | "pips" | "п" | "пип" | "пипс" | "пипса" | "пипсов");
        let ordinal = matches!(digits, "1" | "2" | "3") && negative.is_none() && unit.is_none();
        Self { negative, unit, ordinal, readings: if readable { readings(digits) } else { vec![] } }
    }

    /// Whether it says what a fact says. Without a sign it may be either, and without a unit of
    /// any; with one it is only what has the same among the facts. What names a signal says
    /// nothing else.
    pub(super) fn says(&self, fact: &Self) -> bool {
        let same = self.readings.iter().any(|reading| fact.readings.contains(reading));
        let sign = self.negative.is_none_or(|negative| negative == fact.negative.unwrap_or(false));
        let is_name = fact.unit == Some(Unit::Name);
        same && sign && (self.unit == fact.unit || self.unit.is_none() && !is_name)
    }

    pub(super) const fn is_percent(&self) -> bool {
        matches!(self.unit, Some(Unit::Percent))
    }

    /// Whether it can be the number of a target.
    pub(super) const fn is_ordinal(&self) -> bool {
        self.ordinal
    }
}

fn readings(digits: &str) -> Vec<(String, String)> {
    let plain = |whole: &str, rest: &str| {
        let whole = whole.trim_start_matches('0');
        let whole = if whole.is_empty() { "0" } else { whole };
        (whole.to_owned(), rest.trim_end_matches('0').to_owned())
    };
    let (points, commas) = (digits.matches('.').count(), digits.matches(',').count());
    let mut readings = vec![];
    // Commas part thousands, a point the decimals.
    if points <= 1 {
        let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
        if !rest.contains(',')
            && let Some(whole) = grouped(whole)
        {
            readings.push(plain(&whole, rest));
        }
    }
    // A comma parts the decimals.
    if commas == 1 && points == 0 {
        let (whole, rest) = digits.split_once(',').unwrap_or((digits, ""));
        readings.push(plain(whole, rest));
    }
    readings
}

/// Digits without the commas that part thousands; none if these stand elsewhere.
fn grouped(digits: &str) -> Option<String> {
    let mut groups = digits.split(',');
    let first = groups.next()?;
    let mut whole = first.to_owned();
    for group in groups {
        if group.len() != 3 || first.len() > 3 {
            return None;
        }
        whole.push_str(group);
    }
    Some(whole)
}
