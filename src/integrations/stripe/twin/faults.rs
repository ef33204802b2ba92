//! Failures on order: the next so many calls whose path begins so go wrong in a chosen way.

use std::time::Duration;

use poem::{
    handler,
    http::StatusCode,
    web::{Data, Json},
};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::Row;

use super::{Twin, answer::Refusal};

const LONGEST_HANG_MS: i64 = 600_000;

/// What goes wrong with one call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Refused with this status; nothing is done.
    Refuse { status: u16, retry_after: Option<i32> },
    /// Works, but the answer comes only after this time.
    Hang(Duration),
    /// Works, but the answer breaks off.
    AcceptThenDrop,
}

/// The fault meant for this call, if there is one.
pub(super) async fn take(twin: &Twin, path: &str) -> Result<Option<Fault>, Refusal> {
    let row = sqlx::query(
        "update sandbox.stripe_fault set remaining = remaining - 1
          where id = (select id from sandbox.stripe_fault where starts_with($1, path) and remaining > 0
                       order by id limit 1 for update)
         returning status, retry_after, hang_ms, accept_then_drop",
    )
    .bind(path)
    .fetch_optional(twin.pool())
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.try_get("accept_then_drop")? {
        return Ok(Some(Fault::AcceptThenDrop));
    }
    if let Some(ms) = row.try_get::<Option<i64>, _>("hang_ms")? {
        return Ok(Some(Fault::Hang(Duration::from_millis(ms.unsigned_abs()))));
    }
    let status: Option<i32> = row.try_get("status")?;
    let status = status.and_then(|status| u16::try_from(status).ok()).unwrap_or(500);
    Ok(Some(Fault::Refuse { status, retry_after: row.try_get("retry_after")? }))
}

/// An order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    /// What the paths begin with.
    #[serde(default = "any")]
    path: String,
    #[serde(default = "once")]
    times: i32,
    error: Wanted,
}

/// What is to go wrong: one of `status`, `hang_ms` and `accept_then_drop`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    status: Option<i32>,
    retry_after: Option<i32>,
    hang_ms: Option<i64>,
    #[serde(default)]
    accept_then_drop: bool,
}

fn any() -> String {
    "/v1/".to_owned()
}

const fn once() -> i32 {
    1
}

/// `POST /faults {"path", "times", "error"}`
#[handler]
pub(super) async fn order(
    Data(twin): Data<&Twin>,
    Json(order): Json<Order>,
) -> poem::Result<(StatusCode, Json<Value>)> {
    let Order { path, times, error } = order;
    let ways = [error.status.is_some(), error.hang_ms.is_some(), error.accept_then_drop];
    if ways.iter().filter(|given| **given).count() != 1 {
        return Err(Refusal::param("error", "Give one of status, hang_ms and accept_then_drop.").into());
    }
    if error.status.is_some_and(|status| !(400..600).contains(&status)) {
        return Err(Refusal::param("error[status]", "Must be from 400 to 599.").into());
    }
    if !(1..=1_000_000).contains(&times) || error.hang_ms.is_some_and(|ms| !(1..=LONGEST_HANG_MS).contains(&ms)) {
        return Err(Refusal::param("times", "Must be from 1 to 1000000, and hang_ms from 1 to 600000.").into());
    }
    let id: i64 = sqlx::query_scalar(
        "insert into sandbox.stripe_fault (path, remaining, status, retry_after, hang_ms, accept_then_drop)
         values ($1, $2, $3, $4, $5, $6) returning id",
    )
    .bind(&path)
    .bind(times)
    .bind(error.status)
    .bind(error.retry_after)
    .bind(error.hang_ms)
    .bind(error.accept_then_drop)
    .fetch_one(twin.pool())
    .await
    .map_err(Refusal::from)?;
    Ok((StatusCode::CREATED, Json(json!({ "id": id, "path": path, "times": times }))))
}

/// `GET /faults`: those not used up.
#[handler]
pub(super) async fn list(Data(twin): Data<&Twin>) -> poem::Result<Json<Value>> {
    let faults: Value = sqlx::query_scalar(
        "select coalesce(json_agg(json_strip_nulls(to_json(f)) order by f.id), '[]')
           from sandbox.stripe_fault f where remaining > 0",
    )
    .fetch_one(twin.pool())
    .await
    .map_err(Refusal::from)?;
    Ok(Json(json!({ "faults": faults })))
}

/// `DELETE /faults`: nothing goes wrong on order any more.
#[handler]
pub(super) async fn clear(Data(twin): Data<&Twin>) -> poem::Result<Json<Value>> {
    sqlx::query("delete from sandbox.stripe_fault").execute(twin.pool()).await.map_err(Refusal::from)?;
    Ok(Json(json!({ "faults": [] })))
}
