//! Subscriptions.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Customer, Node, Object, ObjectError, Period, Price, Wrong, words};

words! {
    /// Where a subscription stands.
    SubscriptionStatus {
        /// Its first payment is not made yet; it waits 23 hours for that.
        Incomplete = "incomplete",
        /// Its first payment never came.
        IncompleteExpired = "incomplete_expired",
        /// In its trial.
        Trialing = "trialing",
        /// Paid.
        Active = "active",
        /// A payment failed and is tried again.
        PastDue = "past_due",
        /// Over.
        Canceled = "canceled",
        /// A payment failed for good, and the account keeps such subscriptions.
        Unpaid = "unpaid",
        /// Its trial ended without a way to pay.
        Paused = "paused",
    }
}

/// A price that is subscribed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// `si_…`.
    pub id: String,
    /// What is paid.
    pub price: Price,
    /// How many of it; none for what is metered.
    pub quantity: Option<i64>,
    /// The period it is paid for.
    pub period: Option<Period>,
}

/// Something off. Known only when Stripe was asked for the whole object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discount {
    /// The coupon.
    pub coupon: String,
    /// `forever`, `once` or `repeating`.
    pub duration: String,
    /// In hundredths of a percent.
    pub basis_points: Option<i64>,
    /// In the smallest unit of `currency`.
    pub amount_off: Option<i64>,
    /// Of `amount_off`.
    pub currency: Option<String>,
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// `sub_…`.
    pub id: String,
    /// Whose it is.
    pub customer: String,
    /// The same, where they were sent along.
    pub payer: Option<Box<Customer>>,
    /// Where it stands.
    pub status: SubscriptionStatus,
    /// What is subscribed to; at least one.
    pub items: Vec<Item>,
    /// What it is paid for now: of several items with periods of their own, from the first start to the last end.
    pub period: Option<Period>,
    /// It ends with its period.
    pub cancel_at_period_end: bool,
    /// It ends then.
    pub cancel_at: Option<DateTime<Utc>>,
    /// When somebody cancelled it, though it may last until its end.
    pub canceled_at: Option<DateTime<Utc>>,
    /// When it was over.
    pub ended_at: Option<DateTime<Utc>>,
    /// Why: `cancellation_requested`, `payment_failed` or `payment_disputed`.
    pub cancellation_reason: Option<String>,
    /// The free time at its beginning.
    pub trial: Option<Period>,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When its first period began, which may lie before that.
    pub started: Option<DateTime<Utc>>,
    /// The invoice of its latest payment, made or tried.
    pub latest_invoice: Option<String>,
    /// Whether payments are not collected for now.
    pub collection_paused: bool,
    /// What is off, as far as it is known.
    pub discounts: Vec<Discount>,
    /// Whether something is off that is only named here: events never say more.
    pub names_discounts: bool,
    /// What the seller noted.
    pub metadata: BTreeMap<String, String>,
    /// No test.
    pub livemode: bool,
}

impl Object for Subscription {
    const NAME: &'static str = "subscription";

    fn read(node: &Node<'_>) -> Result<Self, ObjectError> {
        let whole = period(node, "current_period_start", "current_period_end")?;
        let items = match node.get("items") {
            Some(items) => items.list()?.iter().map(|item| read_item(item, whole)).collect::<Result<_, _>>()?,
            None => vec![],
        };
        let items = if items.is_empty() { vec![only_item(node, whole)?] } else { items };
        let spanned = items
            .iter()
            .filter_map(|item| item.period)
            .reduce(|a, b| Period { start: a.start.min(b.start), end: a.end.max(b.end) });
        Ok(Self {
            id: node.owned("id")?,
            customer: node.need("customer")?.reference()?,
            payer: match node.need("customer")? {
                customer if customer.value().is_object() => Some(Box::new(Customer::read(&customer)?)),
                _ => None,
            },
            status: node.need("status")?.text()?.into(),
            period: whole.or(spanned),
            items,
            cancel_at_period_end: node.flag_or_no("cancel_at_period_end")?,
            cancel_at: node.maybe_time("cancel_at")?,
            canceled_at: node.maybe_time("canceled_at")?,
            ended_at: node.maybe_time("ended_at")?,
            cancellation_reason: match node.get("cancellation_details") {
                Some(details) => details.maybe_text("reason")?,
                None => None,
            },
            trial: period(node, "trial_start", "trial_end")?,
            created: node.need("created")?.time()?,
            started: match node.maybe_time("start_date")? {
                None => node.maybe_time("start")?,
                started => started,
            },
            latest_invoice: node.maybe_reference("latest_invoice")?,
            collection_paused: node.get("pause_collection").is_some(),
            discounts: discounts(node)?,
            names_discounts: named_discounts(node)?,
            metadata: node.metadata(),
            livemode: node.flag_or_no("livemode")?,
        })
    }
}

