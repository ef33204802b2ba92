//! Unique codes, made from a key: a batch of a million is a number, not a list.
//!
//! A code is 12 symbols and a check symbol of an alphabet of 32 without
//! look-alikes. The symbols are 60 bits: which batch (20 bits), which code of
//! it (24 bits), and 16 bits of zeros, all of it enciphered as one block under
//! the installation's key. So a text can be told to be a code without asking
//! anybody, and the chance to guess one of a million valid codes is one in 10^12.
//!
//! The cipher is a balanced Feistel network of ten rounds (Luby and Rackoff,
//! "How to construct pseudorandom permutations", 1988) whose round function is
//! SipHash-2-4 (Aumasson and Bernstein, 2012), a keyed pseudorandom function
//! that is fast on short input.

use std::hash::Hasher;

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher24;

/// Digits and capital letters without `I`, `L`, `O` and `U`, which are read as `1`,
/// `1`, `0` and `V` (Crockford, "Base 32").
const ALPHABET: [u8; 32] = *b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Symbols before the check symbol.
const SYMBOLS: usize = 12;
const ROUNDS: u64 = 10;
const HALF: u64 = (1 << 30) - 1;

/// Which unique code: the batch's number, and the place in the batch from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UniqueCode {
    /// Below [`UniqueCode::BATCHES`].
    pub batch: u32,
    /// Below [`UniqueCode::IN_BATCH`].
    pub index: u32,
}

/// The key that codes are made with.
#[derive(Clone)]
pub struct CodeKey(SipHasher24);

/// Why a text is not a unique code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotUnique {
    /// It does not look like one: another length, or other characters.
    #[error("a unique code has 13 letters and digits")]
    Shape,
    /// The check symbol does not fit: one symbol is wrong, or two are swapped.
    #[error("the code has a typing error")]
    Typo,
    /// It was not made with this key.
    #[error("there is no such code")]
    Unknown,
}

impl CodeKey {
    /// From the first 16 bytes of a secret; fewer are filled up with zeros.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        let mut key = [0; 16];
        key.iter_mut().zip(secret).for_each(|(to, from)| *to = *from);
        Self(SipHasher24::new_with_key(&key))
    }

    fn round(&self, round: u64, half: u64) -> u64 {
        let mut hasher = self.0;
        // One word: the round above the 30 bits of the half.
        hasher.write_u64(round << 32 | half);
        hasher.finish() & HALF
    }

    fn encipher(&self, block: u64) -> u64 {
        let (mut left, mut right) = (block >> 30, block & HALF);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ self.round(round, right));
        }
        left << 30 | right
    }

    fn decipher(&self, block: u64) -> u64 {
        let (mut left, mut right) = (block >> 30, block & HALF);
        for round in (0..ROUNDS).rev() {
            (left, right) = (right ^ self.round(round, left), left);
        }
        left << 30 | right
    }
}

impl std::fmt::Debug for CodeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

impl UniqueCode {
    /// Numbers of batches.
    pub const BATCHES: u32 = 1 << 20;
    /// Codes in one batch at the most.
    pub const IN_BATCH: u32 = 1 << 24;
    /// Characters of the text.
    pub const LENGTH: usize = SYMBOLS + 1;

    /// The text of the code, in its normal form: ASCII, without hyphens.
    #[must_use]
    pub fn text(self, key: &CodeKey) -> [u8; Self::LENGTH] {
        let block = key.encipher(u64::from(self.batch) << 40 | u64::from(self.index) << 16);
        let mut text = [0; Self::LENGTH];
        let mut check = 0;
        for (n, place) in text[..SYMBOLS].iter_mut().enumerate() {
            let symbol = (block >> (5 * (SYMBOLS - 1 - n)) & 31) as u8;
            check = double(check ^ symbol);
            *place = ALPHABET[usize::from(symbol)];
        }
        text[SYMBOLS] = ALPHABET[usize::from(check)];
        text
    }

    /// Reads what a person typed: letter case, hyphens and spaces do not
    /// matter, and `O`, `I`, `L`, `U` are taken for what they look like.
    ///
    /// # Errors
    /// [`NotUnique`]; a typing error is told from a code that does not exist.
    pub fn read(typed: &str, key: &CodeKey) -> Result<Self, NotUnique> {
        let mut symbols = [0; Self::LENGTH];
        let mut count = 0;
        for character in typed.trim().chars().filter(|c| !matches!(c, '-' | ' ')) {
            *symbols.get_mut(count).ok_or(NotUnique::Shape)? = symbol(character).ok_or(NotUnique::Shape)?;
            count += 1;
        }
        if count != Self::LENGTH {
            return Err(NotUnique::Shape);
        }
        if symbols[..SYMBOLS].iter().fold(0, |check, symbol| double(check ^ symbol)) != symbols[SYMBOLS] {
            return Err(NotUnique::Typo);
        }
        let block = symbols[..SYMBOLS].iter().fold(0, |block, symbol| block << 5 | u64::from(*symbol));
        let plain = key.decipher(block);
        if plain & 0xFFFF != 0 {
            return Err(NotUnique::Unknown);
        }
        Ok(Self { batch: (plain >> 40) as u32, index: (plain >> 16) as u32 & (Self::IN_BATCH - 1) })
    }
}

