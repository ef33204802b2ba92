//! Founding a channel, and opening a link that leads into one.

use poem::web::{Data, Json, Path, Query};
use poem::{Body, handler};
use serde_json::{Value, json};

use super::super::Twin;
use super::super::bot_api::Bot;
use super::super::fields::Fields;
use super::super::people::{self, Whose, short};
use super::super::problem::{Problem, Result};
use super::Channel;
use super::link::{Link, Wanted};
use super::member::{Member, Move, owner};
use super::person::{Introduction, Person};
use super::seat::Seat;

/// Whose channels they are unless somebody else is named.
const OWNER: i64 = 90_000_001;
/// The first channel's number unless another is given; the next ones are further from 0.
const FIRST: i64 = -1_002_000_000_001;
/// The furthest from 0 that Telegram's numbers are.
pub(super) const FURTHEST: i64 = -(1 << 52);
const LONGEST_TITLE: usize = 128;
const LONGEST_BIO: usize = 140;

/// What a channel is to be.
struct Plan {
    chat_id: Option<i64>,
    kind: &'static str,
    title: String,
    owner: i64,
}

impl Twin {
    /// Founds a channel in which the bot is an administrator with all rights, unless there
    /// is one with this number (below zero). The bot may make its first call later.
    ///
    /// # Errors
    /// What the database says.
    pub async fn open_channel(&self, bot: i64, chat_id: i64, title: &str) -> std::result::Result<(), sqlx::Error> {
        let plan = Plan { chat_id: Some(chat_id), kind: "channel", title: title.to_owned(), owner: OWNER };
        found_if_new(self, plan, bot).await.map(drop)
    }
}

/// `POST /channels {"title", "chat_id", "kind", "owner"}`: all but the title may be left
/// out. The bot is made an administrator of it.
#[handler]
pub(in super::super) async fn found(
    Data(twin): Data<&Twin>,
    Query(whose): Query<Whose>,
    body: Body,
) -> Result<Json<Value>> {
    let mut fields = Fields::read(body).await?;
    let title = short(&mut fields, "title", LONGEST_TITLE)?.ok_or_else(|| fields.wrong("title", "is missing"))?;
    let chat_id = fields.optional_integer("chat_id", FURTHEST, -1)?;
    let kind = match fields.optional_text("kind")?.as_deref() {
        None | Some("channel") => "channel",
        Some("supergroup") => "supergroup",
        Some(_) => return Err(fields.wrong("kind", "must be channel or supergroup")),
    };
    let owner = fields.optional_integer("owner", 1, -FURTHEST)?.unwrap_or(OWNER);
    fields.finish()?;
    let bot = people::bot(twin.pool(), whose.bot).await?;
    let founded = found_if_new(twin, Plan { chat_id, kind, title, owner }, bot).await?;
    let chat_id = founded.ok_or(Problem::Conflict("there is a channel with this number"))?;
    Ok(Json(json!({ "chat_id": chat_id })))
}

/// Its number; none if there is one with that number.
async fn found_if_new(twin: &Twin, plan: Plan, bot: i64) -> sqlx::Result<Option<i64>> {
    let mut transaction = twin.pool().begin().await?;
    let introduction = Introduction { first_name: Some("Owner".to_owned()), ..Introduction::default() };
    let introduction =
        if Person::find(&mut transaction, plan.owner).await?.is_none() { introduction } else { Default::default() };
    let owner = Person::meet(&mut transaction, plan.owner, introduction).await?;
    let chat_id: Option<i64> = sqlx::query_scalar(
        "insert into sandbox.telegram_channel (chat_id, kind, title, owner_id)
         select coalesce($1, least($2, min(chat_id) - 1), $2), $3, $4, $5 from sandbox.telegram_channel
         on conflict (chat_id) do nothing returning chat_id",
    )
    .bind(plan.chat_id)
    .bind(FIRST)
    .bind(plan.kind)
    .bind(plan.title)
    .bind(owner.user_id)
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(chat_id) = chat_id else {
        return Ok(None);
    };
    let channel = Channel::lock(&mut transaction, chat_id).await?.ok_or(sqlx::Error::RowNotFound)?;
    let to = Member::with("creator");
    Move { person: &owner, to, by: owner.describe(), link: None }.make(&mut transaction, &channel).await?;
    Link::make(&mut transaction, chat_id, Wanted::default()).await?;
    Seat::administrator().give(&mut transaction, &channel, Bot { id: bot }, &owner.describe()).await?;
    transaction.commit().await?;
    twin.inner.queued.notify_one();
    Ok(Some(chat_id))
}

