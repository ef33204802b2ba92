//! Subscriptions: made by a checkout, renewed, failing, recovering, ending.

use chrono::{Days, Months};
use serde_json::{Value, json};
use sqlx::Row;

use super::{
    answer::{Answer, Refusal},
    catalogue::{create_customer, merge},
    form::Form,
    payments,
    work::{Work, instant, integer, text},
};

const DAY: i64 = 86_400;

/// Opens a payment page for one price.
pub(super) async fn create_session(work: &mut Work, form: &Form, base: &str) -> Answer {
    let mode = form.need("mode")?;
    if mode != "subscription" {
        return Err(Refusal::param("mode", "The twin knows checkout for subscriptions only."));
    }
    let price = work.get("price", form.need("line_items[0][price]")?).await?;
    if price["recurring"].is_null() {
        return Err(Refusal::param(
            "line_items",
            "You must provide at least one recurring price in `subscription` mode.",
        ));
    }
    let quantity = form.integer("line_items[0][quantity]")?.unwrap_or(1).max(1);
    if let Some(customer) = form.text("customer") {
        work.get("customer", customer).await?;
    }
    let id = work.id("cs_test");
    let amount = integer(&price, "unit_amount") * quantity;
    let session = json!({
        "id": id, "object": "checkout.session", "amount_subtotal": amount, "amount_total": amount,
        "cancel_url": form.text("cancel_url"), "client_reference_id": form.text("client_reference_id"),
        "created": work.now, "currency": price["currency"], "customer": form.text("customer"), "customer_details": null,
        "customer_email": form.text("customer_email"), "expires_at": work.now + DAY, "invoice": null,
        "livemode": false, "metadata": form.metadata(""), "mode": mode, "payment_status": "unpaid", "status": "open",
        "subscription": null, "success_url": form.text("success_url"), "ui_mode": "hosted",
        "url": format!("{base}/checkout/{id}"),
        "_price": price["id"], "_quantity": quantity,
        "_trial_days": form.integer("subscription_data[trial_period_days]")?.unwrap_or(0).clamp(0, 730),
        "_metadata": form.metadata("subscription_data"),
    });
    work.put(&session).await?;
    Ok(session)
}

async fn open_session(work: &mut Work, id: &str) -> Answer {
    let session = work.get("checkout.session", id).await?;
    if session["status"] != "open" {
        return Err(Refusal::invalid("This checkout session is no longer open."));
    }
    Ok(session)
}

