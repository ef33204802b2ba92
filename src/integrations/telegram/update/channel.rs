//! What updates tell of channels and groups: who asks to join, who came and went, and
//! how the bot itself stands.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::link::{self, InviteLink};
use super::super::standing::{self, Standing};
use super::{Chat, Sender, User, storable};

/// Somebody asks to join.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinRequest {
    /// The chat they ask for.
    pub chat: i64,
    /// Who asks.
    pub from: Sender,
    /// Where the bot can write to them until the request is answered, for 5 minutes at
    /// most, even if they have never started it. Only good for that.
    pub user_chat_id: Option<i64>,
    /// When they asked.
    pub at: DateTime<Utc>,
    /// The link they asked by.
    pub link: Option<InviteLink>,
    /// What they say of themselves.
    pub bio: Option<String>,
}

/// Somebody's standing in a chat has changed: they came, left, were removed, banned …
#[derive(Clone, PartialEq, Eq)]
pub struct MemberChange {
    /// The chat.
    pub chat: i64,
    /// Who did it: the person, or an administrator, which may be the bot.
    pub by: Sender,
    /// Whose standing it is.
    pub person: Sender,
    /// How they stood.
    pub old: Standing,
    /// How they stand.
    pub new: Standing,
    /// When it changed.
    pub at: DateTime<Utc>,
    /// The link they came by, if they came by one.
    pub link: Option<InviteLink>,
    /// Whether they had asked to join without any link. Who asked by a link has the link
    /// above instead.
    pub via_join_request: bool,
}

/// The bot's own standing in a chat has changed: its rights, or whether it is there at all.
#[derive(Clone, PartialEq, Eq)]
pub struct BotChange {
    /// The chat.
    pub chat: i64,
    /// What the chat is called.
    pub title: Option<String>,
    /// Who did it.
    pub by: Sender,
    /// How it stood.
    pub old: Standing,
    /// How it stands.
    pub new: Standing,
    /// When it changed.
    pub at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Member {
    user: User,
    #[serde(flatten)]
    described: standing::Described,
}

#[derive(Deserialize)]
struct Change {
    chat: Chat,
    from: User,
    date: i64,
    old_chat_member: Member,
    new_chat_member: Member,
    invite_link: Option<link::Described>,
    #[serde(default)]
    via_join_request: bool,
}

pub(super) fn join_request(content: &RawValue) -> Option<JoinRequest> {
    #[derive(Deserialize)]
    struct Request {
        chat: Chat,
        from: User,
        user_chat_id: Option<i64>,
        date: i64,
        invite_link: Option<link::Described>,
        bio: Option<String>,
    }

    let request: Request = serde_json::from_str(content.get()).ok()?;
    Some(JoinRequest {
        chat: request.chat.id,
        from: request.from.into(),
        user_chat_id: request.user_chat_id,
        at: DateTime::from_timestamp(request.date, 0)?,
        link: request.invite_link.map(InviteLink::from),
        bio: request.bio.map(storable),
    })
}

pub(super) fn member_change(content: &RawValue) -> Option<MemberChange> {
    let change: Change = serde_json::from_str(content.get()).ok()?;
    Some(MemberChange {
        chat: change.chat.id,
        by: change.from.into(),
        person: change.new_chat_member.user.into(),
        old: change.old_chat_member.described.into(),
        new: change.new_chat_member.described.into(),
        at: DateTime::from_timestamp(change.date, 0)?,
        link: change.invite_link.map(InviteLink::from),
        via_join_request: change.via_join_request,
    })
}

/// `None` in private chats, where it says whether the person has blocked the bot.
pub(super) fn bot_change(content: &RawValue) -> Option<BotChange> {
    let change: Change = serde_json::from_str(content.get()).ok()?;
    if change.chat.is_private() {
        return None;
    }
    Some(BotChange {
        chat: change.chat.id,
        title: change.chat.title.map(storable),
        by: change.from.into(),
        old: change.old_chat_member.described.into(),
        new: change.new_chat_member.described.into(),
        at: DateTime::from_timestamp(change.date, 0)?,
    })
}

/// Without who asks for what.
impl fmt::Debug for JoinRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinRequest").field("at", &self.at).field("link", &self.link).finish_non_exhaustive()
    }
}

/// Without who it is and where.
impl fmt::Debug for MemberChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemberChange")
            .field("old", &self.old)
            .field("new", &self.new)
            .field("at", &self.at)
            .field("link", &self.link)
            .field("via_join_request", &self.via_join_request)
            .finish_non_exhaustive()
    }
}

/// Without who did it and where.
impl fmt::Debug for BotChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BotChange")
            .field("old", &self.old)
            .field("new", &self.new)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
