//! The answer to a command that comes again under the same key.

use aggregates::Decide;
use sqlx::PgPool;

use super::{Done, SendError};
use crate::log::{self, LogError, Once};

type Answer<A> = Result<Done<A>, SendError<<A as cqrs_es::Aggregate>::Error>>;

/// What was answered under this key; none when it is new.
pub(super) async fn answer<A: Decide>(pool: &PgPool, once: &Once) -> Result<Option<Answer<A>>, SendError<A::Error>> {
    let failed = |source| LogError::Unavailable { operation: "read a receipt", source };
    let receipt = sqlx::query!(
        r#"select fingerprint, aggregate_type, aggregate_id, position, events, version, refusal::text as refusal
             from receipts where source = $1 and key = $2"#,
        &*once.source,
        &*once.key,
    )
    .fetch_optional(pool)
    .await
    .map_err(failed)?;
    let Some(receipt) = receipt else { return Ok(None) };
    if receipt.fingerprint != once.fingerprint || receipt.aggregate_type != A::TYPE {
        return Err(SendError::KeyReused);
    }
    if let Some(refusal) = receipt.refusal {
        let refusal = serde_json::from_str(&refusal).map_err(|error| failed(sqlx::Error::Decode(Box::new(error))))?;
        return Ok(Some(Err(SendError::Refused(refusal))));
    }
    let mut events = vec![];
    let mut last = 0;
    match receipt.position {
        Some(position) => {
            let mut connection = pool.acquire().await.map_err(failed)?;
            for event in log::read(&mut connection, position - 1, receipt.events.into()).await? {
                last = event.position;
                events.push(
                    A::read(&event.event_type, &event.event_version, &event.payload)
                        .map_err(|source| LogError::Unreadable { position: event.position, source })?,
                );
            }
        }
        // It changed nothing; what it found is in the stream up to its version.
        None => {
            last = sqlx::query_scalar!(
                "select position from events where aggregate_type = $1 and aggregate_id = $2 and sequence = $3",
                receipt.aggregate_type,
                receipt.aggregate_id,
                receipt.version,
            )
            .fetch_optional(pool)
            .await
            .map_err(failed)?
            .unwrap_or(0);
        }
    }
    Ok(Some(Ok(Done {
        id: receipt.aggregate_id.into(),
        position: last,
        version: receipt.version,
        events,
        repeated: true,
    })))
}
