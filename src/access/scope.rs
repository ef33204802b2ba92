//! What a key may allow.

use std::str::FromStr;

/// What a key may allow. An admin may do all of it, and only an admin may make
/// keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// See campaigns and redemptions.
    CampaignsRead,
    /// Write, open, stop and change campaigns.
    CampaignsWrite,
    /// Check, redeem, reserve and release coupons.
    CouponsRedeem,
    /// Read the log, which holds personal data.
    EventsRead,
    /// See who uses the bot, by name and Telegram id, and what for.
    BotUsersRead,
    /// See broadcasts and what became of them.
    BroadcastsRead,
    /// Write, start, stop and cancel broadcasts.
    BroadcastsWrite,
    /// See plans, subscriptions and members of channels, with e-mail addresses and Telegram ids.
    SubscriptionsRead,
    /// Write plans, and give, extend and take away access by hand.
    SubscriptionsWrite,
    /// See signals, what they came to, and how they are made.
    SignalsRead,
    /// Open and end signals by hand, and say how they are made.
    SignalsWrite,
    /// See metrics, feeds and jobs, and decide on dead ones.
    Operations,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::CampaignsRead,
        Self::CampaignsWrite,
        Self::CouponsRedeem,
        Self::EventsRead,
        Self::BotUsersRead,
        Self::BroadcastsRead,
        Self::BroadcastsWrite,
        Self::SubscriptionsRead,
        Self::SubscriptionsWrite,
        Self::SignalsRead,
        Self::SignalsWrite,
        Self::Operations,
    ];

    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CampaignsRead => "campaigns:read",
            Self::CampaignsWrite => "campaigns:write",
            Self::CouponsRedeem => "coupons:redeem",
            Self::EventsRead => "events:read",
            Self::BotUsersRead => "bot-users:read",
            Self::BroadcastsRead => "broadcasts:read",
            Self::BroadcastsWrite => "broadcasts:write",
            Self::SubscriptionsRead => "subscriptions:read",
            Self::SubscriptionsWrite => "subscriptions:write",
            Self::SignalsRead => "signals:read",
            Self::SignalsWrite => "signals:write",
            Self::Operations => "operations",
        }
    }
}

/// A word that is no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be one of campaigns:read, campaigns:write, coupons:redeem, events:read, bot-users:read, broadcasts:read, broadcasts:write, \
     subscriptions:read, subscriptions:write, signals:read, signals:write, operations"
)]
pub struct UnknownScope;

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(word: &str) -> Result<Self, UnknownScope> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word).ok_or(UnknownScope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_has_a_word_that_the_refusal_names() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(scope));
            assert!(UnknownScope.to_string().contains(scope.as_str()));
        }
    }
}
