//! Coupons: check, redeem, keep free, give away, and take back.

use aggregates::{
    Campaign, PersonId, Personal, TelegramUser, UniqueCode,
    campaign::{Asked, Command, Event, Money, Redemption, Refusal, Source, Terms},
    guard::Miss,
};
use chrono::{DateTime, TimeDelta, Utc};
use poem_openapi::{ApiResponse, Object, OpenApi, param::Header, payload::Json, types::Example};
use projections::redemptions;
use serde_json::Value;
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, Caller, CampaignsWrite, CouponsRedeem},
    body::{Body, Fields, Input, count, text},
    mutation::{Changed, EXAMPLE_ID, changed, once},
    params::At,
    problem::{Answer, Kind, Problem},
    terms_json::{self, Benefit, money},
};
use crate::{
    app::App,
    coupons::{self, Found},
    executor::{Done, SendError, Wish},
    guard::{self, Missed},
    log::Once,
};

pub(super) struct Coupons(pub(super) App);

/// Who holds the coupon: exactly one of `customer` and `telegram_id` says it.
struct Holder {
    customer: Option<String>,
    telegram_id: Option<i64>,
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

    async fn person(&self, app: &App) -> Answer<PersonId> {
        Ok(match (&self.customer, self.telegram_id) {
            (Some(customer), _) => app.person_of_customer(customer).await?,
            (None, id) => app.person_of_telegram(id.unwrap_or_default()).await?,
        })
    }

    fn telegram(&self) -> Option<Personal<TelegramUser>> {
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
    if (1..=64).contains(&text.len()) { Ok(text) } else { Err("must have 1 to 64 characters".to_owned()) }
}

fn id(value: Value) -> Result<Uuid, String> {
    value.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| "must be a UUID".to_owned())
}

