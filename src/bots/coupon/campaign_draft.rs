//! A campaign, written by an admin in answers.

use aggregates::{
    CodeText,
    campaign::{Benefit, Currency, Money, Terms},
    conversation::CampaignStep,
};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use super::{
    super::texts::{Offer, Texts},
    talk,
};

/// What an answer comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// It counts, in this form.
    Good(String),
    /// It does not.
    Wrong,
    /// The admin does not want the campaign.
    Discard,
}

/// The answer that opens the campaign at once; another keeps it as a draft.
const OPEN: &str = "open";
const DRAFT: &str = "draft";
/// The answer that leaves an optional term out.
const SKIP: &str = "-";

/// Whether a term can be left out.
pub(super) const fn can_skip(step: CampaignStep) -> bool {
    matches!(step, CampaignStep::TotalLimit | CampaignStep::LimitPerPerson | CampaignStep::EndsAt)
}

/// Judges the answer to a step, after the answers before it.
pub(super) fn answer(step: CampaignStep, before: &[String], given: talk::Given<'_>, now: DateTime<Utc>) -> Given {
    let text = match (step, given) {
        (CampaignStep::Confirm, talk::Given::Button(0)) => return Given::Good(OPEN.to_owned()),
        (CampaignStep::Confirm, talk::Given::Button(1)) => return Given::Good(DRAFT.to_owned()),
        (CampaignStep::Confirm, talk::Given::Button(2)) => return Given::Discard,
        (step, talk::Given::Button(0)) if can_skip(step) => return Given::Good(SKIP.to_owned()),
        (CampaignStep::Confirm, _) | (_, talk::Given::Button(_)) => return Given::Wrong,
        (_, talk::Given::Text(text)) => text,
    };
    let read = match step {
        _ if can_skip(step) && text == SKIP => Some(SKIP.to_owned()),
        CampaignStep::Name => Some(text.to_owned()),
        CampaignStep::Code => CodeText::new(text).ok().map(String::from),
        CampaignStep::Benefit => Some(text.to_owned()),
        CampaignStep::TotalLimit | CampaignStep::LimitPerPerson => {
            text.parse::<u32>().ok().filter(|limit| *limit <= i32::MAX as u32).map(|limit| limit.to_string())
        }
        CampaignStep::EndsAt => end(text).filter(|end| *end > now).map(|end| end.to_rfc3339()),
        CampaignStep::Confirm => None,
    };
    let Some(read) = read else { return Given::Wrong };
    // The terms know their own rules.
    let after = [before, std::slice::from_ref(&read)].concat();
    match terms(&after).check() {
        Ok(()) => Given::Good(read),
        Err(_) => Given::Wrong,
    }
}

/// The terms that the answers so far come to.
pub(super) fn terms(answers: &[String]) -> Terms {
    let given = |step: usize| answers.get(step).map(String::as_str).filter(|answer| *answer != SKIP);
    Terms {
        name: given(0).unwrap_or_default().to_owned(),
        code: given(1).and_then(|code| CodeText::new(code).ok()),
        benefit: given(2).map(benefit),
        total_limit: given(3).and_then(|limit| limit.parse().ok()),
        limit_per_person: given(4).and_then(|limit| limit.parse().ok()),
        ends_at: given(5).and_then(|end| end.parse().ok()),
        ..Terms::default()
    }
}

/// Whether the campaign is to be opened at once.
pub(super) fn wants_it_open(answers: &[String]) -> bool {
    answers.last().is_some_and(|answer| answer == OPEN)
}

/// All of it again.
pub(super) fn summary(answers: &[String], texts: &dyn Texts) -> String {
    let terms = terms(answers);
    let code = terms.code.as_ref().map(CodeText::as_str).unwrap_or_default();
    let offer = Offer::new(&terms, texts);
    texts.campaign_summary(code, &offer, terms.total_limit, terms.limit_per_person)
}

/// `10%`, `5 EUR`, `30 days`, or whatever else in words.
fn benefit(text: &str) -> Benefit {
    percent(text)
        .or_else(|| days(text))
        .or_else(|| amount(text))
        .unwrap_or_else(|| Benefit::Text { text: text.to_owned() })
}

fn percent(text: &str) -> Option<Benefit> {
    let number = text.strip_suffix('%')?.trim().replace(',', ".");
    let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
    if fraction.len() > 2 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let hundredths: u16 = format!("{fraction:0<2}").parse().ok()?;
    let basis_points = whole.parse::<u16>().ok()?.checked_mul(100)?.checked_add(hundredths)?;
    Some(Benefit::Percent { basis_points })
}

