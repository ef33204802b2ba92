//! Charges, what was given back of them, and quarrels about them.

use chrono::{DateTime, Utc};

use super::{Node, Object, ObjectError, words};

/// A part of a charge that was given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundPart {
    /// `re_…`.
    pub id: String,
    /// The charge; none where only the payment is named.
    pub charge: Option<String>,
    /// In the charge's currency.
    pub amount: i64,
    /// In lower case, as in `eur`.
    pub currency: String,
    /// `pending`, `succeeded`, `failed`, `canceled` or `requires_action`.
    pub status: Option<String>,
    /// `duplicate`, `fraudulent` or `requested_by_customer`.
    pub reason: Option<String>,
    /// When.
    pub created: DateTime<Utc>,
}

impl Object for RefundPart {
    const NAME: &'static str = "refund";

    fn read(node: &Node<'_>) -> Result<Self, ObjectError> {
        Ok(Self {
            id: node.owned("id")?,
            charge: node.maybe_reference("charge")?,
            amount: node.need("amount")?.integer()?,
            currency: node.owned("currency")?,
            status: node.maybe_text("status")?,
            reason: node.maybe_text("reason")?,
            created: node.need("created")?.time()?,
        })
    }
}

/// Money taken, or tried to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// `ch_…`.
    pub id: String,
    /// From whom.
    pub customer: Option<String>,
    /// How much.
    pub amount: i64,
    /// How much of it was given back.
    pub amount_refunded: i64,
    /// Whether all of it was.
    pub refunded: bool,
    /// In lower case, as in `eur`.
    pub currency: String,
    /// `succeeded`, `pending` or `failed`.
    pub status: String,
    /// The payment it belongs to.
    pub payment_intent: Option<String>,
    /// The invoice it pays. Since "basil" it is not said here: see `Stripe::invoice_of_payment`.
    pub invoice: Option<String>,
    /// Whether its payer's bank was asked to take it back.
    pub disputed: bool,
    /// The refunds, where they are listed: the latest ten at most.
    pub refunds: Vec<RefundPart>,
    /// Why it failed.
    pub failure_code: Option<String>,
    /// When.
    pub created: DateTime<Utc>,
    /// No test.
    pub livemode: bool,
}

impl Object for Charge {
    const NAME: &'static str = "charge";

    fn read(node: &Node<'_>) -> Result<Self, ObjectError> {
        let refunds = node.get("refunds").map(|list| list.list()).transpose()?.unwrap_or_default();
        Ok(Self {
            id: node.owned("id")?,
            customer: node.maybe_reference("customer")?,
            amount: node.need("amount")?.integer()?,
            amount_refunded: node.maybe_integer("amount_refunded")?.unwrap_or(0),
            refunded: node.flag_or_no("refunded")?,
            currency: node.owned("currency")?,
            status: node.owned("status")?,
            payment_intent: node.maybe_reference("payment_intent")?,
            invoice: node.maybe_reference("invoice")?,
            // Of old there was only the dispute itself.
            disputed: node.flag_or_no("disputed")? || node.get("dispute").is_some(),
            refunds: refunds.iter().map(RefundPart::read).collect::<Result<_, _>>()?,
            failure_code: node.maybe_text("failure_code")?,
            created: node.need("created")?.time()?,
            livemode: node.flag_or_no("livemode")?,
        })
    }
}

words! {
    /// Where a dispute stands.
    DisputeStatus {
        /// Only asked about, and an answer is wanted.
        WarningNeedsResponse = "warning_needs_response",
        /// Only asked about, and the bank looks at the answer.
        WarningUnderReview = "warning_under_review",
        /// Only asked about, and nothing came of it.
        WarningClosed = "warning_closed",
        /// An answer is wanted.
        NeedsResponse = "needs_response",
        /// The bank looks at the answer.
        UnderReview = "under_review",
        /// The money is back with us.
        Won = "won",
        /// The money is gone.
        Lost = "lost",
        /// Kept from becoming a dispute by giving the money back.
        Prevented = "prevented",
    }
}

/// A payer's bank wants money back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispute {
    /// `dp_…` or `du_…`.
    pub id: String,
    /// About this charge.
    pub charge: String,
    /// Of this payment.
    pub payment_intent: Option<String>,
    /// How much.
    pub amount: i64,
    /// In lower case, as in `eur`.
    pub currency: String,
    /// Where it stands.
    pub status: DisputeStatus,
    /// What the payer says: `fraudulent`, `subscription_canceled`, …
    pub reason: Option<String>,
    /// When it began.
    pub created: DateTime<Utc>,
    /// No test.
    pub livemode: bool,
}

impl Object for Dispute {
    const NAME: &'static str = "dispute";

    fn read(node: &Node<'_>) -> Result<Self, ObjectError> {
        Ok(Self {
            id: node.owned("id")?,
            charge: node.need("charge")?.reference()?,
            payment_intent: node.maybe_reference("payment_intent")?,
            amount: node.need("amount")?.integer()?,
            currency: node.owned("currency")?,
            status: node.need("status")?.text()?.into(),
            reason: node.maybe_text("reason")?,
            created: node.need("created")?.time()?,
            livemode: node.flag_or_no("livemode")?,
        })
    }
}
