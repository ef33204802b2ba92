//! What a campaign knows, and who may redeem it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Asked, Audience, Batch, Event, Refusal, Terms,
    batch::Bits,
    people::People,
    reservations::{Reservation, Reservations},
};
use crate::{PersonId, UniqueCode};

/// What a campaign knows in every stage of its life.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The terms in force.
    pub terms: Terms,
    /// Redemptions that stand.
    pub redeemed: u32,
    /// What its coupons are drawn on; none: our ticket.
    pub template: Option<Uuid>,
    /// Terms that were in force before, as far as coupons were issued under them.
    earlier: Vec<Terms>,
    /// Whether coupons were issued under the terms in force.
    promised: bool,
    /// Redemptions there ever were.
    numbered: u32,
    /// Which of them were released.
    released: Bits,
    people: People,
    batches: BTreeMap<u32, Batch>,
    reservations: Reservations,
}

/// Where all that was issued is. `issued = redeemed + reserved + available`, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Supply {
    /// The limit of a shared code, none without limit; or the number of unique codes.
    pub issued: Option<u32>,
    /// Redemptions that stand.
    pub redeemed: u32,
    /// Reservations that stand.
    pub reserved: u32,
    /// What can still be redeemed or reserved; none: without limit.
    pub available: Option<u32>,
}

impl Running {
    /// Longest time a redemption is kept free.
    pub const LONGEST_RESERVATION: TimeDelta = TimeDelta::days(7);

    pub(super) fn new(terms: Terms) -> Self {
        Self { terms, ..Self::default() }
    }

    /// How often this person redeemed or reserved in the period of an instant.
    #[must_use]
    pub fn used_by(&self, person: PersonId, at: DateTime<Utc>) -> u32 {
        let known = self.people.get(person);
        // What comes late counts with what is known of a later period: never too often.
        if self.terms.limit_period.number(at) > known.period { 0 } else { known.count }
    }

    /// Where all that was issued is.
    #[must_use]
    pub fn supply(&self) -> Supply {
        let (redeemed, reserved) = (self.redeemed, self.reservations.count());
        let (issued, available) = if self.terms.code.is_some() {
            let limit = self.terms.total_limit;
            (limit, limit.map(|limit| limit.saturating_sub(redeemed + reserved)))
        } else {
            let issued = self.batches.values().map(Batch::issued).sum();
            let available = self.batches.values().map(|batch| batch.issued() - batch.taken).sum();
            (Some(issued), Some(available))
        };
        Supply { issued, redeemed, reserved, available }
    }

    /// Its batches by number.
    #[must_use]
    pub const fn batches(&self) -> &BTreeMap<u32, Batch> {
        &self.batches
    }

    /// The terms that hold for a coupon in somebody's hands.
    pub(super) fn terms_for(&self, person: PersonId, coupon: Option<UniqueCode>) -> Result<&Terms, Refusal> {
        let number = match coupon {
            Some(_) if self.terms.code.is_some() => return Err(Refusal::OtherKindOfCode),
            None if self.terms.code.is_none() => return Err(Refusal::OtherKindOfCode),
            Some(code) => {
                let batch = self.batches.get(&code.batch).filter(|batch| code.index < batch.count);
                batch.ok_or(Refusal::UnknownCode)?.terms
            }
            None => self.people.get(person).promised,
        };
        Ok(self.terms_number(number))
    }

    fn terms_number(&self, number: u32) -> &Terms {
        (number as usize).checked_sub(1).and_then(|at| self.earlier.get(at)).unwrap_or(&self.terms)
    }

    /// The number of the terms in force.
    fn current(&self) -> u32 {
        self.earlier.len() as u32 + 1
    }

