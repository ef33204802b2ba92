//! From the text of a code to what it stands for, and back.

use std::time::Duration;

use aggregates::{
    Campaign, Code, CodeText, PersonId, UniqueCode,
    campaign::{self, Terms},
};
use projections::coupons;
use quick_cache::sync::Cache;
use uuid::Uuid;

use crate::{
    app::App,
    executor::{Done, SendError, Wish},
    feed::{self, FeedError},
    log::LogError,
};

/// What a code stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The campaign that knows whether it is good.
    pub campaign: Uuid,
    /// Which unique code it is; none: the campaign's shared one.
    pub coupon: Option<UniqueCode>,
    /// The shared code, for the campaign to see that it is still its own.
    pub code: Option<CodeText>,
}

/// What never changes about a batch.
#[derive(Debug, Clone, Copy)]
struct Batch {
    campaign: Uuid,
    /// Whether its codes are made with our key.
    minted: bool,
}

/// Batches that were asked for.
pub struct Batches(Cache<u32, Batch>);

impl Default for Batches {
    fn default() -> Self {
        Self(Cache::new(10_000))
    }
}

/// Why a code could not be looked up.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The stream of a shared code could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The read model could not be read.
    #[error("the read model of coupons could not be read")]
    Database(#[from] sqlx::Error),
    /// The read model could not be waited for.
    #[error(transparent)]
    Feed(#[from] FeedError),
}

/// How long a code that was made with our key waits for its batch to be seen.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a code stands for, however it was typed; none when nobody knows it.
///
/// # Errors
/// [`LookupError`].
pub async fn find(app: &App, typed: &str) -> Result<Option<Found>, LookupError> {
    // Told by the key alone: guessing costs us nothing.
    if let Ok(coupon) = UniqueCode::read(typed, app.code_key().await?) {
        return Ok(batch_of(app, coupon).await?.map(|batch| unique(batch.campaign, coupon)));
    }
    let Ok(code) = CodeText::new(typed) else { return Ok(None) };
    if let Some(campaign) = app.codes.look(code.as_str(), |code, _, _| holder(code)).await? {
        return Ok(Some(Found { campaign, coupon: None, code: Some(code) }));
    }
    let imported = coupons::imported(&app.pool, code.as_str()).await?;
    Ok(imported.map(|(campaign, coupon)| unique(campaign, coupon)))
}

const fn unique(campaign: Uuid, coupon: UniqueCode) -> Found {
    Found { campaign, coupon: Some(coupon), code: None }
}

/// Which campaign holds a shared code.
pub(crate) const fn holder(code: &Code) -> Option<Uuid> {
    match code {
        Code::Held { campaign } => Some(*campaign),
        Code::Free => None,
    }
}

/// Sends the command that `wish` makes of what this process remembers of a code;
/// none when it remembers nothing, or when that gets a refusal.
///
/// Spares every good redemption a look at the database. Only yes is an answer
/// here: what is remembered may be out of date, and the campaign that holds the
/// code by now may say something else. So a refusal is not kept under the key.
///
/// # Errors
/// [`SendError`], but for a refusal.
pub async fn send_remembered(
    app: &App,
    typed: &str,
    wish: impl FnOnce(Found) -> Wish<campaign::Command>,
) -> Result<Option<Done<Campaign>>, SendError<campaign::Refusal>> {
    let Some(found) = remembered(app, typed).await? else { return Ok(None) };
    let stream = found.campaign.to_string();
    let mut wish = wish(found);
    if let Some(once) = &mut wish.once {
        once.keeps_refusals = false;
    }
    match app.campaigns.send(&stream, wish).await {
        Ok(done) => Ok(Some(done)),
        Err(SendError::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn remembered(app: &App, typed: &str) -> Result<Option<Found>, LogError> {
    let key = app.code_key().await.map_err(|source| LogError::Unavailable { operation: "read the key", source })?;
    if let Ok(coupon) = UniqueCode::read(typed, key) {
        return Ok(app.batches.0.get(&coupon.batch).map(|batch| unique(batch.campaign, coupon)));
    }
    let Ok(code) = CodeText::new(typed) else { return Ok(None) };
    let holder = app.codes.glance(code.as_str(), holder).flatten();
    Ok(holder.map(|campaign| Found { campaign, coupon: None, code: Some(code) }))
}

/// The terms a coupon was issued under, whatever the campaign's are by now; none
/// when the campaign has nothing like it.
///
/// # Errors
/// [`LogError`] when the campaign cannot be read.
pub async fn terms(
    app: &App,
    campaign: Uuid,
    person: PersonId,
    coupon: Option<UniqueCode>,
) -> Result<Option<Terms>, LogError> {
    app.campaigns.look(&campaign.to_string(), |campaign, _, _| campaign.terms_for(person, coupon)).await
}

/// What a person has to do with a unique code, up to now.
///
/// # Errors
/// [`LookupError`].
pub async fn holds(
    app: &App,
    person: PersonId,
    campaign: Uuid,
    coupon: UniqueCode,
) -> Result<coupons::Holds, LookupError> {
    let newest = app.log.last_position().await?;
    for read_model in ["coupons", "redemptions"] {
        feed::wait_for(&app.pool, read_model, newest, PATIENCE).await?;
    }
    Ok(coupons::holds(&app.pool, person.0, campaign, Some(coupon)).await?)
}

/// The text of a unique code; none when the read model does not know its batch yet.
///
/// # Errors
/// [`LookupError`].
pub async fn text(app: &App, coupon: UniqueCode) -> Result<Option<String>, LookupError> {
    let number = coupon.batch as i32;
    match batch_of(app, coupon).await? {
        Some(batch) if batch.minted => Ok(Some(minted(app, coupon).await?)),
        Some(_) => {
            let codes = coupons::imported_codes(&app.pool, number, coupon.index as i32, 1).await?;
            Ok(codes.into_iter().next().filter(|(index, _)| *index == coupon.index as i32).map(|(_, code)| code))
        }
        None => Ok(None),
    }
}

/// The text of a code that is made with our key.
async fn minted(app: &App, coupon: UniqueCode) -> Result<String, sqlx::Error> {
    let text = coupon.text(app.code_key().await?);
    Ok(text.iter().map(|byte| char::from(*byte)).collect())
}

/// The batch of a code that was made with our key. It exists, or did when the
/// code was made; if it is not to be seen yet, that is worth a moment.
async fn batch_of(app: &App, coupon: UniqueCode) -> Result<Option<Batch>, LookupError> {
    if let Some(batch) = app.batches.0.get(&coupon.batch) {
        return Ok(Some(batch));
    }
    let number = coupon.batch as i32;
    let mut row = coupons::batch(&app.pool, number).await?;
    if row.is_none() {
        let newest = app.log.last_position().await?;
        feed::wait_for(&app.pool, "coupons", newest, PATIENCE).await?;
        row = coupons::batch(&app.pool, number).await?;
    }
    let batch = row.map(|row| Batch { campaign: row.campaign_id, minted: row.minted });
    if let Some(batch) = batch {
        app.batches.0.insert(coupon.batch, batch);
    }
    Ok(batch)
}
