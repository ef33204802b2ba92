//! Money: invoices, charges, refunds, disputes.

use serde_json::{Value, json};

use super::{
    answer::{Answer, Refusal},
    billing::set_status,
    form::Form,
    work::{Work, integer, text},
};

/// Between two tries of a payment.
const RETRY: i64 = 3 * 86_400;

/// An invoice for the present period of a subscription; free in a trial.
pub(super) fn invoice(work: &Work, subscription: &Value, reason: &str, free: bool) -> Value {
    let id = work.id("in");
    let mut total = 0;
    let mut lines = vec![];
    for item in subscription["items"]["data"].as_array().into_iter().flatten() {
        let amount = if free { 0 } else { integer(&item["price"], "unit_amount") * integer(item, "quantity").max(1) };
        total += amount;
        lines.push(json!({
            "id": work.id("il"), "object": "line_item", "amount": amount, "currency": subscription["currency"],
            "description": item["price"]["nickname"], "invoice": id, "livemode": false, "metadata": {},
            "parent": { "type": "subscription_item_details", "subscription_item_details": {
                "subscription": subscription["id"], "subscription_item": item["id"], "proration": false } },
            "period": { "start": item["current_period_start"], "end": item["current_period_end"] },
            "pricing": { "type": "price_details", "unit_amount_decimal": item["price"]["unit_amount_decimal"],
                "price_details": { "price": item["price"]["id"], "product": item["price"]["product"] } },
            "quantity": item["quantity"], "taxes": [],
        }));
    }
    json!({
        "id": id, "object": "invoice", "amount_due": total, "amount_paid": 0, "amount_remaining": total,
        "attempt_count": 0, "attempted": false, "auto_advance": true, "billing_reason": reason,
        "collection_method": "charge_automatically", "created": work.now, "currency": subscription["currency"],
        "customer": subscription["customer"], "customer_email": null, "discounts": [],
        "hosted_invoice_url": format!("https://invoice.stripe.com/i/sandbox/{id}"),
        "lines": { "object": "list", "data": lines, "has_more": false, "url": format!("/v1/invoices/{id}/lines") },
        "livemode": false, "metadata": {}, "next_payment_attempt": null,
        "parent": { "type": "subscription_details", "quote_details": null,
            "subscription_details": { "metadata": {}, "subscription": subscription["id"] } },
        "payments": { "object": "list", "data": [], "has_more": false, "url": "/v1/invoice_payments" },
        "period_start": work.now, "period_end": work.now, "status": "open",
        "status_transitions": { "finalized_at": work.now, "marked_uncollectible_at": null, "paid_at": null, "voided_at": null },
        "subtotal": total, "total": total, "total_discount_amounts": [], "total_taxes": [],
        "_charge": null,
    })
}

/// Tries to take the money; the subscription follows.
pub(super) async fn settle(work: &mut Work, invoice: &mut Value, succeeds: bool) -> Result<(), Refusal> {
    let amount = integer(invoice, "amount_remaining");
    let customer = work.find("customer", text(invoice, "customer")).await?;
    if let Some(customer) = &customer {
        invoice["customer_email"] = customer["email"].clone();
    }
    invoice["attempted"] = json!(true);
    if amount > 0 {
        invoice["attempt_count"] = json!(integer(invoice, "attempt_count") + 1);
        let charge = charge(work, invoice, amount, succeeds).await?;
        invoice["_charge"] = charge["id"].clone();
        work.tell(if succeeds { "charge.succeeded" } else { "charge.failed" }, &charge, None);
    }
    if succeeds {
        invoice["status"] = json!("paid");
        invoice["amount_paid"] = invoice["amount_due"].clone();
        invoice["amount_remaining"] = json!(0);
        invoice["next_payment_attempt"] = Value::Null;
        invoice["status_transitions"]["paid_at"] = json!(work.now);
    } else {
        invoice["next_payment_attempt"] = json!(work.now + RETRY);
    }
    work.put(invoice).await?;
    for kind in if succeeds { &["invoice.paid", "invoice.payment_succeeded"][..] } else { &["invoice.payment_failed"] }
    {
        work.tell(kind, invoice, None);
    }
    let subscription = &invoice["parent"]["subscription_details"]["subscription"];
    let Some(mut subscription) = work.find("subscription", subscription.as_str().unwrap_or_default()).await? else {
        return Ok(());
    };
    match (text(&subscription, "status"), succeeds) {
        ("past_due" | "unpaid", true) => set_status(work, &mut subscription, "active").await,
        ("active", false) => set_status(work, &mut subscription, "past_due").await,
        _ => Ok(()),
    }
}

