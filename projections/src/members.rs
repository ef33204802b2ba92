//! Who is in which channel, who should be, and who is about to be removed.
//!
//! As with [`subscriptions`](crate::subscriptions), each row keeps the aggregate and
//! all columns are made from it.

use std::collections::{BTreeMap, btree_map::Entry};

use aggregates::{
    Fact, Member,
    member::{self, parse_stream},
};
use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use futures_util::future::BoxFuture;
use sqlx::{FromRow, PgConnection, PgExecutor, Postgres, QueryBuilder, types::Json};
use uuid::Uuid;

use crate::{
    Event, Projection, ProjectionError,
    page::{Cursor, Key, Page, page},
};

/// The projection.
pub struct Members;

/// A Telegram user and a channel.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Row {
    /// Telegram's id of the channel.
    pub channel: i64,
    /// Telegram's id of the user.
    pub user_id: i64,
    /// Whether they are in, as far as we know.
    pub is_in: bool,
    /// Since when they are in, or out; none: never heard of.
    pub since: Option<DateTime<Utc>>,
    /// The name of the link of ours by which they came.
    pub link: Option<String>,
    /// Whether they are never removed.
    pub whitelisted: bool,
    /// Whether they should be in, as long as `runs_out_at` has not come: see [`Row::should_be_in_at`].
    pub should_be_in: bool,
    /// See [`member::Rule::as_str`]; see [`Row::rule_at`].
    pub rule: String,
    /// Which subscription says so; none when none does.
    pub subscription: Option<Uuid>,
    /// The rule once `runs_out_at` has come.
    pub rule_after: String,
    /// When time alone takes their access; none: it does not.
    pub runs_out_at: Option<DateTime<Utc>>,
    /// Since when they are about to be removed.
    pub removal_due_since: Option<DateTime<Utc>>,
    /// What Telegram said when it was tried last.
    pub removal_error: Option<String>,
    /// When the user was first heard of here.
    pub created_at: DateTime<Utc>,
    /// When the last event was recorded.
    pub updated_at: DateTime<Utc>,
    /// Of the event that made the row.
    pub first_position: i64,
    /// Of the last event.
    pub position: i64,
    /// Of the stream.
    pub version: i64,
}

impl Row {
    fn has_run_out(&self, now: DateTime<Utc>) -> bool {
        self.runs_out_at.is_some_and(|end| end <= now)
    }

    /// Whether they should be in at a time.
    #[must_use]
    pub fn should_be_in_at(&self, now: DateTime<Utc>) -> bool {
        self.should_be_in && !self.has_run_out(now)
    }

    /// By which rule they should, or should not.
    #[must_use]
    pub fn rule_at(&self, now: DateTime<Utc>) -> &str {
        if self.has_run_out(now) { &self.rule_after } else { &self.rule }
    }
}

/// Which to list; `None` matches all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this channel.
    pub channel: Option<i64>,
    /// This user.
    pub user: Option<i64>,
    /// Who is in, or is not.
    pub is_in: Option<bool>,
    /// Who is never removed, or is treated like others.
    pub whitelisted: Option<bool>,
    /// Who is about to be removed, or is not.
    pub removal_due: Option<bool>,
}

const COLUMNS: &str = "channel, user_id, is_in, since, link, whitelisted, should_be_in, rule, subscription, rule_after, \
     runs_out_at, removal_due_since, removal_error, created_at, updated_at, first_position, position, version";

/// A user in a channel.
///
/// # Errors
/// What the database says.
pub async fn find(executor: impl PgExecutor<'_>, channel: i64, user: i64) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "select channel, user_id, is_in, since, link, whitelisted, should_be_in, rule, subscription, rule_after, \
                runs_out_at, removal_due_since, removal_error, created_at, updated_at, first_position, position, version \
           from members where channel = $1 and user_id = $2",
        channel,
        user,
    )
    .fetch_optional(executor)
    .await
}

/// These users in all channels, up to `limit` rows.
///
/// # Errors
/// What the database says.
pub async fn of_users(executor: impl PgExecutor<'_>, users: &[i64], limit: i64) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "select channel, user_id, is_in, since, link, whitelisted, should_be_in, rule, subscription, rule_after, \
                runs_out_at, removal_due_since, removal_error, created_at, updated_at, first_position, position, version \
           from members where user_id = any ($1) order by first_position limit $2",
        users,
        limit,
    )
    .fetch_all(executor)
    .await
}

