//! The program's face: `/v1/…`.

use poem::{
    Body, IntoResponse, Request, Response, handler,
    http::{Method, StatusCode},
    web::{Data, Path},
};
use serde_json::{Value, json};
use sqlx::Row;

use super::{
    Twin,
    answer::{Answer, Refusal},
    billing, catalogue,
    faults::{self, Fault},
    form::Form,
    lists, payments, shape,
    work::Work,
};

const LARGEST_BODY: usize = 1024 * 1024;

/// A call as it came.
struct Call {
    method: Method,
    path: String,
    form: Form,
    /// Where links lead.
    base: String,
    key: Option<String>,
}

impl Call {
    /// What is asked, for telling whether the same is asked again.
    fn fingerprint(&self) -> String {
        format!("{} {} {}", self.method, self.path, self.form.fingerprint())
    }
}

#[handler]
pub(super) async fn serve(
    Data(twin): Data<&Twin>,
    Path(path): Path<String>,
    request: &Request,
    body: Body,
) -> poem::Result<Response> {
    // Read to the end even if it is going to be refused: who is still sending sees no answer.
    let bytes = body.into_bytes_limit(LARGEST_BODY).await.map_err(|_| Refusal::invalid("The body is too large."))?;
    authenticate(request)?;
    let host = request.header("host").unwrap_or("127.0.0.1");
    let called = || format!("http://{host}{}", request.original_uri().path().split("/v1/").next().unwrap_or_default());
    let call = Call {
        method: request.method().clone(),
        path,
        form: Form::read(request.uri().query().unwrap_or_default(), &bytes)?,
        base: twin.inner.pages.get().cloned().unwrap_or_else(called),
        key: request.header("idempotency-key").filter(|_| request.method() != Method::GET).map(str::to_owned),
    };
    let answered = match faults::take(twin, &format!("/v1/{}", call.path)).await? {
        None => answered(twin, &call).await,
        Some(Fault::Refuse { status, retry_after }) => {
            let refusal = Refusal::of_status(status, retry_after);
            if let (Some(key), 500..) = (&call.key, status) {
                // So Stripe does: a failure of its own is the answer under that key from then on.
                keep(twin, key, &call.fingerprint(), status, &refusal.body()).await?;
            }
            return Err(refusal.into());
        }
        Some(Fault::Hang(time)) => {
            let answer = answered(twin, &call).await;
            tokio::time::sleep(time).await;
            answer
        }
        Some(Fault::AcceptThenDrop) => {
            let _done = answered(twin, &call).await;
            return Ok(cut_off());
        }
    };
    Ok(answered?)
}

fn authenticate(request: &Request) -> Result<(), Refusal> {
    let sent = request.header("authorization").and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if ["sk_", "rk_"].iter().any(|prefix| sent.len() > prefix.len() && sent.starts_with(prefix)) {
        return Ok(());
    }
    Err(Refusal::new(401, "invalid_request_error", "Invalid API Key provided."))
}

/// The answer; the one that was given before, under a key that was used before.
async fn answered(twin: &Twin, call: &Call) -> Result<Response, Refusal> {
    if call.method == Method::GET {
        return Ok(respond(200, &read(twin, call).await?, false));
    }
    let mut work = Work::begin(twin).await?;
    let fingerprint = call.fingerprint();
    if let Some(key) = &call.key {
        let before = sqlx::query("select request, status, body from sandbox.stripe_answer where key = $1")
            .bind(key)
            .fetch_optional(&mut *work.transaction)
            .await?;
        if let Some(before) = before {
            if before.try_get::<String, _>("request")? != fingerprint {
                let message =
                    "Keys for idempotent requests can only be used with the same parameters they were first used with.";
                return Err(Refusal::new(400, "idempotency_error", message));
            }
            let status = u16::try_from(before.try_get::<i32, _>("status")?).unwrap_or(500);
            let body: Value = serde_json::from_str(&before.try_get::<String, _>("body")?).unwrap_or_default();
            return Ok(respond(status, &body, true));
        }
    }
    match change(&mut work, call).await {
        Ok(object) => {
            let object = shape::shown(&object);
            if let Some(key) = &call.key {
                sqlx::query("insert into sandbox.stripe_answer (key, request, status, body) values ($1, $2, 200, $3)")
                    .bind(key)
                    .bind(&fingerprint)
                    .bind(object.to_string())
                    .execute(&mut *work.transaction)
                    .await?;
            }
            work.commit(twin).await?;
            Ok(respond(200, &object, false))
        }
        Err(refusal) => {
            drop(work);
            if let (Some(key), 400..500) = (&call.key, refusal.status) {
                keep(twin, key, &fingerprint, refusal.status, &refusal.body()).await?;
            }
            Err(refusal)
        }
    }
}

