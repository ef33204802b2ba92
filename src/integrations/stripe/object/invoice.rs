//! Invoices.

use aggregates::Personal;
use chrono::{DateTime, Utc};

use super::{Node, Object, ObjectError, Period, subscription::period, words};

words! {
    /// Where an invoice stands.
    InvoiceStatus {
        /// It may still change.
        Draft = "draft",
        /// To be paid.
        Open = "open",
        /// Paid.
        Paid = "paid",
        /// Given up.
        Uncollectible = "uncollectible",
        /// Taken back.
        Void = "void",
    }
}

/// One thing that is billed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceLine {
    /// Its id.
    pub id: Option<String>,
    /// In the invoice's currency; negative for what is given back.
    pub amount: i64,
    /// What it pays for.
    pub period: Option<Period>,
    /// The price it is billed by.
    pub price: Option<String>,
    /// How many.
    pub quantity: Option<i64>,
    /// The subscription it is for.
    pub subscription: Option<String>,
    /// A part of a period, because something changed in the middle of it.
    pub proration: bool,
}

/// An invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// `in_…`; none for one that is only announced (`invoice.upcoming`).
    pub id: Option<String>,
    /// Whose it is.
    pub customer: Option<String>,
    /// Their address at the time.
    pub customer_email: Option<Personal<String>>,
    /// The subscription it is for.
    pub subscription: Option<String>,
    /// Where it stands.
    pub status: InvoiceStatus,
    /// In lower case, as in `eur`.
    pub currency: String,
    /// Of all lines.
    pub subtotal: Option<i64>,
    /// After discounts, with taxes.
    pub total: i64,
    /// Taxes in `total`.
    pub tax: i64,
    /// What was off.
    pub discount: i64,
    /// What is to be paid, after balances.
    pub amount_due: i64,
    /// What was paid.
    pub amount_paid: i64,
    /// What is still to be paid.
    pub amount_remaining: i64,
    /// Why it was made: `subscription_create`, `subscription_cycle`, `subscription_update`, `manual`, …
    pub billing_reason: Option<String>,
    /// How often payment was tried.
    pub attempt_count: i64,
    /// When it is tried next; none: not by itself.
    pub next_attempt: Option<DateTime<Utc>>,
    /// Where its customer can pay it.
    pub hosted_url: Option<String>,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it was paid.
    pub paid_at: Option<DateTime<Utc>>,
    /// The charge that paid it, where the shape says so.
    pub charge: Option<String>,
    /// The payments that paid it or tried to.
    pub payment_intents: Vec<String>,
    /// What is billed; the first ten at least.
    pub lines: Vec<InvoiceLine>,
    /// No test.
    pub livemode: bool,
}

impl Object for Invoice {
    const NAME: &'static str = "invoice";

    fn read(node: &Node<'_>) -> Result<Self, ObjectError> {
        let lines = node.get("lines").map(|lines| lines.list()).transpose()?.unwrap_or_default();
        let total = node.need("total")?.integer()?;
        let amount_due = node.maybe_integer("amount_due")?.unwrap_or(total);
        let status = status(node)?;
        let paid = if status == InvoiceStatus::Paid { amount_due } else { 0 };
        let amount_paid = node.maybe_integer("amount_paid")?.unwrap_or(paid);
        Ok(Self {
            id: node.maybe_text("id")?,
            customer: node.maybe_reference("customer")?,
            customer_email: node.maybe_text("customer_email")?.map(Personal::new),
            subscription: subscription(node)?,
            status,
            currency: node.owned("currency")?,
            subtotal: node.maybe_integer("subtotal")?,
            total,
            tax: tax(node)?,
            discount: sum(node, "total_discount_amounts")?,
            amount_due,
            amount_paid,
            amount_remaining: node.maybe_integer("amount_remaining")?.unwrap_or(amount_due - amount_paid),
            billing_reason: node.maybe_text("billing_reason")?,
            attempt_count: node.maybe_integer("attempt_count")?.unwrap_or(0),
            next_attempt: node.maybe_time("next_payment_attempt")?,
            hosted_url: node.maybe_text("hosted_invoice_url")?,
            // It was called `date` until 2019.
            created: node
                .get("created")
                .or_else(|| node.get("date"))
                .map_or_else(|| node.need("created").and_then(|created| created.time()), |created| created.time())?,
            paid_at: match node.get("status_transitions") {
                Some(transitions) => transitions.maybe_time("paid_at")?,
                None => None,
            },
            charge: node.maybe_reference("charge")?,
            payment_intents: payment_intents(node)?,
            lines: lines.iter().map(line).collect::<Result<_, _>>()?,
            livemode: node.flag_or_no("livemode")?,
        })
    }
}

