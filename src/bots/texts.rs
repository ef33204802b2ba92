//! What the bot says, in one catalogue.

use aggregates::campaign::Benefit;
use chrono::{DateTime, Utc};

/// The texts of one language.
#[derive(Debug, Clone, Copy)]
pub struct Texts;

/// The catalogue for a client's language (an IETF tag); English for all others.
#[must_use]
pub const fn in_language(_tag: Option<&str>) -> Texts {
    Texts
}

impl Texts {
    /// To `/start`.
    #[must_use]
    pub fn welcome(self, name: &str) -> String {
        format!("Hello {name}! Send me a coupon code and I will redeem it for you.\n\nFor more, see /help.")
    }

    /// To `/help` and to a command there is not.
    #[must_use]
    pub const fn help(self) -> &'static str {
        "Send me a coupon code, or use:\n\n/redeem CODE – redeem a code\n/stop – get no more news (/start brings them back)\n/help – show this message"
    }

    /// To `/stop`.
    #[must_use]
    pub const fn stopped(self) -> &'static str {
        "You will get no more news from me. Codes still work; /start brings the news back."
    }

    /// To `/redeem` without a code.
    #[must_use]
    pub const fn which_code(self) -> &'static str {
        "Which code? Send it after the command, like this:\n/redeem WELCOME10"
    }

    /// A redemption counts.
    #[must_use]
    pub fn redeemed(self, campaign: &str, code: &str, number: u32) -> String {
        format!("Done! {code} is redeemed.\n\n{campaign}\nRedemption no. {number}")
    }

    /// What a coupon is good for.
    #[must_use]
    pub fn benefit(self, benefit: &Benefit) -> String {
        match benefit {
            Benefit::Percent { basis_points } => {
                let (whole, rest) = (basis_points / 100, basis_points % 100);
                let fraction = format!(".{rest:02}");
                let fraction = if rest == 0 { "" } else { fraction.trim_end_matches('0') };
                format!("{whole}{fraction}% off")
            }
            Benefit::Amount(money) => format!("{money} off"),
            Benefit::FreeDays { days: 1 } => "1 day free".to_owned(),
            Benefit::FreeDays { days } => format!("{days} days free"),
            Benefit::Text { text } => text.clone(),
        }
    }

    /// Until when a coupon is good.
    #[must_use]
    pub fn valid_until(self, ends_at: DateTime<Utc>) -> String {
        format!("Valid until {}", ends_at.format("%-d %B %Y, %H:%M UTC"))
    }

    /// The person had it already.
    #[must_use]
    pub fn redeemed_before(self, code: &str, limit: u32) -> String {
        if limit == 1 {
            format!("You have redeemed {code} already. It can be used once by each person.")
        } else {
            format!("You have redeemed {code} {limit} times already, which is as often as it goes.")
        }
    }

    /// Every other refusal: one answer for an unknown code and for one that is
    /// over, so that guessing tells a guesser nothing.
    #[must_use]
    pub const fn not_redeemable(self) -> &'static str {
        "Sorry, this code cannot be redeemed. Please check it for typing errors; it may also not have started yet, or be used up."
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn benefits_read_as_people_say_them() {
        let said = |benefit: &Benefit| in_language(None).benefit(benefit);
        for (basis_points, wanted) in [(1_000, "10% off"), (1_250, "12.5% off"), (5, "0.05% off"), (10_000, "100% off")]
        {
            assert_eq!(said(&Benefit::Percent { basis_points }), wanted);
        }
        assert_eq!(said(&Benefit::FreeDays { days: 1 }), "1 day free");
        assert_eq!(said(&Benefit::FreeDays { days: 30 }), "30 days free");
    }
}
