//! Cancelling a subscription at Stripe, because somebody asked for it here.

use aggregates::subscription::{CancelWhen, Command};
use uuid::Uuid;

use crate::{
    app::App,
    executor::Wish,
    integrations::stripe::{StripeError, StripeKey},
    jobs::JobError,
    log::Cause,
};

/// Cancels a subscription at Stripe as it was wished at `position`, and tells it what
/// came of that. Done again, it comes to the same: the wish has one key there.
///
/// # Errors
/// [`JobError`].
pub(crate) async fn cancel(
    app: &App,
    cause: &Cause,
    id: Uuid,
    subscription: &str,
    when: CancelWhen,
    position: i64,
) -> Result<(), JobError> {
    let Some(stripe) = &app.stripe else {
        return Err(JobError::Later {
            reason: "no STRIPE_SECRET_KEY here".to_owned(),
            after: std::time::Duration::from_secs(60),
        });
    };
    let key = StripeKey::new(&format!("cancel:{subscription}:{position}"));
    let asked_at = super::asked_at(app).await?;
    let cancelled = match when {
        CancelWhen::Now => stripe.cancel_now(subscription, &key).await,
        CancelWhen::AtPeriodEnd => stripe.cancel_at_period_end(subscription, true, &key).await,
    };
    let command = match cancelled {
        Ok(object) => {
            super::take_in(app, cause, object, asked_at).await?;
            Command::ConfirmCancel { when, at: app.clock.now() }
        }
        // What has ended cannot be cancelled, and is called missing, too. It can still be looked at.
        Err(StripeError::Missing { .. }) => {
            let asked_at = app.clock.now();
            match stripe.subscription(subscription).await {
                Ok(object) => {
                    super::take_in(app, cause, object, asked_at).await?;
                    Command::ConfirmCancel { when, at: app.clock.now() }
                }
                Err(error @ StripeError::Missing { .. }) => return fail(app, cause, id, when, &error).await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(error @ StripeError::Unauthorized { .. }) => return Err(error.into()),
        Err(error) if error.is_transient() => return Err(error.into()),
        Err(error) => return fail(app, cause, id, when, &error).await,
    };
    send(app, cause, id, command).await
}

/// Stripe will not: the subscription says so, and a person has to look.
async fn fail(app: &App, cause: &Cause, id: Uuid, when: CancelWhen, error: &StripeError) -> Result<(), JobError> {
    let failed = Command::FailCancel { when, error: error.to_string(), at: app.clock.now() };
    send(app, cause, id, failed).await?;
    Err(JobError::fail(error))
}

async fn send(app: &App, cause: &Cause, id: Uuid, command: Command) -> Result<(), JobError> {
    let wish = Wish { command, cause: cause.clone(), once: None, expected: None };
    let sent = app.subscriptions.send(&id.to_string(), wish).await;
    sent.map(drop).map_err(|error| crate::membership::retry(&error))
}
