//! Monthly recurring revenue, by Stripe's definitions.
//!
//! Every licensed item is normalised to a month: a year is 12 months, a year has
//! 52 weeks and 365 days. Coupons that last for ever are taken off. Trials, metered
//! items and tax do not count. Source: the glossary of Stripe Billing's analytics
//! (docs.stripe.com/billing/subscriptions/analytics/glossary).

use serde::{Deserialize, Serialize};

use crate::{
    campaign::Currency,
    plan::{Every, Interval},
};

/// A monthly amount. Twelve of them, or those of many subscriptions, must come to the
/// right cent, so it is kept finer than the currency is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mrr {
    /// Of which currency.
    pub currency: Currency,
    /// Millionths of the currency's smallest unit.
    pub micros: i64,
}

/// One thing that a subscription sells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Id of the price at Stripe.
    pub price: String,
    /// Id of the product at Stripe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// What one costs, in the currency's smallest unit as Stripe gives it; none when
    /// that depends on how many there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_minor: Option<i64>,
    /// The price's currency.
    pub currency: Currency,
    /// How often it is paid.
    pub every: Every,
    /// How many.
    pub quantity: u64,
    /// Whether it is paid by what was used.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub metered: bool,
}

/// A coupon that lasts for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Discount {
    /// So many hundredths of a percent off; 10,000 at the most.
    Percent {
        /// 1,250 are 12.5 %.
        basis_points: u16,
    },
    /// So much off every invoice.
    Amount {
        /// In the smallest unit.
        minor: i64,
        /// Of this currency; off a subscription in another it takes nothing.
        currency: Currency,
    },
}

/// Millionths in one smallest unit.
pub const MICROS: i64 = 1_000_000;

/// What the items of a subscription come to in a month; none when none of them counts.
///
/// An amount off every invoice is normalised like the first item that counts: Stripe
/// has one invoice for all of them. Each of the items and discounts is rounded to the
/// nearest millionth, a half away from zero, so a sum of many is off by less than half
/// a millionth for each of them; see [`to_minor`].
#[must_use]
pub fn monthly(items: &[Item], discounts: &[Discount]) -> Option<Mrr> {
    let counts = |item: &&Item| !item.metered && item.unit_minor.is_some();
    let first = items.iter().find(counts)?;
    let currency = first.currency;
    let mut micros: i128 = items
        .iter()
        .filter(counts)
        .filter(|item| item.currency == currency)
        .map(|item| {
            let unit = i128::from(item.unit_minor.unwrap_or(0));
            per_month(unit.saturating_mul(i128::from(item.quantity)), item.every)
        })
        .fold(0, i128::saturating_add)
        .min(i64::MAX.into());
    for discount in discounts {
        micros -= match *discount {
            Discount::Percent { basis_points } => {
                rounded(micros.saturating_mul(i128::from(basis_points.min(10_000))), 10_000)
            }
            Discount::Amount { minor, currency: off } if off == currency => per_month(i128::from(minor), first.every),
            Discount::Amount { .. } => 0,
        };
        micros = micros.max(0);
    }
    let micros = i64::try_from(micros).unwrap_or(i64::MAX);
    (micros != 0).then_some(Mrr { currency, micros })
}

/// A sum of [`Mrr::micros`] in the currency's smallest unit.
///
/// Sums are rounded to thousandths before they are rounded to the unit, both times a
/// half away from zero. Three thirds and six twelfths thus come to what they should for
/// up to a thousand subscriptions that are all rounded the same way.
#[must_use]
pub fn to_minor(micros: i128) -> i64 {
    i64::try_from(rounded(rounded(micros, 1_000), 1_000)).unwrap_or(if micros < 0 { i64::MIN } else { i64::MAX })
}

/// How often an amount is paid in how many months, when it is paid every so often: a year has
/// 52 weeks and 365 days.
pub(super) fn rhythm(every: Every) -> (i128, i128) {
    let (times, months) = match every.interval {
        Interval::Day => (365, 12),
        Interval::Week => (52, 12),
        Interval::Month => (1, 1),
        Interval::Year => (1, 12),
    };
    (times, months * i128::from(every.count.max(1)))
}

/// Millionths a month for an amount every so often.
fn per_month(minor: i128, every: Every) -> i128 {
    let (times, months) = rhythm(every);
    rounded(minor.saturating_mul(i128::from(MICROS)).saturating_mul(times), months)
}

