//! The face for testers: what happens outside, and how webhooks travel.

use poem::{
    handler,
    web::{Data, Json, Path},
};
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Shape, Twin,
    answer::{Answer, Refusal},
    billing, delivery,
    form::Form,
    payments, shape,
    work::Work,
};

type Shown = poem::Result<Json<Value>>;

/// Carries a change out and shows what it made.
macro_rules! carry_out {
    ($twin:expr, |$work:ident| $change:expr) => {{
        let mut work = Work::begin($twin).await?;
        let $work = &mut work;
        let answer: Answer = $change.await;
        let object = answer?;
        work.commit($twin).await?;
        Ok(Json(shape::shown(&object)))
    }};
}

/// Who pays on a payment page.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Payer {
    email: Option<String>,
    name: Option<String>,
}

/// `POST /checkout/:id/pay {"email", "name"}`
#[handler]
pub(super) async fn pay_checkout(Data(twin): Data<&Twin>, Path(id): Path<String>, payer: Option<Json<Payer>>) -> Shown {
    let Json(payer) = payer.unwrap_or_default();
    carry_out!(twin, |work| billing::pay_session(work, &id, payer.email.as_deref(), payer.name.as_deref()))
}

/// `POST /checkout/:id/expire`
#[handler]
pub(super) async fn expire_checkout(Data(twin): Data<&Twin>, Path(id): Path<String>) -> Shown {
    carry_out!(twin, |work| billing::expire_session(work, &id))
}

/// `POST /subscriptions/:id/advance`: its period is over.
#[handler]
pub(super) async fn advance(Data(twin): Data<&Twin>, Path(id): Path<String>) -> Shown {
    carry_out!(twin, |work| billing::advance(work, &id))
}

/// How many payments fail.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Failures {
    times: i32,
}

impl Default for Failures {
    fn default() -> Self {
        Self { times: 1 }
    }
}

/// `POST /subscriptions/:id/fail_next {"times"}`
#[handler]
pub(super) async fn fail_next(Data(twin): Data<&Twin>, Path(id): Path<String>, wish: Option<Json<Failures>>) -> Shown {
    let Json(Failures { times }) = wish.unwrap_or_default();
    carry_out!(twin, |work| billing::fail_next(work, &id, times.clamp(0, 1_000)))
}

/// What becomes of a subscription that is not paid in the end.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Ending {
    /// It is kept, unpaid; otherwise it is cancelled.
    unpaid: bool,
}

/// `POST /subscriptions/:id/give_up {"unpaid"}`
#[handler]
pub(super) async fn give_up(Data(twin): Data<&Twin>, Path(id): Path<String>, wish: Option<Json<Ending>>) -> Shown {
    let Json(Ending { unpaid }) = wish.unwrap_or_default();
    carry_out!(twin, |work| billing::give_up(work, &id, unpaid))
}

/// `POST /subscriptions/:id/trial_will_end`
#[handler]
pub(super) async fn trial_will_end(Data(twin): Data<&Twin>, Path(id): Path<String>) -> Shown {
    carry_out!(twin, |work| billing::trial_will_end(work, &id))
}

/// Whether a payment works.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Try {
    fails: bool,
}

/// `POST /invoices/:id/pay {"fails"}`
#[handler]
pub(super) async fn pay_invoice(Data(twin): Data<&Twin>, Path(id): Path<String>, wish: Option<Json<Try>>) -> Shown {
    let Json(Try { fails }) = wish.unwrap_or_default();
    carry_out!(twin, |work| payments::pay(work, &id, !fails))
}

/// How much is given back; all when nothing is said.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Back {
    amount: Option<i64>,
}

/// `POST /charges/:id/refund {"amount"}`
#[handler]
pub(super) async fn refund(Data(twin): Data<&Twin>, Path(id): Path<String>, wish: Option<Json<Back>>) -> Shown {
    let Json(Back { amount }) = wish.unwrap_or_default();
    let amount = amount.map(|amount| format!("&amount={amount}")).unwrap_or_default();
    let form = Form::read(&format!("charge={id}{amount}&reason=requested_by_customer"), b"")?;
    carry_out!(twin, |work| payments::refund(work, &form))
}

/// What the payer says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Complaint {
    reason: String,
}

impl Default for Complaint {
    fn default() -> Self {
        Self { reason: "fraudulent".to_owned() }
    }
}

/// `POST /charges/:id/dispute {"reason"}`
#[handler]
pub(super) async fn dispute(Data(twin): Data<&Twin>, Path(id): Path<String>, wish: Option<Json<Complaint>>) -> Shown {
    let Json(Complaint { reason }) = wish.unwrap_or_default();
    carry_out!(twin, |work| payments::dispute(work, &id, &reason))
}

