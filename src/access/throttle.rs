//! Failed logins, counted in the database: a restart does not forget them.

use sqlx::PgPool;
use tokio::time::Duration;

use super::{AccessError, database};

/// Failures count for this long.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Failures of one name from one address.
const FROM_ADDRESS: i64 = 5;
/// Failures of one name from anywhere. High, so that a stranger cannot lock an
/// admin out by a few wrong guesses.
const FROM_ANYWHERE: i64 = 50;

fn subjects(name: &str, address: &str) -> [(String, i64); 2] {
    [(format!("{name}|{address}"), FROM_ADDRESS), (name.to_owned(), FROM_ANYWHERE)]
}

/// Counts an attempt as failed, before its password is looked at: of many at
/// the same time no more get through than of as many in turn. Answers how long
/// to wait when there were too many.
pub(super) async fn attempt(pool: &PgPool, name: &str, address: &str) -> Result<Option<Duration>, AccessError> {
    for (subject, limit) in subjects(name, address) {
        if let Some(wait) = wait(pool, &subject, limit - 1).await? {
            return Ok(Some(wait));
        }
    }
    for (subject, limit) in subjects(name, address) {
        sqlx::query!("insert into login_failures (subject) values ($1)", subject)
            .execute(pool)
            .await
            .map_err(database("count a login"))?;
        if let Some(wait) = wait(pool, &subject, limit).await? {
            return Ok(Some(wait));
        }
    }
    Ok(None)
}

/// A success clears what was counted.
pub(super) async fn forget(pool: &PgPool, name: &str, address: &str) -> Result<(), AccessError> {
    let subjects = subjects(name, address).map(|(subject, _)| subject);
    sqlx::query!("delete from login_failures where subject = any ($1)", &subjects)
        .execute(pool)
        .await
        .map_err(database("forget failed logins"))?;
    Ok(())
}

/// How long until there are no more than `allowed`; none when there are not.
async fn wait(pool: &PgPool, subject: &str, allowed: i64) -> Result<Option<Duration>, AccessError> {
    let seconds = sqlx::query_scalar!(
        r#"select extract(epoch from failed_at + $3 * interval '1 second' - now())::float8 as "seconds!"
             from login_failures
            where subject = $1 and failed_at > now() - $3 * interval '1 second'
            order by failed_at desc offset $2 limit 1"#,
        subject,
        allowed,
        WINDOW.as_secs_f64(),
    )
    .fetch_optional(pool)
    .await
    .map_err(database("count failed logins"))?;
    Ok(seconds.map(|seconds| Duration::from_secs_f64(seconds.max(1.0))))
}
