//! What the bot says: one catalogue for each language.

mod channel;
mod english;
mod russian;
pub mod signals;
#[cfg(test)]
mod tests;

pub use channel::ChannelTexts;
pub use signals::SignalTexts;

use aggregates::{
    campaign::{Benefit, Period, Terms},
    conversation::CampaignStep,
    submission::Answer,
};
use chrono::{DateTime, Utc};

use crate::config::Language;

/// The catalogue for a client's language (an IETF tag); English for those there is none for.
#[must_use]
pub fn in_language(tag: Option<&str>) -> &'static dyn Texts {
    let language = tag.and_then(|tag| tag.split(['-', '_']).next()).unwrap_or_default();
    match language.to_ascii_lowercase().as_str() {
        "ru" => &russian::Russian,
        _ => &english::English,
    }
}

/// The catalogue of a channel's language.
#[must_use]
pub fn of_channel(language: Language) -> &'static dyn Texts {
    match language {
        Language::English => &english::English,
        Language::Russian => &russian::Russian,
    }
}

/// The languages that have a catalogue, beside English: for the command menu.
pub const LANGUAGES: [&str; 1] = ["ru"];

/// What a coupon is good for, and until when.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The campaign's name.
    pub campaign: String,
    /// In words.
    pub benefit: Option<String>,
    /// First instant at which it no longer can be redeemed.
    pub ends_at: Option<DateTime<Utc>>,
}

impl Offer {
    /// What these terms promise.
    #[must_use]
    pub fn new(terms: &Terms, texts: &dyn Texts) -> Self {
        Self {
            campaign: terms.name.clone(),
            benefit: terms.benefit.as_ref().map(|benefit| texts.benefit(benefit)),
            ends_at: terms.ends_at,
        }
    }
}

/// Numbers for an admin.
#[derive(Debug, Clone, Copy, Default)]
pub struct Numbers {
    /// Campaigns that can be redeemed.
    pub active_campaigns: i64,
    /// Redemptions since midnight (UTC).
    pub redeemed_today: i64,
    /// Redemptions in the last seven days.
    pub redeemed_week: i64,
    /// People who used the bot in the last seven days.
    pub people_week: i64,
    /// People who can be written to.
    pub reachable: i64,
    /// Codes since midnight that were no good.
    pub missed_today: i64,
    /// Submissions that wait.
    pub pending: i64,
}

/// The texts of one language.
pub trait Texts: ChannelTexts + SignalTexts + Sync {
    /// To `/start`.
    fn welcome(&self, name: &str) -> String;
    /// To `/help` and to a command there is not.
    fn help(&self) -> &'static str;
    /// Added to it for an admin.
    fn admin_help(&self) -> &'static str;
    /// The menu: commands with what they do.
    fn commands(&self) -> &'static [(&'static str, &'static str)];
    /// The menu's rest, for an admin.
    fn admin_commands(&self) -> &'static [(&'static str, &'static str)];
    /// To `/stop`.
    fn stopped(&self) -> &'static str;

    /// What a coupon is good for.
    fn benefit(&self, benefit: &Benefit) -> String;
    /// Until when a coupon is good.
    fn valid_until(&self, ends_at: DateTime<Utc>) -> String;

    /// To `/redeem` without a code.
    fn which_code(&self) -> &'static str;
    /// To `/validate` without a code.
    fn which_code_to_check(&self) -> &'static str;
    /// A redemption counts.
    fn redeemed(&self, campaign: &str, code: &str, number: u32) -> String;
    /// The person had the shared code as often in a period as they may.
    fn redeemed_before(&self, code: &str, limit: u32, period: Period) -> String;
    /// The person had this unique code.
    fn used_before(&self, code: &str) -> String;
    /// The person was given this unique code, and had others as often in a period as they may.
    fn others_redeemed_before(&self, limit: u32, period: Period) -> String;
    /// Every other refusal: one answer for an unknown code and for one that is
    /// over, so that guessing tells a guesser nothing.
    fn not_redeemable(&self) -> &'static str;
    /// After too many codes that were no good.
    fn locked_out(&self, minutes: i64) -> String;
    /// A code that could be redeemed.
    fn good(&self, code: &str, offer: &Offer) -> String;
    /// A code that could be redeemed after questions.
    fn good_with_questions(&self, code: &str, offer: &Offer) -> String;

    /// Before the campaigns there are.
    fn campaigns(&self) -> &'static str;
    /// There are none.
    fn no_campaigns(&self) -> &'static str;
    /// What an offer is good for and until when, each on a line of its own.
    fn details(&self, offer: &Offer) -> String {
        let until = offer.ends_at.map(|ends_at| self.valid_until(ends_at));
        let parts = [offer.benefit.clone(), until];
        parts.into_iter().flatten().map(|part| format!("\n{part}")).collect()
    }
    /// One of several offers.
    fn offer(&self, offer: &Offer) -> String {
        format!("• {}{}", offer.campaign, self.details(offer))
    }
    /// Before the coupons somebody has.
    fn coupons(&self) -> &'static str;
    /// They have none.
    fn no_coupons(&self) -> &'static str;
    /// A coupon somebody was given.
    fn coupon_open(&self, code: &str, offer: &Offer) -> String {
        format!("• {code} – {}{}", offer.campaign, self.details(offer))
    }
    /// A coupon somebody redeemed.
    fn coupon_redeemed(&self, code: &str, campaign: &str, at: DateTime<Utc>) -> String;

