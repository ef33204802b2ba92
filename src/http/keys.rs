//! Keys for programs.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem_openapi::{ApiResponse, Enum, Object, OpenApi, payload::Json, types::Example};
use serde_json::Value;
use uuid::Uuid;

use super::{
    Tags,
    auth::{Admin, Allowed},
    body::{Body, Fields, Input, text},
    csv::{Columns, Table, line, time},
    mutation::EXAMPLE_ID,
    params::At,
    problem::{Answer, Kind},
};
use crate::{
    access::{
        Access, Scope,
        keys::{self, Key},
    },
    app::App,
};

pub(super) struct Keys {
    pub(super) app: App,
    pub(super) access: Arc<Access>,
}

/// What a key may allow.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
enum KeyScope {
    /// See campaigns and redemptions.
    #[oai(rename = "campaigns:read")]
    CampaignsRead,
    /// Write, open, stop and change campaigns.
    #[oai(rename = "campaigns:write")]
    CampaignsWrite,
    /// Check, redeem, reserve and release coupons.
    #[oai(rename = "coupons:redeem")]
    CouponsRedeem,
    /// Read the log, which holds personal data.
    #[oai(rename = "events:read")]
    EventsRead,
    /// See who uses the bot, by name and Telegram id, and what for.
    #[oai(rename = "bot-users:read")]
    BotUsersRead,
    /// See broadcasts and what became of them.
    #[oai(rename = "broadcasts:read")]
    BroadcastsRead,
    /// Write, start, stop and cancel broadcasts.
    #[oai(rename = "broadcasts:write")]
    BroadcastsWrite,
    /// See plans, subscriptions and members of channels, with e-mail addresses and Telegram ids.
    #[oai(rename = "subscriptions:read")]
    SubscriptionsRead,
    /// Write plans, and give, extend and take away access by hand.
    #[oai(rename = "subscriptions:write")]
    SubscriptionsWrite,
    /// See signals, what they came to, and how they are made.
    #[oai(rename = "signals:read")]
    SignalsRead,
    /// Open and end signals by hand, and say how they are made.
    #[oai(rename = "signals:write")]
    SignalsWrite,
    /// See metrics, feeds and jobs, and decide on dead ones.
    #[oai(rename = "operations")]
    Operations,
}

impl From<Scope> for KeyScope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::CampaignsRead => Self::CampaignsRead,
            Scope::CampaignsWrite => Self::CampaignsWrite,
            Scope::CouponsRedeem => Self::CouponsRedeem,
            Scope::EventsRead => Self::EventsRead,
            Scope::BotUsersRead => Self::BotUsersRead,
            Scope::BroadcastsRead => Self::BroadcastsRead,
            Scope::BroadcastsWrite => Self::BroadcastsWrite,
            Scope::SubscriptionsRead => Self::SubscriptionsRead,
            Scope::SubscriptionsWrite => Self::SubscriptionsWrite,
            Scope::SignalsRead => Self::SignalsRead,
            Scope::SignalsWrite => Self::SignalsWrite,
            Scope::Operations => Self::Operations,
        }
    }
}

impl From<KeyScope> for Scope {
    fn from(scope: KeyScope) -> Self {
        match scope {
            KeyScope::CampaignsRead => Self::CampaignsRead,
            KeyScope::CampaignsWrite => Self::CampaignsWrite,
            KeyScope::CouponsRedeem => Self::CouponsRedeem,
            KeyScope::EventsRead => Self::EventsRead,
            KeyScope::BotUsersRead => Self::BotUsersRead,
            KeyScope::BroadcastsRead => Self::BroadcastsRead,
            KeyScope::BroadcastsWrite => Self::BroadcastsWrite,
            KeyScope::SubscriptionsRead => Self::SubscriptionsRead,
            KeyScope::SubscriptionsWrite => Self::SubscriptionsWrite,
            KeyScope::SignalsRead => Self::SignalsRead,
            KeyScope::SignalsWrite => Self::SignalsWrite,
            KeyScope::Operations => Self::Operations,
        }
    }
}

/// A new key.
#[derive(Object)]
#[oai(example, deny_unknown_fields)]
struct KeyDraft {
    /// Of your choice, used only once for ever: the log names the key by it.
    #[oai(validator(min_length = 1, max_length = 64, pattern = "^[a-z0-9._-]+$"))]
    name: String,
    /// What it allows.
    scopes: Vec<KeyScope>,
}

impl Example for KeyDraft {
    fn example() -> Self {
        Self { name: "reporting".to_owned(), scopes: vec![KeyScope::CampaignsRead, KeyScope::EventsRead] }
    }
}

fn name(value: Value) -> Result<String, String> {
    let name = text(value)?;
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-');
    if (1..=64).contains(&name.len()) && name.bytes().all(fits) {
        return Ok(name);
    }
    Err("must have 1 to 64 characters of a to z, 0 to 9, dot, underscore and hyphen".to_owned())
}

fn scopes(value: Value) -> Result<Vec<KeyScope>, String> {
    let Value::Array(words) = value else { return Err("must be a list of scopes".to_owned()) };
    let mut scopes = vec![];
    for word in words {
        let scope = word.as_str().unwrap_or_default().parse::<Scope>().map_err(|e| format!("each of them {e}"))?;
        if !scopes.contains(&KeyScope::from(scope)) {
            scopes.push(KeyScope::from(scope));
        }
    }
    Ok(scopes)
}

impl Input for KeyDraft {
    type Document = Self;

    fn read(fields: &mut Fields) -> Option<Self> {
        let name = fields.required("name", name);
        let scopes = fields.required("scopes", scopes);
        Some(Self { name: name?, scopes: scopes? })
    }
}