    /// Whether it may be redeemed or reserved as asked.
    pub(super) fn check(&self, asked: &Asked) -> Result<&Terms, Refusal> {
        let Asked { person, coupon, ref code, reservation, spend, submission, at } = *asked;
        let terms = self.terms_for(person, coupon)?;
        if code.is_some() && *code != self.terms.code {
            return Err(Refusal::UnknownCode);
        }
        if let Some(starts_at) = terms.starts_at.filter(|starts_at| at < *starts_at) {
            return Err(Refusal::NotStarted { starts_at });
        }
        if let Some(ends_at) = terms.ends_at.filter(|ends_at| at >= *ends_at) {
            return Err(Refusal::Over { ends_at });
        }
        if terms.audience == Audience::Holders && !self.people.get(person).holder {
            return Err(Refusal::NotHolder);
        }
        if let Some(minimum) = terms.minimum_spend
            && !spend.is_some_and(|spend| spend.currency == minimum.currency && spend.minor >= minimum.minor)
        {
            return Err(Refusal::BelowMinimum { minimum });
        }
        if let Some(id) = reservation {
            let kept = self.reservations.get(id).ok_or(Refusal::ReservationMissing)?;
            return if kept.person == person && kept.coupon == coupon {
                Ok(terms)
            } else {
                Err(Refusal::ReservationOfAnother)
            };
        }
        if let Some(code) = coupon
            && let Some(batch) = self.batches.get(&code.batch)
        {
            if batch.is_taken(code.index) {
                return Err(Refusal::CodeUsed);
            }
            if batch.revoked {
                return Err(Refusal::CodeRevoked);
            }
        }
        if let Some(limit) = terms.limit_per_person.filter(|limit| self.used_by(person, at) >= *limit) {
            return Err(Refusal::PersonLimit { limit, period: self.terms.limit_period });
        }
        let taken = self.redeemed + self.reservations.count();
        if let Some(limit) = self.terms.total_limit.filter(|limit| taken >= *limit) {
            return Err(Refusal::Exhausted { limit });
        }
        // Last: nobody is to answer questions in vain.
        if submission.is_none() && !terms.questions.is_empty() {
            return Err(Refusal::Unanswered);
        }
        Ok(terms)
    }

    /// Reservations whose time is over.
    pub(super) fn expired(&self, at: DateTime<Utc>) -> impl Iterator<Item = Event> {
        let over = self.reservations.over(at).into_iter();
        over.map(move |reservation| Event::ReservationEnded { reservation, expired: true, at })
    }

    /// Whether a reservation stands.
    pub(super) fn has_reservation(&self, reservation: Uuid) -> bool {
        self.reservations.get(reservation).is_some()
    }

    /// Whether there was this redemption and it stands.
    pub(super) fn stands(&self, number: u32) -> Result<(), Refusal> {
        if !(1..=self.numbered).contains(&number) {
            return Err(Refusal::RedemptionMissing);
        }
        if self.released.has(number) { Err(Refusal::ReleasedBefore) } else { Ok(()) }
    }

    /// The next coupon to give away.
    pub(super) fn next_coupon(&self) -> Result<Option<UniqueCode>, Refusal> {
        if self.terms.code.is_some() {
            return Ok(None);
        }
        let next =
            |(batch, codes): (&u32, &Batch)| codes.unpublished().map(|index| UniqueCode { batch: *batch, index });
        self.batches.iter().find_map(next).map(Some).ok_or(Refusal::NoCodeLeft)
    }

    /// Refuses other terms that would break what was promised.
    pub(super) fn may_become(&self, terms: &Terms) -> Result<(), Refusal> {
        let taken = self.redeemed + self.reservations.count();
        if terms.total_limit.is_some_and(|limit| limit < taken) {
            return Err(Refusal::LimitBelowRedeemed { redeemed: taken });
        }
        if terms.limit_period != self.terms.limit_period {
            return Err(Refusal::PeriodFixed);
        }
        if terms.ends_at == self.terms.ends_at {
            return Ok(());
        }
        let promises = self.earlier.iter().chain(self.promised.then_some(&self.terms));
        for Terms { ends_at: promised, .. } in promises {
            let broken = match (terms.ends_at, promised) {
                (None, _) => false,
                (Some(_), None) => true,
                (Some(ends_at), Some(promised)) => ends_at < *promised,
            };
            if broken {
                return Err(Refusal::EndsBeforePromised { promised: *promised });
            }
        }
        Ok(())
    }

