//! What revenue looks like in JSON and in tables. Here, and only here, amounts are
//! rounded.

use aggregates::subscription::exact::Fraction;
use chrono::{DateTime, Utc};
use poem_openapi::{Object, types::Example};
use projections::{
    page::{Cursor, Key},
    revenue::{Figures, Kind as Change, Month, Rolling},
};
use uuid::Uuid;

use super::{
    csv::{Columns, line, maybe, time},
    mutation::EXAMPLE_ID,
    problem::{Answer, Kind},
};

/// How many subscribers left in the last 30 days.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(super) struct SubscriberChurn {
    /// `churned / (active_at_start + joined)`, from 0 to 1. Missing when there was nobody to lose.
    pub(super) rate: Option<f64>,
    /// How often a subscriber's last paid subscription was cancelled or became unpaid.
    pub(super) churned: i64,
    /// Active subscribers 30 days ago.
    pub(super) active_at_start: i64,
    /// How often somebody became a subscriber since, for the first time or again.
    pub(super) joined: i64,
}

/// How much monthly revenue was lost in the last 30 days.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(super) struct MrrChurn {
    /// MRR 30 days ago.
    pub(super) mrr_at_start_minor: i64,
    /// `(churn + contraction) / MRR 30 days ago`. Missing when there was none then.
    pub(super) gross_rate: Option<f64>,
    /// `(churn + contraction − expansion − reactivation) / MRR 30 days ago`: negative when more was won than lost.
    pub(super) net_rate: Option<f64>,
}

/// How many trials of the last 30 days were paid for.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(super) struct TrialConversion {
    /// `converted / (converted + lost)`, from 0 to 1. Missing when none was over.
    pub(super) rate: Option<f64>,
    /// Trials that were over and then paid for.
    pub(super) converted: i64,
    /// Trials that were cancelled, or over and never paid for.
    pub(super) lost: i64,
}

/// Invoices that could not be collected yet; see `listFailedPayments`.
#[derive(Object)]
pub(super) struct FailedSum {
    /// How many.
    pub(super) invoices: i64,
    /// What is to be paid of them.
    pub(super) due_minor: i64,
}

/// A month: how monthly revenue went from its start to its end, and the money that moved in it.
#[derive(Object)]
pub(super) struct RevenueMonth {
    /// The month, as in `2027-01`.
    pub(super) month: String,
    /// MRR at its first instant.
    pub(super) start_minor: i64,
    /// Of customers who never had a paid subscription.
    pub(super) new_minor: i64,
    /// Of customers who had none any more.
    pub(super) reactivation_minor: i64,
    /// More of customers who had one.
    pub(super) expansion_minor: i64,
    /// Less of customers who still have one: 0 or negative.
    pub(super) contraction_minor: i64,
    /// Of customers who have none any more: 0 or negative.
    pub(super) churn_minor: i64,
    /// What is lacking between the sum of the rounded amounts and the rounded sum: mostly 0.
    pub(super) rounding_minor: i64,
    /// MRR at its end, or at `at`. Always `start + new + reactivation + expansion + contraction + churn + rounding`.
    pub(super) end_minor: i64,
    /// How often somebody became a subscriber who never was one.
    pub(super) new_subscribers: i64,
    /// How often somebody became one again.
    pub(super) reactivated_subscribers: i64,
    /// How often one ceased to be one.
    pub(super) churned_subscribers: i64,
    /// What invoices were paid with in it, taxes included.
    pub(super) paid_minor: i64,
    /// Of that, with invoices of which an attempt had failed before.
    pub(super) recovered_minor: i64,
    /// What went back to customers in it, whenever it had been paid.
    pub(super) refunded_minor: i64,
    /// What disputes took that were lost in it.
    pub(super) disputes_lost_minor: i64,
}

