//! Codes: redeemed, checked, and guarded against guessing.

use aggregates::{
    campaign::{self, Asked, Redemption, Source},
    conversation::Topic,
    guard::Miss,
    submission::Status,
};
use uuid::Uuid;

use super::{
    super::texts::Offer,
    SOURCE, input, talk,
    turn::{Turn, button, retry},
};
use crate::{
    coupons::{self, Found},
    executor::{SendError, Wish},
    guard::{self, Missed},
    jobs::{Job, JobError},
    log::Once,
};

/// Bytes of a text that may still be a code, with the hyphens and spaces people put in.
const LONGEST_CODE: usize = 64;

/// Redeems a code. There is no reply when the redemption counts, for the event
/// itself is answered.
pub(super) async fn redeem(turn: &Turn<'_>, typed: &str) -> Result<Vec<Job>, JobError> {
    let typed = typed.trim();
    let once = turn.once(SOURCE, &[b"redeem", typed.to_ascii_uppercase().as_bytes()]);
    if let Some(reply) = locked_out(turn).await? {
        return Ok(reply);
    }
    let wish = |found: Found| {
        let redemption =
            Redemption { id: turn.app.clock.new_id(), telegram: Some(turn.telegram()), source: Source::Bot };
        let command = campaign::Command::Redeem { redemption, asked: asked(turn, found) };
        Wish { command, cause: turn.cause(), once: Some(once.clone()), expected: None }
    };
    if typed.len() <= LONGEST_CODE
        && coupons::send_remembered(turn.app, typed, wish).await.map_err(|error| retry(&error))?.is_some()
    {
        return Ok(vec![]);
    }
    let found = find(turn, typed).await?;
    let answer = match &found {
        Some(found) => turn.app.campaigns.send(&found.campaign.to_string(), wish(found.clone())).await,
        // Nobody holds it now; but this update may have been worked when somebody did.
        None => match turn.app.campaigns.answered(&once).await {
            Ok(Some(done)) => Ok(done),
            Ok(None) => return unknown(turn, typed).await,
            Err(error) => Err(error),
        },
    };
    let refusal = match answer {
        Ok(_) => return Ok(vec![]),
        Err(SendError::Refused(refusal)) => refusal,
        Err(error) => return Err(retry(&error)),
    };
    match found {
        Some(found) if refusal == campaign::Refusal::Unanswered => begin_questions(turn, found, typed).await,
        found => refused(turn, found, typed, &refusal).await,
    }
}

/// Checks a code without using it.
pub(super) async fn check(turn: &Turn<'_>, typed: &str) -> Result<Vec<Job>, JobError> {
    let typed = typed.trim();
    if let Some(reply) = locked_out(turn).await? {
        return Ok(reply);
    }
    let Some(found) = find(turn, typed).await? else { return unknown(turn, typed).await };
    let campaign = found.campaign;
    let asked = asked(turn, found.clone());
    let stream = campaign.to_string();
    let looked = turn
        .app
        .campaigns
        .look(&stream, |campaign, _, _| (campaign.check(&asked), campaign.terms_for(asked.person, asked.coupon)));
    let code = typed.to_uppercase();
    let offer = |terms| Offer::new(terms, turn.texts);
    match looked.await.map_err(|error| JobError::retry(&error))? {
        (Ok(terms), _) => Ok(good(turn, &code, |code| turn.texts.good(code, &offer(&terms)))),
        (Err(campaign::Refusal::Unanswered), Some(terms)) => {
            Ok(good(turn, &code, |code| turn.texts.good_with_questions(code, &offer(&terms))))
        }
        (Err(refusal), _) => refused(turn, Some(found), typed, &refusal).await,
    }
}

/// Says that a code is good, with a button that redeems it.
fn good(turn: &Turn<'_>, code: &str, say: impl FnOnce(&str) -> String) -> Vec<Job> {
    let button = button(turn.texts.redeem_button(), input::redeem_data(code));
    turn.ask(say(code), button.into_iter().map(|button| vec![button]).collect())
}

fn asked(turn: &Turn<'_>, found: Found) -> Asked {
    let Found { coupon, code, .. } = found;
    Asked { person: turn.person, coupon, code, reservation: None, spend: None, submission: None, at: turn.at }
}

async fn find(turn: &Turn<'_>, typed: &str) -> Result<Option<Found>, JobError> {
    // Longer than any code, and what it is does not fit on a line of a reply either.
    if typed.len() > LONGEST_CODE {
        return Ok(None);
    }
    coupons::find(turn.app, typed).await.map_err(|error| JobError::retry(&error))
}

