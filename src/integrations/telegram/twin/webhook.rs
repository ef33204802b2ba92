//! setWebhook, getWebhookInfo, deleteWebhook.

use serde_json::{Value, json};
use sqlx::{PgPool, Row};

use super::answer::{Answer, Refusal};
use super::params::Params;

pub(super) async fn set(pool: &PgPool, bot: i64, params: &Params) -> Answer {
    let Some(url) = params.text("url").filter(|url| !url.is_empty()) else {
        return delete(pool, bot, params).await;
    };
    // The live service insists on https; in the sandbox the bot may live next door.
    let url = reqwest::Url::parse(&url)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| Refusal::bad_request("bad webhook: invalid webhook URL specified"))?;
    let secret = params.text("secret_token").filter(|secret| !secret.is_empty());
    if secret.as_deref().is_some_and(|secret| !is_allowed(secret)) {
        return Err(Refusal::bad_request("secret token contains unallowed characters"));
    }
    let connections = params.integer("max_connections").unwrap_or(40).clamp(1, 100);
    let kinds = params.structured("allowed_updates")?.map(kinds).transpose()?;
    sqlx::query(
        "update sandbox.telegram_bot
            set webhook_url = $2, webhook_secret = $3, max_connections = $4,
                allowed_updates = coalesce($5, allowed_updates),
                last_error = null, last_error_at = null
          where id = $1",
    )
    .bind(bot)
    .bind(url.as_str())
    .bind(secret)
    .bind(i32::try_from(connections).unwrap_or(40))
    .bind(kinds)
    .execute(pool)
    .await?;
    if params.flag("drop_pending_updates") {
        drop_pending(pool, bot).await?;
    }
    // A new address is a new chance. What is being delivered this moment is left alone.
    sqlx::query(
        "update sandbox.telegram_delivery set next_attempt_at = now()
          where update_id in (
                select update_id from sandbox.telegram_delivery
                 where bot_id = $1 and delivered_at is null and next_attempt_at > now()
                   for update skip locked)",
    )
    .bind(bot)
    .execute(pool)
    .await?;
    Ok(Value::Bool(true))
}

pub(super) async fn delete(pool: &PgPool, bot: i64, params: &Params) -> Answer {
    sqlx::query(
        "update sandbox.telegram_bot
            set webhook_url = null, webhook_secret = null, last_error = null, last_error_at = null
          where id = $1",
    )
    .bind(bot)
    .execute(pool)
    .await?;
    if params.flag("drop_pending_updates") {
        drop_pending(pool, bot).await?;
    }
    Ok(Value::Bool(true))
}

pub(super) async fn info(pool: &PgPool, bot: i64) -> Answer {
    let row = sqlx::query(
        "select webhook_url, max_connections, allowed_updates, last_error,
                extract(epoch from last_error_at)::bigint as last_error_date,
                (select count(*) from sandbox.telegram_delivery
                  where bot_id = $1 and delivered_at is null) as pending
           from sandbox.telegram_bot where id = $1",
    )
    .bind(bot)
    .fetch_one(pool)
    .await?;
    let url: Option<String> = row.try_get("webhook_url")?;
    let kinds: Vec<String> = row.try_get("allowed_updates")?;
    let mut info = json!({
        "url": url.unwrap_or_default(),
        "has_custom_certificate": false,
        "pending_update_count": row.try_get::<i64, _>("pending")?,
        "max_connections": row.try_get::<i32, _>("max_connections")?,
    });
    if !kinds.is_empty() {
        info["allowed_updates"] = json!(kinds);
    }
    if let Some(message) = row.try_get::<Option<String>, _>("last_error")? {
        info["last_error_message"] = json!(message);
        info["last_error_date"] = json!(row.try_get::<Option<i64>, _>("last_error_date")?);
    }
    Ok(info)
}

async fn drop_pending(pool: &PgPool, bot: i64) -> Result<(), sqlx::Error> {
    sqlx::query("delete from sandbox.telegram_delivery where bot_id = $1 and delivered_at is null")
        .bind(bot)
        .execute(pool)
        .await?;
    Ok(())
}

/// Kinds that nobody knows are passed over.
fn kinds(value: Value) -> Result<Vec<String>, Refusal> {
    let mut kinds: Vec<String> =
        serde_json::from_value(value).map_err(|_| Refusal::bad_request("can't parse allowed updates"))?;
    kinds.retain(|kind| kind.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
    Ok(kinds)
}

fn is_allowed(secret: &str) -> bool {
    secret.len() <= 256 && secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}
