//! The reconciler: compares Stripe, what is known here, and the channels.
//!
//! It takes no input but whether it may repair: it reads what should be so and what is
//! so, and makes them equal by the same commands that webhooks send. Telegram does not
//! list the members of a channel, so it asks for each person who is known, and counts
//! the others. Whoever cannot be asked about is reported, and the next one is; how far it
//! is stands with the run, so that one that is broken off goes on where it was.

use std::{collections::BTreeMap, time::Duration};

use aggregates::{
    member,
    subscription::{Contract, stripe_subscription_stream},
};
use chrono::{DateTime, Utc};
use projections::duties;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgConnection, types::Json};
use uuid::Uuid;

use super::{
    call, retry,
    sync::{self, Seat},
    tell,
};
use crate::{
    app::App,
    integrations::{
        stripe::{StripeError, object::Subscription},
        telegram::channel::{ChannelError, Remedy},
    },
    jobs::{self, Job, JobError, NewJob},
    log::Cause,
    stripe,
    wake::Topic,
};

/// Between two questions to Telegram: it answers about 30 a second, and people who
/// write to the bot go before this.
const PAUSE: Duration = Duration::from_millis(100);
/// Looked at in one query.
const PAGE: i64 = 200;
/// So many questions in a row without an answer, and it is tried again later from the
/// first of them: it is not about those people.
const SILENCE: u32 = 5;
/// How long it waits when Stripe asks for it and does not say how long.
const BUSY: Duration = Duration::from_secs(5);

/// What does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Somebody is in who should not be.
    InAndShouldNotBe,
    /// Somebody is not in who was, and may be.
    OutAndMayBeIn,
    /// Telegram says otherwise than is known here about whether somebody is in.
    PresenceDiffers,
    /// More are in the channel than are known here.
    Strangers,
    /// The bot may not look: it is not in the channel, or lacks a right there.
    CannotLook,
    /// Telegram or Stripe was asked and gave no answer that is one.
    NotAnswered,
    /// Stripe says otherwise than is known here about a subscription.
    StripeDiffers,
    /// Stripe does not know the subscription.
    MissingAtStripe,
}

impl Kind {
    /// The word stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InAndShouldNotBe => "in_and_should_not_be",
            Self::OutAndMayBeIn => "out_and_may_be_in",
            Self::PresenceDiffers => "presence_differs",
            Self::Strangers => "strangers",
            Self::CannotLook => "cannot_look",
            Self::NotAnswered => "not_answered",
            Self::StripeDiffers => "stripe_differs",
            Self::MissingAtStripe => "missing_at_stripe",
        }
    }
}

/// Something that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Found {
    /// See [`Kind::as_str`].
    pub kind: String,
    /// In which channel.
    pub channel: Option<i64>,
    /// Whom it concerns.
    pub telegram_id: Option<i64>,
    /// Which subscription.
    pub subscription: Option<Uuid>,
    /// In words.
    pub detail: String,
    /// Whether something was done about it.
    pub repaired: bool,
}

/// A comparison.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Run {
    /// Its id.
    pub id: Uuid,
    /// Whether it was to repair what it found.
    pub repair: bool,
    /// Whether those of whom nothing is known were to be removed, too.
    pub strangers: bool,
    /// When it was asked for.
    pub started_at: DateTime<Utc>,
    /// When it was done, or given up; none: it is under way.
    pub finished_at: Option<DateTime<Utc>>,
    /// Why it was given up.
    pub failure: Option<String>,
    /// People Telegram was asked about.
    pub members_checked: i64,
    /// Subscriptions Stripe was asked about.
    pub subscriptions_checked: i64,
}

