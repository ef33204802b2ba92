//! Prices, exact.

use std::{
    fmt,
    iter::Sum,
    ops::{Add, AddAssign, Neg, Sub, SubAssign},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A price, or a difference of two, in hundred-thousandths of the quote currency: as exact as
/// any broker quotes. It is written as a decimal text without trailing zeros: `"4012.35"`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Price(i64);

/// A text, or a number, that is no price.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPrice {
    /// Not digits with at most one point.
    #[error("{0:?} is not a decimal number")]
    NotANumber(String),
    /// More than five decimal places.
    #[error("{0:?} has more than 5 decimal places")]
    TooFine(String),
    /// Beyond a thousand million.
    #[error("{0:?} is too large")]
    TooLarge(String),
}

impl Price {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// Units in one of the quote currency.
    pub const SCALE: i64 = 100_000;
    /// Larger ones are mistakes; sums of a million of them still fit.
    const MAX: i64 = 1_000_000_000 * Self::SCALE;

    /// From hundred-thousandths.
    #[must_use]
    pub const fn from_units(units: i64) -> Self {
        Self(units)
    }

    /// In hundred-thousandths.
    #[must_use]
    pub const fn units(self) -> i64 {
        self.0
    }

    /// The nearest price to a number, such as an indicator's value; none for what is not
    /// finite or too large.
    #[must_use]
    pub fn nearest(value: f64) -> Option<Self> {
        let units = (value * Self::SCALE as f64).round();
        (units.abs() <= Self::MAX as f64).then_some(Self(units as i64))
    }

    /// As a number, for indicators and charts.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / Self::SCALE as f64
    }

    /// Rounded, half away from zero, to a multiple of `step`, such as the tick of an
    /// instrument; as it is when the step is not positive.
    #[must_use]
    pub const fn rounded_to(self, step: Self) -> Self {
        if step.0 <= 0 {
            return self;
        }
        let half = if self.0 < 0 { -(step.0 / 2) } else { step.0 / 2 };
        Self((self.0 + half) / step.0 * step.0)
    }

    /// How far it is from nothing.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.abs())
    }

    /// A part of it: `numerator / denominator`, rounded towards zero; nothing when the
    /// denominator is 0.
    #[must_use]
    pub const fn part(self, numerator: i64, denominator: i64) -> Self {
        if denominator == 0 {
            return Self::ZERO;
        }
        Self((self.0 as i128 * numerator as i128 / denominator as i128) as i64)
    }

    /// With exactly so many decimal places, rounded half away from zero, for people: `4012.50`.
    #[must_use]
    pub fn fixed(self, decimals: u32) -> String {
        let decimals = decimals.min(5);
        let step = 10_i64.pow(5 - decimals);
        let units = self.rounded_to(Self(step)).0;
        let sign = if units < 0 { "-" } else { "" };
        let (whole, rest) = (units.abs() / Self::SCALE, units.abs() % Self::SCALE / step);
        if decimals == 0 {
            format!("{sign}{whole}")
        } else {
            format!("{sign}{whole}.{rest:0width$}", width = decimals as usize)
        }
    }
}

impl FromStr for Price {
    type Err = InvalidPrice;

    fn from_str(text: &str) -> Result<Self, InvalidPrice> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(rest) || digits.ends_with('.') {
            return Err(InvalidPrice::NotANumber(text.chars().take(40).collect()));
        }
        let rest = rest.trim_end_matches('0');
        if rest.len() > 5 {
            return Err(InvalidPrice::TooFine(text.chars().take(40).collect()));
        }
        let too_large = || InvalidPrice::TooLarge(text.chars().take(40).collect());
        let whole: i64 = whole.parse().map_err(|_| too_large())?;
        let fine =
            rest.bytes().chain(std::iter::repeat(b'0')).take(5).fold(0, |sum, byte| sum * 10 + i64::from(byte - b'0'));
        let units = whole.checked_mul(Self::SCALE).and_then(|units| units.checked_add(fine)).ok_or_else(too_large)?;
        if units > Self::MAX {
            return Err(too_large());
        }
        Ok(Self(if negative { -units } else { units }))
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, rest) = (self.0.unsigned_abs() / 100_000, self.0.unsigned_abs() % 100_000);
        if rest == 0 {
            return write!(f, "{sign}{whole}");
        }
        let rest = format!("{rest:05}");
        write!(f, "{sign}{whole}.{}", rest.trim_end_matches('0'))
    }
}

impl fmt::Debug for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Price;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a price as a decimal text")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Price, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl Add for Price {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Price {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sub for Price {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl SubAssign for Price {
    fn sub_assign(&mut self, other: Self) {
        self.0 -= other.0;
    }
}

impl Neg for Price {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Sum for Price {
    fn sum<I: Iterator<Item = Self>>(prices: I) -> Self {
        prices.fold(Self::ZERO, Self::add)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "what cannot be read ends the test")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_that_are_no_prices_say_why() {
        for text in ["", "-", ".", "1.", ".5", "+1", "1e5", "1,5", "0x1", "NaN", "--1", "1.2.3", " 1", "१"] {
            assert!(matches!(text.parse::<Price>(), Err(InvalidPrice::NotANumber(_))), "{text:?}");
        }
        assert!(matches!("1.000001".parse::<Price>(), Err(InvalidPrice::TooFine(_))));
        assert!(matches!("99999999999999999999".parse::<Price>(), Err(InvalidPrice::TooLarge(_))));
        assert!(matches!("1000000000.1".parse::<Price>(), Err(InvalidPrice::TooLarge(_))));
        assert_eq!("1.5000000".parse::<Price>().unwrap(), Price::from_units(150_000));
        assert_eq!(Price::nearest(f64::NAN), None);
        assert_eq!(Price::nearest(f64::INFINITY), None);
    }

    #[test]
    fn people_see_as_many_decimals_as_the_instrument_has() {
        let price: Price = "4012.345".parse().unwrap();
        assert_eq!([price.fixed(0), price.fixed(2), price.fixed(5)], ["4012", "4012.35", "4012.34500"]);
        assert_eq!((-price).fixed(2), "-4012.35");
        assert_eq!(price.rounded_to("0.1".parse().unwrap()).to_string(), "4012.3");
        assert_eq!(Price::from_units(-499).fixed(2), "0.00");
    }

    proptest! {
        #[test]
        fn a_price_is_read_as_it_was_written(units in -Price::MAX..=Price::MAX) {
            let price = Price::from_units(units);
            prop_assert_eq!(price.to_string().parse::<Price>(), Ok(price));
            prop_assert_eq!(Price::nearest(price.to_f64()), Some(price));
        }
    }
}
