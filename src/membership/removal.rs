//! Removing who should not be in, and nobody else.

use std::time::Duration;

use aggregates::member;
use chrono::{DateTime, Utc};

use super::{
    alert, call, retry,
    sync::{self, Seat},
    tell,
};
use crate::{
    app::App,
    integrations::telegram::channel::Remedy,
    jobs::{Job, JobError},
    log::Cause,
};

/// How long a removal is put off in dry-run mode, and when the cap is reached.
const DRY_RUN: Duration = Duration::from_secs(600);
const CAPPED: Duration = Duration::from_secs(300);

/// Removes somebody whose removal is due since `position`, unless it is not any more.
///
/// One call removes them and leaves no ban behind. When the process dies after the call, it
/// is made again: who came back meanwhile came back because they may, and then the
/// removal is not due any more.
///
/// Before it is decided, the member hears from each of their subscriptions what it says
/// now: who has just paid may be in, and nobody has told the member yet.
pub(crate) async fn remove(app: &App, cause: &Cause, seat: Seat, position: i64) -> Result<Vec<Job>, JobError> {
    let now = app.clock.now();
    let stream = member::stream(seat.channel, seat.user);
    let is_due = async || {
        app.members.look(&stream, |member, _, _| member.removal().is_some() && !member.should_be_in(now).is_in).await
    };
    if !is_due().await.map_err(|error| JobError::retry(&error))? {
        return Ok(vec![]);
    }
    let looked = app.members.look(&stream, |member, _, _| member.subscriptions().collect::<Vec<_>>()).await;
    let mut follow = vec![];
    for subscription in looked.map_err(|error| JobError::retry(&error))? {
        follow.extend(sync::sync(app, cause, subscription, Some(seat)).await?);
    }
    if !is_due().await.map_err(|error| JobError::retry(&error))? {
        return Ok(follow);
    }
    if app.config.membership.dry_run {
        app.metrics.removals.with_label_values(&["dry_run"]).inc();
        return Err(JobError::Later { reason: "dry run: would be removed".to_owned(), after: DRY_RUN });
    }
    let most = app.config.membership.removals_per_hour;
    if !slot(app, seat, position, now).await.map_err(|error| JobError::retry(&error))? {
        app.metrics.removals.with_label_values(&["capped"]).inc();
        let text = format!(
            "More than {most} people are to be removed from the channel {} within an hour. That is the most that is \
             done without you (REMOVALS_PER_HOUR); the others wait. Please look at /api/telegram/members whether \
             this is meant.",
            seat.channel,
        );
        alert::raise(app, &format!("removals:{}", seat.channel), &text)
            .await
            .map_err(|error| JobError::retry(&error))?;
        return Err(JobError::Later { reason: format!("more than {most} removals an hour"), after: CAPPED });
    }
    let command = match call::in_channel(app, seat.channel).await?.remove_member(seat.channel, seat.user).await {
        Ok(_) => {
            app.metrics.removals.with_label_values(&["removed"]).inc();
            member::Command::ConfirmRemoval { at: app.clock.now() }
        }
        Err(error) if error.remedy() == Remedy::None => {
            app.metrics.removals.with_label_values(&["refused"]).inc();
            let failed = member::Command::FailRemoval { error: error.to_string(), at: app.clock.now() };
            tell(app, cause, seat, failed).await.map_err(|error| retry(&error))?;
            return Err(JobError::fail(&error));
        }
        Err(error) => return Err(call::failed(app, seat.channel, &error).await),
    };
    tell(app, cause, seat, command).await.map_err(|error| retry(&error))?;
    Ok(follow)
}

/// Takes one of the removals that an hour has for a channel. The same removal takes one
/// place, however often it is tried.
async fn slot(app: &App, seat: Seat, position: i64, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let mut transaction = app.pool.begin().await?;
    // One at a time, or two processes could both take the last place.
    sqlx::query!("select pg_advisory_xact_lock('removals'::regclass::oid::int, hashint8($1))", seat.channel)
        .execute(&mut *transaction)
        .await?;
    let taken = sqlx::query!(
        "insert into removals (channel, position, at) \
         select $1, $2, $3::timestamptz \
          where exists (select from removals where channel = $1 and position = $2) \
             or (select count(*) from removals where channel = $1 and at > $3::timestamptz - interval '1 hour') < $4 \
         on conflict (channel, position) do update set at = removals.at",
        seat.channel,
        position,
        now,
        i64::from(app.config.membership.removals_per_hour),
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(taken.rows_affected() == 1)
}
