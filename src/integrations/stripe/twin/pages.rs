//! Plain pages for people in the sandbox: a payment page, a portal, what there is.

use poem::{
    IntoResponse, Request, Response, handler,
    web::{Data, Form, Html, Path, Redirect},
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Twin,
    answer::Refusal,
    billing,
    work::{Work, integer, text},
};

fn page(title: &str, body: &str) -> Html<String> {
    Html(format!(
        "<!doctype html><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{title} – Stripe, sandbox</title>\
         <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem}}\
         input,button{{font:inherit;padding:.4rem .8rem;margin:.2rem 0}}td{{padding:.2rem .8rem .2rem 0}}</style>\
         <h1>{title}</h1><p>The sandbox: no money moves.</p>{body}"
    ))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn amount(object: &Value, name: &str) -> String {
    let minor = integer(object, name);
    format!("{}.{:02} {}", minor / 100, minor % 100, escaped(&text(object, "currency").to_uppercase()))
}

/// The page that a checkout session's link leads to.
#[handler]
pub(super) async fn checkout(Data(twin): Data<&Twin>, Path(id): Path<String>) -> poem::Result<Html<String>> {
    let session = Work::begin(twin).await?.get("checkout.session", &id).await?;
    if session["status"] != "open" {
        return Ok(page("Checkout", "<p>This page is closed.</p>"));
    }
    let email = escaped(session["customer_email"].as_str().unwrap_or("ann@example.com"));
    let body = format!(
        "<p>To pay: <strong>{}</strong></p><form method=post>\
         <label>E-mail <input name=email type=email required value=\"{email}\"></label><br>\
         <label>Name <input name=name value=Ann></label><br><button>Pay</button></form>",
        amount(&session, "amount_total"),
    );
    Ok(page("Checkout", &body))
}

/// Who pays, as typed in.
#[derive(Deserialize)]
pub(super) struct Payer {
    email: String,
    name: Option<String>,
}

/// Pays, and leads back to the seller.
#[handler]
pub(super) async fn pay(
    Data(twin): Data<&Twin>,
    Path(id): Path<String>,
    Form(payer): Form<Payer>,
) -> poem::Result<Response> {
    let mut work = Work::begin(twin).await?;
    let session = billing::pay_session(&mut work, &id, Some(&payer.email), payer.name.as_deref()).await?;
    work.commit(twin).await?;
    let back = session["success_url"].as_str().filter(|url| url.starts_with("http"));
    Ok(match back {
        Some(url) => Redirect::see_other(url.replace("{CHECKOUT_SESSION_ID}", &id)).into_response(),
        None => page("Checkout", "<p>Paid. Thank you!</p>").into_response(),
    })
}

async fn subscriptions(work: &mut Work, session: &Value) -> Result<Vec<Value>, Refusal> {
    let found = sqlx::query_scalar(
        "select body from sandbox.stripe_object
          where kind = 'subscription' and body->>'customer' = $1 order by serial desc",
    );
    Ok(found.bind(text(session, "customer")).fetch_all(&mut *work.transaction).await?)
}

/// The page that a portal link leads to.
#[handler]
pub(super) async fn portal(Data(twin): Data<&Twin>, Path(id): Path<String>) -> poem::Result<Html<String>> {
    let mut work = Work::begin(twin).await?;
    let session = work.get("billing_portal.session", &id).await?;
    let mut body = "<table>".to_owned();
    for subscription in subscriptions(&mut work, &session).await? {
        let id = escaped(text(&subscription, "id"));
        let ending = if subscription["cancel_at_period_end"] == true { ", ends with its period" } else { "" };
        let button = match (text(&subscription, "status"), subscription["cancel_at_period_end"] == true) {
            ("canceled", _) => String::new(),
            (_, true) => format!("<form method=post><button name=keep value={id}>Keep</button></form>"),
            (_, false) => format!("<form method=post><button name=cancel value={id}>Cancel</button></form>"),
        };
        let status = escaped(text(&subscription, "status"));
        body.push_str(&format!("<tr><td>{id}<td>{status}{ending}<td>{button}"));
    }
    if let Some(url) = session["return_url"].as_str().filter(|url| url.starts_with("http")) {
        body.push_str(&format!("</table><p><a href=\"{}\">Back</a>", escaped(url)));
    }
    Ok(page("Your subscriptions", &body))
}

/// Which button was pressed.
#[derive(Deserialize)]
pub(super) struct Pressed {
    cancel: Option<String>,
    keep: Option<String>,
}

/// Has a subscription end with its period, or go on.
#[handler]
pub(super) async fn cancel(
    Data(twin): Data<&Twin>,
    Path(id): Path<String>,
    request: &Request,
    Form(pressed): Form<Pressed>,
) -> poem::Result<Response> {
    let mut work = Work::begin(twin).await?;
    let session = work.get("billing_portal.session", &id).await?;
    let ends = pressed.cancel.is_some();
    let wanted = pressed.cancel.or(pressed.keep).unwrap_or_default();
    let own = subscriptions(&mut work, &session).await?;
    if !own.iter().any(|subscription| subscription["id"] == wanted.as_str()) {
        return Err(Refusal::no_such("subscription", &wanted).into());
    }
    let form = super::form::Form::read(&format!("cancel_at_period_end={ends}"), b"")?;
    billing::update(&mut work, &wanted, &form).await?;
    work.commit(twin).await?;
    Ok(Redirect::see_other(request.original_uri().path()).into_response())
}

/// What there is.
#[handler]
pub(super) async fn overview(Data(twin): Data<&Twin>) -> poem::Result<Html<String>> {
    let counts: Vec<(String, i64)> =
        sqlx::query_as("select kind, count(*) from sandbox.stripe_object group by kind order by kind")
            .fetch_all(twin.pool())
            .await
            .map_err(Refusal::from)?;
    let rows: String = counts.iter().map(|(kind, number)| format!("<tr><td>{}<td>{number}", escaped(kind))).collect();
    // The newest of what something can happen to.
    let newest: Vec<(String, String)> = sqlx::query_as(
        "select id, coalesce(body->>'status', '') from sandbox.stripe_object
          where kind = any ($1) order by serial desc limit 30",
    )
    .bind(["checkout.session", "subscription", "invoice", "charge", "dispute"])
    .fetch_all(twin.pool())
    .await
    .map_err(Refusal::from)?;
    let newest: String =
        newest.iter().map(|(id, status)| format!("<tr><td>{}<td>{}", escaped(id), escaped(status))).collect();
    let acts: String = ACTS
        .iter()
        .map(|(path, body, what)| format!("<tr><td><code>{path}</code><td><code>{body}</code><td>{what}"))
        .collect();
    let help = "<p>Its API stands under <code>v1/</code> (<code>Authorization: Bearer sk_test_me</code>). What happens \
                outside is done by <code>POST</code>, with a JSON body where one is shown; where it is in brackets it \
                can be left out.</p>";
    let body = format!(
        "{help}<table>{acts}</table><h2>The newest</h2><table>{newest}</table><h2>All</h2><table>{rows}</table>"
    );
    Ok(page("Stripe", &body))
}

/// What can happen outside: where it is posted, with which body, and what it is.
const ACTS: [(&str, &str, &str); 14] = [
    ("checkout/:id/pay", r#"[{"email":"ann@example.com","name":"Ann"}]"#, "somebody pays"),
    ("checkout/:id/expire", "", "nobody did"),
    ("subscriptions/:id/advance", "", "its period, or its trial, is over"),
    ("subscriptions/:id/fail_next", r#"[{"times":1}]"#, "so many payments to come fail"),
    ("subscriptions/:id/give_up", r#"[{"unpaid":false}]"#, "Stripe tries no more: it is cancelled, or unpaid"),
    ("subscriptions/:id/trial_will_end", "", "its trial is about to end"),
    ("invoices/:id/pay", r#"[{"fails":false}]"#, "it is paid, or another attempt fails"),
    ("charges/:id/refund", r#"[{"amount":500}]"#, "money goes back: all of it, or so much"),
    ("charges/:id/dispute", r#"[{"reason":"fraudulent"}]"#, "the bank wants it back"),
    ("disputes/:id/close", r#"{"won":true}"#, "it is decided who gets it"),
    ("webhooks/hold", r#"{"hold":true}"#, "webhooks wait, or do not any more"),
    (
        "webhooks/release",
        r#"{"order":"random","seed":7,"copies":3}"#,
        "those that wait are sent; <code>order</code> is created, reverse or random",
    ),
    ("events/:id/resend", "", "it is told once more"),
    (
        "faults",
        r#"{"path":"/v1/refunds","times":2,"error":{"status":500}}"#,
        "calls fail: <code>status</code> and <code>retry_after</code>, <code>hang_ms</code>, or \
         <code>accept_then_drop</code>; <code>DELETE</code> ends it",
    ),
];
