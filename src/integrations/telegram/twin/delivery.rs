//! Posting updates to the bots' webhooks, again and again until they are taken.
//!
//! Only the oldest waiting update of a chat is ever on its way, and its row stays
//! locked meanwhile: that is what keeps a chat in order whatever number of processes
//! deliver, and what frees the update at once when one of them is killed.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use sqlx::{FromRow, PgConnection, PgPool};
use tokio::sync::Notify;

/// Webhooks called at the same time.
const BATCH: i64 = 100;
/// How long a webhook may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often to look for what another process has queued and for what is due again.
const LOOK: Duration = Duration::from_millis(200);
/// After a failure of the database.
const RECOVER: Duration = Duration::from_secs(1);

#[derive(FromRow)]
struct Waiting {
    update_id: i64,
    bot_id: i64,
    body: String,
    webhook_url: String,
    webhook_secret: Option<String>,
    max_connections: i32,
}

/// What became of one attempt: `None` if the update was taken.
struct Outcome {
    update_id: i64,
    bot_id: i64,
    failure: Option<String>,
}

pub(super) async fn run(pool: &PgPool, queued: &Notify, http: &reqwest::Client, shutdown: impl Future<Output = ()>) {
    let mut shutdown = pin!(shutdown);
    loop {
        let pause = match deliver_batch(pool, http).await {
            Ok(0) => LOOK,
            Ok(_) => Duration::ZERO,
            Err(error) => {
                tracing::warn!(%error, "the Telegram twin could not look for updates to deliver");
                RECOVER
            }
        };
        let ring = async {
            if pause != RECOVER {
                queued.notified().await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = &mut shutdown => return,
            () = tokio::time::sleep(pause) => {}
            () = ring => {}
        }
    }
}

async fn deliver_batch(pool: &PgPool, http: &reqwest::Client) -> sqlx::Result<usize> {
    let mut transaction = pool.begin().await?;
    let waiting = claim(&mut transaction).await?;
    let Some(connections) = waiting.iter().map(|update| update.max_connections).min() else {
        return Ok(0);
    };
    let outcomes: Vec<Outcome> = stream::iter(waiting)
        .map(|update| attempt(http, update))
        .buffer_unordered(usize::try_from(connections).unwrap_or(1).max(1))
        .collect()
        .await;
    record(&mut transaction, &outcomes).await?;
    transaction.commit().await?;
    Ok(outcomes.len())
}

/// The oldest waiting update of each chat, unless another process is at it.
async fn claim(connection: &mut PgConnection) -> sqlx::Result<Vec<Waiting>> {
    sqlx::query_as(
        "select d.update_id, d.bot_id, d.body, b.webhook_url, b.webhook_secret, b.max_connections
           from sandbox.telegram_delivery d join sandbox.telegram_bot b on b.id = d.bot_id
          where d.delivered_at is null and d.next_attempt_at <= now() and b.webhook_url is not null
            and not exists (
                select from sandbox.telegram_delivery e
                 where e.bot_id = d.bot_id and e.chat_id = d.chat_id
                   and e.delivered_at is null and e.update_id < d.update_id)
          order by d.update_id limit $1
            for update of d skip locked",
    )
    .bind(BATCH)
    .fetch_all(connection)
    .await
}

async fn attempt(http: &reqwest::Client, update: Waiting) -> Outcome {
    let mut request =
        http.post(update.webhook_url).timeout(PATIENCE).header("content-type", "application/json").body(update.body);
    if let Some(secret) = update.webhook_secret {
        request = request.header("x-telegram-bot-api-secret-token", secret);
    }
    let failure = match request.send().await {
        Ok(response) if response.status().is_success() => {
            // Read to the end, so that the connection can be used again.
            let _ = response.bytes().await;
            None
        }
        Ok(response) => Some(format!("Wrong response from the webhook: {}", response.status())),
        Err(error) if error.is_timeout() => Some("Read timeout expired".to_owned()),
        Err(error) if error.is_connect() => Some("Connection refused".to_owned()),
        Err(_) => Some("Connection closed".to_owned()),
    };
    Outcome { update_id: update.update_id, bot_id: update.bot_id, failure }
}

async fn record(connection: &mut PgConnection, outcomes: &[Outcome]) -> sqlx::Result<()> {
    let updates: Vec<i64> = outcomes.iter().map(|outcome| outcome.update_id).collect();
    let taken: Vec<bool> = outcomes.iter().map(|outcome| outcome.failure.is_none()).collect();
    // Losing this note costs one more delivery of an update, which a bot has to bear anyway.
    sqlx::query("set local synchronous_commit = off").execute(&mut *connection).await?;
    sqlx::query(
        "update sandbox.telegram_delivery d
            set attempts = attempts + 1,
                delivered_at = case when o.taken then clock_timestamp() end,
                next_attempt_at = clock_timestamp()
                    + least(interval '250 milliseconds' * power(2, least(attempts, 10)), interval '5 seconds')
           from unnest($1::bigint[], $2::boolean[]) as o (update_id, taken)
          where d.update_id = o.update_id",
    )
    .bind(updates)
    .bind(taken)
    .execute(&mut *connection)
    .await?;
    let failed: Vec<&Outcome> = outcomes.iter().filter(|o| o.failure.is_some()).collect();
    if failed.is_empty() {
        return Ok(());
    }
    tracing::debug!(failed = failed.len(), "a webhook did not take its updates");
    sqlx::query(
        "update sandbox.telegram_bot b set last_error = o.failure, last_error_at = clock_timestamp()
           from unnest($1::bigint[], $2::text[]) as o (bot_id, failure) where b.id = o.bot_id",
    )
    .bind(failed.iter().map(|o| o.bot_id).collect::<Vec<i64>>())
    .bind(failed.iter().map(|o| o.failure.clone().unwrap_or_default()).collect::<Vec<String>>())
    .execute(&mut *connection)
    .await?;
    Ok(())
}
