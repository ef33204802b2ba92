//! Coupons as they come in and go out.

use aggregates::{
    PersonId, Personal, TelegramUser,
    campaign::{Money, Terms},
};
use chrono::{DateTime, Utc};
use poem_openapi::{Object, types::Example};
use serde_json::Value;
use uuid::Uuid;

use super::{
    body::{Fields, Input, count, id, text},
    mutation::EXAMPLE_ID,
    problem::Answer,
    terms_json::{self, Benefit, money},
};
use crate::app::App;

/// Who holds the coupon: exactly one of `customer` and `telegram_id` says it.
pub(super) struct Holder {
    pub(super) customer: Option<String>,
    pub(super) telegram_id: Option<i64>,
}

impl Holder {
    fn read(fields: &mut Fields) -> Option<Self> {
        let holder = Self {
            customer: fields.optional("customer", customer),
            telegram_id: fields.optional("telegram_id", |value| {
                value.as_i64().filter(|id| *id > 0).ok_or_else(|| "must be a user's id in Telegram".to_owned())
            }),
        };
        if holder.customer.is_some() == holder.telegram_id.is_some() {
            fields.note("customer", "must be given, or telegram_id, and not both");
            return None;
        }
        Some(holder)
    }

    pub(super) async fn person(&self, app: &App) -> Answer<PersonId> {
        Ok(match (&self.customer, self.telegram_id) {
            (Some(customer), _) => app.person_of_customer(customer).await?,
            (None, id) => app.person_of_telegram(id.unwrap_or_default()).await?,
        })
    }

    pub(super) fn telegram(&self) -> Option<Personal<TelegramUser>> {
        self.telegram_id.map(|id| Personal::new(TelegramUser { id, name: None, language: None }))
    }
}

fn customer(value: Value) -> Result<String, String> {
    let text = text(value)?;
    if (1..=200).contains(&text.chars().count()) && !text.chars().any(char::is_control) {
        return Ok(text);
    }
    Err("must have 1 to 200 characters, no control characters".to_owned())
}

fn code(value: Value) -> Result<String, String> {
    let text = text(value)?;
    if (1..=64).contains(&text.chars().count()) { Ok(text) } else { Err("must have 1 to 64 characters".to_owned()) }
}

/// A code and who holds it.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none, deny_unknown_fields)]
pub(super) struct CouponUse {
    /// The code, as it was typed: letter case does not matter, nor do hyphens and spaces in a unique code that was made here.
    #[oai(validator(min_length = 1, max_length = 64))]
    pub(super) code: String,
    /// Who holds it, by your name for them: an account number, say. It is kept as a pseudonym only.
    #[oai(nullable, validator(min_length = 1, max_length = 200))]
    pub(super) customer: Option<String>,
    /// Who holds it, by their user id in Telegram, instead of `customer`.
    #[oai(nullable, validator(minimum(value = "1")))]
    pub(super) telegram_id: Option<i64>,
    /// What the purchase comes to. Needed when the terms have a minimum.
    #[oai(nullable)]
    pub(super) spend: Option<terms_json::Money>,
    /// The reservation that was made for it.
    #[oai(nullable)]
    pub(super) reservation: Option<Uuid>,
}

impl Example for CouponUse {
    fn example() -> Self {
        Self {
            code: "GOLD10".to_owned(),
            customer: Some("account-4711".to_owned()),
            telegram_id: None,
            spend: Some(terms_json::Money::example()),
            reservation: None,
        }
    }
}

/// The same, as it was read.
pub(super) struct Using {
    pub(super) code: String,
    pub(super) holder: Holder,
    pub(super) spend: Option<Money>,
    pub(super) reservation: Option<Uuid>,
}

impl Input for Using {
    type Document = CouponUse;

    fn read(fields: &mut Fields) -> Option<Self> {
        let code = fields.required("code", code);
        let spend = fields.optional("spend", money);
        let reservation = fields.optional("reservation", id);
        let holder = Holder::read(fields);
        Some(Self { code: code?, holder: holder?, spend, reservation })
    }
}

/// A code, who holds it, and how long it is to be kept free.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none, deny_unknown_fields)]
pub(super) struct ReservationDraft {
    /// The code, as it was typed.
    #[oai(validator(min_length = 1, max_length = 64))]
    pub(super) code: String,
    /// Who holds it, by your name for them.
    #[oai(nullable, validator(min_length = 1, max_length = 200))]
    pub(super) customer: Option<String>,
    /// Who holds it, by their user id in Telegram, instead of `customer`.
    #[oai(nullable, validator(minimum(value = "1")))]
    pub(super) telegram_id: Option<i64>,
    /// What the purchase comes to. Needed when the terms have a minimum.
    #[oai(nullable)]
    pub(super) spend: Option<terms_json::Money>,
    /// How long it is kept free; a week at most.
    #[oai(validator(minimum(value = "1"), maximum(value = "604800")))]
    pub(super) seconds: u32,
}

