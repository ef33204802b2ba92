//! A Telegram user and a channel: whether they should be in it, and whether they are.
//!
//! There is one stream for each channel and user. Here several subscriptions of one
//! person meet, so the end of one never shuts out who has another. A removal is planned
//! first and confirmed when Telegram did it; in between it can be withdrawn.

mod event;
mod presence;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{ByHand, Decide, InvalidByHand, decide, subscription};
pub use event::Event;
use presence::Presence;

/// The stream of a user in a channel.
#[must_use]
pub fn stream(channel: i64, user: i64) -> String {
    format!("{channel}:{user}")
}

/// The channel and the user of a stream; none when it is not called like one.
#[must_use]
pub fn parse_stream(stream: &str) -> Option<(i64, i64)> {
    let (channel, user) = stream.split_once(':')?;
    Some((channel.parse().ok()?, user.parse().ok()?))
}

/// A user in a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    presence: Presence,
    /// What each of their subscriptions says.
    claims: BTreeMap<Uuid, Claim>,
    whitelisted: bool,
}

/// What a subscription says of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    says: Says,
    /// The version of the subscription's stream that says so.
    version: i64,
    /// When it said so first.
    at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Says {
    In { until: Option<DateTime<Utc>>, rule: subscription::Rule },
    Out { rule: subscription::Rule },
}

impl Says {
    /// Whether it gives access at a time.
    fn holds(self, at: DateTime<Utc>) -> bool {
        matches!(self, Self::In { until, .. } if until.is_none_or(|until| at < until))
    }
}

/// Whether somebody should be in the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether they should.
    pub is_in: bool,
    /// Why.
    pub rule: Rule,
    /// Which subscription says so; none when none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<Uuid>,
}

/// The rule by which somebody should be in the channel, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// In: an admin put them on the list of those who are never removed.
    Whitelisted,
    /// In or out: what the subscription's rule says.
    Subscription(subscription::Rule),
    /// Out: no subscription is known to be theirs.
    NoSubscription,
}

impl Rule {
    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Whitelisted => "whitelisted",
            Self::Subscription(rule) => rule.as_str(),
            Self::NoSubscription => "no_subscription",
        }
    }
}

/// Wishes about somebody in a channel. `at` is always the time of what led to the wish.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are those of the events")]
pub enum Command {
    /// A subscription gives them access. `version` is that of the subscription's stream
    /// that says so: what an earlier one said is no news.
    Entitle {
        subscription: Uuid,
        version: i64,
        until: Option<DateTime<Utc>>,
        rule: subscription::Rule,
        at: DateTime<Utc>,
    },
    /// A subscription gives them no access, or not any more.
    Disentitle { subscription: Uuid, version: i64, rule: subscription::Rule, at: DateTime<Utc> },
    /// They ask to join; `request` is the id of the update that says so. Refused when
    /// they should not be in.
    Admit { request: i64, at: DateTime<Utc> },
    /// They are in. `link` says that they came by one of ours, by its name.
    Join { link: Option<String>, at: DateTime<Utc> },
    /// They are not in.
    Leave { at: DateTime<Utc> },
    /// Remove them, if they are in and should not be; with `strangers`, also when nothing is
    /// known of them but that they are in, which no other wish does.
    PlanRemoval { strangers: bool, at: DateTime<Utc> },
    /// Telegram did.
    ConfirmRemoval { at: DateTime<Utc> },
    /// Telegram would not, and why, in words without secrets.
    FailRemoval { error: String, at: DateTime<Utc> },
    /// Never remove them.
    Whitelist { by_hand: ByHand, at: DateTime<Utc> },
    /// Treat them like others.
    Unlist { by_hand: ByHand, at: DateTime<Utc> },
    /// Do what time alone brings.
    Lapse { at: DateTime<Utc> },
}

