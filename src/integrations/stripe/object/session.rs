//! Checkout sessions: somebody on Stripe's page to pay.

use std::collections::BTreeMap;

use aggregates::Personal;
use chrono::{DateTime, Utc};

use super::{Node, Object, ObjectError, words};

words! {
    /// Where a session stands.
    SessionStatus {
        /// Its page is open.
        Open = "open",
        /// Its customer is done, though the money may not be there yet.
        Complete = "complete",
        /// Its page is closed.
        Expired = "expired",
    }
}

words! {
    /// Whether the money is there.
    PaymentStatus {
        /// It is.
        Paid = "paid",
        /// Not yet: some ways to pay take days.
        Unpaid = "unpaid",
        /// None is due, as in a trial.
        NoPaymentRequired = "no_payment_required",
    }
}

/// A checkout session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// `cs_…`.
    pub id: String,
    /// `payment`, `setup` or `subscription`.
    pub mode: String,
    /// Where it stands. Of old it was not said.
    pub status: Option<SessionStatus>,
    /// Whether the money is there.
    pub payment_status: Option<PaymentStatus>,
    /// Who pays.
    pub customer: Option<String>,
    /// The address that was typed in, or known.
    pub email: Option<Personal<String>>,
    /// The name that was typed in.
    pub name: Option<Personal<String>>,
    /// What came of it.
    pub subscription: Option<String>,
    /// Its first invoice.
    pub invoice: Option<String>,
    /// What our link to it said.
    pub client_reference: Option<String>,
    /// To be paid.
    pub amount_total: Option<i64>,
    /// Of `amount_total`.
    pub currency: Option<String>,
    /// Where its page is; none once it is closed.
    pub url: Option<String>,
    /// When it was made. Of old it was not said.
    pub created: Option<DateTime<Utc>>,
    /// What the seller noted.
    pub metadata: BTreeMap<String, String>,
    /// No test.
    pub livemode: bool,
}

impl Object for Session {
    const NAME: &'static str = "checkout.session";

    fn read(node: &Node<'_>) -> Result<Self, ObjectError> {
        let detail = |name: &str| node.at(&["customer_details", name]);
        let email = detail("email").or_else(|| node.get("customer_email"));
        Ok(Self {
            id: node.owned("id")?,
            mode: match node.maybe_text("mode")? {
                Some(mode) => mode,
                // Before modes there was what came of it.
                None if node.get("subscription").is_some() => "subscription".to_owned(),
                None => "payment".to_owned(),
            },
            status: node.get("status").map(|status| status.text()).transpose()?.map(Into::into),
            payment_status: node.get("payment_status").map(|status| status.text()).transpose()?.map(Into::into),
            customer: node.maybe_reference("customer")?,
            email: email.map(|email| email.text().map(str::to_owned)).transpose()?.map(Personal::new),
            name: detail("name").map(|name| name.text().map(str::to_owned)).transpose()?.map(Personal::new),
            subscription: node.maybe_reference("subscription")?,
            invoice: node.maybe_reference("invoice")?,
            client_reference: node.maybe_text("client_reference_id")?,
            amount_total: node.maybe_integer("amount_total")?,
            currency: node.maybe_text("currency")?,
            url: node.maybe_text("url")?,
            created: node.maybe_time("created")?,
            metadata: node.metadata(),
            livemode: node.flag_or_no("livemode")?,
        })
    }
}
