//! The parts of a campaign's terms as they come in and go out.

use std::collections::BTreeMap;

use aggregates::campaign::{self, Currency};
use poem_openapi::{Enum, Object, types::Example};
use serde_json::{Map, Value};

use super::body::text;

/// An amount of money, in the smallest unit of its currency: cents for EUR, yen for JPY.
#[derive(Object, Debug, Clone, PartialEq, Eq)]
#[oai(example, deny_unknown_fields)]
pub(super) struct Money {
    /// How many of the smallest units.
    #[oai(validator(minimum(value = "1"), maximum(value = "9007199254740991")))]
    minor: u64,
    /// The currency, as in ISO 4217.
    #[oai(validator(pattern = "^[A-Za-z]{3}$"))]
    currency: String,
}

impl Example for Money {
    fn example() -> Self {
        Self { minor: 2_500, currency: "EUR".to_owned() }
    }
}

/// What kind of benefit a coupon gives.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum BenefitKind {
    /// A part of the price: `basis_points`.
    Percent,
    /// A fixed amount off the price: `amount`.
    Amount,
    /// Days without paying: `days`.
    FreeDays,
    /// In words: `text`.
    Text,
}

/// What a coupon is good for: its kind, and the one field that goes with the kind.
#[derive(Object, Debug, Clone, PartialEq, Eq)]
#[oai(example, skip_serializing_if_is_none, deny_unknown_fields)]
pub(super) struct Benefit {
    /// What kind it is.
    kind: BenefitKind,
    /// For `percent`: hundredths of a percent, so 1250 are 12.5 %.
    #[oai(validator(minimum(value = "1"), maximum(value = "10000")))]
    basis_points: Option<u16>,
    /// For `amount`: how much.
    amount: Option<Money>,
    /// For `free_days`: how many.
    #[oai(validator(minimum(value = "1"), maximum(value = "3650")))]
    days: Option<u16>,
    /// For `text`: what.
    #[oai(validator(min_length = 1, max_length = 200))]
    text: Option<String>,
}

impl Benefit {
    const fn of_kind(kind: BenefitKind) -> Self {
        Self { kind, basis_points: None, amount: None, days: None, text: None }
    }
}

impl Example for Benefit {
    fn example() -> Self {
        Self { basis_points: Some(1_000), ..Self::of_kind(BenefitKind::Percent) }
    }
}

/// In which period a person's redemptions are counted, in UTC.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq, Default)]
#[oai(rename_all = "snake_case")]
pub(super) enum Period {
    /// All time is one.
    #[default]
    Ever,
    /// From midnight to midnight.
    Day,
    /// From Monday to Monday.
    Week,
    /// From the first of a month to the next.
    Month,
}

/// Who may redeem.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq, Default)]
#[oai(rename_all = "snake_case")]
pub(super) enum Audience {
    /// Whoever has a code.
    #[default]
    Everyone,
    /// Those to whom a coupon of the campaign was published.
    Holders,
}

impl From<campaign::Money> for Money {
    fn from(money: campaign::Money) -> Self {
        Self { minor: money.minor, currency: money.currency.to_string() }
    }
}

impl From<campaign::Benefit> for Benefit {
    fn from(benefit: campaign::Benefit) -> Self {
        match benefit {
            campaign::Benefit::Percent { basis_points } => {
                Self { basis_points: Some(basis_points), ..Self::of_kind(BenefitKind::Percent) }
            }
            campaign::Benefit::Amount(money) => {
                Self { amount: Some(money.into()), ..Self::of_kind(BenefitKind::Amount) }
            }
            campaign::Benefit::FreeDays { days } => Self { days: Some(days), ..Self::of_kind(BenefitKind::FreeDays) },
            campaign::Benefit::Text { text } => Self { text: Some(text), ..Self::of_kind(BenefitKind::Text) },
        }
    }
}

impl From<campaign::Period> for Period {
    fn from(period: campaign::Period) -> Self {
        match period {
            campaign::Period::Ever => Self::Ever,
            campaign::Period::Day => Self::Day,
            campaign::Period::Week => Self::Week,
            campaign::Period::Month => Self::Month,
        }
    }
}

impl From<Period> for campaign::Period {
    fn from(period: Period) -> Self {
        match period {
            Period::Ever => Self::Ever,
            Period::Day => Self::Day,
            Period::Week => Self::Week,
            Period::Month => Self::Month,
        }
    }
}

impl From<campaign::Audience> for Audience {
    fn from(audience: campaign::Audience) -> Self {
        match audience {
            campaign::Audience::Everyone => Self::Everyone,
            campaign::Audience::Holders => Self::Holders,
        }
    }
}

impl From<Audience> for campaign::Audience {
    fn from(audience: Audience) -> Self {
        match audience {
            Audience::Everyone => Self::Everyone,
            Audience::Holders => Self::Holders,
        }
    }
}

