//! What is paid, and how often.

use super::{Node, Object, ObjectError, words};

words! {
    /// What the time between two payments is counted in.
    IntervalUnit {
        /// Days.
        Day = "day",
        /// Weeks.
        Week = "week",
        /// Months of the calendar.
        Month = "month",
        /// Years of the calendar.
        Year = "year",
    }
}

/// The time between two payments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interval {
    /// What it is counted in.
    pub unit: IntervalUnit,
    /// How many of these; at least 1.
    pub count: u32,
}

/// A price, or a plan as they were called before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// `price_…`; plans of old have names of any form.
    pub id: String,
    /// What it is the price of.
    pub product: Option<String>,
    /// In lower case, as in `eur`.
    pub currency: String,
    /// For one piece, in the currency's smallest unit. None: by tiers, or in fractions of that unit.
    pub unit_amount: Option<i64>,
    /// None: paid once.
    pub interval: Option<Interval>,
    /// Whether what is paid depends on what was used.
    pub metered: bool,
    /// What the seller calls it.
    pub nickname: Option<String>,
    /// The name by which the seller's programs find it.
    pub lookup_key: Option<String>,
}

impl Object for Price {
    const NAME: &'static str = "price";

    /// Takes both shapes: a price says `unit_amount` and `recurring`, a plan `amount` and `interval`.
    fn read(node: &Node<'_>) -> Result<Self, ObjectError> {
        let recurring = node.get("recurring").or_else(|| node.get("interval").map(|_| node.clone()));
        let amount = match node.maybe_integer("unit_amount")? {
            None => node.maybe_integer("amount")?,
            amount => amount,
        };
        let usage = recurring.as_ref().map(|recurring| recurring.maybe_text("usage_type")).transpose()?.flatten();
        Ok(Self {
            id: node.owned("id")?,
            product: node.maybe_reference("product")?,
            currency: node.owned("currency")?,
            unit_amount: amount,
            interval: recurring.as_ref().map(interval).transpose()?,
            metered: usage.as_deref() == Some("metered"),
            nickname: node.maybe_text("nickname")?,
            lookup_key: node.maybe_text("lookup_key")?,
        })
    }
}

fn interval(node: &Node<'_>) -> Result<Interval, ObjectError> {
    let count = node.maybe_integer("interval_count")?.unwrap_or(1);
    Ok(Interval {
        unit: node.need("interval")?.text()?.into(),
        count: u32::try_from(count)
            .ok()
            .filter(|count| *count > 0)
            .ok_or_else(|| node.wrong(super::Wrong::Type("an interval of at least one unit")))?,
    })
}
