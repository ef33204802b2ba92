//! Reading subscriptions.

use aggregates::subscription::Status;
use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, Postgres, QueryBuilder};
use uuid::Uuid;

use super::Row;
use crate::page::{Cursor, Key, Page, page};

/// What a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// When it was first heard of.
    #[default]
    CreatedAt,
    /// When it changed last.
    UpdatedAt,
    /// When time alone ends it; what it does not end comes last.
    EndsAt,
}

/// The first instant of 9999-12-31, in seconds: what stands for "never" where a list is
/// sorted by an end.
const NEVER: i64 = 253_402_214_400;

impl Sort {
    const fn column(self) -> &'static str {
        match self {
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
            // As the index has it. No cursor can hold infinity.
            Self::EndsAt => "least(coalesce(ends_at, '9999-12-31Z'::timestamptz), '9999-12-31Z'::timestamptz)",
        }
    }

    fn key(self, row: &Row) -> DateTime<Utc> {
        let never = DateTime::from_timestamp(NEVER, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        match self {
            Self::CreatedAt => row.created_at,
            Self::UpdatedAt => row.updated_at,
            Self::EndsAt => row.ends_at.map_or(never, |end| end.min(never)),
        }
    }
}

/// Which subscriptions to list; `None` matches all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Which stand so at this time: what time alone ends is over before an event says so.
    pub status: Option<(Status, DateTime<Utc>)>,
    /// Of this plan.
    pub plan: Option<Uuid>,
    /// Into this channel.
    pub channel: Option<i64>,
    /// `stripe` or `grant`.
    pub origin: Option<&'static str>,
    /// Whose monthly amount is of this currency: three capital letters.
    pub currency: Option<String>,
    /// Of the subscriber with this address; letter case does not matter.
    pub email: Option<String>,
    /// Of the Telegram account with this id.
    pub telegram_id: Option<i64>,
    /// Of the customer with this id at Stripe.
    pub customer: Option<String>,
    /// Which time alone ends before this.
    pub ends_before: Option<DateTime<Utc>>,
}

const COLUMNS: &str = "id, email, person, telegram_id, plan_id, plan_name, channel, origin, stripe_subscription, \
     stripe_customer, status, standing, entitled, rule, rule_after, ends_at, ended_at, past_due_since, cancelling, \
     period_end, trial_end, mrr_currency, mrr_micros, link_url, link_kind, link_expires, joined_at, last_reason, last_by, \
     created_at, updated_at, position, version";

/// One subscription.
///
/// # Errors
/// What the database says.
pub async fn find(executor: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "select id, email, person, telegram_id, plan_id, plan_name, channel, origin, stripe_subscription, stripe_customer, \
                status, standing, entitled, rule, rule_after, ends_at, ended_at, past_due_since, cancelling, period_end, \
                trial_end, mrr_currency, mrr_micros, link_url, link_kind, link_expires, joined_at, last_reason, last_by, \
                created_at, updated_at, position, version \
           from subscriptions where id = $1",
        id
    )
    .fetch_optional(executor)
    .await
}

