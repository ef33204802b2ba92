//! Words, numbers and what stands between them.

use super::{Number, Unit};

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// Letters, in lower case.
    Word(String),
    /// Digits, with the sign before and the unit around them.
    Number(Number),
    /// White space other than a new line.
    Space,
    /// Anything else.
    Sign(char),
}

/// Parts a text.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.to_lowercase().chars().collect();
    let mut tokens = vec![];
    let mut at = 0;
    while let Some(c) = chars.get(at).copied() {
        let run = |wanted: fn(char) -> bool| chars[at..].iter().take_while(|c| wanted(**c)).count();
        if c.is_ascii_digit() {
            let length = digits(&chars[at..]);
            let number: String = chars[at..at + length].iter().collect();
            let (before, negative) = (&chars[..at], sign(&chars[..at]));
            at += length;
            let suffix: String = chars[at..].iter().take_while(|c| c.is_alphabetic()).collect();
            tokens.push(Token::Number(Number::new(&number, negative, Unit::between(before, &chars[at..]), &suffix)));
        } else if c.is_alphabetic() {
            let length = run(char::is_alphabetic);
            tokens.push(Token::Word(chars[at..at + length].iter().collect()));
            at += length;
        } else if c.is_whitespace() && c != '\n' {
            tokens.push(Token::Space);
            at += run(|c| c.is_whitespace() && c != '\n');
        } else {
            tokens.push(Token::Sign(c));
            at += 1;
        }
    }
    tokens
}

/// How long the number is that begins here: marks count while a digit follows them.
fn digits(chars: &[char]) -> usize {
    let mut length = 0;
    while let Some(c) = chars.get(length) {
        let mark = matches!(c, '.' | ',') && chars.get(length + 1).is_some_and(char::is_ascii_digit);
        if !c.is_ascii_digit() && !mark {
            break;
        }
        length += 1;
    }
    length
}

/// The sign right before a number: one after a letter or a digit is a dash.
fn sign(before: &[char]) -> Option<bool> {
    let [rest @ .., sign] = before else { return None };
    let negative = match sign {
        '+' => false,
        '-' | '−' | '–' | '—' => true,
        // As in -$12.
        '$' | '€' => return self::sign(rest),
        _ => return None,
    };
    (!rest.last().is_some_and(|c| c.is_alphanumeric())).then_some(negative)
}
