//! What a number is a number of.

/// Units that change what a number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Pips, or points as some call them.
    Pips,
    /// Multiples of the risk.
    R,
    /// A part of a hundred.
    Percent,
    /// Money.
    Dollars,
    /// None: it names a signal.
    Name,
}

/// Words for units, by how they begin; those of one letter as they are.
const WORDS: &[(&str, Unit)] = &[
    ("pip", Unit::Pips),
    ("point", Unit::Pips),
    ("пип", Unit::Pips),
    ("пункт", Unit::Pips),
    ("dollar", Unit::Dollars),
    ("usd", Unit::Dollars),
    ("buck", Unit::Dollars),
    ("доллар", Unit::Dollars),
];
const PERCENT: &[&str] = &["percent", "per cent", "процент"];
/// Before the number of a signal.
const NAMES: &[&str] = &["signal", "сигнал", "#", "№"];

impl Unit {
    /// Of a word by itself.
    pub(super) fn of_word(word: &str) -> Option<Self> {
        match word {
            "п" => return Some(Self::Pips),
            "r" | "р" => return Some(Self::R),
            _ if PERCENT.iter().any(|percent| word.starts_with(percent)) => return Some(Self::Percent),
            _ => {}
        }
        WORDS.iter().find(|(start, _)| word.starts_with(start)).map(|(_, unit)| *unit)
    }

    /// Of a number between these characters, in lower case.
    pub(super) fn between(before: &[char], after: &[char]) -> Option<Self> {
        let after: String = after.iter().skip_while(|c| c.is_whitespace() && **c != '\n').take(12).collect();
        if after.starts_with(['%', '٪', '％']) || PERCENT.iter().any(|word| after.starts_with(word)) {
            return Some(Self::Percent);
        }
        if after.starts_with(['$', '＄']) {
            return Some(Self::Dollars);
        }
        let word: String = after.chars().take_while(|c| c.is_alphabetic()).collect();
        Self::of_word(&word).or_else(|| Self::after(before))
    }

    fn after(before: &[char]) -> Option<Self> {
        let skip = |c: &&char| c.is_whitespace() || matches!(c, '+' | '-' | '−' | '–' | '—');
        let before: Vec<char> = before.iter().rev().skip_while(skip).take(12).copied().collect();
        let last = before.first()?;
        if matches!(last, '$' | '＄') {
            return Some(Self::Dollars);
        }
        let word: String = match last.is_alphabetic() {
            true => before.iter().take_while(|c| c.is_alphabetic()).collect::<Vec<_>>().into_iter().rev().collect(),
            false => last.to_string(),
        };
        NAMES.iter().any(|name| word.starts_with(name)).then_some(Self::Name)
    }
}
