//! What the inside says no with, as problems.

use std::error::Error;

use aggregates::{
    InvalidByHand, bot_user, broadcast, campaign, code, guard, member, plan, signal, submission, subscription, template,
};
use cards::UploadError;

use super::problem::{Kind, Problem};
use crate::{
    access::AccessError,
    activation::ActivateError,
    cards::{CardError, ReadError},
    coupons::LookupError,
    executor::SendError,
    feed::FeedError,
    imports::ImportError,
    integrations::storage::StorageError,
    log::LogError,
    market::MarketError,
    signals::{by_hand::ByHandError, chart::ChartError, watch::WatchError},
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
        LogError::Unreadable { .. } | LogError::Incomplete { .. } => Kind::Internal,
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
                return Self::from(Kind::PromiseBroken).with_error(
                    "limit_period",
                    "can be changed only before codes are issued or the campaign is activated",
                );
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
            ActivateError::CodeImported { importer } => Self::from(Kind::CodeInUse).with_detail(format!(
                "It is one of the unique codes that were imported for campaign {importer}. Give this one another code while it is a draft."
            )),
            ActivateError::Imports(error) => error.into(),
            ActivateError::Code(error) => error.into(),
            ActivateError::Log(error) => error.into(),
            ActivateError::Busy => Kind::Busy.into(),
        }
    }
}

impl From<ImportError> for Problem {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Campaign(error) => error.into(),
            ImportError::Database { ref source, .. } => Self::from(database_kind(source)).because(error),
            ImportError::Log(error) => error.into(),
            ImportError::Busy => Kind::Busy.into(),
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

impl From<plan::Refusal> for Problem {
    fn from(refusal: plan::Refusal) -> Self {
        use plan::Refusal;
        match refusal {
            Refusal::Missing => Kind::PlanMissing.into(),
            Refusal::Exists => Kind::PlanExists.into(),
            Refusal::Terms(terms) => {
                // (The field of the body that says how often it is paid for.)
                let field = if terms.field == "every" { "interval_count" } else { &terms.field };
                Self::from(Kind::InvalidTerms).with_error(field, &terms.reason)
            }
            Refusal::Status { .. } => Self::from(Kind::PlanStatus).with_detail(sentence(&refusal.to_string())),
        }
    }
}

impl From<InvalidByHand> for Problem {
    fn from(invalid: InvalidByHand) -> Self {
        match invalid {
            // The names of admins and keys are shorter.
            InvalidByHand::By => Self::from(Kind::Internal).because(invalid),
            InvalidByHand::Reason => {
                Self::input("reason", "must have 1 to 500 characters, no control characters but line breaks")
            }
        }
    }
}

impl From<subscription::Refusal> for Problem {
    fn from(refusal: subscription::Refusal) -> Self {
        use subscription::Refusal;
        let kind = match refusal {
            Refusal::Missing => return Kind::SubscriptionMissing.into(),
            Refusal::Exists => return Kind::SubscriptionExists.into(),
            Refusal::NotAtStripe => return Kind::NotAtStripe.into(),
            Refusal::Invalid { field } => return Self::input(field, "is not what Stripe or Telegram would say"),
            Refusal::Nobody => return Self::input("email", "must be given, or telegram_id"),
            Refusal::Email => return Self::input("email", "is not an address"),
            Refusal::UntilPast => return Self::input("until", "must be later than now"),
            Refusal::ByHand(invalid) => return invalid.into(),
            Refusal::Stranger => return Kind::SubscriptionOfAnother.into(),
            Refusal::UnknownLink => return Kind::LinkUnknown.into(),
            Refusal::Status { .. } => Kind::SubscriptionStatus,
            Refusal::NotEntitled { .. } => Kind::NotEntitled,
        };
        Self::from(kind).with_detail(sentence(&refusal.to_string()))
    }
}

impl From<member::Refusal> for Problem {
    fn from(refusal: member::Refusal) -> Self {
        use member::Refusal;
        match refusal {
            Refusal::NotEntitled { .. } => Self::from(Kind::NotEntitled).with_detail(sentence(&refusal.to_string())),
            Refusal::ByHand(invalid) => invalid.into(),
        }
    }
}

impl From<signal::Refusal> for Problem {
    fn from(refusal: signal::Refusal) -> Self {
        use signal::Refusal;
        let kind = match refusal {
            Refusal::Open { .. } => Kind::SignalOpen,
            Refusal::NoneOpen | Refusal::Another { .. } => Kind::SignalNotOpen,
            Refusal::Revised { revision } => {
                return Self::from(Kind::PreconditionFailed).with_detail(format!(
                    "It has revision {revision}. Read it again, look at what changed, and send the change with its new ETag."
                ));
            }
            Refusal::Settings(invalid) => {
                return Self::from(Kind::InvalidSettings).with_error(&invalid.field, &invalid.reason);
            }
            Refusal::Levels(invalid) => {
                return Self::from(Kind::InvalidLevels).with_error(&invalid.field, &invalid.reason);
            }
            Refusal::Expiry => return Self::input("expires_at", "must be later than now"),
            Refusal::OutsideZone { price } => {
                let reason = format!("the price is {price} now, outside of the entry zone");
                return Self::from(Kind::InvalidLevels).with_error("entry", reason);
            }
            // It was entered just now, while nobody knew a price.
            Refusal::Price => Kind::MarketStale,
            // Only said to who looks at the market.
            Refusal::Outdated => return Self::from(Kind::Internal).because(refusal),
            Refusal::ByHand(invalid) => return invalid.into(),
        };
        Self::from(kind).with_detail(sentence(&refusal.to_string()))
    }
}

impl From<ChartError> for Problem {
    fn from(error: ChartError) -> Self {
        Self::from(root_kind(&error)).because(error)
    }
}

impl From<ByHandError> for Problem {
    fn from(error: ByHandError) -> Self {
        match error {
            ByHandError::NoMarket => Kind::MarketUnavailable.into(),
            ByHandError::Closed { .. } => Self::from(Kind::MarketClosed).with_detail(sentence(&error.to_string())),
            ByHandError::Market(error) | ByHandError::Watch(WatchError::Market(error)) => error.into(),
            ByHandError::Log(error) | ByHandError::Watch(WatchError::Log(error)) => error.into(),
            ByHandError::Watch(WatchError::Candles(error)) => error.into(),
            ByHandError::Watch(WatchError::Send(error)) => error.into(),
        }
    }
}

impl From<MarketError> for Problem {
    fn from(error: MarketError) -> Self {
        let kind = match &error {
            MarketError::Stale(stale) => {
                let detail = format!("{} Try again when they are complete.", sentence(&stale.to_string()));
                return Self::from(Kind::MarketStale).with_detail(detail);
            }
            MarketError::TwelveData(_) => Kind::MarketStale,
            MarketError::Replay(_) | MarketError::Store(_) | MarketError::Database { .. } => root_kind(&error),
        };
        Self::from(kind).because(error)
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
