//! Access given to somebody who paid elsewhere, or whom we like; and taken away again.

use std::time::Duration;

use aggregates::{
    ByHand, Personal,
    plan::PlanRef,
    subscription::{Account, CancelWhen, Command, Seen, StripeIds, stripe_subscription_stream},
};
use poem_openapi::{OpenApi, param::Header, payload::Json};
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, Caller, SubscriptionsWrite},
    body::Body,
    grant_json::{By, Cancelling, GrantAnswer, Granted, Granting, When},
    mutation::{Changed, changed, once},
    problem::{Answer, Kind, Problem},
};
use crate::{app::App, executor::Wish, integrations::stripe::StripeError, log::Once, membership::account_of, stripe};

pub(super) struct Grants(pub(super) App);

/// How long an answer waits for the invite link, and between two looks.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(50);

#[OpenApi(tag = "Tags::Subscriptions")]
impl Grants {
    /// Give somebody access to the channel
    ///
    /// To who pays at Stripe, or by hand. Makes the subscription and answers with their link into the channel. With
    /// `Idempotency-Key` it is done once, and asking again shows what is so by then.
    ///
    /// Problems: plan-missing, subscription-exists, subscription-of-another, stripe-unavailable, stripe-silent, stripe-subscription-missing
    #[oai(path = "/telegram/grant-access", method = "post", operation_id = "grantAccess")]
    async fn grant(
        &self,
        caller: Allowed<SubscriptionsWrite>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<Granting>,
    ) -> Answer<GrantAnswer> {
        let once = once(&caller, idempotency_key.0, &["grant-access", &body.canonical])?;
        let account = match body.value.telegram_id {
            Some(telegram) => Some(account_of(&self.0, telegram).await.map_err(unavailable)?),
            None => None,
        };
        let email = body.value.email.clone().map(Personal::new);
        let reason = body.value.reason.clone().unwrap_or_else(|| "given over the API".to_owned());
        let by_hand = by_hand(&caller, reason);
        let id = match &body.value.by {
            By::Stripe(stripe) => self.at_stripe(&caller, stripe, email, account, by_hand, once).await?,
            By::Hand { plan, until } => {
                let plan = self.plan(*plan).await?;
                let command = Command::Grant { plan, email, account, until: *until, by_hand, at: self.0.clock.now() };
                let wish = Wish { command, cause: caller.cause(), once, expected: None };
                let done = self.0.subscriptions.send(&self.0.clock.new_id().to_string(), wish).await?;
                done.id.parse().map_err(|error: uuid::Error| Problem::from(Kind::Internal).because(error))?
            }
        };
        self.answer(id).await
    }

    /// Cancel a subscription
    ///
    /// At Stripe first, if it is there; the channel follows when Stripe has done it. What was given by hand ends at once,
    /// with the time that was added to it. (Time that was added to a subscription at Stripe still holds when that ends;
    /// `revokeTelegramSubscription` takes it away.)
    /// `getSubscription` shows how far it is.
    ///
    /// Problems: subscription-missing, subscription-ambiguous
    #[oai(path = "/telegram/cancel-subscription", method = "post", operation_id = "cancelSubscription")]
    async fn cancel(
        &self,
        caller: Allowed<SubscriptionsWrite>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<Cancelling>,
    ) -> Answer<Changed> {
        let once = once(&caller, idempotency_key.0, &["cancel-subscription", &body.canonical])?;
        if let Some(once) = &once
            && let Some(done) = self.0.subscriptions.answered(once).await?
        {
            return changed(&done);
        }
        let Cancelling { subscription, email, when, reason } = body.value;
        let id = match (subscription, email) {
            (Some(id), _) => id,
            (None, email) => self.only_one(&email.unwrap_or_default()).await?,
        };
        let when = match when {
            When::AtPeriodEnd => CancelWhen::AtPeriodEnd,
            When::Now => CancelWhen::Now,
        };
        let command = Command::RequestCancel { when, by_hand: by_hand(&caller, reason), at: self.0.clock.now() };
        let wish = Wish { command, cause: caller.cause(), once, expected: None };
        changed(&self.0.subscriptions.send(&id.to_string(), wish).await?)
    }
}

