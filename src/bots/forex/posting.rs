//! Posting what happened to signals: each event once (record 0021).

use crate::{
    app::App,
    bots::{
        Bot,
        forex::{
            posts::{self, Draft, Failed, State},
            story::Story,
        },
        texts,
    },
    integrations::telegram::{MessageId, OutgoingMessage, Telegram, TelegramError, channel::Trace},
    jobs::{Job, JobError},
    rate::{self, Slot},
};

/// The place of the post that comes before all others, which is about no event.
const INTRODUCTION: i64 = 0;
/// Numbers behind the last known post that are looked at for one in doubt.
const FURTHEST: i32 = 100;
/// So many numbers without a post are the end of the channel. (Posts that were deleted, too,
/// have none.)
const SILENCE: i32 = 10;

/// Why a post in doubt stays so.
const AMBIGUOUS: &str = "it cannot be told whether the post arrived, as the bot may edit what others posted: take \
                         that right from it, look into the channel, and try again";

const CROWDED: &str = "it cannot be told whether the post arrived, as another one at the same place is in doubt, too";

/// Posts an event, unless it is posted. Nothing is posted where there is no bot or no channel.
///
/// # Errors
/// [`JobError`]; doing it again is what it is made for.
pub(crate) async fn post(app: &App, stream: &str, position: i64) -> Result<Vec<Job>, JobError> {
    let (Some(telegram), Some(channel)) = (&app.forex, app.config.forex.channel) else { return Ok(vec![]) };
    let poster = Poster { app, telegram, channel };
    let is_introduced = posts::any(&app.pool, channel).await.map_err(|error| JobError::retry(&error))?;
    if !is_introduced {
        poster.introduce().await?;
    }
    let kept = posts::find(&app.pool, channel, position).await.map_err(|error| JobError::retry(&error))?;
    if kept.as_ref().is_some_and(|post| post.state() == State::Sent) {
        return Ok(vec![]);
    }
    let Some(story) = Story::read(app, stream, position).await? else { return Ok(vec![]) };
    if kept.is_none() {
        let reply_to = match story.number() {
            Some(number) if !story.is_opening() => {
                posts::opening(&app.pool, channel, number).await.map_err(|error| JobError::retry(&error))?
            }
            _ => None,
        };
        let draft = story.draft(app, reply_to).await?;
        posts::keep(&app.pool, channel, position, &draft).await.map_err(|error| JobError::retry(&error))?;
    }
    poster.bring(position, Some(&story)).await?;
    Ok(vec![])
}

struct Poster<'a> {
    app: &'a App,
    telegram: &'a Telegram,
    channel: i64,
}

