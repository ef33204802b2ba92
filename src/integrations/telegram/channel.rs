//! Calls about who is in a chat: links, requests to join, members, and our own rights.
//!
//! The chat is a channel or a supergroup in which the bot is an administrator. What a
//! call wishes and finds done already is a success, so every call here can be repeated,
//! except that each [`create_request_link`](Telegram::create_request_link) and
//! [`create_single_link`](Telegram::create_single_link) makes another link.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::IgnoredAny;
use teloxide::payloads::{
    ApproveChatJoinRequest, CreateChatInviteLink, CreateChatInviteLinkSetters, DeclineChatJoinRequest,
    EditMessageReplyMarkup, GetChat, GetChatMember, GetChatMemberCount, RevokeChatInviteLink, UnbanChatMember,
    UnbanChatMemberSetters,
};
use teloxide::types::{ChatId, UserId};

use super::link::{self, InviteLink, LinkName};
use super::standing::{self, Rights, Standing};
use super::update::storable;
use super::{MessageId, Telegram, TelegramError, answer};

mod error;

pub use error::{ChannelError, Remedy};

/// What became of a request to join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// As we wished. (If they were told "no" before, by another administrator, this is said, too.)
    Done,
    /// They are in: by another way, or because this request has been approved before.
    AlreadyIn,
    /// There is none: it has been answered, or they have taken it back.
    RequestGone,
    /// They cannot be let in: Telegram knows no such person, or their account was deleted.
    PersonGone,
    /// They cannot be let in before they leave some other channel: Telegram has a limit.
    TooManyChannels,
}

/// What became of a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// They are out. Telegram does not tell whether they were in.
    Done,
    /// Telegram says there is nobody like that to remove.
    NobodyThere,
}

/// A chat that the bot is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its number.
    pub id: i64,
    /// Telegram's name for its kind, such as `channel` or `supergroup`.
    pub kind: String,
    /// What it is called; none if it is a chat with a person.
    pub title: Option<String>,
}

