//! English.

use aggregates::{
    campaign::{Benefit, Period},
    conversation::CampaignStep,
    submission::Answer,
};
use chrono::{DateTime, Utc};

use super::{Numbers, Offer, Texts, percent};

pub(super) struct English;

fn plural(count: i64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The period that it is.
const fn now(period: Period) -> &'static str {
    match period {
        Period::Ever => "",
        Period::Day => " today",
        Period::Week => " this week",
        Period::Month => " this month",
    }
}

/// Each such period.
const fn a_period(period: Period) -> &'static str {
    match period {
        Period::Ever => "",
        Period::Day => " a day",
        Period::Week => " a week",
        Period::Month => " a month",
    }
}

impl Texts for English {
    fn welcome(&self, name: &str) -> String {
        format!(
            "Hello {name}! Send me a coupon code and I will redeem it for you.\n\n\
             /campaigns shows what there is, /help what I can do."
        )
    }

    fn help(&self) -> &'static str {
        "Send me a coupon code, or use:\n\n\
         /redeem CODE – redeem a code\n\
         /validate CODE – check a code without using it\n\
         /campaigns – what there is\n\
         /mycoupons – your coupons and their cards\n\
         /cancel – stop answering questions\n\
         /stop – get no more news (/start brings them back)\n\
         /help – show this message"
    }

    fn admin_help(&self) -> &'static str {
        "For admins:\n\n\
         /newcampaign – write a campaign\n\
         /stats – how things are going\n\
         /broadcast – write to everybody\n\
         /pause, /resume – stop a campaign for now, and let it go on"
    }

    fn commands(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("redeem", "Redeem a code"),
            ("validate", "Check a code without using it"),
            ("campaigns", "What there is"),
            ("mycoupons", "Your coupons and their cards"),
            ("stop", "Get no more news"),
            ("help", "What I can do"),
        ]
    }

    fn admin_commands(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("newcampaign", "Write a campaign"),
            ("stats", "How things are going"),
            ("broadcast", "Write to everybody"),
            ("pause", "Stop a campaign for now"),
            ("resume", "Let a campaign go on"),
        ]
    }

    fn stopped(&self) -> &'static str {
        "You will get no more news from me. Codes still work; /start brings the news back."
    }

    fn benefit(&self, benefit: &Benefit) -> String {
        match benefit {
            Benefit::Percent { basis_points } => format!("{}% off", percent(*basis_points, '.')),
            Benefit::Amount(money) => format!("{money} off"),
            Benefit::FreeDays { days } => format!("{} free", plural((*days).into(), "day", "days")),
            Benefit::Text { text } => text.clone(),
        }
    }

    fn valid_until(&self, ends_at: DateTime<Utc>) -> String {
        format!("Valid until {}", ends_at.format("%-d %B %Y, %H:%M UTC"))
    }

    fn which_code(&self) -> &'static str {
        "Which code? Send it after the command, like this:\n/redeem WELCOME10"
    }

    fn which_code_to_check(&self) -> &'static str {
        "Which code? Send it after the command, like this:\n/validate WELCOME10"
    }

    fn redeemed(&self, campaign: &str, code: &str, number: u32) -> String {
        format!("Done! {code} is redeemed.\n\n{campaign}\nRedemption no. {number}")
    }

    fn redeemed_before(&self, code: &str, limit: u32, period: Period) -> String {
        let (when, each) = (now(period), a_period(period));
        match limit {
            1 => format!("You have redeemed {code} already{when}. It can be used once{each} by each person."),
            _ => format!("You have redeemed {code} {limit} times{when} already, which is as often as it goes{each}."),
        }
    }

    fn used_before(&self, code: &str) -> String {
        format!("You have redeemed {code} already. It can be used only once.")
    }

    fn others_redeemed_before(&self, limit: u32, period: Period) -> String {
        let coupons = plural(limit.into(), "such coupon", "such coupons");
        format!(
            "You have redeemed {coupons}{} already, which is as many as it can be{}.",
            now(period),
            a_period(period)
        )
    }

    fn not_redeemable(&self) -> &'static str {
        "Sorry, this code cannot be redeemed. Please check it for typing errors; it may also not have started yet, or be used up."
    }

    fn locked_out(&self, minutes: i64) -> String {
        let time = match minutes {
            ..=119 => plural(minutes.max(1), "minute", "minutes"),
            _ => format!("{} hours", (minutes + 59) / 60),
        };
        format!("Those were too many codes that do not work. Please try again in {time}.")
    }

    fn good(&self, code: &str, offer: &Offer) -> String {
        format!("{code} is good.\n\n{}{}", offer.campaign, self.details(offer))
    }

    fn good_with_questions(&self, code: &str, offer: &Offer) -> String {
        format!("{}\n\nThere are a few questions to answer first.", self.good(code, offer))
    }

    fn campaigns(&self) -> &'static str {
        "This is what there is. If you have a code, send it to me."
    }

    fn no_campaigns(&self) -> &'static str {
        "There is nothing at the moment. If you have a code, send it to me all the same."
    }

    fn coupons(&self) -> &'static str {
        "Your coupons:"
    }

    fn no_coupons(&self) -> &'static str {
        "You have no coupons yet. Send me a code, or see /campaigns."
    }

    fn coupon_redeemed(&self, code: &str, campaign: &str, at: DateTime<Utc>) -> String {
        format!("• {code} – {campaign}\nRedeemed on {}", at.format("%-d %B %Y"))
    }

    fn redeem_button(&self) -> &'static str {
        "Redeem it"
    }

    fn card_button(&self, campaign: &str) -> String {
        format!("Card: {campaign}")
    }

    fn button_is_old(&self) -> &'static str {
        "This button is no longer good."
    }

    fn questions_begin(&self, campaign: &str, count: usize) -> String {
        let questions = plural(i64::try_from(count).unwrap_or(i64::MAX), "question", "questions");
        format!("{campaign}: please answer {questions}, and somebody will look at your answers. /cancel stops this.")
    }

    fn choose(&self) -> &'static str {
        "Please press one of the buttons."
    }

    fn too_long(&self) -> &'static str {
        "That is too long. Please answer in at most 1,000 characters."
    }

    fn submitted(&self, campaign: &str) -> String {
        format!("Thank you! Your answers for {campaign} are in. I will write to you when somebody has looked at them.")
    }

    fn submitted_before(&self, campaign: &str) -> String {
        format!("Your answers for {campaign} are in already. I will write to you when somebody has looked at them.")
    }

    fn rejected(&self, campaign: &str, reason: &str) -> String {
        format!(
            "Your answers for {campaign} were not accepted:\n\n{reason}\n\nYou can send the code again to answer anew."
        )
    }

    fn cancelled(&self) -> &'static str {
        "All right, let's leave it."
    }

    fn nothing_to_cancel(&self) -> &'static str {
        "There is nothing to cancel."
    }

    fn campaign_step(&self, step: CampaignStep) -> &'static str {
        match step {
            CampaignStep::Name => "A new campaign. What is it called? /cancel stops this.",
            CampaignStep::Code => "Which code do people send? 3 to 32 letters, digits, hyphens and underscores.",
            CampaignStep::Benefit => "What is it good for? For example 10%, 5 EUR, 30 days, or any words of yours.",
            CampaignStep::TotalLimit => "How many people can redeem it in all? A number, or skip it for no limit.",
            CampaignStep::LimitPerPerson => "How often can each person redeem it? A number, or skip it for no limit.",
            CampaignStep::EndsAt => "Until when (UTC)? Like this: 2027-01-31, or 2027-01-31 18:00. Skip it for no end.",
            CampaignStep::Confirm => "Is it right like this?",
        }
    }

    fn campaign_step_wrong(&self, step: CampaignStep) -> &'static str {
        match step {
            CampaignStep::Name => "A name has 1 to 120 characters, on one line. What is it called?",
            CampaignStep::Code => {
                "That cannot be a code: 3 to 32 letters A to Z, digits, hyphens and underscores. Which one?"
            }
            CampaignStep::Benefit => {
                "I do not understand that. Write 10%, 5 EUR, 30 days, or words (at most 200 characters)."
            }
            CampaignStep::TotalLimit | CampaignStep::LimitPerPerson => {
                "Please send a whole number from 1 on (each person's not above the total), or skip it."
            }
            CampaignStep::EndsAt => "Please send a time to come, like 2027-01-31 or 2027-01-31 18:00, or skip it.",
            CampaignStep::Confirm => "Please press one of the buttons.",
        }
    }

    fn skip(&self) -> &'static str {
        "Skip"
    }

    fn campaign_summary(&self, code: &str, offer: &Offer, total: Option<u32>, each: Option<u32>) -> String {
        let limit = |count: Option<u32>| count.map_or("no limit".to_owned(), |count| count.to_string());
        let ends = offer.ends_at.map_or("No end".to_owned(), |ends_at| self.valid_until(ends_at));
        format!(
            "{}\nCode: {code}\nGood for: {}\nIn all: {}\nEach person: {}\n{ends}\n\nIs it right like this?",
            offer.campaign,
            offer.benefit.as_deref().unwrap_or("–"),
            limit(total),
            limit(each),
        )
    }

    fn campaign_choices(&self) -> [&'static str; 3] {
        ["Open it now", "Keep it as a draft", "Discard it"]
    }

    fn drafted(&self, campaign: &str) -> String {
        format!("{campaign} is a draft now.")
    }

    fn opened(&self, campaign: &str, code: &str, link: Option<&str>) -> String {
        let link = link.map(|link| format!("\n\nThis link redeems it:\n{link}")).unwrap_or_default();
        format!("{campaign} is open: {code} can be redeemed.{link}")
    }

    fn code_taken(&self, code: &str) -> String {
        format!(
            "Another campaign has the code {code}, so this one stays a draft. End the other one, or change the code."
        )
    }

    fn broadcast_text(&self) -> &'static str {
        "What shall I write to everybody? Telegram's HTML works: <b>bold</b>, <i>italic</i>, links. /cancel stops this."
    }

    fn broadcast_wrong(&self, reason: &str) -> String {
        format!("That cannot be sent: {reason}. Please write it again.")
    }

    fn broadcast_preview(&self, recipients: i64) -> String {
        format!("That is what {} will read. Shall I send it?", plural(recipients, "person", "people"))
    }

    fn broadcast_choices(&self) -> [&'static str; 2] {
        ["Send it", "Discard it"]
    }

    fn broadcast_sent(&self) -> &'static str {
        "It is on its way."
    }

    fn submission(&self, campaign: &str, name: &str, answers: &[Answer]) -> String {
        let answers: String = answers.iter().map(|said| format!("\n\n{}\n→ {}", said.question, said.answer)).collect();
        format!("{name} has answered the questions of {campaign}.{answers}")
    }

    fn submission_choices(&self) -> [&'static str; 2] {
        ["Approve", "Reject"]
    }

    fn approved(&self) -> &'static str {
        "Approved. The coupon is being redeemed."
    }

    fn approval_failed(&self, reason: &str) -> String {
        format!("It was approved, but the coupon could not be redeemed: {reason}. It is to be decided on again.")
    }

    fn why_rejected(&self) -> &'static str {
        "Why? I will tell them in your words. /cancel stops this."
    }

    fn reason_too_long(&self) -> &'static str {
        "That is too long. Please say it in at most 500 characters."
    }

    fn rejection_told(&self) -> &'static str {
        "Rejected. I have told them why."
    }

    fn decided_before(&self) -> &'static str {
        "Somebody has decided on it already."
    }

    fn numbers(&self, numbers: &Numbers) -> String {
        format!(
            "Active campaigns: {}\nRedeemed today: {}, in 7 days: {}\nCodes that failed today: {}\n\
             People in 7 days: {}, can be written to: {}\nSubmissions waiting: {}",
            numbers.active_campaigns,
            numbers.redeemed_today,
            numbers.redeemed_week,
            numbers.missed_today,
            numbers.people_week,
            numbers.reachable,
            numbers.pending,
        )
    }

    fn which_to_pause(&self) -> &'static str {
        "Which campaign shall stop for now?"
    }

    fn which_to_resume(&self) -> &'static str {
        "Which campaign shall go on?"
    }

    fn nothing_to_pause(&self) -> &'static str {
        "No campaign is open."
    }

    fn nothing_to_resume(&self) -> &'static str {
        "No campaign is paused."
    }

    fn paused(&self, campaign: &str) -> String {
        format!("{campaign} is paused. /resume lets it go on.")
    }

    fn resumed(&self, campaign: &str) -> String {
        format!("{campaign} goes on.")
    }

    fn not_possible(&self, campaign: &str) -> String {
        format!("That is not possible for {campaign} at the moment.")
    }

    fn no_such_campaign(&self, code: &str) -> String {
        format!("No campaign has the code {code}.")
    }
}
