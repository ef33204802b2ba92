//! Words of the copywriter, as far as they say nothing of their own.
//!
//! A model that writes about prices makes some up now and then. So a text is thrown away for
//! the template when it has a number that is not among those it was given, when a program
//! that copies signals could read it as one, or when it leads anywhere.

use crate::{
    config::Language,
    integrations::copywriter::{Copywriter, CopywriterError},
};

mod number;
mod spelled;
#[cfg(test)]
mod tests;
mod token;
mod unit;

use number::Number;
use token::{Token, tokens};
use unit::Unit;

/// Characters of a text at the most.
pub const LONGEST: usize = 400;

/// What a text is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Nearly half of the way to the first target.
    Under,
    /// Most of the way: time to protect what was earned.
    Near,
    /// A target was hit.
    Target,
    /// The stop was hit, at a loss.
    Stop,
    /// The stop was hit, after so much was taken that it is a gain.
    Saved,
    /// A day's results.
    Day,
    /// A week's results.
    Week,
}

/// What may be said: a name, and its value as it is printed elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is: `first target`.
    pub name: &'static str,
    /// Such as `4012.50` or `+1.35 R`.
    pub value: String,
}

/// What a text is asked for with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// What about.
    pub kind: Kind,
    /// In which language.
    pub language: Language,
    /// All that may be said.
    pub facts: Vec<Fact>,
}

/// Why a text is thrown away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Discarded {
    /// There is none.
    #[error("it is empty")]
    Empty,
    /// More than [`LONGEST`].
    #[error("it is too long")]
    TooLong,
    /// A number that is not among the facts, or not as they have it: in words, or of another unit.
    #[error("it has a number that is no fact")]
    Number,
    /// A character that is a number in another script, or that changes how others look.
    #[error("it has a character that could mislead")]
    Character,
    /// An address, or the name of a chat or a person.
    #[error("it leads somewhere")]
    Link,
    /// What a program that copies signals could act on.
    #[error("a copier could act on it")]
    Command,
}

/// Why there is no text of the copywriter's.
#[derive(Debug, thiserror::Error)]
enum NoWords {
    #[error(transparent)]
    Copywriter(#[from] CopywriterError),
    #[error("the text was discarded: {0}")]
    Discarded(#[from] Discarded),
}

/// What the copywriter makes of the facts, or else the template.
pub async fn or_template(copywriter: Option<&Copywriter>, brief: &Brief, template: String) -> String {
    let Some(copywriter) = copywriter else { return template };
    let written = async {
        let text = copywriter.write(&brief.task(), &brief.material()).await?;
        Ok::<_, NoWords>(check(&text, &brief.facts)?)
    };
    match written.await {
        Ok(text) => text,
        Err(error) => {
            tracing::info!(error = &error as &dyn std::error::Error, "the template is used");
            template
        }
    }
}

impl Brief {
    /// What the model is told to be.
    fn task(&self) -> String {
        let language = match self.language {
            Language::English => "English",
            Language::Russian => "Russian",
        };
        format!(
            "You write short posts for a Telegram channel with trading signals for gold. \
             Write one or two sentences in {language}, at most 250 characters, plain text, at most one emoji. \
             Be calm and honest: promise nothing, name losses as plainly as gains, give no new advice. \
             Use no number but those given, in digits and with their units, exactly as they are given; using none is \
             fine. \
             Never write a price right after the words entry, SL, TP or stop, and never the words buy or sell. \
             No links, no names, no hashtags, no questions back. Answer with the text alone."
        )
    }

    /// What it is to write about.
    fn material(&self) -> String {
        let about = match self.kind {
            Kind::Under => "An open signal has gone a good part of the way to its first target. Encourage patience.",
            Kind::Near => {
                "An open signal is most of the way to its first target. \
                 Suggest that those who are in move their stop to the entry price now."
            }
            Kind::Target => "A signal hit a target. Say so with quiet joy.",
            Kind::Stop => "A signal hit its stop at a loss. Say so plainly; losses are part of trading.",
            Kind::Saved => {
                "A signal hit its stop after a part was closed at a profit, and came to a gain in all. Say so plainly."
            }
            Kind::Day => "The trading day is over. Sum it up.",
            Kind::Week => "The trading week is over. Sum it up.",
        };
        let facts = self.facts.iter().map(|Fact { name, value }| format!("\n- {name}: {value}"));
        format!("{about}\nFacts:{}", facts.collect::<String>())
    }
}

/// The text, trimmed, if nothing speaks against it.
///
/// # Errors
/// What speaks against it.
pub fn check(text: &str, facts: &[Fact]) -> Result<String, Discarded> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Discarded::Empty);
    }
    if text.chars().count() > LONGEST {
        return Err(Discarded::TooLong);
    }
    if text.chars().any(misleads) {
        return Err(Discarded::Character);
    }
    if leads_away(text) {
        return Err(Discarded::Link);
    }
    let facts: Vec<Number> = facts.iter().flat_map(|fact| numbers(&tokens(&fact.value))).collect();
    let tokens = tokens(text);
    if is_command(&tokens) {
        return Err(Discarded::Command);
    }
    for (index, token) in tokens.iter().enumerate() {
        let number = match token {
            Token::Number(number) => number,
            // All facts have digits.
            Token::Word(word) if spelled::is_number(word, &tokens[index + 1..]) => return Err(Discarded::Number),
            _ => continue,
        };
        if !is_ordinal(&tokens, index) && !facts.iter().any(|fact| number.says(fact)) {
            return Err(Discarded::Number);
        }
    }
    Ok(text.to_owned())
}

