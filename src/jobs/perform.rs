//! What each kind of job does.

use std::time::Duration;

use aggregates::{CodeText, PersonId, UniqueCode, bot_user, broadcast};
use projections::campaigns::Row;
use uuid::Uuid;

use super::{Job, JobError, worker::Claimed};
use crate::{
    app::App,
    bots::{
        coupon::{
            self,
            finished::{self, Finished},
        },
        forex,
        texts::{self, Offer},
    },
    broadcasts::{audience, recipients},
    cards::{self, CardError, Lacking},
    codes, coupons,
    executor::{SendError, Wish},
    feed,
    integrations::telegram::{OutgoingMessage, Telegram, TelegramError},
    log::Cause,
    membership,
    rate::{self, Slot},
    stripe,
};

/// Performs a job and answers the jobs that follow from it.
pub(super) async fn perform(app: &App, claimed: &Claimed, job: &Job) -> Result<Vec<Job>, JobError> {
    match job {
        Job::CouponBotUpdate { body, .. } => coupon::work(app, claimed.correlation, claimed.created_at, body).await,
        Job::ForexBotUpdate { body, .. } => forex::work(app, claimed.correlation, body).await,
        Job::ForexMessage(message) => forex::send(app, message).await,
        Job::PostSignal { stream, position } => forex::posting::post(app, stream, *position).await,
        Job::TelegramMessage(message) => send(app, message).await,
        Job::ConfirmRedemption { campaign, number, coupon, chat_id, language } => {
            let id = campaign.parse().map_err(|error: uuid::Error| JobError::fail(&error))?;
            let (campaign, code) = held(app, id, *coupon).await?;
            let texts = texts::in_language(language.as_deref());
            let text = texts.redeemed(&campaign.name, &code, *number);
            let buttons = coupon::card_button(texts, &campaign.name, campaign.id, *coupon);
            send(app, &OutgoingMessage { chat_id: *chat_id, text, buttons, ..OutgoingMessage::default() }).await
        }
        Job::CouponCard { campaign, coupon, chat_id, holder_name, language } => {
            card(app, *campaign, *coupon, *chat_id, holder_name, language.as_deref()).await
        }
        Job::AnswerPress { callback_id, text } => {
            let Some(telegram) = &app.telegram else { return Ok(vec![]) };
            match telegram.answer_press(callback_id, text.as_deref()).await {
                // Who pressed it has long stopped waiting.
                Ok(()) | Err(TelegramError::TooLate { .. }) => Ok(vec![]),
                Err(TelegramError::RetryAfter { delay, .. }) => Err(wait(app, delay).await),
                // They will have when it is tried again after this.
                Err(error) if error.is_transient() && claimed.attempts >= claimed.max_attempts => {
                    tracing::info!(%error, "a press was not answered in time");
                    Ok(vec![])
                }
                Err(error) if error.is_transient() => Err(JobError::retry(&error)),
                Err(error) => Err(JobError::fail(&error)),
            }
        }
        Job::ShowAdminMenu { chat_id } => {
            let Some(telegram) = &app.telegram else { return Ok(vec![]) };
            match coupon::show_admin_menu(telegram, *chat_id).await {
                Ok(()) => Ok(vec![]),
                Err(TelegramError::RetryAfter { delay, .. }) => Err(wait(app, delay).await),
                Err(error) => Err(JobError::retry(&error)),
            }
        }
        Job::ConversationFinished { conversation, person, topic, answers, telegram } => {
            let finished = Finished { id: *conversation, person: PersonId(uuid(person)?), topic, answers, telegram };
            // It is they who do it, however late.
            let cause = Cause { actor: format!("person:{person}").into(), ..cause(claimed) };
            finished::work(app, cause, finished).await
        }
        Job::ShowSubmission { submission, version, submitted } => {
            finished::show(app, uuid(submission)?, *version, submitted, None).await
        }
        Job::ShowFailedSubmission { submission, version, reason } => {
            finished::show_failed(app, uuid(submission)?, *version, reason).await
        }
        Job::FulfilSubmission { submission, position, submitted } => {
            finished::fulfil(app, cause(claimed), uuid(submission)?, *position, submitted).await
        }
        Job::RejectSubmission { campaign, telegram, reason } => {
            finished::reject(app, *campaign, telegram, reason).await
        }
        Job::ReleaseCode { campaign, code } => release(app, claimed, campaign, code).await,
        Job::BotUserBlocked { person, at } => {
            let command = bot_user::Command::Block { at: *at };
            let wish = Wish { command, cause: cause(claimed), once: None, expected: None };
            app.bot_users.send(&person.to_string(), wish).await.map_err(|error| JobError::retry(&error))?;
            Ok(vec![])
        }
        Job::ReleaseBroadcast { broadcast, send_at } => {
            let now = app.clock.now();
            if now < *send_at {
                let after = (*send_at - now).to_std().unwrap_or_default();
                return Err(JobError::Later { reason: "it is not time yet".to_owned(), after });
            }
            tell(app, claimed, broadcast, broadcast::Command::Due { send_at: *send_at, at: now }).await
        }
        Job::StripeEvent { event } => {
            stripe::work(app, &cause(claimed), event).await?;
            Ok(vec![])
        }
        Job::ApplyPlan { plan, prices, position } => {
            membership::plan::apply(app, &cause(claimed), *plan, prices, *position).await?;
            Ok(vec![])
        }
        Job::SyncSubscription { subscription, left } => {
            membership::sync::sync(app, &cause(claimed), *subscription, *left).await
        }
        Job::IssueLink { subscription } => membership::link::issue(app, &cause(claimed), *subscription).await,
        Job::RevokeLink { subscription, url, channel } => {
            membership::link::revoke(app, *subscription, url.reveal(), *channel).await
        }
        Job::AnswerJoinRequest { seat, admit } => membership::join::answer(app, *seat, *admit).await,
        Job::RemoveMember { seat, due } => membership::removal::remove(app, &cause(claimed), *seat, *due).await,
        Job::TellSubscriber { subscription, user, notice } => {
            membership::notice::write(app, *subscription, *user, *notice).await
        }
        Job::CheckDrift { run, repair, strangers } => {
            membership::drift::check(app, &cause(claimed), *run, *repair, *strangers).await
        }
        Job::CancelAtStripe { subscription, stripe, when, position } => {
            stripe::cancel::cancel(app, &cause(claimed), *subscription, stripe, *when, *position).await?;
            Ok(vec![])
        }
        Job::RefundAtStripe { subscription, stripe, refund, position } => {
            stripe::refund::refund(app, &cause(claimed), *subscription, stripe, refund, *position).await?;
            Ok(vec![])
        }
        Job::AddressBroadcast { broadcast, position } => address(app, claimed, broadcast, *position).await,
        Job::ResendBroadcast { broadcast, number } => {
            recipients::resend(&app.pool, uuid(broadcast)?, *number).await.map_err(|error| JobError::retry(&error))?;
            Ok(vec![])
        }
    }
}

