//! From the text of a code to what it stands for, and back.

use std::{collections::HashSet, time::Duration};

use aggregates::{Code, CodeText, UniqueCode, campaign::Command};
use projections::coupons::{self, Batch};
use uuid::Uuid;

use crate::{
    app::App,
    feed::{self, FeedError},
    log::LogError,
};

/// What a code stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The campaign that knows whether it is good.
    pub campaign: Uuid,
    /// Which unique code it is; none: the campaign's shared one.
    pub coupon: Option<UniqueCode>,
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
        return Ok(batch_of(app, coupon)
            .await?
            .map(|batch| Found { campaign: batch.campaign_id, coupon: Some(coupon) }));
    }
    let Ok(code) = CodeText::new(typed) else { return Ok(None) };
    let holder = app.codes.look(code.as_str(), |code, _, _| match code {
        Code::Held { campaign } => Some(*campaign),
        Code::Free => None,
    });
    if let Some(campaign) = holder.await? {
        return Ok(Some(Found { campaign, coupon: None }));
    }
    let imported = coupons::imported(&app.pool, code.as_str()).await?;
    Ok(imported.map(|(campaign, coupon)| Found { campaign, coupon: Some(coupon) }))
}

/// The text of a unique code; none when the read model does not know its batch yet.
///
/// # Errors
/// [`LookupError`].
pub async fn text(app: &App, coupon: UniqueCode) -> Result<Option<String>, LookupError> {
    let number = coupon.batch as i32;
    match batch_of(app, coupon).await? {
        Some(Batch { minted: true, .. }) => Ok(Some(minted(app, coupon).await?)),
        Some(_) => {
            let codes = coupons::imported_codes(&app.pool, number, coupon.index as i32, 1).await?;
            Ok(codes.into_iter().next().filter(|(index, _)| *index == coupon.index as i32).map(|(_, code)| code))
        }
        None => Ok(None),
    }
}

/// The codes of a table that can be imported, and the lines that cannot, with
/// the reason.
///
/// # Errors
/// [`LookupError`].
pub async fn importable(app: &App, table: &str) -> Result<(Vec<CodeText>, Vec<(u32, String)>), LookupError> {
    let key = app.code_key().await?;
    let mut codes: Vec<(u32, CodeText)> = vec![];
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
    let texts: Vec<String> = codes.iter().map(|(_, code)| code.as_str().to_owned()).collect();
    let known: HashSet<String> = coupons::known(&app.pool, &texts).await?.into_iter().collect();
    codes.retain(|(line, code)| {
        let new = !known.contains(code.as_str());
        if !new {
            skipped.push((*line, "it was imported before".to_owned()));
        }
        new
    });
    skipped.sort_unstable();
    Ok((codes.into_iter().map(|(_, code)| code).collect(), skipped))
}

/// The text of a code that is made with our key.
async fn minted(app: &App, coupon: UniqueCode) -> Result<String, sqlx::Error> {
    let text = coupon.text(app.code_key().await?);
    Ok(text.iter().map(|byte| char::from(*byte)).collect())
}

/// The batch of a code that was made with our key. It exists, or did when the
/// code was made; if it is not to be seen yet, that is worth a moment.
async fn batch_of(app: &App, coupon: UniqueCode) -> Result<Option<Batch>, LookupError> {
    let number = coupon.batch as i32;
    if let Some(batch) = coupons::batch(&app.pool, number).await? {
        return Ok(Some(batch));
    }
    let newest = app.log.last_position().await?;
    feed::wait_for(&app.pool, "coupons", newest, PATIENCE).await?;
    Ok(coupons::batch(&app.pool, number).await?)
}
