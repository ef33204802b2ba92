//! Who used a campaign how often: compact, and cheap to copy.
//!
//! A state is copied when somebody looks at it beside what is under way, and a
//! campaign may have a million people. So they are kept in parts that copies
//! share until one of them changes it.

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::PersonId;

/// Parts; a person's is told by the first byte of the pseudonym, which is a hash.
const PARTS: usize = 256;

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

/// The people of a campaign.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct People(Vec<Arc<HashMap<PersonId, Use>>>);

impl People {
    pub(super) fn get(&self, person: PersonId) -> Use {
        self.0.get(part(person)).and_then(|part| part.get(&person)).copied().unwrap_or_default()
    }

    pub(super) fn entry(&mut self, person: PersonId) -> &mut Use {
        if self.0.is_empty() {
            self.0 = vec![Arc::default(); PARTS];
        }
        Arc::make_mut(&mut self.0[part(person)]).entry(person).or_default()
    }
}

fn part(person: PersonId) -> usize {
    usize::from(person.0.as_bytes()[0]) % PARTS
}
