//! Subscriptions: whose, what they open, where they stand, and until when.
//!
//! The rules are not written a second time here. Each row keeps the aggregate itself,
//! an event is applied to that, and all columns are made from it. So whoever changes
//! the shape of the aggregate's state rebuilds this read model after deployment.

mod access;
mod query;

use std::collections::{BTreeMap, btree_map::Entry};

use aggregates::{
    ByHand, Fact, Subscription,
    subscription::{self, CancelWhen, LinkKind, Party, Stage, Standing},
};
use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use futures_util::future::BoxFuture;
use sqlx::{FromRow, PgConnection, types::Json};
use uuid::Uuid;

use crate::{Event, Projection, ProjectionError, stream_uuid};
pub use access::{Access, access_of};
pub use query::{Filter, Sort, find, list, of_email, of_ids, of_telegram};

/// The projection.
pub struct Subscriptions;

/// A subscription as it is shown.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct Row {
    /// Its id.
    pub id: Uuid,
    /// The subscriber's address.
    pub email: Option<String>,
    /// The pseudonym of the Telegram account that joined or is expected to.
    pub person: Option<Uuid>,
    /// Its id.
    pub telegram_id: Option<i64>,
    /// The plan; none when no plan has its prices.
    pub plan_id: Option<Uuid>,
    /// What the plan was called when the subscription was looked at.
    pub plan_name: Option<String>,
    /// Telegram's id of the channel it opens.
    pub channel: Option<i64>,
    /// `stripe` or `grant`.
    pub origin: String,
    /// `sub_…`
    pub stripe_subscription: Option<String>,
    /// `cus_…`
    pub stripe_customer: Option<String>,
    /// See [`subscription::Status::as_str`]; of the last event, so see [`Row::status_at`].
    pub status: String,
    /// What an active one is entitled by: `paid`, `trial`, `granted`, `extended` or `unknown_status`.
    pub standing: Option<String>,
    /// Whether it gives access, as long as `ends_at` has not come: see [`Row::has_access`].
    pub entitled: bool,
    /// See [`subscription::Rule::as_str`]; see [`Row::rule_at`].
    pub rule: String,
    /// The rule once `ends_at` has come.
    pub rule_after: String,
    /// When time alone ends it; none: it does not.
    pub ends_at: Option<DateTime<Utc>>,
    /// Since when it gives no access any more.
    pub ended_at: Option<DateTime<Utc>>,
    /// Since when a payment is late.
    pub past_due_since: Option<DateTime<Utc>>,
    /// `at_period_end` or `now`, while Stripe has not done what it was asked.
    pub cancelling: Option<String>,
    /// Until when it is paid.
    pub period_end: Option<DateTime<Utc>>,
    /// When its trial ends or ended.
    pub trial_end: Option<DateTime<Utc>>,
    /// The currency of what it comes to in a month.
    pub mrr_currency: Option<String>,
    /// What it comes to in a month, in millionths of the currency's smallest unit.
    pub mrr_micros: Option<i64>,
    /// The link that can be used to come in.
    pub link_url: Option<String>,
    /// `join_request` or `single_member`.
    pub link_kind: Option<String>,
    /// Until when the link works; none: until it is revoked.
    pub link_expires: Option<DateTime<Utc>>,
    /// When who sits in its place took it.
    pub joined_at: Option<DateTime<Utc>>,
    /// Why an admin decided last.
    pub last_reason: Option<String>,
    /// Which admin did.
    pub last_by: Option<String>,
    /// When it was first heard of.
    pub created_at: DateTime<Utc>,
    /// When its last event was recorded.
    pub updated_at: DateTime<Utc>,
    /// Of its last event.
    pub position: i64,
    /// Of the stream.
    pub version: i64,
}

impl Row {
    fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.entitled && self.ends_at.is_some_and(|end| end <= now)
    }

    /// Whether it gives access at a time.
    #[must_use]
    pub fn has_access(&self, now: DateTime<Utc>) -> bool {
        self.entitled && !self.is_over(now)
    }

    /// By which rule it does, or does not.
    #[must_use]
    pub fn rule_at(&self, now: DateTime<Utc>) -> &str {
        if self.is_over(now) { &self.rule_after } else { &self.rule }
    }

    /// Where it stands at a time: what time alone ends is over before an event says so.
    #[must_use]
    pub fn status_at(&self, now: DateTime<Utc>) -> &str {
        if self.is_over(now) { subscription::Status::Ended.as_str() } else { &self.status }
    }
}

