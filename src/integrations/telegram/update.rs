//! Reading what Telegram posts to the webhook.
//!
//! Every update has a number and nearly every one a chat; both are found without
//! knowing its kind, so that an update of a kind that does not exist yet is kept and
//! counted like any other. Of the kinds, only these are read further: in private chats a
//! text, a pressed button, and whether the person has blocked the bot; in channels and
//! groups who asks to join, who came and went, and how the bot itself stands.
//! teloxide's `Update` is not used for it: it reads all of a message's content or nothing
//! and says nothing about it, so that one entity of a newer Bot API hides the text of the
//! message (a test shows it).

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use teloxide::types::AllowedUpdate;
use thiserror::Error;

mod channel;

pub use channel::{BotChange, JoinRequest, MemberChange};

/// The kinds of updates that are read, to be asked for with the webhook. Telegram sends
/// `chat_member` to nobody who does not name it, and nothing else to those who name some.
pub const WANTED: [AllowedUpdate; 5] = [
    // What people write to the bot, and which buttons they press.
    AllowedUpdate::Message,
    AllowedUpdate::CallbackQuery,
    // Whether a person has blocked the bot, and what it may do in a channel.
    AllowedUpdate::MyChatMember,
    // Who asks to join a channel, and who came and went.
    AllowedUpdate::ChatJoinRequest,
    AllowedUpdate::ChatMember,
];

/// One update.
#[derive(Clone, PartialEq, Eq)]
pub struct IncomingUpdate {
    /// Telegram's number for it: the same update always comes under the same one.
    pub update_id: i64,
    /// The chat (or, where there is none, the person) it belongs to. Updates of one
    /// chat are to be worked in order, but see [`Kind::member`].
    pub chat_id: Option<i64>,
    /// What happened.
    pub kind: Kind,
}

/// What an update tells.
#[derive(Clone, PartialEq, Eq)]
pub enum Kind {
    /// A person wrote to the bot.
    PrivateText {
        /// Who.
        from: Sender,
        /// What, without NUL characters: PostgreSQL stores none.
        text: String,
        /// The message's number in the chat.
        message_id: i32,
    },
    /// A person pressed a button below a message of the bot.
    Pressed {
        /// Who.
        from: Sender,
        /// What the button was to tell the bot, without NUL characters. A button of long
        /// ago may still be there.
        data: String,
        /// To answer the press with.
        callback_id: String,
        /// The number of the message in the chat, however old it is.
        message_id: Option<i32>,
    },
    /// A person blocked the bot in their private chat with it, or let it in again.
    Membership {
        /// Who.
        from: Sender,
        /// Whether nothing reaches them now.
        blocked: bool,
    },
    /// A person asks to join a channel or a group.
    JoinRequest(JoinRequest),
    /// A person came into a channel or a group, left it, or was removed.
    MemberChanged(MemberChange),
    /// The bot came into a channel or a group or left it, or its rights there changed.
    BotChanged(BotChange),
    /// Anything else.
    Other {
        /// Telegram's name for the kind of update, such as `edited_message`.
        name: Option<String>,
    },
}

impl Kind {
    /// Whom it concerns, of all who are in a channel or a group. Updates about one of them
    /// are to be worked in order, and need not wait for those about another.
    #[must_use]
    pub const fn member(&self) -> Option<i64> {
        match self {
            Self::JoinRequest(request) => Some(request.from.id),
            Self::MemberChanged(change) => Some(change.person.id),
            Self::PrivateText { .. }
            | Self::Pressed { .. }
            | Self::Membership { .. }
            | Self::BotChanged(_)
            | Self::Other { .. } => None,
        }
    }
}

/// The person who did it.
#[derive(Clone, PartialEq, Eq)]
pub struct Sender {
    /// The Telegram user id.
    pub id: i64,
    /// The only name Telegram insists on.
    pub first_name: String,
    /// Without the `@`.
    pub username: Option<String>,
    /// The language of the person's app, such as `en` or `pt-br`.
    pub language_code: Option<String>,
}

/// Why a body is no update. Quotes nothing of it.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum UpdateError {
    /// Not a JSON object.
    #[error("the update is not a JSON object (line {line}, column {column})")]
    NotAnObject {
        /// Where reading stopped.
        line: usize,
        /// Where in that line.
        column: usize,
    },
    /// The number that tells one update from another is missing or no whole number.
    #[error("the update has no update_id")]
    NoUpdateId,
}