/// A code and who holds it.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none, deny_unknown_fields)]
struct CouponUse {
    /// The code, as it was typed: letter case, hyphens and spaces do not matter.
    #[oai(validator(min_length = 1, max_length = 64))]
    code: String,
    /// Who holds it, by your name for them: an account number, say. It is kept as a pseudonym only.
    #[oai(nullable, validator(min_length = 1, max_length = 200))]
    customer: Option<String>,
    /// Who holds it, by their user id in Telegram, instead of `customer`.
    #[oai(nullable, validator(minimum(value = "1")))]
    telegram_id: Option<i64>,
    /// What the purchase comes to. Needed when the terms have a minimum.
    #[oai(nullable)]
    spend: Option<terms_json::Money>,
    /// The reservation that was made for it.
    #[oai(nullable)]
    reservation: Option<Uuid>,
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
struct Using {
    code: String,
    holder: Holder,
    spend: Option<Money>,
    reservation: Option<Uuid>,
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
struct ReservationDraft {
    /// The code, as it was typed.
    #[oai(validator(min_length = 1, max_length = 64))]
    code: String,
    /// Who holds it, by your name for them.
    #[oai(nullable, validator(min_length = 1, max_length = 200))]
    customer: Option<String>,
    /// Who holds it, by their user id in Telegram, instead of `customer`.
    #[oai(nullable, validator(minimum(value = "1")))]
    telegram_id: Option<i64>,
    /// What the purchase comes to. Needed when the terms have a minimum.
    #[oai(nullable)]
    spend: Option<terms_json::Money>,
    /// How long it is kept free; a week at most.
    #[oai(validator(minimum(value = "1"), maximum(value = "604800")))]
    seconds: u32,
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

struct Reserving {
    using: Using,
    seconds: u32,
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
struct PublicationDraft {
    /// By your name for them.
    #[oai(nullable, validator(min_length = 1, max_length = 200))]
    customer: Option<String>,
    /// By their user id in Telegram, instead of `customer`.
    #[oai(nullable, validator(minimum(value = "1")))]
    telegram_id: Option<i64>,
    /// Your name for this giving: the same one again gives no other coupon but answers with the first one.
    #[oai(validator(min_length = 1, max_length = 200))]
    source_id: String,
}

impl Example for PublicationDraft {
    fn example() -> Self {
        Self { customer: Some("account-4711".to_owned()), telegram_id: None, source_id: "order-2027-0815".to_owned() }
    }
}

struct Publishing {
    holder: Holder,
    source_id: String,
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
struct Reason {
    /// For those who look at it later.
    #[oai(validator(min_length = 1, max_length = 500))]
    reason: String,
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
struct Offer {
    /// Of which campaign.
    campaign_id: Uuid,
    /// What the campaign is called.
    name: String,
    /// What the coupon is good for.
    benefit: Option<Benefit>,
    /// First instant at which it no longer can be redeemed.
    ends_at: Option<DateTime<Utc>>,
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
    fn new(campaign_id: Uuid, terms: Terms) -> Self {
        Self { campaign_id, name: terms.name, benefit: terms.benefit.map(Benefit::from), ends_at: terms.ends_at }
    }
}

/// What became of a coupon.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct CouponChange {
    /// Of the redemption, the reservation or the publication.
    id: Uuid,
    /// Of which campaign.
    campaign_id: Uuid,
    /// The number of a redemption in its campaign, from 1.
    number: Option<u32>,
    /// The code that was given away.
    code: Option<String>,
    /// When a reservation ends.
    until: Option<DateTime<Utc>>,
    /// The campaign's version after it.
    version: i64,
    /// A read model that has come this far in the log shows it: see `min_position`.
    position: i64,
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

/// Something became of a coupon.
#[derive(ApiResponse)]
enum CouponChanged {
    /// It is as wished. The answer to a repeated request is the first one's.
    #[oai(status = 200)]
    Changed(
        Json<CouponChange>,
        /// As `position` in the body.
        #[oai(header = "Promostack-Position")]
        i64,
        /// `true` when the request had taken effect before, under the same key.
        #[oai(header = "Idempotency-Replayed")]
        Option<String>,
    ),
}

#[OpenApi(tag = "Tags::Coupons")]
impl Coupons {
    /// Check a coupon
    ///
    /// Whether it could be redeemed at this moment, and what it is good for. The problem is the one that redeeming it
    /// would have. Nothing is changed, but a code that is no good is written down: see `listMisses`.
    ///
    /// Problems: code-unknown, campaign-status, campaign-not-started, campaign-over, campaign-exhausted, person-limit,
    /// not-holder, below-minimum, other-kind-of-code, code-used, code-revoked, reservation-missing, reservation-of-another
    #[oai(path = "/coupons/validate", method = "post", operation_id = "validateCoupon")]
    async fn validate(&self, caller: Allowed<CouponsRedeem>, body: Body<Using>) -> Answer<Json<Offer>> {
        let (found, asked) = self.asked(&caller, &body.value, None).await?;
        let stream = found.campaign.to_string();
        match self.0.campaigns.look(&stream, |campaign, _, _| campaign.check(&asked)).await? {
            Ok(terms) => Ok(Json(Offer::new(found.campaign, terms))),
            Err(refusal) => {
                self.note(&caller, found.campaign, &asked, &refusal, None).await?;
                Err(refusal.into())
            }
        }
    }

    /// Redeem a coupon
    ///
    /// For somebody who holds it. Whoever has `coupons:redeem` learns the exact reason of a refusal.
    ///
    /// Problems: code-unknown, campaign-status, campaign-not-started, campaign-over, campaign-exhausted, person-limit,
    /// not-holder, below-minimum, other-kind-of-code, code-used, code-revoked, reservation-missing, reservation-of-another
    #[oai(path = "/coupons/redeem", method = "post", operation_id = "redeemCoupon")]
    async fn redeem(
        &self,
        caller: Allowed<CouponsRedeem>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<Using>,
    ) -> Answer<CouponChanged> {
        let once = once(&caller, idempotency_key.0, &["redeem", &body.canonical])?;
        if let Some(done) = self.answered(once.as_ref()).await? {
            return self.answer(&done).await;
        }
        let (found, asked) = self.asked(&caller, &body.value, once.as_ref()).await?;
        let redemption =
            Redemption { id: self.0.clock.new_id(), telegram: body.value.holder.telegram(), source: Source::Api };
        let command = Command::Redeem { redemption, asked: asked.clone() };
        self.send_noted(&caller, found.campaign, command, &asked, once).await
    }

