//! What the owner of a channel sees of it.

use poem::handler;
use poem::web::{Data, Json, Path, Query};
use serde_json::{Value, json};

use super::super::Twin;
use super::super::people::{self, Whose};
use super::super::problem::{Problem, Result};
use super::acts::channel;

/// Members, links and those who once were in that are shown: the latest.
const MOST: i64 = 500;

/// `GET /channels`: the latest first, each with how many are in it and how many wait.
#[handler]
pub(in super::super) async fn all(Data(twin): Data<&Twin>) -> Result<Json<Value>> {
    let channels: Value = sqlx::query_scalar(
        "select coalesce(json_agg(json_build_object(
                'chat_id', c.chat_id, 'kind', c.kind, 'title', c.title, 'revision', c.revision,
                'members', (select count(*) from sandbox.telegram_channel_member m
                             where m.chat_id = c.chat_id and m.status in ('creator', 'member')),
                'requests', (select count(*) from sandbox.telegram_join_request r where r.chat_id = c.chat_id))
                order by c.created_at desc, c.chat_id), '[]')
           from (select * from sandbox.telegram_channel order by created_at desc, chat_id limit 100) c",
    )
    .fetch_one(twin.pool())
    .await?;
    Ok(Json(json!({ "channels": channels })))
}

/// `GET /channels/{chat_id}`: its people, those who ask to join, its links, and what the
/// bot may do there. The primary link is the owner's: it lets anybody in.
#[handler]
pub(in super::super) async fn one(
    Data(twin): Data<&Twin>,
    Path(chat_id): Path<String>,
    Query(whose): Query<Whose>,
) -> Result<Json<Value>> {
    let chat_id = channel(&chat_id)?;
    let bot = people::bot(twin.pool(), whose.bot).await?;
    let shown: Option<Value> = sqlx::query_scalar(
        "select json_build_object(
            'chat_id', c.chat_id, 'kind', c.kind, 'title', c.title, 'owner', c.owner_id, 'revision', c.revision,
            'bot', (select json_build_object('id', bot_id, 'status', status,
                           'can_invite_users', can_invite_users, 'can_restrict_members', can_restrict_members,
                           'can_post_messages', can_post_messages, 'can_edit_messages', can_edit_messages)
                      from sandbox.telegram_channel_bot where chat_id = $1 and bot_id = $2),
            'members', (select coalesce(json_agg(json_build_object(
                           'user_id', user_id, 'first_name', first_name, 'username', username, 'status', status,
                           'until', until_at, 'since', since, 'link', link, 'link_name', name)
                           order by status = 'creator' desc, since desc, user_id), '[]')
                          from (select m.*, p.first_name, p.username, l.name
                                  from sandbox.telegram_channel_member m
                                  join sandbox.telegram_person p using (user_id)
                                  left join sandbox.telegram_invite_link l on l.link = m.link
                                 where m.chat_id = $1 order by m.since desc limit $3) m),
            'requests', (select coalesce(json_agg(json_build_object(
                           'user_id', user_id, 'first_name', first_name, 'username', username, 'bio', bio,
                           'asked_at', asked_at, 'link', link, 'link_name', name)
                           order by asked_at, user_id), '[]')
                          from (select r.*, p.first_name, p.username, l.name
                                  from sandbox.telegram_join_request r
                                  join sandbox.telegram_person p using (user_id)
                                  join sandbox.telegram_invite_link l on l.link = r.link
                                 where r.chat_id = $1 order by r.asked_at limit $3) r),
            'links', (select coalesce(json_agg(json_build_object(
                           'link', link, 'name', name, 'primary', bot_id is null, 'bot', bot_id,
                           'expires_at', expires_at, 'member_limit', member_limit,
                           'creates_join_request', creates_join_request, 'revoked', revoked)
                           order by bot_id is null desc, created_at desc, link), '[]')
                          from (select * from sandbox.telegram_invite_link where chat_id = $1
                                 order by bot_id is null desc, created_at desc limit $3) l))
           from sandbox.telegram_channel c where c.chat_id = $1",
    )
    .bind(chat_id)
    .bind(bot)
    .bind(MOST)
    .fetch_optional(twin.pool())
    .await?;
    Ok(Json(shown.ok_or(Problem::Unknown("there is no such channel"))?))
}