/// The nearest whole number, a half away from zero. The divisor is positive.
const fn rounded(dividend: i128, divisor: i128) -> i128 {
    let half = divisor / 2;
    let shifted = if dividend < 0 { dividend.saturating_sub(half) } else { dividend.saturating_add(half) };
    shifted / divisor
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eur() -> Currency {
        Currency::new("eur").unwrap()
    }

    fn item(unit_minor: i64, count: u16, interval: Interval) -> Item {
        Item {
            price: "price".to_owned(),
            product: None,
            unit_minor: Some(unit_minor),
            currency: eur(),
            every: Every { count, interval },
            quantity: 1,
            metered: false,
        }
    }

    fn micros(items: &[Item], discounts: &[Discount]) -> Option<i64> {
        monthly(items, discounts).map(|mrr| mrr.micros)
    }

    #[test]
    fn every_interval_is_normalised_to_a_month() {
        for (count, interval, expected) in [
            (1, Interval::Month, 9_900_000_000),
            (3, Interval::Month, 3_300_000_000),
            (1, Interval::Year, 825_000_000),
            (2, Interval::Year, 412_500_000),
            // 99.00 × 52 / 12 = 429.00, and × 365 / 12 = 3,011.25.
            (1, Interval::Week, 42_900_000_000),
            (2, Interval::Week, 21_450_000_000),
            (1, Interval::Day, 301_125_000_000),
            (30, Interval::Day, 10_037_500_000),
        ] {
            assert_eq!(micros(&[item(9_900, count, interval)], &[]), Some(expected), "{count} {interval:?}");
        }
    }

    #[test]
    fn quantities_and_items_add_up_and_metered_ones_do_not_count() {
        let month = item(1_000, 1, Interval::Month);
        let three = Item { quantity: 3, ..month.clone() };
        let metered = Item { metered: true, ..month.clone() };
        let tiered = Item { unit_minor: None, ..month.clone() };
        assert_eq!(micros(&[metered.clone(), three, month, tiered], &[]), Some(4_000 * MICROS));
        assert_eq!(micros(&[metered], &[]), None);
        assert_eq!(micros(&[item(0, 1, Interval::Month)], &[]), None);
    }

    #[test]
    fn coupons_for_ever_are_taken_off_and_never_more_than_there_is() {
        let year = [item(12_000, 1, Interval::Year)];
        let amount = |minor| Discount::Amount { minor, currency: eur() };
        assert_eq!(micros(&year, &[Discount::Percent { basis_points: 2_500 }]), Some(750 * MICROS));
        // 12.00 off a yearly invoice is 1.00 a month.
        assert_eq!(micros(&year, &[amount(1_200)]), Some(900 * MICROS));
        assert_eq!(micros(&year, &[Discount::Percent { basis_points: 5_000 }, amount(1_200)]), Some(400 * MICROS));
        assert_eq!(micros(&year, &[amount(12_001)]), None);
        let dollars = Discount::Amount { minor: 1_200, currency: Currency::new("usd").unwrap() };
        assert_eq!(micros(&year, &[dollars]), Some(1_000 * MICROS));
    }

    #[test]
    fn yen_have_no_smaller_unit_and_need_none() {
        let yen = Item { currency: Currency::new("jpy").unwrap(), ..item(1_000, 1, Interval::Year) };
        let mrr = monthly(&[yen], &[]).unwrap();
        assert_eq!((mrr.currency.as_str(), mrr.micros), ("JPY", 83_333_333));
        assert_eq!(to_minor(i128::from(mrr.micros) * 12), 1_000);
    }

    #[test]
    fn sums_come_to_the_right_cent() {
        let twelfth = i128::from(micros(&[item(1, 1, Interval::Year)], &[]).unwrap());
        assert_eq!(to_minor(twelfth * 5), 0);
        // Exactly half a cent, though each was rounded down.
        assert_eq!(to_minor(twelfth * 6), 1);
        assert_eq!(to_minor(-twelfth * 6), -1);
        let third = i128::from(micros(&[item(10_000, 1, Interval::Year)], &[]).unwrap());
        assert_eq!(to_minor(third * 300), 250_000);
    }

    #[test]
    fn the_largest_numbers_do_not_panic() {
        let huge = Item { quantity: u64::MAX, ..item(i64::MAX, 1, Interval::Day) };
        assert_eq!(micros(&[huge.clone(), huge], &[Discount::Percent { basis_points: u16::MAX }]), None);
        let huge = Item { quantity: u64::MAX, ..item(i64::MAX, 1, Interval::Day) };
        assert_eq!(micros(&[huge.clone(), huge], &[]), Some(i64::MAX));
        assert_eq!(to_minor(i128::MAX), i64::MAX);
        assert_eq!(to_minor(i128::MIN), i64::MIN);
    }
}
