//! From what is known for sure to commands on subscriptions.

use aggregates::{
    Personal,
    subscription::{
        Account, Command, DisputeFacts, DisputeStatus, InvoiceFacts, InvoiceOutcome, Observation as Seeing,
        RefundFacts, Seen, StripeIds, stripe_subscription_stream,
    },
};
use chrono::{DateTime, Utc};

use super::{
    Observation, Observed, Source,
    hint::{Hint, InvoiceChange},
    payments,
    translate::{address, contract, currency, dispute_status, period},
};
use crate::{
    app::App,
    executor::{SendError, Wish},
    integrations::stripe::{
        StripeError,
        object::{self, Charge, Customer, Dispute, Invoice, Session, Subscription},
    },
    jobs::JobError,
    log::Cause,
    membership::account_of,
};

/// The key in the metadata of a subscription or a checkout that names the buyer's
/// Telegram account.
const TELEGRAM_ID: &str = "telegram_id";

/// What became of what was observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    /// It was told to whom it concerns.
    Done,
    /// Nobody knows for which subscription the money was: for none, or for one whose invoice
    /// does not say by what it was paid.
    Nobody,
}

/// Sends what was observed to the subscription it concerns. With a key for Stripe's API,
/// the subscription itself is looked at, too: an event about its money may be all
/// that ever comes.
///
/// # Errors
/// [`JobError`]; doing it again is harmless.
pub(crate) async fn apply(app: &App, cause: &Cause, observed: &Observed) -> Result<Applied, JobError> {
    let seen = match observed.source {
        Source::Fetched(at) => Seen::Fetched { at },
        Source::Payload(created) => Seen::Carried { created, event: observed.event.clone() },
    };
    let at = Apply { app, cause, seen };
    match (&observed.object, &observed.told) {
        (Observation::Subscription(now), Some(Observation::Subscription(told))) => {
            let seen = Seen::Carried { created: observed.at, event: observed.event.clone() };
            at.subscription(now, Some((told, seen))).await?;
        }
        (Observation::Subscription(now), _) => at.subscription(now, None).await?,
        (Observation::Invoice(now), Some(Observation::Invoice(told))) => {
            at.invoice(now, told, &observed.hint, observed.at).await?;
        }
        (Observation::Invoice(now), _) => at.invoice(now, now, &observed.hint, observed.at).await?,
        (Observation::Session(session), _) => at.session(session).await?,
        (Observation::Charge(now, invoice), Some(Observation::Charge(told, _))) => {
            return at.refund(now, told, invoice.as_deref(), observed.at).await;
        }
        (Observation::Charge(now, invoice), _) => {
            return at.refund(now, now, invoice.as_deref(), observed.at).await;
        }
        // How far it was then: what came of it since has an event of its own.
        (Observation::Dispute(_, invoice), Some(Observation::Dispute(told, _))) => {
            return at.dispute(told, invoice.as_deref(), observed.at).await;
        }
        (Observation::Dispute(now, invoice), _) => {
            return at.dispute(now, invoice.as_deref(), observed.at).await;
        }
        (Observation::Customer(customer), _) => at.customer(customer).await?,
        (Observation::Missing, _) => {}
    }
    Ok(Applied::Done)
}

/// Sends what an invoice of the past says, without looking at the subscription.
///
/// # Errors
/// [`JobError`].
pub(crate) async fn money(app: &App, cause: &Cause, observed: &Observed) -> Result<(), JobError> {
    let Observation::Invoice(invoice) = &observed.object else { return Ok(()) };
    let seen = Seen::Fetched { at: observed.at };
    Apply { app, cause, seen }.invoice_facts(invoice, &observed.hint, None).await
}

/// What was observed, being applied.
struct Apply<'a> {
    app: &'a App,
    cause: &'a Cause,
    seen: Seen,
}

