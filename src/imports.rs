//! Unique codes from elsewhere: one table at a time in the whole installation.
//!
//! Whether a code is new is told by the read model `coupons`, by the log as far as
//! that does not show it yet, and by the streams of shared codes. Two tables that
//! were judged side by side could both have the same code, and the second batch
//! would have codes that do not exist. So an import holds a lock from its first look
//! to its append.

use std::collections::{HashMap, HashSet};

use aggregates::{
    Campaign, CodeKey, CodeText, Fact, UniqueCode,
    campaign::{Command, Event, Refusal},
};
use projections::coupons;
use sqlx::{PgPool, Postgres, Transaction};
use tokio::time::{Duration, Instant, sleep};
use uuid::Uuid;

use crate::{
    app::App,
    coupons::holder,
    executor::{Done, SendError, Wish},
    log::{Cause, LogError, Once},
};

/// How long an import waits for the one before it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest rest between two looks at the lock.
const REST: Duration = Duration::from_millis(100);

/// Codes, each with its line in the table, from 1.
type Codes = Vec<(u32, CodeText)>;

/// Lines of the table that are left out, from 1, and why.
type LeftOut = Vec<(u32, String)>;

/// A table that was taken in.
pub(crate) struct Import {
    /// What came of it; none when no line had a new code.
    pub(crate) done: Option<Done<Campaign>>,
    /// The lines that were left out.
    pub(crate) skipped: LeftOut,
}

/// Why a table was not taken in, or a code could not be compared with those that were.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportError {
    /// The campaign says no, or could not be asked.
    #[error(transparent)]
    Campaign(#[from] SendError<Refusal>),
    /// The database said no.
    #[error("{operation} failed")]
    Database {
        /// What was tried.
        operation: &'static str,
        /// What the database said.
        source: sqlx::Error,
    },
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Other imports took all the time there was.
    #[error("another import is under way")]
    Busy,
}

fn database(operation: &'static str) -> impl Fn(sqlx::Error) -> ImportError {
    move |source| ImportError::Database { operation, source }
}

/// Takes the codes of a table into a campaign, all but those that cannot be one
/// or are somebody's already. Under the same key the same table gets the same
/// answer.
///
/// # Errors
/// [`ImportError`].
pub(crate) async fn import(
    app: &App,
    campaign: Uuid,
    table: &str,
    cause: Cause,
    once: Option<Once>,
) -> Result<Import, ImportError> {
    let stream = campaign.to_string();
    let key = app.code_key().await.map_err(database("read the key"))?;
    let (codes, mut skipped) = read(table, key);
    let mut lock = lock(&app.pool).await?;
    if let Some(once) = &once
        && let Some(done) = app.campaigns.answered(once).await?
    {
        let taken: HashSet<CodeText> = imported(&done).into_iter().flatten().cloned().collect();
        leave_out(codes, &mut skipped, |code| !taken.contains(code));
        return Ok(Import { done: Some(done), skipped });
    }
    // Before a number is spent on it.
    let may = app.campaigns.look(&stream, |campaign, _, _| campaign.may_be_given(1, Command::IMPORTED)).await?;
    may.map_err(SendError::Refused)?;
    let known = known(app, &mut lock, &codes).await?;
    let codes = leave_out(codes, &mut skipped, |code| known.contains(code.as_str()));
    if codes.is_empty() {
        return Ok(Import { done: None, skipped });
    }
    let number: i32 = sqlx::query_scalar!(r#"select nextval('code_batches')::int as "number!""#)
        .fetch_one(&mut *lock)
        .await
        .map_err(database("number the batch"))?;
    let command = Command::Import { batch: number as u32, codes, at: app.clock.now() };
    let done = app.campaigns.send(&stream, Wish { command, cause, once, expected: None }).await?;
    // Held until here: the next import looks when this one is in the log.
    drop(lock);
    Ok(Import { done: Some(done), skipped })
}

/// The codes that an import took in.
fn imported(done: &Done<Campaign>) -> Option<&[CodeText]> {
    done.events.iter().find_map(|event| match event {
        Event::BatchImported { codes, .. } => Some(codes.as_slice()),
        _ => None,
    })
}

/// The campaign for which a code was imported. Whoever holds the code as a shared
/// one by now is seen by every import that begins later.
///
/// # Errors
/// [`ImportError`].
pub(crate) async fn importer(app: &App, code: &CodeText) -> Result<Option<Uuid>, ImportError> {
    // Those that were under way when the code was claimed may not have seen it.
    ended(&app.pool).await?;
    if let Some(campaign) = unseen(app).await?.remove(code.as_str()) {
        return Ok(Some(campaign));
    }
    let found = coupons::imported(&app.pool, code.as_str()).await.map_err(database("look a code up"))?;
    Ok(found.map(|(campaign, _)| campaign))
}

/// Lets one import at a time go on. The lock is the transaction's, so it works
/// behind a pooler and ends with the process. It is asked for again and again and
/// not waited for in the database: that would keep a connection each.
async fn lock(pool: &PgPool) -> Result<Transaction<'static, Postgres>, ImportError> {
    let failed = database("wait for other imports");
    let mut wait = Wait::default();
    loop {
        let mut transaction = pool.begin().await.map_err(&failed)?;
        let taken = sqlx::query_scalar!(
            r#"select pg_try_advisory_xact_lock('code_batches'::regclass::oid::int, 0) as "taken!""#
        )
        .fetch_one(&mut *transaction)
        .await
        .map_err(&failed)?;
        if taken {
            return Ok(transaction);
        }
        drop(transaction);
        wait.more().await?;
    }
}