/// Somebody pays on the page.
pub(super) async fn pay_session(work: &mut Work, id: &str, email: Option<&str>, name: Option<&str>) -> Answer {
    let mut session = open_session(work, id).await?;
    let email = email.map(str::to_owned).or_else(|| session["customer_email"].as_str().map(str::to_owned));
    let customer = match session["customer"].as_str() {
        Some(customer) => work.get("customer", customer).await?,
        None => {
            let fields = [("email", email.as_deref()), ("name", name)];
            let query: Vec<String> =
                fields.iter().filter_map(|(name, value)| Some(format!("{name}={}", encoded((*value)?)))).collect();
            create_customer(work, &Form::read(&query.join("&"), b"")?).await?
        }
    };
    let price = work.get("price", text(&session, "_price")).await?;
    let trial_days = integer(&session, "_trial_days");
    let (start, trial) = (work.now, trial_days > 0);
    let end = if trial { start + trial_days * DAY } else { next(start, &price) };
    let subscription_id = work.id("sub");
    let mut subscription = json!({
        "id": subscription_id, "object": "subscription", "automatic_tax": { "enabled": false },
        "billing_cycle_anchor": end, "billing_mode": { "type": "flexible" }, "cancel_at": null,
        "cancel_at_period_end": false, "canceled_at": null,
        "cancellation_details": { "comment": null, "feedback": null, "reason": null },
        "collection_method": "charge_automatically", "created": start, "currency": price["currency"],
        "customer": customer["id"], "discounts": [], "ended_at": null,
        "items": { "object": "list", "has_more": false, "url": format!("/v1/subscription_items?subscription={subscription_id}"),
            "data": [{
                "id": work.id("si"), "object": "subscription_item", "created": start, "current_period_start": start,
                "current_period_end": end, "discounts": [], "metadata": {}, "price": price,
                "quantity": session["_quantity"], "subscription": subscription_id,
            }] },
        "latest_invoice": null, "livemode": false, "metadata": session["_metadata"], "pause_collection": null,
        "start_date": start, "status": if trial { "trialing" } else { "active" },
        "trial_end": trial.then_some(end), "trial_start": trial.then_some(start),
    });
    let mut invoice = payments::invoice(work, &subscription, "subscription_create", trial);
    subscription["latest_invoice"] = invoice["id"].clone();
    work.put(&subscription).await?;
    work.tell("customer.subscription.created", &subscription, None);
    work.tell("invoice.created", &invoice, None);
    payments::settle(work, &mut invoice, true).await?;
    session["status"] = json!("complete");
    session["payment_status"] = json!(if trial { "no_payment_required" } else { "paid" });
    session["customer"] = customer["id"].clone();
    session["customer_details"] = json!({ "email": customer["email"], "name": customer["name"], "tax_exempt": "none" });
    session["subscription"] = subscription["id"].clone();
    session["invoice"] = invoice["id"].clone();
    session["url"] = Value::Null;
    if trial {
        session["amount_total"] = json!(0);
    }
    work.put(&session).await?;
    work.tell("checkout.session.completed", &session, None);
    Ok(session)
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Nobody finished it.
pub(super) async fn expire_session(work: &mut Work, id: &str) -> Answer {
    let mut session = open_session(work, id).await?;
    session["status"] = json!("expired");
    session["url"] = Value::Null;
    work.put(&session).await?;
    work.tell("checkout.session.expired", &session, None);
    Ok(session)
}

/// The end of a period that begins then.
fn next(start: i64, price: &Value) -> i64 {
    let count = u32::try_from(integer(&price["recurring"], "interval_count")).unwrap_or(1).max(1);
    let at = instant(start);
    let end = match price["recurring"]["interval"].as_str() {
        Some("day") => at.checked_add_days(Days::new(u64::from(count))),
        Some("week") => at.checked_add_days(Days::new(7 * u64::from(count))),
        Some("year") => at.checked_add_months(Months::new(12 * count)),
        _ => at.checked_add_months(Months::new(count)),
    };
    end.unwrap_or(at).timestamp()
}

fn item(subscription: &Value) -> &Value {
    &subscription["items"]["data"][0]
}

fn is_over(subscription: &Value) -> bool {
    ["canceled", "incomplete_expired"].contains(&text(subscription, "status"))
}

/// A subscription that is not over.
pub(super) async fn running(work: &mut Work, id: &str) -> Answer {
    let subscription = work.get("subscription", id).await?;
    // So Stripe says, also of one that was there.
    if is_over(&subscription) { Err(Refusal::no_such("subscription", id)) } else { Ok(subscription) }
}

/// Its period is over: it ends, or is paid for another, or that fails.
pub(super) async fn advance(work: &mut Work, id: &str) -> Answer {
    let mut subscription = running(work, id).await?;
    if subscription["cancel_at_period_end"] == true {
        let end = item(&subscription)["current_period_end"].clone();
        return end_now(work, subscription, end).await;
    }
    let start = integer(item(&subscription), "current_period_end");
    let end = next(start, &item(&subscription)["price"]);
    let previous = json!({
        "status": subscription["status"], "latest_invoice": subscription["latest_invoice"],
        "items": { "data": [item(&subscription)] },
    });
    if subscription["status"] == "trialing" {
        subscription["status"] = json!("active");
    }
    subscription["items"]["data"][0]["current_period_start"] = json!(start);
    subscription["items"]["data"][0]["current_period_end"] = json!(end);
    let mut invoice = payments::invoice(work, &subscription, "subscription_cycle", false);
    subscription["latest_invoice"] = invoice["id"].clone();
    work.put(&subscription).await?;
    work.tell("customer.subscription.updated", &subscription, Some(previous));
    work.tell("invoice.created", &invoice, None);
    let fails = take_failure(work, id).await?;
    payments::settle(work, &mut invoice, !fails).await?;
    work.get("subscription", id).await
}

async fn take_failure(work: &mut Work, id: &str) -> Result<bool, Refusal> {
    let taken =
        sqlx::query("update sandbox.stripe_plan set failures = failures - 1 where subscription = $1 and failures > 0");
    Ok(taken.bind(id).execute(&mut *work.transaction).await?.rows_affected() > 0)
}

/// So many payments to come fail.
pub(super) async fn fail_next(work: &mut Work, id: &str, times: i32) -> Answer {
    running(work, id).await?;
    let row = sqlx::query(
        "insert into sandbox.stripe_plan (subscription, failures) values ($1, $2)
         on conflict (subscription) do update set failures = excluded.failures returning failures",
    );
    let row = row.bind(id).bind(times).fetch_one(&mut *work.transaction).await?;
    Ok(json!({ "subscription": id, "failures": row.try_get::<i32, _>("failures")? }))
}

/// Its last try failed: by the account's setting it is ended, or kept unpaid.
pub(super) async fn give_up(work: &mut Work, id: &str, keep_unpaid: bool) -> Answer {
    let mut subscription = running(work, id).await?;
    if subscription["status"] != "past_due" {
        return Err(Refusal::invalid("Only a subscription that is past due is given up."));
    }
    if !keep_unpaid {
        subscription["cancellation_details"]["reason"] = json!("payment_failed");
        let now = json!(work.now);
        return end_now(work, subscription, now).await;
    }
    set_status(work, &mut subscription, "unpaid").await?;
    Ok(subscription)
}

pub(super) async fn set_status(work: &mut Work, subscription: &mut Value, status: &str) -> Result<(), Refusal> {
    if subscription["status"] == status {
        return Ok(());
    }
    let previous = json!({ "status": subscription["status"] });
    subscription["status"] = json!(status);
    work.put(subscription).await?;
    work.tell("customer.subscription.updated", subscription, Some(previous));
    Ok(())
}

async fn end_now(work: &mut Work, mut subscription: Value, at: Value) -> Answer {
    subscription["status"] = json!("canceled");
    if subscription["canceled_at"].is_null() {
        subscription["canceled_at"] = json!(work.now);
    }
    subscription["ended_at"] = at;
    work.put(&subscription).await?;
    work.tell("customer.subscription.deleted", &subscription, None);
    Ok(subscription)
}

/// Ends it at once.
pub(super) async fn cancel(work: &mut Work, id: &str) -> Answer {
    let mut subscription = running(work, id).await?;
    subscription["cancellation_details"]["reason"] = json!("cancellation_requested");
    let now = json!(work.now);
    end_now(work, subscription, now).await
}

/// Changes whether it goes on, what is paid, and what is noted.
pub(super) async fn update(work: &mut Work, id: &str, form: &Form) -> Answer {
    let mut subscription = running(work, id).await?;
    let mut previous = json!({});
    if let Some(cancel) = form.flag("cancel_at_period_end")? {
        for name in ["cancel_at_period_end", "cancel_at", "canceled_at"] {
            previous[name] = subscription[name].clone();
        }
        let end = item(&subscription)["current_period_end"].clone();
        subscription["cancel_at_period_end"] = json!(cancel);
        subscription["cancel_at"] = if cancel { end } else { Value::Null };
        subscription["canceled_at"] = if cancel { json!(work.now) } else { Value::Null };
        subscription["cancellation_details"]["reason"] =
            if cancel { json!("cancellation_requested") } else { Value::Null };
    }
    if let Some(price) = form.text("items[0][price]") {
        let price = work.get("price", price).await?;
        previous["items"] = json!({ "data": [item(&subscription)] });
        subscription["items"]["data"][0]["price"] = price;
    }
    if let Some(quantity) = form.integer("items[0][quantity]")? {
        previous["items"] = json!({ "data": [item(&subscription)] });
        subscription["items"]["data"][0]["quantity"] = json!(quantity.max(1));
    }
    merge(&mut subscription["metadata"], &form.metadata(""));
    work.put(&subscription).await?;
    work.tell("customer.subscription.updated", &subscription, Some(previous));
    Ok(subscription)
}

/// Three days before a trial ends.
pub(super) async fn trial_will_end(work: &mut Work, id: &str) -> Answer {
    let subscription = running(work, id).await?;
    if subscription["status"] != "trialing" {
        return Err(Refusal::invalid("The subscription is not in a trial."));
    }
    work.tell("customer.subscription.trial_will_end", &subscription, None);
    Ok(subscription)
}
