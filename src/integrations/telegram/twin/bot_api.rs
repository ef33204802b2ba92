//! The bot's face: `/bot<token>/<method>`.

use poem::http::StatusCode;
use poem::web::{Data, Path};
use poem::{Body, Request, Response, handler};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::Twin;
use super::answer::{Answer, Refusal, respond};
use super::channel::{links, members, requests};
use super::faults::{self, Fault};
use super::params::Params;
use super::{commands, edit, press, send, webhook};

/// The methods the twin knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    GetMe,
    SetWebhook,
    GetWebhookInfo,
    DeleteWebhook,
    SendMessage,
    SendPhoto,
    EditMessageText,
    EditMessageCaption,
    EditMessageReplyMarkup,
    AnswerCallbackQuery,
    SetMyCommands,
    GetMyCommands,
    CreateChatInviteLink,
    RevokeChatInviteLink,
    ApproveChatJoinRequest,
    DeclineChatJoinRequest,
    GetChat,
    GetChatMember,
    GetChatMemberCount,
    BanChatMember,
    UnbanChatMember,
}

impl Method {
    pub(super) const ALL: [Self; 21] = [
        Self::GetMe,
        Self::SetWebhook,
        Self::GetWebhookInfo,
        Self::DeleteWebhook,
        Self::SendMessage,
        Self::SendPhoto,
        Self::EditMessageText,
        Self::EditMessageCaption,
        Self::EditMessageReplyMarkup,
        Self::AnswerCallbackQuery,
        Self::SetMyCommands,
        Self::GetMyCommands,
        Self::CreateChatInviteLink,
        Self::RevokeChatInviteLink,
        Self::ApproveChatJoinRequest,
        Self::DeclineChatJoinRequest,
        Self::GetChat,
        Self::GetChatMember,
        Self::GetChatMemberCount,
        Self::BanChatMember,
        Self::UnbanChatMember,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::GetMe => "getMe",
            Self::SetWebhook => "setWebhook",
            Self::GetWebhookInfo => "getWebhookInfo",
            Self::DeleteWebhook => "deleteWebhook",
            Self::SendMessage => "sendMessage",
            Self::SendPhoto => "sendPhoto",
            Self::EditMessageText => "editMessageText",
            Self::EditMessageCaption => "editMessageCaption",
            Self::EditMessageReplyMarkup => "editMessageReplyMarkup",
            Self::AnswerCallbackQuery => "answerCallbackQuery",
            Self::SetMyCommands => "setMyCommands",
            Self::GetMyCommands => "getMyCommands",
            Self::CreateChatInviteLink => "createChatInviteLink",
            Self::RevokeChatInviteLink => "revokeChatInviteLink",
            Self::ApproveChatJoinRequest => "approveChatJoinRequest",
            Self::DeclineChatJoinRequest => "declineChatJoinRequest",
            Self::GetChat => "getChat",
            Self::GetChatMember => "getChatMember",
            Self::GetChatMemberCount => "getChatMemberCount",
            Self::BanChatMember => "banChatMember",
            Self::UnbanChatMember => "unbanChatMember",
        }
    }

    /// As Telegram does, whatever the case: clients disagree on it.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name().eq_ignore_ascii_case(name))
    }
}

#[handler]
pub(super) async fn call(
    Data(twin): Data<&Twin>,
    Path((token, method)): Path<(String, String)>,
    request: &Request,
    body: Body,
) -> Response {
    let Some(method) = Method::named(&method) else {
        return respond(Err(Refusal::not_found()));
    };
    let bot = match authenticate(twin, &token).await {
        Ok(bot) => bot,
        Err(refusal) => return respond(Err(refusal)),
    };
    // Read to the end even if it is going to be refused: who is still sending sees no answer.
    let params = match Params::read(request, body).await {
        Ok(params) => params,
        Err(refusal) => return respond(Err(refusal)),
    };
    match faults::take(twin.pool(), method).await {
        Err(error) => respond(Err(error.into())),
        Ok(None) => respond(answer(twin, bot, method, &params).await),
        Ok(Some(Fault::Refuse { status, retry_after })) => respond(refuse(twin, bot, status, retry_after).await),
        Ok(Some(Fault::Say(refusal))) => respond(Err(refusal)),
        Ok(Some(Fault::Hang(time))) => {
            let answer = answer(twin, bot, method, &params).await;
            tokio::time::sleep(time).await;
            respond(answer)
        }
        Ok(Some(Fault::AcceptThenDrop)) => {
            let _done = answer(twin, bot, method, &params).await;
            cut_off()
        }
    }
}