/// Waits until all imports that are under way have ended.
async fn ended(pool: &PgPool) -> Result<(), ImportError> {
    let mut wait = Wait::default();
    loop {
        let none = sqlx::query_scalar!(
            r#"select pg_try_advisory_xact_lock_shared('code_batches'::regclass::oid::int, 0) as "none!""#
        )
        .fetch_one(pool)
        .await
        .map_err(database("wait for imports"))?;
        if none {
            return Ok(());
        }
        wait.more().await?;
    }
}

/// Looks at a lock, with rests between them.
struct Wait {
    end: Instant,
    rest: Duration,
}

impl Default for Wait {
    fn default() -> Self {
        Self { end: Instant::now() + PATIENCE, rest: Duration::from_millis(2) }
    }
}

impl Wait {
    async fn more(&mut self) -> Result<(), ImportError> {
        if Instant::now() >= self.end {
            return Err(ImportError::Busy);
        }
        sleep(self.rest).await;
        self.rest = (self.rest * 2).min(REST);
        Ok(())
    }
}

/// The codes, with their campaigns, of imports that the read model does not show yet.
/// Asked before the read model is, so that none falls between the two.
async fn unseen(app: &App) -> Result<HashMap<String, Uuid>, ImportError> {
    let mut unseen = HashMap::new();
    for event in app.log.unconsumed("coupons", "campaign", "BatchImported").await? {
        let Fact::Campaign(Event::BatchImported { codes, .. }) = event.fact()? else { continue };
        // Ids of campaigns are UUIDs since the first one.
        let campaign = event.aggregate_id.parse().unwrap_or_default();
        unseen.extend(codes.into_iter().map(|code| (String::from(code), campaign)));
    }
    Ok(unseen)
}

/// Which of these codes are somebody's.
async fn known(
    app: &App,
    lock: &mut Transaction<'static, Postgres>,
    codes: &[(u32, CodeText)],
) -> Result<HashSet<String>, ImportError> {
    let mut known: HashSet<String> = unseen(app).await?.into_keys().collect();
    let texts: Vec<String> = codes.iter().map(|(_, code)| code.as_str().to_owned()).collect();
    known.extend(coupons::known(&mut **lock, &texts).await.map_err(database("look codes up"))?);
    for code in app.log.streams("code", &texts).await? {
        if app.codes.look(&code, |code, _, _| holder(code)).await?.is_some() {
            known.insert(code);
        }
    }
    Ok(known)
}

/// Parts the codes of a table from those that are somebody's.
fn leave_out(codes: Codes, skipped: &mut LeftOut, known: impl Fn(&CodeText) -> bool) -> Vec<CodeText> {
    let (left_out, taken): (Vec<_>, Vec<_>) = codes.into_iter().partition(|(_, code)| known(code));
    // One reason for both, so that the report can be given again from the event alone.
    let why = |(line, _)| (line, "it was imported before, or is a campaign's shared code".to_owned());
    skipped.extend(left_out.into_iter().map(why));
    skipped.sort_unstable();
    taken.into_iter().map(|(_, code)| code).collect()
}

/// The lines of a table that have a code, and those that cannot, with the reason.
fn read(table: &str, key: &CodeKey) -> (Codes, LeftOut) {
    let mut codes: Codes = vec![];
    let mut skipped = vec![];
    let mut seen = HashSet::new();
    for (line, row) in (1..).zip(table.trim_start_matches('\u{feff}').lines()) {
        let cell = row.split([',', ';', '\t']).next().unwrap_or_default().trim().trim_matches('"').trim();
        if cell.is_empty() || line == 1 && cell.eq_ignore_ascii_case("code") {
            continue;
        }
        let reason = match CodeText::new(cell) {
            Err(error) => error.to_string(),
            Ok(_) if UniqueCode::read(cell, key).is_ok() => "it is a code that was made here".to_owned(),
            Ok(_) if codes.len() >= Command::IMPORTED as usize => "the table has too many codes".to_owned(),
            Ok(code) if seen.insert(code.clone()) => {
                codes.push((line, code));
                continue;
            }
            Ok(_) => "it stands in the table before".to_owned(),
        };
        skipped.push((line, reason));
    }
    (codes, skipped)
}
