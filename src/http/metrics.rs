//! `/metrics`, for Prometheus. It needs the scope `operations`: a proxy on the
//! same machine would make every caller look local.

use poem::{Request, Response, handler, http::header, web::Data};

use super::{
    auth::{self, Need, Operations},
    problem::Answer,
};
use crate::{app::App, feed, jobs};

/// Metrics of this process, with the lag of the feeds and the number of jobs as
/// they are right now.
#[handler]
pub(super) async fn metrics(request: &Request, app: Data<&App>) -> poem::Result<Response> {
    Operations::met(&auth::caller(request).await?.identity)?;
    let text = render(&app).await?;
    Ok(Response::builder().header(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8").body(text))
}

async fn render(app: &App) -> Answer<String> {
    for feed in feed::standings(&app.pool).await? {
        app.metrics.feed_lag_events.with_label_values(&[&feed.feed]).set(feed.lag_events);
        // Whole seconds are enough, and past i64 nobody counts them.
        let seconds = feed.lag_seconds.round() as i64;
        app.metrics.feed_lag_seconds.with_label_values(&[&feed.feed]).set(seconds);
    }
    for (state, count) in jobs::admin::count(&app.pool).await? {
        app.metrics.jobs_waiting.with_label_values(&[state.as_str()]).set(count);
    }
    Ok(app.metrics.render())
}
