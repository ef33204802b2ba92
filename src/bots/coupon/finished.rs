//! What comes of a conversation that is finished, and of the answers somebody
//! looked at.

use aggregates::{
    BotUser, PersonId, Personal, Submission, TelegramUser, broadcast,
    campaign::{self, Asked, Redemption, Source},
    conversation::Topic,
    submission::{self, Answer, Submitted},
};
use uuid::Uuid;

use super::{
    super::texts::{self, Texts},
    admin, campaign_draft, input,
    turn::{button, retry},
};
use crate::{
    activation::{self, ActivateError},
    app::App,
    executor::{SendError, Wish},
    integrations::telegram::{OutgoingMessage, text::LONGEST},
    jobs::{Job, JobError},
    log::{Cause, Once},
    secrets::fingerprint,
};

/// The source of the keys under which approved answers redeem.
const SUBMISSIONS: &str = "submissions";

/// A conversation that is finished.
pub(crate) struct Finished<'a> {
    /// Its id.
    pub(crate) id: Uuid,
    /// Whose it was.
    pub(crate) person: PersonId,
    /// What it was about.
    pub(crate) topic: &'a Topic,
    /// All answers.
    pub(crate) answers: &'a [String],
    /// Where to write to.
    pub(crate) telegram: &'a TelegramUser,
}

/// Does what was talked about. Doing it again is harmless.
///
/// # Errors
/// [`JobError`].
pub(crate) async fn work(app: &App, cause: Cause, finished: Finished<'_>) -> Result<Vec<Job>, JobError> {
    let texts = texts::in_language(finished.telegram.language.as_deref());
    let is_admin = app.config.telegram_admin_ids.contains(&finished.telegram.id);
    if !is_admin && !matches!(finished.topic, Topic::Submission { .. }) {
        // No admin any more: it is as if they had not said it.
        return Ok(vec![]);
    }
    let text = match finished.topic {
        Topic::Submission { campaign, coupon, questions } => {
            let answers = questions.iter().zip(finished.answers);
            let answer = |(question, answer): (&campaign::Question, &String)| Answer {
                question: question.text.clone(),
                answer: answer.clone(),
            };
            let submitted = Submitted {
                campaign: *campaign,
                person: finished.person,
                telegram: Personal::new(finished.telegram.clone()),
                coupon: *coupon,
                answers: Personal::new(answers.map(answer).collect()),
            };
            submit(app, cause, &finished, submitted, texts).await?
        }
        Topic::NewCampaign => draft(app, cause, &finished, texts).await?,
        Topic::Broadcast => send(app, cause, &finished, texts).await?,
        Topic::Rejection { submission, version } => decide(app, cause, &finished, *submission, *version, texts).await?,
    };
    let message = OutgoingMessage { chat_id: finished.telegram.id, text, ..OutgoingMessage::default() };
    Ok(vec![Job::TelegramMessage(message)])
}

async fn decide(
    app: &App,
    cause: Cause,
    finished: &Finished<'_>,
    submission: Uuid,
    version: i64,
    texts: &dyn Texts,
) -> Result<String, JobError> {
    let reason = Personal::new(finished.answers.first().cloned().unwrap_or_default());
    let command = submission::Command::Reject { reason, at: app.clock.now() };
    let wish = Wish { command, cause, once: Some(once("reject", finished.id)), expected: Some(version) };
    match app.submissions.send(&submission.to_string(), wish).await {
        Ok(_) => Ok(texts.rejection_told().to_owned()),
        Err(SendError::Refused(_) | SendError::Precondition { .. }) => Ok(texts.decided_before().to_owned()),
        Err(error) => Err(retry(&error)),
    }
}

/// Shows admins what they approved in vain, with buttons to decide on it again;
/// the earlier buttons are of a version that is over.
///
/// # Errors
/// [`JobError`].
pub(crate) async fn show_failed(app: &App, id: Uuid, version: i64, reason: &str) -> Result<Vec<Job>, JobError> {
    let stream = id.to_string();
    let look = app.submissions.look(&stream, |submission, now, _| match submission {
        Submission::Pending(submitted) if now == version => Some(submitted.clone()),
        _ => None,
    });
    match look.await.map_err(|error| JobError::retry(&error))? {
        Some(submitted) => show(app, id, version, &submitted, Some(reason)).await,
        // Somebody has decided on it since.
        None => Ok(vec![]),
    }
}