/// Asks for a comparison; answers its id. One that is under way and does as much is it.
/// With `strangers`, a repair also removes those of whom nothing is known but that they
/// are in: whoever runs the channel may have let them in.
///
/// # Errors
/// What the database says.
pub async fn ask(app: &App, repair: bool, strangers: bool, correlation: Uuid) -> Result<Uuid, sqlx::Error> {
    let mut transaction = app.pool.begin().await?;
    sqlx::query!("select pg_advisory_xact_lock('drift_runs'::regclass::oid::int, 0)")
        .execute(&mut *transaction)
        .await?;
    give_up(&mut transaction, app.clock.now()).await?;
    let running = sqlx::query_scalar!(
        "select id from drift_runs where finished_at is null and repair >= $1 and strangers >= $2 \
          order by started_at limit 1",
        repair,
        strangers,
    )
    .fetch_optional(&mut *transaction)
    .await?;
    if let Some(running) = running {
        transaction.commit().await?;
        return Ok(running);
    }
    let (id, now) = (app.clock.new_id(), app.clock.now());
    sqlx::query!(
        "insert into drift_runs (id, repair, strangers, started_at) values ($1, $2, $3, $4)",
        id,
        repair,
        strangers,
        now,
    )
    .execute(&mut *transaction)
    .await?;
    // The last fifty are kept.
    sqlx::query!("delete from drift_runs where id in (select id from drift_runs order by started_at desc offset 50)")
        .execute(&mut *transaction)
        .await?;
    let job = Job::CheckDrift { run: id, repair, strangers };
    let job = NewJob { job, correlation, causation: format!("drift:{id}") };
    jobs::enqueue(&mut transaction, &[job]).await?;
    transaction.commit().await?;
    app.wake.up(Topic::Jobs);
    Ok(id)
}

/// Ends the comparisons that nobody works any more: their job is dead, or gone.
async fn give_up(connection: &mut PgConnection, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update drift_runs r set finished_at = $1, failure = coalesce( \
             (select last_error from jobs where kind = 'check_drift' and payload->>'run' = r.id::text \
               order by id desc limit 1), 'its job is gone') \
          where finished_at is null and not exists \
             (select from jobs where kind = 'check_drift' and dead_at is null and payload->>'run' = r.id::text)",
        now,
    )
    .execute(connection)
    .await
    .map(drop)
}

/// The last comparison that was asked for, or the one of this id.
///
/// # Errors
/// What the database says.
pub async fn run_of(app: &App, id: Option<Uuid>) -> Result<Option<Run>, sqlx::Error> {
    let mut connection = app.pool.acquire().await?;
    give_up(&mut connection, app.clock.now()).await?;
    sqlx::query_as!(
        Run,
        "select id, repair, strangers, started_at, finished_at, failure, members_checked, subscriptions_checked from drift_runs \
          where $1::uuid is null or id = $1 order by started_at desc limit 1",
        id,
    )
    .fetch_optional(&mut *connection)
    .await
}

