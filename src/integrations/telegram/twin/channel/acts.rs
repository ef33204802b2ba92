//! What people do in a channel: leave it, and rule it if it is theirs.

use poem::web::{Data, Json, Path, Query};
use poem::{Body, handler};
use serde_json::{Value, json};
use sqlx::{Postgres, Transaction};

use super::super::Twin;
use super::super::bot_api::Bot;
use super::super::fields::Fields;
use super::super::people::{self, Whose};
use super::super::problem::{Problem, Result};
use super::entry::FURTHEST;
use super::member::{Member, Move, owner};
use super::person::Person;
use super::seat::Seat;
use super::{Channel, requests};

/// `POST /chats/{chat_id}/leave {"channel"}`: a person leaves a channel.
#[handler]
pub(in super::super) async fn leave(
    Data(twin): Data<&Twin>,
    Path(person): Path<String>,
    body: Body,
) -> Result<Json<Value>> {
    let person = people::person(&person)?;
    let mut fields = Fields::read(body).await?;
    let chat_id = fields.optional_integer("channel", FURTHEST, -1)?;
    let chat_id = chat_id.ok_or_else(|| fields.wrong("channel", "is missing"))?;
    fields.finish()?;
    let (mut transaction, channel) = begin(twin, chat_id).await?;
    let member = Member::of(&mut transaction, chat_id, person).await?;
    let person = Person::find(&mut transaction, person).await?.filter(|_| member.status == "member");
    let person = person.ok_or(Problem::Conflict("this person is no member of the channel"))?;
    let (to, by) = (Member::with("left"), person.describe());
    Move { person: &person, to, by, link: None }.make(&mut transaction, &channel).await?;
    finish(twin, transaction).await?;
    Ok(Json(json!({ "chat_id": chat_id })))
}

/// `POST /channels/{chat_id}/members/{person} {"action"}`: the owner adds, removes, bans
/// or unbans somebody, or answers their request: `approve`, `decline`.
#[handler]
pub(in super::super) async fn act(
    Data(twin): Data<&Twin>,
    Path((chat_id, person)): Path<(String, String)>,
    body: Body,
) -> Result<Json<Value>> {
    let (chat_id, person) = (channel(&chat_id)?, people::person(&person)?);
    let mut fields = Fields::read(body).await?;
    let action = fields.text("action")?;
    let (mut transaction, channel) = begin(twin, chat_id).await?;
    let by = owner(&mut transaction, &channel).await?.describe();
    if person == channel.owner_id {
        return Err(Problem::Conflict("the owner stays as they are"));
    }
    let person = match action.as_str() {
        "add" => Person::meet(&mut transaction, person, Default::default()).await?,
        _ => Person::find(&mut transaction, person).await?.ok_or(Problem::Unknown("there is no such person"))?,
    };
    let to = match action.as_str() {
        "approve" | "decline" => {
            let approved = action == "approve";
            if !requests::answer(&mut transaction, &channel, &person, by, approved).await? {
                return Err(Problem::Conflict("this person has not asked to join"));
            }
            finish(twin, transaction).await?;
            return Ok(Json(json!({ "chat_id": chat_id, "person": person.user_id })));
        }
        "add" => "member",
        "remove" | "unban" => "left",
        "ban" => "kicked",
        _ => return Err(fields.wrong("action", "must be add, remove, ban, unban, approve or decline")),
    };
    fields.finish()?;
    Move { person: &person, to: Member::with(to), by, link: None }.make(&mut transaction, &channel).await?;
    finish(twin, transaction).await?;
    Ok(Json(json!({ "chat_id": chat_id, "person": person.user_id })))
}

/// `POST /channels/{chat_id}/rights {"status", "can_invite_users", "can_restrict_members",
/// "can_post_messages", "can_edit_messages"}`: the owner gives the bot rights or takes them away, removes it
/// (`left`) or bans it (`kicked`). What is left out stays as it is.
#[handler]
pub(in super::super) async fn rights(
    Data(twin): Data<&Twin>,
    Path(chat_id): Path<String>,
    Query(whose): Query<Whose>,
    body: Body,
) -> Result<Json<Value>> {
    let chat_id = channel(&chat_id)?;
    let mut fields = Fields::read(body).await?;
    let status = fields.optional_text("status")?;
    if status.as_deref().is_some_and(|status| !matches!(status, "administrator" | "left" | "kicked")) {
        return Err(fields.wrong("status", "must be administrator, left or kicked"));
    }
    let invite = fields.optional_flag("can_invite_users")?;
    let restrict = fields.optional_flag("can_restrict_members")?;
    let post = fields.optional_flag("can_post_messages")?;
    let edit = fields.optional_flag("can_edit_messages")?;
    fields.finish()?;
    let bot = Bot { id: people::bot(twin.pool(), whose.bot).await? };
    let (mut transaction, channel) = begin(twin, chat_id).await?;
    let old = Seat::of(&mut transaction, chat_id, bot.id).await?.unwrap_or_else(Seat::absent);
    let new = Seat {
        status: status.unwrap_or(old.status),
        can_invite_users: invite.unwrap_or(old.can_invite_users),
        can_restrict_members: restrict.unwrap_or(old.can_restrict_members),
        can_post_messages: post.unwrap_or(old.can_post_messages),
        can_edit_messages: edit.unwrap_or(old.can_edit_messages),
    };
    let by = owner(&mut transaction, &channel).await?.describe();
    new.give(&mut transaction, &channel, bot, &by).await?;
    finish(twin, transaction).await?;
    Ok(Json(new.describe(bot)))
}

async fn begin(twin: &Twin, chat_id: i64) -> Result<(Transaction<'static, Postgres>, Channel)> {
    let mut transaction = twin.pool().begin().await?;
    let channel = Channel::lock(&mut transaction, chat_id).await?;
    Ok((transaction, channel.ok_or(Problem::Unknown("there is no such channel"))?))
}

async fn finish(twin: &Twin, transaction: Transaction<'static, Postgres>) -> Result<()> {
    transaction.commit().await?;
    twin.inner.queued.notify_one();
    Ok(())
}

pub(super) fn channel(chat_id: &str) -> Result<i64> {
    let id = chat_id.parse().ok().filter(|id| (FURTHEST..0).contains(id));
    id.ok_or_else(|| Problem::field("chat_id", "must be a whole number below 0: channels have such"))
}
