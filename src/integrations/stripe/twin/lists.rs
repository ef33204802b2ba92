//! Lists: newest first, a page at a time.

use serde_json::{Value, json};
use sqlx::{Postgres, QueryBuilder, Row};

use super::{
    Twin,
    answer::{Answer, Refusal},
    form::Form,
    shape,
};

/// What may be listed: its path, what it is called, and by which fields it can be filtered.
const LISTS: [(&str, &str, &[&str]); 11] = [
    ("customers", "customer", &["email"]),
    ("products", "product", &[]),
    ("prices", "price", &["product"]),
    ("checkout/sessions", "checkout.session", &["customer", "subscription"]),
    ("subscriptions", "subscription", &["customer"]),
    ("invoices", "invoice", &["customer", "status"]),
    ("invoice_payments", "invoice_payment", &["invoice"]),
    ("charges", "charge", &["customer", "payment_intent"]),
    ("refunds", "refund", &["charge", "payment_intent"]),
    ("disputes", "dispute", &["charge", "payment_intent"]),
    ("events", "event", &["type"]),
];

/// What Stripe calls an object that stands under a path.
pub(super) fn kind(path: &str) -> Option<&'static str> {
    LISTS.iter().find(|(known, ..)| *known == path).map(|(_, kind, _)| *kind)
}

/// One object.
pub(super) async fn one(twin: &Twin, kind: &str, id: &str, form: &Form) -> Answer {
    let found = sqlx::query_scalar("select body from sandbox.stripe_object where id = $1 and kind = $2");
    let found: Option<Value> = found.bind(id).bind(kind).fetch_optional(twin.pool()).await?;
    let object = found.map(|object| shape::shown(&object)).ok_or_else(|| Refusal::no_such(kind, id))?;
    let mut whole = vec![object];
    if form.list("expand").contains(&"customer") {
        send_customers(twin, &mut whole).await?;
    }
    Ok(whole.remove(0))
}

/// Puts the customers themselves where their ids stand.
async fn send_customers(twin: &Twin, objects: &mut [Value]) -> Result<(), Refusal> {
    let ids: Vec<String> = objects.iter().filter_map(|object| object["customer"].as_str()).map(str::to_owned).collect();
    let found = sqlx::query_scalar("select body from sandbox.stripe_object where kind = 'customer' and id = any ($1)");
    let found: Vec<Value> = found.bind(ids).fetch_all(twin.pool()).await?;
    for object in objects {
        if let Some(customer) = found.iter().find(|customer| customer["id"] == object["customer"]) {
            object["customer"] = shape::shown(customer);
        }
    }
    Ok(())
}

/// A page.
pub(super) async fn page(twin: &Twin, path: &str, form: &Form) -> Answer {
    let Some((_, kind, fields)) = LISTS.iter().find(|(known, ..)| *known == path) else {
        return Err(Refusal::no_route("GET", path));
    };
    let limit = form.integer("limit")?.unwrap_or(10);
    if !(1..=100).contains(&limit) {
        return Err(Refusal::param("limit", "This value must be between 1 and 100 (inclusive)."));
    }
    let mut query: QueryBuilder<'_, Postgres> =
        QueryBuilder::new("select body from sandbox.stripe_object where kind = ");
    query.push_bind(*kind);
    for field in *fields {
        if let Some(value) = form.text(field) {
            query.push(format!(" and body->>'{field}' = ")).push_bind(value);
        }
    }
    // Those of deleted customers are found one by one only.
    query.push(" and not (body ? 'deleted')");
    if *kind == "subscription" {
        match form.text("status") {
            Some("all") => {}
            Some("ended") => {
                query.push(" and body->>'status' in ('canceled', 'incomplete_expired')");
            }
            Some(status) => {
                query.push(" and body->>'status' = ").push_bind(status);
            }
            None => {
                query.push(" and body->>'status' <> 'canceled'");
            }
        }
    }
    if *kind == "invoice"
        && let Some(subscription) = form.text("subscription")
    {
        query.push(" and body#>>'{parent,subscription_details,subscription}' = ").push_bind(subscription);
    }
    if *kind == "invoice_payment"
        && let Some(intent) = form.text("payment[payment_intent]")
    {
        query.push(" and body#>>'{payment,payment_intent}' = ").push_bind(intent);
    }
    let types: Vec<String> = form.list("types").into_iter().map(str::to_owned).collect();
    if *kind == "event" && !types.is_empty() {
        query.push(" and body->>'type' = any (").push_bind(types).push(")");
    }
    for (name, operator) in [("gte", ">="), ("gt", ">"), ("lte", "<="), ("lt", "<")] {
        if let Some(seconds) = form.integer(&format!("created[{name}]"))? {
            query.push(format!(" and (body->>'created')::bigint {operator} ")).push_bind(seconds);
        }
    }
    let forth = form.text("ending_before");
    for (cursor, operator) in [(form.text("starting_after"), "<"), (forth, ">")] {
        let Some(cursor) = cursor else { continue };
        let serial = serial(twin, kind, cursor).await?;
        query.push(format!(" and serial {operator} ")).push_bind(serial);
    }
    // What lies just before a cursor are the oldest of those that are newer.
    query.push(if forth.is_some() { " order by serial" } else { " order by serial desc" });
    query.push(" limit ").push_bind(limit + 1);
    let mut rows: Vec<Value> = query.build_query_scalar().fetch_all(twin.pool()).await?;
    let most = usize::try_from(limit).unwrap_or_default();
    let more = rows.len() > most;
    rows.truncate(most);
    if forth.is_some() {
        rows.reverse();
    }
    let mut data: Vec<Value> = rows.iter().map(shape::shown).collect();
    if form.list("expand").contains(&"data.customer") {
        send_customers(twin, &mut data).await?;
    }
    Ok(json!({ "object": "list", "url": format!("/v1/{path}"), "has_more": more, "data": data }))
}

async fn serial(twin: &Twin, kind: &str, id: &str) -> Result<i64, Refusal> {
    let row = sqlx::query("select serial from sandbox.stripe_object where id = $1 and kind = $2")
        .bind(id)
        .bind(kind)
        .fetch_optional(twin.pool())
        .await?;
    let row = row.ok_or_else(|| Refusal::no_such(kind, id).with_status(400))?;
    Ok(row.try_get("serial")?)
}
