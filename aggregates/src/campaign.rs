//! A coupon campaign, with one shared code or with unique ones.
//!
//! draft → (scheduled →) active ⇄ paused → ended → archived. Every limit is
//! judged here and nowhere else.

mod batch;
mod benefit;
mod command;
mod event;
mod people;
mod refusal;
mod reservations;
mod running;
mod terms;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use crate::{CodeText, Decide, PersonId, UniqueCode, decide};
pub use batch::Batch;
pub use benefit::{Benefit, Currency, InvalidCurrency, Money};
pub use command::{Asked, Command, Redemption, Source};
pub use event::Event;
pub use refusal::Refusal;
pub use running::{Running, Supply};
pub use terms::{Audience, InvalidTerms, Period, Question, Terms};

/// The lifecycle of a campaign.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Campaign {
    /// Nothing happened under this id.
    #[default]
    Missing,
    /// Being written; nobody can redeem it.
    Draft(Running),
    /// Opens by itself when it starts.
    Scheduled(Running),
    /// Can be redeemed inside its dates and limits.
    Active(Running),
    /// Stopped for now.
    Paused(Running),
    /// Stopped for good.
    Ended(Running),
    /// Stopped for good and put away.
    Archived(Running),
}

/// Where a campaign stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// See [`Campaign::Draft`].
    Draft,
    /// See [`Campaign::Scheduled`].
    Scheduled,
    /// See [`Campaign::Active`].
    Active,
    /// See [`Campaign::Paused`].
    Paused,
    /// See [`Campaign::Ended`].
    Ended,
    /// See [`Campaign::Archived`].
    Archived,
}

impl Status {
    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Scheduled => "scheduled",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Ended => "ended",
            Self::Archived => "archived",
        }
    }
}

impl Campaign {
    /// Where it stands; none when there is none.
    #[must_use]
    pub const fn status(&self) -> Option<Status> {
        match self {
            Self::Missing => None,
            Self::Draft(_) => Some(Status::Draft),
            Self::Scheduled(_) => Some(Status::Scheduled),
            Self::Active(_) => Some(Status::Active),
            Self::Paused(_) => Some(Status::Paused),
            Self::Ended(_) => Some(Status::Ended),
            Self::Archived(_) => Some(Status::Archived),
        }
    }

    /// What it knows; none when there is no campaign.
    #[must_use]
    pub const fn running(&self) -> Option<&Running> {
        match self {
            Self::Missing => None,
            Self::Draft(running)
            | Self::Scheduled(running)
            | Self::Active(running)
            | Self::Paused(running)
            | Self::Ended(running)
            | Self::Archived(running) => Some(running),
        }
    }

    const fn running_mut(&mut self) -> Option<&mut Running> {
        match self {
            Self::Missing => None,
            Self::Draft(running)
            | Self::Scheduled(running)
            | Self::Active(running)
            | Self::Paused(running)
            | Self::Ended(running)
            | Self::Archived(running) => Some(running),
        }
    }

    /// The terms in force; none when there is no campaign.
    #[must_use]
    pub fn terms(&self) -> Option<&Terms> {
        self.running().map(|running| &running.terms)
    }

    /// Whether it needs this code to itself, now or once it is opened.
    #[must_use]
    pub fn wants(&self, code: &CodeText) -> bool {
        match self {
            Self::Missing | Self::Ended(_) | Self::Archived(_) => false,
            Self::Draft(running) | Self::Scheduled(running) | Self::Active(running) | Self::Paused(running) => {
                running.terms.code.as_ref() == Some(code)
            }
        }
    }

    /// Whether a coupon could be redeemed now, and on what terms.
    ///
    /// # Errors
    /// The refusal that redeeming it would get.
    pub fn check(&self, asked: &Asked) -> Result<Terms, Refusal> {
        let state = self.caught_up(asked.at);
        let state = state.as_ref().map_or(self, |(state, _)| state);
        state.open_at(asked.at, "redeemed")?.check(asked).cloned()
    }

