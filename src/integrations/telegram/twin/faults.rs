//! Failures on order: the next so many calls of a method go wrong in a chosen way.

use std::time::Duration;

use poem::http::StatusCode;
use poem::web::{Data, Json};
use poem::{Body, handler};
use serde_json::{Value, json};
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row};

use super::Twin;
use super::answer::Refusal;
use super::bot_api::Method;
use super::fields::Fields;
use super::people;
use super::problem::Result;

const ANY: &str = "*";
const LONGEST_HANG_MS: i64 = 600_000;
const LONGEST_SILENCE: i64 = 3_600;
const LONGEST_DESCRIPTION: usize = 300;

/// What goes wrong with one call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Refused with this status; nothing is done.
    Refuse { status: u16, retry_after: Option<i32> },
    /// Refused in words of the tester's choice; nothing is done.
    Say(Refusal),
    /// Works, but the answer comes only after this time.
    Hang(Duration),
    /// Works, but the answer breaks off.
    AcceptThenDrop,
}

/// The fault meant for this call, if there is one.
pub(super) async fn take(pool: &PgPool, method: Method) -> sqlx::Result<Option<Fault>> {
    let row = sqlx::query(
        "update sandbox.telegram_fault set remaining = remaining - 1
          where id = (select id from sandbox.telegram_fault
                       where method in ($1, $2) and remaining > 0
                       order by id limit 1 for update)
         returning status, retry_after, hang_ms, accept_then_drop, description, migrate_to_chat_id",
    )
    .bind(method.name())
    .bind(ANY)
    .fetch_optional(pool)
    .await?;
    row.map(|row| fault(&row)).transpose()
}

fn fault(row: &PgRow) -> sqlx::Result<Fault> {
    if row.try_get("accept_then_drop")? {
        return Ok(Fault::AcceptThenDrop);
    }
    if let Some(ms) = row.try_get::<Option<i64>, _>("hang_ms")? {
        return Ok(Fault::Hang(Duration::from_millis(ms.unsigned_abs())));
    }
    let status: Option<i32> = row.try_get("status")?;
    let status = status.and_then(|status| u16::try_from(status).ok()).unwrap_or(500);
    if let Some(description) = row.try_get::<Option<String>, _>("description")? {
        let migrate_to = row.try_get("migrate_to_chat_id")?;
        return Ok(Fault::Say(Refusal { migrate_to, ..Refusal::new(status, description) }));
    }
    Ok(Fault::Refuse { status, retry_after: row.try_get("retry_after")? })
}

/// `POST /faults {"method", "times", "error"}`
#[handler]
pub(super) async fn order(Data(twin): Data<&Twin>, body: Body) -> Result<(StatusCode, Json<Value>)> {
    let mut fields = Fields::read(body).await?;
    let method = fields.text("method")?;
    let Some(method) = (method == ANY).then_some(ANY).or(Method::named(&method).map(Method::name)) else {
        let known = Method::ALL.map(Method::name).join(", ");
        return Err(fields.wrong("method", &format!("must be one of {known}, or *")));
    };
    let times = fields.optional_integer("times", 1, 1_000_000)?.unwrap_or(1);
    let mut error = fields.object("error")?;
    fields.finish()?;
    let status = error.optional_integer("status", 400, 599)?;
    let retry_after = error.optional_integer("retry_after", 1, LONGEST_SILENCE)?;
    let hang_ms = error.optional_integer("hang_ms", 1, LONGEST_HANG_MS)?;
    let drop = error.optional_flag("accept_then_drop")?.unwrap_or(false);
    if [status.is_some(), hang_ms.is_some(), drop].iter().filter(|given| **given).count() != 1 {
        return Err(error.wrong("status", "or hang_ms or accept_then_drop must be given, and only one of them"));
    }
    if retry_after.is_some() != (status == Some(429)) {
        return Err(error.wrong("retry_after", "belongs to status 429, and to no other error"));
    }
    let description = people::short(&mut error, "description", LONGEST_DESCRIPTION)?;
    if description.is_some() && (status.is_none() || retry_after.is_some()) {
        return Err(error.wrong("description", "belongs to a status other than 429"));
    }
    let migrate_to = error.optional_integer("migrate_to_chat_id", i64::MIN, -1)?;
    if migrate_to.is_some() && (description.is_none() || status != Some(400)) {
        return Err(error.wrong("migrate_to_chat_id", "belongs to status 400 with a description"));
    }
    error.finish()?;
    let id: i64 = sqlx::query_scalar(
        "insert into sandbox.telegram_fault
                (method, remaining, status, retry_after, hang_ms, accept_then_drop, description, migrate_to_chat_id)
         values ($1, $2::int, $3::int, $4::int, $5, $6, $7, $8) returning id",
    )
    .bind(method)
    .bind(times)
    .bind(status)
    .bind(retry_after)
    .bind(hang_ms)
    .bind(drop)
    .bind(description)
    .bind(migrate_to)
    .fetch_one(twin.pool())
    .await?;
    Ok((StatusCode::CREATED, Json(json!({ "id": id, "method": method, "times": times }))))
}

/// `GET /faults`: those not used up.
#[handler]
pub(super) async fn list(Data(twin): Data<&Twin>) -> Result<Json<Value>> {
    let faults: Value = sqlx::query_scalar(
        "select coalesce(json_agg(json_strip_nulls(to_json(f)) order by f.id), '[]')
           from sandbox.telegram_fault f where remaining > 0",
    )
    .fetch_one(twin.pool())
    .await?;
    Ok(Json(json!({ "faults": faults })))
}

/// `DELETE /faults`: nothing goes wrong on order any more.
#[handler]
pub(super) async fn clear(Data(twin): Data<&Twin>) -> Result<Json<Value>> {
    sqlx::query("delete from sandbox.telegram_fault").execute(twin.pool()).await?;
    Ok(Json(json!({ "faults": [] })))
}