async fn send(app: &App, message: &OutgoingMessage) -> Result<Vec<Job>, JobError> {
    deliver(app, slot(app, message.chat_id).await?, message, None).await
}

/// Waits for a place under Telegram's limits, which all processes share.
async fn slot(app: &App, chat_id: i64) -> Result<&Telegram, JobError> {
    let Some(telegram) = &app.telegram else {
        return Err(JobError::Later {
            reason: "no TELEGRAM_BOT_TOKEN here".to_owned(),
            after: Duration::from_secs(60),
        });
    };
    match rate::take(&app.pool, &app.config.telegram_limits, chat_id).await {
        Ok(Slot::After(wait)) => tokio::time::sleep(wait).await,
        Ok(Slot::Later(after)) => return Err(JobError::Later { reason: "rate limit".to_owned(), after }),
        Err(error) => return Err(JobError::retry(&error)),
    }
    Ok(telegram)
}

/// Sends a message, perhaps below a picture, in a place that was waited for.
async fn deliver(
    app: &App,
    telegram: &Telegram,
    message: &OutgoingMessage,
    picture: Option<Vec<u8>>,
) -> Result<Vec<Job>, JobError> {
    let began = app.clock.now();
    let sent = match picture {
        Some(picture) => telegram.send_picture(message, picture).await,
        None => telegram.send_message(message).await,
    };
    match sent {
        Ok(_) => Ok(vec![]),
        Err(TelegramError::RetryAfter { delay, .. }) => Err(wait(app, delay).await),
        Err(error @ TelegramError::RecipientGone { .. }) => {
            // Nothing to repeat and nobody to alarm: people block bots.
            tracing::info!(%error, "a message has no recipient");
            let person = app.person_of_telegram(message.chat_id).await.map_err(|error| JobError::retry(&error))?;
            Ok(vec![Job::BotUserBlocked { person, at: began }])
        }
        Err(error) if error.is_transient() => Err(JobError::retry(&error)),
        Err(error) => Err(JobError::fail(&error)),
    }
}

/// Lets no message out for as long as Telegram asks, and puts the job off for as long.
async fn wait(app: &App, delay: Duration) -> JobError {
    match rate::pause(&app.pool, delay).await {
        Ok(()) => JobError::Later { reason: "Telegram asks to wait".to_owned(), after: delay },
        Err(error) => JobError::retry(&error),
    }
}