/// The figures of one currency. Other currencies are never added to it.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(super) struct CurrencyMetrics {
    /// Its three letters (ISO 4217).
    pub(super) currency: String,
    /// Monthly recurring revenue: what the subscriptions that are paid or late come to in a month. A year has 12 months, 52
    /// weeks and 365 days. Coupons that last for ever are taken off; trials, metered items, taxes and other coupons are left out.
    pub(super) mrr_minor: i64,
    /// Annual recurring revenue: 12 times MRR, before rounding.
    pub(super) arr_minor: i64,
    /// Average revenue per user: `MRR / active_subscribers`. Missing without any.
    pub(super) arpu_minor: Option<i64>,
    /// Customers with at least one subscription that counts in MRR.
    pub(super) active_subscribers: i64,
    /// What a subscriber is worth over their lifetime: ARPU divided by the rate in `subscriber_churn`. Missing when nobody left.
    pub(super) ltv_minor: Option<i64>,
    /// Subscribers lost.
    pub(super) subscriber_churn: SubscriberChurn,
    /// Monthly revenue lost.
    pub(super) mrr_churn: MrrChurn,
    /// Trials won.
    pub(super) trial_conversion: TrialConversion,
    /// What could not be collected yet.
    pub(super) failed_payments: FailedSum,
    /// Every month from `from` to `to`, in order.
    pub(super) months: Vec<RevenueMonth>,
}

/// What subscriptions earn, as of an instant. All amounts are whole numbers of the currency's smallest unit (cents for EUR, yen
/// for JPY). They are added up exactly and rounded once, at the very end, to the nearest; a half goes to the even number.
#[derive(Object)]
#[oai(example)]
pub(super) struct RevenueMetrics {
    /// As of when, by Stripe's time: what happened later is left out, what was learned later is not.
    pub(super) at: DateTime<Utc>,
    /// Whose calendar the months are of.
    pub(super) time_zone: String,
    /// Every currency of which anything is known by then.
    pub(super) currencies: Vec<CurrencyMetrics>,
}

impl Example for RevenueMetrics {
    fn example() -> Self {
        let month = RevenueMonth {
            month: "2027-01".to_owned(),
            start_minor: 980_000,
            new_minor: 49_000,
            reactivation_minor: 4_900,
            expansion_minor: 9_800,
            contraction_minor: -4_900,
            churn_minor: -24_500,
            rounding_minor: 0,
            end_minor: 1_014_300,
            new_subscribers: 10,
            reactivated_subscribers: 1,
            churned_subscribers: 5,
            paid_minor: 1_041_000,
            recovered_minor: 14_700,
            refunded_minor: 4_900,
            disputes_lost_minor: 0,
        };
        let eur = CurrencyMetrics {
            currency: "EUR".to_owned(),
            mrr_minor: 1_014_300,
            arr_minor: 12_171_600,
            arpu_minor: Some(4_900),
            active_subscribers: 207,
            ltv_minor: Some(207_760),
            subscriber_churn: SubscriberChurn { rate: Some(0.023_584_9), churned: 5, active_at_start: 201, joined: 11 },
            mrr_churn: MrrChurn { mrr_at_start_minor: 980_000, gross_rate: Some(0.03), net_rate: Some(0.015) },
            trial_conversion: TrialConversion { rate: Some(0.75), converted: 3, lost: 1 },
            failed_payments: FailedSum { invoices: 2, due_minor: 9_800 },
            months: vec![month],
        };
        let at = DateTime::from_timestamp(1_801_000_000, 0).unwrap_or_default();
        Self { at, time_zone: "Europe/Berlin".to_owned(), currencies: vec![eur] }
    }
}

/// The one place where amounts become whole.
fn minor(amount: Option<Fraction>) -> Answer<i64> {
    // What cannot be held was refused when it was sold.
    amount.and_then(|amount| i64::try_from(amount.rounded()).ok()).ok_or_else(|| Kind::Internal.into())
}

/// An amount that there is only sometimes.
fn perhaps(amount: Option<Fraction>) -> Answer<Option<i64>> {
    amount.map(|amount| minor(Some(amount))).transpose()
}

