//! createChatInviteLink and revokeChatInviteLink.

use chrono::{DateTime, Utc};

use super::super::super::text::cleaned;
use super::super::Twin;
use super::super::answer::{Answer, Refusal};
use super::super::bot_api::Bot;
use super::super::params::Params;
use super::Call;
use super::link::{Link, Wanted};
use super::member::owner;
use super::seat::seconds_now;

const LONGEST_NAME: usize = 32;
const LARGEST_LIMIT: i64 = 99_999;

pub(in super::super) async fn create(twin: &Twin, bot: Bot, params: &Params) -> Answer {
    let mut call = begin(twin, bot, params).await?;
    let creates_join_request = params.flag("creates_join_request");
    let member_limit = params.integer("member_limit").filter(|limit| *limit != 0);
    if creates_join_request && member_limit.is_some() {
        return Err(Refusal::bad_request("member limit can't be specified for links requiring administrator approval"));
    }
    if member_limit.is_some_and(|limit| !(1..=LARGEST_LIMIT).contains(&limit)) {
        return Err(Refusal::bad_request("USAGE_LIMIT_INVALID"));
    }
    let expires_at = params.integer("expire_date").filter(|instant| *instant != 0);
    let past = match expires_at {
        Some(instant) => instant <= seconds_now(&mut call.transaction).await?,
        None => false,
    };
    let expires_at = expires_at.map(|instant| DateTime::<Utc>::from_timestamp(instant, 0));
    if past || expires_at == Some(None) {
        return Err(Refusal::bad_request("EXPIRE_DATE_INVALID"));
    }
    // Cut off without a word.
    let name: String = cleaned(&params.text("name").unwrap_or_default()).chars().take(LONGEST_NAME).collect();
    let wanted = Wanted {
        bot_id: Some(bot.id),
        name: Some(name).filter(|name| !name.is_empty()),
        expires_at: expires_at.flatten(),
        member_limit: member_limit.and_then(|limit| i32::try_from(limit).ok()),
        creates_join_request,
    };
    let made = Link::make(&mut call.transaction, call.channel.chat_id, wanted).await?;
    show(call, twin, &made).await
}

/// Only a bot's own links. One that is revoked already is revoked again.
pub(in super::super) async fn revoke(twin: &Twin, bot: Bot, params: &Params) -> Answer {
    let mut call = begin(twin, bot, params).await?;
    let url = params.text("invite_link").unwrap_or_default();
    let found = Link::find(&mut call.transaction, &url).await?;
    let mut link = found
        .filter(|link| link.chat_id == call.channel.chat_id && link.bot_id == Some(bot.id))
        .ok_or_else(|| Refusal::bad_request("INVITE_HASH_EXPIRED"))?;
    link.revoke(&mut call.transaction).await?;
    show(call, twin, &link).await
}

async fn begin(twin: &Twin, bot: Bot, params: &Params) -> Result<Call, Refusal> {
    let call = Call::begin(twin, bot, params).await?;
    if !call.seat.can_invite_users {
        return Err(Refusal::bad_request("not enough rights to manage chat invite link"));
    }
    Ok(call)
}

async fn show(mut call: Call, twin: &Twin, link: &Link) -> Answer {
    let owner = owner(&mut call.transaction, &call.channel).await?;
    let shown = link.describe(call.bot, &owner);
    call.finish(twin).await?;
    Ok(shown)
}