fn days(text: &str) -> Option<Benefit> {
    let (number, noun) = text.split_once(char::is_whitespace)?;
    let noun = noun.trim().to_lowercase();
    let known = ["day", "days", "day free", "days free", "free days", "день", "дня", "дней"];
    known.contains(&noun.as_str()).then_some(())?;
    Some(Benefit::FreeDays { days: number.parse().ok()? })
}

fn amount(text: &str) -> Option<Benefit> {
    let (first, second) = text.split_once(char::is_whitespace)?;
    let (number, currency) = match Currency::new(second.trim()) {
        Ok(currency) => (first, currency),
        Err(_) => (second.trim(), Currency::new(first).ok()?),
    };
    Money::from_decimal(&number.replace(',', "."), currency).map(Benefit::Amount)
}

/// `2027-01-31` (to the end of the day), or with a time; UTC.
fn end(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim_end_matches("UTC").trim();
    let time = match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(day) => day.succ_opt()?.and_time(NaiveTime::MIN),
        Err(_) => NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").ok()?,
    };
    let time = time.and_utc();
    projections::page::is_usual(&time).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-24T12:00:00Z";

    fn given(step: CampaignStep, before: &[&str], text: &str) -> Given {
        let before: Vec<String> = before.iter().map(|answer| (*answer).to_owned()).collect();
        answer(step, &before, talk::Given::Text(text), NOW.parse().unwrap())
    }

    #[test]
    fn benefits_are_read_as_admins_write_them() {
        for (text, wanted) in [
            ("10%", Benefit::Percent { basis_points: 1_000 }),
            ("12.5 %", Benefit::Percent { basis_points: 1_250 }),
            ("12,05%", Benefit::Percent { basis_points: 1_205 }),
            ("30 days", Benefit::FreeDays { days: 30 }),
            ("1 день", Benefit::FreeDays { days: 1 }),
            ("5 EUR", Benefit::Amount(Money { minor: 500, currency: Currency::new("EUR").unwrap() })),
            ("eur 5,50", Benefit::Amount(Money { minor: 550, currency: Currency::new("EUR").unwrap() })),
            ("500 JPY", Benefit::Amount(Money { minor: 500, currency: Currency::new("JPY").unwrap() })),
            ("a free book", Benefit::Text { text: "a free book".to_owned() }),
            ("5.555 EUR", Benefit::Text { text: "5.555 EUR".to_owned() }),
        ] {
            assert_eq!(benefit(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_the_terms_refuse_is_asked_again() {
        assert_eq!(given(CampaignStep::Name, &[], "Gold week"), Given::Good("Gold week".to_owned()));
        assert_eq!(given(CampaignStep::Name, &[], "two\nlines"), Given::Wrong);
        assert_eq!(given(CampaignStep::Code, &["Gold"], "gold 10"), Given::Wrong);
        assert_eq!(given(CampaignStep::Code, &["Gold"], "gold10"), Given::Good("GOLD10".to_owned()));
        assert_eq!(given(CampaignStep::Benefit, &["Gold", "GOLD10"], "101%"), Given::Wrong);
        let limits = ["Gold", "GOLD10", "10%", "5"];
        assert_eq!(given(CampaignStep::LimitPerPerson, &limits, "6"), Given::Wrong);
        assert_eq!(given(CampaignStep::LimitPerPerson, &limits, "5"), Given::Good("5".to_owned()));
        assert_eq!(given(CampaignStep::LimitPerPerson, &limits, "-"), Given::Good(SKIP.to_owned()));
        assert_eq!(given(CampaignStep::TotalLimit, &limits[..3], "0"), Given::Wrong);
        assert_eq!(given(CampaignStep::TotalLimit, &limits[..3], "-1"), Given::Wrong);
        let ends = ["Gold", "GOLD10", "10%", "-", "-"];
        assert_eq!(given(CampaignStep::EndsAt, &ends, "2026-11-24 12:00"), Given::Wrong, "it is over");
        assert_eq!(given(CampaignStep::EndsAt, &ends, "tomorrow"), Given::Wrong);
        assert_eq!(given(CampaignStep::EndsAt, &ends, "+99999-12-31"), Given::Wrong, "no date of a calendar");
        let midnight = Given::Good("2026-11-25T00:00:00+00:00".to_owned());
        assert_eq!(given(CampaignStep::EndsAt, &ends, "2026-11-24"), midnight);
    }
}