fn by_hand(caller: &Caller, reason: String) -> ByHand {
    ByHand { by: Personal::new(caller.actor()), reason: Personal::new(reason) }
}

fn unavailable(error: crate::jobs::JobError) -> Problem {
    Problem::from(Kind::DatabaseUnavailable).because(error)
}

impl Grants {
    /// Takes in a subscription at Stripe, and who it is for.
    async fn at_stripe(
        &self,
        caller: &Caller,
        id: &str,
        email: Option<Personal<String>>,
        account: Option<Account>,
        by_hand: ByHand,
        once: Option<Once>,
    ) -> Answer<Uuid> {
        if let Some(once) = &once
            && self.0.subscriptions.answered(once).await?.is_some()
        {
            return Ok(stripe_subscription_stream(id));
        }
        let client = self.0.stripe.as_ref().ok_or(Kind::StripeUnavailable)?;
        let asked_at = stripe::asked_at(&self.0).await.map_err(unavailable)?;
        let object = client.subscription(id).await.map_err(|error| match error {
            StripeError::Missing { .. } => Problem::from(Kind::StripeSubscriptionMissing),
            error => Problem::from(Kind::StripeSilent).because(error),
        })?;
        let stripe = StripeIds { subscription: object.id.clone(), customer: Some(object.customer.clone()) };
        let stream = stripe_subscription_stream(&object.id);
        stripe::take_in(&self.0, &caller.cause(), object, asked_at).await.map_err(unavailable)?;
        let command = Command::Identify {
            stripe,
            email,
            account,
            seen: Seen::Fetched { at: stripe::asked_at(&self.0).await.map_err(unavailable)? },
            // Who asks knows better than Stripe whom it is for, whatever Stripe says later.
            by_hand: Some(by_hand),
            at: self.0.clock.now(),
        };
        let wish = Wish { command, cause: caller.cause(), once, expected: None };
        self.0.subscriptions.send(&stream.to_string(), wish).await?;
        Ok(stream)
    }

    async fn plan(&self, id: Uuid) -> Answer<PlanRef> {
        // Asked of the plan itself: the read model may not show it yet.
        let looked = self.0.plans.look(&id.to_string(), |plan, _, _| plan.terms().cloned()).await?;
        let terms = looked.ok_or(Kind::PlanMissing)?;
        Ok(PlanRef { id, name: terms.name, channel: terms.channel })
    }

    /// The one subscription of an address that can be cancelled: one that gives no access any
    /// more can, while Stripe goes on collecting.
    async fn only_one(&self, email: &str) -> Answer<Uuid> {
        let rows = projections::subscriptions::of_email(&self.0.pool, email, 50).await?;
        let mut open = vec![];
        for id in rows.iter().map(|row| row.id) {
            if !self.0.subscriptions.look(&id.to_string(), |subscription, _, _| subscription.is_over()).await? {
                open.push(id);
            }
        }
        match open[..] {
            [one] => Ok(one),
            [] => Err(Kind::SubscriptionMissing.into()),
            _ => Err(Kind::SubscriptionAmbiguous.into()),
        }
    }

    /// What is so, as soon as the link is there, or when the patience is over.
    async fn answer(&self, id: Uuid) -> Answer<GrantAnswer> {
        let end = tokio::time::Instant::now() + PATIENCE;
        let stream = id.to_string();
        loop {
            let now = self.0.clock.now();
            let granted =
                self.0.subscriptions.look(&stream, |subscription, _, _| Granted::new(id, subscription, now)).await?;
            if !granted.has_access || granted.joined || granted.invite_link.is_some() {
                return Ok(GrantAnswer::Done(Json(granted)));
            }
            if tokio::time::Instant::now() > end {
                return Ok(GrantAnswer::Underway(Json(granted), format!("/api/telegram-subscriptions/{id}")));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
