//! Broadcasts as they come in and go out.

use aggregates::broadcast::{self, Letter, Message, When};
use chrono::{DateTime, Utc};
use poem_openapi::{Enum, Object, types::Example};
use projections::broadcasts::Row;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::{
    body::{Fields, Input, count, flag, id, instant, text},
    csv::{Columns, line, maybe, time},
    mutation::EXAMPLE_ID,
    params::example_cursor,
    problem::{Answer, Kind, Problem},
};
use crate::broadcasts::recipients::Counts;

/// Where a broadcast stands.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum BroadcastStatus {
    /// Waits to be started.
    Draft,
    /// Starts by itself at `send_at`.
    Scheduled,
    /// On its way.
    Sending,
    /// Stopped for now.
    Paused,
    /// Everybody was dealt with.
    Completed,
    /// Stopped for good.
    Cancelled,
}

impl From<BroadcastStatus> for broadcast::Status {
    fn from(status: BroadcastStatus) -> Self {
        match status {
            BroadcastStatus::Draft => Self::Draft,
            BroadcastStatus::Scheduled => Self::Scheduled,
            BroadcastStatus::Sending => Self::Sending,
            BroadcastStatus::Paused => Self::Paused,
            BroadcastStatus::Completed => Self::Completed,
            BroadcastStatus::Cancelled => Self::Cancelled,
        }
    }
}

impl BroadcastStatus {
    pub(super) fn read(word: &str) -> Answer<Self> {
        Ok(match word {
            "draft" => Self::Draft,
            "scheduled" => Self::Scheduled,
            "sending" => Self::Sending,
            "paused" => Self::Paused,
            "completed" => Self::Completed,
            "cancelled" => Self::Cancelled,
            // Written by a newer version than this one.
            _ => return Err(Kind::Internal.into()),
        })
    }
}

/// How a text is to be read.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq, Default)]
#[oai(rename_all = "snake_case")]
pub(super) enum Format {
    /// Telegram's subset of HTML.
    #[default]
    Html,
    /// As it stands.
    Plain,
}

/// A button below the message that opens a page.
#[derive(Object, Clone, Deserialize)]
#[oai(example, deny_unknown_fields)]
#[serde(deny_unknown_fields)]
pub(super) struct BroadcastButton {
    /// What stands on it.
    #[oai(validator(min_length = 1, max_length = 64))]
    text: String,
    /// What it opens: an https address.
    #[oai(validator(max_length = 2048, pattern = "^https://"))]
    url: String,
}

impl Example for BroadcastButton {
    fn example() -> Self {
        Self { text: "Open the chart".to_owned(), url: "https://example.com/gold".to_owned() }
    }
}

/// Who gets it: everybody who can be written to and did not send /stop, and of those who pass every filter.
#[derive(Object, Clone, Default)]
#[oai(example, skip_serializing_if_is_none, deny_unknown_fields)]
pub(super) struct BroadcastAudience {
    /// Only those who used the bot within so many days before the start.
    #[oai(nullable, validator(minimum(value = "1"), maximum(value = "3650")))]
    active_within_days: Option<u32>,
    /// Only those who redeemed the campaign with this id.
    #[oai(nullable)]
    redeemed: Option<Uuid>,
    /// Only those who hold a coupon of the campaign with this id: one that was given to them or is kept free for them, and
    /// was neither redeemed nor taken back.
    #[oai(nullable)]
    holds: Option<Uuid>,
    /// Only those whose client speaks this language; `pt` means `pt-br`, too.
    #[oai(nullable, validator(min_length = 2, max_length = 35, pattern = "^[A-Za-z0-9-]+$"))]
    language: Option<String>,
}

impl Example for BroadcastAudience {
    fn example() -> Self {
        Self { active_within_days: Some(30), redeemed: None, holds: None, language: Some("en".to_owned()) }
    }
}

impl Input for BroadcastAudience {
    type Document = Self;

    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            active_within_days: fields.optional("active_within_days", count),
            redeemed: fields.optional("redeemed", id),
            holds: fields.optional("holds", id),
            language: fields.optional("language", text),
        })
    }
}

impl From<broadcast::Audience> for BroadcastAudience {
    fn from(audience: broadcast::Audience) -> Self {
        let broadcast::Audience { active_within_days, redeemed, holds, language } = audience;
        Self { active_within_days, redeemed, holds, language }
    }
}

/// A new broadcast: what, to whom, and when.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none, deny_unknown_fields)]
pub(super) struct BroadcastDraft {
    /// The text; at most 4,096 characters as it is shown, and 1,024 below a photo.
    #[oai(validator(min_length = 1, max_length = 16384))]
    text: String,
    /// How the text is to be read.
    #[oai(default)]
    format: Format,
    /// A photo above the text: an https address that Telegram fetches it from, or the `file_id` of one that the bot has
    /// sent before. Uploads are not taken.
    #[oai(nullable)]
    photo: Option<String>,
    /// Buttons below the text, in rows: at most 8 rows of at most 8.
    #[oai(nullable, validator(max_items = 8))]
    buttons: Option<Vec<Vec<BroadcastButton>>>,
    /// To whom; without it, to all.
    #[oai(nullable)]
    audience: Option<BroadcastAudience>,
    /// When it starts by itself; without it, at once.
    #[oai(nullable)]
    send_at: Option<DateTime<Utc>>,
    /// Whether it waits to be started by `startBroadcast`.
    #[oai(default)]
    draft: bool,
}

