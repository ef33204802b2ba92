//! What every request goes through: an id, the conversion of whatever went
//! wrong into a problem, headers that are safe by default, metrics, one line in
//! the log.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use poem::{
    Endpoint, Request, Response,
    error::{MethodNotAllowedError, NotFoundError},
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::{
    OperationId,
    error::{ParseParamError, ParsePathError},
};
use tokio::time::Instant;
use tracing::Instrument;
use uuid::Uuid;

use super::{
    context::{Context, Inside},
    parse_words,
    paths::Paths,
    problem::{Kind, MEDIA_TYPE, Problem},
};

/// Carries the request's id in and out.
pub(super) const REQUEST_ID: &str = "x-request-id";

/// Scripts and styles stand in the pages themselves; nothing comes from elsewhere.
const CONTENT_SECURITY: &str = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob:; \
    style-src 'unsafe-inline'; img-src 'self' data: blob:; font-src data:; connect-src 'self'; worker-src blob:; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(super) struct Edge<E> {
    pub(super) inner: E,
    pub(super) inside: Arc<Inside>,
    pub(super) paths: Paths,
}

impl<E: Endpoint<Output = Response>> Endpoint for Edge<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let started = Instant::now();
        let id = request
            .header(REQUEST_ID)
            .and_then(|given| Uuid::try_parse(given).ok())
            .filter(|id| !id.is_nil())
            .unwrap_or_else(|| self.inside.app.clock.new_id());
        request.extensions_mut().insert(Context { id, inside: self.inside.clone() });
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let span = tracing::info_span!("request", %id);
        let (mut response, operation, problem) = async {
            match checked(&request, &self.paths) {
                Err(problem) => (problem.respond(id), None, Some(problem)),
                Ok(()) => match AssertUnwindSafe(self.inner.call(request)).catch_unwind().await {
                    Ok(Ok(response)) => {
                        let operation = response.data::<OperationId>().copied();
                        (response, operation, None)
                    }
                    Ok(Err(error)) => {
                        let operation = error.data::<OperationId>().copied();
                        let problem =
                            problem_of(error, |parameter| self.paths.values(method.as_str(), uri.path(), parameter));
                        (problem.respond(id), operation, Some(problem))
                    }
                    // What it said went through the panic hook; it may quote anything.
                    Err(_) => {
                        let problem = Problem::from(Kind::Internal);
                        (problem.respond(id), None, Some(problem))
                    }
                },
            }
        }
        .instrument(span.clone())
        .await;
        finish(&mut response, id);
        if response.status() == StatusCode::METHOD_NOT_ALLOWED
            && let Some(allowed) = self.paths.methods(uri.path()).or_else(|| page_methods(uri.path()))
            && let Ok(allowed) = HeaderValue::from_str(allowed)
        {
            response.headers_mut().insert(header::ALLOW, allowed);
        }
        let operation = operation.map_or("other", |OperationId(operation)| operation);
        let took = started.elapsed();
        let metrics = &self.inside.app.metrics;
        metrics.requests.with_label_values(&[operation, response.status().as_str()]).inc();
        metrics.request_seconds.with_label_values(&[operation]).observe(took.as_secs_f64());
        span.in_scope(|| report(operation, &response, problem.as_ref(), took));
        Ok(response)
    }
}

/// The methods of what is served and is no operation; the sandbox knows its own.
fn page_methods(path: &str) -> Option<&'static str> {
    (!path.starts_with("/sandbox")).then_some("GET, HEAD")
}

/// Headers that operations read; poem-openapi takes one that is no text for none.
const TEXT_HEADERS: [&str; 4] = ["If-Match", "If-None-Match", "Idempotency-Key", "Last-Event-ID"];

/// What PostgreSQL could not hold is refused before anyone looks at it, and so is a
/// query that the operation would not see as it is.
fn checked(request: &Request, paths: &Paths) -> Result<(), Problem> {
    let uri = request.uri();
    let query = uri.query().unwrap_or_default();
    if let Some(pair) = query.split('&').find(|pair| pair.contains("%00")) {
        let name: String = pair.split(['=', '%']).next().unwrap_or_default().chars().take(64).collect();
        return Err(Problem::input(name, "must not contain the character NUL"));
    }
    if !query.is_empty() {
        let given = request.params::<Vec<(String, String)>>();
        let given = given.map_err(|_| Problem::input("query", "cannot be read"))?;
        let names = given.iter().map(|(name, _)| name.as_str());
        let checked = paths.check_query(request.method().as_str(), uri.path(), names);
        checked.map_err(|error| Problem::from(Kind::InvalidInput).with_errors(vec![error]))?;
    }
    for name in TEXT_HEADERS {
        if request.headers().get_all(name).iter().any(|value| value.to_str().is_err()) {
            return Err(Problem::input(name, "must be visible ASCII characters"));
        }
    }
    if uri.path().contains("%00") {
        return Err(Problem::input("path", "must not contain the character NUL"));
    }
    Ok(())
}

