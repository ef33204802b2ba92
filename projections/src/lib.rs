//! What is seen: the read models.
//!
//! A projection turns events into rows of its own tables and touches nothing
//! else; it can be dropped and made again from the log at any time. Tables are
//! named without a schema, so that the same code fills the live ones and those
//! being rebuilt beside them (the connection's `search_path` says which).

pub mod bot_usage;
pub mod bot_users;
pub mod broadcasts;
pub mod campaigns;
pub mod coupons;
pub mod duties;
pub mod members;
pub mod misses;
pub mod overview;
pub mod page;
pub mod plans;
pub mod redemptions;
pub mod revenue;
pub mod signals;
pub mod statistics;
pub mod submissions;
pub mod subscriptions;
pub mod templates;

use aggregates::Fact;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use sqlx::PgConnection;

/// An event as projections and reactions see it.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its place in the log.
    pub position: i64,
    /// The aggregate's id.
    pub stream: String,
    /// Its place in its stream, which is the version after it.
    pub sequence: i64,
    /// When the log took it.
    pub recorded_at: DateTime<Utc>,
    /// Shared by all that follows from one first cause.
    pub correlation: uuid::Uuid,
    /// What happened.
    pub fact: Fact,
}

/// A read model.
pub trait Projection: Send + Sync {
    /// Its name: of the feed, and for `promostack rebuild`.
    fn name(&self) -> &'static str;

    /// Its tables in the schema `read_models`.
    fn tables(&self) -> &'static [&'static str];

    /// Applies events, in order. The caller's transaction also moves the
    /// checkpoint, so each event is applied exactly once.
    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<(), ProjectionError>>;
}

/// Why events could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    /// The database said no.
    #[error("{projection} could not be written")]
    Database {
        /// Which projection.
        projection: &'static str,
        /// What the database said.
        source: sqlx::Error,
    },
    /// A stream's id does not say which channel and which user.
    #[error("the stream id {stream:?} at position {position} is not a channel and a user")]
    StreamName {
        /// The id.
        stream: String,
        /// Where.
        position: i64,
    },
    /// A stream's id is not what the projection expects.
    #[error("the stream id {stream:?} at position {position} is not a UUID")]
    StreamId {
        /// The id.
        stream: String,
        /// Where.
        position: i64,
    },
}

/// All read models.
#[must_use]
pub fn all() -> [&'static dyn Projection; 15] {
    [
        &campaigns::Campaigns,
        &redemptions::Redemptions,
        &coupons::Coupons,
        &statistics::Statistics,
        &bot_users::BotUsers,
        &bot_usage::BotUsage,
        &broadcasts::Broadcasts,
        &misses::Misses,
        &submissions::Submissions,
        &templates::Templates,
        &plans::Plans,
        &subscriptions::Subscriptions,
        &members::Members,
        &revenue::Revenue,
        &signals::Signals,
    ]
}

fn stream_uuid(event: &Event) -> Result<uuid::Uuid, ProjectionError> {
    event
        .stream
        .parse()
        .map_err(|_| ProjectionError::StreamId { stream: event.stream.clone(), position: event.position })
}