async fn keep(twin: &Twin, key: &str, request: &str, status: u16, body: &Value) -> Result<(), Refusal> {
    sqlx::query(
        "insert into sandbox.stripe_answer (key, request, status, body) values ($1, $2, $3, $4) on conflict do nothing",
    )
    .bind(key)
    .bind(request)
    .bind(i32::from(status))
    .bind(body.to_string())
    .execute(twin.pool())
    .await?;
    Ok(())
}

fn respond(status: u16, body: &Value, replayed: bool) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let response = poem::web::Json(body).with_status(status);
    if replayed {
        response.with_header("idempotent-replayed", "true").into_response()
    } else {
        response.into_response()
    }
}

/// Breaks the connection off in the middle of an answer.
fn cut_off() -> Response {
    let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let body = futures_util::stream::iter([Ok(bytes::Bytes::from_static(b"{\"id\":")), Err(broken)]);
    Response::builder().body(Body::from_bytes_stream(body))
}

async fn read(twin: &Twin, call: &Call) -> Answer {
    if lists::kind(&call.path).is_some() {
        return lists::page(twin, &call.path, &call.form).await;
    }
    let (list, id) = call.path.rsplit_once('/').unwrap_or_default();
    match lists::kind(list) {
        Some(kind) => lists::one(twin, kind, id, &call.form).await,
        None => Err(Refusal::no_route("GET", &format!("/v1/{}", call.path))),
    }
}

async fn change(work: &mut Work, call: &Call) -> Answer {
    let form = &call.form;
    let parts: Vec<&str> = call.path.split('/').collect();
    match (call.method.as_str(), parts.as_slice()) {
        ("POST", ["customers"]) => catalogue::create_customer(work, form).await,
        ("POST", ["customers", id]) => catalogue::update_customer(work, id, form).await,
        ("DELETE", ["customers", id]) => catalogue::delete_customer(work, id).await,
        ("POST", ["products"]) => catalogue::create_product(work, form).await,
        ("POST", ["prices"]) => catalogue::create_price(work, form).await,
        ("POST", ["checkout", "sessions"]) => billing::create_session(work, form, &call.base).await,
        ("POST", ["checkout", "sessions", id, "expire"]) => billing::expire_session(work, id).await,
        ("POST", ["subscriptions", id]) => billing::update(work, id, form).await,
        ("DELETE", ["subscriptions", id]) => billing::cancel(work, id).await,
        ("POST", ["invoices", id, "pay"]) => payments::pay(work, id, true).await,
        ("POST", ["refunds"]) => payments::refund(work, form).await,
        ("POST", ["billing_portal", "sessions"]) => portal(work, form, &call.base).await,
        (method, _) => Err(Refusal::no_route(method, &format!("/v1/{}", call.path))),
    }
}

async fn portal(work: &mut Work, form: &Form, base: &str) -> Answer {
    let customer = work.get("customer", form.need("customer")?).await?;
    let id = work.id("bps");
    let session = json!({
        "id": id, "object": "billing_portal.session", "created": work.now, "customer": customer["id"],
        "livemode": false, "return_url": form.text("return_url"), "url": format!("{base}/portal/{id}"),
    });
    work.put(&session).await?;
    Ok(session)
}
