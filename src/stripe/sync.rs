//! Catching up with Stripe: what it told us in vain, and what there was before us.
//!
//! Stripe tries to deliver an event for three days and lists it for thirty. So the list
//! is walked from a little before the last event that was seen there: each event is kept
//! like a webhook, once, and worked by its job. The first time, and after more than
//! thirty days, the subscriptions and invoices themselves are taken in.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, TryStreamExt, stream, stream::TryChunksError};
use sqlx::FromRow;

use super::{
    Observation, Observed, Source, apply, asked_at,
    inbox::{Incoming, KeepError},
    take_in,
};
use crate::{
    app::App,
    integrations::stripe::{
        Created, Listed, Stripe, StripeError,
        object::{Invoice, InvoiceStatus},
    },
    jobs::JobError,
    log::Cause,
    stripe::{Hint, hint::InvoiceChange},
};

/// How long Stripe lists events.
const LISTED: TimeDelta = TimeDelta::days(30);
/// Walked again each time: events of one second come in any order, and clocks differ.
const OVERLAP: TimeDelta = TimeDelta::hours(1);

/// Worked together: as many as Stripe lists on a page.
const PAGE: usize = 100;
/// Objects of a page that are taken in at the same time.
const TOGETHER: usize = 8;

use List::{Invoices, Subscriptions};

/// How far a catch-up is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Subscriptions taken in.
    pub subscriptions: u64,
    /// Invoices taken in.
    pub invoices: u64,
    /// Events listed.
    pub events: u64,
    /// Those of them that had not come here.
    pub missed: u64,
    /// Objects that could not be read; they are named in the log.
    pub unreadable: u64,
}

