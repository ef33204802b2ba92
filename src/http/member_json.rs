//! Members of channels as they go out.

use aggregates::Member as Aggregate;
use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use poem_openapi::{ApiResponse, Object, payload::Json, types::Example};
use projections::{
    members::Row,
    page::{Cursor, Key},
};
use uuid::Uuid;

use super::{
    csv::{Columns, line, maybe, time},
    mutation::{EXAMPLE_ID, etag},
};
use crate::executor::Done;

/// A Telegram user and a channel.
#[derive(Object)]
#[oai(example, rename = "ChannelMember", skip_serializing_if_is_none)]
pub(super) struct Member {
    /// `<channel>:<telegram_id>`.
    id: String,
    /// Telegram's id of the channel.
    channel: i64,
    /// Telegram's id of the user.
    telegram_id: i64,
    /// The user's pseudonym.
    person: Uuid,
    /// Whether they are in, as far as we know.
    is_in: bool,
    /// Since when they are in, or out; missing when it was never heard of.
    since: Option<DateTime<Utc>>,
    /// The name of the link of ours by which they came.
    link: Option<String>,
    /// Whether they are never removed.
    whitelisted: bool,
    /// Whether they should be in now.
    should_be_in: bool,
    /// By which rule: `whitelisted`, `no_subscription`, or as in `listTelegramSubscriptions`.
    rule: String,
    /// The subscription that says so.
    subscription_id: Option<Uuid>,
    /// When time alone takes their access; missing when it does not.
    runs_out_at: Option<DateTime<Utc>>,
    /// Since when they are about to be removed.
    removal_due_since: Option<DateTime<Utc>>,
    /// What Telegram said when it was tried last.
    removal_error: Option<String>,
    /// When it was first heard of them.
    created_at: DateTime<Utc>,
    /// When anything changed last.
    updated_at: DateTime<Utc>,
    /// The version.
    version: i64,
}

impl Example for Member {
    fn example() -> Self {
        let at = |seconds: i64| DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap_or_default();
        Self {
            id: "-1001234567890:123456789".to_owned(),
            channel: -1_001_234_567_890,
            telegram_id: 123_456_789,
            person: Uuid::from_u128(0x5d1a_8e62_04b7_8c31_9f05_0193_5c2e_7b4a),
            is_in: true,
            since: Some(at(600)),
            link: Some("VIP 5d1a8e62".to_owned()),
            whitelisted: false,
            should_be_in: true,
            rule: "active_paid".to_owned(),
            subscription_id: Some(Uuid::from_u128(EXAMPLE_ID + 5)),
            runs_out_at: None,
            removal_due_since: None,
            removal_error: None,
            created_at: at(0),
            updated_at: at(600),
            version: 3,
        }
    }
}

impl Member {
    /// As it stands at a time; `person` is the user's pseudonym.
    pub(super) fn at(row: Row, person: Uuid, now: DateTime<Utc>) -> Self {
        Self {
            id: aggregates::member::stream(row.channel, row.user_id),
            channel: row.channel,
            telegram_id: row.user_id,
            person,
            is_in: row.is_in,
            since: row.since,
            whitelisted: row.whitelisted,
            should_be_in: row.should_be_in_at(now),
            rule: row.rule_at(now).to_owned(),
            link: row.link,
            subscription_id: row.subscription,
            runs_out_at: row.runs_out_at,
            removal_due_since: row.removal_due_since,
            removal_error: row.removal_error,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }

    /// As a line of the table.
    pub(super) fn line(&self) -> String {
        line(&[
            &self.id,
            &self.channel.to_string(),
            &self.telegram_id.to_string(),
            &self.person.to_string(),
            &self.is_in.to_string(),
            &maybe(self.since.map(time)),
            self.link.as_deref().unwrap_or_default(),
            &self.whitelisted.to_string(),
            &self.should_be_in.to_string(),
            &self.rule,
            &maybe(self.subscription_id),
            &maybe(self.runs_out_at.map(time)),
            &maybe(self.removal_due_since.map(time)),
            self.removal_error.as_deref().unwrap_or_default(),
            &time(self.created_at),
            &time(self.updated_at),
            &self.version.to_string(),
        ])
    }
}

/// A page of members.
#[derive(Object)]
#[oai(example, rename = "ChannelMemberPage", skip_serializing_if_is_none)]
pub(super) struct MemberPage {
    /// The members.
    pub(super) items: Vec<Member>,
    /// The `cursor` of the next page; missing on the last one.
    pub(super) next_cursor: Option<String>,
}

impl Example for MemberPage {
    fn example() -> Self {
        let cursor = Cursor { key: Key::Number(1042), id: Uuid::nil() };
        Self { items: vec![Member::example()], next_cursor: Some(cursor.to_string()) }
    }
}

pub(super) struct MemberTable;

impl Columns for MemberTable {
    const NAMES: &'static str = "id,channel,telegram_id,person,is_in,since,link,whitelisted,should_be_in,rule,subscription_id,\
                                 runs_out_at,removal_due_since,removal_error,created_at,updated_at,version";
    const EXAMPLE: &'static str = "'-1001234567890:123456789,-1001234567890,123456789,5d1a8e62-04b7-8c31-9f05-01935c2e7b4a,true,\
                                   2027-01-15T08:10:00.000000Z,VIP 5d1a8e62,false,true,active_paid,\
                                   01935c2e-7b4a-7c31-9f05-5d1a8e6204bc,,,,2027-01-15T08:00:00.000000Z,\
                                   2027-01-15T08:10:00.000000Z,3";
}

/// What a change of a member led to.
#[derive(Object)]
#[oai(example)]
pub(super) struct MemberChange {
    /// `<channel>:<telegram_id>`.
    id: String,
    /// Its version after the change.
    version: i64,
    /// A read model that has come this far in the log shows the change: see `min_position`.
    position: i64,
    /// What happened, in order. Nothing, when it was so already.
    events: Vec<String>,
}

impl Example for MemberChange {
    fn example() -> Self {
        let id = "-1001234567890:123456789".to_owned();
        Self { id, version: 4, position: 1042, events: vec!["Whitelisted".to_owned()] }
    }
}

/// A member was changed.
#[derive(ApiResponse)]
pub(super) enum MemberChanged {
    /// It is as wished. The answer to a repeated request is the first one's.
    #[oai(status = 200)]
    Changed(
        Json<MemberChange>,
        /// The version after it.
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

impl From<Done<Aggregate>> for MemberChanged {
    fn from(done: Done<Aggregate>) -> Self {
        let change = MemberChange {
            id: done.id.to_string(),
            version: done.version,
            position: done.position,
            events: done.events.iter().map(DomainEvent::event_type).collect(),
        };
        Self::Changed(Json(change), etag(done.version), done.position, done.repeated.then(|| "true".to_owned()))
    }
}