/// What the columns are made from.
struct Known {
    state: Subscription,
    joined_at: Option<DateTime<Utc>>,
    by_hand: Option<(String, String)>,
    ends_since: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    position: i64,
    version: i64,
}

impl Projection for Subscriptions {
    fn name(&self) -> &'static str {
        "subscriptions"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["subscriptions"]
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<(), ProjectionError>> {
        Box::pin(async move {
            let mut ours = vec![];
            for event in events {
                if let Fact::Subscription(fact) = &event.fact {
                    ours.push((stream_uuid(event)?, event, fact));
                }
            }
            if ours.is_empty() {
                return Ok(());
            }
            let failed = |source| ProjectionError::Database { projection: "subscriptions", source };
            let ids: Vec<Uuid> = ours.iter().map(|(id, ..)| *id).collect();
            let mut known = read(connection, &ids).await.map_err(failed)?;
            for (id, event, fact) in ours {
                match known.entry(id) {
                    Entry::Occupied(mut known) => known.get_mut().take(event, fact),
                    Entry::Vacant(new) => new.insert(Known::new(event)).take(event, fact),
                }
            }
            for (id, known) in &known {
                write(connection, *id, known).await.map_err(failed)?;
            }
            Ok(())
        })
    }
}

impl Known {
    fn new(event: &Event) -> Self {
        Self {
            state: Subscription::default(),
            joined_at: None,
            by_hand: None,
            ends_since: None,
            created_at: event.recorded_at,
            updated_at: event.recorded_at,
            position: 0,
            version: 0,
        }
    }

    fn take(&mut self, event: &Event, fact: &subscription::Event) {
        let before = self.state.ends_at();
        self.state.apply(fact.clone());
        if self.state.ends_at() != before {
            self.ends_since = Some(event.recorded_at);
        }
        if let subscription::Event::Joined { at, .. } = fact {
            self.joined_at = Some(*at);
        }
        if self.state.joined().is_none() {
            self.joined_at = None;
        }
        if let Some(by_hand) = by_hand(fact) {
            self.by_hand = Some((by_hand.reason.reveal().clone(), by_hand.by.reveal().clone()));
        }
        self.updated_at = event.recorded_at;
        self.position = event.position;
        self.version = event.sequence;
    }
}

/// Who decided it, and why; none when nobody did by hand.
const fn by_hand(fact: &subscription::Event) -> Option<&ByHand> {
    use subscription::Event;
    match fact {
        Event::Granted { by_hand, .. }
        | Event::Extended { by_hand, .. }
        | Event::Revoked { by_hand, .. }
        | Event::Restored { by_hand, .. }
        | Event::Transferred { by_hand, .. }
        | Event::CancelRequested { by_hand, .. }
        | Event::RefundRequested { by_hand, .. } => Some(by_hand),
        Event::Identified { by_hand, .. } => by_hand.as_ref(),
        Event::Observed { .. }
        | Event::InvoicePaid { .. }
        | Event::PaymentFailed { .. }
        | Event::ActionRequired { .. }
        | Event::Refunded { .. }
        | Event::DisputeOpened { .. }
        | Event::DisputeClosed { .. }
        | Event::Learned { .. }
        | Event::LinkIssued { .. }
        | Event::LinkRevoked { .. }
        | Event::Joined { .. }
        | Event::Lapsed { .. }
        | Event::CancelConfirmed { .. }
        | Event::CancelFailed { .. }
        | Event::RefundFailed { .. }
        | Event::Started { .. }
        | Event::Activated { .. }
        | Event::Invited { .. }
        | Event::TrialConverted { .. }
        | Event::Renewed { .. }
        | Event::PlanChanged { .. }
        | Event::PastDue { .. }
        | Event::Recovered { .. }
        | Event::CancelPlanned { .. }
        | Event::CancelWithdrawn { .. }
        | Event::Ended { .. }
        | Event::Reactivated { .. }
        | Event::AccessChanged { .. }
        | Event::MrrChanged { .. } => None,
    }
}

async fn read(connection: &mut PgConnection, ids: &[Uuid]) -> Result<BTreeMap<Uuid, Known>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select id, state as "state: Json<Subscription>", joined_at, last_reason, last_by, ends_since, created_at,
                  updated_at, position, version
             from subscriptions where id = any ($1)"#,
        ids
    )
    .fetch_all(connection)
    .await?;
    let known = rows.into_iter().map(|row| {
        let known = Known {
            state: row.state.0,
            joined_at: row.joined_at,
            by_hand: row.last_reason.zip(row.last_by),
            ends_since: row.ends_since,
            created_at: row.created_at,
            updated_at: row.updated_at,
            position: row.position,
            version: row.version,
        };
        (row.id, known)
    });
    Ok(known.collect())
}