/// Why catching up ended before its end; the next one begins where this one did.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// There is no key for Stripe's API.
    #[error("no STRIPE_SECRET_KEY is set")]
    NoKey,
    /// Stripe could not be asked.
    #[error("Stripe could not be asked")]
    Stripe(#[from] StripeError),
    /// What was found could not be taken in.
    #[error("what was found could not be taken in")]
    Job(#[from] JobError),
    /// An event could not be kept.
    #[error("an event could not be kept")]
    Keep(#[from] KeepError),
    /// The database said no.
    #[error("{operation} failed")]
    Database {
        /// What was tried.
        operation: &'static str,
        /// What the database said.
        source: sqlx::Error,
    },
}

fn database(operation: &'static str) -> impl Fn(sqlx::Error) -> SyncError {
    move |source| SyncError::Database { operation, source }
}

/// Catches up; tells `progress` after each object, or page of them. `everything` takes in
/// all subscriptions and invoices again, as the first time does. Safe to repeat, and to break
/// off: an import goes on where it was.
///
/// # Errors
/// [`SyncError`].
pub async fn sync(app: &App, everything: bool, mut progress: impl FnMut(Progress)) -> Result<Progress, SyncError> {
    let stripe = app.stripe.as_ref().ok_or(SyncError::NoKey)?;
    let began = app.clock.now();
    let last = sqlx::query_scalar!("select caught_up_to from stripe_sync").fetch_optional(&app.pool).await;
    let last = last.map_err(database("read how far it was caught up"))?;
    let mut so_far = Progress::default();
    let since = match last {
        Some(last) if !everything && began - last < LISTED => last,
        _ => import(app, stripe, began, &mut so_far, &mut progress).await? - LISTED,
    };
    let created = Created { since: Some(since - OVERLAP), until: None };
    let mut pages = std::pin::pin!(stripe.events(created).try_chunks(PAGE));
    while let Some(page) = pages.try_next().await.map_err(|TryChunksError(_, error)| error)? {
        let ids: Vec<&str> = page.iter().map(|event| event.id.as_str()).collect();
        let known: Vec<String> = sqlx::query_scalar("select id from stripe_events where id = any ($1)")
            .bind(&ids)
            .fetch_all(&app.pool)
            .await
            .map_err(database("look for events"))?;
        so_far.events += page.len() as u64;
        for event in page.iter().filter(|event| !known.contains(&event.id)) {
            so_far.missed += 1;
            let incoming = Incoming {
                body: event.json.to_string().into(),
                received_at: app.clock.now(),
                correlation: app.clock.new_id(),
            };
            app.stripe_inbox.keep(incoming).await?;
        }
        progress(so_far);
    }
    sqlx::query!(
        "insert into stripe_sync (only_one, caught_up_to) values (true, $1) \
         on conflict (only_one) do update set caught_up_to = greatest(stripe_sync.caught_up_to, $1)",
        began,
    )
    .execute(&app.pool)
    .await
    .map_err(database("note how far it is caught up"))?;
    Ok(so_far)
}

/// Takes in all subscriptions and invoices there are; answers when that began. One that was
/// broken off goes on after the last page that was taken in, unless it is so old that Stripe
/// does not list any more what happened since it began.
async fn import(
    app: &App,
    stripe: &Stripe,
    now: DateTime<Utc>,
    so_far: &mut Progress,
    progress: &mut impl FnMut(Progress),
) -> Result<DateTime<Utc>, SyncError> {
    let cause = Cause { actor: "system".into(), correlation: app.clock.new_id(), causation: "stripe-sync".into() };
    let (subscriptions, invoices) = stand(app, now).await?;
    let began = subscriptions.began_at;
    so_far.subscriptions = u64::try_from(subscriptions.taken).unwrap_or_default();
    so_far.invoices = u64::try_from(invoices.taken).unwrap_or_default();
    so_far.unreadable = u64::try_from(subscriptions.unreadable + invoices.unreadable).unwrap_or_default();
    progress(*so_far);

    if subscriptions.done_at.is_none() {
        let listed = stripe.subscriptions(Created::default(), subscriptions.after_id);
        let mut pages = std::pin::pin!(listed.try_chunks(PAGE));
        loop {
            // Before the page is asked for: what a webhook brings meanwhile is newer.
            let asked_at = asked_at(app).await?;
            let Some(page) = pages.try_next().await.map_err(|TryChunksError(_, error)| error)? else { break };
            let last = page.last().map(|last| last.id.clone());
            let taken = page.into_iter().map(|Listed { id, object, .. }| async {
                let taken = match object {
                    Ok(object) => take_in(app, &cause, object, asked_at).await,
                    Err(error) => Err(error.into()),
                };
                (id, taken)
            });
            let page = count(taken, &mut so_far.subscriptions, &mut so_far.unreadable).await?;
            note(app, Subscriptions, last, page).await?;
            progress(*so_far);
        }
        done(app, Subscriptions, now).await?;
    }
    if invoices.done_at.is_none() {
        let listed = stripe.invoices(Created::default(), None, invoices.after_id);
        let mut pages = std::pin::pin!(listed.try_chunks(PAGE));
        loop {
            let asked_at = asked_at(app).await?;
            let Some(page) = pages.try_next().await.map_err(|TryChunksError(_, error)| error)? else { break };
            // A draft may be deleted, and nothing is listed after what is not there.
            let lasts = |listed: &&Listed<Invoice>| {
                !listed.object.as_ref().is_ok_and(|invoice| invoice.status == InvoiceStatus::Draft)
            };
            let last = page.iter().rfind(lasts).map(|last| last.id.clone());
            let taken = page.into_iter().map(|Listed { id, object, .. }| async {
                let taken = match object {
                    Ok(object) => invoice(app, &cause, object, asked_at).await,
                    Err(error) => Err(error.into()),
                };
                (id, taken)
            });
            let page = count(taken, &mut so_far.invoices, &mut so_far.unreadable).await?;
            note(app, Invoices, last, page).await?;
            progress(*so_far);
        }
        done(app, Invoices, now).await?;
    }
    Ok(began)
}

/// What is imported.
#[derive(Debug, Clone, Copy)]
enum List {
    Subscriptions,
    Invoices,
}

impl List {
    const fn as_str(self) -> &'static str {
        match self {
            Subscriptions => "subscriptions",
            Invoices => "invoices",
        }
    }
}

/// How far the import of a list is.
#[derive(Debug, FromRow)]
struct Standing {
    began_at: DateTime<Utc>,
    /// The last that was taken in, newest first.
    after_id: Option<String>,
    taken: i64,
    unreadable: i64,
    done_at: Option<DateTime<Utc>>,
}

/// How far the import is that was broken off; or else a new one begins.
async fn stand(app: &App, now: DateTime<Utc>) -> Result<(Standing, Standing), SyncError> {
    let mut transaction = app.pool.begin().await.map_err(database("begin to import"))?;
    sqlx::query(
        "delete from stripe_import \
          where began_at < $1 or not exists (select from stripe_import other where other.done_at is null)",
    )
    .bind(now - LISTED)
    .execute(&mut *transaction)
    .await
    .map_err(database("begin to import"))?;
    sqlx::query("insert into stripe_import (list, began_at) select unnest($1::text[]), $2 on conflict do nothing")
        .bind([Subscriptions, Invoices].map(List::as_str))
        .bind(now)
        .execute(&mut *transaction)
        .await
        .map_err(database("begin to import"))?;
    let standing: Vec<Standing> =
        sqlx::query_as("select began_at, after_id, taken, unreadable, done_at from stripe_import order by list desc")
            .fetch_all(&mut *transaction)
            .await
            .map_err(database("read how far the import is"))?;
    transaction.commit().await.map_err(database("begin to import"))?;
    let mut standing = standing.into_iter();
    // "subscriptions", then "invoices"; both were made sure of.
    standing.next().zip(standing.next()).ok_or_else(|| database("read how far the import is")(sqlx::Error::RowNotFound))
}

/// Notes that a page was taken in.
async fn note(app: &App, list: List, last: Option<String>, page: Page) -> Result<(), SyncError> {
    sqlx::query(
        "update stripe_import set after_id = coalesce($2, after_id), taken = taken + $3, unreadable = unreadable + $4 \
          where list = $1 and done_at is null",
    )
    .bind(list.as_str())
    .bind(last)
    .bind(page.good)
    .bind(page.unreadable)
    .execute(&app.pool)
    .await
    .map(drop)
    .map_err(database("note how far the import is"))
}

/// Notes that a list was taken in.
async fn done(app: &App, list: List, now: DateTime<Utc>) -> Result<(), SyncError> {
    sqlx::query("update stripe_import set done_at = $2 where list = $1")
        .bind(list.as_str())
        .bind(now)
        .execute(&app.pool)
        .await
        .map(drop)
        .map_err(database("note how far the import is"))
}

/// What came of a page.
#[derive(Debug, Clone, Copy, Default)]
struct Page {
    good: i64,
    unreadable: i64,
}

/// Takes in the objects of a page, some at a time, and counts them. One that will never be
/// taken in is named in the log and keeps nothing else from being.
async fn count(
    taken: impl Iterator<Item = impl Future<Output = (String, Result<(), JobError>)>>,
    good: &mut u64,
    unreadable: &mut u64,
) -> Result<Page, JobError> {
    let mut page = Page::default();
    let mut taken = std::pin::pin!(stream::iter(taken).buffer_unordered(TOGETHER));
    while let Some((id, taken)) = taken.next().await {
        match taken {
            Ok(()) => page.good += 1,
            Err(error @ JobError::Fail { .. }) => {
                tracing::warn!(id, error = &error as &dyn std::error::Error, "not imported");
                page.unreadable += 1;
            }
            Err(error) => return Err(error),
        }
    }
    *good += u64::try_from(page.good).unwrap_or_default();
    *unreadable += u64::try_from(page.unreadable).unwrap_or_default();
    Ok(page)
}

/// An invoice of the past: paid, or tried in vain.
async fn invoice(app: &App, cause: &Cause, object: Invoice, asked_at: DateTime<Utc>) -> Result<(), JobError> {
    let change = match object.status {
        InvoiceStatus::Paid => InvoiceChange::Paid,
        InvoiceStatus::Open if object.attempt_count > 0 => InvoiceChange::PaymentFailed,
        _ => return Ok(()),
    };
    let observed = Observed {
        event: String::new(),
        at: asked_at,
        hint: Hint::Invoice { id: object.id.clone().unwrap_or_default(), change },
        source: Source::Fetched(asked_at),
        object: Observation::Invoice(object.into()),
        told: None,
    };
    apply::money(app, cause, &observed).await
}
