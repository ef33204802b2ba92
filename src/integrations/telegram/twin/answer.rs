//! Answers in the shape of the Bot API.

use poem::http::StatusCode;
use poem::{IntoResponse, Response};
use serde_json::{Value, json};

/// What a method comes to.
pub(super) type Answer = Result<Value, Refusal>;

/// A call that was not carried out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: u16,
    pub(super) description: String,
    pub(super) retry_after: Option<i32>,
    /// The number that the chat has now.
    pub(super) migrate_to: Option<i64>,
}

impl Refusal {
    pub(super) fn new(code: u16, description: impl Into<String>) -> Self {
        Self { code, description: description.into(), retry_after: None, migrate_to: None }
    }

    pub(super) fn bad_request(what: impl std::fmt::Display) -> Self {
        Self::new(400, format!("Bad Request: {what}"))
    }

    pub(super) fn not_found() -> Self {
        Self::new(404, "Not Found")
    }

    pub(super) fn too_many(retry_after: i32) -> Self {
        Self {
            code: 429,
            description: format!("Too Many Requests: retry after {retry_after}"),
            retry_after: Some(retry_after),
            migrate_to: None,
        }
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        tracing::error!(%error, "the Telegram twin's database failed");
        Self::new(500, "Internal Server Error")
    }
}

/// The answer as Telegram writes it.
pub(super) fn respond(answer: Answer) -> Response {
    match answer {
        Ok(result) => poem::web::Json(json!({ "ok": true, "result": result })).into_response(),
        Err(refusal) => {
            let mut body = json!({
                "ok": false,
                "error_code": refusal.code,
                "description": refusal.description,
            });
            if let Some(seconds) = refusal.retry_after {
                body["parameters"] = json!({ "retry_after": seconds });
            }
            if let Some(chat_id) = refusal.migrate_to {
                body["parameters"] = json!({ "migrate_to_chat_id": chat_id });
            }
            let status = StatusCode::from_u16(refusal.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            poem::web::Json(body).with_status(status).into_response()
        }
    }
}
