//! Coupons: check, redeem, keep free, give away, and take back.

use aggregates::{
    Campaign, PersonId, Personal, UniqueCode,
    campaign::{Asked, Command, Event, Redemption, Refusal, Source},
    guard::Miss,
};
use chrono::TimeDelta;
use poem_openapi::{ApiResponse, OpenApi, param::Header, payload::Json};
use projections::redemptions;
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, Caller, CampaignsWrite, CouponsRedeem},
    body::Body,
    coupon_json::{CouponChange, Offer, Publishing, Reason, Reserving, Using},
    mutation::{Changed, changed, once},
    params::{At, caught_up},
    problem::{Answer, Kind, Problem},
};
use crate::{
    app::App,
    coupons::{self, Found},
    executor::{Done, SendError, Wish},
    guard::{self, Missed},
    log::Once,
};

pub(super) struct Coupons(pub(super) App);

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
    /// not-holder, below-minimum, other-kind-of-code, code-used, code-revoked, questions-unanswered, reservation-missing,
    /// reservation-of-another, busy, overloaded, stopping
    #[oai(path = "/coupons/validate", method = "post", operation_id = "validateCoupon")]
    async fn validate(&self, caller: Allowed<CouponsRedeem>, body: Body<Using>) -> Answer<Json<Offer>> {
        let (campaign, asked) = self.asked(&caller, &body.value, None).await?;
        let stream = campaign.to_string();
        match self.0.campaigns.look(&stream, |campaign, _, _| campaign.check(&asked)).await? {
            Ok(terms) => Ok(Json(Offer::new(campaign, terms))),
            Err(refusal) => {
                self.note(&caller, campaign, &asked, &refusal, None).await?;
                Err(refusal.into())
            }
        }
    }

    /// Redeem a coupon
    ///
    /// For somebody who holds it. Whoever has `coupons:redeem` learns the exact reason of a refusal.
    ///
    /// Problems: code-unknown, campaign-status, campaign-not-started, campaign-over, campaign-exhausted, person-limit,
    /// not-holder, below-minimum, other-kind-of-code, code-used, code-revoked, questions-unanswered, reservation-missing,
    /// reservation-of-another
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
        let redemption =
            Redemption { id: self.0.clock.new_id(), telegram: body.value.holder.telegram(), source: Source::Api };
        let person = body.value.holder.person(&self.0).await?;
        let quick = coupons::send_remembered(&self.0, &body.value.code, |found| Wish {
            command: Command::Redeem { redemption: redemption.clone(), asked: self.wanted(&body.value, person, found) },
            cause: caller.cause(),
            once: once.clone(),
            expected: None,
        });
        if let Some(done) = quick.await? {
            return self.answer(&done).await;
        }
        if let Some(done) = self.answered(once.as_ref()).await? {
            return self.answer(&done).await;
        }
        let (campaign, asked) = self.asked(&caller, &body.value, once.as_ref()).await?;
        let command = Command::Redeem { redemption, asked: asked.clone() };
        self.send_noted(&caller, campaign, command, &asked, once).await
    }

    /// Keep a coupon free
    ///
    /// While somebody is paying, say. It counts against all limits until it is redeemed with `reservation`, cancelled, or
    /// its time is over.
    ///
    /// Problems: code-unknown, campaign-status, campaign-not-started, campaign-over, campaign-exhausted, person-limit,
    /// not-holder, below-minimum, other-kind-of-code, code-used, code-revoked, questions-unanswered
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
        let (campaign, asked) = self.asked(&caller, &body.value.using, once.as_ref()).await?;
        let until = asked.at + TimeDelta::seconds(body.value.seconds.into());
        let command = Command::Reserve { reservation: self.0.clock.new_id(), asked: asked.clone(), until };
        self.send_noted(&caller, campaign, command, &asked, once).await
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
        let campaign = campaign_of_reservation(&self.0, id.0).await?;
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
        let row = redemption(&self.0, id.0).await?;
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
    /// Problems: campaign-status, no-code-left, idempotency-key-reused, read-model-behind, unstorable, busy, overloaded,
    /// stopping
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
        self.send(&caller, id.0, command, Some(once)).await.map_err(|problem| match problem.kind() {
            // Nobody sent a key of that name.
            Kind::KeyReused => problem
                .with_detail(
                    "Under this source_id another person was given a coupon. Another one needs a source_id of its own.",
                )
                .with_error("source_id", "was used for another person"),
            _ => problem,
        })
    }
}

/// A redemption, even one that was acknowledged a moment ago.
pub(super) async fn redemption(app: &App, id: Uuid) -> Answer<redemptions::Row> {
    if let Some(row) = redemptions::find(&app.pool, id).await? {
        return Ok(row);
    }
    caught_up(app, "redemptions").await?;
    Ok(redemptions::find(&app.pool, id).await?.ok_or(Kind::RedemptionMissing)?)
}

/// The campaign of a reservation, even of one that was acknowledged a moment ago.
async fn campaign_of_reservation(app: &App, id: Uuid) -> Answer<Uuid> {
    if let Some(campaign) = projections::coupons::campaign_of_reservation(&app.pool, id).await? {
        return Ok(campaign);
    }
    caught_up(app, "coupons").await?;
    Ok(projections::coupons::campaign_of_reservation(&app.pool, id).await?.ok_or(Kind::ReservationMissing)?)
}

impl Coupons {
    /// Of which campaign the code is, and what is asked of it. A code that nobody knows is written down.
    async fn asked(&self, caller: &Caller, using: &Using, once: Option<&Once>) -> Answer<(Uuid, Asked)> {
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
        Ok((found.campaign, self.wanted(using, person, found)))
    }

    fn wanted(&self, using: &Using, person: PersonId, found: Found) -> Asked {
        let Using { spend, reservation, .. } = *using;
        let Found { coupon, code, .. } = found;
        Asked { person, coupon, code, reservation, spend, submission: None, at: self.0.clock.now() }
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