async fn answer(twin: &Twin, bot: Bot, method: Method, params: &Params) -> Answer {
    match method {
        Method::GetMe => Ok(bot.user()),
        Method::SetWebhook => webhook::set(twin.pool(), bot.id, params).await,
        Method::GetWebhookInfo => webhook::info(twin.pool(), bot.id).await,
        Method::DeleteWebhook => webhook::delete(twin.pool(), bot.id, params).await,
        Method::SendMessage => send::message(twin, bot, params).await,
        Method::SendPhoto => send::photo(twin, bot, params).await,
        Method::EditMessageText => edit::text(twin, bot, params).await,
        Method::EditMessageCaption => edit::caption(twin, bot, params).await,
        Method::EditMessageReplyMarkup => edit::buttons(twin, bot, params).await,
        Method::AnswerCallbackQuery => press::answer(twin, bot, params).await,
        Method::SetMyCommands => commands::set(twin, bot.id, params).await,
        Method::GetMyCommands => commands::get(twin, bot.id, params).await,
        Method::CreateChatInviteLink => links::create(twin, bot, params).await,
        Method::RevokeChatInviteLink => links::revoke(twin, bot, params).await,
        Method::ApproveChatJoinRequest => requests::approve(twin, bot, params).await,
        Method::DeclineChatJoinRequest => requests::decline(twin, bot, params).await,
        Method::GetChat => members::chat(twin, bot, params).await,
        Method::GetChatMember => members::member(twin, bot, params).await,
        Method::GetChatMemberCount => members::count(twin, bot, params).await,
        Method::BanChatMember => members::ban(twin, bot, params).await,
        Method::UnbanChatMember => members::unban(twin, bot, params).await,
    }
}

/// A failure that was ordered. A 429 silences the bot as a real one does.
async fn refuse(twin: &Twin, bot: Bot, status: u16, retry_after: Option<i32>) -> Answer {
    let Some(seconds) = retry_after.filter(|_| status == 429) else {
        let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        return Err(Refusal::new(status, reason.unwrap_or("Error")));
    };
    sqlx::query(
        "update sandbox.telegram_bot
            set silent_since = clock_timestamp(),
                silent_until = clock_timestamp() + make_interval(secs => $2)
          where id = $1",
    )
    .bind(bot.id)
    .bind(f64::from(seconds))
    .execute(twin.pool())
    .await?;
    Err(Refusal::too_many(seconds))
}

/// An answer that breaks off after its first line.
fn cut_off() -> Response {
    let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let body = futures_util::stream::iter([Ok(bytes::Bytes::from_static(b"{\"ok\":")), Err::<bytes::Bytes, _>(broken)]);
    Response::builder().body(Body::from_bytes_stream(body))
}

/// The caller.
#[derive(Clone, Copy)]
pub(super) struct Bot {
    pub(super) id: i64,
}

impl Bot {
    /// The bot as a Telegram user.
    pub(super) fn user(self) -> Value {
        json!({
            "id": self.id,
            "is_bot": true,
            "first_name": "Sandbox bot",
            "username": username(self.id),
            "can_join_groups": true,
            "can_read_all_group_messages": false,
            "supports_inline_queries": false,
            "can_connect_to_business": false,
            "has_main_web_app": false,
        })
    }
}

fn username(bot_id: i64) -> String {
    format!("sandbox_{bot_id}_bot")
}

/// The first call made with a token creates its bot; the bot's number is the part
/// before the colon. Another token with the same number is a wrong one.
async fn authenticate(twin: &Twin, token: &str) -> Result<Bot, Refusal> {
    if let Some(id) = known(twin, token) {
        return Ok(Bot { id });
    }
    let id = bot_id(token).ok_or_else(Refusal::not_found)?;
    create(twin.pool(), id, token).await?;
    let ours = sqlx::query("select from sandbox.telegram_bot where id = $1 and token_sha256 = sha256($2)")
        .bind(id)
        .bind(token.as_bytes())
        .fetch_optional(twin.pool())
        .await?;
    if ours.is_none() {
        return Err(Refusal::new(401, "Unauthorized"));
    }
    if let Ok(mut tokens) = twin.inner.tokens.write() {
        tokens.insert(token.to_owned(), id);
    }
    Ok(Bot { id })
}

async fn create(pool: &PgPool, id: i64, token: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into sandbox.telegram_bot (id, token_sha256, username)
         values ($1, sha256($2), $3) on conflict (id) do nothing",
    )
    .bind(id)
    .bind(token.as_bytes())
    .bind(username(id))
    .execute(pool)
    .await?;
    Ok(())
}

/// Creates a bot before its first call.
pub(super) async fn expect(twin: &Twin, token: &str) -> Result<(), sqlx::Error> {
    match bot_id(token) {
        Some(id) => create(twin.pool(), id, token).await,
        // Its first call says that it is no token.
        None => Ok(()),
    }
}

fn known(twin: &Twin, token: &str) -> Option<i64> {
    twin.inner.tokens.read().ok()?.get(token).copied()
}

fn bot_id(token: &str) -> Option<i64> {
    let (id, secret) = token.split_once(':')?;
    let well_formed = id.bytes().all(|b| b.is_ascii_digit())
        && !secret.is_empty()
        && secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    id.parse().ok().filter(|id| well_formed && *id > 0)
}
