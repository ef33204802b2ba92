//! Whether somebody is in the channel, as far as we know.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Event, Verdict};

/// Whether somebody is in the channel. Only who is in can be about to be removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Presence {
    /// Not in.
    Outside {
        /// Since when; none: never heard of.
        since: Option<DateTime<Utc>>,
        /// The last request to join that was allowed.
        admitted: Option<i64>,
    },
    /// In.
    Inside {
        /// Since when.
        since: DateTime<Utc>,
        /// Whether they came by a link of ours.
        by_link: bool,
        /// That they are about to be removed.
        removal: Option<Removal>,
    },
}

/// Somebody is about to be removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Removal {
    /// Why.
    verdict: Verdict,
    /// What Telegram said when it was tried last.
    error: Option<String>,
}

impl Default for Presence {
    fn default() -> Self {
        Self::Outside { since: None, admitted: None }
    }
}

impl Presence {
    pub(super) const fn removal(&self) -> Option<Verdict> {
        match self {
            Self::Inside { removal: Some(removal), .. } => Some(removal.verdict),
            _ => None,
        }
    }

    pub(super) const fn came_by_our_link(&self) -> bool {
        matches!(self, Self::Inside { by_link: true, .. })
    }

    /// Since when they are not in any more.
    pub(super) const fn outside_since(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Outside { since, .. } => *since,
            Self::Inside { .. } => None,
        }
    }

    /// When it became news what was so at a time; none when something later is known.
    ///
    /// Telegram dates what it tells by whole seconds, and we look between them: who comes
    /// in the second in which we saw that they were out has come after that. Time does not
    /// run back for it.
    fn news(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let since = match self {
            Self::Outside { since: None, .. } => return Some(at),
            Self::Outside { since: Some(since), .. } | Self::Inside { since, .. } => *since,
        };
        (since.timestamp() <= at.timestamp()).then(|| since.max(at))
    }

    pub(super) fn admit(&self, request: i64, verdict: Verdict, at: DateTime<Utc>) -> Vec<Event> {
        match self {
            // Telegram asks once more only when they do.
            Self::Outside { admitted, .. } if *admitted != Some(request) => {
                vec![Event::Admitted { request, verdict, at }]
            }
            _ => vec![],
        }
    }

    pub(super) fn join(&self, link: Option<&String>, at: DateTime<Utc>) -> Vec<Event> {
        match (self, self.news(at)) {
            (Self::Outside { .. }, Some(at)) => vec![Event::Joined { link: link.cloned(), at }],
            _ => vec![],
        }
    }

    pub(super) fn leave(&self, at: DateTime<Utc>) -> Vec<Event> {
        match (self, self.news(at)) {
            // Telegram tells of our own removals as it does of others.
            (Self::Inside { removal: Some(removal), .. }, Some(at)) => {
                vec![Event::Removed { verdict: removal.verdict, readmit: false, at }]
            }
            (Self::Inside { removal: None, .. }, Some(at)) => vec![Event::Left { at }],
            _ => vec![],
        }
    }

    /// They were removed, whatever has been decided since.
    pub(super) fn confirm(&self, verdict: Verdict, at: DateTime<Utc>) -> Vec<Event> {
        match self {
            Self::Inside { removal, .. } => {
                let readmit = verdict.is_in;
                let verdict = removal.as_ref().map_or(verdict, |removal| removal.verdict);
                vec![Event::Removed { verdict, readmit, at }]
            }
            Self::Outside { .. } => vec![],
        }
    }

    pub(super) fn fail(&self, error: &str, at: DateTime<Utc>) -> Vec<Event> {
        let error: String = error.chars().filter(|c| !c.is_control()).take(500).collect();
        match self {
            Self::Inside { removal: Some(removal), .. } if removal.error.as_ref() != Some(&error) => {
                vec![Event::RemovalFailed { error, at }]
            }
            _ => vec![],
        }
    }

    /// `removable`: not somebody of whom nothing is known but that they are in.
    pub(super) fn settle(&self, verdict: Verdict, removable: bool, at: DateTime<Utc>) -> Option<Event> {
        match self {
            Self::Inside { removal: None, .. } if !verdict.is_in && removable => {
                Some(Event::RemovalDue { verdict, at })
            }
            Self::Inside { removal: Some(_), .. } if verdict.is_in => Some(Event::RemovalWithdrawn { verdict, at }),
            _ => None,
        }
    }

    pub(super) fn apply(&mut self, event: Event) {
        match (&mut *self, event) {
            (Self::Outside { admitted, .. }, Event::Admitted { request, .. }) => *admitted = Some(request),
            (_, Event::Joined { link, at }) => {
                *self = Self::Inside { since: at, by_link: link.is_some(), removal: None };
            }
            (_, Event::Left { at } | Event::Removed { at, .. }) => {
                *self = Self::Outside { since: Some(at), admitted: None };
            }
            (Self::Inside { removal, .. }, Event::RemovalDue { verdict, .. }) => {
                *removal = Some(Removal { verdict, error: None });
            }
            (Self::Inside { removal, .. }, Event::RemovalWithdrawn { .. }) => *removal = None,
            (Self::Inside { removal: Some(removal), .. }, Event::RemovalFailed { error, .. }) => {
                removal.error = Some(error);
            }
            // `decide` writes no other pair; a log that holds one changes nothing.
            _ => {}
        }
    }
}
