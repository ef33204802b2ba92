//! One change: objects read and written, and events told of them, in one transaction.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::{Postgres, Row, Transaction};

use super::{Shape, Twin, answer::Refusal, shape};
use crate::clock::Clock;

/// What the events of the twin say of their shape.
pub(super) const API_VERSION: &str = "2026-09-30.endive";

pub(super) struct Work {
    pub(super) transaction: Transaction<'static, Postgres>,
    /// In seconds since 1970, as Stripe writes times.
    pub(super) now: i64,
    clock: Clock,
    events: Vec<Value>,
}

impl Work {
    /// Begins a change. Changes go one after the other.
    pub(super) async fn begin(twin: &Twin) -> Result<Self, Refusal> {
        let mut transaction = twin.pool().begin().await?;
        sqlx::query("select pg_advisory_xact_lock('sandbox.stripe_object'::regclass::oid::int, 0)")
            .execute(&mut *transaction)
            .await?;
        let clock = twin.inner.clock.clone();
        Ok(Self { transaction, now: clock.now().timestamp(), clock, events: vec![] })
    }

    /// A new id, such as `sub_…`.
    pub(super) fn id(&self, prefix: &str) -> String {
        format!("{prefix}_{}", self.clock.new_id().simple())
    }

    pub(super) async fn find(&mut self, kind: &str, id: &str) -> Result<Option<Value>, Refusal> {
        let found = sqlx::query_scalar("select body from sandbox.stripe_object where id = $1 and kind = $2");
        Ok(found.bind(id).bind(kind).fetch_optional(&mut *self.transaction).await?)
    }

    pub(super) async fn get(&mut self, kind: &str, id: &str) -> Result<Value, Refusal> {
        self.find(kind, id).await?.ok_or_else(|| Refusal::no_such(kind, id))
    }

    /// Keeps an object as it is now.
    pub(super) async fn put(&mut self, object: &Value) -> Result<(), Refusal> {
        sqlx::query(
            "insert into sandbox.stripe_object (id, kind, body) values ($1, $2, $3)
             on conflict (id) do update set body = excluded.body",
        )
        .bind(text(object, "id"))
        .bind(text(object, "object"))
        .bind(object)
        .execute(&mut *self.transaction)
        .await?;
        Ok(())
    }

    /// Tells of an object as it is now, and what of it was otherwise before.
    pub(super) fn tell(&mut self, kind: &str, object: &Value, previous: Option<Value>) {
        let mut data = json!({ "object": object });
        if let Some(previous) = previous {
            data["previous_attributes"] = previous;
        }
        self.events.push(json!({
            "id": self.id("evt"), "object": "event", "type": kind, "created": self.now, "api_version": API_VERSION,
            "livemode": false, "pending_webhooks": 1, "request": { "id": null, "idempotency_key": null }, "data": data,
        }));
    }

    /// Keeps everything and queues the webhooks.
    pub(super) async fn commit(mut self, twin: &Twin) -> Result<(), Refusal> {
        let events = std::mem::take(&mut self.events);
        let endpoint =
            sqlx::query("select shape from sandbox.stripe_endpoint").fetch_optional(&mut *self.transaction).await?;
        let shape = match endpoint {
            Some(row) => Some(Shape::named(&row.try_get::<String, _>("shape")?)),
            None => None,
        };
        for event in &events {
            self.put(event).await?;
            let Some(shape) = shape else { continue };
            sqlx::query("insert into sandbox.stripe_delivery (event, body) values ($1, $2)")
                .bind(text(event, "id"))
                .bind(shape::event(event, shape).to_string())
                .execute(&mut *self.transaction)
                .await?;
        }
        self.transaction.commit().await?;
        if !events.is_empty() {
            twin.inner.queued.notify_one();
        }
        Ok(())
    }
}

/// A text of an object of ours; they all have it.
pub(super) fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object[name].as_str().unwrap_or_default()
}

/// A whole number of an object of ours.
pub(super) fn integer(object: &Value, name: &str) -> i64 {
    object[name].as_i64().unwrap_or_default()
}

/// An instant of an object of ours.
pub(super) fn instant(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default()
}
