//! What is known for sure after an event: the object as it is now.

use chrono::{DateTime, Utc};

use super::Hint;
use crate::{
    app::App,
    integrations::stripe::{
        Stripe, StripeError,
        object::{Charge, Customer, Dispute, Event, Invoice, Session, Subscription},
    },
    jobs::JobError,
};

/// How an object is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Stripe was asked, and answered at this instant or later.
    Fetched(DateTime<Utc>),
    /// As it stood in the event, which happened then. A later state may be known already.
    Payload(DateTime<Utc>),
}

/// The object an event was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// A subscription.
    Subscription(Box<Subscription>),
    /// An invoice.
    Invoice(Box<Invoice>),
    /// A checkout.
    Session(Box<Session>),
    /// A charge, and the invoice it paid if that could be found.
    Charge(Box<Charge>, Option<String>),
    /// A dispute, and the invoice that was paid by the charge in dispute if that could be found.
    Dispute(Box<Dispute>, Option<String>),
    /// A customer, perhaps one that is no more.
    Customer(Box<Customer>),
    /// Stripe does not know it (any more).
    Missing,
}

/// What came of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The event's id.
    pub event: String,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What it hinted at.
    pub hint: Hint,
    /// How the object is known.
    pub source: Source,
    /// The object.
    pub object: Observation,
    /// The object as it stood in the event, where Stripe was asked for it. What is so is
    /// asked for; when it came to be so, and what was so before it was asked for, only the
    /// event says.
    pub told: Option<Observation>,
}

impl Observed {
    /// In a few words without personal data, for the list of events.
    #[must_use]
    pub fn outcome(&self) -> String {
        let source = match self.source {
            Source::Fetched(_) => "fetched",
            Source::Payload(_) => "from the event",
        };
        let (name, id, status) = match &self.object {
            Observation::Subscription(object) => ("subscription", object.id.as_str(), object.status.as_str()),
            Observation::Invoice(object) => {
                ("invoice", object.id.as_deref().unwrap_or_default(), object.status.as_str())
            }
            Observation::Session(object) => {
                let status = object.status.as_ref().map_or("of unknown status", |status| status.as_str());
                ("checkout", object.id.as_str(), status)
            }
            Observation::Charge(object, _) => {
                ("charge", object.id.as_str(), if object.refunded { "refunded" } else { object.status.as_str() })
            }
            Observation::Dispute(object, _) => ("dispute", object.id.as_str(), object.status.as_str()),
            Observation::Customer(object) => {
                ("customer", object.id.as_str(), if object.deleted { "deleted" } else { "known" })
            }
            Observation::Missing => return "missing at Stripe".to_owned(),
        };
        format!("{name} {id}: {status} ({source})")
    }
}

/// Looks up what an event hints at: at Stripe if there is a key, and else in the event.
///
/// # Errors
/// What Stripe or the event is lacking.
pub async fn observe(app: &App, event: &Event, hint: Hint) -> Result<Observed, JobError> {
    let (source, object, told) = match &app.stripe {
        Some(stripe) => {
            // Asked after the event happened, whatever the clocks say.
            let asked_at = super::asked_at(app).await?.max(event.created);
            let object = fetch(stripe, &hint).await?;
            // One that cannot be read is missed in the history, and nowhere else.
            (Source::Fetched(asked_at), object, from_payload(event, &hint).ok())
        }
        None => (Source::Payload(event.created), from_payload(event, &hint)?, None),
    };
    Ok(Observed { event: event.id.clone(), at: event.created, hint, source, object, told })
}

async fn fetch(stripe: &Stripe, hint: &Hint) -> Result<Observation, StripeError> {
    let found = match hint {
        Hint::Subscription { id, .. } => stripe.subscription(id).await.map(|s| Observation::Subscription(s.into())),
        Hint::Invoice { id, .. } => stripe.invoice(id).await.map(|i| Observation::Invoice(i.into())),
        Hint::Checkout { id, .. } => stripe.checkout_session(id).await.map(|s| Observation::Session(s.into())),
        Hint::Customer { id, .. } => stripe.customer(id).await.map(|c| Observation::Customer(c.into())),
        Hint::ChargeRefunded { id } => charge(stripe, id).await,
        Hint::Dispute { id, .. } => dispute(stripe, id).await,
        Hint::Nothing => Ok(Observation::Missing),
    };
    match found {
        Err(StripeError::Missing { .. }) => Ok(Observation::Missing),
        found => found,
    }
}

async fn charge(stripe: &Stripe, id: &str) -> Result<Observation, StripeError> {
    let charge = stripe.charge(id).await?;
    let invoice = stripe.invoice_of_charge(&charge).await?;
    Ok(Observation::Charge(charge.into(), invoice))
}

async fn dispute(stripe: &Stripe, id: &str) -> Result<Observation, StripeError> {
    let dispute = stripe.dispute(id).await?;
    let invoice = match stripe.charge(&dispute.charge).await {
        Ok(charge) => stripe.invoice_of_charge(&charge).await?,
        Err(StripeError::Missing { .. }) => None,
        Err(error) => return Err(error),
    };
    Ok(Observation::Dispute(dispute.into(), invoice))
}

fn from_payload(event: &Event, hint: &Hint) -> Result<Observation, JobError> {
    Ok(match hint {
        Hint::Subscription { .. } => Observation::Subscription(Box::new(event.object()?)),
        Hint::Invoice { .. } => Observation::Invoice(Box::new(event.object()?)),
        Hint::Checkout { .. } => Observation::Session(Box::new(event.object()?)),
        Hint::Customer { deleted, .. } => {
            let customer: Customer = event.object()?;
            // The event shows it as it was before that.
            Observation::Customer(Box::new(Customer { deleted: *deleted || customer.deleted, ..customer }))
        }
        Hint::ChargeRefunded { .. } => {
            let charge: Charge = event.object()?;
            let invoice = charge.invoice.clone();
            Observation::Charge(charge.into(), invoice)
        }
        Hint::Dispute { .. } => Observation::Dispute(Box::new(event.object()?), None),
        Hint::Nothing => Observation::Missing,
    })
}
