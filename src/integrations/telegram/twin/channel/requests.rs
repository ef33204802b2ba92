//! approveChatJoinRequest and declineChatJoinRequest, and the same by the owner.

use serde_json::Value;
use sqlx::PgConnection;

use super::super::Twin;
use super::super::answer::{Answer, Refusal};
use super::super::bot_api::Bot;
use super::super::params::Params;
use super::link::Link;
use super::member::{Member, Move};
use super::person::Person;
use super::{Call, Channel, person_id};

pub(in super::super) async fn approve(twin: &Twin, bot: Bot, params: &Params) -> Answer {
    settle(twin, bot, params, true).await
}

pub(in super::super) async fn decline(twin: &Twin, bot: Bot, params: &Params) -> Answer {
    settle(twin, bot, params, false).await
}

async fn settle(twin: &Twin, bot: Bot, params: &Params, approved: bool) -> Answer {
    let person = person_id(params)?;
    let mut call = Call::begin(twin, bot, params).await?;
    if !call.seat.can_invite_users {
        return Err(Refusal::bad_request("not enough rights to manage chat join requests"));
    }
    let known = Person::find(&mut call.transaction, person).await?;
    let person = known.ok_or_else(|| Refusal::bad_request("USER_ID_INVALID"))?;
    if Member::of(&mut call.transaction, call.channel.chat_id, person.user_id).await?.is_in() {
        return Err(Refusal::bad_request("USER_ALREADY_PARTICIPANT"));
    }
    if !answer(&mut call.transaction, &call.channel, &person, bot.user(), approved).await? {
        return Err(Refusal::bad_request("HIDE_REQUESTER_MISSING"));
    }
    call.finish(twin).await?;
    Ok(Value::Bool(true))
}

/// Whether there was a request to answer.
pub(super) async fn answer(
    connection: &mut PgConnection,
    channel: &Channel,
    person: &Person,
    by: Value,
    approved: bool,
) -> sqlx::Result<bool> {
    let link: Option<String> = sqlx::query_scalar(
        "delete from sandbox.telegram_join_request where chat_id = $1 and user_id = $2 returning link",
    )
    .bind(channel.chat_id)
    .bind(person.user_id)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(link) = link else {
        return Ok(false);
    };
    if approved {
        let link = Link::find(connection, &link).await?;
        let to = Member::with("member");
        Move { person, to, by, link: link.as_ref() }.make(connection, channel).await?;
    }
    Ok(true)
}
