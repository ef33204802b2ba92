//! What a coupon is good for, and money.

use serde::{Deserialize, Serialize};

/// A currency by its three capital letters (ISO 4217).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// An amount in the currency's smallest unit: cents for EUR, yen for JPY.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// How many of the smallest units.
    pub minor: u64,
    /// Of which currency.
    pub currency: Currency,
}

/// What a coupon is good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Benefit {
    /// So many hundredths of a percent off the price: 1,250 are 12.5 %.
    Percent {
        /// 1 to 10,000.
        basis_points: u16,
    },
    /// A fixed amount off the price.
    Amount(Money),
    /// Days without paying.
    FreeDays {
        /// 1 to 3,650.
        days: u16,
    },
    /// In words.
    Text {
        /// 1 to 200 characters.
        text: String,
    },
}

/// A text that is no currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a currency has three letters, as in EUR")]
pub struct InvalidCurrency;

impl Currency {
    /// Reads three letters, in whatever case.
    ///
    /// # Errors
    /// [`InvalidCurrency`].
    pub fn new(text: &str) -> Result<Self, InvalidCurrency> {
        let letters: [u8; 3] = text.as_bytes().try_into().map_err(|_| InvalidCurrency)?;
        if !letters.iter().all(u8::is_ascii_alphabetic) {
            return Err(InvalidCurrency);
        }
        Ok(Self(letters.map(|letter| letter.to_ascii_uppercase())))
    }

    /// The three capital letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // ASCII by construction.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Digits after the decimal point (ISO 4217): what is not listed has two.
    const fn digits(self) -> u32 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG" | b"RWF" | b"UGX"
            | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            _ => 2,
        }
    }
}

impl Money {
    /// Reads an amount as people write it, with a point: `5`, `5.5` and `5.50` EUR.
    /// None when it has more digits after it than the currency.
    #[must_use]
    pub fn from_decimal(text: &str, currency: Currency) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = currency.digits() as usize;
        let all = format!("{whole}{fraction:0<digits$}");
        if whole.is_empty() || fraction.len() > digits || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(Self { minor: all.parse().ok()?, currency })
    }
}

impl TryFrom<String> for Currency {
    type Error = InvalidCurrency;
    fn try_from(text: String) -> Result<Self, InvalidCurrency> {
        Self::new(&text)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl std::fmt::Display for Currency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Display for Money {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = self.currency.digits();
        let unit = 10_u64.pow(digits);
        write!(f, "{}", self.minor / unit)?;
        if digits > 0 {
            write!(f, ".{:0width$}", self.minor % unit, width = digits as usize)?;
        }
        write!(f, " {}", self.currency)
    }
}

impl Benefit {
    /// Checks the benefit by itself: what is wrong with it, for the person who wrote it.
    ///
    /// # Errors
    /// The reason.
    pub fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Percent { basis_points } if !(1..=10_000).contains(basis_points) => {
                Err("must be more than 0 and at most 100 percent")
            }
            Self::Amount(money) if money.minor == 0 => Err("must be more than nothing"),
            Self::FreeDays { days } if !(1..=3_650).contains(days) => Err("must be 1 to 3650 days"),
            Self::Text { text } if text.trim().is_empty() => Err("must not be empty"),
            Self::Text { text } if text.chars().count() > 200 => Err("must have at most 200 characters"),
            Self::Text { text } if text.chars().any(char::is_control) => Err("must not contain control characters"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_written_with_the_digits_of_its_currency() {
        let written = |minor, code| Money { minor, currency: Currency::new(code).expect("a currency") }.to_string();
        assert_eq!(written(1_250, "eur"), "12.50 EUR");
        assert_eq!(written(5, "USD"), "0.05 USD");
        assert_eq!(written(1_250, "JPY"), "1250 JPY");
        assert_eq!(written(1_250, "KWD"), "1.250 KWD");
        for wrong in ["EU", "EURO", "E1R", "ЕВР", ""] {
            assert_eq!(Currency::new(wrong), Err(InvalidCurrency), "{wrong}");
        }
    }
}
