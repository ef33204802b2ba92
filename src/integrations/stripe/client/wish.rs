//! What is wished of Stripe: by which key a wish is known, and what is to be given back.

/// An idempotency key: the same wish has the same, and Stripe then does it once. It
/// remembers keys for a day at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StripeKey(String);

impl StripeKey {
    /// A key made of what names the wish, such as `cancel:sub_1:42`. Any text will do; one
    /// that is longer than Stripe takes (255 characters) is known by its hash.
    #[must_use]
    pub fn new(text: &str) -> Self {
        if !text.is_empty() && text.len() <= 200 && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Self(text.to_owned());
        }
        Self(crate::secrets::hex(&crate::secrets::fingerprint(&[text.as_bytes()])))
    }

    /// The key of the next try, where the answer to this one is spoilt.
    pub(super) fn next(&self, n: u32) -> String {
        if n == 0 { self.0.clone() } else { format!("{}+{n}", self.0) }
    }
}

/// Why money is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundReason {
    /// It was taken twice.
    Duplicate,
    /// It was not the owner of the card who paid.
    Fraudulent,
    /// The payer wants it.
    RequestedByCustomer,
}

/// By what something was paid. The ids are Stripe's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paid {
    /// A charge.
    Charge(String),
    /// A payment, which may have had several charges.
    Payment(String),
}

impl Paid {
    /// What an id stands for.
    #[must_use]
    pub fn by(id: &str) -> Self {
        if id.starts_with("pi_") { Self::Payment(id.to_owned()) } else { Self::Charge(id.to_owned()) }
    }
}

/// What to give back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// Of what was paid so.
    pub of: Paid,
    /// In its currency; all that is left of it when nothing is said.
    pub amount: Option<i64>,
    /// Why.
    pub reason: Option<RefundReason>,
}