/// A key, without the key itself.
#[derive(Object)]
#[oai(example, rename = "ApiKey", skip_serializing_if_is_none)]
struct ApiKey {
    /// Its id.
    id: Uuid,
    /// Its name, on every event it causes.
    name: String,
    /// Its first characters, to recognise it by.
    hint: String,
    /// What it allows.
    scopes: Vec<String>,
    /// Who made it.
    created_by: String,
    /// When.
    created_at: DateTime<Utc>,
    /// Its last use, to the minute.
    last_used_at: Option<DateTime<Utc>>,
    /// Since when it is good for nothing.
    revoked_at: Option<DateTime<Utc>>,
}

impl From<Key> for ApiKey {
    fn from(key: Key) -> Self {
        Self {
            id: key.id,
            name: key.name,
            hint: key.hint,
            scopes: key.scopes,
            created_by: key.created_by,
            created_at: key.created_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
        }
    }
}

impl Example for ApiKey {
    fn example() -> Self {
        Self {
            id: Uuid::from_u128(EXAMPLE_ID + 4),
            name: "reporting".to_owned(),
            hint: "ps_4f1c…".to_owned(),
            scopes: vec!["campaigns:read".to_owned(), "events:read".to_owned()],
            created_by: "admin:admin".to_owned(),
            created_at: DateTime::from_timestamp(1_800_000_000, 0).unwrap_or_default(),
            last_used_at: None,
            revoked_at: None,
        }
    }
}

/// A key that was just made.
#[derive(Object)]
#[oai(example)]
struct NewApiKey {
    /// The key itself: shown now and never again.
    key: String,
    /// All else about it.
    details: ApiKey,
}

impl Example for NewApiKey {
    fn example() -> Self {
        Self { key: "ps_4f1c0d9e8b7a46f2a3c5d1e0f9b8a7c6".to_owned(), details: ApiKey::example() }
    }
}

/// All keys.
#[derive(Object)]
#[oai(example)]
struct ApiKeys {
    /// The keys, the revoked ones too, in the order they were made.
    items: Vec<ApiKey>,
}

impl Example for ApiKeys {
    fn example() -> Self {
        Self { items: vec![ApiKey::example()] }
    }
}

struct KeyTable;

impl Columns for KeyTable {
    const NAMES: &'static str = "id,name,hint,scopes,created_by,created_at,last_used_at,revoked_at";
    const EXAMPLE: &'static str = "01935c2e-7b4a-7c31-9f05-5d1a8e6204bb,reporting,ps_4f1c…,campaigns:read events:read,\
                                   admin:admin,2027-01-15T08:00:00.000000Z,,";
}

fn key_line(key: &Key) -> String {
    line(&[
        &key.id.to_string(),
        &key.name,
        &key.hint,
        &key.scopes.join(" "),
        &key.created_by,
        &time(key.created_at),
        &key.last_used_at.map(time).unwrap_or_default(),
        &key.revoked_at.map(time).unwrap_or_default(),
    ])
}

#[derive(ApiResponse)]
enum Made {
    /// The key. Keep it: it is not shown again.
    #[oai(status = 201)]
    Made(
        Json<NewApiKey>,
        /// Where it can be revoked.
        #[oai(header = "Location")]
        String,
    ),
}

#[derive(ApiResponse)]
enum Revoked {
    /// It is good for nothing now; in other processes, after 5 seconds at the latest.
    #[oai(status = 204)]
    Revoked,
}

#[OpenApi(tag = "Tags::Access")]
impl Keys {
    /// Make an API key
    ///
    /// Shown once; only its hash is kept.
    ///
    /// Problems: key-name-taken
    #[oai(path = "/keys", method = "post", operation_id = "makeKey")]
    async fn make(
        &self,
        caller: Allowed<Admin>,
        /// Its name and scopes.
        body: Body<KeyDraft>,
    ) -> Answer<Made> {
        let KeyDraft { name, scopes } = body.value;
        let scopes: Vec<Scope> = scopes.into_iter().map(Scope::from).collect();
        let (made, key) = keys::create(&self.app.pool, &self.app.clock, &name, &scopes, &caller.actor()).await?;
        let location = format!("/api/keys/{}", made.id);
        Ok(Made::Made(Json(NewApiKey { key: key.reveal().to_owned(), details: made.into() }), location))
    }

    /// List API keys
    ///
    /// All there ever were: revoked ones stay on the list, as the log names them.
    #[oai(path = "/keys", method = "get", operation_id = "listKeys")]
    async fn list(&self, _caller: Allowed<Admin>) -> Answer<Json<ApiKeys>> {
        let keys = keys::list(&self.app.pool).await?;
        Ok(Json(ApiKeys { items: keys.into_iter().map(ApiKey::from).collect() }))
    }

    /// Export API keys
    ///
    /// The same as `listKeys`, as CSV; the scopes of a key stand in one field.
    #[oai(path = "/keys.csv", method = "get", operation_id = "exportKeys")]
    async fn export(&self, _caller: Allowed<Admin>) -> Answer<Table<KeyTable>> {
        let lines: String = keys::list(&self.app.pool).await?.iter().map(key_line).collect();
        Ok(Table::named("keys", futures_util::stream::iter([Ok::<_, sqlx::Error>(lines)])))
    }

    /// Revoke an API key
    ///
    /// For good. Revoking it again changes nothing.
    ///
    /// Problems: key-missing
    #[oai(path = "/keys/:id", method = "delete", operation_id = "revokeKey")]
    async fn revoke(
        &self,
        _caller: Allowed<Admin>,
        /// The key's id.
        id: At<Uuid>,
    ) -> Answer<Revoked> {
        let found = keys::revoke(&self.app.pool, id.0).await?;
        self.access.forget_keys();
        if found { Ok(Revoked::Revoked) } else { Err(Kind::KeyMissing.into()) }
    }
}
