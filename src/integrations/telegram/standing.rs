//! How somebody stands in a chat, as answers and updates say it.
//!
//! Read leniently: a status or a right of a newer Bot API must not hide the rest.

use serde::Deserialize;

use super::update::storable;

/// How somebody stands in a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The chat is theirs. They cannot be removed.
    Owner,
    /// Rules in it, with these rights among others. Has to be demoted by hand before they
    /// can be removed.
    Administrator(Rights),
    /// In it, and nothing more.
    Member,
    /// In a group under restrictions, or restricted for the time they come back.
    Restricted {
        /// Whether they are in it now.
        is_member: bool,
    },
    /// Not in it: never was, left, or was removed. May come in.
    Left,
    /// Not in it, and cannot come in by any link.
    Banned,
    /// Telegram cannot say, or says something newer than this program, in its own words.
    /// Not to be taken for being out: it has been seen for people who were in a moment later.
    Unknown(String),
}

/// What an administrator may do, as far as a paid channel needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Rights {
    /// Make and revoke links, answer requests to join, be told of them.
    pub can_invite_users: bool,
    /// Remove members and lift bans.
    pub can_restrict_members: bool,
    /// Post in a channel.
    pub can_post_messages: bool,
    /// Edit what others posted in a channel. Not needed for anything.
    pub can_edit_messages: bool,
}

impl Rights {
    /// All of them, as an owner has.
    pub const ALL: Self =
        Self { can_invite_users: true, can_restrict_members: true, can_post_messages: true, can_edit_messages: true };

    /// Telegram's names of those that are missing for a paid channel.
    pub fn missing(self) -> impl Iterator<Item = &'static str> {
        let rights = [
            ("can_invite_users", self.can_invite_users),
            ("can_restrict_members", self.can_restrict_members),
            ("can_post_messages", self.can_post_messages),
        ];
        rights.into_iter().filter(|(_, given)| !given).map(|(name, _)| name)
    }
}

impl Standing {
    /// Whether they are in the chat; `None` if Telegram did not say.
    pub fn is_in(&self) -> Option<bool> {
        match self {
            Self::Owner | Self::Administrator(_) | Self::Member => Some(true),
            Self::Restricted { is_member } => Some(*is_member),
            Self::Left | Self::Banned => Some(false),
            Self::Unknown(_) => None,
        }
    }

    /// What they may do there.
    pub fn rights(&self) -> Rights {
        match self {
            Self::Owner => Rights::ALL,
            Self::Administrator(rights) => *rights,
            Self::Member | Self::Restricted { .. } | Self::Left | Self::Banned | Self::Unknown(_) => Rights::default(),
        }
    }
}

/// A `ChatMember`, as far as it says how somebody stands.
#[derive(Deserialize)]
pub(super) struct Described {
    status: String,
    #[serde(default)]
    is_member: bool,
    #[serde(flatten)]
    rights: Rights,
}

impl From<Described> for Standing {
    fn from(described: Described) -> Self {
        match described.status.as_str() {
            "creator" => Self::Owner,
            "administrator" => Self::Administrator(described.rights),
            "member" => Self::Member,
            "restricted" => Self::Restricted { is_member: described.is_member },
            "left" => Self::Left,
            "kicked" => Self::Banned,
            _ => Self::Unknown(storable(described.status)),
        }
    }
}
