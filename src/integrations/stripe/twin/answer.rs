//! Answers in the shape of Stripe's API.

use poem::{IntoResponse, Response, error::ResponseError, http::StatusCode};
use serde_json::{Value, json};

/// What a call comes to.
pub(super) type Answer = Result<Value, Refusal>;

/// A call that was not carried out.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(super) struct Refusal {
    pub(super) status: u16,
    kind: &'static str,
    code: Option<&'static str>,
    message: String,
    param: Option<String>,
    pub(super) retry_after: Option<i32>,
}

impl Refusal {
    pub(super) fn new(status: u16, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, code: None, message: message.into(), param: None, retry_after: None }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", message)
    }

    pub(super) fn coded(code: &'static str, message: impl Into<String>) -> Self {
        Self { code: Some(code), ..Self::invalid(message) }
    }

    pub(super) fn param(param: &str, message: impl Into<String>) -> Self {
        Self { param: Some(param.to_owned()), ..Self::invalid(message) }
    }

    pub(super) fn missing_param(param: &str) -> Self {
        let message = format!("Missing required param: {param}.");
        Self { code: Some("parameter_missing"), param: Some(param.to_owned()), ..Self::invalid(message) }
    }

    pub(super) fn no_such(kind: &str, id: &str) -> Self {
        let message = format!("No such {}: '{id}'", kind.replace('.', " "));
        Self { status: 404, code: Some("resource_missing"), param: Some("id".to_owned()), ..Self::invalid(message) }
    }

    pub(super) fn no_route(method: &str, path: &str) -> Self {
        let message = format!("Unrecognized request URL ({method}: {path}).");
        Self { status: 404, ..Self::invalid(message) }
    }

    pub(super) fn of_status(status: u16, retry_after: Option<i32>) -> Self {
        let (kind, code) = match status {
            429 => ("invalid_request_error", Some("rate_limit")),
            400..=499 => ("invalid_request_error", None),
            _ => ("api_error", None),
        };
        Self { code, retry_after, ..Self::new(status, kind, "A failure that was ordered.") }
    }

    pub(super) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(super) fn body(&self) -> Value {
        let mut error = json!({ "type": self.kind, "message": self.message });
        if let Some(code) = self.code {
            error["code"] = json!(code);
            error["doc_url"] = json!(format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-")));
        }
        if let Some(param) = &self.param {
            error["param"] = json!(param);
        }
        json!({ "error": error })
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        tracing::error!(%error, "the Stripe twin's database failed");
        Self::new(500, "api_error", "The twin's database failed.")
    }
}

impl ResponseError for Refusal {
    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn as_response(&self) -> Response {
        let mut response = poem::web::Json(self.body()).with_status(self.status()).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert("retry-after", seconds.into());
        }
        response
    }
}

/// Everything else that failed (no such path, wrong method) in the same shape.
pub(super) async fn of_error(error: poem::Error) -> Response {
    if error.is::<Refusal>() {
        return error.into_response();
    }
    let refusal = Refusal::new(error.status().as_u16(), "invalid_request_error", error.to_string());
    refusal.as_response()
}
