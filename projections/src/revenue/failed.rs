//! Invoices that could not be collected yet.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::page::{Cursor, Key, Page, page};

/// An invoice of which an attempt to collect it failed, and that is neither paid nor
/// given up: its subscription is still paid, late or on trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedPayment {
    /// The invoice's id at Stripe.
    pub invoice: String,
    /// The id of its subscription's stream.
    pub subscription_id: Uuid,
    /// Its subscription's id at Stripe.
    pub subscription: String,
    /// The customer's id at Stripe, where it is known.
    pub customer: Option<String>,
    /// Its currency.
    pub currency: String,
    /// What is to be paid, in the currency's smallest unit.
    pub minor: i64,
    /// How many attempts failed: the number of the last one.
    pub attempts: i32,
    /// When the first attempt failed that is known.
    pub since: DateTime<Utc>,
    /// When the last one did.
    pub failed_at: DateTime<Utc>,
    /// When it is tried again; none when nobody does.
    pub next_attempt_at: Option<DateTime<Utc>>,
}

/// A page of the invoices that could not be collected at a moment, those that have been
/// open longest first.
///
/// # Errors
/// What the database says.
pub async fn failed_payments(
    executor: impl PgExecutor<'_>,
    at: DateTime<Utc>,
    currency: Option<&str>,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Page<FailedPayment>, sqlx::Error> {
    let after = after.and_then(place);
    let (since, invoice) = after.map_or((None, None), |(since, invoice)| (Some(since), Some(invoice)));
    let rows = sqlx::query_as!(
        FailedPayment,
        r#"with open as (
               select distinct on (f.invoice) f.invoice, f.subscription_id, s.stripe as subscription, s.customer, f.currency,
                      f.minor, f.attempt as attempts, f.failed_at, f.next_attempt_at,
                      min(f.failed_at) over (partition by f.invoice) as since
                 from revenue_failures f
                      join revenue_subscriptions s using (subscription_id)
                where f.failed_at <= $1 and (f.paid_at is null or f.paid_at > $1) and not s.stopped @> $1
                  and ($2::text is null or f.currency = $2)
                order by f.invoice, f.attempt desc)
           select invoice as "invoice!", subscription_id as "subscription_id!", subscription as "subscription!", customer,
                  currency as "currency!", minor as "minor!", attempts as "attempts!", since as "since!",
                  failed_at as "failed_at!", next_attempt_at
             from open
            where $3::timestamptz is null or (since, invoice) > ($3, $4::text)
            order by since, invoice
            limit $5"#,
        at,
        currency,
        since,
        invoice,
        limit + 1,
    )
    .fetch_all(executor)
    .await?;
    Ok(page(rows, limit, |row| Cursor {
        key: Key::Text(format!("{} {}", row.since.timestamp_micros(), row.invoice)),
        id: row.subscription_id,
    }))
}

/// Whether a cursor is of this list.
#[must_use]
pub fn fits(cursor: &Cursor) -> bool {
    place(cursor).is_some()
}

fn place(cursor: &Cursor) -> Option<(DateTime<Utc>, &str)> {
    let Key::Text(text) = &cursor.key else { return None };
    let (since, invoice) = text.split_once(' ')?;
    let since = DateTime::from_timestamp_micros(since.parse().ok()?).filter(crate::page::is_usual)?;
    Some((since, invoice))
}

/// How many there are of each currency, and what is to be paid of them.
pub(super) async fn open(
    executor: impl PgExecutor<'_>,
    at: DateTime<Utc>,
    currency: Option<&str>,
) -> Result<Vec<(String, i64, i64)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"with open as (
               select distinct on (f.invoice) f.currency, f.minor
                 from revenue_failures f
                      join revenue_subscriptions s using (subscription_id)
                where f.failed_at <= $1 and (f.paid_at is null or f.paid_at > $1) and not s.stopped @> $1
                  and ($2::text is null or f.currency = $2)
                order by f.invoice, f.attempt desc)
           select currency as "currency!", count(*) as "count!", sum(minor)::bigint as "minor!" from open group by currency"#,
        at,
        currency,
    )
    .fetch_all(executor)
    .await?;
    Ok(rows.into_iter().map(|row| (row.currency, row.count, row.minor)).collect())
}
