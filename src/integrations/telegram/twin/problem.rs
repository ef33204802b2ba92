//! Errors on the people's face: JSON, naming the field that is wrong.

use poem::http::StatusCode;
use poem::{IntoResponse, Response, error::ResponseError};
use serde_json::json;

/// What a handler of the people's face comes to.
pub(super) type Result<T> = std::result::Result<T, Problem>;

#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("{field} {reason}")]
    Field { field: String, reason: String },
    #[error("the body must be a JSON object")]
    NotAnObject,
    #[error("{0}")]
    Conflict(&'static str),
    #[error("{0}")]
    Unknown(&'static str),
    #[error("the twin's database failed")]
    Database(#[from] sqlx::Error),
}

impl Problem {
    pub(super) fn field(field: &str, reason: impl Into<String>) -> Self {
        Self::Field { field: field.to_owned(), reason: reason.into() }
    }
}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::Field { .. } | Self::NotAnObject => StatusCode::BAD_REQUEST,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Unknown(_) => StatusCode::NOT_FOUND,
            Self::Database(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn as_response(&self) -> Response {
        if let Self::Database(error) = self {
            tracing::error!(%error, "the Telegram twin's database failed");
        }
        let mut body = json!({ "error": self.to_string() });
        if let Self::Field { field, .. } = self {
            body["field"] = json!(field);
        }
        poem::web::Json(body).with_status(self.status()).into_response()
    }
}

/// Everything else that failed (no such path, wrong method) in the same shape.
pub(super) async fn answer(error: poem::Error) -> Response {
    if error.is::<Problem>() {
        return error.into_response();
    }
    let body = json!({ "error": error.to_string() });
    poem::web::Json(body).with_status(error.status()).into_response()
}