/// Before the version "basil" the period of all items stood on the subscription; what is
/// paid for stood in `plan` before there were prices.
fn read_item(node: &Node<'_>, whole: Option<Period>) -> Result<Item, ObjectError> {
    let own = period(node, "current_period_start", "current_period_end")?;
    let price = node.get("price").or_else(|| node.get("plan"));
    Ok(Item {
        id: node.owned("id")?,
        price: Price::read(&price.ok_or_else(|| missing(node, "price"))?)?,
        quantity: node.maybe_integer("quantity")?,
        period: own.or(whole),
    })
}

/// A subscription of old without items.
fn only_item(node: &Node<'_>, whole: Option<Period>) -> Result<Item, ObjectError> {
    let plan = node.get("plan").ok_or_else(|| missing(node, "items"))?;
    Ok(Item {
        id: node.owned("id")?,
        price: Price::read(&plan)?,
        quantity: node.maybe_integer("quantity")?,
        period: whole,
    })
}

fn missing(node: &Node<'_>, name: &str) -> ObjectError {
    let at = node.wrong(Wrong::Missing);
    ObjectError { path: format!("{}.{name}", at.path), ..at }
}

pub(super) fn period(node: &Node<'_>, start: &str, end: &str) -> Result<Option<Period>, ObjectError> {
    let (start, end) = (node.maybe_time(start)?, node.maybe_time(end)?);
    Ok(start.zip(end).map(|(start, end)| Period { start, end }))
}

/// Whether there are discounts of which only the id stands here, or that of the coupon.
fn named_discounts(node: &Node<'_>) -> Result<bool, ObjectError> {
    let several = node.get("discounts").map(|list| list.list()).transpose()?.unwrap_or_default();
    Ok(several.iter().any(|discount| {
        let coupon = discount.get("coupon").or_else(|| discount.at(&["source", "coupon"]));
        !coupon.is_some_and(|coupon| coupon.value().is_object())
    }))
}

/// Those that are there as a whole: `discount`, one of old, or `discounts`, expanded. Since
/// "clover" (2025-09-30) the coupon stands in the discount's `source`.
fn discounts(node: &Node<'_>) -> Result<Vec<Discount>, ObjectError> {
    let mut found = vec![];
    let several = node.get("discounts").map(|list| list.list()).transpose()?.unwrap_or_default();
    for discount in node.get("discount").into_iter().chain(several) {
        let Some(coupon) = discount.get("coupon").or_else(|| discount.at(&["source", "coupon"])) else { continue };
        if !coupon.value().is_object() {
            continue;
        }
        let percent = coupon.get("percent_off").and_then(|percent| percent.value().as_f64());
        found.push(Discount {
            coupon: coupon.owned("id")?,
            duration: coupon.owned("duration")?,
            // Stripe writes percent with up to two digits after the point: at most 10,000 of these.
            basis_points: percent.map(|percent| (percent * 100.0).round() as i64),
            amount_off: coupon.maybe_integer("amount_off")?,
            currency: coupon.maybe_text("currency")?,
        });
    }
    Ok(found)
}