impl Example for BroadcastDraft {
    fn example() -> Self {
        Self {
            text: "<b>Gold week</b> begins: send me GOLD10.".to_owned(),
            format: Format::Html,
            photo: None,
            buttons: Some(vec![vec![BroadcastButton::example()]]),
            audience: Some(BroadcastAudience::example()),
            send_at: None,
            draft: false,
        }
    }
}

fn format(value: Value) -> Result<Format, String> {
    match value.as_str() {
        Some("html") => Ok(Format::Html),
        Some("plain") => Ok(Format::Plain),
        _ => Err("must be html or plain".to_owned()),
    }
}

fn buttons(value: Value) -> Result<Vec<Vec<BroadcastButton>>, String> {
    // Said in words of our own: serde's message can quote what was sent.
    let rows: Vec<Vec<BroadcastButton>> = serde_json::from_value(value)
        .map_err(|_| "must be a list of rows, each a list of objects with text and url".to_owned())?;
    let nul = rows.iter().flatten().any(|button| button.text.contains('\0') || button.url.contains('\0'));
    if nul { Err("must not contain the character NUL".to_owned()) } else { Ok(rows) }
}

impl Input for BroadcastDraft {
    type Document = Self;

    fn read(fields: &mut Fields) -> Option<Self> {
        let text = fields.required("text", text);
        let format = fields.optional("format", format).unwrap_or_default();
        let photo = fields.optional("photo", self::text);
        let buttons = fields.optional("buttons", buttons);
        let audience = fields.object("audience");
        let send_at = fields.optional("send_at", instant);
        let draft = fields.optional("draft", flag).unwrap_or_default();
        Some(Self { text: text?, format, photo, buttons, audience, send_at, draft })
    }
}

impl BroadcastDraft {
    /// When it is to start.
    pub(super) fn when(&self) -> Answer<When> {
        match (self.draft, self.send_at) {
            (true, Some(_)) => Err(Problem::input("send_at", "cannot be given for a draft, which waits to be started")),
            (true, None) => Ok(When::Later),
            (false, Some(send_at)) => Ok(When::At(send_at)),
            (false, None) => Ok(When::Now),
        }
    }

    /// What, and to whom.
    pub(super) fn letter(self) -> Letter {
        let button = |button: BroadcastButton| broadcast::Button { text: button.text, url: button.url };
        let buttons = self.buttons.unwrap_or_default();
        let audience = self.audience.unwrap_or_default();
        Letter {
            message: Message {
                text: self.text,
                html: self.format == Format::Html,
                photo: self.photo,
                buttons: buttons.into_iter().map(|row| row.into_iter().map(button).collect()).collect(),
            },
            audience: broadcast::Audience {
                active_within_days: audience.active_within_days,
                redeemed: audience.redeemed,
                holds: audience.holds,
                language: audience.language,
            },
        }
    }
}

/// What would be sent, and to how many.
#[derive(Object)]
#[oai(example)]
pub(super) struct BroadcastPreview {
    /// How many would get it now.
    pub(super) recipients: i64,
    /// The text as they would see it, without its markup.
    pub(super) text: String,
    /// Its length, as Telegram counts it.
    pub(super) length: u32,
    /// How long it may be.
    pub(super) longest: u32,
}

impl Example for BroadcastPreview {
    fn example() -> Self {
        Self { recipients: 1_204, text: "Gold week begins: send me GOLD10.".to_owned(), length: 33, longest: 4096 }
    }
}

/// How many recipients are in which state.
#[derive(Object, Clone, Default, PartialEq, Eq)]
#[oai(example)]
pub(super) struct BroadcastCounts {
    /// Not sent (yet).
    pub(super) pending: i64,
    /// On their way right now.
    pub(super) sending: i64,
    /// Confirmed by Telegram.
    pub(super) sent: i64,
    /// Refused by Telegram.
    pub(super) failed: i64,
    /// Out of reach: they blocked the bot, or their account is gone.
    pub(super) gone: i64,
    /// In doubt: it may have arrived. Not sent again, unless by `resendUnconfirmed`.
    pub(super) unconfirmed: i64,
}

impl Example for BroadcastCounts {
    fn example() -> Self {
        Self { pending: 700, sending: 2, sent: 490, failed: 0, gone: 11, unconfirmed: 1 }
    }
}

impl From<Counts> for BroadcastCounts {
    fn from(counts: Counts) -> Self {
        let Counts { pending, sending, sent, failed, gone, unconfirmed } = counts;
        Self { pending, sending, sent, failed, gone, unconfirmed }
    }
}