/// A question to those who want to redeem.
#[derive(Object, Debug, Clone, PartialEq, Eq)]
#[oai(example, deny_unknown_fields)]
pub(super) struct Question {
    /// What is asked.
    #[oai(validator(min_length = 1, max_length = 300))]
    text: String,
    /// The answers to choose from, 2 to 8 of at most 60 characters; without any, people write what they want.
    #[oai(default)]
    choices: Vec<String>,
}

impl Example for Question {
    fn example() -> Self {
        Self {
            text: "How long have you been trading?".to_owned(),
            choices: vec!["Less than a year".to_owned(), "Longer".to_owned()],
        }
    }
}

impl From<campaign::Question> for Question {
    fn from(question: campaign::Question) -> Self {
        Self { text: question.text, choices: question.choices }
    }
}

/// The fields of an inner object, all of which must be read.
struct Inner(Map<String, Value>);

impl Inner {
    fn new(value: Value) -> Result<Self, String> {
        match value {
            Value::Object(map) => Ok(Self(map)),
            _ => Err("must be an object".to_owned()),
        }
    }

    fn take(&mut self, name: &str) -> Result<Value, String> {
        self.0.remove(name).filter(|value| !value.is_null()).ok_or_else(|| format!("{name} is required"))
    }

    fn number<T: TryFrom<u64>>(&mut self, name: &str) -> Result<T, String> {
        let number = self.take(name)?.as_u64().and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| format!("{name} must be a whole number in its range"))
    }

    fn end(self) -> Result<(), String> {
        match self.0.into_iter().find(|(_, value)| !value.is_null()) {
            Some((name, _)) => Err(format!("{} does not belong here", name.chars().take(64).collect::<String>())),
            None => Ok(()),
        }
    }
}

/// An amount that is more than nothing.
pub(super) fn money(value: Value) -> Result<campaign::Money, String> {
    let mut fields = Inner::new(value)?;
    let minor = fields.number("minor")?;
    let currency = Currency::new(&text(fields.take("currency")?)?).map_err(|error| error.to_string())?;
    fields.end()?;
    // Beyond, a reader in JavaScript would see another number.
    if !(1..=9_007_199_254_740_991).contains(&minor) {
        return Err("minor must be a whole number from 1 to 9007199254740991".to_owned());
    }
    Ok(campaign::Money { minor, currency })
}

/// A benefit, which the terms check further.
pub(super) fn benefit(value: Value) -> Result<campaign::Benefit, String> {
    let mut fields = Inner::new(value)?;
    let kind = fields.take("kind")?;
    let benefit = match kind.as_str() {
        Some("percent") => campaign::Benefit::Percent { basis_points: fields.number("basis_points")? },
        Some("amount") => campaign::Benefit::Amount(money(fields.take("amount")?)?),
        Some("free_days") => campaign::Benefit::FreeDays { days: fields.number("days")? },
        Some("text") => campaign::Benefit::Text { text: text(fields.take("text")?)? },
        _ => return Err("kind must be one of percent, amount, free_days, text".to_owned()),
    };
    fields.end()?;
    benefit.check().map_err(str::to_owned)?;
    Ok(benefit)
}

/// The word of a period.
pub(super) fn period(value: Value) -> Result<campaign::Period, String> {
    match value.as_str() {
        Some("ever") => Ok(campaign::Period::Ever),
        Some("day") => Ok(campaign::Period::Day),
        Some("week") => Ok(campaign::Period::Week),
        Some("month") => Ok(campaign::Period::Month),
        _ => Err("must be one of ever, day, week, month".to_owned()),
    }
}

/// The word of an audience.
pub(super) fn audience(value: Value) -> Result<campaign::Audience, String> {
    match value.as_str() {
        Some("everyone") => Ok(campaign::Audience::Everyone),
        Some("holders") => Ok(campaign::Audience::Holders),
        _ => Err("must be one of everyone, holders".to_owned()),
    }
}

/// Questions, which the terms check further.
pub(super) fn questions(value: Value) -> Result<Vec<campaign::Question>, String> {
    let Value::Array(items) = value else { return Err("must be a list of questions".to_owned()) };
    let question = |value: Value| {
        let mut fields = Inner::new(value)?;
        let asked = text(fields.take("text")?)?;
        let choices = match fields.take("choices") {
            Ok(Value::Array(choices)) => choices.into_iter().map(text).collect::<Result<_, _>>()?,
            Ok(_) => return Err("choices must be a list of strings".to_owned()),
            Err(_) => vec![],
        };
        fields.end()?;
        Ok(campaign::Question { text: asked, choices })
    };
    items.into_iter().map(question).collect()
}

/// Texts by name.
pub(super) fn metadata(value: Value) -> Result<BTreeMap<String, String>, String> {
    let Value::Object(map) = value else { return Err("must be an object of strings".to_owned()) };
    map.into_iter()
        .map(|(name, value)| match text(Value::String(name)) {
            Ok(name) => Ok((name, text(value)?)),
            Err(reason) => Err(reason),
        })
        .collect()
}