fn numbers(tokens: &[Token]) -> Vec<Number> {
    let number = |token: &Token| match token {
        Token::Number(number) => Some(number.clone()),
        _ => None,
    };
    tokens.iter().filter_map(number).collect()
}

/// Numbers of other scripts, and marks that are not seen.
fn misleads(c: char) -> bool {
    let hidden = matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    // A keycap makes a number of a digit that is none to the reader of the text.
    hidden || c == '\u{20e3}' || c.is_control() && c != '\n' || c.is_numeric() && !c.is_ascii_digit()
}

/// Addresses of pages, chats and people.
fn leads_away(text: &str) -> bool {
    let lower = text.to_lowercase();
    let is_letter = |c: Option<char>| c.is_some_and(char::is_alphabetic);
    // Between two letters, a point is part of an address, or of a sentence that is no loss.
    let dotted = lower
        .match_indices('.')
        .any(|(at, _)| is_letter(lower[..at].chars().next_back()) && is_letter(lower[at + 1..].chars().next()));
    dotted
        || ["@", "://", "www.", "[", "<", "#"].iter().any(|mark| lower.contains(mark) && !is_number_sign(mark, &lower))
}

/// A number sign before digits names a signal, and its number is looked at like others.
fn is_number_sign(mark: &str, text: &str) -> bool {
    mark == "#" && text.split('#').skip(1).all(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Words that open a trade, wherever they stand; the Russian ones by how they begin.
const OPENING: [&str; 4] = ["buy", "sell", "buying", "selling"];
const OPENING_RUSSIAN: [&str; 4] = ["купи", "покупа", "прода", "покупк"];
/// Words that set a price when one follows.
const SETTING: [&str; 17] = [
    "entry", "enter", "sl", "tp", "stop", "stoploss", "loss", "target", "targets", "profit", "limit", "close", "вход",
    "стоп", "тейк", "тп", "цель",
];
/// What may stand between such a word and its price.
const BETWEEN: [&str; 9] = ["at", "to", "is", "now", "price", "near", "на", "в", "по"];

/// Whether a program that copies signals could take it for one.
fn is_command(tokens: &[Token]) -> bool {
    tokens.iter().enumerate().any(|(index, token)| {
        let Token::Word(word) = token else { return false };
        if OPENING.contains(&word.as_str()) || OPENING_RUSSIAN.iter().any(|start| word.starts_with(start)) {
            return true;
        }
        SETTING.contains(&word.as_str()) && sets_price(tokens, index)
    })
}

/// Whether a number follows the word, with nothing between them but signs and a small word.
fn sets_price(tokens: &[Token], word: usize) -> bool {
    let mut small = 0;
    for (index, token) in tokens.iter().enumerate().skip(word + 1) {
        match token {
            Token::Number(_) if is_ordinal(tokens, index) => {}
            Token::Number(number) => return !number.is_percent(),
            Token::Word(word) if BETWEEN.contains(&word.as_str()) && small < 2 => small += 1,
            Token::Word(_) => return false,
            Token::Sign('.' | '!' | '?' | '\n' | ',' | ';') => return false,
            Token::Sign(_) | Token::Space => {}
        }
    }
    false
}

/// Whether the number is that of a target, as in `TP2`.
fn is_ordinal(tokens: &[Token], index: usize) -> bool {
    let Some(Token::Number(number)) = tokens.get(index) else { return false };
    let word = match tokens[..index] {
        [.., Token::Word(ref word)] | [.., Token::Word(ref word), Token::Space] => word.as_str(),
        _ => return false,
    };
    matches!(word, "tp" | "тп") && number.is_ordinal()
}
