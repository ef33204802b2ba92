//! Making read models again from the log.
//!
//! A read model is rebuilt in a schema of its own, beside the live tables that
//! go on being fed and read. When it has caught up, the live feed is held for a
//! moment (by the lock on its checkpoint), the last events are applied and the
//! tables change places, in one transaction. Only projections run: effects are
//! of reactions, which a rebuild never touches.
//!
//! Two processes may both believe to hold the lease (one was stopped and goes
//! on). Each rebuilds in a schema of its own run and drops those of others, so
//! the one that was overtaken finds its schema gone and changes nothing.

use std::time::Duration;

use projections::Projection;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::{
    feed::{FeedError, move_checkpoint, typed},
    lease, log,
};

/// Events applied in one transaction.
const BATCH: i64 = 5_000;

/// Why a read model was not rebuilt; the live one is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// There is no read model of this name.
    #[error("there is no read model {name:?}; there are: {}", known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// Somebody else is at it.
    #[error("{0} is being rebuilt by another process")]
    Busy(&'static str),
    /// The database said no.
    #[error("rebuilding {name}: {operation} failed")]
    Database {
        /// Which read model.
        name: &'static str,
        /// What was tried.
        operation: &'static str,
        /// What the database said.
        source: sqlx::Error,
    },
    /// The log could not be read or an event not be applied.
    #[error("rebuilding {name} failed")]
    Feed {
        /// Which read model.
        name: &'static str,
        /// Why.
        source: FeedError,
    },
}

/// The read models that `name` means: one, or `all`.
///
/// # Errors
/// [`RebuildError::Unknown`].
pub fn named(name: &str) -> Result<Vec<&'static dyn Projection>, RebuildError> {
    let all = projections::all();
    let chosen: Vec<_> = all.into_iter().filter(|projection| name == "all" || projection.name() == name).collect();
    if chosen.is_empty() {
        let known = all.iter().map(|projection| projection.name()).chain(["all"]).collect();
        return Err(RebuildError::Unknown { name: name.to_owned(), known });
    }
    Ok(chosen)
}

/// Rebuilds one read model; tells `progress` the position it has reached and
/// the last one there is.
///
/// # Errors
/// [`RebuildError`].
pub async fn rebuild(
    pool: &PgPool,
    projection: &'static dyn Projection,
    holder: Uuid,
    mut progress: impl FnMut(i64, i64),
) -> Result<i64, RebuildError> {
    let job = Rebuild {
        name: projection.name(),
        schema: format!("rebuild_{}_{}", projection.name(), holder.simple()),
        projection,
    };
    let lease = format!("rebuild:{}", job.name);
    lease::register(pool, &lease).await.map_err(job.failed("register the lease"))?;
    if !lease::take(pool, &lease, holder).await.map_err(job.failed("take the lease"))? {
        return Err(RebuildError::Busy(job.name));
    }
    let done = job.run(pool, &lease, holder, &mut progress).await;
    lease::give_back(pool, &lease, holder, Duration::ZERO, None).await.map_err(job.failed("give the lease back"))?;
    done
}

struct Rebuild {
    name: &'static str,
    schema: String,
    projection: &'static dyn Projection,
}

impl Rebuild {
    fn failed(&self, operation: &'static str) -> impl Fn(sqlx::Error) -> RebuildError + use<> {
        let name = self.name;
        move |source| RebuildError::Database { name, operation, source }
    }

    fn feed_failed(&self, source: impl Into<FeedError>) -> RebuildError {
        RebuildError::Feed { name: self.name, source: source.into() }
    }

