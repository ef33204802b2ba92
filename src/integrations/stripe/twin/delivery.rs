//! Posting webhooks, again and again until they are taken.

use std::{pin::pin, time::Duration};

use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde::Deserialize;
use sqlx::{FromRow, PgConnection};

use super::{Twin, answer::Refusal};
use crate::integrations::stripe::signature::sign;

/// Webhooks sent one after the other before looking again.
const BATCH: i64 = 50;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often to look for what another process has queued and for what is due again.
const LOOK: Duration = Duration::from_millis(200);

#[derive(FromRow, Clone)]
struct Waiting {
    id: i64,
    body: String,
    url: String,
    secret: String,
}

pub(super) async fn run(twin: &Twin, http: &reqwest::Client, shutdown: impl Future<Output = ()>) {
    let mut shutdown = pin!(shutdown);
    loop {
        let pause = match batch(twin, http).await {
            Ok(0) => LOOK,
            Ok(_) => Duration::ZERO,
            Err(error) => {
                tracing::warn!(%error, "the Stripe twin could not look for webhooks to deliver");
                Duration::from_secs(1)
            }
        };
        tokio::select! {
            biased;
            () = &mut shutdown => return,
            () = tokio::time::sleep(pause) => {}
            () = twin.inner.queued.notified() => {}
        }
    }
}

/// Rows stay locked meanwhile: that frees them at once when this process is killed.
async fn batch(twin: &Twin, http: &reqwest::Client) -> Result<usize, sqlx::Error> {
    let mut transaction = twin.pool().begin().await?;
    let waiting: Vec<Waiting> = sqlx::query_as(
        "select d.id, d.body, e.url, e.secret from sandbox.stripe_delivery d cross join sandbox.stripe_endpoint e
          where d.delivered_at is null and d.next_attempt_at <= now() and not e.held
          order by d.id limit $1 for update of d skip locked",
    )
    .bind(BATCH)
    .fetch_all(&mut *transaction)
    .await?;
    for webhook in &waiting {
        let taken = post(twin, http, webhook).await;
        record(&mut transaction, webhook.id, taken).await?;
    }
    transaction.commit().await?;
    Ok(waiting.len())
}

/// Whether it was taken.
async fn post(twin: &Twin, http: &reqwest::Client, webhook: &Waiting) -> bool {
    let signature = sign(&[&webhook.secret], twin.inner.clock.now(), webhook.body.as_bytes());
    let request = http
        .post(&webhook.url)
        .timeout(PATIENCE)
        .header("content-type", "application/json; charset=utf-8")
        .header("stripe-signature", signature)
        .body(webhook.body.clone());
    match request.send().await {
        Ok(response) => {
            let taken = response.status().is_success();
            // Read to the end, so that the connection can be used again.
            let _ = response.bytes().await;
            taken
        }
        Err(_) => false,
    }
}

async fn record(connection: &mut PgConnection, id: i64, taken: bool) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update sandbox.stripe_delivery
            set attempts = attempts + 1, delivered_at = case when $2 then clock_timestamp() end,
                next_attempt_at = clock_timestamp()
                    + least(interval '250 milliseconds' * power(2, least(attempts, 10)), interval '5 seconds')
          where id = $1",
    )
    .bind(id)
    .bind(taken)
    .execute(connection)
    .await?;
    Ok(())
}

/// In which order webhooks are let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    /// As things happened.
    #[default]
    Created,
    /// The other way round.
    Reverse,
    /// As a seed has it.
    Random,
}

/// Sends all that wait, each so many times, and answers how many were taken. What waits
/// and is not taken waits on.
pub(super) async fn release(
    twin: &Twin,
    http: &reqwest::Client,
    order: Order,
    seed: u64,
    copies: usize,
) -> Result<usize, Refusal> {
    let mut transaction = twin.pool().begin().await?;
    let waiting: Vec<Waiting> = sqlx::query_as(
        "select d.id, d.body, e.url, e.secret from sandbox.stripe_delivery d cross join sandbox.stripe_endpoint e
          where d.delivered_at is null order by d.id for update of d",
    )
    .fetch_all(&mut *transaction)
    .await?;
    let mut sent: Vec<&Waiting> = waiting.iter().flat_map(|webhook| std::iter::repeat_n(webhook, copies)).collect();
    match order {
        Order::Created => {}
        Order::Reverse => sent.reverse(),
        Order::Random => sent.shuffle(&mut StdRng::seed_from_u64(seed)),
    }
    let mut taken = 0;
    for webhook in sent {
        let was_taken = post(twin, http, webhook).await;
        taken += usize::from(was_taken);
        if was_taken {
            record(&mut transaction, webhook.id, true).await?;
        }
    }
    transaction.commit().await?;
    Ok(taken)
}