impl CurrencyMetrics {
    pub(super) fn new(figures: &Figures) -> Answer<Self> {
        let Rolling { mrr_at_start, active_at_start, moves, trials_converted, trials_lost } = &figures.rolling;
        let rate = |rate: Option<Fraction>| rate.map(Fraction::approximate);
        Ok(Self {
            currency: figures.currency.clone(),
            mrr_minor: minor(Some(figures.mrr))?,
            arr_minor: minor(figures.arr())?,
            arpu_minor: perhaps(figures.arpu())?,
            active_subscribers: figures.active,
            ltv_minor: perhaps(figures.ltv())?,
            subscriber_churn: SubscriberChurn {
                rate: rate(figures.rolling.churn_rate()),
                churned: moves.subscribers(Change::Churn),
                active_at_start: *active_at_start,
                joined: moves.joined(),
            },
            mrr_churn: MrrChurn {
                mrr_at_start_minor: minor(Some(*mrr_at_start))?,
                gross_rate: rate(figures.rolling.gross_mrr_churn()),
                net_rate: rate(figures.rolling.net_mrr_churn()),
            },
            trial_conversion: TrialConversion {
                rate: rate(figures.rolling.trial_conversion()),
                converted: *trials_converted,
                lost: *trials_lost,
            },
            failed_payments: FailedSum { invoices: figures.open_failed, due_minor: figures.open_failed_minor },
            months: figures.months.iter().map(RevenueMonth::new).collect::<Answer<_>>()?,
        })
    }
}

impl RevenueMonth {
    fn new(month: &Month) -> Answer<Self> {
        let moved = |kind| minor(Some(month.moves.amount(kind)));
        let (start_minor, end_minor) =
            (minor(Some(month.start))?, minor(month.moves.total().and_then(|total| month.start.plus(total)))?);
        let (new_minor, reactivation_minor) = (moved(Change::New)?, moved(Change::Reactivation)?);
        let (expansion_minor, contraction_minor) = (moved(Change::Expansion)?, moved(Change::Contraction)?);
        let churn_minor = moved(Change::Churn)?;
        let sum = [start_minor, new_minor, reactivation_minor, expansion_minor, contraction_minor, churn_minor];
        let rounding = i128::from(end_minor) - sum.into_iter().map(i128::from).sum::<i128>();
        Ok(Self {
            month: month.month.format("%Y-%m").to_string(),
            start_minor,
            new_minor,
            reactivation_minor,
            expansion_minor,
            contraction_minor,
            churn_minor,
            // At most 3: six amounts that are each half a unit off.
            rounding_minor: i64::try_from(rounding).unwrap_or_default(),
            end_minor,
            new_subscribers: month.moves.subscribers(Change::New),
            reactivated_subscribers: month.moves.subscribers(Change::Reactivation),
            churned_subscribers: month.moves.subscribers(Change::Churn),
            paid_minor: month.money.paid,
            recovered_minor: month.money.recovered,
            refunded_minor: month.money.refunded,
            disputes_lost_minor: month.money.disputes_lost,
        })
    }
}

pub(super) struct RevenueTable;

impl Columns for RevenueTable {
    const NAMES: &'static str = "currency,month,start_minor,new_minor,reactivation_minor,expansion_minor,contraction_minor,\
                                 churn_minor,rounding_minor,end_minor,new_subscribers,reactivated_subscribers,\
                                 churned_subscribers,paid_minor,recovered_minor,refunded_minor,disputes_lost_minor";
    const EXAMPLE: &'static str =
        "EUR,2027-01,980000,49000,4900,9800,-4900,-24500,0,1014300,10,1,5,1041000,14700,4900,0";
}

