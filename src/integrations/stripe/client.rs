//! The client: async-stripe's requests over our own connections, and answers as JSON.

mod wire;
mod wish;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use reqwest::Url;
use serde_json::Value;
use stripe_billing::{
    billing_portal_session::CreateBillingPortalSession,
    invoice::RetrieveInvoice,
    invoice_payment::{ListInvoicePayment, ListInvoicePaymentPayment, ListInvoicePaymentPaymentType},
    subscription::{CancelSubscription, RetrieveSubscription, UpdateSubscription},
};
use stripe_checkout::checkout_session::RetrieveCheckoutSession;
use stripe_client_core::{RequestBuilder, StripeRequest};
use stripe_core::{
    charge::RetrieveCharge,
    customer::RetrieveCustomer,
    dispute::RetrieveDispute,
    refund::{CreateRefund, CreateRefundReason},
};

use super::{
    error::StripeError,
    object::{Charge, Customer, Dispute, Invoice, Node, Object, RefundPart, Session, Subscription},
    pace::Pace,
};
use crate::secrets::Secret;
use wire::Once;
pub use wish::{Paid, Refund, RefundReason, StripeKey};

const LIVE: &str = "https://api.stripe.com";

/// How long one try may take; Stripe itself gives up after about as long.
const PATIENCE: Duration = Duration::from_secs(20);

/// Access to one account at Stripe. Cheap to clone; clones keep one pace.
#[derive(Clone)]
pub struct Stripe {
    inner: Arc<Inner>,
}

struct Inner {
    base: Url,
    key: Secret,
    http: reqwest::Client,
    pace: Pace,
    patience: Duration,
    /// Set once the service has refused to send more along than was asked for, as one
    /// of an older version does.
    plain: AtomicBool,
}

impl Stripe {
    /// A client for the account of this key; `api_url` is the twin's address or that of a
    /// proxy, `None` the live service.
    #[must_use]
    pub fn new(key: Secret, api_url: Option<Url>, http: reqwest::Client) -> Self {
        let base = api_url.unwrap_or_else(|| Url::parse(LIVE).expect("a constant address"));
        Self::put_together(base, key, http, PATIENCE)
    }

    fn put_together(base: Url, key: Secret, http: reqwest::Client, patience: Duration) -> Self {
        let (pace, plain) = (Pace::new(), AtomicBool::new(false));
        Self { inner: Arc::new(Inner { base, key, http, pace, patience, plain }) }
    }

