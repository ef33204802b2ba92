//! What Stripe tells us, from the webhook to what is known for sure.
//!
//! An event is a hint: it says what may have changed. What is true is asked for, so
//! that it does not matter in which order events come, or how often. Without a key for
//! Stripe's API the object in the event itself has to serve, with its own dates.

mod apply;
pub(crate) mod cancel;
pub mod events;
pub mod hint;
pub mod inbox;
mod observed;
mod payments;
pub(crate) mod refund;
pub mod sync;
mod translate;

pub use hint::Hint;
pub use observed::{Observation, Observed, Source, observe};

use apply::Applied;
use chrono::{DateTime, Utc};
use hint::SubscriptionChange;
pub(crate) use translate::contract;

use crate::{
    app::App,
    integrations::stripe::{
        StripeError,
        object::{ObjectError, Subscription},
    },
    jobs::JobError,
    log::Cause,
};

/// Works a stored event: what it hints at is looked up and told to the subscription it
/// concerns, and what came of it is noted.
///
/// # Errors
/// [`JobError`]; nothing is noted then.
pub(crate) async fn work(app: &App, cause: &Cause, event: &str) -> Result<(), JobError> {
    let stored = events::body(&app.pool, event).await.map_err(|error| JobError::retry(&error))?;
    let stored = stored.ok_or_else(|| JobError::Fail { reason: "the event is not stored".to_owned() })?;
    let outcome = match hint::parse(&stored) {
        Ok(event) => match Hint::of(&event) {
            Hint::Nothing => "nothing to do".to_owned(),
            hint => {
                let observed = observe(app, &event, hint).await?;
                match apply::apply(app, cause, &observed).await? {
                    Applied::Done => observed.outcome(),
                    Applied::Nobody => format!("not applied, no invoice known: {}", observed.outcome()),
                }
            }
        },
        // It will not read better another time, and it is kept.
        Err(error) => format!("unreadable: {error}"),
    };
    events::settle(&app.pool, event, &outcome, app.clock.now()).await.map_err(|error| JobError::retry(&error))
}

/// The instant of a question to Stripe. By the database's clock, for the answers that
/// several machines had are put in order by it.
///
/// # Errors
/// [`JobError`]: the database did not say.
pub(crate) async fn asked_at(app: &App) -> Result<DateTime<Utc>, JobError> {
    let asked_at = sqlx::query_scalar("select clock_timestamp()").fetch_one(&app.pool).await;
    asked_at.map_err(|error| JobError::retry(&error))
}

/// Takes in a subscription as Stripe answered it to a question of `asked_at`.
///
/// # Errors
/// [`JobError`].
pub(crate) async fn take_in(
    app: &App,
    cause: &Cause,
    object: Subscription,
    asked_at: DateTime<Utc>,
) -> Result<(), JobError> {
    let observed = Observed {
        // What was fetched has no event.
        event: String::new(),
        at: asked_at,
        hint: Hint::Subscription { id: object.id.clone(), change: SubscriptionChange::Updated },
        source: Source::Fetched(asked_at),
        object: Observation::Subscription(object.into()),
        told: None,
    };
    apply::apply(app, cause, &observed).await.map(drop)
}

impl From<StripeError> for JobError {
    fn from(error: StripeError) -> Self {
        match error {
            StripeError::Busy { after, .. } => Self::Retry { reason: error.to_string(), after },
            // A key can be replaced without anybody looking at each job.
            StripeError::Unauthorized { .. } => {
                Self::Later { reason: error.to_string(), after: std::time::Duration::from_secs(60) }
            }
            error if error.is_transient() => Self::retry(&error),
            error => Self::fail(&error),
        }
    }
}

impl From<ObjectError> for JobError {
    fn from(error: ObjectError) -> Self {
        Self::fail(&error)
    }
}
