//! `/metrics`, for Prometheus. It needs the scope `operations`: a proxy on the
//! same machine would make every caller look local.

use poem::{Request, Response, handler, http::header};
use quick_cache::sync::Cache;
use tokio::time::{Duration, Instant, timeout};

use super::{
    auth::{self, Need, Operations},
    context::{Context, Inside},
    problem::{Answer, Kind},
};
use crate::{app::App, feed, jobs, secrets::fingerprint};

/// How long the database may take, to judge the caller and to count. Prometheus
/// itself waits for 10 seconds.
const PATIENCE: Duration = Duration::from_secs(2);
/// Who was let in is let in again for so long while the database is away.
const TRUSTED: Duration = Duration::from_secs(15 * 60);

/// Whose credentials were good the last time they could be judged. Metrics are
/// needed most while the database is away, and nobody can be judged without it.
pub(super) struct LetIn(Cache<[u8; 32], Instant>);

impl Default for LetIn {
    fn default() -> Self {
        Self(Cache::new(100))
    }
}

impl LetIn {
    async fn judge(&self, request: &Request) -> Answer<()> {
        let [authorization, key, cookie] = [header::AUTHORIZATION.as_str(), "x-api-key", header::COOKIE.as_str()]
            .map(|name| request.headers().get(name).map_or(&[][..], |value| value.as_bytes()));
        let sent = fingerprint(&[authorization, key, cookie]);
        let judged = match timeout(PATIENCE, auth::caller(request)).await {
            Ok(caller) => caller.and_then(|caller| Operations::met(&caller.identity)),
            Err(_) => Err(Kind::DatabaseUnavailable.into()),
        };
        match &judged {
            Ok(()) => self.0.insert(sent, Instant::now()),
            Err(problem) if problem.kind() == Kind::DatabaseUnavailable => {
                if self.0.get(&sent).is_some_and(|since| since.elapsed() < TRUSTED) {
                    return Ok(());
                }
            }
            Err(_) => {
                self.0.remove(&sent);
            }
        }
        judged
    }
}

/// Metrics of this process, with the lag of the feeds and the number of jobs as
/// they are right now; without these while the database is away.
#[handler]
pub(super) async fn metrics(request: &Request) -> poem::Result<Response> {
    let Inside { app, let_in, .. } = &*Context::of(request)?.inside;
    let_in.judge(request).await?;
    if !matches!(timeout(PATIENCE, count(app)).await, Ok(Ok(()))) {
        // Old numbers would look like new ones.
        app.metrics.feed_lag_events.reset();
        app.metrics.feed_lag_seconds.reset();
        app.metrics.jobs_waiting.reset();
    }
    let text = app.metrics.render();
    Ok(Response::builder().header(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8").body(text))
}

async fn count(app: &App) -> Answer<()> {
    for feed in feed::standings(&app.pool).await? {
        app.metrics.feed_lag_events.with_label_values(&[&feed.feed]).set(feed.lag_events);
        // Whole seconds are enough, and past i64 nobody counts them.
        let seconds = feed.lag_seconds.round() as i64;
        app.metrics.feed_lag_seconds.with_label_values(&[&feed.feed]).set(seconds);
    }
    for (state, count) in jobs::admin::count(&app.pool).await? {
        app.metrics.jobs_waiting.with_label_values(&[state.as_str()]).set(count);
    }
    Ok(())
}
