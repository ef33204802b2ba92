//! What time alone brings: access that runs out, and reminders of it.

use aggregates::{member, subscription};
use chrono::TimeDelta;
use projections::duties;

use super::notice::Notice;
use crate::{
    app::App,
    executor::Wish,
    jobs::{self, Job, NewJob},
    log::Cause,
    wake::Topic,
};

/// Looked at in one run.
const MOST: i64 = 500;

/// Ends what is over, and reminds of what is going to be. What fails is tried again
/// in the next run, and keeps nothing else waiting.
///
/// # Errors
/// What the database says.
pub(crate) async fn run(app: &App) -> Result<(), sqlx::Error> {
    let now = app.clock.now();
    let cause =
        || Cause { actor: "system".into(), correlation: app.clock.new_id(), causation: "timer:memberships".into() };
    for id in duties::to_lapse(&app.pool, now, MOST).await? {
        let command = subscription::Command::Lapse { at: now };
        let wish = Wish { command, cause: cause(), once: None, expected: None };
        if let Err(error) = app.subscriptions.send(&id.to_string(), wish).await {
            tracing::warn!(subscription = %id, error = &error as &dyn std::error::Error, "a subscription did not lapse");
        }
    }
    for seat in duties::members_to_lapse(&app.pool, now, MOST).await? {
        let wish = Wish { command: member::Command::Lapse { at: now }, cause: cause(), once: None, expected: None };
        if let Err(error) = app.members.send(&seat, wish).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "a membership did not lapse");
        }
    }
    remind(app).await
}

/// Reminds those whose access ends in three days, and in one. Each of the two is noted in
/// the transaction that enqueues it; for whom it is one day already, three are over.
async fn remind(app: &App) -> Result<(), sqlx::Error> {
    let now = app.clock.now();
    for days in [1_u8, 3] {
        let by = now + TimeDelta::days(days.into());
        for ending in duties::ending(&app.pool, now, by, days.into(), MOST).await? {
            let mut transaction = app.pool.begin().await?;
            let noted = sqlx::query!(
                "insert into reminders (subscription, ends_at, days) values ($1, $2, $3) on conflict do nothing",
                ending.id,
                ending.ends_at,
                i16::from(days),
            )
            .execute(&mut *transaction)
            .await?;
            if noted.rows_affected() == 0 {
                continue;
            }
            let notice = Notice::Reminder { days, until: ending.ends_at };
            let job = Job::TellSubscriber { subscription: ending.id, user: None, notice };
            let reminder = NewJob { job, correlation: app.clock.new_id(), causation: "timer:memberships".to_owned() };
            jobs::enqueue(&mut transaction, &[reminder]).await?;
            transaction.commit().await?;
            app.wake.up(Topic::Jobs);
        }
    }
    Ok(())
}