    /// The same client with another limit on the time one try may take.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        let Inner { base, key, http, .. } = &*self.inner;
        Self::put_together(base.clone(), key.clone(), http.clone(), patience)
    }

    /// A subscription, with its discounts and its customer.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn subscription(&self, id: &str) -> Result<Subscription, StripeError> {
        let id = known_id("subscription", id)?;
        let request = RetrieveSubscription::new(id);
        let whole = |more: Vec<String>| request.clone().expand(more).build();
        self.read_whole("get subscription", WITH_SUBSCRIPTION, &request, whole).await
    }

    /// An invoice, with its payments.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn invoice(&self, id: &str) -> Result<Invoice, StripeError> {
        let id = known_id("invoice", id)?;
        let request = RetrieveInvoice::new(id);
        let whole = |more: Vec<String>| request.clone().expand(more).build();
        self.read_whole("get invoice", WITH_INVOICE, &request, whole).await
    }

    /// A charge.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn charge(&self, id: &str) -> Result<Charge, StripeError> {
        self.read("get charge", &RetrieveCharge::new(known_id("charge", id)?)).await
    }

    /// A dispute.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn dispute(&self, id: &str) -> Result<Dispute, StripeError> {
        self.read("get dispute", &RetrieveDispute::new(known_id("dispute", id)?)).await
    }

    /// A customer; one that was deleted is found and says so.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn customer(&self, id: &str) -> Result<Customer, StripeError> {
        self.read("get customer", &RetrieveCustomer::new(known_id("customer", id)?)).await
    }

    /// A checkout session.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn checkout_session(&self, id: &str) -> Result<Session, StripeError> {
        self.read("get checkout session", &RetrieveCheckoutSession::new(known_id("checkout session", id)?)).await
    }

    /// The invoice that a charge paid; none if it paid none. Before "basil" the charge says
    /// so; since then its payment has to be asked.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn invoice_of_charge(&self, charge: &Charge) -> Result<Option<String>, StripeError> {
        match (&charge.invoice, &charge.payment_intent) {
            (Some(invoice), _) => Ok(Some(invoice.clone())),
            (None, Some(intent)) => self.invoice_of_payment(intent).await,
            (None, None) => Ok(None),
        }
    }

    /// The invoice that a payment (`pi_…`) is for; none if it is for none.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn invoice_of_payment(&self, payment_intent: &str) -> Result<Option<String>, StripeError> {
        let operation = "list invoice payments";
        let mut payment = ListInvoicePaymentPayment::new(ListInvoicePaymentPaymentType::PaymentIntent);
        payment.payment_intent = Some(known_id("payment", payment_intent)?.to_owned());
        let request = ListInvoicePayment::new().payment(payment).limit(1);
        let json = match self.send(operation, request.build(), Once::Read).await {
            // A service of an older version has no such list.
            Err(StripeError::Missing { .. }) => return Ok(None),
            answer => answer?,
        };
        let unreadable = |source| StripeError::Unreadable { operation, source };
        let found = Node::root(&json, "invoice_payments").list().map_err(unreadable)?;
        let Some(found) = found.first() else { return Ok(None) };
        found.need("invoice").and_then(|invoice| invoice.reference()).map(Some).map_err(unreadable)
    }

    /// Ends a subscription now, without giving anything back.
    ///
    /// # Errors
    /// [`StripeError`]; [`Missing`](StripeError::Missing) also if it had ended before.
    pub async fn cancel_now(&self, subscription: &str, key: &StripeKey) -> Result<Subscription, StripeError> {
        let id = known_id("subscription", subscription)?;
        self.change("cancel subscription", &CancelSubscription::new(id), Once::Repeatable(key)).await
    }

    /// Has a subscription end with its period, or go on after all.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn cancel_at_period_end(
        &self,
        subscription: &str,
        cancel: bool,
        key: &StripeKey,
    ) -> Result<Subscription, StripeError> {
        let request = UpdateSubscription::new(known_id("subscription", subscription)?).cancel_at_period_end(cancel);
        self.change("update subscription", &request, Once::Repeatable(key)).await
    }

    /// A link to Stripe's own page where a customer changes how they pay, or cancels. It is
    /// good for minutes; the page leads back to `return_url`.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn portal_link(
        &self,
        customer: &str,
        return_url: Option<&Url>,
        key: &StripeKey,
    ) -> Result<String, StripeError> {
        let operation = "create portal session";
        let mut request = CreateBillingPortalSession::new().customer(known_id("customer", customer)?);
        if let Some(url) = return_url {
            request = request.return_url(url.as_str());
        }
        let json = self.send(operation, request.build(), Once::Repeatable(key)).await?;
        let url = Node::root(&json, "billing_portal.session").need("url").and_then(|url| url.text().map(str::to_owned));
        url.map_err(|source| StripeError::Unreadable { operation, source })
    }

    /// Gives money back.
    ///
    /// # Errors
    /// [`StripeError`]; [`Outage::Replayed`](super::Outage::Replayed) if it must be looked up whether it was done.
    pub async fn refund(&self, refund: &Refund, key: &StripeKey) -> Result<RefundPart, StripeError> {
        let mut request = match &refund.of {
            Paid::Charge(charge) => CreateRefund::new().charge(known_id("charge", charge)?),
            Paid::Payment(payment) => CreateRefund::new().payment_intent(known_id("payment", payment)?),
        };
        if let Some(amount) = refund.amount {
            request = request.amount(amount);
        }
        if let Some(reason) = refund.reason {
            request = request.reason(match reason {
                RefundReason::Duplicate => CreateRefundReason::Duplicate,
                RefundReason::Fraudulent => CreateRefundReason::Fraudulent,
                RefundReason::RequestedByCustomer => CreateRefundReason::RequestedByCustomer,
            });
        }
        self.change("create refund", &request, Once::Single(key)).await
    }

    async fn read<T: Object>(&self, operation: &'static str, request: &impl StripeRequest) -> Result<T, StripeError> {
        self.change(operation, request, Once::Read).await
    }

    /// Reads an object with more than what stands in it by itself.
    async fn read_whole<T: Object>(
        &self,
        operation: &'static str,
        more: &[&str],
        request: &impl StripeRequest,
        whole: impl Fn(Vec<String>) -> RequestBuilder,
    ) -> Result<T, StripeError> {
        let ask = |more: Vec<String>| if more.is_empty() { request.build() } else { whole(more) };
        let json = self.send_whole(operation, more, ask).await?;
        T::from_json(&json).map_err(|source| StripeError::Unreadable { operation, source })
    }

    /// Asks for more than what stands in an object by itself, unless that was refused.
    pub(super) async fn send_whole(
        &self,
        operation: &'static str,
        more: &[&str],
        request: impl Fn(Vec<String>) -> RequestBuilder,
    ) -> Result<Value, StripeError> {
        if !self.inner.plain.load(Ordering::Relaxed) {
            let more = more.iter().map(|&path| path.to_owned()).collect();
            match self.send(operation, request(more), Once::Read).await {
                Err(StripeError::Rejected { status: 400, .. }) => {}
                answer => return answer,
            }
        }
        let json = self.send(operation, request(vec![]), Once::Read).await?;
        if !self.inner.plain.swap(true, Ordering::Relaxed) {
            tracing::warn!(operation, "Stripe does not expand what was asked for; discounts are not known");
        }
        Ok(json)
    }

    async fn change<T: Object>(
        &self,
        operation: &'static str,
        request: &impl StripeRequest,
        once: Once<'_>,
    ) -> Result<T, StripeError> {
        let json = self.send(operation, request.build(), once).await?;
        T::from_json(&json).map_err(|source| StripeError::Unreadable { operation, source })
    }

    /// A page of a list, as it came.
    pub(super) async fn page(&self, operation: &'static str, request: RequestBuilder) -> Result<Value, StripeError> {
        self.send(operation, request, Once::Read).await
    }
}

/// An id becomes a part of an address, so it has to look like one.
fn known_id<'a>(what: &'static str, id: &'a str) -> Result<&'a str, StripeError> {
    let good =
        !id.is_empty() && id.len() <= 255 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if good { Ok(id) } else { Err(StripeError::NoId { operation: "read an id", what }) }
}

/// What is to be sent along with subscriptions.
pub(super) const WITH_SUBSCRIPTION: &[&str] = &["discounts.source.coupon", "customer"];
/// What is to be sent along with invoices.
pub(super) const WITH_INVOICE: &[&str] = &["payments"];

impl fmt::Debug for Stripe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripe").field("base", &self.inner.base.origin()).finish_non_exhaustive()
    }
}
