//! What is to be done about subscriptions and members: asked of their read models by
//! whoever does it. A read model may be behind, so each is looked at again by its aggregate.

use aggregates::plan::PlanRef;
use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgExecutor};
use uuid::Uuid;

use crate::plans;

/// Subscriptions that time alone has ended.
///
/// # Errors
/// What the database says.
pub async fn to_lapse(executor: impl PgExecutor<'_>, now: DateTime<Utc>, limit: i64) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select id from subscriptions where entitled and ends_at <= $1 order by ends_at limit $2",
        now,
        limit,
    )
    .fetch_all(executor)
    .await
}

/// Members whose access time alone has taken, by the names of their streams.
///
/// # Errors
/// What the database says.
pub async fn members_to_lapse(
    executor: impl PgExecutor<'_>,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<String>, sqlx::Error> {
    let rows = sqlx::query!(
        "select channel, user_id from members where is_in and removal_due_since is null and runs_out_at <= $1 \
          order by runs_out_at limit $2",
        now,
        limit,
    )
    .fetch_all(executor)
    .await?;
    Ok(rows.into_iter().map(|row| aggregates::member::stream(row.channel, row.user_id)).collect())
}

/// A subscription whose access is about to end by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct Ending {
    /// Which.
    pub id: Uuid,
    /// When.
    pub ends_at: DateTime<Utc>,
}

/// Subscriptions with somebody to write to whose access ends after `now` and no later
/// than `by`, and of which they were not reminded at this number of days before the end.
/// When it became known only later than that that it ends then, they were told so then.
/// Whose payment is late was just told how long it is waited for: they are reminded on the last day.
/// `reminders` is not a read model, but says what was sent.
///
/// # Errors
/// What the database says.
pub async fn ending(
    executor: impl PgExecutor<'_>,
    now: DateTime<Utc>,
    by: DateTime<Utc>,
    days: i16,
    limit: i64,
) -> Result<Vec<Ending>, sqlx::Error> {
    sqlx::query_as!(
        Ending,
        r#"select id, ends_at as "ends_at!" from subscriptions s
            where entitled and telegram_id is not null and ends_at > $1 and ends_at <= $2
              and (status <> 'past_due' or $3::int2 = 1)
              and ends_at - $3::int2 * interval '1 day' > coalesce(ends_since, created_at)
              and not exists (select from reminders r
                               where r.subscription = s.id and r.ends_at = s.ends_at and r.days <= $3)
            order by ends_at limit $4"#,
        now,
        by,
        days,
        limit,
    )
    .fetch_all(executor)
    .await
}

/// Ids at Stripe of a customer's subscriptions.
///
/// # Errors
/// What the database says.
pub async fn of_customer(executor: impl PgExecutor<'_>, customer: &str) -> Result<Vec<String>, sqlx::Error> {
    let ids = sqlx::query_scalar!("select stripe_subscription from subscriptions where stripe_customer = $1", customer);
    Ok(ids.fetch_all(executor).await?.into_iter().flatten().collect())
}

/// The id at Stripe of the subscription that an invoice is for.
///
/// # Errors
/// What the database says.
pub async fn of_invoice(executor: impl PgExecutor<'_>, invoice: &str) -> Result<Option<String>, sqlx::Error> {
    let id = sqlx::query_scalar!(
        "select stripe_subscription from subscriptions \
          where state #> '{Known,basis,Stripe,ledger,invoices}' ? $1 limit 1",
        invoice,
    );
    Ok(id.fetch_optional(executor).await?.flatten())
}

/// Subscriptions at Stripe after this id there, in the order of these ids, without those
/// that nothing follows any more.
///
/// # Errors
/// What the database says.
pub async fn at_stripe(
    executor: impl PgExecutor<'_>,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<String>, sqlx::Error> {
    let ids = sqlx::query_scalar!(
        "select stripe_subscription from subscriptions where stripe_subscription > coalesce($1, '') \
            and coalesce(state #>> '{Known,basis,Stripe,latest,contract,status}', '') \
                not in ('canceled', 'incomplete_expired') \
          order by stripe_subscription limit $2",
        after,
        limit,
    );
    Ok(ids.fetch_all(executor).await?.into_iter().flatten().collect())
}

/// Subscriptions at Stripe that have one of these prices, or had this plan, after this one in
/// the order of their ids.
///
/// # Errors
/// What the database says.
pub async fn with_prices(
    executor: impl PgExecutor<'_>,
    plan: Uuid,
    prices: &[String],
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    // Read through once each time an admin changes a plan.
    let ids = sqlx::query_scalar!(
        "select id from subscriptions \
          where origin = 'stripe' and ($3::uuid is null or id > $3) \
            and (plan_id = $1 or exists (select from jsonb_array_elements( \
                    coalesce(state #> '{Known,basis,Stripe,latest,contract,items}', '[]')) as item \
                  where item ->> 'price' = any ($2))) \
          order by id limit $4",
        plan,
        prices,
        after,
        limit,
    );
    ids.fetch_all(executor).await
}

/// Everybody of whom something is known in a channel, after this one.
///
/// # Errors
/// What the database says.
pub async fn members_after(
    executor: impl PgExecutor<'_>,
    after: Option<(i64, i64)>,
    limit: i64,
) -> Result<Vec<(i64, i64)>, sqlx::Error> {
    let (channel, user) = after.unwrap_or((i64::MIN, i64::MIN));
    let rows = sqlx::query!(
        "select channel, user_id from members where (channel, user_id) > ($1, $2) order by channel, user_id limit $3",
        channel,
        user,
        limit,
    )
    .fetch_all(executor)
    .await?;
    Ok(rows.into_iter().map(|row| (row.channel, row.user_id)).collect())
}

/// Whether a plan opens this channel.
///
/// # Errors
/// What the database says.
pub async fn opens(executor: impl PgExecutor<'_>, channel: i64) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"select exists (select from plans where channel = $1) as "opens!""#, channel)
        .fetch_one(executor)
        .await
}

/// The plan that one of these prices at Stripe stands for, as a subscription knows it.
///
/// # Errors
/// What the database says.
pub async fn plan_of(executor: impl PgExecutor<'_>, prices: &[String]) -> Result<Option<PlanRef>, sqlx::Error> {
    let row = plans::of_prices(executor, prices).await?;
    Ok(row.map(|row| PlanRef { id: row.id, name: row.name, channel: row.channel }))
}