/// A page of subscriptions.
///
/// # Errors
/// What the database says.
pub async fn list(
    executor: impl PgExecutor<'_>,
    filter: &Filter,
    sort: Sort,
    descending: bool,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Row>, sqlx::Error> {
    let mut query: QueryBuilder<'_, Postgres> = QueryBuilder::new("select ");
    query.push(COLUMNS).push(" from subscriptions where true");
    filter.push(&mut query);
    let column = sort.column();
    let (order, beyond) = if descending { ("desc", "<") } else { ("asc", ">") };
    if let Some(Cursor { key: Key::Time(time), id }) = after {
        query.push(format_args!(" and ({column}, id) {beyond} (")).push_bind(*time);
        query.push(", ").push_bind(*id).push(")");
    }
    query.push(format_args!(" order by {column} {order}, id {order} limit ")).push_bind(limit + 1);
    let rows: Vec<Row> = query.build_query_as().fetch_all(executor).await?;
    Ok(page(rows, limit, |row| Cursor { key: Key::Time(sort.key(row)), id: row.id }))
}

impl Filter {
    fn push<'a>(&'a self, query: &mut QueryBuilder<'a, Postgres>) {
        if let Some((status, now)) = self.status {
            let over = " (entitled and coalesce(ends_at <= ";
            match status {
                Status::Ended => {
                    query.push(" and (status = 'ended' or").push(over).push_bind(now).push(", false)))");
                }
                _ => {
                    query.push(" and status = ").push_bind(status.as_str());
                    query.push(" and not").push(over).push_bind(now).push(", false))");
                }
            }
        }
        if let Some(plan) = self.plan {
            query.push(" and plan_id = ").push_bind(plan);
        }
        for (column, value) in [("channel", self.channel), ("telegram_id", self.telegram_id)] {
            if let Some(value) = value {
                query.push(format_args!(" and {column} = ")).push_bind(value);
            }
        }
        for (column, value) in [("mrr_currency", &self.currency), ("stripe_customer", &self.customer)] {
            if let Some(value) = value {
                query.push(format_args!(" and {column} = ")).push_bind(value);
            }
        }
        if let Some(origin) = self.origin {
            query.push(" and origin = ").push_bind(origin);
        }
        if let Some(email) = &self.email {
            query.push(" and lower(email) = lower(").push_bind(email).push(")");
        }
        if let Some(end) = self.ends_before {
            query.push(" and ends_at < ").push_bind(end);
        }
    }
}

/// Up to `limit` subscriptions of an address, those that changed last first.
///
/// # Errors
/// What the database says.
pub async fn of_email(executor: impl PgExecutor<'_>, email: &str, limit: i64) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "select id, email, person, telegram_id, plan_id, plan_name, channel, origin, stripe_subscription, stripe_customer, \
                status, standing, entitled, rule, rule_after, ends_at, ended_at, past_due_since, cancelling, period_end, \
                trial_end, mrr_currency, mrr_micros, link_url, link_kind, link_expires, joined_at, last_reason, last_by, \
                created_at, updated_at, position, version \
           from subscriptions where lower(email) = lower($1) order by position desc limit $2",
        email,
        limit,
    )
    .fetch_all(executor)
    .await
}

/// Up to `limit` subscriptions of a Telegram account, those that changed last first.
///
/// # Errors
/// What the database says.
pub async fn of_telegram(executor: impl PgExecutor<'_>, telegram: i64, limit: i64) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "select id, email, person, telegram_id, plan_id, plan_name, channel, origin, stripe_subscription, stripe_customer, \
                status, standing, entitled, rule, rule_after, ends_at, ended_at, past_due_since, cancelling, period_end, \
                trial_end, mrr_currency, mrr_micros, link_url, link_kind, link_expires, joined_at, last_reason, last_by, \
                created_at, updated_at, position, version \
           from subscriptions where telegram_id = $1 order by position desc limit $2",
        telegram,
        limit,
    )
    .fetch_all(executor)
    .await
}

/// Up to `limit` subscriptions by their ids, those that changed last first.
///
/// # Errors
/// What the database says.
pub async fn of_ids(executor: impl PgExecutor<'_>, ids: &[Uuid], limit: i64) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "select id, email, person, telegram_id, plan_id, plan_name, channel, origin, stripe_subscription, stripe_customer, \
                status, standing, entitled, rule, rule_after, ends_at, ended_at, past_due_since, cancelling, period_end, \
                trial_end, mrr_currency, mrr_micros, link_url, link_kind, link_expires, joined_at, last_reason, last_by, \
                created_at, updated_at, position, version \
           from subscriptions where id = any ($1) order by position desc limit $2",
        ids,
        limit,
    )
    .fetch_all(executor)
    .await
}