    /// Keep a coupon free
    ///
    /// While somebody is paying, say. It counts against all limits until it is redeemed with `reservation`, cancelled, or
    /// its time is over.
    ///
    /// Problems: code-unknown, campaign-status, campaign-not-started, campaign-over, campaign-exhausted, person-limit,
    /// not-holder, below-minimum, other-kind-of-code, code-used, code-revoked
    #[oai(path = "/coupons/reserve", method = "post", operation_id = "reserveCoupon")]
    async fn reserve(
        &self,
        caller: Allowed<CouponsRedeem>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<Reserving>,
    ) -> Answer<CouponChanged> {
        let once = once(&caller, idempotency_key.0, &["reserve", &body.canonical])?;
        if let Some(done) = self.answered(once.as_ref()).await? {
            return self.answer(&done).await;
        }
        let (found, asked) = self.asked(&caller, &body.value.using, once.as_ref()).await?;
        let until = asked.at + TimeDelta::seconds(body.value.seconds.into());
        let command = Command::Reserve { reservation: self.0.clock.new_id(), asked: asked.clone(), until };
        self.send_noted(&caller, found.campaign, command, &asked, once).await
    }

    /// Cancel a reservation
    ///
    /// What it kept free is free again.
    ///
    /// Problems: reservation-missing
    #[oai(path = "/reservations/:id/cancel", method = "post", operation_id = "cancelReservation")]
    async fn cancel(
        &self,
        caller: Allowed<CouponsRedeem>,
        /// The reservation's id.
        id: At<Uuid>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
    ) -> Answer<Changed> {
        let once = once(&caller, idempotency_key.0, &["cancel", &id.0.to_string()])?;
        let campaign = projections::coupons::campaign_of_reservation(&self.0.pool, id.0).await?;
        let campaign = campaign.ok_or(Kind::ReservationMissing)?;
        let command = Command::CancelReservation { reservation: id.0, at: self.0.clock.now() };
        let wish = Wish { command, cause: caller.cause(), once, expected: None };
        changed(&self.0.campaigns.send(&campaign.to_string(), wish).await?)
    }

    /// Release a redemption
    ///
    /// Rolls it back: its place under all limits, and its unique code, are free again. Its number is not given again.
    ///
    /// Problems: redemption-missing, released-before
    #[oai(path = "/redemptions/:id/release", method = "post", operation_id = "releaseRedemption")]
    async fn release(
        &self,
        caller: Allowed<CouponsRedeem>,
        /// The redemption's id.
        id: At<Uuid>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<Reason>,
    ) -> Answer<Changed> {
        let once = once(&caller, idempotency_key.0, &["release", &id.0.to_string(), &body.canonical])?;
        let row = redemptions::find(&self.0.pool, id.0).await?.ok_or(Kind::RedemptionMissing)?;
        let coupon = row.batch.zip(row.index);
        let command = Command::Release {
            redemption: row.id,
            number: row.number as u32,
            person: PersonId(row.person),
            coupon: coupon.map(|(batch, index)| UniqueCode { batch: batch as u32, index: index as u32 }),
            redeemed_at: row.redeemed_at,
            reason: Personal::new(body.value.reason),
            at: self.0.clock.now(),
        };
        let wish = Wish { command, cause: caller.cause(), once, expected: None };
        changed(&self.0.campaigns.send(&row.campaign_id.to_string(), wish).await?)
    }

    /// Give somebody a coupon
    ///
    /// The campaign's shared code, or the next unique one that nobody has. Under the same `source_id` the same coupon is
    /// answered for ever, whoever sends it.
    ///
    /// Problems: campaign-status, no-code-left
    #[oai(path = "/campaigns/:id/publish", method = "post", operation_id = "publishCoupon")]
    async fn publish(
        &self,
        caller: Allowed<CampaignsWrite>,
        /// The campaign's id.
        id: At<Uuid>,
        body: Body<Publishing>,
    ) -> Answer<CouponChanged> {
        let person = body.value.holder.person(&self.0).await?;
        // A source of its own, and not the caller's: it is kept for ever.
        let once = Once {
            source: format!("publish:{}", id.0).into(),
            key: body.value.source_id.as_str().into(),
            fingerprint: crate::secrets::fingerprint(&[person.0.as_bytes()]),
            keeps_refusals: false,
        };
        let command = Command::Publish {
            publication: self.0.clock.new_id(),
            person,
            telegram: body.value.holder.telegram(),
            at: self.0.clock.now(),
        };
        self.send(&caller, id.0, command, Some(once)).await
    }
}

impl Coupons {
    /// What the code stands for, and who asks. A code that nobody knows is written down.
    async fn asked(&self, caller: &Caller, using: &Using, once: Option<&Once>) -> Answer<(Found, Asked)> {
        let person = using.holder.person(&self.0).await?;
        let Some(found) = coupons::find(&self.0, &using.code).await? else {
            let miss = guard::unknown(&self.0, &using.code).await?;
            self.missed(caller, person, miss, None, once).await?;
            let problem = Problem::from(Kind::CodeUnknown);
            return Err(match miss {
                Miss::Mistyped => problem.with_detail("It has the form of a unique code, with a typing error."),
                _ => problem,
            });
        };
        let Using { spend, reservation, .. } = *using;
        Ok((
            found,
            Asked { person, coupon: found.coupon, reservation, spend, submission: None, at: self.0.clock.now() },
        ))
    }