const fn standing(stage: &Stage) -> Option<&'static str> {
    match stage {
        Stage::Active { standing, .. } => Some(match standing {
            Standing::Paid => "paid",
            Standing::Trial => "trial",
            Standing::Granted => "granted",
            Standing::Extended => "extended",
            Standing::UnknownStatus => "unknown_status",
        }),
        Stage::Pending | Stage::PastDue { .. } | Stage::Cancelling { .. } | Stage::Ended { .. } => None,
    }
}

const fn link_kind(kind: LinkKind) -> &'static str {
    match kind {
        LinkKind::JoinRequest => "join_request",
        LinkKind::SingleMember => "single_member",
    }
}

const fn cancelling(when: CancelWhen) -> &'static str {
    match when {
        CancelWhen::AtPeriodEnd => "at_period_end",
        CancelWhen::Now => "now",
    }
}

async fn write(connection: &mut PgConnection, id: Uuid, known: &Known) -> Result<(), sqlx::Error> {
    let state = &known.state;
    // Every event makes one, so there always is one.
    let Some(stage) = state.stage() else { return Ok(()) };
    let Some(says) = Access::of(id, state, known.position) else { return Ok(()) };
    let Party { email, account, plan } = state.party();
    let stripe = state.stripe();
    let (ended_at, past_due_since) = match stage {
        Stage::Ended { at, .. } => (Some(at), None),
        Stage::PastDue { since, .. } => (None, Some(since)),
        Stage::Pending | Stage::Active { .. } | Stage::Cancelling { .. } => (None, None),
    };
    let contract = state.latest().map(|latest| &latest.contract);
    let (mrr, link) = (state.mrr(), state.link());
    let (last_reason, last_by) = known.by_hand.clone().unzip();
    sqlx::query!(
        "insert into subscriptions (id, email, person, telegram_id, plan_id, plan_name, channel, origin, stripe_subscription, \
             stripe_customer, status, standing, entitled, rule, rule_after, ends_at, ended_at, past_due_since, cancelling, \
             period_end, trial_end, mrr_currency, mrr_micros, link_url, link_kind, link_expires, joined_at, last_reason, \
             last_by, created_at, updated_at, position, version, state, ends_since) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, \
             $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35) \
         on conflict (id) do update set email = $2, person = $3, telegram_id = $4, plan_id = $5, plan_name = $6, \
             channel = $7, origin = $8, stripe_subscription = $9, stripe_customer = $10, status = $11, standing = $12, \
             entitled = $13, rule = $14, rule_after = $15, ends_at = $16, ended_at = $17, past_due_since = $18, \
             cancelling = $19, period_end = $20, trial_end = $21, mrr_currency = $22, mrr_micros = $23, link_url = $24, \
             link_kind = $25, link_expires = $26, joined_at = $27, last_reason = $28, last_by = $29, updated_at = $31, \
             position = $32, version = $33, state = $34, ends_since = $35",
        id,
        email.as_ref().map(aggregates::Personal::reveal),
        account.as_ref().map(|account| account.person.0),
        account.as_ref().map(|account| *account.telegram.reveal()),
        plan.as_ref().map(|plan| plan.id),
        plan.as_ref().map(|plan| &plan.name),
        plan.as_ref().map(|plan| plan.channel),
        if stripe.is_some() { "stripe" } else { "grant" },
        stripe.map(|ids| &ids.subscription),
        stripe.and_then(|ids| ids.customer.as_ref()),
        says.status,
        standing(&stage),
        says.entitled,
        says.rule,
        says.rule_after,
        says.ends_at,
        ended_at,
        past_due_since,
        state.cancelling().map(cancelling),
        contract.and_then(subscription::Contract::paid_until),
        contract.and_then(|contract| contract.trial_end),
        mrr.map(|mrr| mrr.currency.as_str().to_owned()),
        mrr.map(|mrr| mrr.micros),
        link.map(|link| link.url.reveal()),
        link.map(|link| link_kind(link.kind)),
        link.and_then(|link| link.expires),
        known.joined_at,
        last_reason,
        last_by,
        known.created_at,
        known.updated_at,
        known.position,
        known.version,
        Json(state) as _,
        known.ends_since,
    )
    .execute(connection)
    .await?;
    Ok(())
}
