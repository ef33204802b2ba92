//! Monthly amounts without any rounding, for those who add up many of them.

use super::{Discount, Item, Mrr, mrr};
use crate::{campaign::Currency, plan::Every};

/// An amount of smallest units as a fraction in lowest terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fraction {
    numerator: i128,
    denominator: i128,
}

/// What something comes to in a month, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Monthly {
    /// Of which currency.
    pub currency: Currency,
    /// How many of its smallest units.
    pub amount: Fraction,
}

impl Fraction {
    /// Nothing.
    pub const ZERO: Self = Self { numerator: 0, denominator: 1 };

    /// So many parts of which so many are one; none when `denominator` is 0.
    #[must_use]
    pub fn new(numerator: i128, denominator: i128) -> Option<Self> {
        let divisor = gcd(numerator.checked_abs()?, denominator.checked_abs()?);
        let sign = if denominator < 0 { -1 } else { 1 };
        (denominator != 0)
            .then(|| Self { numerator: sign * (numerator / divisor), denominator: sign * (denominator / divisor) })
    }

    /// A whole number.
    #[must_use]
    pub const fn whole(number: i128) -> Self {
        Self { numerator: number, denominator: 1 }
    }

    /// What is above the line.
    #[must_use]
    pub const fn numerator(self) -> i128 {
        self.numerator
    }

    /// What is below it; 1 or more.
    #[must_use]
    pub const fn denominator(self) -> i128 {
        self.denominator
    }

    /// The sum; none when it cannot be held.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        // The least common denominator, so that twelfths and thirds stay small.
        let common = self.denominator / gcd(self.denominator, other.denominator);
        let left = self.numerator.checked_mul(other.denominator / (self.denominator / common))?;
        let right = other.numerator.checked_mul(common)?;
        Self::new(left.checked_add(right)?, common.checked_mul(other.denominator)?)
    }

    /// The difference; none when it cannot be held.
    #[must_use]
    pub fn minus(self, other: Self) -> Option<Self> {
        self.plus(Self { numerator: other.numerator.checked_neg()?, ..other })
    }

    /// The product; none when it cannot be held.
    #[must_use]
    pub fn times(self, other: Self) -> Option<Self> {
        let (a, b) = (
            gcd(self.numerator.checked_abs()?, other.denominator),
            gcd(other.numerator.checked_abs()?, self.denominator),
        );
        let (a, b) = (a.max(1), b.max(1));
        Self::new(
            (self.numerator / a).checked_mul(other.numerator / b)?,
            (self.denominator / b).checked_mul(other.denominator / a)?,
        )
    }

    /// The quotient; none when it cannot be held, or `other` is nothing.
    #[must_use]
    pub fn over(self, other: Self) -> Option<Self> {
        self.times(Self::new(other.denominator, other.numerator)?)
    }

    /// The nearest whole number; of two that are as near, the even one.
    #[must_use]
    pub const fn rounded(self) -> i128 {
        let (below, rest) = (self.numerator.div_euclid(self.denominator), self.numerator.rem_euclid(self.denominator));
        // Twice the rest against the whole, without doubling it.
        let other = self.denominator - rest;
        if rest > other || (rest == other && below % 2 != 0) { below + 1 } else { below }
    }

    /// The nearest number that a machine can hold, for rates.
    #[must_use]
    pub const fn approximate(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}

const fn gcd(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// What the items of a subscription come to in a month: the same as [`mrr::monthly`],
/// without rounding; none when none of them counts. Amounts beyond all reason, which no
/// fraction holds, are rounded as there.
#[must_use]
pub fn monthly(items: &[Item], discounts: &[Discount]) -> Option<Monthly> {
    let rounded: Mrr = mrr::monthly(items, discounts)?;
    let amount = fraction(items, discounts, rounded.currency)
        .or_else(|| Fraction::new(rounded.micros.into(), mrr::MICROS.into()))?;
    Some(Monthly { currency: rounded.currency, amount })
}

fn fraction(items: &[Item], discounts: &[Discount], currency: Currency) -> Option<Fraction> {
    let counts = |item: &&Item| !item.metered && item.unit_minor.is_some() && item.currency == currency;
    let first = items.iter().find(counts)?;
    let mut sum = Fraction::ZERO;
    for item in items.iter().filter(counts) {
        let minor = i128::from(item.unit_minor?).checked_mul(item.quantity.into())?;
        sum = sum.plus(per_month(minor, item.every)?)?;
    }
    for discount in discounts {
        let off = match *discount {
            Discount::Percent { basis_points } => sum.times(Fraction::new(basis_points.min(10_000).into(), 10_000)?)?,
            Discount::Amount { minor, currency: off } if off == currency => per_month(minor.into(), first.every)?,
            Discount::Amount { .. } => Fraction::ZERO,
        };
        sum = sum.minus(off)?;
        if sum.numerator < 0 {
            sum = Fraction::ZERO;
        }
    }
    Some(sum)
}

fn per_month(minor: i128, every: Every) -> Option<Fraction> {
    let (times, months) = mrr::rhythm(every);
    Fraction::new(minor.checked_mul(times)?, months)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(numerator: i128, denominator: i128) -> Fraction {
        Fraction::new(numerator, denominator).unwrap()
    }

    #[test]
    fn halves_go_to_the_even_number() {
        for (numerator, denominator, rounded) in [
            (1, 2, 0),
            (3, 2, 2),
            (5, 2, 2),
            (-1, 2, 0),
            (-3, 2, -2),
            (4_999, 10_000, 0),
            (5_001, 10_000, 1),
            (-7, 4, -2),
        ] {
            assert_eq!(of(numerator, denominator).rounded(), rounded, "{numerator}/{denominator}");
        }
    }

    #[test]
    fn sums_are_exact() {
        let third = of(1, 3);
        assert_eq!(third.plus(third).and_then(|sum| sum.plus(third)), Some(Fraction::whole(1)));
        assert_eq!(of(1, 12).minus(of(1, 4)), Some(of(-1, 6)));
        assert_eq!(of(-2, 3).over(of(4, -9)), Some(of(3, 2)));
        assert_eq!(of(1, 3).over(Fraction::ZERO), None);
        assert_eq!(Fraction::whole(i128::MAX).plus(Fraction::whole(1)), None);
    }
}