    /// The terms that hold for a coupon in somebody's hands, a unique one or the shared
    /// code; none when there is nothing like it.
    #[must_use]
    pub fn terms_for(&self, person: PersonId, coupon: Option<UniqueCode>) -> Option<Terms> {
        self.running()?.terms_for(person, coupon).ok().cloned()
    }

    fn not_in_this_status(&self, wish: &str) -> Refusal {
        self.status().map_or(Refusal::Missing, |status| Refusal::Status { status, wish: wish.to_owned() })
    }

    /// What it knows, if people can redeem it.
    fn open_at(&self, at: DateTime<Utc>, wish: &str) -> Result<&Running, Refusal> {
        match self {
            Self::Active(running) => Ok(running),
            Self::Scheduled(Running { terms: Terms { starts_at: Some(starts_at), .. }, .. }) if at < *starts_at => {
                Err(Refusal::NotStarted { starts_at: *starts_at })
            }
            _ => Err(self.not_in_this_status(wish)),
        }
    }

    /// The events that time brought before `at` and nobody has written yet.
    fn due(&self, at: DateTime<Utc>) -> Vec<Event> {
        let Some(running) = self.running() else { return vec![] };
        let mut due: Vec<Event> = running.expired(at).collect();
        if let Self::Scheduled(running) = self
            && running.terms.starts_at.is_none_or(|starts_at| starts_at <= at)
        {
            due.push(Event::Activated { at });
        }
        due
    }

    /// The state after what is due, and what is; none if nothing is.
    fn caught_up(&self, at: DateTime<Utc>) -> Option<(Self, Vec<Event>)> {
        let due = self.due(at);
        if due.is_empty() {
            return None;
        }
        let mut state = self.clone();
        due.iter().cloned().for_each(|event| state.apply(event));
        Some((state, due))
    }

    /// Decides on the state after what is due, and writes that first.
    fn decide_caught_up(
        &self,
        at: DateTime<Utc>,
        decide: impl FnOnce(&Self) -> Result<Event, Refusal>,
    ) -> Result<Vec<Event>, Refusal> {
        match self.caught_up(at) {
            None => Ok(vec![decide(self)?]),
            Some((state, mut events)) => {
                events.push(decide(&state)?);
                Ok(events)
            }
        }
    }

    fn change_terms(&self, terms: &Terms, at: DateTime<Utc>) -> Result<Vec<Event>, Refusal> {
        terms.check()?;
        let released = match self {
            Self::Missing => return Err(Refusal::Missing),
            Self::Ended(_) | Self::Archived(_) => return Err(self.not_in_this_status("changed")),
            Self::Draft(Running { terms: old, .. }) if old.code != terms.code => {
                if self.running().is_some_and(|running| !running.batches().is_empty()) {
                    return Err(Refusal::CodeFixed);
                }
                old.code.clone()
            }
            Self::Draft(running) => {
                // Codes can be issued, and be out in the world, before it is opened.
                if !running.batches().is_empty() {
                    running.may_become(terms)?;
                }
                None
            }
            Self::Scheduled(running) | Self::Active(running) | Self::Paused(running) => {
                if running.terms.code != terms.code {
                    return Err(Refusal::CodeFixed);
                }
                running.may_become(terms)?;
                None
            }
        };
        if self.terms() == Some(terms) {
            return Ok(vec![]);
        }
        Ok(vec![Event::TermsChanged { terms: terms.clone(), released, at }])
    }

    /// What time alone brings: the start, the end, and the end of reservations.
    fn tick(&self, at: DateTime<Utc>) -> Vec<Event> {
        let mut events = self.due(at);
        match self {
            Self::Scheduled(running) | Self::Active(running) | Self::Paused(running)
                if running.terms.ends_at.is_some_and(|ends_at| ends_at <= at) =>
            {
                events.push(Event::Ended { code: running.terms.code.clone(), on_time: true, at });
            }
            _ => {}
        }
        events
    }

    /// What it knows, if codes can be issued for it.
    fn issuing(&self, wish: &str) -> Result<&Running, Refusal> {
        match self {
            Self::Draft(running) | Self::Scheduled(running) | Self::Active(running) | Self::Paused(running) => {
                if running.terms.code.is_some() {
                    Err(Refusal::OtherKindOfCode)
                } else {
                    Ok(running)
                }
            }
            Self::Missing | Self::Ended(_) | Self::Archived(_) => Err(self.not_in_this_status(wish)),
        }
    }

