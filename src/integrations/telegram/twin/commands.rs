//! setMyCommands and getMyCommands, and the menu that a person sees.

use poem::handler;
use poem::web::{Data, Json, Path, Query};
use serde_json::{Value, json};

use super::super::text::{cleaned, units};
use super::Twin;
use super::answer::{Answer, Refusal};
use super::params::Params;
use super::people::{self, Whose};
use super::problem::Result as Asked;

const MOST: usize = 100;
const LONGEST_NAME: usize = 32;
const LONGEST_DESCRIPTION: usize = 256;

/// An empty menu is none.
pub(super) async fn set(twin: &Twin, bot: i64, params: &Params) -> Answer {
    let (scope, language) = (scope(twin, bot, params).await?, language(params)?);
    let commands = params.structured("commands")?.ok_or_else(unreadable)?;
    let commands = commands.as_array().ok_or_else(unreadable)?;
    if commands.len() > MOST {
        return Err(Refusal::bad_request("BOT_COMMANDS_TOO_MUCH"));
    }
    let commands = commands.iter().map(command).collect::<Result<Vec<Value>, Refusal>>()?;
    let query = if commands.is_empty() {
        sqlx::query("delete from sandbox.telegram_commands where bot_id = $1 and scope = $2 and language = $3")
            .bind(bot)
            .bind(scope)
            .bind(language)
    } else {
        sqlx::query(
            "insert into sandbox.telegram_commands (bot_id, scope, language, commands) values ($1, $2, $3, $4)
             on conflict (bot_id, scope, language) do update set commands = excluded.commands",
        )
        .bind(bot)
        .bind(scope)
        .bind(language)
        .bind(Value::from(commands))
    };
    query.execute(twin.pool()).await?;
    Ok(Value::Bool(true))
}

pub(super) async fn get(twin: &Twin, bot: i64, params: &Params) -> Answer {
    let (scope, language) = (scope(twin, bot, params).await?, language(params)?);
    let commands: Option<Value> = sqlx::query_scalar(
        "select commands from sandbox.telegram_commands where bot_id = $1 and scope = $2 and language = $3",
    )
    .bind(bot)
    .bind(scope)
    .bind(language)
    .fetch_optional(twin.pool())
    .await?;
    Ok(commands.unwrap_or_else(|| json!([])))
}

/// `GET /chats/{chat_id}/commands`: the menu in this chat. A narrower scope goes before a
/// wider one, and in each the person's language before none.
#[handler]
pub(super) async fn menu(
    Data(twin): Data<&Twin>,
    Path(chat_id): Path<String>,
    Query(whose): Query<Whose>,
) -> Asked<Json<Value>> {
    let chat_id = people::person(&chat_id)?;
    let bot = people::bot(twin.pool(), whose.bot).await?;
    let commands: Option<Value> = sqlx::query_scalar(
        "select m.commands from sandbox.telegram_commands m
           left join sandbox.telegram_chat c on c.bot_id = m.bot_id and c.chat_id = $2
          where m.bot_id = $1 and m.language in ('', lower(left(c.language_code, 2)))
            and m.scope in ('chat:' || $2, 'all_private_chats', 'default')
          order by array_position(array['chat:' || $2, 'all_private_chats', 'default'], m.scope), m.language = ''
          limit 1",
    )
    .bind(bot)
    .bind(chat_id)
    .fetch_optional(twin.pool())
    .await?;
    Ok(Json(json!({ "commands": commands.unwrap_or_else(|| json!([])) })))
}

fn command(given: &Value) -> Result<Value, Refusal> {
    let (Some(name), Some(description)) = (given["command"].as_str(), given["description"].as_str()) else {
        return Err(unreadable());
    };
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !(1..=LONGEST_NAME).contains(&name.len()) || !name.bytes().all(is_part) {
        return Err(Refusal::bad_request("BOT_COMMAND_INVALID"));
    }
    let description = cleaned(description);
    if !(1..=LONGEST_DESCRIPTION).contains(&units(&description)) {
        return Err(Refusal::bad_request("BOT_COMMAND_DESCRIPTION_INVALID"));
    }
    Ok(json!({ "command": name, "description": description }))
}

/// The name under which a scope is kept. A menu is shown in private chats only, but a bot may
/// have a menu for groups all the same.
async fn scope(twin: &Twin, bot: i64, params: &Params) -> Result<String, Refusal> {
    let scope = params.structured("scope")?.unwrap_or_else(|| json!({ "type": "default" }));
    match scope["type"].as_str() {
        Some(wide @ ("default" | "all_private_chats" | "all_group_chats" | "all_chat_administrators")) => {
            Ok(wide.to_owned())
        }
        Some("chat") => {
            let id = &scope["chat_id"];
            let id = id.as_i64().or_else(|| id.as_str()?.trim().parse().ok());
            let known = sqlx::query("select from sandbox.telegram_chat where bot_id = $1 and chat_id = $2")
                .bind(bot)
                .bind(id)
                .fetch_optional(twin.pool())
                .await?;
            let id = id.filter(|_| known.is_some()).ok_or_else(|| Refusal::bad_request("chat not found"))?;
            Ok(format!("chat:{id}"))
        }
        _ => Err(Refusal::bad_request("can't parse BotCommandScope: unsupported type specified")),
    }
}

fn language(params: &Params) -> Result<String, Refusal> {
    let language = params.text("language_code").unwrap_or_default();
    let known = language.is_empty() || language.len() == 2 && language.bytes().all(|byte| byte.is_ascii_lowercase());
    known.then_some(language).ok_or_else(|| Refusal::bad_request("invalid language code specified"))
}

fn unreadable() -> Refusal {
    Refusal::bad_request("can't parse commands JSON object")
}
