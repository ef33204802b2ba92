//! What happened to somebody in a channel.

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Verdict;
use crate::{ByHand, subscription};

/// Facts about somebody in a channel. Who, and which, is the stream's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field says what it is by its name and type")]
pub enum Event {
    /// A subscription gives them access.
    Entitled {
        subscription: Uuid,
        version: i64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<DateTime<Utc>>,
        rule: subscription::Rule,
        at: DateTime<Utc>,
    },
    /// A subscription gives them none. `outside`: it did until now, nothing else does, and
    /// they are not in, so that no removal will tell them.
    Disentitled {
        subscription: Uuid,
        version: i64,
        rule: subscription::Rule,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        outside: bool,
        at: DateTime<Utc>,
    },
    /// A newer version of a subscription says the same.
    Confirmed { subscription: Uuid, version: i64, at: DateTime<Utc> },
    /// They asked to join, and may.
    Admitted { request: i64, verdict: Verdict, at: DateTime<Utc> },
    /// They are in; by which of our links.
    Joined {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        link: Option<String>,
        at: DateTime<Utc>,
    },
    /// They went by themselves.
    Left { at: DateTime<Utc> },
    /// They are in and should not be.
    RemovalDue { verdict: Verdict, at: DateTime<Utc> },
    /// They should be in after all.
    RemovalWithdrawn { verdict: Verdict, at: DateTime<Utc> },
    /// Telegram would not remove them.
    RemovalFailed { error: String, at: DateTime<Utc> },
    /// They were removed. `readmit`: they should be in by now, and it came too late.
    Removed {
        verdict: Verdict,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        readmit: bool,
        at: DateTime<Utc>,
    },
    /// They are never removed.
    Whitelisted { by_hand: ByHand, at: DateTime<Utc> },
    /// They are treated like others.
    Unlisted { by_hand: ByHand, at: DateTime<Utc> },
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        match self {
            Self::Entitled { .. } => "Entitled",
            Self::Disentitled { .. } => "Disentitled",
            Self::Confirmed { .. } => "Confirmed",
            Self::Admitted { .. } => "Admitted",
            Self::Joined { .. } => "Joined",
            Self::Left { .. } => "Left",
            Self::RemovalDue { .. } => "RemovalDue",
            Self::RemovalWithdrawn { .. } => "RemovalWithdrawn",
            Self::RemovalFailed { .. } => "RemovalFailed",
            Self::Removed { .. } => "Removed",
            Self::Whitelisted { .. } => "Whitelisted",
            Self::Unlisted { .. } => "Unlisted",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