    /// Whether so many codes, of `most` at a time, can be issued for it.
    ///
    /// # Errors
    /// The refusal that a batch of them would get, whatever its number.
    pub fn may_be_given(&self, count: usize, most: u32) -> Result<(), Refusal> {
        self.issuing("given codes")?;
        if (1..=most as usize).contains(&count) { Ok(()) } else { Err(Refusal::BatchSize { most }) }
    }

    fn new_batch(&self, batch: u32, count: usize, most: u32) -> Result<(), Refusal> {
        self.may_be_given(count, most)?;
        let running = self.issuing("given codes")?;
        if batch >= UniqueCode::BATCHES || running.batches().contains_key(&batch) {
            return Err(Refusal::BatchExists { batch });
        }
        Ok(())
    }

    fn redeem(&self, redemption: &Redemption, asked: &Asked) -> Result<Event, Refusal> {
        let running = self.open_at(asked.at, "redeemed")?;
        running.check(asked)?;
        Ok(Event::Redeemed {
            redemption: redemption.id,
            number: running.next_number(),
            person: asked.person,
            telegram: redemption.telegram.clone(),
            coupon: asked.coupon,
            reservation: asked.reservation,
            source: redemption.source,
            submission: asked.submission,
            at: asked.at,
        })
    }
}

impl Decide for Campaign {
    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        match (self, command) {
            (Self::Missing, Command::Draft { terms, at }) => {
                terms.check()?;
                Ok(vec![Event::Drafted { terms: terms.clone(), at: *at }])
            }
            (_, Command::Draft { .. }) => Err(Refusal::Exists),

            (_, Command::ChangeTerms { terms, at }) => self.change_terms(terms, *at),

            (Self::Draft(running), &Command::Activate { at }) => {
                let later = running.terms.starts_at.is_some_and(|starts_at| at < starts_at);
                Ok(vec![if later { Event::Scheduled { at } } else { Event::Activated { at } }])
            }
            (_, Command::Activate { .. }) => Err(self.not_in_this_status("activated")),

            (Self::Active(_), &Command::Pause { at }) => Ok(vec![Event::Paused { at }]),
            (_, Command::Pause { .. }) => Err(self.not_in_this_status("paused")),

            (Self::Paused(_), &Command::Resume { at }) => Ok(vec![Event::Resumed { at }]),
            (_, Command::Resume { .. }) => Err(self.not_in_this_status("resumed")),

            (Self::Missing | Self::Ended(_) | Self::Archived(_), Command::End { .. }) => {
                Err(self.not_in_this_status("ended"))
            }
            (
                Self::Draft(running) | Self::Scheduled(running) | Self::Active(running) | Self::Paused(running),
                &Command::End { at },
            ) => Ok(vec![Event::Ended { code: running.terms.code.clone(), on_time: false, at }]),

            (Self::Ended(_), &Command::Archive { at }) => Ok(vec![Event::Archived { at }]),
            (Self::Archived(_), Command::Archive { .. }) => Ok(vec![]),
            (_, Command::Archive { .. }) => Err(self.not_in_this_status("archived")),

            (Self::Missing | Self::Archived(_), Command::DesignCard { .. }) => {
                Err(self.not_in_this_status("given a card"))
            }
            (_, &Command::DesignCard { template, at }) => {
                let same = self.running().is_some_and(|running| running.template == template);
                Ok(if same { vec![] } else { vec![Event::CardDesigned { template, at }] })
            }

            (_, &Command::Tick { at }) => Ok(self.tick(at)),

            (_, &Command::Mint { batch, count, at }) => {
                self.new_batch(batch, count as usize, UniqueCode::IN_BATCH)?;
                Ok(vec![Event::BatchMinted { batch, count, at }])
            }
            (_, Command::Import { batch, codes, at }) => {
                self.new_batch(*batch, codes.len(), Command::IMPORTED)?;
                Ok(vec![Event::BatchImported { batch: *batch, codes: codes.clone(), at: *at }])
            }
            (_, &Command::RevokeBatch { batch, at }) => {
                let known = self.running().ok_or(Refusal::Missing)?.batches().get(&batch);
                let revoked = known.ok_or(Refusal::BatchMissing { batch })?.revoked;
                Ok(if revoked { vec![] } else { vec![Event::BatchRevoked { batch, at }] })
            }

            (
                Self::Scheduled(running) | Self::Active(running) | Self::Paused(running),
                Command::Publish { publication, person, telegram, at },
            ) => Ok(vec![Event::Published {
                publication: *publication,
                person: *person,
                telegram: telegram.clone(),
                coupon: running.next_coupon()?,
                at: *at,
            }]),
            (_, Command::Publish { .. }) => Err(self.not_in_this_status("published")),

            (_, Command::Reserve { reservation, asked, until }) => {
                if *until <= asked.at || *until - asked.at > Running::LONGEST_RESERVATION {
                    return Err(Refusal::ReservationTime {
                        most_seconds: Running::LONGEST_RESERVATION.num_seconds() as u32,
                    });
                }
                self.decide_caught_up(asked.at, |state| {
                    state.open_at(asked.at, "reserved")?.check(asked)?;
                    Ok(Event::Reserved {
                        reservation: *reservation,
                        person: asked.person,
                        coupon: asked.coupon,
                        until: *until,
                        at: asked.at,
                    })
                })
            }
            (_, &Command::CancelReservation { reservation, at }) => {
                match self.running() {
                    Some(running) if running.has_reservation(reservation) => {}
                    Some(_) => return Err(Refusal::ReservationMissing),
                    None => return Err(Refusal::Missing),
                }
                Ok(vec![Event::ReservationEnded { reservation, expired: false, at }])
            }

            (_, Command::Redeem { redemption, asked }) => {
                self.decide_caught_up(asked.at, |state| state.redeem(redemption, asked))
            }

            (_, Command::Release { redemption, number, person, coupon, redeemed_at, reason, at }) => {
                self.running().ok_or(Refusal::Missing)?.stands(*number)?;
                if reason.reveal().trim().is_empty() || reason.reveal().chars().count() > 500 {
                    return Err(Refusal::Reason);
                }
                Ok(vec![Event::Released {
                    redemption: *redemption,
                    number: *number,
                    person: *person,
                    coupon: *coupon,
                    redeemed_at: *redeemed_at,
                    reason: reason.clone(),
                    at: *at,
                }])
            }
        }
    }
}