    async fn run(
        &self,
        pool: &PgPool,
        lease: &str,
        holder: Uuid,
        progress: &mut impl FnMut(i64, i64),
    ) -> Result<i64, RebuildError> {
        self.prepare(pool).await?;
        let mut position = 0;
        loop {
            // Extends it, too.
            if !lease::take(pool, lease, holder).await.map_err(self.failed("keep the lease"))? {
                return Err(RebuildError::Busy(self.name));
            }
            let mut transaction = pool.begin().await.map_err(self.failed("begin"))?;
            let (reached, applied) = self.apply(&mut transaction, position).await?;
            let last = sqlx::query_scalar!(r#"select coalesce(max(position), 0) as "last!" from events"#)
                .fetch_one(&mut *transaction)
                .await
                .map_err(self.failed("read the last position"))?;
            transaction.commit().await.map_err(self.failed("commit"))?;
            position = reached;
            progress(position, last);
            if applied < BATCH {
                return self.switch(pool, position).await;
            }
        }
    }

    /// Empty tables like the live ones, replacing what a rebuild that died left.
    async fn prepare(&self, pool: &PgPool) -> Result<(), RebuildError> {
        let mut transaction = pool.begin().await.map_err(self.failed("begin"))?;
        let others: Vec<String> =
            sqlx::query_scalar("select nspname::text from pg_namespace where starts_with(nspname, $1)")
                .bind(format!("rebuild_{}_", self.name))
                .fetch_all(&mut *transaction)
                .await
                .map_err(self.failed("look for other rebuilds"))?;
        let mut statements: Vec<_> =
            others.iter().map(|schema| format!(r#"drop schema if exists "{schema}" cascade"#)).collect();
        statements.push(format!(r#"create schema "{}""#, self.schema));
        for table in self.projection.tables() {
            statements.push(format!(
                r#"create table "{}"."{table}" (like read_models."{table}" including all)"#,
                self.schema
            ));
        }
        for statement in statements {
            sqlx::query(&statement).execute(&mut *transaction).await.map_err(self.failed("create the new tables"))?;
        }
        transaction.commit().await.map_err(self.failed("commit"))
    }

    async fn apply(&self, connection: &mut PgConnection, after: i64) -> Result<(i64, i64), RebuildError> {
        sqlx::query(&format!(r#"set local search_path = "{}", public"#, self.schema))
            .execute(&mut *connection)
            .await
            .map_err(self.failed("look at the new tables"))?;
        let recorded = log::read(connection, after, BATCH).await.map_err(|e| self.feed_failed(e))?;
        let events = typed(&recorded).map_err(|e| self.feed_failed(e))?;
        self.projection.apply(connection, &events).await.map_err(|e| self.feed_failed(e))?;
        Ok((events.last().map_or(after, |event| event.position), events.len() as i64))
    }

    async fn switch(&self, pool: &PgPool, mut position: i64) -> Result<i64, RebuildError> {
        let mut transaction = pool.begin().await.map_err(self.failed("begin"))?;
        // Who waits for the tables holds up everybody who comes after: rather fail, and be run again.
        sqlx::query("set local lock_timeout = '10s'")
            .execute(&mut *transaction)
            .await
            .map_err(self.failed("limit the wait"))?;
        sqlx::query!("select position from checkpoints where feed = $1 for update", self.name)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(self.failed("hold the live feed"))?;
        loop {
            let (reached, applied) = self.apply(&mut transaction, position).await?;
            position = reached;
            if applied < BATCH {
                break;
            }
        }
        for table in self.projection.tables() {
            for statement in [
                format!(r#"drop table read_models."{table}""#),
                format!(r#"alter table "{}"."{table}" set schema read_models"#, self.schema),
            ] {
                sqlx::query(&statement).execute(&mut *transaction).await.map_err(self.failed("switch"))?;
            }
        }
        sqlx::query(&format!(r#"drop schema "{}""#, self.schema))
            .execute(&mut *transaction)
            .await
            .map_err(self.failed("switch"))?;
        move_checkpoint(&mut transaction, self.name, position).await.map_err(|e| self.feed_failed(e))?;
        transaction.commit().await.map_err(self.failed("switch"))?;
        Ok(position)
    }
}
