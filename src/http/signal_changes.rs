//! What is answered to who changes signals, or how they are made.

use aggregates::{Signal, signal};
use cqrs_es::DomainEvent;
use poem_openapi::{ApiResponse, Object, payload::Json, types::Example};

use super::{mutation::etag, problem::Answer};
use crate::executor::Done;

/// What a change led to.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct SignalChange {
    /// The signal it is about; missing when it is about none.
    number: Option<u32>,
    /// The version of the instrument's stream after the change.
    version: i64,
    /// A read model that has come this far in the log shows the change: see `min_position`.
    position: i64,
    /// What happened, in order. Nothing, when it was so already.
    events: Vec<String>,
}

impl Example for SignalChange {
    fn example() -> Self {
        Self { number: Some(17), version: 412, position: 2_042, events: vec!["Closed".to_owned()] }
    }
}

/// Signals, or how they are made, were changed.
#[derive(ApiResponse)]
pub(super) enum SignalsChanged {
    /// It is as wished. The answer to a repeated request is the first one's.
    #[oai(status = 200)]
    Changed(
        Json<SignalChange>,
        /// As `position` in the body.
        #[oai(header = "Promostack-Position")]
        i64,
        /// `true` when the request had taken effect before, under the same Idempotency-Key.
        #[oai(header = "Idempotency-Replayed")]
        Option<String>,
    ),
}

/// A signal was opened.
#[derive(ApiResponse)]
pub(super) enum SignalOpened {
    /// It is open. The answer to a repeated request is the first one's.
    #[oai(status = 201)]
    Opened(
        Json<SignalChange>,
        /// Where it is.
        #[oai(header = "Location")]
        String,
        /// The version of the instrument's stream after it.
        #[oai(header = "ETag")]
        String,
        /// As `position` in the body.
        #[oai(header = "Promostack-Position")]
        i64,
        /// `true` when the request had taken effect before, under the same Idempotency-Key.
        #[oai(header = "Idempotency-Replayed")]
        Option<String>,
    ),
}

pub(super) fn change(done: &Done<Signal>) -> SignalChange {
    SignalChange {
        number: done.events.iter().find_map(signal::Event::number),
        version: done.version,
        position: done.position,
        events: done.events.iter().map(DomainEvent::event_type).collect(),
    }
}

pub(super) fn replayed(done: &Done<Signal>) -> Option<String> {
    done.repeated.then(|| "true".to_owned())
}

pub(super) fn signals_changed(done: &Done<Signal>) -> Answer<SignalsChanged> {
    Ok(SignalsChanged::Changed(Json(change(done)), done.position, replayed(done)))
}

pub(super) fn opened(done: &Done<Signal>) -> Answer<SignalOpened> {
    let change = change(done);
    let location = format!("/api/forex-signals/{}", change.number.unwrap_or_default());
    Ok(SignalOpened::Opened(Json(change), location, etag(done.version), done.position, replayed(done)))
}
