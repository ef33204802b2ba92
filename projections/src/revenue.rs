//! What subscriptions earn: facts with the instants at which they took effect by
//! Stripe's time, from which every figure of every past moment is added up.
//!
//! Stripe's news comes late and in any order. So what changed in a subscriber's monthly
//! revenue is not taken from how we learned of it: all accounts of their subscriptions
//! are kept, and with each new one the changes are made again from all of them, in
//! Stripe's order (see `history`). The tables thus depend on what is known, and not on
//! when it came to be known; to ask for a figure costs no more than to add up.

mod failed;
mod figures;
mod history;

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    Fact,
    subscription::{self, DisputeFacts, DisputeStatus, InvoiceFacts, Latest, Past, RefundFacts, StripeIds},
};
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{Event, Projection, ProjectionError, stream_uuid};
pub use failed::{FailedPayment, failed_payments, fits};
pub use figures::{Figures, FiguresError, Money, Month, Moves, Rolling, Span, figures, is_time_zone, months};
pub use history::Kind;
use history::{Life, Movement, life, movements};

/// The projection.
pub struct Revenue;

impl Projection for Revenue {
    fn name(&self) -> &'static str {
        "revenue"
    }

    fn tables(&self) -> &'static [&'static str] {
        &[
            "revenue_accounts",
            "revenue_subscriptions",
            "revenue_movements",
            "revenue_payments",
            "revenue_failures",
            "revenue_refunds",
            "revenue_disputes",
        ]
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<(), ProjectionError>> {
        Box::pin(async move {
            let mut news = News::default();
            for event in events {
                let Fact::Subscription(fact) = &event.fact else { continue };
                news.take(connection, stream_uuid(event)?, event.position, fact).await.map_err(database)?;
            }
            news.settle(connection).await.map_err(database)
        })
    }
}

fn database(source: sqlx::Error) -> ProjectionError {
    ProjectionError::Database { projection: "revenue", source }
}

/// Subscriptions of which something new is known.
#[derive(Default)]
struct News {
    /// With their ids at Stripe.
    ids: BTreeMap<Uuid, (String, Option<String>)>,
    /// Those whose history is to be read anew.
    told: BTreeSet<Uuid>,
}

impl News {
    async fn take(
        &mut self,
        connection: &mut PgConnection,
        id: Uuid,
        position: i64,
        fact: &subscription::Event,
    ) -> Result<(), sqlx::Error> {
        use subscription::Event as E;
        match fact {
            E::Observed { stripe, latest, .. } => {
                self.hear(id, stripe);
                self.told.insert(id);
                insert_account(connection, id, position, latest).await
            }
            E::Learned { stripe, past, at } => {
                self.hear(id, stripe);
                match past {
                    Past::Observed(latest) => {
                        self.told.insert(id);
                        insert_account(connection, id, position, latest).await
                    }
                    Past::PaymentFailed(invoice) => insert_failure(connection, id, invoice, *at).await,
                    Past::Refunded(refund) => insert_refund(connection, id, refund).await,
                }
            }
            E::InvoicePaid { stripe, invoice, at, .. } => {
                self.hear(id, stripe);
                insert_payment(connection, id, invoice, *at).await
            }
            E::PaymentFailed { stripe, invoice, at, .. } => {
                self.hear(id, stripe);
                insert_failure(connection, id, invoice, *at).await
            }
            E::Refunded { stripe, refund, .. } => {
                self.hear(id, stripe);
                insert_refund(connection, id, refund).await
            }
            E::DisputeClosed { stripe, dispute, .. } => {
                self.hear(id, stripe);
                insert_dispute(connection, id, dispute).await
            }
            E::DisputeOpened { stripe, .. } | E::Identified { stripe, .. } | E::ActionRequired { stripe, .. } => {
                self.hear(id, stripe);
                Ok(())
            }
            // What was decided here earns nothing, and what the facts came to is read from them.
            E::Granted { .. }
            | E::Extended { .. }
            | E::Revoked { .. }
            | E::Restored { .. }
            | E::Transferred { .. }
            | E::LinkIssued { .. }
            | E::Invited { .. }
            | E::LinkRevoked { .. }
            | E::Joined { .. }
            | E::Lapsed { .. }
            | E::CancelRequested { .. }
            | E::CancelConfirmed { .. }
            | E::CancelFailed { .. }
            | E::RefundRequested { .. }
            | E::RefundFailed { .. }
            | E::Started { .. }
            | E::Activated { .. }
            | E::TrialConverted { .. }
            | E::Renewed { .. }
            | E::PlanChanged { .. }
            | E::PastDue { .. }
            | E::Recovered { .. }
            | E::CancelPlanned { .. }
            | E::CancelWithdrawn { .. }
            | E::Ended { .. }
            | E::Reactivated { .. }
            | E::AccessChanged { .. }
            | E::MrrChanged { .. } => Ok(()),
        }
    }

