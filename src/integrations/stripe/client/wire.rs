//! A call on the wire: its tries, and what its answer says.

use std::time::Duration;

use reqwest::{Method, header};
use serde_json::Value;
use stripe_client_core::{RequestBuilder, StripeMethod, VERSION};

use super::{
    super::error::{Outage, StripeError},
    Stripe, StripeKey,
};
use crate::retry::Backoff;

/// Tries of one call here; jobs try again later.
const TRIES: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// The longest wait that Stripe asks for and that is done here.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(5);

/// How a call is told apart from another.
pub(super) enum Once<'a> {
    /// It changes nothing.
    Read,
    /// Done twice, it comes to the same.
    Repeatable(&'a StripeKey),
    /// Must not be done twice.
    Single(&'a StripeKey),
}

impl Stripe {
    /// Tries a few times: always under the same key, unless the answer under it is spoilt
    /// and the call may be repeated.
    pub(super) async fn send(
        &self,
        operation: &'static str,
        request: RequestBuilder,
        once: Once<'_>,
    ) -> Result<Value, StripeError> {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        let mut spoilt = 0;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let key = match &once {
                Once::Read => None,
                Once::Repeatable(key) | Once::Single(key) => Some(key.next(spoilt)),
            };
            let error = match self.attempt(operation, &request, key.as_deref()).await {
                Ok(json) => return Ok(json),
                Err(error) => error,
            };
            let replayed = matches!(&error, StripeError::Unavailable { source: Outage::Replayed(_), .. });
            if replayed && matches!(once, Once::Repeatable(_)) {
                spoilt += 1;
            } else if !error.is_transient() {
                return Err(error);
            }
            let wait = match &error {
                StripeError::Busy { after: Some(after), .. } if *after > LONGEST_RETRY_AFTER => return Err(error),
                StripeError::Busy { after: Some(after), .. } => *after,
                _ => backoff.wait(),
            };
            if attempt >= TRIES {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn attempt(
        &self,
        operation: &'static str,
        request: &RequestBuilder,
        key: Option<&str>,
    ) -> Result<Value, StripeError> {
        let inner = &*self.inner;
        let mut url = inner.base.clone();
        let path = format!("{}/v1{}", url.path().trim_end_matches('/'), request.path);
        url.set_path(&path);
        url.set_query(request.query.as_deref().filter(|query| !query.is_empty()));
        let method = match request.method {
            StripeMethod::Get => Method::GET,
            StripeMethod::Post => Method::POST,
            StripeMethod::Delete => Method::DELETE,
        };
        let mut call = inner
            .http
            .request(method, url)
            .timeout(inner.patience)
            .bearer_auth(inner.key.reveal())
            .header("Stripe-Version", VERSION.as_str());
        if let Some(key) = key {
            call = call.header("Idempotency-Key", key);
        }
        if let Some(body) = &request.body {
            call = call.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body.clone());
        }
        let no_answer = |error: reqwest::Error| StripeError::Unavailable {
            operation,
            // Its address may name a customer.
            source: Outage::Network(error.without_url()),
        };
        inner.pace.wait().await;
        let response = call.send().await.map_err(no_answer)?;
        let status = response.status().as_u16();
        let said = Said {
            status,
            retry_after: number(response.headers(), "retry-after").map(Duration::from_secs),
            should_retry: text(response.headers(), "stripe-should-retry").and_then(|text| text.parse().ok()),
            replayed: text(response.headers(), "idempotent-replayed") == Some("true"),
        };
        let body = response.bytes().await.map_err(no_answer)?;
        if (200..300).contains(&status) {
            return serde_json::from_slice(&body).map_err(|error| StripeError::Unavailable {
                operation,
                source: Outage::NotJson { line: error.line(), column: error.column() },
            });
        }
        let error = said.error(operation, &body);
        if let StripeError::Busy { after: Some(after), .. } = &error {
            inner.pace.pause(*after);
        }
        Err(error)
    }
}

/// What an answer says about itself.
struct Said {
    status: u16,
    retry_after: Option<Duration>,
    should_retry: Option<bool>,
    replayed: bool,
}

impl Said {
    /// The error, by <https://docs.stripe.com/error-low-level>.
    fn error(&self, operation: &'static str, body: &[u8]) -> StripeError {
        let status = self.status;
        // Between us and Stripe stand machines that explain themselves in HTML.
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let word = |name: &str| {
            let word = json["error"][name].as_str()?;
            let plain =
                word.len() <= 64 && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            plain.then(|| word.to_owned())
        };
        let code = word("code").or_else(|| word("type"));
        match status {
            429 => StripeError::Busy { operation, after: self.retry_after },
            401 | 403 => StripeError::Unauthorized { operation, status },
            404 => StripeError::Missing { operation },
            // Somebody else works under the same key, or holds the object.
            409 if self.should_retry != Some(false) => StripeError::Busy { operation, after: self.retry_after },
            400..=499 if self.should_retry == Some(true) => StripeError::Busy { operation, after: self.retry_after },
            400..=499 => StripeError::Rejected { operation, status, code },
            _ if self.replayed => StripeError::Unavailable { operation, source: Outage::Replayed(status) },
            _ => StripeError::Unavailable { operation, source: Outage::Status(status) },
        }
    }
}

fn text<'a>(headers: &'a header::HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn number(headers: &header::HeaderMap, name: &str) -> Option<u64> {
    text(headers, name)?.trim().parse().ok()
}