/// A page of members, in the order in which they were first heard of.
///
/// # Errors
/// What the database says.
pub async fn list(
    executor: impl PgExecutor<'_>,
    filter: &Filter,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Row>, sqlx::Error> {
    let mut query: QueryBuilder<'_, Postgres> = QueryBuilder::new("select ");
    query.push(COLUMNS).push(" from members where true");
    for (column, value) in [("channel", filter.channel), ("user_id", filter.user)] {
        if let Some(value) = value {
            query.push(format_args!(" and {column} = ")).push_bind(value);
        }
    }
    let flags = [
        ("is_in", filter.is_in),
        ("whitelisted", filter.whitelisted),
        ("(removal_due_since is not null)", filter.removal_due),
    ];
    for (condition, value) in flags {
        match value {
            Some(true) => query.push(format_args!(" and {condition}")),
            Some(false) => query.push(format_args!(" and not {condition}")),
            None => &mut query,
        };
    }
    if let Some(Cursor { key: Key::Number(position), .. }) = after {
        query.push(" and first_position > ").push_bind(*position);
    }
    query.push(" order by first_position limit ").push_bind(limit + 1);
    let rows: Vec<Row> = query.build_query_as().fetch_all(executor).await?;
    Ok(page(rows, limit, |row| Cursor { key: Key::Number(row.first_position), id: Uuid::nil() }))
}

/// What the columns are made from.
struct Known {
    state: Member,
    since: Option<DateTime<Utc>>,
    link: Option<String>,
    removal_due_since: Option<DateTime<Utc>>,
    removal_error: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    first_position: i64,
    position: i64,
    version: i64,
}

impl Projection for Members {
    fn name(&self) -> &'static str {
        "members"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["members"]
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<(), ProjectionError>> {
        Box::pin(async move {
            let mut ours = vec![];
            for event in events {
                if let Fact::Member(fact) = &event.fact {
                    let name =
                        || ProjectionError::StreamName { stream: event.stream.clone(), position: event.position };
                    ours.push((parse_stream(&event.stream).ok_or_else(name)?, event, fact));
                }
            }
            if ours.is_empty() {
                return Ok(());
            }
            let failed = |source| ProjectionError::Database { projection: "members", source };
            let (channels, users): (Vec<i64>, Vec<i64>) = ours.iter().map(|(who, ..)| *who).unzip();
            let mut known = read(connection, &channels, &users).await.map_err(failed)?;
            for (who, event, fact) in ours {
                match known.entry(who) {
                    Entry::Occupied(mut known) => known.get_mut().take(event, fact),
                    Entry::Vacant(new) => new.insert(Known::new(event)).take(event, fact),
                }
            }
            for (who, known) in &known {
                write(connection, *who, known).await.map_err(failed)?;
            }
            Ok(())
        })
    }
}

impl Known {
    fn new(event: &Event) -> Self {
        Self {
            state: Member::default(),
            since: None,
            link: None,
            removal_due_since: None,
            removal_error: None,
            created_at: event.recorded_at,
            updated_at: event.recorded_at,
            first_position: event.position,
            position: 0,
            version: 0,
        }
    }

    fn take(&mut self, event: &Event, fact: &member::Event) {
        use member::Event;
        self.state.apply(fact.clone());
        match fact {
            Event::Joined { link, at } => {
                self.since = Some(*at);
                self.link.clone_from(link);
            }
            Event::Left { at } | Event::Removed { verdict: _, readmit: _, at } => {
                self.since = Some(*at);
                self.link = None;
            }
            Event::RemovalDue { verdict: _, at } => {
                self.removal_due_since = Some(*at);
                self.removal_error = None;
            }
            Event::RemovalFailed { error, at: _ } => self.removal_error = Some(error.clone()),
            Event::Entitled { .. }
            | Event::Disentitled { .. }
            | Event::Confirmed { .. }
            | Event::Admitted { .. }
            | Event::RemovalWithdrawn { .. }
            | Event::Whitelisted { .. }
            | Event::Unlisted { .. } => {}
        }
        if self.state.removal().is_none() {
            (self.removal_due_since, self.removal_error) = (None, None);
        }
        self.updated_at = event.recorded_at;
        self.position = event.position;
        self.version = event.sequence;
    }
}

async fn read(
    connection: &mut PgConnection,
    channels: &[i64],
    users: &[i64],
) -> Result<BTreeMap<(i64, i64), Known>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select m.channel, m.user_id, state as "state: Json<Member>", since, link, removal_due_since, removal_error,
                  created_at, updated_at, first_position, position, version
             from members m
             join (select distinct * from unnest($1::bigint[], $2::bigint[]) as t (channel, user_id)) w
               on m.channel = w.channel and m.user_id = w.user_id"#,
        channels,
        users,
    )
    .fetch_all(connection)
    .await?;
    let known = rows.into_iter().map(|row| {
        let known = Known {
            state: row.state.0,
            since: row.since,
            link: row.link,
            removal_due_since: row.removal_due_since,
            removal_error: row.removal_error,
            created_at: row.created_at,
            updated_at: row.updated_at,
            first_position: row.first_position,
            position: row.position,
            version: row.version,
        };
        ((row.channel, row.user_id), known)
    });
    Ok(known.collect())
}

async fn write(connection: &mut PgConnection, who: (i64, i64), known: &Known) -> Result<(), sqlx::Error> {
    let (channel, user) = who;
    // Of what was known when the event was recorded, so that a rebuild comes to the same.
    let now = known.updated_at;
    let verdict = known.state.should_be_in(now);
    // Who is on the list stays, whatever runs out.
    let runs_out_at = known.state.runs_out_at(now).filter(|_| !known.state.is_whitelisted());
    let after = runs_out_at.map_or(verdict, |end| known.state.should_be_in(end));
    sqlx::query!(
        "insert into members (channel, user_id, is_in, since, link, whitelisted, should_be_in, rule, subscription, rule_after, \
             runs_out_at, removal_due_since, removal_error, created_at, updated_at, first_position, position, version, state) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) \
         on conflict (channel, user_id) do update set is_in = $3, since = $4, link = $5, whitelisted = $6, should_be_in = $7, \
             rule = $8, subscription = $9, rule_after = $10, runs_out_at = $11, removal_due_since = $12, \
             removal_error = $13, updated_at = $15, position = $17, version = $18, state = $19",
        channel,
        user,
        known.state.is_in(),
        known.since,
        known.link,
        known.state.is_whitelisted(),
        verdict.is_in,
        verdict.rule.as_str(),
        verdict.subscription,
        after.rule.as_str(),
        runs_out_at,
        known.removal_due_since,
        known.removal_error,
        known.created_at,
        known.updated_at,
        known.first_position,
        known.position,
        known.version,
        Json(&known.state) as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}
