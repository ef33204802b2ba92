//! What the inside says no with, as problems.

use std::error::Error;

use aggregates::{bot_user, broadcast, campaign, code, guard, submission, template};
use cards::UploadError;

use super::problem::{Kind, Problem};
use crate::{
    access::AccessError,
    activation::ActivateError,
    cards::{CardError, ReadError},
    coupons::LookupError,
    executor::SendError,
    feed::FeedError,
    integrations::storage::StorageError,
    log::LogError,
};

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        let kind = database_kind(&error);
        Self::from(kind).because(error)
    }
}

/// Whether the database is away, or something is wrong with what we asked it.
fn database_kind(error: &sqlx::Error) -> Kind {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        // What a server that is going down says may be cut off in the middle.
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Kind::DatabaseUnavailable,
        sqlx::Error::Database(error) => match error.code().as_deref() {
            // Connection lost, out of resources, shutting down, read-only after a failover.
            Some(code) if ["08", "53", "57P"].iter().any(|class| code.starts_with(class)) || code == "25006" => {
                Kind::DatabaseUnavailable
            }
            _ => Kind::Internal,
        },
        _ => Kind::Internal,
    }
}

/// An error that holds another one somewhere inside.
fn root_kind(error: &(dyn Error + 'static)) -> Kind {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<sqlx::Error>() {
            return database_kind(error);
        }
        next = error.source();
    }
    Kind::Internal
}

fn log_kind(error: &LogError) -> Kind {
    match error {
        LogError::Unavailable { source, .. } => database_kind(source),
        LogError::Unstorable { .. } => Kind::Unstorable,
        LogError::Unreadable { .. } => Kind::Internal,
        LogError::Overloaded => Kind::Overloaded,
        LogError::Closed => Kind::Stopping,
    }
}

impl From<LogError> for Problem {
    fn from(error: LogError) -> Self {
        Self::from(log_kind(&error)).because(error)
    }
}

impl From<LookupError> for Problem {
    fn from(error: LookupError) -> Self {
        Self::from(root_kind(&error)).because(error)
    }
}

impl From<FeedError> for Problem {
    fn from(error: FeedError) -> Self {
        let kind = match &error {
            FeedError::Log(error) => log_kind(error),
            FeedError::Database { source, .. } => database_kind(source),
            FeedError::Projection(error) => root_kind(error),
        };
        Self::from(kind).because(error)
    }
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        let kind = match &error {
            AccessError::Database { source, .. } => database_kind(source),
            AccessError::Hash(_) | AccessError::Sign(_) => Kind::Internal,
            AccessError::Crowded => Kind::Overloaded,
            AccessError::Name => return Self::input("name", error.to_string()),
            AccessError::Password => return Self::input("password", error.to_string()),
            AccessError::NameTaken => return Kind::KeyNameTaken.into(),
        };
        Self::from(kind).because(error)
    }
}

impl<R: Error + Into<Self>> From<SendError<R>> for Problem {
    fn from(error: SendError<R>) -> Self {
        match error {
            SendError::Refused(refusal) => refusal.into(),
            SendError::Precondition { expected, found } => Self::from(Kind::PreconditionFailed)
                .with_detail(format!("It has version {found}, not {expected}. Read it again, look at what changed, and send the change with its new ETag.")),
            SendError::KeyReused => Kind::KeyReused.into(),
            SendError::Busy { .. } => Kind::Busy.into(),
            SendError::Log(error) => Self::from(log_kind(&error)).because(error),
        }
    }
}

impl From<campaign::Refusal> for Problem {
    fn from(refusal: campaign::Refusal) -> Self {
        use campaign::Refusal;
        let kind = match &refusal {
            Refusal::Missing => return Kind::CampaignMissing.into(),
            Refusal::Exists => return Kind::CampaignExists.into(),
            Refusal::Terms(terms) => {
                return Self::from(Kind::InvalidTerms).with_error(&terms.field, &terms.reason);
            }
            Refusal::LimitBelowRedeemed { redeemed } => {
                return Self::from(Kind::LimitBelowRedeemed).with_error(
                    "total_limit",
                    format!("must be at least {redeemed}, the redemptions there already are"),
                );
            }
            Refusal::CodeFixed => {
                return Self::from(Kind::CodeFixed).with_error("code", "can be changed only in a draft");
            }
            Refusal::PeriodFixed => {
                return Self::from(Kind::PromiseBroken)
                    .with_error("limit_period", "can be changed only before the campaign is activated");
            }
            Refusal::EndsBeforePromised { .. } => {
                return Self::from(Kind::PromiseBroken)
                    .with_error("ends_at", "must not be earlier than what was promised with issued coupons");
            }
            Refusal::BatchSize { most } => {
                return Self::input("count", format!("must be a whole number from 1 to {most}"));
            }
            Refusal::ReservationTime { most_seconds } => {
                return Self::input("seconds", format!("must be a whole number from 1 to {most_seconds}"));
            }
            Refusal::Reason => return Self::input("reason", "must have 1 to 500 characters, and not only spaces"),
            Refusal::Status { .. } => Kind::CampaignStatus,
            Refusal::NotStarted { .. } => Kind::CampaignNotStarted,
            Refusal::Over { .. } => Kind::CampaignOver,
            Refusal::Exhausted { .. } => Kind::CampaignExhausted,
            Refusal::PersonLimit { .. } => Kind::PersonLimit,
            Refusal::NotHolder => Kind::NotHolder,
            Refusal::BelowMinimum { .. } => Kind::BelowMinimum,
            Refusal::OtherKindOfCode => Kind::OtherKindOfCode,
            Refusal::UnknownCode => Kind::CodeUnknown,
            Refusal::CodeUsed => Kind::CodeUsed,
            Refusal::CodeRevoked => Kind::CodeRevoked,
            Refusal::Unanswered => Kind::Unanswered,
            // Numbers of batches come from a sequence.
            Refusal::BatchExists { .. } => Kind::Busy,
            Refusal::BatchMissing { .. } => Kind::BatchMissing,
            Refusal::NoCodeLeft => Kind::NoCodeLeft,
            Refusal::ReservationMissing => Kind::ReservationMissing,
            Refusal::ReservationOfAnother => Kind::ReservationOfAnother,
            Refusal::RedemptionMissing => Kind::RedemptionMissing,
            Refusal::ReleasedBefore => Kind::ReleasedBefore,
        };
        Self::from(kind).with_detail(sentence(&refusal.to_string()))
    }
}