/// `POST /chats/{chat_id}/open {"link", "first_name", "username", "language_code", "bio"}`:
/// a person opens a link, who may be new here; all but the link may be left out. The
/// `outcome` is `joined` or `asked`, or `already_in`.
#[handler]
pub(in super::super) async fn open(
    Data(twin): Data<&Twin>,
    Path(person): Path<String>,
    body: Body,
) -> Result<Json<Value>> {
    let person = people::person(&person)?;
    let mut fields = Fields::read(body).await?;
    let link = fields.text("link")?;
    let introduction = Introduction {
        first_name: short(&mut fields, "first_name", 64)?,
        username: short(&mut fields, "username", 32)?,
        language_code: short(&mut fields, "language_code", 35)?,
    };
    let bio = short(&mut fields, "bio", LONGEST_BIO)?;
    fields.finish()?;

    let mut transaction = twin.pool().begin().await?;
    let broken = Problem::Conflict("this link does not work, or not any more");
    let Some(link) = Link::find(&mut transaction, &link).await? else {
        return Err(broken);
    };
    let channel = Channel::lock(&mut transaction, link.chat_id).await?.ok_or(sqlx::Error::RowNotFound)?;
    let person = Person::meet(&mut transaction, person, introduction).await?;
    let member = Member::of(&mut transaction, channel.chat_id, person.user_id).await?;
    let outcome = if member.is_in() {
        "already_in"
    } else if member.status == "kicked" {
        return Err(Problem::Conflict("this person is banned from the channel"));
    } else if !link.works(&mut transaction).await? {
        return Err(broken);
    } else if link.creates_join_request {
        ask(&mut transaction, &channel, &person, &link, bio).await?;
        "asked"
    } else {
        let to = Member::with("member");
        let by = person.describe();
        Move { person: &person, to, by, link: Some(&link) }.make(&mut transaction, &channel).await?;
        "joined"
    };
    transaction.commit().await?;
    twin.inner.queued.notify_one();
    Ok(Json(json!({ "chat_id": channel.chat_id, "outcome": outcome })))
}

/// Asking again by another link takes the place of the first request.
async fn ask(
    connection: &mut sqlx::PgConnection,
    channel: &Channel,
    person: &Person,
    link: &Link,
    bio: Option<String>,
) -> sqlx::Result<()> {
    let asked_at: i64 = sqlx::query_scalar(
        "insert into sandbox.telegram_join_request (chat_id, user_id, link, bio) values ($1, $2, $3, $4)
         on conflict (chat_id, user_id) do update set link = $3, bio = $4, asked_at = clock_timestamp()
         returning extract(epoch from asked_at)::bigint",
    )
    .bind(channel.chat_id)
    .bind(person.user_id)
    .bind(&link.link)
    .bind(&bio)
    .fetch_one(&mut *connection)
    .await?;
    let owner = owner(connection, channel).await?;
    let told = |bot| {
        let mut request = json!({
            "chat": channel.describe(),
            "from": person.describe(),
            "user_chat_id": person.user_id,
            "date": asked_at,
            "invite_link": link.describe(bot, &owner),
        });
        if let Some(bio) = &bio {
            request["bio"] = json!(bio);
        }
        request
    };
    channel.tell(connection, "chat_join_request", told).await
}