/// The value of a character of a code.
fn symbol(character: char) -> Option<u8> {
    let upper = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        'U' => 'V',
        other => other,
    };
    let byte = u8::try_from(upper).ok()?;
    ALPHABET.iter().position(|known| *known == byte).map(|value| value as u8)
}

/// Multiplies by the generator of GF(2^5) modulo x^5 + x^2 + 1. The check
/// symbol is the sum of the symbols, each times another power of it, so every
/// single wrong symbol and every swap of two different ones changes it.
const fn double(element: u8) -> u8 {
    let shifted = element << 1;
    if shifted & 32 == 0 { shifted } else { shifted ^ 0b10_0101 }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn key() -> CodeKey {
        CodeKey::new(b"a secret of 16 b")
    }

    fn text(code: UniqueCode) -> String {
        String::from_utf8(code.text(&key()).to_vec()).expect("ASCII")
    }

    proptest! {
        #[test]
        fn a_code_is_read_back_however_it_is_typed(batch in 0..UniqueCode::BATCHES, index in 0..UniqueCode::IN_BATCH) {
            let code = UniqueCode { batch, index };
            let text = text(code);
            prop_assert_eq!(UniqueCode::read(&text, &key()), Ok(code));
            let typed = format!(" {}-{} {}\n", &text[..4], &text[4..8], &text[8..]).to_lowercase();
            let typed = typed.replace('1', "l").replace('0', "o").replace('v', "u");
            prop_assert_eq!(UniqueCode::read(&typed, &key()), Ok(code));
        }

        #[test]
        fn one_wrong_symbol_or_two_swapped_are_a_typing_error(
            index in 0..UniqueCode::IN_BATCH, at in 0..UniqueCode::LENGTH, by in 1..32_usize, other in 0..UniqueCode::LENGTH
        ) {
            let right = text(UniqueCode { batch: 7, index }).into_bytes();
            let mut wrong = right.clone();
            let value = ALPHABET.iter().position(|known| *known == wrong[at]).expect("of the alphabet");
            wrong[at] = ALPHABET[(value + by) % 32];
            let wrong = String::from_utf8(wrong).expect("ASCII");
            prop_assert_eq!(UniqueCode::read(&wrong, &key()), Err(NotUnique::Typo));
            let mut swapped = right.clone();
            swapped.swap(at, other);
            if swapped != right {
                let swapped = String::from_utf8(swapped).expect("ASCII");
                prop_assert_eq!(UniqueCode::read(&swapped, &key()), Err(NotUnique::Typo));
            }
        }

        #[test]
        fn any_text_is_read_without_harm(typed in "\\PC*") {
            prop_assert!(UniqueCode::read(&typed, &key()).is_err());
        }
    }

    #[test]
    fn the_codes_of_a_batch_differ_and_say_nothing_of_each_other() {
        let texts: HashSet<String> = (0..50_000).map(|index| text(UniqueCode { batch: 1, index })).collect();
        assert_eq!(texts.len(), 50_000);
        // Every symbol turns up everywhere about as often as any other.
        for place in 0..UniqueCode::LENGTH {
            let mut seen = [0_u32; 128];
            texts.iter().for_each(|text| seen[usize::from(text.as_bytes()[place])] += 1);
            let counts = ALPHABET.map(|symbol| seen[usize::from(symbol)]);
            assert!(counts.iter().all(|count| (1_250..1_900).contains(count)), "place {place}: {counts:?}");
        }
    }

    #[test]
    fn a_code_of_another_key_does_not_exist() {
        let other = CodeKey::new(b"another secret..");
        let strangers = (0..2_000).filter(|index| {
            let text = UniqueCode { batch: 1, index: *index }.text(&other);
            UniqueCode::read(std::str::from_utf8(&text).expect("ASCII"), &key()) != Err(NotUnique::Unknown)
        });
        assert!(strangers.count() <= 1, "one in 65,536 deciphers to something");
    }

    #[test]
    fn homoglyphs_are_not_letters() {
        let typed = text(UniqueCode { batch: 1, index: 1 }).replacen(['A', 'C', 'E', 'P'], "\u{410}", 1);
        assert_eq!(UniqueCode::read("\u{410}BCDEFGHJKMNP", &key()), Err(NotUnique::Shape));
        assert!(typed.is_ascii() || UniqueCode::read(&typed, &key()) == Err(NotUnique::Shape));
    }
}
