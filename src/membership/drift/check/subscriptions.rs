//! What subscriptions are at Stripe, and what was known here.

use std::time::Duration;

use aggregates::subscription::{Contract, stripe_subscription_stream};
use chrono::{DateTime, Utc};
use projections::duties;
use uuid::Uuid;

use super::{super::Kind, Check, PAGE};
use crate::{
    integrations::stripe::{StripeError, object::Subscription},
    jobs::JobError,
    stripe,
};

/// How long it waits when Stripe asks for it and does not say how long.
const BUSY: Duration = Duration::from_secs(5);

impl Check<'_> {
    /// Every subscription at Stripe that may still change.
    pub(super) async fn subscriptions(&mut self) -> Result<(), JobError> {
        let Some(stripe) = &self.app.stripe else { return Ok(()) };
        loop {
            let page = duties::at_stripe(&self.app.pool, self.so_far.subscription.as_deref(), PAGE).await;
            let page = page.map_err(|error| JobError::retry(&error))?;
            if page.is_empty() {
                break;
            }
            for id in page {
                self.so_far.subscription = Some(id.clone());
                let stream = stripe_subscription_stream(&id);
                let asked_at = stripe::asked_at(self.app).await?;
                match stripe.subscription(&id).await {
                    Ok(object) => self.subscription(stream, object, asked_at).await?,
                    Err(StripeError::Missing { .. }) => {
                        self.note(Kind::MissingAtStripe, None, Some(stream), "is not known at Stripe", false).await?;
                    }
                    Err(error @ StripeError::Unauthorized { .. }) => return Err(error.into()),
                    Err(ref error @ StripeError::Busy { after, .. }) => {
                        let after = after.unwrap_or(BUSY);
                        return Err(JobError::Later { reason: error.to_string(), after });
                    }
                    Err(error) => {
                        self.note(Kind::NotAnswered, None, Some(stream), &error.to_string(), false).await?;
                        if error.is_transient() {
                            self.silent(|| error.into())?;
                        }
                        continue;
                    }
                }
                self.so_far.subscriptions_checked += 1;
                self.answered().await?;
            }
        }
        Ok(())
    }

    /// One subscription, as Stripe shows it.
    async fn subscription(
        &mut self,
        stream: Uuid,
        object: Subscription,
        asked_at: DateTime<Utc>,
    ) -> Result<(), JobError> {
        let known = self
            .app
            .subscriptions
            .look(&stream.to_string(), |subscription, _, _| subscription.latest().map(|latest| latest.contract.clone()))
            .await;
        let known = known.map_err(|error| JobError::retry(&error))?;
        let is = stripe::contract(self.app, &object).await?;
        if known.as_ref() == Some(&is) {
            return Ok(());
        }
        let mut detail = differs(known.as_ref(), &is);
        let repaired = match self.repair {
            true => match stripe::take_in(self.app, self.cause, object, asked_at).await {
                Ok(()) => true,
                Err(error @ JobError::Later { .. }) => return Err(error),
                Err(error) => {
                    detail = format!("{detail}; it could not be taken in: {error}");
                    false
                }
            },
            false => false,
        };
        self.note(Kind::StripeDiffers, None, Some(stream), &detail, repaired).await
    }
}

/// In what a subscription is otherwise at Stripe than it was taken to be.
fn differs(known: Option<&Contract>, is: &Contract) -> String {
    let Some(known) = known else { return format!("is {:?} at Stripe, and nothing was known here", is.status) };
    if known.status != is.status {
        return format!("is {:?} at Stripe, and {:?} was known here", is.status, known.status);
    }
    let parts = [
        ("the plan", known.plan != is.plan),
        ("what is sold", known.items != is.items),
        ("the discounts", known.discounts != is.discounts),
        ("the period", known.period != is.period),
        ("its end", known.ends_at() != is.ends_at() || known.ended_at != is.ended_at),
    ];
    let parts: Vec<&str> = parts.into_iter().filter(|(_, other)| *other).map(|(part, _)| part).collect();
    let parts = if parts.is_empty() { "a detail".to_owned() } else { parts.join(", ") };
    format!("is {:?}, as it was known here, but not the same: {parts}", is.status)
}
