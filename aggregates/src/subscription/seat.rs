//! The one place in the channel that a subscription is good for.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Event, Known, Refusal};
use crate::{PersonId, Personal, by_hand::sensible};

/// A Telegram account, with the pseudonym that rules compare it by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Whose it is.
    pub person: PersonId,
    /// Telegram's user id.
    pub telegram: Personal<i64>,
}

/// A link into the channel, made for one subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its address. Whoever has it can try to come in.
    pub url: Personal<String>,
    /// What Telegram shows of it to admins; 1 to 32 characters.
    pub name: String,
    /// What it does.
    pub kind: LinkKind,
    /// The channel it leads into; none in links that were made before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<i64>,
    /// Until when it works; none: until it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<DateTime<Utc>>,
}

/// What a link does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    /// Who follows it asks to join. It can be followed again.
    JoinRequest,
    /// Who follows it is in. It is revoked then, or another could follow when they leave.
    SingleMember,
}

/// Who sits in a subscription's place. A link can be unused only while nobody does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Seat {
    /// Nobody, and nobody was invited.
    Empty {
        /// Whom an admin gave it to.
        expected: Option<Account>,
    },
    /// Nobody yet.
    Invited {
        /// The link that was made for them.
        link: Link,
        /// Whom an admin gave it to.
        expected: Option<Account>,
    },
    /// Somebody joined by it.
    Taken {
        /// They.
        account: Account,
        /// A link by which they, and nobody else, can come again.
        link: Option<Link>,
    },
}

impl Seat {
    pub(super) const fn link(&self) -> Option<&Link> {
        match self {
            Self::Empty { .. } => None,
            Self::Invited { link, .. } => Some(link),
            Self::Taken { link, .. } => link.as_ref(),
        }
    }

    /// Who joined, or whom an admin gave it to.
    pub(super) const fn account(&self) -> Option<&Account> {
        match self {
            Self::Empty { expected } | Self::Invited { expected, .. } => expected.as_ref(),
            Self::Taken { account, .. } => Some(account),
        }
    }

    pub(super) fn apply(&mut self, event: &Event) {
        let seat = std::mem::replace(self, Self::Empty { expected: None });
        *self = match (seat, event) {
            (_, Event::Granted { account, .. }) => Self::Empty { expected: account.clone() },
            (_, Event::Transferred { to, .. }) => Self::Empty { expected: Some(to.clone()) },
            (Self::Taken { account, .. }, Event::LinkIssued { link, .. }) => {
                Self::Taken { account, link: Some(link.clone()) }
            }
            (Self::Empty { expected } | Self::Invited { expected, .. }, Event::LinkIssued { link, .. }) => {
                Self::Invited { link: link.clone(), expected }
            }
            (Self::Invited { link, expected }, Event::LinkRevoked { link: revoked, .. }) if link.url == revoked.url => {
                Self::Empty { expected }
            }
            (Self::Taken { account, link: Some(link) }, Event::LinkRevoked { link: revoked, .. })
                if link.url == revoked.url =>
            {
                Self::Taken { account, link: None }
            }
            (Self::Invited { link, .. }, Event::Joined { account, .. }) => {
                Self::Taken { account: account.clone(), link: Some(link) }
            }
            (Self::Empty { .. }, Event::Joined { account, .. }) => Self::Taken { account: account.clone(), link: None },
            (seat, _) => seat,
        };
    }
}

impl Known {
    /// Whose place it is: who joined, whom an admin gave it to, or who was named when it was bought.
    pub(super) fn account(&self) -> Option<&Account> {
        self.seat.account().or(self.named.as_ref().map(|named| &named.value))
    }

    /// Takes the link back, if there is one.
    pub(super) fn without_link(&self, at: DateTime<Utc>) -> Vec<Event> {
        self.seat.link().map(|link| Event::LinkRevoked { link: link.clone(), at }).into_iter().collect()
    }

    /// Takes the link back if it leads elsewhere than into the channel that is opened
    /// now. `opened`: the one that was, which says it of a link that does not.
    pub(super) fn without_link_elsewhere(&self, opened: Option<i64>, at: DateTime<Utc>) -> Option<Event> {
        let link = self.seat.link()?;
        let channel = link.channel.or(opened);
        let elsewhere = channel.is_some() && channel != self.plan().map(|plan| plan.channel);
        elsewhere.then(|| Event::LinkRevoked { link: Link { channel, ..link.clone() }, at })
    }

    pub(super) fn issue(&self, link: &Link, at: DateTime<Utc>) -> Result<Vec<Event>, Refusal> {
        if !sensible(&link.name, 32, false) {
            return Err(Refusal::invalid("name"));
        }
        if !sensible(link.url.reveal(), 255, false) {
            return Err(Refusal::invalid("link"));
        }
        if self.seat.link().is_some_and(|known| known.url == link.url) {
            return Ok(vec![]);
        }
        self.entitled(at)?;
        if link.channel.is_some_and(|channel| Some(channel) != self.plan().map(|plan| plan.channel)) {
            // It was made before the plan changed.
            return Err(Refusal::invalid("channel"));
        }
        let mut events = self.without_link(at);
        events.push(Event::LinkIssued { party: self.party(), link: link.clone(), at });
        Ok(events)
    }

    pub(super) fn join(
        &self,
        account: &Account,
        link: Option<&Personal<String>>,
        at: DateTime<Utc>,
    ) -> Result<Vec<Event>, Refusal> {
        if self.account().is_some_and(|known| known.person != account.person) {
            return Err(Refusal::Stranger);
        }
        let used_up = self
            .seat
            .link()
            .filter(|known| known.kind == LinkKind::SingleMember && link.is_none_or(|followed| *followed == known.url));
        let used_up = used_up.map(|link| Event::LinkRevoked { link: link.clone(), at });
        if matches!(self.seat, Seat::Taken { .. }) {
            return Ok(used_up.into_iter().collect());
        }
        if link.is_some() && link != self.seat.link().map(|known| &known.url) {
            return Err(Refusal::UnknownLink);
        }
        self.entitled(at)?;
        let mut party = self.party();
        party.account = Some(account.clone());
        let joined = Event::Joined { party, account: account.clone(), at };
        Ok(std::iter::once(joined).chain(used_up).collect())
    }

    fn entitled(&self, at: DateTime<Utc>) -> Result<(), Refusal> {
        let stage = self.stage(Some(at));
        if stage.is_entitled() { Ok(()) } else { Err(Refusal::NotEntitled { rule: stage.rule() }) }
    }
}
