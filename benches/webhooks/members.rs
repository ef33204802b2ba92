//! Subscribers to ask for.

use aggregates::{ByHand, Personal, plan::PlanRef, subscription::Command};
use futures_util::{StreamExt, stream};
use promostack::{
    access::{Scope, keys},
    app::App,
    executor::Wish,
    log::Cause,
    secrets::Secret,
};
use uuid::Uuid;

/// How many there are.
pub(crate) const MANY: u64 = 10_000;

/// The address of one of them.
pub(crate) fn address(n: u64) -> String {
    format!("subscriber-{n}@example.com")
}

/// Makes them, and waits until they can be asked for; answers a key to ask with.
pub(crate) async fn made(app: &App) -> Secret {
    stream::iter(0..MANY)
        .for_each_concurrent(256, async |n| {
            let at = app.clock.now();
            let by_hand =
                ByHand { by: Personal::new("bench".to_owned()), reason: Personal::new("to be asked for".to_owned()) };
            let plan = PlanRef { id: Uuid::from_u128(1), name: "VIP".to_owned(), channel: -1 };
            let email = Some(Personal::new(address(n)));
            let command = Command::Grant { plan, email, account: None, until: None, by_hand, at };
            let cause = Cause { actor: "bench".into(), correlation: app.clock.new_id(), causation: "bench".into() };
            let wish = Wish { command, cause, once: None, expected: Some(0) };
            app.subscriptions.send(&app.clock.new_id().to_string(), wish).await.expect("it is granted");
        })
        .await;
    let last = app.log.last_position().await.expect("the log is there");
    let patience = std::time::Duration::from_secs(60);
    assert!(app.access_table.wait_for(last, patience).await, "the table follows the log");
    let scopes = [Scope::SubscriptionsRead];
    let name = format!("bench-{}", app.clock.new_id());
    keys::create(&app.pool, &app.clock, &name, &scopes, "bench").await.expect("a key is made").1
}
