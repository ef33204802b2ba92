//! Giving money back at Stripe, because somebody asked for it here.

use aggregates::subscription::{Command, RefundWish};
use uuid::Uuid;

use super::{Observation, Observed, Source, apply, hint::Hint};
use crate::{
    app::App,
    executor::Wish,
    integrations::stripe::{
        Paid, Refund, RefundReason, Stripe, StripeError, StripeKey,
        object::{Invoice, InvoiceStatus},
    },
    jobs::JobError,
    log::Cause,
};

/// Gives back what was wished at `position`, and takes in what that came to. Done again, it
/// is done once: the wish has one key at Stripe. A failure of Stripe's own that it repeats
/// under that key is for a person to look at.
///
/// # Errors
/// [`JobError`].
pub(crate) async fn refund(
    app: &App,
    cause: &Cause,
    id: Uuid,
    subscription: &str,
    wish: &RefundWish,
    position: i64,
) -> Result<(), JobError> {
    let Some(stripe) = &app.stripe else {
        return Err(JobError::Later {
            reason: "no STRIPE_SECRET_KEY here".to_owned(),
            after: std::time::Duration::from_secs(60),
        });
    };
    let key = StripeKey::new(&format!("refund:{subscription}:{position}"));
    let refund = Refund {
        of: Paid::by(&wish.paid_by),
        amount: wish.amount_minor,
        reason: Some(RefundReason::RequestedByCustomer),
    };
    let charge = match stripe.refund(&refund, &key).await {
        Ok(part) => part.charge,
        Err(error @ StripeError::Unauthorized { .. }) => return Err(error.into()),
        Err(error) if error.is_transient() => return Err(error.into()),
        Err(error) => {
            let command = Command::FailRefund { refund: wish.clone(), error: error.to_string(), at: app.clock.now() };
            let failed = Wish { command, cause: cause.clone(), once: None, expected: None };
            let sent = app.subscriptions.send(&id.to_string(), failed).await;
            sent.map_err(|error| crate::membership::retry(&error))?;
            return Err(JobError::fail(&error));
        }
    };
    // Its event says so, too, and when; this is for whoever looks at once.
    let Some(charge) = charge else { return Ok(()) };
    let asked_at = super::asked_at(app).await?;
    let charge = stripe.charge(&charge).await?;
    let observed = Observed {
        event: String::new(),
        at: asked_at,
        hint: Hint::ChargeRefunded { id: charge.id.clone() },
        source: Source::Fetched(asked_at),
        object: Observation::Charge(charge.into(), Some(wish.invoice.clone())),
        told: None,
    };
    apply::apply(app, cause, &observed).await.map(drop)
}

/// What somebody wants money back of.
pub(crate) enum Of<'a> {
    /// The last invoice of this subscription that something was paid of.
    Subscription(&'a str),
    /// This invoice.
    Invoice(&'a str),
    /// The invoice that was paid by this payment or charge.
    Payment(&'a str),
}

/// Looks up at Stripe which subscription's money that is; answers Stripe's id of the
/// subscription and what is to go back. None when it is nobody's, or nothing was paid.
///
/// # Errors
/// [`StripeError`].
pub(crate) async fn find(
    stripe: &Stripe,
    of: Of<'_>,
    amount_minor: Option<i64>,
) -> Result<Option<(String, RefundWish)>, StripeError> {
    let (invoice, paid_by) = match of {
        Of::Subscription(subscription) => (stripe.last_paid_invoice(subscription).await?, None),
        Of::Invoice(id) => (Some(stripe.invoice(id).await?), None),
        Of::Payment(id) => {
            let invoice = match Paid::by(id) {
                Paid::Charge(charge) => stripe.invoice_of_charge(&stripe.charge(&charge).await?).await?,
                Paid::Payment(payment) => stripe.invoice_of_payment(&payment).await?,
            };
            let Some(invoice) = invoice else { return Ok(None) };
            (Some(stripe.invoice(&invoice).await?), Some(id.to_owned()))
        }
    };
    let Some(invoice) = invoice.filter(|invoice| invoice.status == InvoiceStatus::Paid) else { return Ok(None) };
    let found = |invoice: Invoice| {
        // The last payment paid it; those before it failed.
        let paid_by = paid_by.or_else(|| invoice.payment_intents.last().cloned()).or(invoice.charge)?;
        Some((invoice.subscription?, RefundWish { paid_by, invoice: invoice.id?, amount_minor }))
    };
    Ok(found(invoice))
}