/// What a comparison found, after the `after`th.
///
/// # Errors
/// What the database says.
pub async fn found(app: &App, run: Uuid, after: i64, limit: i64) -> Result<Vec<(i64, Found)>, sqlx::Error> {
    let rows = sqlx::query!(
        "select number, kind, channel, telegram_id, subscription, detail, repaired from drift_found \
          where run = $1 and number > $2 order by number limit $3",
        run,
        after,
        limit,
    )
    .fetch_all(&app.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let found = Found {
                kind: row.kind,
                channel: row.channel,
                telegram_id: row.telegram_id,
                subscription: row.subscription,
                detail: row.detail,
                repaired: row.repaired,
            };
            (row.number, found)
        })
        .collect())
}

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
    /// Everybody of whom something is known, and how many others there are. A channel in
    /// which the bot may not look is reported, and keeps the others waiting no longer.
    async fn members(&mut self) -> Result<(), JobError> {
        let Some(telegram) = self.app.telegram.as_ref().filter(|_| !self.so_far.counted) else { return Ok(()) };
        loop {
            let page = duties::members_after(&self.app.pool, self.so_far.member, PAGE).await;
            let page = page.map_err(|error| JobError::retry(&error))?;
            if page.is_empty() {
                break;
            }
            for (channel, user) in page {
                self.so_far.member = Some((channel, user));
                if let Some(None) = self.so_far.inside.get(&channel) {
                    continue;
                }
                let seat = Seat { channel, user };
                if let Some(standing) = self.looked(seat, telegram.standing(channel, user).await).await? {
                    self.so_far.members_checked += 1;
                    // It has said so of people who were in a moment later.
                    if let Some(is_in) = standing.is_in() {
                        let known = self.so_far.inside.entry(channel).or_insert(Some(0));
                        *known = known.map(|known| known + u64::from(is_in));
                        self.member(seat, is_in).await?;
                    }
                    self.answered().await?;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        for (channel, known) in self.so_far.inside.clone() {
            let (Some(known), seat) = (known, Seat { channel, user: 0 }) else { continue };
            let Some(count) = self.looked(seat, telegram.member_count(channel).await).await? else { continue };
            // The owner and the bot are counted, too.
            let strangers = count.saturating_sub(known).saturating_sub(2);
            if strangers > 0 {
                let detail = format!(
                    "about {strangers} of {count} members came before the bot or by other links; nobody of them is \
                     ever removed by itself"
                );
                self.note(Kind::Strangers, Some(seat), None, &detail, false).await?;
            }
        }
        self.so_far.counted = true;
        self.answered().await
    }

    /// What Telegram showed; none where the bot may not look, or Telegram does not say,
    /// which is reported.
    async fn looked<T>(&mut self, seat: Seat, answer: Result<T, ChannelError>) -> Result<Option<T>, JobError> {
        let error = match answer {
            Ok(shown) => return Ok(Some(shown)),
            Err(error) => error,
        };
        let everybody = Some(Seat { user: 0, ..seat });
        match error.remedy() {
            Remedy::Wait(_) => return Err(call::failed(self.app, seat.channel, &error).await),
            Remedy::Rights | Remedy::Readdress(_) => {
                self.so_far.inside.insert(seat.channel, None);
                self.note(Kind::CannotLook, everybody, None, &error.to_string(), false).await?;
            }
            Remedy::None => self.note(Kind::NotAnswered, Some(seat), None, &error.to_string(), false).await?,
            Remedy::Retry => {
                self.note(Kind::NotAnswered, Some(seat), None, &error.to_string(), false).await?;
                self.silent(|| JobError::retry(&error))?;
            }
        }
        Ok(None)
    }

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

    async fn member(&mut self, seat: Seat, is_in: bool) -> Result<(), JobError> {
        let now = self.app.clock.now();
        let stream = member::stream(seat.channel, seat.user);
        let looked = self.app.members.look(&stream, |member, _, position| {
            (
                member.is_in(),
                member.should_be_in(now),
                member.removal().map(|_| position),
                member.has_been_in(),
                member.is_stranger(),
            )
        });
        let (known_in, verdict, removal, came, stranger) = looked.await.map_err(|error| JobError::retry(&error))?;
        if known_in != is_in {
            let detail = format!("is {} the channel, and was taken to be {}", place(is_in), place(known_in));
            let command = match is_in {
                true => member::Command::Join { link: None, at: now },
                false => member::Command::Leave { at: now },
            };
            let repaired = self.mend(seat, command).await?;
            if repaired && is_in {
                self.follow.extend(sync::came(self.app, seat, None).await?);
            }
            self.note(Kind::PresenceDiffers, Some(seat), verdict.subscription, &detail, repaired).await?;
        }
        match (is_in, verdict.is_in) {
            (true, false) => {
                let due = match (removal, stranger) {
                    (Some(_), _) => ", and is about to be removed",
                    (None, true) => "; whoever runs the channel may have let them in",
                    (None, false) => "",
                };
                let detail = format!("is in the channel: {}{due}", verdict.rule.as_str());
                let repaired = match removal {
                    Some(due) => self.remove_again(seat, due).await?,
                    None => {
                        self.mend(seat, member::Command::PlanRemoval { strangers: self.strangers, at: now }).await?
                    }
                };
                self.note(Kind::InAndShouldNotBe, Some(seat), verdict.subscription, &detail, repaired).await
            }
            // Who was invited and has not come yet is as they should be.
            (false, true) if came => {
                let detail = format!("is not in the channel and may be: {}", verdict.rule.as_str());
                let repaired = match verdict.subscription.filter(|_| self.repair) {
                    Some(subscription) => self.invite(subscription).await?,
                    None => false,
                };
                self.note(Kind::OutAndMayBeIn, Some(seat), verdict.subscription, &detail, repaired).await
            }
            _ => Ok(()),
        }
    }

    /// Has a link made for who has none; answers whether it is. Who has one can use it, and
    /// nothing else brings them in.
    async fn invite(&mut self, subscription: Uuid) -> Result<bool, JobError> {
        let stream = subscription.to_string();
        let looked = self.app.subscriptions.look(&stream, |subscription, _, _| subscription.link().is_some());
        let invited = looked.await.map_err(|error| JobError::retry(&error))?;
        if !invited {
            self.follow.push(Job::SyncSubscription { subscription, left: None });
        }
        Ok(!invited)
    }

    /// Has somebody removed whose removal is due and who is in all the same, if nobody is
    /// at it: the job that was to do it may be dead. Answers whether it will be done again.
    async fn remove_again(&mut self, seat: Seat, due: i64) -> Result<bool, JobError> {
        let job = Job::RemoveMember { seat, due };
        let waiting = jobs::is_waiting(&self.app.pool, &job).await.map_err(|error| JobError::retry(&error))?;
        if waiting || !self.repair {
            return Ok(false);
        }
        self.follow.push(job);
        Ok(true)
    }

    /// Every subscription at Stripe that may still change.
    async fn subscriptions(&mut self) -> Result<(), JobError> {
        let Some(stripe) = &self.app.stripe else { return Ok(()) };
        loop {
            let page = duties::at_stripe(&self.app.pool, self.so_far.subscription.as_deref(), PAGE).await;
            let page = page.map_err(|error| JobError::retry(&error))?;
            if page.is_empty() {
                break;
            }
            for id in page {
                self.so_far.subscription = Some(id.clone());
                let stream = stripe_subscription_stream(&id);
                let asked_at = stripe::asked_at(self.app).await?;
                match stripe.subscription(&id).await {
                    Ok(object) => self.subscription(stream, object, asked_at).await?,
                    Err(StripeError::Missing { .. }) => {
                        self.note(Kind::MissingAtStripe, None, Some(stream), "is not known at Stripe", false).await?;
                    }
                    Err(error @ StripeError::Unauthorized { .. }) => return Err(error.into()),
                    Err(ref error @ StripeError::Busy { after, .. }) => {
                        let after = after.unwrap_or(BUSY);
                        return Err(JobError::Later { reason: error.to_string(), after });
                    }
                    Err(error) => {
                        self.note(Kind::NotAnswered, None, Some(stream), &error.to_string(), false).await?;
                        if error.is_transient() {
                            self.silent(|| error.into())?;
                        }
                        continue;
                    }
                }
                self.so_far.subscriptions_checked += 1;
                self.answered().await?;
            }
        }
        Ok(())
    }

    /// One subscription, as Stripe shows it.
    async fn subscription(
        &mut self,
        stream: Uuid,
        object: Subscription,
        asked_at: DateTime<Utc>,
    ) -> Result<(), JobError> {
        let known = self
            .app
            .subscriptions
            .look(&stream.to_string(), |subscription, _, _| subscription.latest().map(|latest| latest.contract.clone()))
            .await;
        let known = known.map_err(|error| JobError::retry(&error))?;
        let is = stripe::contract(self.app, &object).await?;
        if known.as_ref() == Some(&is) {
            return Ok(());
        }
        let mut detail = differs(known.as_ref(), &is);
        let repaired = match self.repair {
            true => match stripe::take_in(self.app, self.cause, object, asked_at).await {
                Ok(()) => true,
                Err(error @ JobError::Later { .. }) => return Err(error),
                Err(error) => {
                    detail = format!("{detail}; it could not be taken in: {error}");
                    false
                }
            },
            false => false,
        };
        self.note(Kind::StripeDiffers, None, Some(stream), &detail, repaired).await
    }

    /// Sends what repairs something, if that is wished; answers whether anything came of it.
    async fn mend(&self, seat: Seat, command: member::Command) -> Result<bool, JobError> {
        if !self.repair {
            return Ok(false);
        }
        let done = tell(self.app, self.cause, seat, command).await.map_err(|error| retry(&error))?;
        Ok(!done.events.is_empty())
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

/// In what a subscription is otherwise at Stripe than it was taken to be.
fn differs(known: Option<&Contract>, is: &Contract) -> String {
    let Some(known) = known else { return format!("is {:?} at Stripe, and nothing was known here", is.status) };
    if known.status != is.status {
        return format!("is {:?} at Stripe, and {:?} was known here", is.status, known.status);
    }
    let parts = [
        ("the plan", known.plan != is.plan),
        ("what is sold", known.items != is.items),
        ("the discounts", known.discounts != is.discounts),
        ("the period", known.period != is.period),
        ("its end", known.ends_at() != is.ends_at() || known.ended_at != is.ended_at),
    ];
    let parts: Vec<&str> = parts.into_iter().filter(|(_, other)| *other).map(|(part, _)| part).collect();
    let parts = if parts.is_empty() { "a detail".to_owned() } else { parts.join(", ") };
    format!("is {:?}, as it was known here, but not the same: {parts}", is.status)
}

const fn place(is_in: bool) -> &'static str {
    if is_in { "in" } else { "out of" }
}
