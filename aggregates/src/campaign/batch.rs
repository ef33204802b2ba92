//! A batch of unique codes: a bit a code.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Words of 64 bits in one part.
const PART: usize = 128;

/// A set of small numbers. Copies share its parts until one changes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bits(Vec<Arc<Vec<u64>>>);

impl Bits {
    pub(super) fn has(&self, number: u32) -> bool {
        let (part, word, bit) = place(number);
        self.0.get(part).and_then(|part| part.get(word)).is_some_and(|word| word & bit != 0)
    }

    pub(super) fn set(&mut self, number: u32, wanted: bool) {
        let (part, word, bit) = place(number);
        if self.0.len() <= part {
            self.0.resize_with(part + 1, Arc::default);
        }
        let part = Arc::make_mut(&mut self.0[part]);
        if part.is_empty() {
            part.resize(PART, 0);
        }
        if wanted {
            part[word] |= bit;
        } else {
            part[word] &= !bit;
        }
    }
}

const fn place(number: u32) -> (usize, usize, u64) {
    let word = number as usize / 64;
    (word / PART, word % PART, 1 << (number % 64))
}

/// A batch of unique codes of one campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// How many codes it has.
    pub count: u32,
    /// Whether those that are left were taken back.
    pub revoked: bool,
    /// How many are redeemed or reserved.
    pub taken: u32,
    /// Which terms its codes were issued under, from 1.
    pub(super) terms: u32,
    /// Codes before this one are published or were taken when it was their turn.
    pub(super) next: u32,
    taken_codes: Bits,
}

impl Batch {
    pub(super) fn new(count: u32, terms: u32) -> Self {
        Self { count, revoked: false, taken: 0, terms, next: 0, taken_codes: Bits::default() }
    }

    /// Codes that count as issued: what is left of a revoked batch does not.
    #[must_use]
    pub const fn issued(&self) -> u32 {
        if self.revoked { self.taken } else { self.count }
    }

    pub(super) fn is_taken(&self, index: u32) -> bool {
        self.taken_codes.has(index)
    }

    pub(super) fn take(&mut self, index: u32) {
        if index < self.count && !self.is_taken(index) {
            self.taken_codes.set(index, true);
            self.taken += 1;
        }
    }

    pub(super) fn give_back(&mut self, index: u32) {
        if self.is_taken(index) {
            self.taken_codes.set(index, false);
            self.taken -= 1;
        }
    }

    /// The next code nobody has.
    pub(super) fn unpublished(&self) -> Option<u32> {
        (!self.revoked).then(|| (self.next..self.count).find(|index| !self.is_taken(*index))).flatten()
    }
}
