//! Who used a campaign how often: compact, and cheap to copy.
//!
//! A state is copied whenever a command is decided while nothing is under way,
//! and a campaign may have a million people. So they are kept in small parts
//! that copies share until one of them changes it: a copy costs no more than the
//! groups there are, and a change no more than one group and one part.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::PersonId;

/// Groups, and parts in each: a person's are told by the first two bytes of the
/// pseudonym, which is a hash. A million people are 250 in each part.
const GROUPS: usize = 64;
const PARTS: usize = 64;

/// What a campaign knows of a person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Use {
    /// The last period in which they used it.
    pub(super) period: i32,
    /// Redemptions and reservations in that period that stand.
    pub(super) count: u32,
    /// Which terms were promised to them with the shared code, from 1; 0: none.
    pub(super) promised: u32,
    /// Whether a coupon was published to them.
    pub(super) holder: bool,
}

/// The hash of a pseudonym, which is a keyed hash already: its halves, so that
/// the bits that tell a UUID's version and variant meet others that are random.
#[derive(Debug, Clone, Copy, Default)]
struct Halves(u64);

impl Hasher for Halves {
    fn write(&mut self, bytes: &[u8]) {
        let (halves, _) = bytes.as_chunks();
        halves.iter().for_each(|half| self.0 ^= u64::from_be_bytes(*half));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Some people; none when there are none.
type Part = Option<Arc<HashMap<PersonId, Use, BuildHasherDefault<Halves>>>>;

/// The people of a campaign.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct People(Vec<Option<Arc<Vec<Part>>>>);

impl People {
    pub(super) fn get(&self, person: PersonId) -> Use {
        let (group, part) = place(person);
        let part = self.0.get(group).and_then(Option::as_ref).and_then(|group| group[part].as_ref());
        part.and_then(|part| part.get(&person)).copied().unwrap_or_default()
    }

    pub(super) fn entry(&mut self, person: PersonId) -> &mut Use {
        let (group, part) = place(person);
        self.0.resize(GROUPS, None);
        let group = self.0[group].get_or_insert_with(|| Arc::new(vec![None; PARTS]));
        let part = Arc::make_mut(group)[part].get_or_insert_default();
        Arc::make_mut(part).entry(person).or_default()
    }
}

fn place(person: PersonId) -> (usize, usize) {
    let [first, second, ..] = *person.0.as_bytes();
    (usize::from(first) % GROUPS, usize::from(second) % PARTS)
}
