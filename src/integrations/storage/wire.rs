//! The requests to the bucket, made by the client that all integrations share.
//!
//! Left to itself, object_store puts a refusal's body into its error, and with it our
//! access key and a signature; it takes a bucket that is not there for an object that is
//! not; and the status of other refusals is in no type, only in a text. So refusals are
//! read here, and what goes on is an [`Answer`].

use bytes::{Bytes, BytesMut};
use futures_util::{TryStreamExt, future::BoxFuture};
use object_store::{
    ClientOptions,
    client::{HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService},
};
use reqwest::{Method, StatusCode};
use thiserror::Error;

/// How much of a refusal is read. A refusal has some hundred bytes.
const MOST_READ: usize = 64 * 1024;

/// What the store answered instead of doing it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the store answered {status} ({})", code.as_deref().unwrap_or("no code"))]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// S3's code, such as `SignatureDoesNotMatch` (AWS, "Error responses").
    pub code: Option<String>,
}

impl Answer {
    /// Whether the same request can succeed later.
    pub(super) fn is_transient(&self) -> bool {
        let says = |codes: &[&str]| self.code.as_deref().is_some_and(|code| codes.contains(&code));
        match self.status {
            408 | 409 | 425 | 429 => true,
            501 | 505 => false,
            500.. => true,
            _ => says(&["InternalError", "SlowDown", "ServiceUnavailable", "RequestTimeout", "OperationAborted"]),
        }
    }

    /// Whether it is our keys or what they may do.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self.status, 401 | 403) || self.code.as_deref() == Some("AccessDenied")
    }
}

/// A client for object_store.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    http: reqwest::Client,
}

impl Wire {
    pub(super) fn new(http: reqwest::Client) -> Self {
        Self { http }
    }
}

impl HttpConnector for Wire {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

impl HttpService for Wire {
    fn call<'a, 'b>(&'a self, request: HttpRequest) -> BoxFuture<'b, Result<HttpResponse, HttpError>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let asked = Asked::of(&request);
            let response = self.http.call(request).await?;
            let status = response.status();
            // A deletion of many succeeds as a whole and fails one by one, in the body.
            if status.is_success() && asked != Asked::Deletion {
                return Ok(response);
            }
            let (parts, body) = response.into_parts();
            let body = beginning(body.bytes_stream()).await?;
            let code = code_in(&body);
            let absent = match asked {
                // An answer to HEAD has no body to tell.
                Asked::Head => status == StatusCode::NOT_FOUND,
                Asked::Get => status == StatusCode::NOT_FOUND && code.as_deref() == Some("NoSuchKey"),
                Asked::Deletion => status.is_success() && code.is_none(),
                Asked::Other => false,
            };
            if absent {
                return Ok(HttpResponse::from_parts(parts, body.into()));
            }
            let answer = Answer { status: status.as_u16(), code };
            // object_store repeats requests of the first kind and not of the second.
            let kind = if answer.is_transient() { HttpErrorKind::Request } else { HttpErrorKind::Unknown };
            Err(HttpError::new(kind, answer))
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Head,
    Get,
    Deletion,
    Other,
}

impl Asked {
    fn of(request: &HttpRequest) -> Self {
        match *request.method() {
            Method::HEAD => Self::Head,
            Method::GET => Self::Get,
            Method::POST if request.uri().query() == Some("delete") => Self::Deletion,
            _ => Self::Other,
        }
    }
}

async fn beginning(
    mut chunks: impl futures_util::Stream<Item = Result<Bytes, HttpError>> + Unpin,
) -> Result<Bytes, HttpError> {
    let mut read = BytesMut::new();
    while read.len() < MOST_READ
        && let Some(chunk) = chunks.try_next().await?
    {
        read.extend_from_slice(&chunk);
    }
    Ok(read.freeze())
}

/// The first `<Code>`, if it looks like one: it will be logged.
fn code_in(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let fine = (1..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    fine.then(|| code.to_owned())
}