/// How the bank decides.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decision {
    won: bool,
}

/// `POST /disputes/:id/close {"won"}`
#[handler]
pub(super) async fn close_dispute(
    Data(twin): Data<&Twin>,
    Path(id): Path<String>,
    Json(Decision { won }): Json<Decision>,
) -> Shown {
    carry_out!(twin, |work| payments::close_dispute(work, &id, won))
}

/// Where webhooks go.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Endpoint {
    url: String,
    secret: String,
    #[serde(default)]
    shape: Shape,
}

/// `PUT /webhook {"url", "secret", "shape"}`
#[handler]
pub(super) async fn set_endpoint(Data(twin): Data<&Twin>, Json(wish): Json<Endpoint>) -> Shown {
    let url = Url::parse(&wish.url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = url.ok_or_else(|| Refusal::param("url", "Not a web address."))?;
    twin.deliver_to(&url, &wish.secret, wish.shape).await.map_err(Refusal::from)?;
    Ok(Json(show_endpoint(twin).await?))
}

/// `GET /webhook`: where webhooks go, and how many wait.
#[handler]
pub(super) async fn endpoint(Data(twin): Data<&Twin>) -> Shown {
    Ok(Json(show_endpoint(twin).await?))
}

async fn show_endpoint(twin: &Twin) -> Answer {
    let shown: Option<Value> = sqlx::query_scalar(
        "select json_build_object('url', url, 'shape', shape, 'held', held,
                'waiting', (select count(*) from sandbox.stripe_delivery where delivered_at is null),
                'delivered', (select count(*) from sandbox.stripe_delivery where delivered_at is not null))
           from sandbox.stripe_endpoint",
    )
    .fetch_optional(twin.pool())
    .await?;
    shown.ok_or_else(|| Refusal::invalid("No webhook is set: PUT /webhook."))
}

/// Whether webhooks wait.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hold {
    hold: bool,
}

/// `POST /webhooks/hold {"hold"}`
#[handler]
pub(super) async fn hold(Data(twin): Data<&Twin>, Json(Hold { hold }): Json<Hold>) -> Shown {
    let update = sqlx::query("update sandbox.stripe_endpoint set held = $1").bind(hold);
    update.execute(twin.pool()).await.map_err(Refusal::from)?;
    twin.inner.queued.notify_one();
    Ok(Json(show_endpoint(twin).await?))
}

/// How webhooks that wait are sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Release {
    #[serde(default)]
    order: delivery::Order,
    #[serde(default)]
    seed: u64,
    #[serde(default = "one")]
    copies: usize,
}

const fn one() -> usize {
    1
}

/// `POST /webhooks/release {"order", "seed", "copies"}`: sends what waits, now.
#[handler]
pub(super) async fn release(Data(twin): Data<&Twin>, Json(wish): Json<Release>) -> Shown {
    let http = crate::integrations::http_client().map_err(|error| Refusal::new(500, "api_error", error.to_string()))?;
    let taken = delivery::release(twin, &http, wish.order, wish.seed, wish.copies.clamp(1, 100)).await?;
    Ok(Json(json!({ "taken": taken })))
}

/// `POST /events/:id/resend`: once more, in the shape that is set now.
#[handler]
pub(super) async fn resend(Data(twin): Data<&Twin>, Path(id): Path<String>) -> Shown {
    let mut work = Work::begin(twin).await?;
    let event = work.get("event", &id).await?;
    let now = show_endpoint(twin).await?;
    let sent = shape::event(&event, Shape::named(now["shape"].as_str().unwrap_or_default()));
    sqlx::query("insert into sandbox.stripe_delivery (event, body) values ($1, $2)")
        .bind(&id)
        .bind(sent.to_string())
        .execute(&mut *work.transaction)
        .await
        .map_err(Refusal::from)?;
    work.commit(twin).await?;
    twin.inner.queued.notify_one();
    Ok(Json(json!({ "event": id })))
}

/// `GET /state`: how many there are of everything.
#[handler]
pub(super) async fn state(Data(twin): Data<&Twin>) -> Shown {
    let counts: Value = sqlx::query_scalar(
        "select coalesce(json_object_agg(kind, number), '{}')
           from (select kind, count(*) as number from sandbox.stripe_object group by kind) counted",
    )
    .fetch_one(twin.pool())
    .await
    .map_err(Refusal::from)?;
    Ok(Json(counts))
}
