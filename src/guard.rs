//! What strangers try is written down, and who tries too much is not listened to.

use aggregates::{
    PersonId, UniqueCode,
    campaign::Source,
    guard::{Command, Miss, Refusal},
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    app::App,
    executor::{SendError, Wish},
    log::{Cause, LogError, Once},
};

/// A code that did not do what its sender hoped.
pub(crate) struct Missed {
    /// Whose.
    pub(crate) person: PersonId,
    /// Why.
    pub(crate) miss: Miss,
    /// Of which campaign it was, when it was of one.
    pub(crate) campaign: Option<Uuid>,
    /// Through which door.
    pub(crate) source: Source,
    /// When they asked.
    pub(crate) at: DateTime<Utc>,
}

/// Until when a person's codes are not looked at; none when they are.
///
/// # Errors
/// What the log says.
pub(crate) async fn locked_until(
    app: &App,
    person: PersonId,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, LogError> {
    app.guards.look(&person.to_string(), |guard, _, _| guard.locked_until(now)).await
}

/// Writes a miss down, once for each `once`. Answers until when the person is
/// locked out, if this miss did it.
///
/// # Errors
/// [`SendError`]; to be tried again.
pub(crate) async fn missed(
    app: &App,
    missed: Missed,
    cause: Cause,
    once: Option<Once>,
) -> Result<Option<DateTime<Utc>>, SendError<Refusal>> {
    let Missed { person, miss, campaign, source, at } = missed;
    let command = Command::Miss { miss, campaign, source, at };
    // Behind it, so that it is forgotten when keys of this source are.
    let once = once.map(|once| Once { source: format!("{}:miss", once.source).into(), ..once });
    let done = app.guards.send(&person.to_string(), Wish { command, cause, once, expected: None }).await?;
    Ok(done.events.iter().find_map(|event| match event {
        aggregates::guard::Event::LockedOut { until, .. } => Some(*until),
        _ => None,
    }))
}

/// Why a code that nobody knows is unknown.
///
/// # Errors
/// What the database says when the key is read for the first time.
pub(crate) async fn unknown(app: &App, typed: &str) -> Result<Miss, sqlx::Error> {
    Ok(match UniqueCode::read(typed, app.code_key().await?) {
        Err(aggregates::NotUnique::Typo) => Miss::Mistyped,
        _ => Miss::Unknown,
    })
}
