//! Removing people from a channel: on trial, at most so many an hour, and nobody who has just paid.

use serde_json::{Value, json};

use crate::{
    shop::{ANN, EVE, Shop, begins, cancel, shown},
    support::{Process, eventually},
};

/// Waits until a job of this kind says this.
async fn says(process: &Process, kind: &str, words: &str) {
    eventually(words, async || {
        let jobs: Value = process.get("/api/jobs").await;
        let said = |job: &Value| job["kind"] == kind && job["last_error"].to_string().contains(words);
        jobs["items"].as_array().unwrap().iter().any(said).then_some(())
    })
    .await;
}

/// Has what was put off done now.
async fn hurry(shop: &Shop, kind: &str) {
    sqlx::query("update jobs set run_at = now() where kind = $1").bind(kind).execute(&shop.world.pool).await.unwrap();
}

/// On trial nobody is removed, and who would be stands in the list of jobs; without it they are.
#[tokio::test(flavor = "multi_thread")]
async fn on_trial_nobody_is_removed() {
    let shop = Shop::open().await;
    let process = shop.prepared_with(&[("REMOVALS_DRY_RUN", "1")]).await;
    let id = shop.grant(&process, ANN, None).await;
    shop.enter(ANN).await;
    cancel(&process, &id).await;
    says(&process, "remove_member", "dry run: would be removed").await;
    assert_eq!(shop.inside().await, [ANN]);
    begins(&shop.said(ANN).await, &["Welcome to VIP!"]);
    let due = process.get("/api/telegram/members?removal_due=true").await;
    assert_eq!(due["items"][0]["telegram_id"], ANN, "{due}");

    process.kill();
    let _process = shop.process_with(&[]).await;
    hurry(&shop, "remove_member").await;
    shop.settled().await;
    assert!(shop.inside().await.is_empty());
    begins(&shop.said(ANN).await[1..], &["Your subscription has ended, so you are not in VIP any more."]);
    shop.world.audit().await;
}

/// More removals than an hour may have wait, and the admins hear of it once.
#[tokio::test(flavor = "multi_thread")]
async fn no_more_are_removed_in_an_hour_than_may_be() {
    const ADMIN: i64 = 8001;
    let shop = Shop::open().await;
    let admin = ADMIN.to_string();
    let process = shop.prepared_with(&[("REMOVALS_PER_HOUR", "1"), ("TELEGRAM_ADMIN_IDS", &admin)]).await;
    shop.world.telegram.say(ADMIN, "/start").await;
    let mut ids = vec![];
    for user in [ANN, EVE] {
        ids.push(shop.grant(&process, user, None).await);
        shop.enter(user).await;
    }
    assert_eq!(shop.inside().await, [ANN, EVE]);
    for id in &ids {
        cancel(&process, id).await;
    }
    says(&process, "remove_member", "more than 1 removals an hour").await;
    let one = eventually("one to be removed", async || {
        let inside = shop.inside().await;
        (inside.len() == 1).then_some(inside)
    })
    .await;
    let alerts = async || {
        let said = shop.world.bot_said(ADMIN).await;
        said.into_iter().filter(|text| text.starts_with("More than 1 people are to be removed")).count()
    };
    eventually("the alert", async || (alerts().await == 1).then_some(())).await;
    // It is tried again, and is still too much.
    hurry(&shop, "remove_member").await;
    eventually("it to be tried", async || {
        let waiting: i64 =
            sqlx::query_scalar("select count(*) from jobs where kind = 'remove_member' and run_at > now()")
                .fetch_one(&shop.world.pool)
                .await
                .unwrap();
        (waiting == 1).then_some(())
    })
    .await;
    assert_eq!((shop.inside().await, alerts().await), (one, 1));

    let over = "update removals set at = at - interval '61 minutes'";
    sqlx::query(over).execute(&shop.world.pool).await.unwrap();
    hurry(&shop, "remove_member").await;
    shop.settled().await;
    assert!(shop.inside().await.is_empty());
    shop.world.audit().await;
}

/// Who pays while their removal waits stays in, even if the member has not heard of it yet when the
/// removal is done.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_just_paid_is_not_removed() {
    let shop = Shop::open().await;
    let at_once = ("PAST_DUE_GRACE_DAYS", "0");
    let process = shop.prepared_with(&[at_once, ("REMOVALS_DRY_RUN", "1")]).await;
    let subscription = shop.stripe.buy(&shop.price, ANN, "ann@example.com").await;
    shop.settled().await;
    shop.enter(ANN).await;
    shop.stripe.act(&format!("subscriptions/{subscription}/fail_next"), json!({})).await;
    shop.stripe.act(&format!("subscriptions/{subscription}/advance"), json!({})).await;
    says(&process, "remove_member", "dry run").await;
    assert_eq!(shown(&process).await["status"], "ended");

    // From now on nobody carries to members what subscriptions say.
    sqlx::raw_sql(
        "create function wait_with_it() returns trigger language plpgsql as
             $$ begin new.run_at := now() + interval '1 hour'; return new; end $$;
         create trigger wait_with_it before insert on jobs for each row
             when (new.kind = 'sync_subscription') execute function wait_with_it();",
    )
    .execute(&shop.world.pool)
    .await
    .unwrap();
    let invoice = shop.stripe.last_invoice(&subscription).await;
    shop.stripe.act(&format!("invoices/{invoice}/pay"), json!({})).await;
    let waits = async |kind: &str| {
        let waiting: i64 = sqlx::query_scalar("select count(*) from jobs where kind = $1")
            .bind(kind)
            .fetch_one(&shop.world.pool)
            .await
            .unwrap();
        waiting
    };
    eventually("the subscription to be paid", async || {
        (shown(&process).await["status"] == "active" && waits("sync_subscription").await > 0).then_some(())
    })
    .await;
    process.kill();
    let process = shop.process_with(&[at_once]).await;
    hurry(&shop, "remove_member").await;
    eventually("the removal to be decided", async || (waits("remove_member").await == 0).then_some(())).await;
    assert_eq!(shop.inside().await, [ANN]);
    assert!(waits("sync_subscription").await > 0, "nobody had told the member");
    hurry(&shop, "sync_subscription").await;
    shop.settled().await;
    assert_eq!(shop.inside().await, [ANN]);
    assert_eq!(shown(&process).await["status"], "active");
    begins(&shop.said(ANN).await, &["Welcome to VIP!"]);
    shop.world.audit().await;
}
