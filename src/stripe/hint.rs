//! What an event says may have changed.

use serde_json::Value;

use crate::integrations::stripe::object::{Event, Node, Object, ObjectError};

/// What an event hints at. The ids are Stripe's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// A subscription was made, changed, paused, resumed or ended, or its trial ends soon.
    Subscription {
        /// Which.
        id: String,
        /// What happened.
        change: SubscriptionChange,
    },
    /// An invoice was paid, or its payment failed.
    Invoice {
        /// Which.
        id: String,
        /// What happened.
        change: InvoiceChange,
    },
    /// Somebody was on the payment page.
    Checkout {
        /// The session.
        id: String,
        /// What came of it.
        change: CheckoutChange,
    },
    /// Some of a charge, or all of it, was given back.
    ChargeRefunded {
        /// The charge.
        id: String,
    },
    /// A payer's bank wants money back, or has decided.
    Dispute {
        /// The dispute.
        id: String,
        /// Whether it is decided.
        closed: bool,
    },
    /// A customer has another address or name, or is gone.
    Customer {
        /// Which.
        id: String,
        /// Whether it is gone.
        deleted: bool,
    },
    /// Nothing that matters here.
    Nothing,
}

/// What happened to a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionChange {
    /// It was made.
    Created,
    /// Anything about it changed.
    Updated,
    /// It is over.
    Deleted,
    /// Its trial ended without a way to pay.
    Paused,
    /// It goes on.
    Resumed,
    /// Its trial ends in three days.
    TrialWillEnd,
}

/// What happened to an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvoiceChange {
    /// It was paid.
    Paid,
    /// A payment was tried in vain.
    PaymentFailed,
    /// The payer has to confirm the payment.
    ActionRequired,
}

/// What came of a checkout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckoutChange {
    /// Its customer is done.
    Completed,
    /// The money came later.
    PaymentSucceeded,
    /// The money did not come.
    PaymentFailed,
    /// Nobody finished it.
    Expired,
}

enum About {
    Subscription(SubscriptionChange),
    Invoice(InvoiceChange),
    Checkout(CheckoutChange),
    Refund,
    Dispute { closed: bool },
    Customer { deleted: bool },
}

fn about(kind: &str) -> Option<About> {
    use About::{Checkout, Customer, Dispute, Invoice, Refund, Subscription};
    Some(match kind {
        "customer.subscription.created" => Subscription(SubscriptionChange::Created),
        "customer.subscription.updated" => Subscription(SubscriptionChange::Updated),
        "customer.subscription.deleted" => Subscription(SubscriptionChange::Deleted),
        "customer.subscription.paused" => Subscription(SubscriptionChange::Paused),
        "customer.subscription.resumed" => Subscription(SubscriptionChange::Resumed),
        "customer.subscription.trial_will_end" => Subscription(SubscriptionChange::TrialWillEnd),
        // Until 2019 there was only the second.
        "invoice.paid" | "invoice.payment_succeeded" => Invoice(InvoiceChange::Paid),
        "invoice.payment_failed" => Invoice(InvoiceChange::PaymentFailed),
        "invoice.payment_action_required" => Invoice(InvoiceChange::ActionRequired),
        "checkout.session.completed" => Checkout(CheckoutChange::Completed),
        "checkout.session.async_payment_succeeded" => Checkout(CheckoutChange::PaymentSucceeded),
        "checkout.session.async_payment_failed" => Checkout(CheckoutChange::PaymentFailed),
        "checkout.session.expired" => Checkout(CheckoutChange::Expired),
        "charge.refunded" => Refund,
        // An inquiry becomes a dispute by the second.
        "charge.dispute.created" | "charge.dispute.updated" => Dispute { closed: false },
        "charge.dispute.closed" => Dispute { closed: true },
        "customer.updated" => Customer { deleted: false },
        "customer.deleted" => Customer { deleted: true },
        _ => return None,
    })
}

/// Whether events of this type are worked; all others are only kept.
#[must_use]
pub fn is_worked(kind: &str) -> bool {
    about(kind).is_some()
}

/// Reads the body of a webhook.
///
/// # Errors
/// [`ObjectError`]: it is no event.
pub fn parse(body: &[u8]) -> Result<Event, ObjectError> {
    // Not JSON is null: an event without anything.
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    Event::read(&Node::root(&json, "event"))
}

impl Hint {
    /// What an event hints at.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        let (Some(about), Some(id)) = (about(&event.kind), event.object_id()) else { return Self::Nothing };
        let id = id.to_owned();
        match about {
            About::Subscription(change) => Self::Subscription { id, change },
            About::Invoice(change) => Self::Invoice { id, change },
            About::Checkout(change) => Self::Checkout { id, change },
            About::Refund => Self::ChargeRefunded { id },
            About::Dispute { closed } => Self::Dispute { id, closed },
            About::Customer { deleted } => Self::Customer { id, deleted },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: &str, object: Value) -> Event {
        let body = json!({ "id": "evt_1", "type": kind, "created": 1_800_000_000, "data": { "object": object } });
        parse(body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn every_type_says_what_may_have_changed() {
        let id = || "x_1".to_owned();
        let subscription = |change| Hint::Subscription { id: id(), change };
        for (kind, hint) in [
            ("customer.subscription.created", subscription(SubscriptionChange::Created)),
            ("customer.subscription.trial_will_end", subscription(SubscriptionChange::TrialWillEnd)),
            ("invoice.paid", Hint::Invoice { id: id(), change: InvoiceChange::Paid }),
            ("invoice.payment_succeeded", Hint::Invoice { id: id(), change: InvoiceChange::Paid }),
            ("checkout.session.expired", Hint::Checkout { id: id(), change: CheckoutChange::Expired }),
            ("charge.refunded", Hint::ChargeRefunded { id: id() }),
            ("charge.dispute.updated", Hint::Dispute { id: id(), closed: false }),
            ("charge.dispute.closed", Hint::Dispute { id: id(), closed: true }),
            ("customer.deleted", Hint::Customer { id: id(), deleted: true }),
            ("invoice.finalized", Hint::Nothing),
            ("customer.subscription", Hint::Nothing),
        ] {
            assert_eq!(Hint::of(&event(kind, json!({ "id": "x_1" }))), hint, "{kind}");
            assert_eq!(is_worked(kind), hint != Hint::Nothing, "{kind}");
        }
        // An invoice that is only announced has no id.
        assert_eq!(Hint::of(&event("invoice.payment_failed", json!({ "object": "invoice" }))), Hint::Nothing);
    }

    #[test]
    fn what_is_no_event_says_where_it_is_not() {
        for (body, path) in [
            (&b"nonsense"[..], "event.id"),
            (b"[]", "event.id"),
            (br#"{"id":"evt_1","type":7}"#, "event.type"),
            (br#"{"id":"evt_1","type":"invoice.paid","created":1,"data":{}}"#, "event.data.object"),
        ] {
            assert_eq!(parse(body).unwrap_err().path, path);
        }
    }
}
