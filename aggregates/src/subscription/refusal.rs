//! Why a subscription says no.

use serde::{Deserialize, Serialize};

use super::{Rule, Status};
use crate::by_hand::InvalidByHand;

/// Why a wish is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field says what it is by its name and type")]
pub enum Refusal {
    /// Nothing exists under this id.
    #[error("there is no such subscription")]
    Missing,
    /// The id is taken.
    #[error("the subscription exists already")]
    Exists,
    /// What Stripe says concerns another kind of subscription.
    #[error("the subscription was granted by hand and is not at Stripe")]
    NotAtStripe,
    /// The lifecycle does not allow it.
    #[error("a subscription that is {} cannot be {wish}", status.as_str())]
    Status { status: Status, wish: String },
    /// What came from outside makes no sense.
    #[error("{field}: is not what Stripe or Telegram would say")]
    Invalid { field: String },
    /// A grant is for somebody.
    #[error("email or telegram: one of them must be given")]
    Nobody,
    /// Not an address.
    #[error("email: is not an address")]
    Email,
    /// Time that is over cannot be given.
    #[error("until: must be later than now")]
    UntilPast,
    /// What is decided by hand says by whom and why.
    #[error(transparent)]
    ByHand(#[from] InvalidByHand),
    /// The place is somebody else's: the link was passed on.
    #[error("the subscription is another person's")]
    Stranger,
    /// The link was not made for this subscription, or not the last one that was.
    #[error("the link is not the subscription's")]
    UnknownLink,
    /// The subscription gives no access.
    #[error("the subscription gives no access: {}", rule.as_str())]
    NotEntitled { rule: Rule },
}

impl Refusal {
    pub(super) fn invalid(field: &str) -> Self {
        Self::Invalid { field: field.to_owned() }
    }
}