pub(super) fn month_lines(currency: &CurrencyMetrics) -> String {
    let month = |month: &RevenueMonth| {
        let numbers = [
            month.start_minor,
            month.new_minor,
            month.reactivation_minor,
            month.expansion_minor,
            month.contraction_minor,
            month.churn_minor,
            month.rounding_minor,
            month.end_minor,
            month.new_subscribers,
            month.reactivated_subscribers,
            month.churned_subscribers,
            month.paid_minor,
            month.recovered_minor,
            month.refunded_minor,
            month.disputes_lost_minor,
        ]
        .map(|number| number.to_string());
        let names = [currency.currency.as_str(), month.month.as_str()];
        line(&names.into_iter().chain(numbers.iter().map(String::as_str)).collect::<Vec<_>>())
    };
    currency.months.iter().map(month).collect()
}

/// An invoice that could not be collected yet.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct FailedPayment {
    /// Its id at Stripe.
    pub(super) invoice: String,
    /// The id of its subscription.
    pub(super) subscription_id: Uuid,
    /// Its subscription's id at Stripe.
    pub(super) subscription: String,
    /// The customer's id at Stripe, where it is known.
    pub(super) customer: Option<String>,
    /// Its currency.
    pub(super) currency: String,
    /// What is to be paid, in the currency's smallest unit.
    pub(super) due_minor: i64,
    /// The number of the last attempt that failed.
    pub(super) attempts: i32,
    /// When the first attempt failed.
    pub(super) since: DateTime<Utc>,
    /// When the last one failed.
    pub(super) failed_at: DateTime<Utc>,
    /// When it is tried again. Missing when nobody does.
    pub(super) next_attempt_at: Option<DateTime<Utc>>,
}

impl From<projections::revenue::FailedPayment> for FailedPayment {
    fn from(row: projections::revenue::FailedPayment) -> Self {
        Self {
            invoice: row.invoice,
            subscription_id: row.subscription_id,
            subscription: row.subscription,
            customer: row.customer,
            currency: row.currency,
            due_minor: row.minor,
            attempts: row.attempts,
            since: row.since,
            failed_at: row.failed_at,
            next_attempt_at: row.next_attempt_at,
        }
    }
}

impl Example for FailedPayment {
    fn example() -> Self {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        Self {
            invoice: "in_1QxExample".to_owned(),
            subscription_id: Uuid::from_u128(EXAMPLE_ID),
            subscription: "sub_1QxExample".to_owned(),
            customer: Some("cus_Example".to_owned()),
            currency: "EUR".to_owned(),
            due_minor: 4_900,
            attempts: 2,
            since: at(1_800_003_600),
            failed_at: at(1_800_262_800),
            next_attempt_at: Some(at(1_800_694_800)),
        }
    }
}

/// A page of invoices that could not be collected yet.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct FailedPaymentPage {
    /// The invoices.
    pub(super) items: Vec<FailedPayment>,
    /// The `cursor` of the next page; missing on the last one.
    pub(super) next_cursor: Option<String>,
}

impl Example for FailedPaymentPage {
    fn example() -> Self {
        let key = Key::Text("1800003600000000 in_1QxExample".to_owned());
        let cursor = Cursor { key, id: Uuid::from_u128(EXAMPLE_ID) };
        Self { items: vec![FailedPayment::example()], next_cursor: Some(cursor.to_string()) }
    }
}

pub(super) struct FailedTable;

impl Columns for FailedTable {
    const NAMES: &'static str =
        "invoice,subscription_id,subscription,customer,currency,due_minor,attempts,since,failed_at,next_attempt_at";
    const EXAMPLE: &'static str = "in_1QxExample,01935c2e-7b4a-7c31-9f05-5d1a8e6204b7,sub_1QxExample,cus_Example,EUR,4900,2,\
                                   2027-01-15T09:00:00.000000Z,2027-01-18T09:00:00.000000Z,2027-01-23T09:00:00.000000Z";
}

pub(super) fn failed_line(row: &projections::revenue::FailedPayment) -> String {
    line(&[
        &row.invoice,
        &row.subscription_id.to_string(),
        &row.subscription,
        &maybe(row.customer.as_deref()),
        &row.currency,
        &row.minor.to_string(),
        &row.attempts.to_string(),
        &time(row.since),
        &time(row.failed_at),
        &row.next_attempt_at.map(time).unwrap_or_default(),
    ])
}
