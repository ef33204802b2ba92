//! What happened to a campaign.

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Source, Terms};
use crate::{CodeText, PersonId, Personal, TelegramUser, UniqueCode, instant};

/// Facts about a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field says what it is by its name and type")]
pub enum Event {
    /// It was written.
    Drafted { terms: Terms, at: DateTime<Utc> },
    /// Other terms are in force; `released` is the code it no longer wants.
    TermsChanged {
        terms: Terms,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        released: Option<CodeText>,
        at: DateTime<Utc>,
    },
    /// It will open when it starts.
    Scheduled { at: DateTime<Utc> },
    /// It was opened.
    Activated { at: DateTime<Utc> },
    /// It was stopped for now.
    Paused { at: DateTime<Utc> },
    /// It was opened again.
    Resumed { at: DateTime<Utc> },
    /// It was stopped for good and lets go of its code.
    Ended {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<CodeText>,
        /// Whether its time was over, and nobody stopped it before.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        on_time: bool,
        at: DateTime<Utc>,
    },
    /// It was put away.
    Archived { at: DateTime<Utc> },
    /// Its coupons are drawn on a template; none: on our ticket.
    CardDesigned {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        template: Option<Uuid>,
        at: DateTime<Utc>,
    },
    /// Unique codes were made from the installation's key.
    BatchMinted { batch: u32, count: u32, at: DateTime<Utc> },
    /// Unique codes came from outside.
    BatchImported { batch: u32, codes: Vec<CodeText>, at: DateTime<Utc> },
    /// What is left of a batch was taken back.
    BatchRevoked { batch: u32, at: DateTime<Utc> },
    /// A person was given a coupon.
    Published {
        publication: Uuid,
        person: PersonId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        telegram: Option<Personal<TelegramUser>>,
        /// None: the shared code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        coupon: Option<UniqueCode>,
        at: DateTime<Utc>,
    },
    /// A redemption is kept free for a person until a time.
    Reserved {
        reservation: Uuid,
        person: PersonId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        coupon: Option<UniqueCode>,
        until: DateTime<Utc>,
        at: DateTime<Utc>,
    },
    /// It is no longer kept free; `expired` when its time was over.
    ReservationEnded { reservation: Uuid, expired: bool, at: DateTime<Utc> },
    /// A person got the benefit; `number` counts the campaign's redemptions from 1.
    Redeemed {
        redemption: Uuid,
        number: u32,
        person: PersonId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        telegram: Option<Personal<TelegramUser>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        coupon: Option<UniqueCode>,
        /// The reservation it had, which ends with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reservation: Option<Uuid>,
        #[serde(default, skip_serializing_if = "Source::is_bot")]
        source: Source,
        /// The answers that were approved for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        submission: Option<Uuid>,
        // There may be a million of them to read before the first answer.
        #[serde(deserialize_with = "instant::deserialize")]
        at: DateTime<Utc>,
    },
    /// A redemption was rolled back.
    Released {
        redemption: Uuid,
        number: u32,
        person: PersonId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        coupon: Option<UniqueCode>,
        /// When it had been redeemed.
        redeemed_at: DateTime<Utc>,
        /// Why; 1 to 500 characters.
        reason: Personal<String>,
        at: DateTime<Utc>,
    },
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        match self {
            Self::Drafted { .. } => "Drafted",
            Self::TermsChanged { .. } => "TermsChanged",
            Self::Scheduled { .. } => "Scheduled",
            Self::Activated { .. } => "Activated",
            Self::Paused { .. } => "Paused",
            Self::Resumed { .. } => "Resumed",
            Self::Ended { .. } => "Ended",
            Self::Archived { .. } => "Archived",
            Self::CardDesigned { .. } => "CardDesigned",
            Self::BatchMinted { .. } => "BatchMinted",
            Self::BatchImported { .. } => "BatchImported",
            Self::BatchRevoked { .. } => "BatchRevoked",
            Self::Published { .. } => "Published",
            Self::Reserved { .. } => "Reserved",
            Self::ReservationEnded { .. } => "ReservationEnded",
            Self::Redeemed { .. } => "Redeemed",
            Self::Released { .. } => "Released",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