/// Why a wish is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field says what it is by its name and type")]
pub enum Refusal {
    /// They should not be in.
    #[error("nothing gives them access to the channel: {}", rule.as_str())]
    NotEntitled { rule: Rule },
    /// What is decided by hand says by whom and why.
    #[error(transparent)]
    ByHand(#[from] InvalidByHand),
}

impl Member {
    /// Whether they should be in the channel at a time, and by which rule. Of several
    /// subscriptions that say so, the one that does longest; of several that do not, the
    /// one that said so last.
    #[must_use]
    pub fn should_be_in(&self, now: DateTime<Utc>) -> Verdict {
        if self.whitelisted {
            return Verdict { is_in: true, rule: Rule::Whitelisted, subscription: None };
        }
        let holding = self.claims.iter().filter_map(|(id, claim)| match claim.says {
            Says::In { until, rule } if claim.says.holds(now) => Some((id, until, rule)),
            _ => None,
        });
        let longest = holding.max_by_key(|(_, until, _)| until.unwrap_or(DateTime::<Utc>::MAX_UTC));
        if let Some((id, _, rule)) = longest {
            return Verdict { is_in: true, rule: Rule::Subscription(rule), subscription: Some(*id) };
        }
        match self.claims.iter().max_by_key(|(_, claim)| claim.at) {
            Some((id, claim)) => {
                let rule = match claim.says {
                    Says::In { rule, .. } => rule.run_out(),
                    Says::Out { rule } => rule,
                };
                Verdict { is_in: false, rule: Rule::Subscription(rule), subscription: Some(*id) }
            }
            None => Verdict { is_in: false, rule: Rule::NoSubscription, subscription: None },
        }
    }

    /// Whether they are in, as far as we know.
    #[must_use]
    pub const fn is_in(&self) -> bool {
        matches!(self.presence, Presence::Inside { .. })
    }

    /// Whether they are in, or were once.
    #[must_use]
    pub const fn has_been_in(&self) -> bool {
        !matches!(self.presence, Presence::Outside { since: None, .. })
    }

    /// The subscriptions that said something of them, be it that they have no place any more.
    pub fn subscriptions(&self) -> impl Iterator<Item = Uuid> {
        self.claims.keys().copied()
    }

    /// Whether they are never removed.
    #[must_use]
    pub const fn is_whitelisted(&self) -> bool {
        self.whitelisted
    }

    /// Why they are about to be removed; none when they are not.
    #[must_use]
    pub fn removal(&self) -> Option<Verdict> {
        self.presence.removal()
    }

    /// When the last of their subscriptions runs out without further news: when
    /// [`Command::Lapse`] is due.
    #[must_use]
    pub fn runs_out_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut last = None;
        for claim in self.claims.values() {
            match claim.says {
                Says::In { until: None, .. } => return None,
                Says::In { until: Some(until), .. } if now < until => last = last.max(Some(until)),
                _ => {}
            }
        }
        last
    }

    /// Whether nothing is known of them but that they are in: somebody else let them in.
    #[must_use]
    pub fn is_stranger(&self) -> bool {
        self.is_in() && self.claims.is_empty() && !self.presence.came_by_our_link()
    }

    /// Whether anything but this subscription gives them access at a time.
    fn has_other(&self, subscription: Uuid, at: DateTime<Utc>) -> bool {
        let other = |(id, claim): (&Uuid, &Claim)| *id != subscription && claim.says.holds(at);
        self.whitelisted || self.claims.iter().any(other)
    }

    /// What a subscription says now, unless that is known, or was said by an earlier
    /// version than what is known.
    fn claim(&self, subscription: Uuid, version: i64, says: Says, at: DateTime<Utc>) -> Vec<Event> {
        match self.claims.get(&subscription) {
            Some(known) if version < known.version => vec![],
            Some(known) if known.says == says && version == known.version => vec![],
            // What a version before this one said must not come after it.
            Some(known) if known.says == says => vec![Event::Confirmed { subscription, version, at }],
            // It has never let them in, so it says nothing about who let them in otherwise.
            None if matches!(says, Says::Out { .. }) && self.is_stranger() => vec![],
            known => vec![match says {
                Says::In { until, rule } => Event::Entitled { subscription, version, until, rule, at },
                Says::Out { rule } => {
                    let was_in = known.is_some_and(|known| match known.says {
                        // Who went after its time was over was removed for that, and knows.
                        Says::In { until, .. } => until.is_none_or(|until| self.presence.outside_since() < Some(until)),
                        Says::Out { .. } => false,
                    });
                    let outside = was_in && !self.is_in() && !self.has_other(subscription, at);
                    Event::Disentitled { subscription, version, rule, outside, at }
                }
            }],
        }
    }

