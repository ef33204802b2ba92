//! Plans: define, change, retire and see them.

use aggregates::plan::Command;
use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Header, Query},
    payload::Json,
};
use projections::{
    page::{Cursor, Key},
    plans::{self, Filter},
};
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, SubscriptionsRead, SubscriptionsWrite},
    body::Body,
    csv::{PIECE, Table, pieces},
    mutation::{Changed, Created, IfMatch, changed, created_at, etag, once},
    params::{At, cursor, shows, usual_limit, usual_wait},
    plan_json::{NewPlan, Plan, PlanChange, PlanPage, PlanStatus, PlanTable, row_line},
    problem::{Answer, Kind, Problem},
};
use crate::{
    app::App,
    executor::{SendError, Wish},
};

/// How often a change is made again when another one comes in between.
const ATTEMPTS: usize = 20;

pub(super) struct Plans(pub(super) App);

#[derive(ApiResponse)]
enum FoundPlan {
    /// The plan.
    #[oai(status = 200)]
    Found(
        Json<Plan>,
        /// Its version, for If-Match.
        #[oai(header = "ETag")]
        String,
    ),
}

#[OpenApi(tag = "Tags::Subscriptions")]
impl Plans {
    /// List plans
    ///
    /// A page of the plans that match all filters, the oldest first.
    #[oai(path = "/plans", method = "get", operation_id = "listPlans")]
    #[allow(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        _caller: Allowed<SubscriptionsRead>,
        /// Only plans in this status.
        status: Query<Option<PlanStatus>>,
        /// Only plans that open the channel with this id.
        channel: Query<Option<i64>>,
        /// How many at most.
        #[oai(default = "usual_limit", validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<i64>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<Json<PlanPage>> {
        let after = self::cursor(cursor.0.as_ref(), |cursor| matches!(cursor.key, Key::Time(_)))?;
        shows(&self.0, "plans", min_position.0, wait_ms.0).await?;
        let filter = Filter { status: status.0.map(Into::into), channel: channel.0 };
        let page = plans::list(&self.0.pool, &filter, after.as_ref(), limit.0).await?;
        Ok(Json(PlanPage {
            items: page.rows.into_iter().map(Plan::from).collect(),
            next_cursor: page.next.map(|cursor| cursor.to_string()),
        }))
    }

    /// Export plans
    ///
    /// All that match the filters of `listPlans`, as CSV; ids of prices are in one cell, with spaces between them.
    #[oai(path = "/plans.csv", method = "get", operation_id = "exportPlans")]
    async fn export(
        &self,
        _caller: Allowed<SubscriptionsRead>,
        /// Only plans in this status.
        status: Query<Option<PlanStatus>>,
        /// Only plans that open the channel with this id.
        channel: Query<Option<i64>>,
    ) -> Answer<Table<PlanTable>> {
        let filter = Filter { status: status.0.map(Into::into), channel: channel.0 };
        let pool = self.0.pool.clone();
        let lines = pieces(move |after: Option<Cursor>| {
            let (pool, filter) = (pool.clone(), filter.clone());
            async move {
                let page = plans::list(&pool, &filter, after.as_ref(), PIECE).await?;
                Ok::<_, sqlx::Error>((page.rows.iter().map(row_line).collect(), page.next))
            }
        });
        Ok(Table::named("plans", lines))
    }

    /// Define a plan
    ///
    /// Subscriptions at Stripe with one of its prices open its channel from then on; so do those that are granted.
    ///
    /// Problems: invalid-terms, price-taken
    #[oai(path = "/plans", method = "post", operation_id = "definePlan")]
    async fn define(
        &self,
        caller: Allowed<SubscriptionsWrite>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        /// The plan.
        body: Body<NewPlan>,
    ) -> Answer<Created> {
        let once = once(&caller, idempotency_key.0, &["POST", "/api/plans", &body.canonical])?;
        if let Some(once) = &once
            && let Some(done) = self.0.plans.answered(once).await?
        {
            return created_at("/api/plans", &done);
        }
        self.no_other_has(&body.value.0.prices, None).await?;
        let command = Command::Define { terms: body.value.0, at: self.0.clock.now() };
        let wish = Wish { command, cause: caller.cause(), once, expected: Some(0) };
        created_at("/api/plans", &self.0.plans.send(&self.0.clock.new_id().to_string(), wish).await?)
    }

    /// Show a plan
    ///
    /// With its ETag, which changes with every change.
    #[oai(path = "/plans/:id", method = "get", operation_id = "getPlan")]
    async fn show(
        &self,
        _caller: Allowed<SubscriptionsRead>,
        /// The plan's id.
        id: At<Uuid>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<FoundPlan> {
        shows(&self.0, "plans", min_position.0, wait_ms.0).await?;
        let row = plans::find(&self.0.pool, id.0).await?.ok_or(Kind::PlanMissing)?;
        let etag = etag(row.version);
        Ok(FoundPlan::Found(Json(row.into()), etag))
    }

    /// Change a plan
    ///
    /// Its name, its prices or the channel it opens; what is not given stays as it is. Subscriptions take it in when
    /// they are next looked at. How often it is paid for is what its buyers agreed to, and stays.
    ///
    /// Problems: invalid-terms, plan-status, price-taken
    #[oai(path = "/plans/:id", method = "patch", operation_id = "changePlan")]
    async fn change(
        &self,
        caller: Allowed<SubscriptionsWrite>,
        /// The plan's id.
        id: At<Uuid>,
        /// The ETag of the plan as you have seen it, or `*`. Required.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        /// What to change.
        body: Body<PlanChange>,
    ) -> Answer<Changed> {
        let if_match = if_match.0.ok_or(Kind::PreconditionRequired)?;
        let plan = id.0;
        let id = plan.to_string();
        let once = once(&caller, idempotency_key.0, &["PATCH plan", &id, &if_match, &body.canonical])?;
        let wanted = IfMatch::read("If-Match", &if_match)?;
        if let Some(once) = &once
            && let Some(done) = self.0.plans.answered(once).await?
        {
            return changed(&done);
        }
        if let Some(prices) = &body.value.prices {
            self.no_other_has(prices, Some(plan)).await?;
        }
        let mut attempts = 0;
        loop {
            let (terms, version) = self.0.plans.look(&id, |plan, version, _| (plan.terms().cloned(), version)).await?;
            let terms = terms.ok_or(Kind::PlanMissing)?;
            if !wanted.contains(version) {
                // The same request, sent at the same time, may be what changed the version.
                return match &once {
                    Some(once) => changed(&self.0.plans.answered(once).await?.ok_or(Kind::PreconditionFailed)?),
                    None => Err(Kind::PreconditionFailed.into()),
                };
            }
            let PlanChange { name, channel, prices } = &body.value;
            let command = Command::Change {
                name: name.clone().unwrap_or(terms.name),
                prices: prices.clone().unwrap_or(terms.prices),
                channel: channel.unwrap_or(terms.channel),
                at: self.0.clock.now(),
            };
            let wish = Wish { command, cause: caller.cause(), once: once.clone(), expected: Some(version) };
            match self.0.plans.send(&id, wish).await {
                // Another change came in between; the next look tells which.
                Err(SendError::Precondition { .. }) if attempts < ATTEMPTS => attempts += 1,
                Err(SendError::Precondition { .. }) => return Err(Kind::Busy.into()),
                answer => return changed(&answer?),
            }
        }
    }

    /// Retire a plan
    ///
    /// It can be bought and granted no more. Who has it, keeps it.
    #[oai(path = "/plans/:id/retire", method = "post", operation_id = "retirePlan")]
    async fn retire(
        &self,
        caller: Allowed<SubscriptionsWrite>,
        /// The plan's id.
        id: At<Uuid>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
    ) -> Answer<Changed> {
        let id = id.0.to_string();
        let once = once(&caller, idempotency_key.0, &["retire plan", &id])?;
        let command = Command::Retire { at: self.0.clock.now() };
        let wish = Wish { command, cause: caller.cause(), once, expected: None };
        changed(&self.0.plans.send(&id, wish).await?)
    }
}

impl Plans {
    /// A price stands for one plan that is offered. A convenience for who writes plans:
    /// two of them at the same moment are not kept apart, and the newer plan has it then.
    async fn no_other_has(&self, prices: &[String], plan: Option<Uuid>) -> Answer<()> {
        match plans::holder(&self.0.pool, prices, plan).await? {
            None => Ok(()),
            Some((holder, price)) => Err(Problem::from(Kind::PriceTaken)
                .with_error("prices", format!("{price} stands for plan {holder}, which is offered"))),
        }
    }
}