impl Apply<'_> {
    /// What a subscription is now, and what an event `told` of it.
    async fn subscription(&self, object: &Subscription, told: Option<(&Subscription, Seen)>) -> Result<(), JobError> {
        let email = self.email_of(object).await?;
        let account = self.account(object.metadata.get(TELEGRAM_ID).map(String::as_str)).await?;
        let observation = Seeing {
            stripe: StripeIds { subscription: object.id.clone(), customer: Some(object.customer.clone()) },
            contract: contract(self.app, object).await?,
            email,
            account,
            seen: self.seen.clone(),
        };
        let (settings, at) = (self.app.config.membership.settings(), self.app.clock.now());
        let observation = Box::new(observation);
        let command = match told {
            None => Command::Observe { observation, settings, at },
            Some((told, seen)) => {
                let mut contract = contract(self.app, told).await?;
                // Events only name what is off.
                if told.names_discounts {
                    contract.discounts.clone_from(&observation.contract.discounts);
                }
                let stripe = observation.stripe.clone();
                let told = Seeing { stripe, contract, email: None, account: None, seen };
                Command::Hear { observation, told: Box::new(told), settings, at }
            }
        };
        self.send(&object.id, command).await
    }

    /// What became of an invoice: whether it is paid is taken from what it is now, and what
    /// failed and when from what the event told.
    async fn invoice(
        &self,
        now: &Invoice,
        told: &Invoice,
        hint: &Hint,
        happened: DateTime<Utc>,
    ) -> Result<(), JobError> {
        if let Some(subscription) = &now.subscription {
            self.look_at(subscription).await?;
        }
        // What Stripe cannot be asked for later.
        if self.app.stripe.is_none()
            && let Some(id) = &now.id
        {
            let by: Vec<&str> = now.charge.iter().chain(&now.payment_intents).map(String::as_str).collect();
            payments::note(&self.app.pool, id, &by).await.map_err(|error| JobError::retry(&error))?;
        }
        let failed = matches!(hint, Hint::Invoice { change: InvoiceChange::PaymentFailed, .. });
        if !failed || now.status == object::InvoiceStatus::Paid {
            self.invoice_facts(now, hint, None).await?;
        }
        if failed && told.status != object::InvoiceStatus::Paid {
            self.invoice_facts(told, hint, Some(happened)).await?;
        }
        Ok(())
    }

    /// Sends what an invoice says; `failed_at` is when an attempt to collect it failed, where
    /// that is what is told.
    async fn invoice_facts(
        &self,
        object: &Invoice,
        hint: &Hint,
        failed_at: Option<DateTime<Utc>>,
    ) -> Result<(), JobError> {
        let (Some(id), Some(subscription)) = (&object.id, &object.subscription) else { return Ok(()) };
        let outcome = match hint {
            // What is so now counts, not what the event said: it may have been paid since.
            _ if object.status == object::InvoiceStatus::Paid => InvoiceOutcome::Paid,
            Hint::Invoice { change: InvoiceChange::ActionRequired, .. } => InvoiceOutcome::ActionRequired,
            Hint::Invoice { change: InvoiceChange::PaymentFailed, .. } => InvoiceOutcome::PaymentFailed,
            // Paid then, and void by now.
            _ => InvoiceOutcome::Paid,
        };
        if object.status != object::InvoiceStatus::Paid && outcome == InvoiceOutcome::Paid {
            return Ok(());
        }
        let facts = InvoiceFacts {
            id: id.clone(),
            paid_minor: object.amount_paid,
            due_minor: object.amount_due,
            tax_minor: object.tax,
            currency: currency(&object.currency)?,
            billing_reason: object.billing_reason.clone(),
            attempts: u32::try_from(object.attempt_count).unwrap_or(0),
            next_attempt_at: object.next_attempt,
            hosted_url: object.hosted_url.clone().map(Personal::new),
            period: object.lines.iter().rev().find_map(|line| line.period).map(period),
            created: object.created,
            at: if outcome == InvoiceOutcome::Paid { object.paid_at } else { failed_at },
        };
        let stripe = StripeIds { subscription: subscription.clone(), customer: object.customer.clone() };
        let command = Command::Invoice { stripe, invoice: Box::new(facts), outcome, at: self.app.clock.now() };
        self.send(subscription, command).await
    }

    /// Who bought it: the address they gave, and the Telegram account that the site named.
    async fn session(&self, object: &Session) -> Result<(), JobError> {
        let Some(subscription) = &object.subscription else { return Ok(()) };
        self.look_at(subscription).await?;
        let named = object.metadata.get(TELEGRAM_ID).or(object.client_reference.as_ref());
        let account = self.account(named.map(String::as_str)).await?;
        let stripe = StripeIds { subscription: subscription.clone(), customer: object.customer.clone() };
        let (email, seen) = (address(object.email.clone()), self.seen.clone());
        let command = Command::Identify { stripe, email, account, seen, by_hand: None, at: self.app.clock.now() };
        self.send(subscription, command).await
    }

    /// What went back of a charge: what the event told had gone back by then, and what went
    /// back since, if Stripe says when. (Otherwise the event of that does.)
    async fn refund(
        &self,
        now: &Charge,
        told: &Charge,
        invoice: Option<&str>,
        happened: DateTime<Utc>,
    ) -> Result<Applied, JobError> {
        let paid = [Some(now.id.as_str()), now.payment_intent.as_deref()];
        let Some((subscription, customer)) = self.subscription_of(invoice, paid).await? else {
            return Ok(Applied::Nobody);
        };
        let last = |charge: &Charge| charge.refunds.iter().map(|refund| refund.created).max();
        let since = last(now).filter(|_| now.amount_refunded > told.amount_refunded);
        let totals = [Some((told, last(told).unwrap_or(happened))), since.map(|at| (now, at))];
        for (charge, at) in totals.into_iter().flatten() {
            let facts = RefundFacts {
                charge: charge.id.clone(),
                charged_minor: charge.amount,
                charged_at: charge.created,
                refunded_minor: charge.amount_refunded,
                currency: currency(&charge.currency)?,
                at,
            };
            let stripe = StripeIds { subscription: subscription.clone(), customer: customer.clone() };
            let settings = self.app.config.membership.settings();
            let command = Command::Refund { stripe, refund: Box::new(facts), settings, at: self.app.clock.now() };
            self.send(&subscription, command).await?;
        }
        Ok(Applied::Done)
    }

    async fn dispute(
        &self,
        object: &Dispute,
        invoice: Option<&str>,
        happened: DateTime<Utc>,
    ) -> Result<Applied, JobError> {
        let Some(status) = dispute_status(&object.status) else { return Ok(Applied::Done) };
        let paid = [Some(object.charge.as_str()), object.payment_intent.as_deref()];
        let Some((subscription, customer)) = self.subscription_of(invoice, paid).await? else {
            return Ok(Applied::Nobody);
        };
        let at = if status == DisputeStatus::Opened { object.created } else { happened };
        let facts = DisputeFacts {
            dispute: object.id.clone(),
            charge: object.charge.clone(),
            amount_minor: object.amount,
            currency: currency(&object.currency)?,
            status,
            at,
        };
        let stripe = StripeIds { subscription: subscription.clone(), customer };
        let settings = self.app.config.membership.settings();
        let command = Command::Dispute { stripe, dispute: Box::new(facts), settings, at: self.app.clock.now() };
        self.send(&subscription, command).await?;
        Ok(Applied::Done)
    }

    /// An address changed: for all subscriptions of theirs that are known.
    async fn customer(&self, object: &Customer) -> Result<(), JobError> {
        if object.deleted {
            // Stripe cancels their subscriptions, and tells so.
            return Ok(());
        }
        let known = projections::duties::of_customer(&self.app.pool, &object.id).await;
        for subscription in known.map_err(|error| JobError::retry(&error))? {
            let stripe = StripeIds { subscription: subscription.clone(), customer: Some(object.id.clone()) };
            let (email, seen) = (address(object.email.clone()), self.seen.clone());
            let command =
                Command::Identify { stripe, email, account: None, seen, by_hand: None, at: self.app.clock.now() };
            self.send(&subscription, command).await?;
        }
        Ok(())
    }

    /// Looks at a subscription itself, if Stripe can be asked.
    async fn look_at(&self, id: &str) -> Result<(), JobError> {
        let Some(stripe) = &self.app.stripe else { return Ok(()) };
        let at = super::asked_at(self.app).await?;
        match stripe.subscription(id).await {
            Ok(object) => Apply { seen: Seen::Fetched { at }, ..*self }.subscription(&object, None).await,
            Err(StripeError::Missing { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The subscription that an invoice is for, and its customer; the invoice is the one that
    /// was `paid` so (by this charge, by this payment), where nobody says which one it is.
    /// None for what was never of a subscription.
    async fn subscription_of(
        &self,
        invoice: Option<&str>,
        paid: [Option<&str>; 2],
    ) -> Result<Option<(String, Option<String>)>, JobError> {
        let invoice = match (invoice, &self.app.stripe) {
            (None, None) => {
                payments::invoice_of(&self.app.pool, paid).await.map_err(|error| JobError::retry(&error))?
            }
            (invoice, _) => invoice.map(str::to_owned),
        };
        let Some(invoice) = invoice.as_deref() else { return Ok(None) };
        if let Some(stripe) = &self.app.stripe {
            return match stripe.invoice(invoice).await {
                Ok(object) => Ok(object.subscription.map(|subscription| (subscription, object.customer))),
                Err(StripeError::Missing { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            };
        }
        let known = projections::duties::of_invoice(&self.app.pool, invoice).await;
        match known.map_err(|error| JobError::retry(&error))? {
            Some(subscription) => Ok(Some((subscription, None))),
            // Its own event is on its way; without a key there is nobody to ask.
            None => Err(JobError::Retry { reason: "the invoice is not known yet".to_owned(), after: None }),
        }
    }

    /// The address of a subscription's customer, if they were sent along, or Stripe can be asked.
    async fn email_of(&self, object: &Subscription) -> Result<Option<Personal<String>>, JobError> {
        if let Some(payer) = &object.payer {
            return Ok(address(payer.email.clone()));
        }
        let Some(stripe) = &self.app.stripe else { return Ok(None) };
        match stripe.customer(&object.customer).await {
            Ok(object) => Ok(address(object.email)),
            Err(StripeError::Missing { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn account(&self, named: Option<&str>) -> Result<Option<Account>, JobError> {
        match named.and_then(|named| named.trim().parse::<i64>().ok()).filter(|id| *id > 0) {
            Some(telegram) => account_of(self.app, telegram).await.map(Some),
            None => Ok(None),
        }
    }

    async fn send(&self, subscription: &str, command: Command) -> Result<(), JobError> {
        let stream = stripe_subscription_stream(subscription).to_string();
        let wish = Wish { command, cause: self.cause.clone(), once: None, expected: None };
        match self.app.subscriptions.send(&stream, wish).await {
            Ok(_) => Ok(()),
            Err(error @ SendError::Refused(_)) => Err(JobError::fail(&error)),
            Err(error) => Err(crate::membership::retry(&error)),
        }
    }
}