    fn hear(&mut self, id: Uuid, stripe: &StripeIds) {
        let known = self.ids.entry(id).or_insert_with(|| (stripe.subscription.clone(), None));
        if known.1.is_none() {
            known.1.clone_from(&stripe.customer);
        }
    }

    /// Makes the changes of all those again of whom something new is known.
    async fn settle(self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.ids.is_empty() {
            return Ok(());
        }
        let told: Vec<Uuid> = self.told.into_iter().collect();
        let ids: Vec<Uuid> = self.ids.keys().copied().collect();
        let known = subscribers(connection, &ids).await?;
        let names: Vec<&str> = self.ids.values().map(|(stripe, _)| stripe.as_str()).collect();
        let customers: Vec<Option<&str>> = self.ids.values().map(|(_, customer)| customer.as_deref()).collect();
        sqlx::query!(
            "insert into revenue_subscriptions (subscription_id, stripe, customer) \
             select * from unnest($1::uuid[], $2::text[], $3::text[]) \
             on conflict (subscription_id) \
             do update set customer = coalesce(revenue_subscriptions.customer, excluded.customer)",
            &ids,
            &names as &[&str],
            &customers as &[Option<&str>],
        )
        .execute(&mut *connection)
        .await?;
        let now = subscribers(connection, &ids).await?;
        // Who is called otherwise since their customer is known, is no subscriber of their own any more.
        let moved = known.iter().filter(|(id, was)| now.get(*id) != Some(*was)).map(|(id, was)| (*id, was.clone()));
        let mut touched: BTreeSet<String> = BTreeSet::new();
        for (id, was) in moved {
            touched.insert(was);
            touched.extend(now.get(&id).cloned());
        }
        touched.extend(told.iter().filter_map(|id| now.get(id).cloned()));
        let touched: Vec<String> = touched.into_iter().collect();
        if touched.is_empty() { Ok(()) } else { retell(connection, &touched).await }
    }
}

/// Who subscribes.
async fn subscribers(connection: &mut PgConnection, ids: &[Uuid]) -> Result<BTreeMap<Uuid, String>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select subscription_id, subscriber as "subscriber!" from revenue_subscriptions where subscription_id = any($1)"#,
        ids
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.subscription_id, row.subscriber)).collect())
}

