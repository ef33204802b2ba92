//! What a subscription says of access, and no more: what is asked on each page view.

use aggregates::{Subscription, subscription};
use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgExecutor};
use uuid::Uuid;

/// What a subscription says of access.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Access {
    /// Its id.
    pub id: Uuid,
    /// The subscriber's address.
    pub email: Option<String>,
    /// See [`Row::status`](super::Row::status).
    pub status: String,
    /// See [`Row::entitled`](super::Row::entitled).
    pub entitled: bool,
    /// See [`Row::rule`](super::Row::rule).
    pub rule: String,
    /// See [`Row::rule_after`](super::Row::rule_after).
    pub rule_after: String,
    /// See [`Row::ends_at`](super::Row::ends_at).
    pub ends_at: Option<DateTime<Utc>>,
    /// See [`Row::plan_id`](super::Row::plan_id).
    pub plan_id: Option<Uuid>,
    /// See [`Row::plan_name`](super::Row::plan_name).
    pub plan_name: Option<String>,
    /// See [`Row::channel`](super::Row::channel).
    pub channel: Option<i64>,
    /// See [`Row::position`](super::Row::position).
    pub position: i64,
}

impl Access {
    /// What it says as of its event at `position`; none when nothing happened to it.
    #[must_use]
    pub fn of(id: Uuid, state: &Subscription, position: i64) -> Option<Self> {
        let (stage, status) = state.stage().zip(state.status())?;
        let ends_at = stage.until();
        let rule_after = ends_at.map_or(stage.rule(), |end| match state.access(end) {
            subscription::Access::In { rule, .. } | subscription::Access::Out { rule } => rule,
        });
        let party = state.party();
        let (plan_id, plan_name, channel) = match party.plan {
            Some(plan) => (Some(plan.id), Some(plan.name), Some(plan.channel)),
            None => (None, None, None),
        };
        Some(Self {
            id,
            email: party.email.map(|email| email.reveal().clone()),
            status: status.as_str().to_owned(),
            entitled: stage.is_entitled(),
            rule: stage.rule().as_str().to_owned(),
            rule_after: rule_after.as_str().to_owned(),
            ends_at,
            plan_id,
            plan_name,
            channel,
            position,
        })
    }
}

/// What the subscriptions of an address say of access.
///
/// # Errors
/// What the database says.
pub async fn access_of(executor: impl PgExecutor<'_>, email: &str) -> Result<Vec<Access>, sqlx::Error> {
    sqlx::query_as!(
        Access,
        "select id, email, status, entitled, rule, rule_after, ends_at, plan_id, plan_name, channel, position \
           from subscriptions where lower(email) = lower($1) order by id",
        email
    )
    .fetch_all(executor)
    .await
}