    /// The answer to a request that came before: its code may stand for nothing any more.
    async fn answered(&self, once: Option<&Once>) -> Answer<Option<Done<Campaign>>> {
        match once {
            Some(once) => Ok(self.0.campaigns.answered(once).await?),
            None => Ok(None),
        }
    }

    /// Sends a command; that the code is no good is written down.
    async fn send_noted(
        &self,
        caller: &Caller,
        id: Uuid,
        command: Command,
        asked: &Asked,
        once: Option<Once>,
    ) -> Answer<CouponChanged> {
        let wish = Wish { command, cause: caller.cause(), once: once.clone(), expected: None };
        let sent = self.0.campaigns.send(&id.to_string(), wish).await;
        if let Err(SendError::Refused(refusal)) = &sent {
            self.note(caller, id, asked, refusal, once.as_ref()).await?;
        }
        self.answer(&sent?).await
    }

    async fn note(
        &self,
        caller: &Caller,
        campaign: Uuid,
        asked: &Asked,
        refusal: &Refusal,
        once: Option<&Once>,
    ) -> Answer<()> {
        let Some(miss) = Miss::of(refusal) else { return Ok(()) };
        self.missed(caller, asked.person, miss, Some(campaign), once).await
    }

    async fn missed(
        &self,
        caller: &Caller,
        person: PersonId,
        miss: Miss,
        campaign: Option<Uuid>,
        once: Option<&Once>,
    ) -> Answer<()> {
        let missed = Missed { person, miss, campaign, source: Source::Api, at: self.0.clock.now() };
        guard::missed(&self.0, missed, caller.cause(), once.cloned()).await?;
        Ok(())
    }

    async fn send(&self, caller: &Caller, id: Uuid, command: Command, once: Option<Once>) -> Answer<CouponChanged> {
        let wish = Wish { command, cause: caller.cause(), once, expected: None };
        self.answer(&self.0.campaigns.send(&id.to_string(), wish).await?).await
    }

    async fn answer(&self, done: &Done<Campaign>) -> Answer<CouponChanged> {
        let campaign_id = done.id.parse().map_err(|error: uuid::Error| Problem::from(Kind::Internal).because(error))?;
        let change = |id| CouponChange {
            id,
            campaign_id,
            number: None,
            code: None,
            until: None,
            version: done.version,
            position: done.position,
        };
        // What time had brought before may come first.
        let change = match done.events.last() {
            Some(Event::Redeemed { redemption, number, .. }) => {
                CouponChange { number: Some(*number), ..change(*redemption) }
            }
            Some(Event::Reserved { reservation, until, .. }) => {
                CouponChange { until: Some(*until), ..change(*reservation) }
            }
            Some(Event::Published { publication, coupon, .. }) => {
                CouponChange { code: Some(self.code(campaign_id, *coupon).await?), ..change(*publication) }
            }
            _ => return Err(Kind::Internal.into()),
        };
        let replayed = done.repeated.then(|| "true".to_owned());
        Ok(CouponChanged::Changed(Json(change), done.position, replayed))
    }

    /// The text of a coupon's code.
    async fn code(&self, campaign: Uuid, coupon: Option<UniqueCode>) -> Answer<String> {
        let code = match coupon {
            Some(coupon) => coupons::text(&self.0, coupon).await?,
            None => {
                let shared = |campaign: &Campaign| campaign.terms().and_then(|terms| terms.code.clone());
                let code = self.0.campaigns.look(&campaign.to_string(), |campaign, _, _| shared(campaign)).await?;
                code.map(String::from)
            }
        };
        code.ok_or_else(|| Kind::ReadModelBehind.into())
    }
}