impl Example for ReservationDraft {
    fn example() -> Self {
        Self {
            code: "GOLD10".to_owned(),
            customer: Some("account-4711".to_owned()),
            telegram_id: None,
            spend: None,
            seconds: 900,
        }
    }
}

pub(super) struct Reserving {
    pub(super) using: Using,
    pub(super) seconds: u32,
}

impl Input for Reserving {
    type Document = ReservationDraft;

    fn read(fields: &mut Fields) -> Option<Self> {
        let seconds = fields.required("seconds", count);
        let code = fields.required("code", code);
        let spend = fields.optional("spend", money);
        let holder = Holder::read(fields);
        Some(Self { using: Using { code: code?, holder: holder?, spend, reservation: None }, seconds: seconds? })
    }
}

/// Who is given a coupon.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none, deny_unknown_fields)]
pub(super) struct PublicationDraft {
    /// By your name for them.
    #[oai(nullable, validator(min_length = 1, max_length = 200))]
    pub(super) customer: Option<String>,
    /// By their user id in Telegram, instead of `customer`.
    #[oai(nullable, validator(minimum(value = "1")))]
    pub(super) telegram_id: Option<i64>,
    /// Your name for this giving: the same one again gives no other coupon but answers with the first one.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub(super) source_id: String,
}

impl Example for PublicationDraft {
    fn example() -> Self {
        Self { customer: Some("account-4711".to_owned()), telegram_id: None, source_id: "order-2027-0815".to_owned() }
    }
}

pub(super) struct Publishing {
    pub(super) holder: Holder,
    pub(super) source_id: String,
}

impl Input for Publishing {
    type Document = PublicationDraft;

    fn read(fields: &mut Fields) -> Option<Self> {
        let source_id = fields.required("source_id", customer);
        let holder = Holder::read(fields);
        Some(Self { holder: holder?, source_id: source_id? })
    }
}

/// Why something is taken back.
#[derive(Object)]
#[oai(example, deny_unknown_fields)]
pub(super) struct Reason {
    /// For those who look at it later.
    #[oai(validator(min_length = 1, max_length = 500))]
    pub(super) reason: String,
}

impl Example for Reason {
    fn example() -> Self {
        Self { reason: "The order was sent back.".to_owned() }
    }
}

impl Input for Reason {
    type Document = Self;

    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { reason: fields.required("reason", text)? })
    }
}

/// A coupon that can be redeemed.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct Offer {
    /// Of which campaign.
    pub(super) campaign_id: Uuid,
    /// What the campaign is called.
    pub(super) name: String,
    /// What the coupon is good for.
    pub(super) benefit: Option<Benefit>,
    /// First instant at which it no longer can be redeemed.
    pub(super) ends_at: Option<DateTime<Utc>>,
}

impl Example for Offer {
    fn example() -> Self {
        Self {
            campaign_id: Uuid::from_u128(EXAMPLE_ID),
            name: "Gold week".to_owned(),
            benefit: Some(Benefit::example()),
            ends_at: DateTime::from_timestamp(1_800_604_800, 0),
        }
    }
}

impl Offer {
    pub(super) fn new(campaign_id: Uuid, terms: Terms) -> Self {
        Self { campaign_id, name: terms.name, benefit: terms.benefit.map(Benefit::from), ends_at: terms.ends_at }
    }
}

/// What became of a coupon.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct CouponChange {
    /// Of the redemption, the reservation or the publication.
    pub(super) id: Uuid,
    /// Of which campaign.
    pub(super) campaign_id: Uuid,
    /// The number of a redemption in its campaign, from 1.
    pub(super) number: Option<u32>,
    /// The code that was given away.
    pub(super) code: Option<String>,
    /// When a reservation ends.
    pub(super) until: Option<DateTime<Utc>>,
    /// The campaign's version after it.
    pub(super) version: i64,
    /// A read model that has come this far in the log shows it: see `min_position`.
    pub(super) position: i64,
}

impl Example for CouponChange {
    fn example() -> Self {
        Self {
            id: Uuid::from_u128(EXAMPLE_ID + 1),
            campaign_id: Uuid::from_u128(EXAMPLE_ID),
            number: Some(17),
            code: None,
            until: None,
            version: 20,
            position: 1042,
        }
    }
}
