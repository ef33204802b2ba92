//! Plans, and which prices at Stripe stand for them.

use aggregates::{
    Fact,
    plan::{self, PlanRef, Status, Terms},
};
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use sqlx::{FromRow, PgConnection, PgExecutor, Postgres, QueryBuilder};
use uuid::Uuid;

use crate::{
    Event, Projection, ProjectionError,
    page::{Cursor, Key, Page, page},
    stream_uuid,
};

/// The projection.
pub struct Plans;

/// A plan as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Row {
    /// Its id.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// See [`Status::as_str`].
    pub status: String,
    /// How many of the unit pass between two payments.
    pub every_count: i32,
    /// The unit: see [`plan::Interval::as_str`].
    pub every_interval: String,
    /// Telegram's id of the channel it opens.
    pub channel: i64,
    /// Ids of the prices at Stripe that stand for it.
    pub prices: Vec<String>,
    /// When it was defined.
    pub created_at: DateTime<Utc>,
    /// When it changed last.
    pub updated_at: DateTime<Utc>,
    /// Of the stream.
    pub version: i64,
}

impl Row {
    /// The plan as a subscription knows it.
    #[must_use]
    pub fn reference(&self) -> PlanRef {
        PlanRef { id: self.id, name: self.name.clone(), channel: self.channel }
    }

    /// Whether it can be bought and granted.
    #[must_use]
    pub fn is_offered(&self) -> bool {
        self.status == Status::Offered.as_str()
    }
}

/// Which plans to list; `None` matches all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Which stand so.
    pub status: Option<Status>,
    /// Which open this channel.
    pub channel: Option<i64>,
}

const ROW: &str = "select id, name, status, every_count, every_interval, channel, prices, created_at, updated_at, version \
                   from plans";

/// One plan.
///
/// # Errors
/// What the database says.
pub async fn find(executor: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "select id, name, status, every_count, every_interval, channel, prices, created_at, updated_at, version \
           from plans where id = $1",
        id
    )
    .fetch_optional(executor)
    .await
}

/// The plan that one of these prices at Stripe stands for. Of several, one that is
/// offered before one that was retired, and the newest: also who has a retired plan keeps it.
///
/// # Errors
/// What the database says.
pub async fn of_prices(executor: impl PgExecutor<'_>, prices: &[String]) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "select id, name, status, every_count, every_interval, channel, prices, created_at, updated_at, version \
           from plans where id in (select plan from plan_prices where price = any ($1)) \
          order by status = 'offered' desc, created_at desc, id desc limit 1",
        prices
    )
    .fetch_optional(executor)
    .await
}

/// An offered plan other than `except` that has one of these prices, and the price.
///
/// # Errors
/// What the database says.
pub async fn holder(
    executor: impl PgExecutor<'_>,
    prices: &[String],
    except: Option<Uuid>,
) -> Result<Option<(Uuid, String)>, sqlx::Error> {
    let row = sqlx::query!(
        "select p.id, t.price from plan_prices t join plans p on p.id = t.plan \
          where t.price = any ($1) and p.status = 'offered' and p.id is distinct from $2 order by t.price limit 1",
        prices,
        except,
    )
    .fetch_optional(executor)
    .await?;
    Ok(row.map(|row| (row.id, row.price)))
}

/// A page of plans, the oldest first.
///
/// # Errors
/// What the database says.
pub async fn list(
    executor: impl PgExecutor<'_>,
    filter: &Filter,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Row>, sqlx::Error> {
    let mut query: QueryBuilder<'_, Postgres> = QueryBuilder::new(ROW);
    query.push(" where true");
    if let Some(status) = filter.status {
        query.push(" and status = ").push_bind(status.as_str());
    }
    if let Some(channel) = filter.channel {
        query.push(" and channel = ").push_bind(channel);
    }
    if let Some(Cursor { key: Key::Time(time), id }) = after {
        query.push(" and (created_at, id) > (").push_bind(*time).push(", ").push_bind(*id).push(")");
    }
    query.push(" order by created_at, id limit ").push_bind(limit + 1);
    let rows: Vec<Row> = query.build_query_as().fetch_all(executor).await?;
    Ok(page(rows, limit, |row| Cursor { key: Key::Time(row.created_at), id: row.id }))
}

impl Projection for Plans {
    fn name(&self) -> &'static str {
        "plans"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["plans", "plan_prices"]
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<(), ProjectionError>> {
        Box::pin(async move {
            for event in events {
                let Fact::Plan(fact) = &event.fact else { continue };
                let id = stream_uuid(event)?;
                apply(connection, id, event, fact)
                    .await
                    .map_err(|source| ProjectionError::Database { projection: "plans", source })?;
            }
            Ok(())
        })
    }
}

async fn apply(connection: &mut PgConnection, id: Uuid, event: &Event, fact: &plan::Event) -> Result<(), sqlx::Error> {
    match fact {
        plan::Event::Defined { terms, at: _ } | plan::Event::Changed { terms, at: _ } => {
            write_terms(connection, id, event, terms).await
        }
        plan::Event::Retired { at: _ } => {
            sqlx::query!(
                "update plans set status = $2, version = $3, updated_at = $4 where id = $1",
                id,
                Status::Retired.as_str(),
                event.sequence,
                event.recorded_at,
            )
            .execute(connection)
            .await?;
            Ok(())
        }
    }
}

async fn write_terms(connection: &mut PgConnection, id: Uuid, event: &Event, terms: &Terms) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into plans (id, name, status, every_count, every_interval, channel, prices, created_at, updated_at, version) \
         values ($1, $2, 'offered', $3, $4, $5, $6, $7, $7, $8) \
         on conflict (id) do update set name = $2, every_count = $3, every_interval = $4, channel = $5, prices = $6, \
             updated_at = $7, version = $8",
        id,
        terms.name,
        i32::from(terms.every.count),
        terms.every.interval.as_str(),
        terms.channel,
        &terms.prices,
        event.recorded_at,
        event.sequence,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("delete from plan_prices where plan = $1", id).execute(&mut *connection).await?;
    sqlx::query!("insert into plan_prices (price, plan) select p, $1 from unnest($2::text[]) p", id, &terms.prices)
        .execute(connection)
        .await?;
    Ok(())
}