/// Makes the changes of subscribers again, from all that is known of their subscriptions.
async fn retell(connection: &mut PgConnection, subscribers: &[String]) -> Result<(), sqlx::Error> {
    let rows = sqlx::query!(
        r#"select s.subscriber as "subscriber!", s.subscription_id, a.latest as "latest: Json<Latest>"
             from revenue_subscriptions s join revenue_accounts a using (subscription_id)
            where s.subscriber = any($1)
            order by s.subscription_id, a.position"#,
        subscribers
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut accounts: BTreeMap<String, BTreeMap<Uuid, Vec<Latest>>> = BTreeMap::new();
    for row in rows {
        let of = accounts.entry(row.subscriber).or_default().entry(row.subscription_id).or_default();
        of.push(row.latest.0);
    }
    let mut lives: Vec<(Uuid, Life)> = vec![];
    let mut changes: Vec<(String, Movement)> = vec![];
    for (subscriber, subscriptions) in accounts {
        let told: Vec<(Uuid, Life)> = subscriptions.into_iter().map(|(id, accounts)| (id, life(accounts))).collect();
        let steps: Vec<_> = told.iter().map(|(_, life)| life.steps.clone()).collect();
        changes.extend(movements(&steps).into_iter().map(|movement| (subscriber.clone(), movement)));
        lives.extend(told);
    }
    write_lives(connection, &lives).await?;
    sqlx::query!("delete from revenue_movements where subscriber = any($1)", subscribers)
        .execute(&mut *connection)
        .await?;
    write_movements(connection, &changes).await
}

async fn write_lives(connection: &mut PgConnection, lives: &[(Uuid, Life)]) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = lives.iter().map(|(id, _)| *id).collect();
    let stopped: Vec<String> = lives.iter().map(|(_, life)| ranges(&life.stopped)).collect();
    let trials = || lives.iter().map(|(_, life)| life.trial.as_ref());
    let currencies: Vec<Option<&str>> = trials().map(|trial| trial.map(|trial| trial.currency.as_str())).collect();
    let over: Vec<Option<DateTime<Utc>>> = trials().map(|trial| trial.map(|trial| trial.ended_at)).collect();
    let converted: Vec<bool> = trials().map(|trial| trial.is_some_and(|trial| trial.converted)).collect();
    sqlx::query!(
        "update revenue_subscriptions s \
            set stopped = l.stopped::tstzmultirange, trial_currency = l.currency, trial_ended_at = l.over, converted = l.converted \
           from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::boolean[]) \
                as l (id, stopped, currency, over, converted) \
          where s.subscription_id = l.id",
        &ids,
        &stopped,
        &currencies as &[Option<&str>],
        &over as &[Option<DateTime<Utc>>],
        &converted,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// As PostgreSQL reads it.
fn ranges(spans: &[(DateTime<Utc>, Option<DateTime<Utc>>)]) -> String {
    let range = |(start, end): &(DateTime<Utc>, Option<DateTime<Utc>>)| {
        format!("[{},{})", start.to_rfc3339(), end.map(|end| end.to_rfc3339()).unwrap_or_default())
    };
    format!("{{{}}}", spans.iter().map(range).collect::<Vec<_>>().join(","))
}

async fn write_movements(connection: &mut PgConnection, changes: &[(String, Movement)]) -> Result<(), sqlx::Error> {
    let subscribers: Vec<&str> = changes.iter().map(|(subscriber, _)| subscriber.as_str()).collect();
    let currencies: Vec<&str> = changes.iter().map(|(_, change)| change.currency.as_str()).collect();
    let times: Vec<DateTime<Utc>> = changes.iter().map(|(_, change)| change.at).collect();
    let kinds: Vec<&str> = changes.iter().map(|(_, change)| change.kind.as_str()).collect();
    let held = |change: &Movement| {
        let exact = i64::try_from(change.by.numerator()).ok().zip(i64::try_from(change.by.denominator()).ok());
        // More than all the money there is.
        exact.unwrap_or((i64::try_from(change.by.rounded()).unwrap_or(i64::MAX), 1))
    };
    let (numerators, denominators): (Vec<i64>, Vec<i64>) = changes.iter().map(|(_, change)| held(change)).unzip();
    sqlx::query!(
        "insert into revenue_movements (subscriber, currency, effective, kind, numerator, denominator) \
         select * from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::bigint[], $6::bigint[])",
        &subscribers as &[&str],
        &currencies as &[&str],
        &times,
        &kinds as &[&str],
        &numerators,
        &denominators,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_account(
    connection: &mut PgConnection,
    id: Uuid,
    position: i64,
    latest: &Latest,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into revenue_accounts (position, subscription_id, latest) values ($1, $2, $3)",
        position,
        id,
        Json(latest) as Json<&Latest>,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_payment(
    connection: &mut PgConnection,
    id: Uuid,
    invoice: &InvoiceFacts,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into revenue_payments (invoice, subscription_id, currency, minor, paid_at) values ($1, $2, $3, $4, $5) \
         on conflict (invoice) do nothing",
        invoice.id,
        id,
        invoice.currency.as_str(),
        invoice.paid_minor,
        invoice.at.unwrap_or(at),
    )
    .execute(&mut *connection)
    .await?;
    // Those that failed before: each is asked for by whether it is paid.
    sqlx::query!(
        "update revenue_failures f set paid_at = p.paid_at from revenue_payments p \
          where f.invoice = $1 and p.invoice = $1",
        invoice.id,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_failure(
    connection: &mut PgConnection,
    id: Uuid,
    invoice: &InvoiceFacts,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into revenue_failures \
                (invoice, attempt, subscription_id, currency, minor, failed_at, next_attempt_at, paid_at) \
         values ($1, $2, $3, $4, $5, $6, $7, (select paid_at from revenue_payments where invoice = $1)) \
         on conflict (invoice, attempt) do nothing",
        invoice.id,
        i32::try_from(invoice.attempts.max(1)).unwrap_or(i32::MAX),
        id,
        invoice.currency.as_str(),
        invoice.due_minor,
        invoice.at.unwrap_or(at),
        invoice.next_attempt_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_refund(connection: &mut PgConnection, id: Uuid, refund: &RefundFacts) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into revenue_refunds (charge, total, subscription_id, currency, refunded_at) values ($1, $2, $3, $4, $5) \
         on conflict (charge, total) do nothing",
        refund.charge,
        refund.refunded_minor,
        id,
        refund.currency.as_str(),
        refund.at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_dispute(connection: &mut PgConnection, id: Uuid, dispute: &DisputeFacts) -> Result<(), sqlx::Error> {
    if dispute.status != DisputeStatus::Lost {
        return Ok(());
    }
    sqlx::query!(
        "insert into revenue_disputes (dispute, subscription_id, currency, minor, lost_at) values ($1, $2, $3, $4, $5) \
         on conflict (dispute) do nothing",
        dispute.dispute,
        id,
        dispute.currency.as_str(),
        dispute.amount_minor,
        dispute.at,
    )
    .execute(connection)
    .await?;
    Ok(())
}