/// A broadcast.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct Broadcast {
    /// Its id.
    id: Uuid,
    /// Where it stands.
    status: BroadcastStatus,
    /// The text.
    text: String,
    /// How the text is to be read.
    format: Format,
    /// The photo above it.
    photo: Option<String>,
    /// The buttons below it, in rows.
    buttons: Vec<Vec<BroadcastButton>>,
    /// To whom.
    audience: BroadcastAudience,
    /// When it starts, or was to start, by itself.
    send_at: Option<DateTime<Utc>>,
    /// How many its audience is, once that is fixed.
    recipients: Option<i32>,
    /// What became of them so far, as of now.
    counts: BroadcastCounts,
    /// When it was written.
    created_at: DateTime<Utc>,
    /// Its last change.
    updated_at: DateTime<Utc>,
    /// When its audience was fixed.
    started_at: Option<DateTime<Utc>>,
    /// When everybody was dealt with, or it was cancelled.
    finished_at: Option<DateTime<Utc>>,
    /// Its version, which is also its ETag.
    version: i64,
}

impl Example for Broadcast {
    fn example() -> Self {
        let time = |minutes: i64| DateTime::from_timestamp(1_800_003_600 + minutes * 60, 0).unwrap_or_default();
        Self {
            id: Uuid::from_u128(EXAMPLE_ID),
            status: BroadcastStatus::Sending,
            text: "<b>Gold week</b> begins: send me GOLD10.".to_owned(),
            format: Format::Html,
            photo: None,
            buttons: vec![vec![BroadcastButton::example()]],
            audience: BroadcastAudience::example(),
            send_at: None,
            recipients: Some(1_204),
            counts: BroadcastCounts::example(),
            created_at: time(0),
            updated_at: time(1),
            started_at: Some(time(1)),
            finished_at: None,
            version: 3,
        }
    }
}

impl Broadcast {
    pub(super) fn new(row: Row, counts: Counts) -> Answer<Self> {
        let Letter { message, audience } = row.letter.0;
        let button = |button: broadcast::Button| BroadcastButton { text: button.text, url: button.url };
        Ok(Self {
            id: row.id,
            status: BroadcastStatus::read(&row.status)?,
            text: message.text,
            format: if message.html { Format::Html } else { Format::Plain },
            photo: message.photo,
            buttons: message.buttons.into_iter().map(|row| row.into_iter().map(button).collect()).collect(),
            audience: audience.into(),
            send_at: row.send_at,
            recipients: row.recipients,
            counts: counts.into(),
            created_at: row.created_at,
            updated_at: row.updated_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            version: row.version,
        })
    }
}

/// Broadcasts in a table.
pub(super) struct BroadcastTable;

impl Columns for BroadcastTable {
    const NAMES: &'static str = "id,status,format,text,photo,active_within_days,redeemed,holds,language,send_at,recipients,\
                                 pending,sending,sent,failed,gone,unconfirmed,created_at,updated_at,started_at,finished_at,\
                                 version";
    const EXAMPLE: &'static str = "01935c2e-7b4a-7c31-9f05-5d1a8e6204b7,completed,plain,Gold week begins: send me GOLD10.,,\
                                   30,,,en,,1204,0,0,1193,0,11,0,2027-01-15T09:00:00.000000Z,\
                                   2027-01-15T09:05:00.000000Z,2027-01-15T09:01:00.000000Z,2027-01-15T09:05:00.000000Z,4";
}

pub(super) fn row_line(row: &Row, counts: &[(Uuid, Counts)]) -> String {
    let Letter { message, audience } = &row.letter.0;
    let counts = counts.iter().find(|(of, _)| *of == row.id).map(|(_, counts)| *counts).unwrap_or_default();
    let Counts { pending, sending, sent, failed, gone, unconfirmed } = counts;
    let counts = [pending, sending, sent, failed, gone, unconfirmed].map(|count| count.to_string());
    let [pending, sending, sent, failed, gone, unconfirmed] = &counts;
    line(&[
        &row.id.to_string(),
        &row.status,
        if message.html { "html" } else { "plain" },
        &message.text,
        message.photo.as_deref().unwrap_or_default(),
        &maybe(audience.active_within_days),
        &maybe(audience.redeemed),
        &maybe(audience.holds),
        audience.language.as_deref().unwrap_or_default(),
        &row.send_at.map(time).unwrap_or_default(),
        &maybe(row.recipients),
        pending,
        sending,
        sent,
        failed,
        gone,
        unconfirmed,
        &time(row.created_at),
        &time(row.updated_at),
        &row.started_at.map(time).unwrap_or_default(),
        &row.finished_at.map(time).unwrap_or_default(),
        &row.version.to_string(),
    ])
}

/// A page of broadcasts.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct BroadcastPage {
    /// The broadcasts.
    pub(super) items: Vec<Broadcast>,
    /// The `cursor` of the next page; missing on the last one.
    pub(super) next_cursor: Option<String>,
}

impl Example for BroadcastPage {
    fn example() -> Self {
        Self { items: vec![Broadcast::example()], next_cursor: Some(example_cursor()) }
    }
}