/// Shows admins what somebody answered, with buttons to decide on it, and why an
/// approval before came to nothing, if one did.
///
/// # Errors
/// [`JobError`].
pub(crate) async fn show(
    app: &App,
    id: Uuid,
    version: i64,
    submitted: &Submitted,
    failed: Option<&str>,
) -> Result<Vec<Job>, JobError> {
    let campaign = name(app, submitted.campaign).await?;
    let who = submitted.telegram.reveal().name.clone().unwrap_or_default();
    let mut jobs = vec![];
    for admin in &app.config.telegram_admin_ids {
        // They speak the language of their last message.
        let person = app.person_of_telegram(*admin).await.map_err(|error| JobError::retry(&error))?.to_string();
        let language = app.bot_users.look(&person, |user, _, _| match user {
            BotUser::Met(known) => known.profile.reveal().language.clone(),
            BotUser::Unmet => None,
        });
        let language = language.await.map_err(|error| JobError::retry(&error))?;
        let texts = texts::in_language(language.as_deref());
        let [approve, reject] = texts.submission_choices();
        let buttons =
            [button(approve, input::approve_data(id, version)), button(reject, input::reject_data(id, version))];
        let failed = failed.map(|reason| texts.approval_failed(reason) + "\n\n").unwrap_or_default();
        jobs.push(Job::TelegramMessage(OutgoingMessage {
            chat_id: *admin,
            text: cut(&(failed + &texts.submission(&campaign, &who, submitted.answers.reveal()))),
            buttons: vec![buttons.into_iter().flatten().collect()],
            ..OutgoingMessage::default()
        }));
    }
    Ok(jobs)
}

/// As much of a text as Telegram takes in one message; all of it is in the API.
fn cut(text: &str) -> String {
    let mut left = LONGEST - 1;
    let fits = |letter: &char| {
        let fits = letter.len_utf16() <= left;
        left = left.saturating_sub(letter.len_utf16());
        fits
    };
    let kept: String = text.chars().take_while(fits).collect();
    if kept.len() < text.len() { kept + "…" } else { kept }
}

async fn submit(
    app: &App,
    cause: Cause,
    finished: &Finished<'_>,
    submitted: Submitted,
    texts: &dyn Texts,
) -> Result<String, JobError> {
    let name = name(app, submitted.campaign).await?;
    let id = app.submission(submitted.campaign, finished.person).await.map_err(|error| JobError::retry(&error))?;
    let once = once("submit", finished.id);
    let command = submission::Command::Submit { submitted, at: app.clock.now() };
    let wish = Wish { command, cause, once: Some(once), expected: None };
    match app.submissions.send(&id.to_string(), wish).await {
        Ok(_) => Ok(texts.submitted(&name)),
        Err(SendError::Refused(_)) => Ok(texts.submitted_before(&name)),
        Err(error) => Err(retry(&error)),
    }
}

async fn draft(app: &App, cause: Cause, finished: &Finished<'_>, texts: &dyn Texts) -> Result<String, JobError> {
    let terms = campaign_draft::terms(finished.answers);
    let (name, code) = (terms.name.clone(), terms.code.clone());
    let command = campaign::Command::Draft { terms, at: app.clock.now() };
    let wish = Wish { command, cause: cause.clone(), once: None, expected: None };
    match app.campaigns.send(&finished.id.to_string(), wish).await {
        // It has the conversation's id: drafted when this was done before.
        Ok(_) | Err(SendError::Refused(campaign::Refusal::Exists)) => {}
        Err(SendError::Refused(error)) => return Err(JobError::fail(&error)),
        Err(error) => return Err(retry(&error)),
    }
    if !campaign_draft::wants_it_open(finished.answers) {
        return Ok(texts.drafted(&name));
    }
    let code = code.map(String::from).unwrap_or_default();
    match activation::activate(app, finished.id, &cause, Some(once("activate", finished.id))).await {
        Ok(_) => {
            let link = match &app.telegram {
                // Without the link it is said all the same.
                Some(telegram) => app.bot.get_or_try_init(|| telegram.identity()).await.ok(),
                None => None,
            };
            let link = link.and_then(|bot| cards::deep_link(&bot.username, &code).ok());
            Ok(texts.opened(&name, &code, link.as_deref()))
        }
        Err(ActivateError::CodeInUse { .. } | ActivateError::CodeImported { .. }) => Ok(texts.code_taken(&code)),
        Err(error @ ActivateError::Campaign(SendError::Refused(_))) => Err(JobError::fail(&error)),
        Err(error) => Err(JobError::retry(&error)),
    }
}

