//! The bot's own rights in its channels. Losing them is an alert; what needs them waits.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::alert;
use crate::{
    app::App,
    integrations::telegram::{Telegram, channel::Remedy, update::BotChange},
    jobs::{self, Job},
    wake::Topic,
};

/// How long a job waits for somebody to give the bot its rights back. They are given
/// back by an update, which has the jobs done at once; this is for one that got lost.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Subject of the alert about a channel.
fn subject(channel: i64) -> String {
    format!("rights:{channel}")
}

/// Takes in how the bot stands in a channel now. When it has all rights, what waited
/// for them is done.
///
/// # Errors
/// What the database says.
pub(crate) async fn changed(app: &App, change: &BotChange) -> Result<(), sqlx::Error> {
    if !is_newest(app, change.chat, change.at).await? {
        return Ok(());
    }
    let missing: Vec<&str> = change.new.rights().missing().collect();
    if missing.is_empty() {
        return found(app, change.chat).await;
    }
    // Where no plan opens it, it is none of ours.
    if projections::duties::opens(&app.pool, change.chat).await? {
        tell(app, change.chat, change.title.as_deref(), &missing).await?;
    }
    Ok(())
}

/// The bot has all its rights: what waited for them is done.
async fn found(app: &App, channel: i64) -> Result<(), sqlx::Error> {
    sqlx::query("update channel_rights set look_at = null where channel = $1").bind(channel).execute(&app.pool).await?;
    alert::settle(app, &subject(channel)).await?;
    jobs::hurry(&app.pool, Job::CHANNEL).await?;
    app.wake.up(Topic::Jobs);
    Ok(())
}

/// A call was refused for want of rights.
///
/// # Errors
/// What the database says.
pub(crate) async fn lost(app: &App, channel: i64) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into channel_rights (channel, changed_at, look_at) \
         values ($1, '-infinity', now() + $2 * interval '1 second') \
         on conflict (channel) do update set look_at = excluded.look_at",
    )
    .bind(channel)
    .bind(PATIENCE.as_secs_f64())
    .execute(&app.pool)
    .await?;
    tell(app, channel, None, &[]).await
}

/// How long to wait before a call that needs rights; none where they were not lost, or are
/// there again. Of all that wait, one looks, once a minute.
///
/// # Errors
/// What the database says.
pub(super) async fn wait(app: &App, telegram: &Telegram, channel: i64) -> Result<Option<Duration>, sqlx::Error> {
    let left: Option<f64> = sqlx::query_scalar(
        "select extract(epoch from look_at - now())::float8 from channel_rights where channel = $1 and look_at is not null",
    )
    .bind(channel)
    .fetch_optional(&app.pool)
    .await?;
    let Some(left) = left else { return Ok(None) };
    if left > 0.0 {
        return Ok(Some(Duration::from_secs_f64(left.clamp(1.0, PATIENCE.as_secs_f64()))));
    }
    let mine = sqlx::query(
        "update channel_rights set look_at = now() + $2 * interval '1 second' where channel = $1 and look_at <= now()",
    )
    .bind(channel)
    .bind(PATIENCE.as_secs_f64())
    .execute(&app.pool)
    .await?;
    if mine.rows_affected() == 0 {
        return Ok(Some(PATIENCE));
    }
    match telegram.own_rights(channel).await {
        Ok(rights) if rights.missing().next().is_none() => found(app, channel).await.map(|()| None),
        Ok(_) => Ok(Some(PATIENCE)),
        Err(error) if error.remedy() == Remedy::Rights => Ok(Some(PATIENCE)),
        // The call itself says what is wrong.
        Err(_) => Ok(None),
    }
}

async fn tell(app: &App, channel: i64, title: Option<&str>, missing: &[&str]) -> Result<(), sqlx::Error> {
    let name = title.map_or_else(|| format!("the channel {channel}"), |title| format!("“{title}”"));
    let which = match missing {
        [] => String::new(),
        missing => format!(" It lacks: {}.", missing.join(", ")),
    };
    let text = format!(
        "The bot cannot do its work in {name}.{which} Please make it an administrator there with the rights to \
         invite and to remove people. Nobody is let in or removed until then; nothing is lost."
    );
    alert::raise(app, &subject(channel), &text).await
}

/// Whether nothing newer was said of the bot in this channel: updates can be worked late.
async fn is_newest(app: &App, channel: i64, at: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let noted = sqlx::query!(
        "insert into channel_rights (channel, changed_at) values ($1, $2) \
         on conflict (channel) do update set changed_at = $2 where channel_rights.changed_at <= $2",
        channel,
        at,
    )
    .execute(&app.pool)
    .await?;
    Ok(noted.rows_affected() == 1)
}