async fn release(app: &App, claimed: &Claimed, campaign: &str, code: &CodeText) -> Result<Vec<Job>, JobError> {
    let campaign = campaign.parse().map_err(|error: uuid::Error| JobError::fail(&error))?;
    codes::release_unwanted(app, campaign, code, &cause(claimed)).await.map_err(|error| JobError::retry(&error))?;
    Ok(vec![])
}

fn cause(claimed: &Claimed) -> Cause {
    Cause { actor: "system".into(), correlation: claimed.correlation, causation: format!("job:{}", claimed.id).into() }
}

fn uuid(text: &str) -> Result<Uuid, JobError> {
    text.parse().map_err(|error: uuid::Error| JobError::fail(&error))
}

/// Sends a command to a broadcast.
async fn tell(
    app: &App,
    claimed: &Claimed,
    broadcast: &str,
    command: broadcast::Command,
) -> Result<Vec<Job>, JobError> {
    let wish = Wish { command, cause: cause(claimed), once: None, expected: None };
    match app.broadcasts.send(broadcast, wish).await {
        Ok(_) => Ok(vec![]),
        Err(error @ SendError::Refused(_)) => Err(JobError::fail(&error)),
        Err(error) => Err(JobError::retry(&error)),
    }
}

/// Fixes a broadcast's audience, unless it was cancelled before that. Who is in
/// the read models when the broadcast was released is in it.
async fn address(app: &App, claimed: &Claimed, broadcast: &str, position: i64) -> Result<Vec<Job>, JobError> {
    for read_model in ["bot_users", "redemptions", "coupons"] {
        let reached = feed::wait_for(&app.pool, read_model, position, Duration::from_secs(2))
            .await
            .map_err(|error| JobError::retry(&error))?;
        if reached < position {
            let reason = format!("the read model {read_model} is behind");
            return Err(JobError::Later { reason, after: Duration::from_secs(1) });
        }
    }
    let audience = app
        .broadcasts
        .look(broadcast, |broadcast, _, _| broadcast.run().map(|run| run.letter.audience.clone()))
        .await
        .map_err(|error| JobError::retry(&error))?;
    let Some(audience) = audience else { return Ok(vec![]) };
    let now = app.clock.now();
    let count =
        audience::fix(&app.pool, uuid(broadcast)?, &audience, now).await.map_err(|error| JobError::retry(&error))?;
    let recipients = u32::try_from(count).unwrap_or(u32::MAX);
    tell(app, claimed, broadcast, broadcast::Command::Start { recipients, at: now }).await
}

/// The card of a coupon, as a picture.
async fn card(
    app: &App,
    campaign: Uuid,
    coupon: Option<UniqueCode>,
    chat_id: i64,
    holder_name: &str,
    language: Option<&str>,
) -> Result<Vec<Job>, JobError> {
    let (row, code) = held(app, campaign, coupon).await?;
    let person = app.person_of_telegram(chat_id).await.map_err(|error| JobError::retry(&error))?;
    let terms = coupons::terms(app, campaign, person, coupon).await.map_err(|error| JobError::retry(&error))?;
    let terms = terms.unwrap_or(row.terms.0);
    // Before it is drawn: whoever has to wait draws in vain.
    let telegram = slot(app, chat_id).await?;
    let texts = texts::in_language(language);
    let holder_name = Some(holder_name.to_owned());
    let drawn = cards::coupon(app, row.template, &terms, code.clone(), holder_name, texts, Lacking::Ticket).await;
    let picture = drawn.map_err(|error| match error {
        // As it will be the next time.
        CardError::Link(_) | CardError::NoTemplate(_) | CardError::Layout(_) => JobError::fail(&error),
        error => JobError::retry(&error),
    })?;
    let offer = Offer::new(&terms, texts);
    let message = OutgoingMessage { chat_id, text: texts.coupon_open(&code, &offer), ..OutgoingMessage::default() };
    deliver(app, telegram, &message, Some(picture)).await
}

/// The campaign of a coupon and the text of its code.
async fn held(app: &App, campaign: Uuid, coupon: Option<UniqueCode>) -> Result<(Row, String), JobError> {
    let found = projections::campaigns::find(&app.pool, campaign).await.map_err(|error| JobError::retry(&error))?;
    // A read model that is behind, or is being made anew, may lack it for a moment.
    let behind = || JobError::Retry { reason: "the coupon is not in the read models yet".to_owned(), after: None };
    let row = found.ok_or_else(behind)?;
    let code = match coupon {
        Some(coupon) => coupons::text(app, coupon).await.map_err(|error| JobError::retry(&error))?,
        None => row.code.clone(),
    };
    Ok((row, code.ok_or_else(behind)?))
}
