//! What is kept free for whom: cheap to copy, and cheap to look at for what is over.
//!
//! A state is copied whenever a command is decided while nothing is under way,
//! and every redemption first lets go of what is over. So reservations are kept in
//! small parts, as people are, which copies share until one of them changes it,
//! and each part knows the first end in it: nothing is looked through in which
//! nothing is over.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{PersonId, UniqueCode};

/// Groups, and parts in each: told by the last two bytes of the id, which are random
/// in ids of version 7. A million reservations are 250 in each part.
const GROUPS: usize = 64;
const PARTS: usize = 64;

/// A redemption that is kept free for somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reservation {
    pub(super) person: PersonId,
    pub(super) coupon: Option<UniqueCode>,
    pub(super) at: DateTime<Utc>,
    pub(super) until: DateTime<Utc>,
}

/// The reservations of a campaign.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reservations {
    groups: Vec<Option<Arc<Group>>>,
    count: u32,
    first_end: Option<DateTime<Utc>>,
}

/// Some of them; `first_end` is the earliest in all parts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Group {
    parts: Vec<Option<Arc<Part>>>,
    first_end: Option<DateTime<Utc>>,
}

/// A few of them; `first_end` is the earliest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    kept: HashMap<Uuid, Reservation>,
    first_end: Option<DateTime<Utc>>,
}

impl Reservations {
    /// How many stand.
    pub(super) const fn count(&self) -> u32 {
        self.count
    }

    pub(super) fn get(&self, id: Uuid) -> Option<&Reservation> {
        let (group, part) = place(id);
        self.groups.get(group)?.as_ref()?.parts[part].as_ref()?.kept.get(&id)
    }

    pub(super) fn insert(&mut self, id: Uuid, reservation: Reservation) {
        let before = self.change(id, |kept| kept.insert(id, reservation));
        self.count += u32::from(before.is_none());
    }

    pub(super) fn remove(&mut self, id: Uuid) -> Option<Reservation> {
        // Nothing is copied for what is not there.
        self.get(id)?;
        let removed = self.change(id, |kept| kept.remove(&id));
        self.count -= u32::from(removed.is_some());
        removed
    }

    /// Those whose time is over, in the order in which it was.
    pub(super) fn over(&self, at: DateTime<Utc>) -> Vec<Uuid> {
        let due = |first_end: Option<DateTime<Utc>>| first_end.is_some_and(|first_end| first_end <= at);
        if !due(self.first_end) {
            return vec![];
        }
        let groups = self.groups.iter().flatten().filter(|group| due(group.first_end));
        let parts = groups.flat_map(|group| group.parts.iter().flatten()).filter(|part| due(part.first_end));
        let kept = parts.flat_map(|part| &part.kept).filter(|(_, kept)| kept.until <= at);
        let mut over: Vec<_> = kept.map(|(id, kept)| (kept.until, *id)).collect();
        over.sort_unstable();
        over.into_iter().map(|(_, id)| id).collect()
    }

    /// Changes the part that an id belongs to, and what is known of its ends.
    fn change<T>(&mut self, id: Uuid, change: impl FnOnce(&mut HashMap<Uuid, Reservation>) -> T) -> T {
        let (group, part) = place(id);
        self.groups.resize(GROUPS, None);
        let fresh = || Arc::new(Group { parts: vec![None; PARTS], first_end: None });
        let group = Arc::make_mut(self.groups[group].get_or_insert_with(fresh));
        let part = Arc::make_mut(group.parts[part].get_or_insert_default());
        let changed = change(&mut part.kept);
        part.first_end = part.kept.values().map(|kept| kept.until).min();
        group.first_end = group.parts.iter().flatten().filter_map(|part| part.first_end).min();
        self.first_end = self.groups.iter().flatten().filter_map(|group| group.first_end).min();
        changed
    }
}

fn place(id: Uuid) -> (usize, usize) {
    let [.., second, first] = *id.as_bytes();
    (usize::from(first) % GROUPS, usize::from(second) % PARTS)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn until(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap_or_default()
    }

    proptest! {
        /// They do what a plain map does that is looked through each time, and a copy
        /// stays as it was.
        #[test]
        fn reservations_are_what_a_plain_map_is(
            steps in proptest::collection::vec((any::<bool>(), 0_u128..40, 0_i64..50), 0..200),
        ) {
            let (mut ours, mut plain) = (Reservations::default(), BTreeMap::new());
            for (insert, n, seconds) in steps {
                // Some in one part, some in one group, some apart.
                let id = Uuid::from_u128(n * 64);
                let (copy, before) = (ours.clone(), plain.clone());
                if insert {
                    let (person, at) = (PersonId(id), until(0));
                    let kept = Reservation { person, coupon: None, at, until: until(seconds) };
                    ours.insert(id, kept.clone());
                    plain.insert(id, kept);
                } else {
                    prop_assert_eq!(ours.remove(id), plain.remove(&id));
                }
                for (ours, plain) in [(&ours, &plain), (&copy, &before)] {
                    prop_assert_eq!(ours.count() as usize, plain.len());
                    prop_assert_eq!(ours.get(id), plain.get(&id));
                    let mut over: Vec<_> =
                        plain.iter().filter(|(_, kept)| kept.until <= until(seconds)).map(|(id, kept)| (kept.until, *id)).collect();
                    over.sort_unstable();
                    prop_assert_eq!(ours.over(until(seconds)), over.into_iter().map(|(_, id)| id).collect::<Vec<_>>());
                }
            }
        }
    }
}
