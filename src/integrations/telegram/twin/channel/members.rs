//! getChat, getChatMember, getChatMemberCount, banChatMember and unbanChatMember.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::Row;

use super::super::answer::{Answer, Refusal};
use super::super::bot_api::Bot;
use super::super::params::Params;
use super::super::{Twin, send};
use super::member::{Member, Move};
use super::person::Person;
use super::seat::{Seat, seconds_now};
use super::{Call, person_id};

/// A ban for less or for more than this is one for ever.
const SHORTEST_BAN: TimeDelta = TimeDelta::seconds(30);
const LONGEST_BAN: TimeDelta = TimeDelta::days(366);

/// Of people, too, who have spoken to the bot.
pub(in super::super) async fn chat(twin: &Twin, bot: Bot, params: &Params) -> Answer {
    let chat_id = send::chat_id(params)?;
    let mut chat = if chat_id < 0 {
        Call::begin(twin, bot, params).await?.channel.describe()
    } else {
        let person =
            sqlx::query("select first_name, username from sandbox.telegram_chat where bot_id = $1 and chat_id = $2")
                .bind(bot.id)
                .bind(chat_id)
                .fetch_optional(twin.pool())
                .await?
                .ok_or_else(|| Refusal::bad_request("chat not found"))?;
        let mut chat =
            json!({ "id": chat_id, "type": "private", "first_name": person.try_get::<String, _>("first_name")? });
        if let Some(username) = person.try_get::<Option<String>, _>("username")? {
            chat["username"] = json!(username);
        }
        chat
    };
    chat["accent_color_id"] = json!(0);
    chat["max_reaction_count"] = json!(11);
    Ok(chat)
}

pub(in super::super) async fn member(twin: &Twin, bot: Bot, params: &Params) -> Answer {
    let person = person_id(params)?;
    let mut call = Call::begin(twin, bot, params).await?;
    let chat_id = call.channel.chat_id;
    if person == bot.id {
        return Ok(call.seat.describe(bot));
    }
    if let Some(seat) = Seat::of(&mut call.transaction, chat_id, person).await? {
        return Ok(seat.describe(Bot { id: person }));
    }
    let person = Person::find(&mut call.transaction, person).await?;
    let person = person.ok_or_else(|| Refusal::bad_request("user not found"))?;
    Ok(Member::of(&mut call.transaction, chat_id, person.user_id).await?.describe(&person))
}

pub(in super::super) async fn count(twin: &Twin, bot: Bot, params: &Params) -> Answer {
    let mut call = Call::begin(twin, bot, params).await?;
    let count: i64 = sqlx::query_scalar(
        "select (select count(*) from sandbox.telegram_channel_member
                  where chat_id = $1 and status in ('creator', 'member'))
              + (select count(*) from sandbox.telegram_channel_bot where chat_id = $1 and status = 'administrator')",
    )
    .bind(call.channel.chat_id)
    .fetch_one(&mut *call.transaction)
    .await?;
    Ok(json!(count))
}

pub(in super::super) async fn ban(twin: &Twin, bot: Bot, params: &Params) -> Answer {
    let (mut call, person, _) = begin(twin, bot, params).await?;
    let now = DateTime::from_timestamp(seconds_now(&mut call.transaction).await?, 0).unwrap_or_default();
    let until: Option<DateTime<Utc>> =
        params.integer("until_date").and_then(|instant| DateTime::from_timestamp(instant, 0));
    let until_at = until.filter(|until| (SHORTEST_BAN..=LONGEST_BAN).contains(&(*until - now)));
    let to = Member { until_at, ..Member::with("kicked") };
    Move { person: &person, to, by: bot.user(), link: None }.make(&mut call.transaction, &call.channel).await?;
    call.finish(twin).await?;
    Ok(Value::Bool(true))
}

/// Removes a member, too, unless only a ban is to be lifted.
pub(in super::super) async fn unban(twin: &Twin, bot: Bot, params: &Params) -> Answer {
    let (mut call, person, member) = begin(twin, bot, params).await?;
    if member.status == "kicked" || !params.flag("only_if_banned") {
        let to = Member::with("left");
        Move { person: &person, to, by: bot.user(), link: None }.make(&mut call.transaction, &call.channel).await?;
    }
    call.finish(twin).await?;
    Ok(Value::Bool(true))
}

/// A person whose standing this bot may change.
async fn begin(twin: &Twin, bot: Bot, params: &Params) -> Result<(Call, Person, Member), Refusal> {
    let person = person_id(params)?;
    let mut call = Call::begin(twin, bot, params).await?;
    if person == bot.id {
        return Err(Refusal::bad_request("can't restrict self"));
    }
    if !call.seat.can_restrict_members {
        return Err(Refusal::bad_request("not enough rights to restrict/unrestrict chat member"));
    }
    if Seat::of(&mut call.transaction, call.channel.chat_id, person).await?.is_some() {
        return Err(Refusal::bad_request("user is an administrator of the chat"));
    }
    let person = Person::find(&mut call.transaction, person).await?;
    let person = person.ok_or_else(|| Refusal::bad_request("user not found"))?;
    let member = Member::of(&mut call.transaction, call.channel.chat_id, person.user_id).await?;
    if member.status == "creator" {
        return Err(Refusal::bad_request("can't remove chat owner"));
    }
    Ok((call, person, member))
}