    /// On the button that redeems.
    fn redeem_button(&self) -> &'static str;
    /// On the button that shows a card.
    fn card_button(&self, campaign: &str) -> String;
    /// On a button that is no longer good.
    fn button_is_old(&self) -> &'static str;

    /// Before the first question of a campaign.
    fn questions_begin(&self, campaign: &str, count: usize) -> String;
    /// A question.
    fn question(&self, number: usize, of: usize, text: &str) -> String {
        if of == 1 { text.to_owned() } else { format!("{number}/{of}  {text}") }
    }
    /// The answer is none of the choices.
    fn choose(&self) -> &'static str;
    /// The answer is too long.
    fn too_long(&self) -> &'static str;
    /// After the last question.
    fn submitted(&self, campaign: &str) -> String;
    /// Answers of theirs are waiting already.
    fn submitted_before(&self, campaign: &str) -> String;
    /// Their answers were not accepted.
    fn rejected(&self, campaign: &str, reason: &str) -> String;
    /// To `/cancel`.
    fn cancelled(&self) -> &'static str;
    /// To `/cancel` when there is nothing.
    fn nothing_to_cancel(&self) -> &'static str;

    /// What an admin is asked for a campaign.
    fn campaign_step(&self, step: CampaignStep) -> &'static str;
    /// Why their answer is none.
    fn campaign_step_wrong(&self, step: CampaignStep) -> &'static str;
    /// On the button that leaves an answer out.
    fn skip(&self) -> &'static str;
    /// All of it again, before it is made.
    fn campaign_summary(&self, code: &str, offer: &Offer, total: Option<u32>, each: Option<u32>) -> String;
    /// On the buttons below it: open, keep as a draft, discard.
    fn campaign_choices(&self) -> [&'static str; 3];
    /// It is a draft now.
    fn drafted(&self, campaign: &str) -> String;
    /// It is open now.
    fn opened(&self, campaign: &str, code: &str, link: Option<&str>) -> String;
    /// It is a draft, as another campaign has the code.
    fn code_taken(&self, code: &str) -> String;

    /// What an admin is asked for a broadcast.
    fn broadcast_text(&self) -> &'static str;
    /// What they wrote cannot be sent.
    fn broadcast_wrong(&self, reason: &str) -> String;
    /// Below the preview.
    fn broadcast_preview(&self, recipients: i64) -> String;
    /// On the buttons below it: send, discard.
    fn broadcast_choices(&self) -> [&'static str; 2];
    /// It is on its way.
    fn broadcast_sent(&self) -> &'static str;

    /// To an admin, when somebody answered a campaign's questions.
    fn submission(&self, campaign: &str, name: &str, answers: &[Answer]) -> String;
    /// On the buttons below it: approve, reject.
    fn submission_choices(&self) -> [&'static str; 2];
    /// An admin approved it.
    fn approved(&self) -> &'static str;
    /// Above a submission that was approved in vain. The reason is in the words of the API.
    fn approval_failed(&self, reason: &str) -> String;
    /// An admin is asked for the reason.
    fn why_rejected(&self) -> &'static str;
    /// It is too long.
    fn reason_too_long(&self) -> &'static str;
    /// An admin rejected it.
    fn rejection_told(&self) -> &'static str;
    /// Another admin was faster.
    fn decided_before(&self) -> &'static str;

    /// To `/stats`.
    fn numbers(&self, numbers: &Numbers) -> String;
    /// To `/pause` without a code.
    fn which_to_pause(&self) -> &'static str;
    /// To `/resume` without a code.
    fn which_to_resume(&self) -> &'static str;
    /// Nothing can be paused.
    fn nothing_to_pause(&self) -> &'static str;
    /// Nothing can be resumed.
    fn nothing_to_resume(&self) -> &'static str;
    /// It is paused.
    fn paused(&self, campaign: &str) -> String;
    /// It goes on.
    fn resumed(&self, campaign: &str) -> String;
    /// The campaign's status does not allow it.
    fn not_possible(&self, campaign: &str) -> String;
    /// There is no campaign with this code.
    fn no_such_campaign(&self, code: &str) -> String;
}

/// Hundredths of a percent, without what is not needed: `12.5`.
fn percent(basis_points: u16, point: char) -> String {
    let (whole, rest) = (basis_points / 100, basis_points % 100);
    let fraction = format!("{point}{rest:02}");
    let fraction = if rest == 0 { "" } else { fraction.trim_end_matches('0') };
    format!("{whole}{fraction}")
}