fn problem_of<'a>(error: poem::Error, values: impl FnOnce(&str) -> Option<&'a str>) -> Problem {
    let error = match error.downcast::<Problem>() {
        Ok(problem) => return problem,
        Err(error) => error,
    };
    if let Some(ParseParamError { name, reason }) = error.downcast_ref() {
        return Problem::input(*name, parse_words::plain(reason, || values(name)));
    }
    if let Some(ParsePathError { name, reason }) = error.downcast_ref() {
        return Problem::input(*name, parse_words::plain(reason, || None));
    }
    // It is not percent-encoded UTF-8.
    if error.is::<poem::error::ParsePathError>() {
        return Problem::input("path", "is not percent-encoded UTF-8");
    }
    if error.is::<NotFoundError>() {
        return Kind::NotFound.into();
    }
    if error.is::<MethodNotAllowedError>() {
        return Kind::MethodNotAllowed.into();
    }
    match error.status() {
        StatusCode::NOT_FOUND => Kind::NotFound.into(),
        status if status.is_client_error() => Problem::input("request", error.to_string()),
        _ => Problem::from(Kind::Internal).because(error),
    }
}

fn finish(response: &mut Response, id: Uuid) {
    let html = response.content_type().is_some_and(|kind| kind.starts_with("text/html"));
    let headers = response.headers_mut();
    let mut unless_set = |name: header::HeaderName, value: HeaderValue| {
        headers.entry(name).or_insert(value);
    };
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        unless_set(header::HeaderName::from_static(REQUEST_ID), id);
    }
    unless_set(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    unless_set(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    unless_set(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if html {
        unless_set(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY));
        unless_set(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
}

/// One line for each request. Neither path nor query: they may name people.
fn report(operation: &str, response: &Response, problem: Option<&Problem>, took: std::time::Duration) {
    let (status, ms) = (response.status().as_u16(), took.as_millis());
    match problem {
        None => tracing::debug!(operation, status, ms, "answered"),
        Some(problem) if problem.kind() == Kind::Internal || std::error::Error::source(problem).is_some() => {
            let error = crate::jobs::chain(problem);
            tracing::error!(operation, status, ms, problem = problem.kind().slug(), error, "failed");
        }
        Some(problem) => tracing::info!(operation, status, ms, problem = problem.kind().slug(), "refused"),
    }
    debug_assert!(
        problem.is_none() || response.content_type() == Some(MEDIA_TYPE),
        "a problem has the media type of problems"
    );
}

#[cfg(test)]
mod tests {
    use poem::{IntoResponse, http::Uri};

    use super::*;
    use crate::{access::Access, app::App, clock::Clock, config::Config};

    async fn answer(inner: impl Endpoint<Output = Response>, uri: &'static str) -> (Response, serde_json::Value) {
        let config = Config::read(false, |_| None).unwrap();
        let app = App::build(config, "postgres://nobody@localhost/nothing", Clock::system()).unwrap();
        let inside = Arc::new(Inside::new(&app, &Arc::new(Access::new(&app))));
        let edge = Edge { inner, inside, paths: Paths::default() };
        let mut response = edge.call(Request::builder().uri(Uri::from_static(uri)).finish()).await.unwrap();
        let body = response.take_body().into_bytes().await.unwrap();
        (response, serde_json::from_slice(&body).unwrap_or_default())
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_without_details() {
        let inner = poem::endpoint::make(|_| async {
            assert!(std::hint::black_box(false), "hunter2");
            Ok::<_, poem::Error>("never".into_response())
        });
        let (response, body) = answer(inner, "/").await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.content_type(), Some(MEDIA_TYPE));
        assert_eq!(body["type"], "/problems/internal");
        assert!(!body.to_string().contains("hunter2"), "{body}");
    }

    #[tokio::test]
    async fn an_error_of_any_type_is_a_problem_without_details() {
        let inner = poem::endpoint::make(|_| async {
            let error = std::io::Error::other("hunter2");
            Err::<Response, _>(poem::Error::new(error, StatusCode::BAD_GATEWAY))
        });
        let (response, body) = answer(inner, "/").await;
        assert_eq!((response.status().as_u16(), &body["type"]), (500, &"/problems/internal".into()));
        assert!(!body.to_string().contains("hunter2"), "{body}");
    }

    #[tokio::test]
    async fn nul_is_refused_at_the_door() {
        for (uri, field) in [("/?a=1&na%6De=x%00", "na"), ("/?%00", ""), ("/a%00b", "path")] {
            let inner = poem::endpoint::make(|_| async { Ok::<_, poem::Error>("passed".into_response()) });
            let (response, body) = answer(inner, uri).await;
            assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{uri}");
            assert_eq!(body["errors"][0]["field"], field, "{uri}");
        }
    }
}