    /// What the wish itself comes to, before it is looked at who is to be removed.
    fn facts(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        Ok(match command {
            &Command::Entitle { subscription, version, until, rule, at } => {
                self.claim(subscription, version, Says::In { until, rule }, at)
            }
            &Command::Disentitle { subscription, version, rule, at } => {
                self.claim(subscription, version, Says::Out { rule }, at)
            }
            &Command::Admit { request, at } => {
                let verdict = self.should_be_in(at);
                if !verdict.is_in {
                    return Err(Refusal::NotEntitled { rule: verdict.rule });
                }
                self.presence.admit(request, verdict, at)
            }
            Command::Join { link, at } => self.presence.join(link.as_ref(), *at),
            &Command::Leave { at } => self.presence.leave(at),
            &Command::ConfirmRemoval { at } => self.presence.confirm(self.should_be_in(at), at),
            Command::FailRemoval { error, at } => self.presence.fail(error, *at),
            Command::Whitelist { by_hand, at } => {
                by_hand.check()?;
                let by_hand = by_hand.clone();
                if self.whitelisted { vec![] } else { vec![Event::Whitelisted { by_hand, at: *at }] }
            }
            Command::Unlist { by_hand, at } => {
                by_hand.check()?;
                let by_hand = by_hand.clone();
                if self.whitelisted { vec![Event::Unlisted { by_hand, at: *at }] } else { vec![] }
            }
            Command::PlanRemoval { .. } | Command::Lapse { .. } => vec![],
        })
    }

    /// Plans the removal of who is in and should not be, and withdraws it of who should.
    fn settle(&self, strangers: bool, at: DateTime<Utc>) -> Option<Event> {
        let verdict = self.should_be_in(at);
        let ours = strangers || !self.claims.is_empty() || self.presence.came_by_our_link();
        self.presence.settle(verdict, ours, at)
    }
}

impl Command {
    /// The time of what led to the wish.
    #[must_use]
    pub const fn at(&self) -> DateTime<Utc> {
        match self {
            Self::Entitle { at, .. }
            | Self::Disentitle { at, .. }
            | Self::Admit { at, .. }
            | Self::Join { at, .. }
            | Self::Leave { at }
            | Self::PlanRemoval { at, .. }
            | Self::ConfirmRemoval { at }
            | Self::FailRemoval { at, .. }
            | Self::Whitelist { at, .. }
            | Self::Unlist { at, .. }
            | Self::Lapse { at } => *at,
        }
    }
}

impl Decide for Member {
    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        let mut events = self.facts(command)?;
        if matches!(command, Command::FailRemoval { .. }) {
            return Ok(events);
        }
        let mut after = self.clone();
        for event in &events {
            after.apply(event.clone());
        }
        let strangers = matches!(command, Command::PlanRemoval { strangers: true, .. });
        events.extend(after.settle(strangers, command.at()));
        Ok(events)
    }
}

impl Aggregate for Member {
    const TYPE: &'static str = "member";
    type Command = Command;
    type Event = Event;
    type Error = Refusal;
    type Services = ();

    async fn handle(&mut self, command: Command, _: &(), sink: &EventSink<Self>) -> Result<(), Refusal> {
        decide::collect(self, command, sink).await
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Entitled { subscription, version, until, rule, at } => {
                self.claims.insert(subscription, Claim { says: Says::In { until, rule }, version, at });
            }
            Event::Disentitled { subscription, version, rule, outside: _, at } => {
                self.claims.insert(subscription, Claim { says: Says::Out { rule }, version, at });
            }
            Event::Confirmed { subscription, version, .. } => {
                if let Some(claim) = self.claims.get_mut(&subscription) {
                    claim.version = version;
                }
            }
            Event::Whitelisted { .. } => self.whitelisted = true,
            Event::Unlisted { .. } => self.whitelisted = false,
            presence => self.presence.apply(presence),
        }
    }
}