async fn send(app: &App, cause: Cause, finished: &Finished<'_>, texts: &dyn Texts) -> Result<String, JobError> {
    let text = finished.answers.first().map(String::as_str).unwrap_or_default();
    let letter = admin::letter(text).map_err(|reason| JobError::Fail { reason })?;
    let command = broadcast::Command::Draft { letter, when: broadcast::When::Now, at: app.clock.now() };
    let wish = Wish { command, cause, once: None, expected: None };
    match app.broadcasts.send(&finished.id.to_string(), wish).await {
        Ok(_) | Err(SendError::Refused(broadcast::Refusal::Exists)) => Ok(texts.broadcast_sent().to_owned()),
        Err(SendError::Refused(error)) => Err(JobError::fail(&error)),
        Err(error) => Err(retry(&error)),
    }
}

/// Redeems the coupon for answers that were approved. `position` is the
/// approval's: each one redeems once.
///
/// # Errors
/// [`JobError`].
pub(crate) async fn fulfil(
    app: &App,
    cause: Cause,
    id: Uuid,
    position: i64,
    submitted: &Submitted,
) -> Result<Vec<Job>, JobError> {
    let now = app.clock.now();
    let once = Once {
        source: SUBMISSIONS.into(),
        key: format!("{id}:{position}").into(),
        fingerprint: fingerprint(&[b"fulfil", id.as_bytes()]),
        keeps_refusals: true,
    };
    let command = campaign::Command::Redeem {
        redemption: Redemption {
            id: app.clock.new_id(),
            telegram: Some(submitted.telegram.clone()),
            source: Source::Bot,
        },
        asked: Asked {
            person: submitted.person,
            coupon: submitted.coupon,
            code: None,
            reservation: None,
            spend: None,
            submission: Some(id),
            at: now,
        },
    };
    let wish = Wish { command, cause: cause.clone(), once: Some(once), expected: None };
    let command = match app.campaigns.send(&submitted.campaign.to_string(), wish).await {
        Ok(done) => {
            let redemption = done.events.iter().find_map(|event| match event {
                campaign::Event::Redeemed { redemption, .. } => Some(*redemption),
                _ => None,
            });
            let redemption = redemption.ok_or_else(|| JobError::Fail { reason: "nothing was redeemed".to_owned() })?;
            submission::Command::Fulfil { redemption, at: now }
        }
        Err(SendError::Refused(refusal)) => submission::Command::Fail { reason: refusal.to_string(), at: now },
        Err(error) => return Err(retry(&error)),
    };
    let wish = Wish { command, cause, once: None, expected: None };
    match app.submissions.send(&id.to_string(), wish).await {
        // Rejected by somebody since this was done before: it has been said.
        Ok(_) | Err(SendError::Refused(_)) => Ok(vec![]),
        Err(error) => Err(retry(&error)),
    }
}

/// Tells somebody that their answers were not accepted.
///
/// # Errors
/// [`JobError`].
pub(crate) async fn reject(
    app: &App,
    campaign: Uuid,
    telegram: &TelegramUser,
    reason: &str,
) -> Result<Vec<Job>, JobError> {
    let texts = texts::in_language(telegram.language.as_deref());
    let text = texts.rejected(&name(app, campaign).await?, reason);
    Ok(vec![Job::TelegramMessage(OutgoingMessage { chat_id: telegram.id, text, ..OutgoingMessage::default() })])
}

async fn name(app: &App, campaign: Uuid) -> Result<String, JobError> {
    let stream = campaign.to_string();
    let look = app
        .campaigns
        .look(&stream, |campaign, _, _| campaign.terms().map(|terms| terms.name.clone()).unwrap_or_default());
    look.await.map_err(|error| JobError::retry(&error))
}

fn once(what: &str, conversation: Uuid) -> Once {
    Once {
        source: format!("conversation:{what}").into(),
        key: conversation.to_string().into(),
        fingerprint: fingerprint(&[what.as_bytes(), conversation.as_bytes()]),
        keeps_refusals: true,
    }
}
