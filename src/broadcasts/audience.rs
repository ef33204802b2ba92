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

fn push_from<'a>(query: &mut QueryBuilder<'a, Postgres>, filter: &'a Filter, audience: &Audience) {
    query.push(" from bot_users where true");
    filter.push(query);
    if let Some(campaign) = audience.redeemed {
        query
            .push(" and exists (select from redemptions r where r.person = bot_users.person and r.campaign_id = ")
            .push_bind(campaign)
            .push(")");
    }
}

/// How many an audience is at this time.
///
/// # Errors
/// What the database says.
pub async fn count(pool: &PgPool, audience: &Audience, now: DateTime<Utc>) -> Result<i64, sqlx::Error> {
    let filter = filter(audience, now);
    let mut query = QueryBuilder::new("select count(*)");
    push_from(&mut query, &filter, audience);
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
        push_from(&mut query, &filter, audience);
        query.push(" order by first_seen, person").build().execute(&mut *transaction).await?;
    }
    let count =
        sqlx::query_scalar!(r#"select count(*) as "count!" from broadcast_recipients where broadcast = $1"#, broadcast)
            .fetch_one(&mut *transaction)
            .await?;
    transaction.commit().await?;
    Ok(count)
}
