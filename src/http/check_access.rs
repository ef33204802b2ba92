//! Whether somebody has access: what a partner's site asks on each page view.

use chrono::{DateTime, Utc};
use poem_openapi::{Object, OpenApi, param::Query, payload::Json, types::Example};
use projections::subscriptions;
use tokio::time::{Duration, Instant};
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, SubscriptionsRead},
    mutation::EXAMPLE_ID,
    params::{At, shows, usual_wait},
    problem::{Answer, Problem},
};
use crate::{
    app::App,
    membership::access_table::{Decision, Which, decide_from},
};

pub(super) struct CheckAccess(pub(super) App);

/// A plan, as a subscription knows it.
#[derive(Object)]
struct AccessPlan {
    /// Its id.
    id: Uuid,
    /// What it is called.
    name: String,
    /// Telegram's id of the channel it opens.
    channel: i64,
}

/// Whether somebody has access.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct AccessAnswer {
    /// Whether they have, now.
    has_access: bool,
    /// Until when, if it ends without further news.
    until: Option<DateTime<Utc>>,
    /// By which rule, as in `listTelegramSubscriptions`; `missing` when they have no subscription that counts.
    rule: String,
    /// Where the subscription stands that says so.
    status: Option<String>,
    /// Its id.
    subscription_id: Option<Uuid>,
    /// What it opens.
    plan: Option<AccessPlan>,
}

impl Example for AccessAnswer {
    fn example() -> Self {
        Self {
            has_access: true,
            until: None,
            rule: "active_paid".to_owned(),
            status: Some("active".to_owned()),
            subscription_id: Some(Uuid::from_u128(EXAMPLE_ID + 5)),
            plan: Some(AccessPlan {
                id: Uuid::from_u128(EXAMPLE_ID + 4),
                name: "VIP".to_owned(),
                channel: -1_001_234_567_890,
            }),
        }
    }
}

impl From<Decision> for AccessAnswer {
    fn from(decision: Decision) -> Self {
        let (status, id, opens) = match decision.subscription {
            Some(says) => (Some(says.status.to_string()), Some(says.id), says.opens),
            None => (None, None, None),
        };
        Self {
            has_access: decision.has_access,
            until: decision.until,
            rule: decision.rule.to_string(),
            status,
            subscription_id: id,
            plan: opens.map(|opens| AccessPlan { id: opens.plan, name: opens.name.clone(), channel: opens.channel }),
        }
    }
}

#[OpenApi(tag = "Tags::Subscriptions")]
impl CheckAccess {
    /// Check whether somebody has access
    ///
    /// By the address they subscribed with; letter case does not matter. A stranger has none, and is no error. Of several
    /// subscriptions the one decides that gives access longest. Answered from memory, so it can be asked on each page
    /// view; what was changed anywhere shows within milliseconds, and what time ends is over at that moment.
    #[oai(path = "/telegram/check-access/:email", method = "get", operation_id = "checkTelegramAccess")]
    async fn check(
        &self,
        _caller: Allowed<SubscriptionsRead>,
        /// The address.
        email: At<String>,
        /// Only by subscriptions that open the channel with this id.
        channel: Query<Option<i64>>,
        /// Only by subscriptions to the plan with this id.
        plan: Query<Option<Uuid>>,
        /// The position that the answer must know of: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<Json<AccessAnswer>> {
        let email = email.0.trim();
        if email.len() > 254 || !email.contains('@') || email.contains('\0') {
            return Err(Problem::input("email", "must be an e-mail address"));
        }
        let which = Which { channel: channel.0, plan: plan.0 };
        let began = Instant::now();
        if self.reached(min_position.0, wait_ms.0).await?
            && let Some(decision) = self.0.access_table.decide(email, which, self.0.clock.now())
        {
            return Ok(Json(decision.into()));
        }
        let waited = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        shows(&self.0, "subscriptions", min_position.0, wait_ms.0.saturating_sub(waited)).await?;
        let rows = subscriptions::access_of(&self.0.pool, email).await?;
        Ok(Json(decide_from(rows, which, self.0.clock.now()).into()))
    }
}

impl CheckAccess {
    /// Whether the table in memory knows of a position, after some waiting. What it does not
    /// know in time is left to the read model, and so is a position beyond the log.
    async fn reached(&self, position: Option<i64>, wait_ms: u64) -> Answer<bool> {
        let Some(position) = position else { return Ok(true) };
        let table = &self.0.access_table;
        if table.wait_for(position, Duration::ZERO).await {
            return Ok(true);
        }
        if !table.is_believed() || position > self.0.log.last_position().await? {
            return Ok(false);
        }
        Ok(table.wait_for(position, Duration::from_millis(wait_ms)).await)
    }
}