/// A charge and what ties it to its invoice: a payment of one intent.
async fn charge(work: &mut Work, invoice: &mut Value, amount: i64, succeeds: bool) -> Answer {
    let known = invoice["payments"]["data"][0]["payment"]["payment_intent"].as_str().map(str::to_owned);
    let intent = known.unwrap_or_else(|| work.id("pi"));
    let charge = json!({
        "id": work.id("ch"), "object": "charge", "amount": amount, "amount_captured": if succeeds { amount } else { 0 },
        "amount_refunded": 0, "captured": succeeds, "created": work.now, "currency": invoice["currency"],
        "customer": invoice["customer"], "disputed": false,
        "failure_code": if succeeds { Value::Null } else { json!("card_declined") }, "livemode": false,
        "metadata": {}, "paid": succeeds, "payment_intent": intent, "refunded": false,
        "status": if succeeds { "succeeded" } else { "failed" },
        "_invoice": invoice["id"], "_refunds": [],
    });
    work.put(&charge).await?;
    let id = invoice["payments"]["data"][0]["id"].as_str().map_or_else(|| work.id("inpay"), str::to_owned);
    let payment = json!({
        "id": id, "object": "invoice_payment", "amount_requested": amount,
        "amount_paid": succeeds.then_some(amount), "created": work.now, "currency": invoice["currency"],
        "invoice": invoice["id"], "is_default": true, "livemode": false,
        "payment": { "type": "payment_intent", "payment_intent": intent },
        "status": if succeeds { "paid" } else { "open" },
    });
    work.put(&payment).await?;
    invoice["payments"]["data"] = json!([payment]);
    Ok(charge)
}

/// Its customer pays it after all.
pub(super) async fn pay(work: &mut Work, id: &str, succeeds: bool) -> Answer {
    let mut invoice = work.get("invoice", id).await?;
    if invoice["status"] != "open" {
        return Err(Refusal::invalid("Invoice is not open."));
    }
    settle(work, &mut invoice, succeeds).await?;
    Ok(invoice)
}

/// The charge by which a payment was made in the end.
async fn paid_by(work: &mut Work, intent: &str) -> Answer {
    let found = sqlx::query_scalar(
        "select body from sandbox.stripe_object \
          where kind = 'charge' and body->>'payment_intent' = $1 and body->>'status' = 'succeeded'",
    );
    let found: Option<Value> = found.bind(intent).fetch_optional(&mut *work.transaction).await?;
    found.ok_or_else(|| Refusal::no_such("payment_intent", intent))
}

/// Gives money back.
pub(super) async fn refund(work: &mut Work, form: &Form) -> Answer {
    let mut charge = match form.text("payment_intent") {
        Some(intent) => paid_by(work, intent).await?,
        None => work.get("charge", form.need("charge")?).await?,
    };
    let left = integer(&charge, "amount_captured") - integer(&charge, "amount_refunded");
    if left <= 0 {
        let message = format!("Charge {} has already been refunded.", text(&charge, "id"));
        return Err(Refusal::coded("charge_already_refunded", message));
    }
    let amount = form.integer("amount")?.unwrap_or(left);
    if amount <= 0 {
        return Err(Refusal::param("amount", "Invalid positive integer"));
    }
    if amount > left {
        return Err(Refusal::param("amount", "Refund amount is greater than unrefunded amount on charge"));
    }
    let refund = json!({
        "id": work.id("re"), "object": "refund", "amount": amount, "charge": charge["id"], "created": work.now,
        "currency": charge["currency"], "metadata": form.metadata(""), "payment_intent": charge["payment_intent"],
        "reason": form.text("reason"), "status": "succeeded",
    });
    work.put(&refund).await?;
    charge["amount_refunded"] = json!(integer(&charge, "amount_refunded") + amount);
    charge["refunded"] = json!(amount == left);
    if let Some(refunds) = charge["_refunds"].as_array_mut() {
        refunds.insert(0, refund.clone());
    }
    work.put(&charge).await?;
    work.tell("refund.created", &refund, None);
    work.tell("charge.refunded", &charge, None);
    Ok(refund)
}

/// The payer's bank wants the money back.
pub(super) async fn dispute(work: &mut Work, id: &str, reason: &str) -> Answer {
    let mut charge = work.get("charge", id).await?;
    if charge["disputed"] == true || charge["status"] != "succeeded" {
        return Err(Refusal::invalid("The charge is disputed already, or was never made."));
    }
    let dispute = json!({
        "id": work.id("du"), "object": "dispute", "amount": charge["amount"], "charge": charge["id"],
        "created": work.now, "currency": charge["currency"], "livemode": false, "metadata": {},
        "payment_intent": charge["payment_intent"], "reason": reason, "status": "needs_response",
    });
    charge["disputed"] = json!(true);
    work.put(&charge).await?;
    work.put(&dispute).await?;
    work.tell("charge.dispute.created", &dispute, None);
    Ok(dispute)
}

/// The bank has decided.
pub(super) async fn close_dispute(work: &mut Work, id: &str, won: bool) -> Answer {
    let mut dispute = work.get("dispute", id).await?;
    if dispute["status"] != "needs_response" {
        return Err(Refusal::invalid("The dispute is closed already."));
    }
    dispute["status"] = json!(if won { "won" } else { "lost" });
    work.put(&dispute).await?;
    work.tell("charge.dispute.closed", &dispute, None);
    Ok(dispute)
}