impl Telegram {
    /// Makes a link by which people can ask to join, until `expires_at`. The bot is told
    /// who asked by which link ([`Kind::JoinRequest`](super::update::Kind::JoinRequest))
    /// and [approves](Self::approve) or [declines](Self::decline). Needs `can_invite_users`.
    ///
    /// # Errors
    /// [`ChannelError`]. Where it [may have been done](ChannelError::may_have_been_done),
    /// a link may have been made that nobody knows of; it does no harm, since nobody gets in
    /// without our word.
    pub async fn create_request_link(
        &self,
        chat: i64,
        name: &LinkName,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<InviteLink, ChannelError> {
        let payload = CreateChatInviteLink::new(ChatId(chat)).name(name.as_str()).creates_join_request(true);
        self.create_link(payload, expires_at).await
    }

    /// Makes a link by which one person can be in the chat at a time, until `expires_at`.
    /// It has to be [revoked](Self::revoke_link) when somebody has come in: once they
    /// leave, the next one could use it. Needs `can_invite_users`.
    ///
    /// # Errors
    /// [`ChannelError`]. Where it [may have been done](ChannelError::may_have_been_done),
    /// a link may have been made that nobody knows of.
    pub async fn create_single_link(
        &self,
        chat: i64,
        name: &LinkName,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<InviteLink, ChannelError> {
        let payload = CreateChatInviteLink::new(ChatId(chat)).name(name.as_str()).member_limit(1);
        self.create_link(payload, expires_at).await
    }

    async fn create_link(
        &self,
        payload: CreateChatInviteLink,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<InviteLink, ChannelError> {
        let payload = match expires_at {
            Some(instant) => payload.expire_date(instant),
            None => payload,
        };
        let made: link::Described = self.call("createChatInviteLink", &payload).await?;
        Ok(made.into())
    }

    /// Makes a link of the bot's own useless. Requests that came by it stay open. One that
    /// is useless already is a success. Needs `can_invite_users`.
    ///
    /// # Errors
    /// [`ChannelError`].
    pub async fn revoke_link(&self, chat: i64, url: &str) -> Result<(), ChannelError> {
        let payload = RevokeChatInviteLink::new(ChatId(chat), url);
        let revoked: Result<IgnoredAny, _> = self.call("revokeChatInviteLink", &payload).await;
        match revoked {
            Err(refusal) if error::says_no_such_link(&refusal) => Ok(()),
            revoked => Ok(revoked.map(drop)?),
        }
    }

    /// Lets in a person who asked to join. Needs `can_invite_users`.
    ///
    /// # Errors
    /// [`ChannelError`].
    pub async fn approve(&self, chat: i64, person: i64) -> Result<Settled, ChannelError> {
        let payload = ApproveChatJoinRequest::new(ChatId(chat), user(person));
        settled(self.call("approveChatJoinRequest", &payload).await)
    }

    /// Turns away a person who asked to join. Needs `can_invite_users`.
    ///
    /// # Errors
    /// [`ChannelError`].
    pub async fn decline(&self, chat: i64, person: i64) -> Result<Settled, ChannelError> {
        let payload = DeclineChatJoinRequest::new(ChatId(chat), user(person));
        settled(self.call("declineChatJoinRequest", &payload).await)
    }

    /// Removes a person, in one call that leaves no ban behind: at no instant are they
    /// kept from coming back by a link, so it does not matter where a crash falls. It
    /// lifts a ban, too. Needs `can_restrict_members`.
    ///
    /// # Errors
    /// [`ChannelError`]; [`ChannelError::Protected`] for owners and administrators.
    pub async fn remove_member(&self, chat: i64, person: i64) -> Result<Removal, ChannelError> {
        // Without `only_if_banned`, which would leave a member where they are.
        let payload = UnbanChatMember::new(ChatId(chat), user(person));
        let removed: Result<IgnoredAny, _> = self.call("unbanChatMember", &payload).await;
        match removed {
            Ok(_) => Ok(Removal::Done),
            Err(refusal) if error::says_nobody(&refusal) => Ok(Removal::NobodyThere),
            Err(error) => Err(error.into()),
        }
    }

    /// Lifts a ban if there is one, and leaves a member where they are. Needs
    /// `can_restrict_members`.
    ///
    /// # Errors
    /// [`ChannelError`].
    pub async fn lift_ban(&self, chat: i64, person: i64) -> Result<(), ChannelError> {
        let payload = UnbanChatMember::new(ChatId(chat), user(person)).only_if_banned(true);
        let lifted: Result<IgnoredAny, _> = self.call("unbanChatMember", &payload).await;
        match lifted {
            Err(refusal) if error::says_nobody(&refusal) => Ok(()),
            lifted => Ok(lifted.map(drop)?),
        }
    }

    /// How a person stands in the chat. [`Standing::Unknown`] if Telegram says that it
    /// knows nobody like that: it has said so of people who exist.
    ///
    /// # Errors
    /// [`ChannelError`].
    pub async fn standing(&self, chat: i64, person: i64) -> Result<Standing, ChannelError> {
        let payload = GetChatMember::new(ChatId(chat), user(person));
        let described: Result<standing::Described, _> = self.call("getChatMember", &payload).await;
        match described {
            Ok(described) => Ok(described.into()),
            Err(TelegramError::Rejected { reason, .. } | TelegramError::RecipientGone { reason, .. })
                if error::is_nobody(&reason) =>
            {
                Ok(Standing::Unknown(reason))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// How many are in the chat: the owner, administrators and bots among them.
    ///
    /// # Errors
    /// [`ChannelError`].
    pub async fn member_count(&self, chat: i64) -> Result<u64, ChannelError> {
        Ok(self.call("getChatMemberCount", &GetChatMemberCount::new(ChatId(chat))).await?)
    }

    /// What the bot itself may do in the chat; nothing if it is no administrator.
    ///
    /// # Errors
    /// [`ChannelError`]; [`ChannelError::Outside`] if it is not in there at all.
    pub async fn own_rights(&self, chat: i64) -> Result<Rights, ChannelError> {
        let bot = self.identity().await?;
        Ok(self.standing(chat, bot.id).await?.rights())
    }

    /// What the chat is.
    ///
    /// # Errors
    /// [`ChannelError`].
    pub async fn place(&self, chat: i64) -> Result<Place, ChannelError> {
        #[derive(Deserialize)]
        struct Chat {
            id: i64,
            r#type: String,
            title: Option<String>,
        }

        let chat: Chat = self.call("getChat", &GetChat::new(ChatId(chat))).await?;
        Ok(Place { id: chat.id, kind: storable(chat.r#type), title: chat.title.map(storable) })
    }

    /// Finds out whose post has a number in a channel, and changes nothing about it: the
    /// buttons of a post without buttons are taken away. (One that has some loses them.)
    ///
    /// # Errors
    /// [`TelegramError`], as any call.
    pub async fn trace(&self, chat: i64, id: MessageId) -> Result<Trace, TelegramError> {
        let id = teloxide::types::MessageId(id.0);
        let payload = EditMessageReplyMarkup::new(ChatId(chat), id);
        let edited: Result<IgnoredAny, _> = self.call("editMessageReplyMarkup", &payload).await;
        match edited {
            Ok(_) => Ok(Trace::Ours),
            Err(TelegramError::TooLate { .. }) => Ok(Trace::Nothing),
            Err(TelegramError::Rejected { reason, .. }) if answer::says_unchanged(&reason) => Ok(Trace::Ours),
            Err(TelegramError::Rejected { reason, .. }) if answer::says_not_ours(&reason) => Ok(Trace::Others),
            Err(error) => Err(error),
        }
    }
}

/// Whose post has a number in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// The bot may edit it: the bot's own, or anybody's if the bot has the right to
    /// [edit those](Rights::can_edit_messages).
    Ours,
    /// Somebody else's.
    Others,
    /// There is none, or not any more.
    Nothing,
}

fn settled(answer: Result<IgnoredAny, TelegramError>) -> Result<Settled, ChannelError> {
    match answer {
        Ok(_) => Ok(Settled::Done),
        Err(refusal) => error::settled(&refusal).ok_or_else(|| refusal.into()),
    }
}

/// 0 is nobody, and Telegram says so.
fn user(person: i64) -> UserId {
    UserId(u64::try_from(person).unwrap_or(0))
}
