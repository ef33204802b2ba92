//! Who a broadcast goes to.

use aggregates::broadcast::Audience;
use chrono::{DateTime, TimeDelta, Utc};
use projections::bot_users::Filter;
use sqlx::{PgPool, Postgres, QueryBuilder};
use uuid::Uuid;

/// People who can and want to be written to, and of those the ones who pass
/// the audience's filters at this time.
fn filter(audience: &Audience, now: DateTime<Utc>) -> Filter {
    Filter {
        status: Some("active"),
        language: audience.language.as_ref().map(|language| language.to_lowercase()),
        seen_since: audience.active_within_days.and_then(|days| now.checked_sub_signed(TimeDelta::days(days.into()))),
    }
}

fn push_from<'a>(query: &mut QueryBuilder<'a, Postgres>, filter: &'a Filter, audience: &Audience, now: DateTime<Utc>) {
    query.push(" from bot_users where true");
    filter.push(query);
    if let Some(campaign) = audience.redeemed {
        query
            .push(
                " and exists (select from redemptions r where r.person = bot_users.person and r.released_at is null \
                                 and r.campaign_id = ",
            )
            .push_bind(campaign)
            .push(")");
    }
    if let Some(campaign) = audience.holds {
        push_holds(query, campaign, now);
    }
}

/// A coupon that was given to them and is still good: a unique code that nobody
/// redeemed and that was not taken back, or the shared code if they have not
/// redeemed it. Or one that is kept free for them.
fn push_holds(query: &mut QueryBuilder<'_, Postgres>, campaign: Uuid, now: DateTime<Utc>) {
    query
        .push(" and (exists (select from publications p where p.person = bot_users.person and p.campaign_id = ")
        .push_bind(campaign)
        .push(
            " and case when p.batch is null then not exists (select from redemptions r where r.person = p.person \
                            and r.campaign_id = p.campaign_id and r.batch is null and r.released_at is null) \
                       else not exists (select from redemptions r where r.batch = p.batch and r.index = p.index \
                            and r.released_at is null) \
                        and not exists (select from batches b where b.number = p.batch and b.revoked_at is not null) end)",
        )
        .push(
            " or exists (select from reservations h where h.person = bot_users.person and h.state = 'standing' \
                            and h.campaign_id = ",
        )
        .push_bind(campaign)
        .push(" and h.until > ")
        .push_bind(now)
        .push("))");
}

/// How many an audience is at this time.
///
/// # Errors
/// What the database says.
pub async fn count(pool: &PgPool, audience: &Audience, now: DateTime<Utc>) -> Result<i64, sqlx::Error> {
    let filter = filter(audience, now);
    let mut query = QueryBuilder::new("select count(*)");
    push_from(&mut query, &filter, audience, now);
    query.build_query_scalar().fetch_one(pool).await
}

/// Fixes the audience of a broadcast, once: its recipients are from then on
/// those who are in it now. Answers how many they are.
///
/// # Errors
/// What the database says; nothing was changed.
pub async fn fix(pool: &PgPool, broadcast: Uuid, audience: &Audience, now: DateTime<Utc>) -> Result<i64, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let new = sqlx::query!("insert into broadcast_runs (broadcast) values ($1) on conflict do nothing", broadcast)
        .execute(&mut *transaction)
        .await?;
    if new.rows_affected() == 1 {
        let filter = filter(audience, now);
        let mut query = QueryBuilder::new("insert into broadcast_recipients (broadcast, person, chat_id) select ");
        query.push_bind(broadcast).push(", person, telegram_id");
        push_from(&mut query, &filter, audience, now);
        query.push(" order by first_seen, person").build().execute(&mut *transaction).await?;
    }
    let count =
        sqlx::query_scalar!(r#"select count(*) as "count!" from broadcast_recipients where broadcast = $1"#, broadcast)
            .fetch_one(&mut *transaction)
            .await?;
    transaction.commit().await?;
    Ok(count)
}
