//! A Stripe for the sandbox.
//!
//! It has two faces. The program's face is Stripe's own wire protocol, as far as it is
//! used here and by those who sell (customers, products, prices, checkout, subscriptions,
//! invoices, charges, refunds, disputes, the billing portal, events), so the client under
//! test is the client that goes live; each change is told by a signed webhook. The other
//! face is plain JSON and does what happens outside: somebody pays, a period passes, a
//! payment fails, a bank wants its money back, webhooks come late or in another order.
//!
//! All state is in PostgreSQL (schema `sandbox`): it outlives a killed process, and any
//! number of processes can serve it. Objects are kept in the shape of "basil" and later;
//! webhooks can be sent in the shape of old.

use std::sync::{Arc, OnceLock};

use poem::{EndpointExt, IntoEndpoint, Route, get, post};
use reqwest::Url;
use sqlx::PgPool;
use tokio::sync::Notify;

use crate::clock::Clock;

mod actions;
mod answer;
mod api;
mod billing;
mod catalogue;
mod delivery;
mod faults;
mod form;
mod lists;
mod pages;
mod payments;
mod shape;
mod work;

/// The twin. Cheap to clone; clones are the same twin.
#[derive(Clone)]
pub struct Twin {
    inner: Arc<Inner>,
}

struct Inner {
    pool: PgPool,
    clock: Clock,
    /// Rung when this process has queued a webhook; others notice by looking.
    queued: Notify,
    /// Where people reach its pages; otherwise where calls come to.
    pages: OnceLock<String>,
}

/// The shape in which webhooks are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Of today: since version 2025-03-31 "basil".
    #[default]
    Basil,
    /// As before that.
    Old,
}

impl Shape {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Basil => "basil",
            Self::Old => "old",
        }
    }

    fn named(name: &str) -> Self {
        if name == "old" { Self::Old } else { Self::Basil }
    }
}

impl Twin {
    /// A twin over this database. Nothing happens until it is served or delivers.
    #[must_use]
    pub fn new(pool: PgPool, clock: Clock) -> Self {
        Self { inner: Arc::new(Inner { pool, clock, queued: Notify::new(), pages: OnceLock::new() }) }
    }

    /// Has webhooks posted to `url`, signed under `secret`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn deliver_to(&self, url: &Url, secret: &str, shape: Shape) -> Result<(), sqlx::Error> {
        sqlx::query(
            "insert into sandbox.stripe_endpoint (url, secret, shape) values ($1, $2, $3)
             on conflict (one) do update set url = excluded.url, secret = excluded.secret, shape = excluded.shape",
        )
        .bind(url.as_str())
        .bind(secret)
        .bind(shape.as_str())
        .execute(&self.inner.pool)
        .await?;
        Ok(())
    }

    /// Says where people reach its pages: links to a payment page or to the portal lead there,
    /// and go on doing so when the program is started again. What was said first counts.
    pub fn show_pages_at(&self, url: &Url) {
        let _ = self.inner.pages.set(url.as_str().trim_end_matches('/').to_owned());
    }

    /// Both faces, to be mounted under any prefix.
    pub fn routes(&self) -> impl IntoEndpoint<Endpoint: 'static> + use<> {
        Route::new()
            .at("/v1/*path", get(api::serve).post(api::serve).delete(api::serve))
            .at("/", get(pages::overview))
            .at("/state", get(actions::state))
            .at("/checkout/:id", get(pages::checkout).post(pages::pay))
            .at("/portal/:id", get(pages::portal).post(pages::cancel))
            .at("/checkout/:id/pay", post(actions::pay_checkout))
            .at("/checkout/:id/expire", post(actions::expire_checkout))
            .at("/subscriptions/:id/advance", post(actions::advance))
            .at("/subscriptions/:id/fail_next", post(actions::fail_next))
            .at("/subscriptions/:id/give_up", post(actions::give_up))
            .at("/subscriptions/:id/trial_will_end", post(actions::trial_will_end))
            .at("/invoices/:id/pay", post(actions::pay_invoice))
            .at("/charges/:id/refund", post(actions::refund))
            .at("/charges/:id/dispute", post(actions::dispute))
            .at("/disputes/:id/close", post(actions::close_dispute))
            .at("/webhook", get(actions::endpoint).put(actions::set_endpoint))
            .at("/webhooks/hold", post(actions::hold))
            .at("/webhooks/release", post(actions::release))
            .at("/events/:id/resend", post(actions::resend))
            .at("/faults", get(faults::list).post(faults::order).delete(faults::clear))
            .catch_all_error(answer::of_error)
            .data(self.clone())
    }

    /// Posts waiting webhooks until `shutdown` is ready. Any number of processes may do
    /// this at once. It holds one connection of the pool while it waits for an answer.
    pub async fn deliver(&self, http: reqwest::Client, shutdown: impl Future<Output = ()>) {
        delivery::run(self, &http, shutdown).await;
    }

    fn pool(&self) -> &PgPool {
        &self.inner.pool
    }
}

impl std::fmt::Debug for Twin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Twin").finish_non_exhaustive()
    }
}
