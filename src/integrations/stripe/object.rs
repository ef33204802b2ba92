//! What Stripe's objects say, as far as we want to know it.
//!
//! Read leniently from JSON: fields that we do not know are passed over, a word that
//! we do not know is kept as a text, and a field that we can do without may be missing.
//! Where Stripe moved a fact (`current_period_end` from the subscription to its items,
//! `invoice.subscription` to `invoice.parent`, in version 2025-03-31 "basil"), both
//! places are looked at. What is needed and not there is an error that names its path
//! and quotes nothing.
//!
//! Amounts are in the smallest unit of their currency; times are instants in UTC.

mod charge;
mod customer;
mod event;
mod invoice;
mod price;
mod read;
mod session;
mod subscription;
#[cfg(test)]
mod tests;

pub use charge::{Charge, Dispute, DisputeStatus, RefundPart};
pub use customer::Customer;
pub use event::{Envelope, Event};
pub use invoice::{Invoice, InvoiceLine, InvoiceStatus};
pub use price::{Interval, IntervalUnit, Price};
pub use read::{Node, ObjectError, Wrong};
pub use session::{PaymentStatus, Session, SessionStatus};
pub use subscription::{Discount, Item, Subscription, SubscriptionStatus};

use chrono::{DateTime, Utc};
use serde_json::Value;

/// From one instant up to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Its first instant.
    pub start: DateTime<Utc>,
    /// The first instant after it.
    pub end: DateTime<Utc>,
}

/// An object of Stripe's.
pub trait Object: Sized {
    /// What Stripe calls it: the value of its field `object`.
    const NAME: &'static str;

    /// Reads it from where it stands.
    ///
    /// # Errors
    /// [`ObjectError`], which names the path from there.
    fn read(node: &Node<'_>) -> Result<Self, ObjectError>;

    /// Reads it from its own JSON.
    ///
    /// # Errors
    /// [`ObjectError`]; also if the JSON is another kind of object.
    fn from_json(json: &Value) -> Result<Self, ObjectError> {
        let node = Node::root(json, Self::NAME);
        match node.get("object") {
            Some(kind) if kind.text()? != Self::NAME => Err(kind.wrong(Wrong::Kind(Self::NAME))),
            _ => Self::read(&node),
        }
    }
}

/// Declares an enum of words that may get more: those unknown are kept.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
            /// A word that this program does not know.
            Other(String),
        }

        impl $name {
            /// The word as Stripe writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }
    };
}
use words;