/// Since "basil" an invoice says whose child it is; before, it named a subscription.
fn subscription(node: &Node<'_>) -> Result<Option<String>, ObjectError> {
    if let Some(parent) = node.at(&["parent", "subscription_details", "subscription"]) {
        return parent.reference().map(Some);
    }
    node.maybe_reference("subscription")
}

/// Before there was a status, three flags said the same.
fn status(node: &Node<'_>) -> Result<InvoiceStatus, ObjectError> {
    if let Some(status) = node.get("status") {
        return Ok(status.text()?.into());
    }
    let paid = node.need("paid")?.flag()?;
    Ok(match (paid, node.flag_or_no("forgiven")?, node.flag_or_no("closed")?) {
        (true, ..) => InvoiceStatus::Paid,
        (false, true, _) => InvoiceStatus::Uncollectible,
        (false, false, true) => InvoiceStatus::Void,
        (false, false, false) => InvoiceStatus::Open,
    })
}

fn tax(node: &Node<'_>) -> Result<i64, ObjectError> {
    if let Some(tax) = node.maybe_integer("tax")? {
        return Ok(tax);
    }
    let name = if node.get("total_taxes").is_some() { "total_taxes" } else { "total_tax_amounts" };
    sum(node, name)
}

fn sum(node: &Node<'_>, list: &str) -> Result<i64, ObjectError> {
    let mut sum: i64 = 0;
    for part in node.get(list).map(|list| list.list()).transpose()?.unwrap_or_default() {
        sum = sum.saturating_add(part.need("amount")?.integer()?);
    }
    Ok(sum)
}

fn payment_intents(node: &Node<'_>) -> Result<Vec<String>, ObjectError> {
    let mut found: Vec<String> = node.maybe_reference("payment_intent")?.into_iter().collect();
    for payment in node.get("payments").map(|list| list.list()).transpose()?.unwrap_or_default() {
        if let Some(intent) = payment.at(&["payment", "payment_intent"]) {
            found.push(intent.reference()?);
        }
    }
    Ok(found)
}

fn line(node: &Node<'_>) -> Result<InvoiceLine, ObjectError> {
    let price = node
        .at(&["pricing", "price_details", "price"])
        .or_else(|| node.get("price"))
        .or_else(|| node.get("plan"))
        .map(|price| price.reference())
        .transpose()?;
    let details = node.at(&["parent", "subscription_item_details"]);
    let parent = details.as_ref().and_then(|details| details.get("subscription"));
    let proration = match &details {
        Some(details) => details.flag_or_no("proration")?,
        None => node.flag_or_no("proration")?,
    };
    Ok(InvoiceLine {
        id: node.maybe_text("id")?,
        amount: node.need("amount")?.integer()?,
        period: match node.get("period") {
            Some(node) => period(&node, "start", "end")?,
            None => None,
        },
        price,
        quantity: node.maybe_integer("quantity")?,
        subscription: match parent {
            Some(parent) => Some(parent.reference()?),
            None => node.maybe_reference("subscription")?,
        },
        proration,
    })
}
