//! Why a campaign says no.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{InvalidTerms, Money, Period, Status};

/// Why a wish is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field says what it is by its name and type")]
pub enum Refusal {
    /// Nothing exists under this id.
    #[error("there is no such campaign")]
    Missing,
    /// The id is taken.
    #[error("the campaign exists already")]
    Exists,
    /// The lifecycle does not allow it.
    #[error("a campaign that is {} cannot be {wish}", status.as_str())]
    Status { status: Status, wish: String },
    /// The terms make no sense.
    #[error(transparent)]
    Terms(#[from] InvalidTerms),
    /// The code of a campaign that was activated is fixed.
    #[error("the code can be changed only in a draft")]
    CodeFixed,
    /// The new limit is below what people already got.
    #[error("total_limit is below the {redeemed} redemptions there already are")]
    LimitBelowRedeemed { redeemed: u32 },
    /// What was counted by one period cannot be told by another.
    #[error("limit_period can be changed only before codes are issued or the campaign is activated")]
    PeriodFixed,
    /// Coupons that were issued are promised to be good for longer.
    #[error("ends_at is earlier than the time that coupons were issued for")]
    EndsBeforePromised { promised: Option<DateTime<Utc>> },
    /// Too early.
    #[error("the campaign starts at {starts_at}")]
    NotStarted { starts_at: DateTime<Utc> },
    /// Too late.
    #[error("the campaign ended at {ends_at}")]
    Over { ends_at: DateTime<Utc> },
    /// The total limit is reached.
    #[error("all {limit} redemptions are taken")]
    Exhausted { limit: u32 },
    /// The person's limit is reached.
    #[error("the limit of {limit} per person{} is reached", period.and_a())]
    PersonLimit {
        limit: u32,
        #[serde(default, skip_serializing_if = "Period::is_ever")]
        period: Period,
    },
    /// The campaign is for those who were given a coupon.
    #[error("the campaign is for people who were given a coupon")]
    NotHolder,
    /// The purchase is too small, or in another currency, or not stated.
    #[error("the purchase must come to at least {minimum}")]
    BelowMinimum { minimum: Money },
    /// A unique code was sent to a campaign with a shared one, or the other way round.
    #[error("the campaign does not have this kind of code")]
    OtherKindOfCode,
    /// The campaign has no such code.
    #[error("there is no such code")]
    UnknownCode,
    /// The unique code is redeemed or reserved.
    #[error("the code is used")]
    CodeUsed,
    /// The batch of the code was taken back.
    #[error("the code was revoked")]
    CodeRevoked,
    /// The campaign has questions, and nobody approved the answers.
    #[error("the campaign's questions have to be answered first")]
    Unanswered,
    /// A batch of this number exists.
    #[error("there is a batch {batch} already")]
    BatchExists { batch: u32 },
    /// No batch has this number.
    #[error("there is no batch {batch}")]
    BatchMissing { batch: u32 },
    /// A batch is too small or too large.
    #[error("a batch has 1 to {most} codes")]
    BatchSize { most: u32 },
    /// Nobody is left without a coupon but there is none to give.
    #[error("no code is left to give away")]
    NoCodeLeft,
    /// There is no such reservation, or not any more.
    #[error("there is no such reservation")]
    ReservationMissing,
    /// It is somebody else's, or for another code.
    #[error("the reservation is for another person or code")]
    ReservationOfAnother,
    /// A reservation must end later than it begins, and within the limit.
    #[error("a reservation lasts at most {most_seconds} seconds")]
    ReservationTime { most_seconds: u32 },
    /// There is no such redemption.
    #[error("there is no such redemption")]
    RedemptionMissing,
    /// It was rolled back before.
    #[error("the redemption was released before")]
    ReleasedBefore,
    /// A release needs a reason.
    #[error("a reason has 1 to 500 characters")]
    Reason,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_was_reached_before_limits_had_periods_is_read() {
        let old: Refusal = serde_json::from_str(r#"{"PersonLimit":{"limit":1}}"#).expect("a refusal");
        assert_eq!(old, Refusal::PersonLimit { limit: 1, period: Period::Ever });
        assert_eq!(old.to_string(), "the limit of 1 per person is reached");
        let daily = Refusal::PersonLimit { limit: 2, period: Period::Day };
        assert_eq!(daily.to_string(), "the limit of 2 per person and day is reached");
    }
}
