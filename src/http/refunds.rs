//! Money that goes back to who paid it.

use aggregates::{
    ByHand, Personal,
    subscription::{Command, stripe_subscription_stream},
};
use poem_openapi::{Object, OpenApi, param::Header, types::Example};
use serde_json::Value;
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, SubscriptionsWrite},
    body::{Body, Fields, Input, id, text},
    mutation::{Changed, EXAMPLE_ID, changed, once},
    problem::{Answer, Kind, Problem},
};
use crate::{
    app::App,
    executor::Wish,
    integrations::stripe::StripeError,
    stripe::refund::{self, Of},
};

pub(super) struct Refunds(pub(super) App);

/// What is to go back.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none, deny_unknown_fields)]
struct Refund {
    /// The subscription whose last payment is meant. Or `invoice`, or `payment`.
    #[oai(nullable)]
    subscription_id: Option<Uuid>,
    /// The invoice at Stripe that was paid: `in_…`.
    #[oai(nullable)]
    invoice: Option<String>,
    /// The payment or the charge at Stripe: `pi_…` or `ch_…`.
    #[oai(nullable)]
    payment: Option<String>,
    /// How much, in the currency's smallest unit. Without it, all that is left.
    #[oai(nullable, validator(minimum(value = "1")))]
    amount_minor: Option<i64>,
    /// Why; 1 to 500 characters.
    reason: String,
}

impl Example for Refund {
    fn example() -> Self {
        Self {
            subscription_id: Some(Uuid::from_u128(EXAMPLE_ID)),
            invoice: None,
            payment: None,
            amount_minor: Some(1_500),
            reason: "a week without the channel".to_owned(),
        }
    }
}

/// The same, as it was read.
struct Refunding {
    of: Meant,
    amount_minor: Option<i64>,
    reason: String,
}

enum Meant {
    Subscription(Uuid),
    Invoice(String),
    Payment(String),
}

impl Input for Refunding {
    type Document = Refund;

    fn read(fields: &mut Fields) -> Option<Self> {
        let subscription = fields.optional("subscription_id", id);
        let invoice = fields.optional("invoice", |value| named(value, &["in_"]));
        let payment = fields.optional("payment", |value| named(value, &["pi_", "ch_", "py_"]));
        let amount_minor = fields.optional("amount_minor", |value| {
            value.as_i64().filter(|minor| *minor > 0).ok_or_else(|| "must be a whole number from 1".to_owned())
        });
        let reason = fields.required("reason", text);
        let of = match (subscription, invoice, payment) {
            (Some(id), None, None) => Meant::Subscription(id),
            (None, Some(invoice), None) => Meant::Invoice(invoice),
            (None, None, Some(payment)) => Meant::Payment(payment),
            _ => {
                fields.note("subscription_id", "must be given, or invoice, or payment, and only one of them");
                return None;
            }
        };
        Some(Self { of, amount_minor, reason: reason? })
    }
}

/// An id of Stripe's that begins so.
fn named(value: Value, beginnings: &[&str]) -> Result<String, String> {
    let text = text(value)?;
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if plain && text.len() <= 255 && beginnings.iter().any(|beginning| text.starts_with(beginning)) {
        return Ok(text);
    }
    Err(format!("must be an id of Stripe's that begins with {}", beginnings.join(" or ")))
}

#[OpenApi(tag = "Tags::Subscriptions")]
impl Refunds {
    /// Give money back
    ///
    /// At Stripe first; what went back is shown when Stripe has done it, and access follows `REFUND_POLICY`. Without an
    /// `Idempotency-Key`, asking twice gives back twice. `explainTelegramAccess` shows how far it is.
    ///
    /// Problems: subscription-missing, payment-missing, not-at-stripe, stripe-unavailable, stripe-silent
    #[oai(path = "/telegram/refund", method = "post", operation_id = "refundPayment")]
    async fn refund(
        &self,
        caller: Allowed<SubscriptionsWrite>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<Refunding>,
    ) -> Answer<Changed> {
        let once = once(&caller, idempotency_key.0, &["refund", &body.canonical])?;
        if let Some(once) = &once
            && let Some(done) = self.0.subscriptions.answered(once).await?
        {
            return changed(&done);
        }
        let stripe = self.0.stripe.as_ref().ok_or(Kind::StripeUnavailable)?;
        let Refunding { of, amount_minor, reason } = body.value;
        let found = match &of {
            Meant::Subscription(id) => {
                let at_stripe = self.at_stripe(*id).await?;
                refund::find(stripe, Of::Subscription(&at_stripe), amount_minor).await
            }
            Meant::Invoice(invoice) => refund::find(stripe, Of::Invoice(invoice), amount_minor).await,
            Meant::Payment(payment) => refund::find(stripe, Of::Payment(payment), amount_minor).await,
        };
        let (subscription, refund) = match found {
            Ok(Some(found)) => found,
            Ok(None) | Err(StripeError::Missing { .. }) => return Err(Kind::PaymentMissing.into()),
            Err(error) => return Err(Problem::from(Kind::StripeSilent).because(error)),
        };
        let by_hand = ByHand { by: Personal::new(caller.actor()), reason: Personal::new(reason) };
        let command = Command::RequestRefund { refund, by_hand, at: self.0.clock.now() };
        let wish = Wish { command, cause: caller.cause(), once, expected: None };
        let stream = stripe_subscription_stream(&subscription).to_string();
        changed(&self.0.subscriptions.send(&stream, wish).await?)
    }
}

impl Refunds {
    /// What a subscription is called at Stripe.
    async fn at_stripe(&self, id: Uuid) -> Answer<String> {
        let stream = id.to_string();
        let looked = self.0.subscriptions.look(&stream, |subscription, version, _| {
            (version > 0, subscription.stripe().map(|ids| ids.subscription.clone()))
        });
        match looked.await? {
            (_, Some(subscription)) => Ok(subscription),
            (true, None) => Err(Kind::NotAtStripe.into()),
            (false, None) => Err(Kind::SubscriptionMissing.into()),
        }
    }
}
