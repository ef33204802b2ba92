//! What admins do in their chat with the bot.

use aggregates::{
    CodeText,
    broadcast::{Audience, Letter, Message},
    campaign::{self, Status},
    conversation::Topic,
    submission,
};
use projections::{
    campaigns::{self, Filter, Sort},
    overview,
};
use uuid::Uuid;

use super::{
    super::texts::Numbers,
    input::{self, pause_data, resume_data},
    talk,
    turn::{Turn, button, retry},
};
use crate::{
    broadcasts,
    coupons::{self, Found},
    executor::{SendError, Wish},
    integrations::telegram::OutgoingMessage,
    jobs::{Job, JobError},
};

/// The source of the keys under which updates pause campaigns and resume them.
const SOURCE: &str = "coupon-bot:admins";
/// The source of the keys under which updates approve submissions.
const SUBMISSIONS: &str = "coupon-bot:submissions";
/// Campaigns to choose from.
const CHOICES: i64 = 20;

pub(super) async fn work(turn: &Turn<'_>, wish: input::Wish) -> Result<Vec<Job>, JobError> {
    match wish {
        input::Wish::NewCampaign => talk::begin(turn, Topic::NewCampaign).await,
        input::Wish::Broadcast => talk::begin(turn, Topic::Broadcast).await,
        input::Wish::Stats => {
            let numbers = overview::numbers(&turn.app.pool, turn.at).await.map_err(|error| JobError::retry(&error))?;
            Ok(turn.say(turn.texts.numbers(&Numbers {
                active_campaigns: numbers.active_campaigns,
                redeemed_today: numbers.redeemed_today,
                redeemed_week: numbers.redeemed_week,
                people_week: numbers.people_week,
                reachable: numbers.reachable,
                missed_today: numbers.missed_today,
                pending: numbers.pending,
            })))
        }
        input::Wish::Pause(code) => choose(turn, code, Stop::Pause).await,
        input::Wish::Resume(code) => choose(turn, code, Stop::Resume).await,
        input::Wish::PauseThis(campaign) => stop(turn, campaign, Stop::Pause).await,
        input::Wish::ResumeThis(campaign) => stop(turn, campaign, Stop::Resume).await,
        input::Wish::Approve(submission, version) => approve(turn, submission, version).await,
        input::Wish::Reject(submission, version) => match pending(turn, submission, version).await? {
            true => talk::begin(turn, Topic::Rejection { submission, version }).await,
            false => Ok(turn.say(turn.texts.decided_before())),
        },
    }
}

#[derive(Clone, Copy)]
enum Stop {
    Pause,
    Resume,
}

/// The campaign with a code; without one, a list to choose from.
async fn choose(turn: &Turn<'_>, code: Option<String>, stop: Stop) -> Result<Vec<Job>, JobError> {
    let texts = turn.texts;
    if let Some(code) = code {
        let found = match CodeText::new(&code) {
            Ok(_) => coupons::find(turn.app, &code).await.map_err(|error| JobError::retry(&error))?,
            Err(_) => None,
        };
        return match found {
            Some(Found { campaign, .. }) => self::stop(turn, campaign, stop).await,
            None => Ok(turn.say(texts.no_such_campaign(&code.chars().take(64).collect::<String>()))),
        };
    }
    let (status, nothing, which) = match stop {
        Stop::Pause => (Status::Active, texts.nothing_to_pause(), texts.which_to_pause()),
        Stop::Resume => (Status::Paused, texts.nothing_to_resume(), texts.which_to_resume()),
    };
    let filter = Filter { status: Some(status), ..Filter::default() };
    let page = campaigns::list(&turn.app.pool, &filter, Sort::CreatedAt, true, None, CHOICES).await;
    let rows = page.map_err(|error| JobError::retry(&error))?.rows;
    if rows.is_empty() {
        return Ok(turn.say(nothing));
    }
    let data = |id: Uuid| match stop {
        Stop::Pause => pause_data(id),
        Stop::Resume => resume_data(id),
    };
    let buttons = rows.into_iter().filter_map(|row| button(row.name, data(row.id)));
    Ok(turn.ask(which, buttons.map(|button| vec![button]).collect()))
}

async fn stop(turn: &Turn<'_>, campaign: Uuid, stop: Stop) -> Result<Vec<Job>, JobError> {
    let stream = campaign.to_string();
    let name = turn.app.campaigns.look(&stream, |campaign, _, _| campaign.terms().map(|terms| terms.name.clone()));
    let name = name.await.map_err(|error| JobError::retry(&error))?.unwrap_or_default();
    let (command, done, what): (_, _, &[u8]) = match stop {
        Stop::Pause => (campaign::Command::Pause { at: turn.at }, turn.texts.paused(&name), b"pause"),
        Stop::Resume => (campaign::Command::Resume { at: turn.at }, turn.texts.resumed(&name), b"resume"),
    };
    let once = turn.once(SOURCE, &[what, campaign.as_bytes()]);
    let wish = Wish { command, cause: turn.cause(), once: Some(once), expected: None };
    match turn.app.campaigns.send(&stream, wish).await {
        Ok(_) => Ok(turn.say(done)),
        Err(SendError::Refused(_)) => Ok(turn.say(turn.texts.not_possible(&name))),
        Err(error) => Err(retry(&error)),
    }
}

/// Whether the answers that were seen still wait.
async fn pending(turn: &Turn<'_>, submission: Uuid, version: i64) -> Result<bool, JobError> {
    let stream = submission.to_string();
    let look = turn.app.submissions.look(&stream, |submission, now, _| (submission.status(), now));
    Ok(look.await.map_err(|error| JobError::retry(&error))? == (Some(submission::Status::Pending), version))
}

async fn approve(turn: &Turn<'_>, submission: Uuid, version: i64) -> Result<Vec<Job>, JobError> {
    let once = turn.once(SUBMISSIONS, &[b"approve", submission.as_bytes()]);
    let command = submission::Command::Approve { at: turn.at };
    let wish = Wish { command, cause: turn.cause(), once: Some(once), expected: Some(version) };
    match turn.app.submissions.send(&submission.to_string(), wish).await {
        Ok(done) if !done.events.is_empty() => Ok(turn.say(turn.texts.approved())),
        Ok(_) | Err(SendError::Refused(_) | SendError::Precondition { .. }) => {
            Ok(turn.say(turn.texts.decided_before()))
        }
        Err(error) => Err(retry(&error)),
    }
}

/// A broadcast to everybody, as an admin wrote it; or what is wrong with it.
pub(super) fn letter(text: &str) -> Result<Letter, String> {
    let message = Message { text: text.to_owned(), html: true, photo: None, buttons: vec![] };
    broadcasts::shown(&message).map_err(|invalid| invalid.reason)?;
    Ok(Letter { message, audience: Audience::default() })
}

/// A broadcast as its readers will see it, and how many they are.
pub(super) async fn preview(turn: &Turn<'_>, answers: &[String]) -> Result<(Vec<Job>, i64), JobError> {
    let text = answers.first().map(String::as_str).unwrap_or_default();
    let letter = letter(text).map_err(|reason| JobError::Fail { reason })?;
    let message = broadcasts::outgoing(&letter.message).map_err(|error| JobError::fail(&error))?;
    let recipients = broadcasts::audience::count(&turn.app.pool, &letter.audience, turn.at).await;
    let recipients = recipients.map_err(|error| JobError::retry(&error))?;
    Ok((vec![Job::TelegramMessage(OutgoingMessage { chat_id: turn.from.id, ..message })], recipients))
}
