//! Wishes about a campaign.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Money, Terms};
use crate::{CodeText, PersonId, Personal, TelegramUser, UniqueCode};

/// Wishes about a campaign. `at` is always the time of the wish.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are those of the events")]
pub enum Command {
    /// Write a new campaign.
    Draft { terms: Terms, at: DateTime<Utc> },
    /// Change the terms. The code can change only in a draft.
    ChangeTerms { terms: Terms, at: DateTime<Utc> },
    /// Open it, at once or when it starts. A shared code must have been claimed for it.
    Activate { at: DateTime<Utc> },
    /// Stop it for now.
    Pause { at: DateTime<Utc> },
    /// Open it again.
    Resume { at: DateTime<Utc> },
    /// Stop it for good, or discard the draft.
    End { at: DateTime<Utc> },
    /// Put away what has ended.
    Archive { at: DateTime<Utc> },
    /// Draw its coupons on a template that there is; without one, on our ticket.
    DesignCard { template: Option<Uuid>, at: DateTime<Utc> },
    /// Do what is due by time alone: start, end, let reservations go.
    Tick { at: DateTime<Utc> },
    /// Make unique codes; the number must be new in the whole installation.
    Mint { batch: u32, count: u32, at: DateTime<Utc> },
    /// Take in unique codes that were made elsewhere.
    Import { batch: u32, codes: Vec<CodeText>, at: DateTime<Utc> },
    /// Take back what is left of a batch.
    RevokeBatch { batch: u32, at: DateTime<Utc> },
    /// Give a person a coupon: the shared code, or the next unique one.
    Publish { publication: Uuid, person: PersonId, telegram: Option<Personal<TelegramUser>>, at: DateTime<Utc> },
    /// Keep a redemption free for a person.
    Reserve { reservation: Uuid, asked: Asked, until: DateTime<Utc> },
    /// Keep it free no longer.
    CancelReservation { reservation: Uuid, at: DateTime<Utc> },
    /// A person asks for the benefit.
    Redeem { redemption: Redemption, asked: Asked },
    /// Roll a redemption back. What is said of it must be what its event says.
    Release {
        redemption: Uuid,
        number: u32,
        person: PersonId,
        coupon: Option<UniqueCode>,
        redeemed_at: DateTime<Utc>,
        reason: Personal<String>,
        at: DateTime<Utc>,
    },
}

impl Command {
    /// Codes in one import at the most.
    pub const IMPORTED: u32 = 100_000;
}

/// Who wants to redeem what.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Who.
    pub person: PersonId,
    /// Which unique code; none: the shared one.
    pub coupon: Option<UniqueCode>,
    /// The shared code that was typed, if one was. Whoever says that it stands for
    /// this campaign may be behind; the campaign itself is not.
    pub code: Option<CodeText>,
    /// The reservation they have, if any.
    pub reservation: Option<Uuid>,
    /// What the purchase comes to, if it is known.
    pub spend: Option<Money>,
    /// The approved answers to the campaign's questions, if it has any.
    pub submission: Option<Uuid>,
    /// When they asked.
    pub at: DateTime<Utc>,
}

/// A redemption about to be made.
#[derive(Debug, Clone)]
pub struct Redemption {
    /// Its id.
    pub id: Uuid,
    /// The account it came from, if it came from Telegram.
    pub telegram: Option<Personal<TelegramUser>>,
    /// Through which door.
    pub source: Source,
}

/// Through which door a redemption came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The bot in Telegram.
    #[default]
    Bot,
    /// The API.
    Api,
}

impl Source {
    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bot => "bot",
            Self::Api => "api",
        }
    }

    pub(super) const fn is_bot(&self) -> bool {
        matches!(self, Self::Bot)
    }
}