impl Poster<'_> {
    /// Posts what all numbers are counted from. It alone may be there twice: nobody knows
    /// where to look for the first post of a channel.
    async fn introduce(&self) -> Result<(), JobError> {
        let text = texts::of_channel(self.app.config.forex.language).signal_introduction().to_owned();
        let draft = Draft { number: None, kind: "introduction", text, reply_to: None, silent: true };
        let kept = posts::keep(&self.app.pool, self.channel, INTRODUCTION, &draft).await;
        kept.map_err(|error| JobError::retry(&error))?;
        self.bring(INTRODUCTION, None).await
    }

    /// Brings a post that is kept into the channel, unless it is there.
    async fn bring(&self, position: i64, story: Option<&Story>) -> Result<(), JobError> {
        let pool = &self.app.pool;
        let post = posts::find(pool, self.channel, position).await.map_err(|error| JobError::retry(&error))?;
        let Some(post) = post else {
            return Err(JobError::Retry { reason: "the post is gone from the table".to_owned(), after: None });
        };
        match post.state() {
            State::Sent => return Ok(()),
            State::Due => {}
            State::Sending | State::Unconfirmed => {
                if let Some(after) = post.landing() {
                    return Err(JobError::Later { reason: "a post may be on its way".to_owned(), after });
                }
                if let Some(id) = self.trace(position, post.attempts).await? {
                    tracing::info!(position, "a post in doubt is in the channel");
                    return posts::sent(pool, self.channel, position, id)
                        .await
                        .map_err(|error| JobError::retry(&error));
                }
            }
        }
        // Before the slot: whoever has to wait drew in vain, but nothing is late for a picture.
        let picture = match story {
            Some(story) => story.picture(self.app).await?,
            None => None,
        };
        self.slot().await?;
        // It may have waited since it was written down: what is no news any more must not look so.
        let late = match story {
            Some(story) => story.late_text(self.app).await?,
            None => None,
        };
        let message = OutgoingMessage {
            chat_id: self.channel,
            text: late.unwrap_or(post.text),
            reply_to: post.reply_to,
            silent: post.silent,
            protect: self.app.config.forex.protect,
            ..OutgoingMessage::default()
        };
        let begun = posts::begin(pool, self.channel, position, post.attempts, &message.text).await;
        if !begun.map_err(|error| JobError::retry(&error))? {
            return Err(JobError::Retry { reason: "another worker is at this post".to_owned(), after: None });
        }
        let answer = match picture {
            Some(picture) => self.telegram.send_picture(&message, picture).await,
            None => self.telegram.send_message(&message).await,
        };
        match answer {
            Ok(id) => posts::sent(pool, self.channel, position, id).await.map_err(|error| JobError::retry(&error)),
            Err(error) => Err(self.failed(position, post.attempts + 1, &error).await),
        }
    }

    /// The number of a post in doubt, if it is in the channel: numbers in a channel are
    /// consecutive, and what the bot posted between two known ones is the one in doubt, for
    /// all its posts are made one after the other.
    async fn trace(&self, position: i64, attempt: i32) -> Result<Option<MessageId>, JobError> {
        let pool = &self.app.pool;
        let around = posts::around(pool, self.channel, position).await.map_err(|error| JobError::retry(&error))?;
        let Some(last) = around.before else { return Ok(None) };
        let rights = self.telegram.own_rights(self.channel).await.map_err(|error| JobError::retry(&error))?;
        let end = last.saturating_add(FURTHEST).min(around.after.unwrap_or(i32::MAX).saturating_sub(1));
        let mut silence = 0;
        for id in last.saturating_add(1)..=end {
            let trace = match self.telegram.trace(self.channel, MessageId(id)).await {
                Err(TelegramError::RetryAfter { delay, .. }) => return Err(self.wait(delay).await),
                trace => trace.map_err(|error| JobError::retry(&error))?,
            };
            match trace {
                Trace::Ours if rights.can_edit_messages || around.is_crowded => {
                    let noted = posts::failed(pool, self.channel, position, attempt, Failed::Unconfirmed).await;
                    noted.map_err(|error| JobError::retry(&error))?;
                    let reason = if rights.can_edit_messages { AMBIGUOUS } else { CROWDED };
                    return Err(JobError::Fail { reason: reason.to_owned() });
                }
                Trace::Ours => return Ok(Some(MessageId(id))),
                Trace::Others => silence = 0,
                Trace::Nothing => silence += 1,
            }
            if silence >= SILENCE {
                break;
            }
        }
        Ok(None)
    }

    /// Notes what a failed call means for the post, and says what it means for the job.
    async fn failed(&self, position: i64, attempt: i32, error: &TelegramError) -> JobError {
        let outcome = if error.may_have_been_delivered() { Failed::Doubted } else { Failed::NotSent };
        if let Err(error) = posts::failed(&self.app.pool, self.channel, position, attempt, outcome).await {
            return JobError::retry(&error);
        }
        match error {
            TelegramError::RetryAfter { delay, .. } => self.wait(*delay).await,
            // What an admin can mend: the bot is not in the channel, or may not post there.
            error if error.is_transient() || matches!(error, TelegramError::RecipientGone { .. }) => {
                JobError::retry(error)
            }
            TelegramError::Rejected { reason, .. } if reason.contains("administrator rights") => JobError::retry(error),
            error => JobError::fail(error),
        }
    }

    /// Waits for a place under Telegram's limits.
    async fn slot(&self) -> Result<(), JobError> {
        slot(self.app, self.channel).await
    }

    async fn wait(&self, delay: std::time::Duration) -> JobError {
        wait(self.app, delay).await
    }
}

/// Waits for a place under the limits of the forex bot, which all processes share.
pub(super) async fn slot(app: &App, chat: i64) -> Result<(), JobError> {
    match rate::take_for(Bot::Forex, &app.pool, &app.config.telegram_limits, chat).await {
        Ok(Slot::After(wait)) => {
            tokio::time::sleep(wait).await;
            Ok(())
        }
        Ok(Slot::Later(after)) => Err(JobError::Later { reason: "rate limit".to_owned(), after }),
        Err(error) => Err(JobError::retry(&error)),
    }
}

/// Lets no message of the forex bot out for as long as Telegram asks.
pub(super) async fn wait(app: &App, delay: std::time::Duration) -> JobError {
    match rate::pause_for(Bot::Forex, &app.pool, delay).await {
        Ok(()) => JobError::Later { reason: "Telegram asks to wait".to_owned(), after: delay },
        Err(error) => JobError::retry(&error),
    }
}
