//! Who asks to come in, who came, and who went.

use aggregates::{PersonId, Personal, member, subscription};
use uuid::Uuid;

use super::{account_of, call, link, notice::Notice, retry, sync, sync::Seat, tell};
use crate::{
    app::App,
    executor::{SendError, Wish},
    integrations::telegram::{
        channel::Settled,
        update::{JoinRequest, MemberChange},
    },
    jobs::{self, Job, JobError, NewJob},
    log::Cause,
    wake::Topic,
};

/// Works a request to join: by the link of a subscription it ties the person to it.
///
/// Who follows the link of somebody else's subscription, or one that is no good any
/// more, is let in only if another subscription of theirs says so, and turned away
/// otherwise. Who came by a link that is not ours and has no subscription is left to
/// the admins who made that link.
pub(crate) async fn requested(
    app: &App,
    cause: &Cause,
    update_id: i64,
    request: &JoinRequest,
) -> Result<Vec<Job>, JobError> {
    let at = app.clock.now();
    let seat = Seat { channel: request.chat, user: request.from.id };
    let ours = request.link.as_ref().and_then(|followed| Some((link::named(followed.name.as_deref())?, followed)));
    let mut jobs = vec![];
    if let Some((subscription, followed)) = &ours {
        jobs.extend(tie(app, cause, *subscription, request.from.id, &followed.url).await?);
    }
    let command = member::Command::Admit { request: update_id, at };
    match tell(app, cause, seat, command).await {
        Ok(done) if done.events.iter().any(|event| matches!(event, member::Event::Admitted { .. })) => {}
        // Taken to be in, or admitted before: Telegram asks, so they are not, or nobody has told it.
        Ok(_) => jobs.push(Job::AnswerJoinRequest { seat, admit: true }),
        Err(SendError::Refused(_)) if ours.is_some() => {
            jobs.push(Job::AnswerJoinRequest { seat, admit: false });
        }
        Err(SendError::Refused(_)) => {}
        Err(error) => return Err(retry(&error)),
    }
    Ok(jobs)
}

/// Ties somebody to the subscription whose link they followed, and carries to their
/// member what it says. When it is another person's, that one is told.
async fn tie(app: &App, cause: &Cause, id: Uuid, user: i64, url: &str) -> Result<Vec<Job>, JobError> {
    let account = account_of(app, user).await?;
    let person = account.person;
    let link = Some(Personal::new(url.to_owned()));
    let command = subscription::Command::Join { account, link, at: app.clock.now() };
    let wish = Wish { command, cause: cause.clone(), once: None, expected: None };
    match app.subscriptions.send(&id.to_string(), wish).await {
        // The member has to hear of it before they are judged.
        Ok(_) => sync::sync(app, cause, id, None).await,
        Err(SendError::Refused(subscription::Refusal::Stranger)) => {
            warn(app, cause, id, person, url).await.map_err(|error| JobError::retry(&error))?;
            Ok(vec![])
        }
        Err(SendError::Refused(_)) => Ok(vec![]),
        Err(error) => Err(retry(&error)),
    }
}

/// Has a subscriber told that somebody else followed their link: once for each link and
/// person, however often they try. It is noted in the transaction that enqueues it.
async fn warn(app: &App, cause: &Cause, id: Uuid, person: PersonId, url: &str) -> Result<(), sqlx::Error> {
    let mut transaction = app.pool.begin().await?;
    let noted = sqlx::query!(
        "insert into link_misuses (subscription, link, person) values ($1, sha256(convert_to($2, 'UTF8')), $3) \
         on conflict do nothing",
        id,
        url,
        person.0,
    )
    .execute(&mut *transaction)
    .await?;
    if noted.rows_affected() == 0 {
        return Ok(());
    }
    let job = Job::TellSubscriber { subscription: id, user: None, notice: Notice::LinkMisused };
    let warning = NewJob { job, correlation: cause.correlation, causation: cause.causation.to_string() };
    jobs::enqueue(&mut transaction, &[warning]).await?;
    transaction.commit().await?;
    app.wake.up(Topic::Jobs);
    Ok(())
}

/// Answers a request to join. One that is gone or was answered is answered.
pub(crate) async fn answer(app: &App, seat: Seat, admit: bool) -> Result<Vec<Job>, JobError> {
    let telegram = call::in_channel(app, seat.channel).await?;
    let answered = match admit {
        true => telegram.approve(seat.channel, seat.user).await,
        false => telegram.decline(seat.channel, seat.user).await,
    };
    match answered {
        Ok(Settled::TooManyChannels) => {
            Err(JobError::Fail { reason: "they are in as many channels as Telegram allows".to_owned() })
        }
        Ok(_) => Ok(vec![]),
        Err(error) => Err(call::failed(app, seat.channel, &error).await),
    }
}

/// Works that somebody came or went.
pub(crate) async fn changed(app: &App, cause: &Cause, change: &MemberChange) -> Result<Vec<Job>, JobError> {
    let seat = Seat { channel: change.chat, user: change.person.id };
    let mut jobs = vec![];
    let followed = change.link.as_ref().and_then(|link| Some((link::named(link.name.as_deref())?, link)));
    let command = match change.new.is_in() {
        Some(true) => {
            // By a link that lets people in at once, this is the first that is heard of them.
            if let Some((subscription, link)) = followed.as_ref().filter(|(_, link)| !link.asks) {
                jobs.extend(tie(app, cause, *subscription, change.person.id, &link.url).await?);
            }
            let by = change.link.as_ref().filter(|_| followed.is_some()).and_then(|link| link.name.clone());
            member::Command::Join { link: by, at: change.at }
        }
        Some(false) if by_us(app, change).await? && !came_back(app, seat).await? => {
            member::Command::ConfirmRemoval { at: app.clock.now() }
        }
        Some(false) => member::Command::Leave { at: change.at },
        None => return Ok(jobs),
    };
    let came = matches!(command, member::Command::Join { .. });
    tell(app, cause, seat, command).await.map_err(|error| retry(&error))?;
    if came {
        jobs.extend(sync::came(app, seat, followed.map(|(subscription, _)| subscription)).await?);
    }
    Ok(jobs)
}

/// Whether the bot did it: who goes by themselves is not written to.
async fn by_us(app: &App, change: &MemberChange) -> Result<bool, JobError> {
    let telegram = call::telegram(app)?;
    let bot = app.bot.get_or_try_init(|| telegram.identity()).await.map_err(|error| JobError::retry(&error))?;
    Ok(change.by.id == bot.id)
}

/// Whether somebody whose removal is told late is in again.
async fn came_back(app: &App, seat: Seat) -> Result<bool, JobError> {
    match call::telegram(app)?.standing(seat.channel, seat.user).await {
        Ok(standing) => Ok(standing.is_in() == Some(true)),
        Err(error) => Err(call::failed(app, seat.channel, &error).await),
    }
}
