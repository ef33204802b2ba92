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
    let found = find(turn, typed).await?;
    let answer = match found {
        Some(Found { campaign, coupon }) => {
            let command = campaign::Command::Redeem {
                redemption: Redemption {
                    id: turn.app.clock.new_id(),
                    telegram: Some(turn.telegram()),
                    source: Source::Bot,
                },
                asked: asked(turn, coupon),
            };
            let wish = Wish { command, cause: turn.cause(), once: Some(once), expected: None };
            turn.app.campaigns.send(&campaign.to_string(), wish).await
        }
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
        Some(found) if refusal == campaign::Refusal::Unanswered => begin_questions(turn, found).await,
        found => refused(turn, found.map(|found| found.campaign), typed, &refusal).await,
    }
}

/// Checks a code without using it.
pub(super) async fn check(turn: &Turn<'_>, typed: &str) -> Result<Vec<Job>, JobError> {
    let typed = typed.trim();
    if let Some(reply) = locked_out(turn).await? {
        return Ok(reply);
    }
    let Some(Found { campaign, coupon }) = find(turn, typed).await? else { return unknown(turn, typed).await };
    let asked = asked(turn, coupon);
    let stream = campaign.to_string();
    let looked =
        turn.app.campaigns.look(&stream, |campaign, _, _| (campaign.check(&asked), campaign.terms_for(&asked)));
    let code = typed.to_uppercase();
    let button = button(turn.texts.redeem_button(), input::redeem_data(&code));
    let buttons = button.into_iter().map(|button| vec![button]).collect();
    match looked.await.map_err(|error| JobError::retry(&error))? {
        (Ok(terms), _) => Ok(turn.ask(turn.texts.good(&code, &offer(turn, &terms)), buttons)),
        (Err(campaign::Refusal::Unanswered), Some(terms)) => {
            Ok(turn.ask(turn.texts.good_with_questions(&code, &offer(turn, &terms)), buttons))
        }
        (Err(refusal), _) => refused(turn, Some(campaign), typed, &refusal).await,
    }
}

/// A campaign as people read of it.
pub(super) fn offer(turn: &Turn<'_>, terms: &campaign::Terms) -> Offer {
    Offer {
        campaign: terms.name.clone(),
        benefit: terms.benefit.as_ref().map(|benefit| turn.texts.benefit(benefit)),
        ends_at: terms.ends_at,
    }
}

fn asked(turn: &Turn<'_>, coupon: Option<aggregates::UniqueCode>) -> Asked {
    Asked { person: turn.person, coupon, reservation: None, spend: None, submission: None, at: turn.at }
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

async fn refused(
    turn: &Turn<'_>,
    campaign: Option<Uuid>,
    typed: &str,
    refusal: &campaign::Refusal,
) -> Result<Vec<Job>, JobError> {
    let reply = missed(turn, Miss::of(refusal).unwrap_or(Miss::Unknown), campaign).await?;
    Ok(match refusal {
        campaign::Refusal::PersonLimit { limit } => turn.say(turn.texts.redeemed_before(&typed.to_uppercase(), *limit)),
        _ => reply,
    })
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
async fn begin_questions(turn: &Turn<'_>, found: Found) -> Result<Vec<Job>, JobError> {
    let stream = found.campaign.to_string();
    let asked = asked(turn, found.coupon);
    let terms = turn.app.campaigns.look(&stream, |campaign, _, _| campaign.terms_for(&asked)).await;
    let Some(terms) = terms.map_err(|error| JobError::retry(&error))? else { return Ok(vec![]) };
    let submission = turn.app.submission(found.campaign, turn.person).await.map_err(|error| JobError::retry(&error))?;
    let stream = submission.to_string();
    let status = turn.app.submissions.look(&stream, |submission, _, _| submission.status()).await;
    if let Some(Status::Pending | Status::Approved) = status.map_err(|error| JobError::retry(&error))? {
        return Ok(turn.say(turn.texts.submitted_before(&terms.name)));
    }
    let topic =
        Topic::Submission { campaign: found.campaign, coupon: found.coupon, questions: terms.questions.clone() };
    let mut replies = turn.say(turn.texts.questions_begin(&terms.name, terms.questions.len()));
    replies.extend(talk::begin(turn, topic).await?);
    Ok(replies)
}