async fn locked_out(turn: &Turn<'_>) -> Result<Option<Vec<Job>>, JobError> {
    let until = guard::locked_until(turn.app, turn.person, turn.at).await.map_err(|error| JobError::retry(&error))?;
    Ok(until.map(|until| turn.say(turn.texts.locked_out(minutes_until(turn, until)))))
}

fn minutes_until(turn: &Turn<'_>, until: chrono::DateTime<chrono::Utc>) -> i64 {
    ((until - turn.at).num_seconds() + 59) / 60
}

async fn unknown(turn: &Turn<'_>, typed: &str) -> Result<Vec<Job>, JobError> {
    let miss = guard::unknown(turn.app, typed).await.map_err(|error| JobError::retry(&error))?;
    missed(turn, miss, None).await
}

/// Writes down that a code is no good, and says so. Of what is wrong with it only
/// they hear who have it.
async fn refused(
    turn: &Turn<'_>,
    found: Option<Found>,
    typed: &str,
    refusal: &campaign::Refusal,
) -> Result<Vec<Job>, JobError> {
    use campaign::Refusal::{CodeUsed, PersonLimit};
    let campaign = found.as_ref().map(|found| found.campaign);
    let unique = match (found, refusal) {
        (Some(Found { campaign, coupon: Some(coupon), .. }), CodeUsed | PersonLimit { .. }) => {
            let holds = coupons::holds(turn.app, turn.person, campaign, coupon).await;
            Some(holds.map_err(|error| JobError::retry(&error))?)
        }
        _ => None,
    };
    let (texts, code) = (turn.texts, typed.to_uppercase());
    let (miss, said) = match (refusal, unique) {
        (CodeUsed, Some(held)) if held.redeemed => (Miss::PersonLimit, Some(texts.used_before(&code))),
        (&PersonLimit { limit, period }, None) => {
            (Miss::PersonLimit, Some(texts.redeemed_before(&code, limit, period)))
        }
        (&PersonLimit { limit, period }, Some(held)) if held.given => {
            (Miss::PersonLimit, Some(texts.others_redeemed_before(limit, period)))
        }
        // Nobody used it, and whoever found it is not to learn that it is good.
        (PersonLimit { .. }, Some(_)) => (Miss::OverLimit, None),
        (refusal, _) => (Miss::of(refusal).unwrap_or(Miss::Unknown), None),
    };
    let reply = missed(turn, miss, campaign).await?;
    Ok(said.map_or(reply, |said| turn.say(said)))
}

/// Writes a miss down and answers what everybody is answered.
async fn missed(turn: &Turn<'_>, miss: Miss, campaign: Option<Uuid>) -> Result<Vec<Job>, JobError> {
    let once: Once = turn.once(SOURCE, &[b"miss"]);
    let missed = Missed { person: turn.person, miss, campaign, source: Source::Bot, at: turn.at };
    let locked = guard::missed(turn.app, missed, turn.cause(), Some(once)).await.map_err(|error| retry(&error))?;
    Ok(match locked {
        None => turn.say(turn.texts.not_redeemable()),
        Some(until) => {
            let locked_out = turn.texts.locked_out(minutes_until(turn, until));
            turn.say(format!("{}\n\n{locked_out}", turn.texts.not_redeemable()))
        }
    })
}

/// Asks what the campaign wants to know.
async fn begin_questions(turn: &Turn<'_>, found: Found, typed: &str) -> Result<Vec<Job>, JobError> {
    let Found { campaign, coupon, .. } = found;
    let terms = coupons::terms(turn.app, campaign, turn.person, coupon).await;
    let Some(terms) = terms.map_err(|error| JobError::retry(&error))? else { return Ok(vec![]) };
    if terms.questions.is_empty() {
        // They were taken away since it was refused for them.
        return Ok(good(turn, &typed.to_uppercase(), |code| turn.texts.good(code, &Offer::new(&terms, turn.texts))));
    }
    let submission = turn.app.submission(campaign, turn.person).await.map_err(|error| JobError::retry(&error))?;
    let stream = submission.to_string();
    let status = turn.app.submissions.look(&stream, |submission, _, _| submission.status()).await;
    if let Some(Status::Pending | Status::Approved) = status.map_err(|error| JobError::retry(&error))? {
        return Ok(turn.say(turn.texts.submitted_before(&terms.name)));
    }
    let topic = Topic::Submission { campaign, coupon, questions: terms.questions.clone() };
    let mut replies = turn.say(turn.texts.questions_begin(&terms.name, terms.questions.len()));
    replies.extend(talk::begin(turn, topic).await?);
    Ok(replies)
}