impl From<broadcast::Invalid> for Problem {
    fn from(invalid: broadcast::Invalid) -> Self {
        Self::from(Kind::InvalidBroadcast).with_error(invalid.field, invalid.reason)
    }
}

impl From<broadcast::Refusal> for Problem {
    fn from(refusal: broadcast::Refusal) -> Self {
        use broadcast::Refusal;
        match refusal {
            Refusal::Missing => Kind::BroadcastMissing.into(),
            Refusal::Exists => Kind::BroadcastExists.into(),
            Refusal::Invalid(invalid) => invalid.into(),
            Refusal::NothingUnconfirmed => Kind::NothingUnconfirmed.into(),
            Refusal::Status { .. } => Self::from(Kind::BroadcastStatus).with_detail(sentence(&refusal.to_string())),
        }
    }
}

impl From<bot_user::Refusal> for Problem {
    fn from(refusal: bot_user::Refusal) -> Self {
        match refusal {}
    }
}

impl From<ActivateError> for Problem {
    fn from(error: ActivateError) -> Self {
        match error {
            ActivateError::Campaign(error) => error.into(),
            ActivateError::CodeInUse { holder } => code::Refusal::Held { campaign: holder }.into(),
            ActivateError::Code(error) => error.into(),
            ActivateError::Log(error) => error.into(),
            ActivateError::Busy => Kind::Busy.into(),
        }
    }
}

impl From<guard::Refusal> for Problem {
    fn from(refusal: guard::Refusal) -> Self {
        match refusal {}
    }
}

impl From<submission::Refusal> for Problem {
    fn from(refusal: submission::Refusal) -> Self {
        use submission::Refusal;
        match refusal {
            Refusal::Missing => Kind::SubmissionMissing.into(),
            Refusal::Status { .. } => Self::from(Kind::SubmissionStatus).with_detail(sentence(&refusal.to_string())),
            Refusal::Reason => Self::input("reason", "must have 1 to 500 characters, and not only spaces"),
        }
    }
}

impl From<template::Refusal> for Problem {
    fn from(refusal: template::Refusal) -> Self {
        use template::Refusal;
        match refusal {
            Refusal::Missing => Kind::TemplateMissing.into(),
            Refusal::Exists => Kind::TemplateExists.into(),
            Refusal::Archived => Kind::TemplateArchived.into(),
            Refusal::Name { reason } => Self::input("name", reason),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Refused(error @ UploadError::Bytes { .. }) => {
                Self::from(Kind::BodyTooLarge).with_detail(sentence(&error.to_string()))
            }
            ReadError::Refused(error) => Self::from(Kind::InvalidPicture).with_error("body", error.to_string()),
            ReadError::BrokenOff => Self::from(Kind::Internal).because(error),
        }
    }
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        Self::from(Kind::StorageUnavailable).because(error)
    }
}

impl From<CardError> for Problem {
    fn from(error: CardError) -> Self {
        let kind = match &error {
            CardError::NoBot => return Kind::TelegramUnavailable.into(),
            CardError::Bot(_) => Kind::TelegramUnavailable,
            CardError::Storage(_) => Kind::StorageUnavailable,
            CardError::Missing(_) | CardError::Changed(_) | CardError::Unreadable(_) => {
                let detail = "The picture of the template is not in the object storage as it was uploaded. Bring the storage back, or choose another template.";
                return Self::from(Kind::StorageUnavailable).with_detail(detail).because(error);
            }
            CardError::Log(error) => log_kind(error),
            CardError::Draw(_) | CardError::Link(_) | CardError::NoTemplate(_) | CardError::Layout(_) => Kind::Internal,
        };
        Self::from(kind).because(error)
    }
}

impl From<code::Refusal> for Problem {
    fn from(refusal: code::Refusal) -> Self {
        match refusal {
            code::Refusal::Held { campaign } => Self::from(Kind::CodeInUse).with_detail(format!(
                "Campaign {campaign} holds this code. End it, or give this one another code while it is a draft."
            )),
        }
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).chain(['.']).collect()).unwrap_or_default()
}