    pub(super) fn change_terms(&mut self, terms: Terms) {
        let old = std::mem::replace(&mut self.terms, terms);
        if std::mem::take(&mut self.promised) {
            self.earlier.push(old);
        }
    }

    /// Counts one more use by a person.
    fn count(&mut self, person: PersonId, at: DateTime<Utc>) {
        let period = self.terms.limit_period.number(at);
        let known = self.people.entry(person);
        if period > known.period {
            (known.period, known.count) = (period, 0);
        }
        known.count += 1;
    }

    fn uncount(&mut self, person: PersonId, at: DateTime<Utc>) {
        let period = self.terms.limit_period.number(at);
        let known = self.people.entry(person);
        if period == known.period {
            known.count = known.count.saturating_sub(1);
        }
    }

    fn take(&mut self, coupon: Option<UniqueCode>) {
        if let Some((code, batch)) = coupon.and_then(|code| Some((code, self.batches.get_mut(&code.batch)?))) {
            batch.take(code.index);
        }
    }

    fn give_back(&mut self, coupon: Option<UniqueCode>) {
        if let Some((code, batch)) = coupon.and_then(|code| Some((code, self.batches.get_mut(&code.batch)?))) {
            batch.give_back(code.index);
        }
    }

    fn end_reservation(&mut self, reservation: Uuid) {
        if let Some(kept) = self.reservations.remove(reservation) {
            self.uncount(kept.person, kept.at);
            self.give_back(kept.coupon);
        }
    }

    /// Takes in what happens to coupons, whatever the stage.
    pub(super) fn apply(&mut self, event: Event) {
        match event {
            Event::Redeemed { number, person, coupon, reservation, at, .. } => {
                if let Some(reservation) = reservation {
                    self.end_reservation(reservation);
                }
                self.redeemed += 1;
                self.numbered = number;
                self.count(person, at);
                self.take(coupon);
            }
            Event::Released { number, person, coupon, redeemed_at, .. } => {
                self.redeemed = self.redeemed.saturating_sub(1);
                self.released.set(number, true);
                self.uncount(person, redeemed_at);
                self.give_back(coupon);
            }
            Event::Reserved { reservation, person, coupon, until, at } => {
                self.count(person, at);
                self.take(coupon);
                self.reservations.insert(reservation, Reservation { person, coupon, at, until });
            }
            Event::ReservationEnded { reservation, .. } => self.end_reservation(reservation),
            Event::BatchMinted { batch, count, .. } => self.issue(batch, count),
            Event::BatchImported { batch, codes, .. } => self.issue(batch, codes.len() as u32),
            Event::BatchRevoked { batch, .. } => {
                if let Some(batch) = self.batches.get_mut(&batch) {
                    batch.revoked = true;
                }
            }
            Event::Published { person, coupon, .. } => {
                let current = self.current();
                let known = self.people.entry(person);
                known.holder = true;
                match coupon {
                    Some(code) => {
                        if let Some(batch) = self.batches.get_mut(&code.batch) {
                            batch.next = code.index + 1;
                        }
                    }
                    // The first promise counts.
                    None if known.promised == 0 => {
                        known.promised = current;
                        self.promised = true;
                    }
                    None => {}
                }
            }
            // Of the stages.
            Event::Drafted { .. }
            | Event::TermsChanged { .. }
            | Event::Scheduled { .. }
            | Event::Activated { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Ended { .. }
            | Event::Archived { .. }
            | Event::CardDesigned { .. } => {}
        }
    }

    fn issue(&mut self, batch: u32, count: u32) {
        self.batches.insert(batch, Batch::new(count, self.current()));
        self.promised = true;
    }

    /// The number of the next redemption.
    pub(super) const fn next_number(&self) -> u32 {
        self.numbered + 1
    }
}
