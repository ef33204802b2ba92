//! Where a subscriber sets right how they pay.
//!
//! A message is read when its reader likes, and a session of Stripe's portal lasts for
//! minutes. So the button leads to the invoice that waits, which lasts as long as it is
//! open, or to an address of ours, signed, which opens a session for whoever follows it.

use aggregates::Subscription;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Url;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::{
    app::App,
    integrations::stripe::{StripeError, StripeKey},
    log::LogError,
    secrets,
};

/// How long an address of ours is good.
const GOOD_FOR: TimeDelta = TimeDelta::days(30);
/// The secret it is signed with.
const SECRET: &str = "portal";

/// Why an address leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum PortalError {
    /// We did not make it, or its time is over, or nobody pays at Stripe by it.
    #[error("the address leads nowhere")]
    Nowhere,
    /// There is no key for Stripe's API.
    #[error("no STRIPE_SECRET_KEY is set")]
    NoKey,
    /// Stripe did not open a session.
    #[error("Stripe did not open a session of its portal")]
    Stripe(#[from] StripeError),
    /// The secret could not be read.
    #[error("the secret of addresses could not be read")]
    Database(#[from] sqlx::Error),
    /// The subscription could not be looked at.
    #[error("the subscription could not be looked at")]
    Look(#[from] LogError),
}

/// Where to pay: the invoice that waits, or else the portal. None where there is neither,
/// and where this program has no address that people reach it under.
///
/// # Errors
/// What the database says.
pub async fn place(app: &App, id: Uuid, subscription: &Subscription) -> Result<Option<Url>, sqlx::Error> {
    let invoice = subscription.payable().and_then(|url| Url::parse(url.reveal()).ok());
    if invoice.is_some() {
        return Ok(invoice);
    }
    if subscription.stripe().is_none_or(|ids| ids.customer.is_none()) {
        return Ok(None);
    }
    portal(app, id).await
}

/// An address of ours that leads to the portal.
///
/// # Errors
/// What the database says.
pub async fn portal(app: &App, id: Uuid) -> Result<Option<Url>, sqlx::Error> {
    let Some(base) = &app.config.public_url else { return Ok(None) };
    let until = app.clock.now() + GOOD_FOR;
    let pass = pass(app, id, until.timestamp()).await?;
    let address = format!("{}/api/stripe/portal/{pass}", base.as_str().trim_end_matches('/'));
    Ok(Url::parse(&address).ok())
}

/// Opens a session of the portal for who follows such an address; answers where it is.
///
/// # Errors
/// [`PortalError`].
pub async fn open(app: &App, given: &str) -> Result<Url, PortalError> {
    let (id, until) = read(given).ok_or(PortalError::Nowhere)?;
    let ours = pass(app, id, until.timestamp()).await?;
    if !bool::from(ours.as_bytes().ct_eq(given.as_bytes())) || until <= app.clock.now() {
        return Err(PortalError::Nowhere);
    }
    let stream = id.to_string();
    let looked = app
        .subscriptions
        .look(&stream, |subscription, _, _| subscription.stripe().and_then(|ids| ids.customer.clone()));
    let customer = looked.await?.ok_or(PortalError::Nowhere)?;
    let stripe = app.stripe.as_ref().ok_or(PortalError::NoKey)?;
    // Each who follows it has a session of their own.
    let key = StripeKey::new(&format!("portal:{id}:{}", app.clock.new_id()));
    let link = stripe.portal_link(&customer, app.config.public_url.as_ref(), &key).await?;
    Url::parse(&link).map_err(|_| PortalError::Nowhere)
}

/// The last part of an address: whose it is, until when it is good, and our word for both.
async fn pass(app: &App, id: Uuid, until: i64) -> Result<String, sqlx::Error> {
    let key = secrets::get_or_create(&app.pool, SECRET).await?;
    let said = format!("{}-{until}", id.simple());
    let word = secrets::hex(&secrets::keyed_hash(&key, &said));
    Ok(format!("{said}-{word}"))
}

fn read(given: &str) -> Option<(Uuid, DateTime<Utc>)> {
    let mut parts = given.split('-');
    let id = parts.next().filter(|id| id.len() == 32).and_then(|id| Uuid::try_parse(id).ok())?;
    Some((id, DateTime::from_timestamp(parts.next()?.parse().ok()?, 0)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_never_made_is_not_read() {
        let id = Uuid::from_u128(7);
        let good = format!("{}-1800000000-00", id.simple());
        assert_eq!(read(&good), DateTime::from_timestamp(1_800_000_000, 0).map(|until| (id, until)));
        for bad in ["", "-", "x-1-2", "00000000000000000000000000000007", "00000000000000000000000000000007-x-0"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