impl Aggregate for Campaign {
    const TYPE: &'static str = "campaign";
    type Command = Command;
    type Event = Event;
    type Error = Refusal;
    type Services = ();

    async fn handle(&mut self, command: Command, _: &(), sink: &EventSink<Self>) -> Result<(), Refusal> {
        decide::collect(self, command, sink).await
    }

    fn apply(&mut self, event: Event) {
        // In place what happens to coupons: a hot campaign gets it thousands of times a second.
        let next: fn(Running) -> Self = match event {
            Event::Drafted { terms, .. } => {
                *self = Self::Draft(Running::new(terms));
                return;
            }
            Event::TermsChanged { terms, .. } => {
                if let Some(running) = self.running_mut() {
                    running.change_terms(terms);
                }
                return;
            }
            Event::CardDesigned { template, .. } => {
                if let Some(running) = self.running_mut() {
                    running.template = template;
                }
                return;
            }
            Event::Scheduled { .. } => Self::Scheduled,
            Event::Activated { .. } | Event::Resumed { .. } => Self::Active,
            Event::Paused { .. } => Self::Paused,
            Event::Ended { .. } => Self::Ended,
            Event::Archived { .. } => Self::Archived,
            coupons => {
                if let Some(running) = self.running_mut() {
                    running.apply(coupons);
                }
                return;
            }
        };
        *self = match std::mem::take(self) {
            Self::Missing => Self::Missing,
            Self::Draft(running)
            | Self::Scheduled(running)
            | Self::Active(running)
            | Self::Paused(running)
            | Self::Ended(running)
            | Self::Archived(running) => next(running),
        };
    }
}
