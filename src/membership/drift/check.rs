//! A comparison under way: how far it is, and what it found.

mod members;
mod subscriptions;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use uuid::Uuid;

use super::Kind;
use crate::{
    app::App,
    jobs::{self, Job, JobError, NewJob},
    log::Cause,
    membership::sync::Seat,
    wake::Topic,
};

/// Looked at in one query.
const PAGE: i64 = 200;
/// So many questions in a row without an answer, and it is tried again later from the
/// first of them: it is not about those people.
const SILENCE: u32 = 5;

/// Compares, and repairs if it may. Done again after it was broken off, it goes on where it was.
pub(crate) async fn check(
    app: &App,
    cause: &Cause,
    run: Uuid,
    repair: bool,
    strangers: bool,
) -> Result<Vec<Job>, JobError> {
    let Some(so_far) = begin(app, run).await.map_err(|error| JobError::retry(&error))? else { return Ok(vec![]) };
    let mut check = Check { app, cause, run, repair, strangers, so_far, unanswered: 0, follow: vec![] };
    check.members().await?;
    check.subscriptions().await?;
    check.save().await?;
    sqlx::query!("update drift_runs set finished_at = $2 where id = $1", run, app.clock.now())
        .execute(&app.pool)
        .await
        .map_err(|error| JobError::retry(&error))?;
    Ok(vec![])
}

/// How far a run is; none when it is so old that it is forgotten. What was found after
/// that is found again.
async fn begin(app: &App, run: Uuid) -> Result<Option<Progress>, sqlx::Error> {
    let known = sqlx::query_scalar!(
        r#"update drift_runs set finished_at = null, failure = null where id = $1
           returning progress as "progress: Json<Progress>""#,
        run
    )
    .fetch_optional(&app.pool)
    .await?;
    let Some(progress) = known else { return Ok(None) };
    let progress = progress.map(|progress| progress.0).unwrap_or_default();
    sqlx::query!("delete from drift_found where run = $1 and number > $2", run, progress.found)
        .execute(&app.pool)
        .await?;
    Ok(Some(progress))
}

/// How far a comparison is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Progress {
    /// The channel and the user Telegram was asked about last.
    member: Option<(i64, i64)>,
    /// How many are in each channel, of those who are known; none where it cannot be looked.
    inside: BTreeMap<i64, Option<u64>>,
    /// Whether everybody was asked about, and counted.
    counted: bool,
    /// The subscription Stripe was asked about last.
    subscription: Option<String>,
    members_checked: i64,
    subscriptions_checked: i64,
    /// The number of what was found last.
    found: i64,
}

/// A comparison under way.
struct Check<'a> {
    app: &'a App,
    cause: &'a Cause,
    run: Uuid,
    repair: bool,
    strangers: bool,
    so_far: Progress,
    /// Questions without an answer since the last one that had one.
    unanswered: u32,
    /// What else is to be done.
    follow: Vec<Job>,
}

impl Check<'_> {
    /// Keeps how far it is, with what follows from it, now that there was an answer.
    async fn answered(&mut self) -> Result<(), JobError> {
        self.unanswered = 0;
        self.save().await
    }

    /// There was none. One is no reason to keep the others waiting; many are.
    fn silent(&mut self, error: impl FnOnce() -> JobError) -> Result<(), JobError> {
        self.unanswered += 1;
        if self.unanswered < SILENCE { Ok(()) } else { Err(error()) }
    }

    async fn save(&mut self) -> Result<(), JobError> {
        let follow: Vec<NewJob> = std::mem::take(&mut self.follow)
            .into_iter()
            .map(|job| NewJob { job, correlation: self.cause.correlation, causation: format!("drift:{}", self.run) })
            .collect();
        let saved = async {
            let mut transaction = self.app.pool.begin().await?;
            sqlx::query!(
                "update drift_runs set progress = $2, members_checked = $3, subscriptions_checked = $4 where id = $1",
                self.run,
                Json(&self.so_far) as _,
                self.so_far.members_checked,
                self.so_far.subscriptions_checked,
            )
            .execute(&mut *transaction)
            .await?;
            jobs::enqueue(&mut transaction, &follow).await?;
            transaction.commit().await
        };
        saved.await.map_err(|error| JobError::retry(&error))?;
        if !follow.is_empty() {
            self.app.wake.up(Topic::Jobs);
        }
        Ok(())
    }

    async fn note(
        &mut self,
        kind: Kind,
        seat: Option<Seat>,
        subscription: Option<Uuid>,
        detail: &str,
        repaired: bool,
    ) -> Result<(), JobError> {
        self.so_far.found += 1;
        sqlx::query!(
            "insert into drift_found (run, number, kind, channel, telegram_id, subscription, detail, repaired) \
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
            self.run,
            self.so_far.found,
            kind.as_str(),
            seat.map(|seat| seat.channel),
            seat.map(|seat| seat.user).filter(|user| *user != 0),
            subscription,
            detail,
            repaired,
        )
        .execute(&self.app.pool)
        .await
        .map(drop)
        .map_err(|error| JobError::retry(&error))
    }
}
