//! A plan that is what it is only since now, and those who bought it before.

use std::time::Duration;

use aggregates::subscription::Command;
use projections::duties;
use uuid::Uuid;

use super::retry;
use crate::{app::App, executor::Wish, feed, jobs::JobError, log::Cause};

/// Looked at in one query.
const PAGE: i64 = 200;

/// Tells every subscription that has one of these prices, or had this plan, what its prices
/// stand for now. Done again, it comes to the same.
///
/// # Errors
/// [`JobError`].
pub(crate) async fn apply(
    app: &App,
    cause: &Cause,
    plan: Uuid,
    prices: &[String],
    position: i64,
) -> Result<(), JobError> {
    // Who is not shown yet must be, and who is first heard of from now on must hear of the plan.
    let last = app.log.last_position().await.map_err(|error| JobError::retry(&error))?.max(position);
    for read_model in ["plans", "subscriptions"] {
        let reached = feed::wait_for(&app.pool, read_model, last, Duration::from_secs(2)).await;
        if reached.map_err(|error| JobError::retry(&error))? < last {
            let reason = format!("the read model {read_model} is behind");
            return Err(JobError::Later { reason, after: Duration::from_secs(1) });
        }
    }
    let mut after = None::<Uuid>;
    loop {
        let page = duties::with_prices(&app.pool, plan, prices, after, PAGE).await;
        let page = page.map_err(|error| JobError::retry(&error))?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(*last);
        for id in page {
            let stream = id.to_string();
            let looked = app.subscriptions.look(&stream, |subscription, _, _| {
                let items = subscription.latest().map(|latest| &latest.contract.items);
                items.map(|items| items.iter().map(|item| item.price.clone()).collect::<Vec<_>>())
            });
            let Some(prices) = looked.await.map_err(|error| JobError::retry(&error))? else { continue };
            let plan = duties::plan_of(&app.pool, &prices).await.map_err(|error| JobError::retry(&error))?;
            let command = Command::Replan { plan, at: app.clock.now() };
            let wish = Wish { command, cause: cause.clone(), once: None, expected: None };
            app.subscriptions.send(&stream, wish).await.map_err(|error| retry(&error))?;
        }
    }
}
