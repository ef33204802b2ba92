//! Which bot is meant.

/// A bot of this installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bot {
    /// Redeems coupons, and looks after paid channels.
    Coupon,
    /// Posts signals.
    Forex,
}

impl Bot {
    /// The word for it in lanes, keys, limits and the inbox.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Coupon => "coupon-bot",
            Self::Forex => "forex-bot",
        }
    }
}
