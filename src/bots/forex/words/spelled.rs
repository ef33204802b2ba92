//! Numbers in words.

use super::{Token, Unit};

const WORDS: &[&str] = &[
    "zero",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "twenty",
    "thirty",
    "forty",
    "fourty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
    "hundred",
    "hundreds",
    "thousand",
    "thousands",
    "half",
    "dozen",
    "twice",
    "ноль",
    "нуль",
    "два",
    "две",
    "двух",
    "двум",
    "двумя",
    "три",
    "трёх",
    "трех",
    "трём",
    "трем",
    "тремя",
    "четыре",
    "пять",
    "шесть",
    "семь",
    "восемь",
    "девять",
    "десять",
    "сто",
    "ста",
    "пяти",
    "шести",
    "семи",
    "восьми",
    "девяти",
    "десяти",
    "пол",
    "треть",
    "четверть",
    "триста",
    "четыреста",
    "пятьсот",
    "шестьсот",
    "семьсот",
    "восемьсот",
    "девятьсот",
];
/// Of those that come in many forms, the beginnings.
const BEGINNINGS: &[&str] = &[
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "million",
    "doubl",
    "tripl",
    "четырёх",
    "четырех",
    "двадцат",
    "тридцат",
    "сорок",
    "девяност",
    "сотн",
    "двест",
    "тысяч",
    "миллион",
    "полтор",
    "половин",
    "дюжин",
];
/// Of tens, and of those from eleven on.
const ENDINGS: &[&str] = &["надцать", "надцати", "десят", "десяти"];
/// Which are numbers only before a unit.
const ONE: &[&str] = &["a", "one", "an", "один", "одна", "одного", "одну"];

/// Whether a word is a number, as it stands before these.
pub(super) fn is_number(word: &str, after: &[Token]) -> bool {
    let is_long = word.chars().count() > 4;
    WORDS.contains(&word)
        || BEGINNINGS.iter().any(|start| word.starts_with(start))
        || is_long && ENDINGS.iter().any(|end| word.ends_with(end))
        || ONE.contains(&word) && is_of_unit(after)
}

/// Whether a unit comes next.
fn is_of_unit(after: &[Token]) -> bool {
    match after {
        [Token::Space | Token::Sign('-'), Token::Word(word), ..] => Unit::of_word(word).is_some(),
        [Token::Space, Token::Sign('%' | '$'), ..] => true,
        _ => false,
    }
}