/// Reads one update from the body of a webhook request.
pub fn read(body: &[u8]) -> Result<IncomingUpdate, UpdateError> {
    let fields: BTreeMap<String, &RawValue> =
        serde_json::from_slice(body).map_err(|e| UpdateError::NotAnObject { line: e.line(), column: e.column() })?;
    let update_id = fields.get("update_id").and_then(|raw| raw.get().parse().ok()).ok_or(UpdateError::NoUpdateId)?;
    let content = fields.iter().find(|(name, _)| *name != "update_id");
    let Some((name, content)) = content else {
        return Ok(IncomingUpdate { update_id, chat_id: None, kind: Kind::Other { name: None } });
    };
    let kind = match name.as_str() {
        "message" => private_text(content),
        "my_chat_member" => membership(content).or_else(|| channel::bot_change(content).map(Kind::BotChanged)),
        "callback_query" => pressed(content),
        "chat_join_request" => channel::join_request(content).map(Kind::JoinRequest),
        "chat_member" => channel::member_change(content).map(Kind::MemberChanged),
        _ => None,
    };
    Ok(IncomingUpdate {
        update_id,
        chat_id: chat_id(content),
        kind: kind.unwrap_or_else(|| Kind::Other { name: Some(name.clone()) }),
    })
}

/// Where the kinds of update keep the chat, most telling first.
fn chat_id(content: &RawValue) -> Option<i64> {
    const PLACES: [&str; 7] =
        ["/chat/id", "/message/chat/id", "/from/id", "/user/id", "/voter_chat/id", "/user_chat_id", "/actor_chat/id"];
    let content: Value = serde_json::from_str(content.get()).ok()?;
    PLACES.iter().find_map(|place| content.pointer(place)?.as_i64())
}

#[derive(Deserialize)]
struct Chat {
    id: i64,
    r#type: String,
    title: Option<String>,
}

impl Chat {
    fn is_private(&self) -> bool {
        self.r#type == "private"
    }
}

#[derive(Deserialize)]
struct User {
    id: i64,
    first_name: String,
    username: Option<String>,
    language_code: Option<String>,
}

impl From<User> for Sender {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            first_name: storable(user.first_name),
            username: user.username.map(storable),
            language_code: user.language_code.map(storable),
        }
    }
}

/// `None` for a message of any other sort.
fn private_text(content: &RawValue) -> Option<Kind> {
    #[derive(Deserialize)]
    struct Message {
        message_id: i32,
        chat: Chat,
        from: User,
        text: String,
    }

    let message: Message = serde_json::from_str(content.get()).ok()?;
    message.chat.is_private().then(|| Kind::PrivateText {
        from: message.from.into(),
        text: storable(message.text),
        message_id: message.message_id,
    })
}

/// `None` in other chats than private ones, where a membership says nothing of blocking.
fn membership(content: &RawValue) -> Option<Kind> {
    #[derive(Deserialize)]
    struct Change {
        chat: Chat,
        from: User,
        new_chat_member: Member,
    }
    #[derive(Deserialize)]
    struct Member {
        status: String,
    }

    let change: Change = serde_json::from_str(content.get()).ok()?;
    let blocked = match change.new_chat_member.status.as_str() {
        "kicked" => true,
        "member" => false,
        _ => return None,
    };
    change.chat.is_private().then(|| Kind::Membership { from: change.from.into(), blocked })
}

/// `None` elsewhere than in private chats. Of a message that is too old Telegram tells
/// nothing but its chat and its number, which is 0 if it does not know that either.
fn pressed(content: &RawValue) -> Option<Kind> {
    #[derive(Deserialize)]
    struct Query {
        id: String,
        from: User,
        message: Message,
        data: String,
    }
    #[derive(Deserialize)]
    struct Message {
        chat: Chat,
        message_id: Option<i32>,
    }

    let query: Query = serde_json::from_str(content.get()).ok()?;
    query.message.chat.is_private().then(|| Kind::Pressed {
        from: query.from.into(),
        data: storable(query.data),
        callback_id: storable(query.id),
        message_id: query.message.message_id.filter(|id| *id > 0),
    })
}

/// PostgreSQL stores no NUL.
pub(super) fn storable(mut text: String) -> String {
    text.retain(|c| c != '\0');
    text
}

/// Without the chat: its number is a person's.
impl fmt::Debug for IncomingUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingUpdate")
            .field("update_id", &self.update_id)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Without the text and the data.
impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PrivateText { .. } => f.debug_struct("PrivateText").finish_non_exhaustive(),
            Self::Pressed { .. } => f.debug_struct("Pressed").finish_non_exhaustive(),
            Self::Membership { blocked, .. } => {
                f.debug_struct("Membership").field("blocked", blocked).finish_non_exhaustive()
            }
            Self::JoinRequest(request) => request.fmt(f),
            Self::MemberChanged(change) => change.fmt(f),
            Self::BotChanged(change) => change.fmt(f),
            Self::Other { name } => f.debug_struct("Other").field("name", name).finish(),
        }
    }
}

/// Without anything about the person.
impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
