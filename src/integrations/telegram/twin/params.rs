//! Parameters of a Bot API call, however they were sent.
//!
//! Telegram takes them from the address, from JSON, from a form and from multipart,
//! and reads a number from a text and a list from JSON in a text. Files come in
//! multipart alone.

use std::collections::HashMap;

use bytes::Bytes;
use poem::web::Multipart;
use poem::{Body, FromRequest, Request, RequestBody};
use serde_json::{Map, Value};

use super::answer::Refusal;

const LARGEST_BODY: usize = 1024 * 1024;
/// Of a body that may hold files. A photo that is a little too large is told so.
const LARGEST_UPLOAD: usize = 16 * 1024 * 1024;

#[derive(Default)]
pub(super) struct Params {
    values: Map<String, Value>,
    files: HashMap<String, Bytes>,
}

impl Params {
    pub(super) async fn read(request: &Request, body: Body) -> Result<Self, Refusal> {
        let mut params = Self::default();
        params.add_pairs(request.uri().query().unwrap_or_default());
        let content_type = request.content_type().unwrap_or_default().to_ascii_lowercase();
        let in_parts = content_type.starts_with("multipart/form-data");
        let largest = if in_parts { LARGEST_UPLOAD } else { LARGEST_BODY };
        let bytes = body.into_bytes_limit(largest).await.map_err(|_| Refusal::new(413, "Request Entity Too Large"))?;
        if bytes.is_empty() {
            return Ok(params);
        }
        if in_parts {
            let mut body = RequestBody::new(bytes.into());
            params.add_parts(request, &mut body).await.ok_or_else(malformed)?;
        } else if content_type.starts_with("application/json") {
            let object = serde_json::from_slice::<Map<String, Value>>(&bytes);
            params.values.extend(object.map_err(|_| Refusal::bad_request("can't parse JSON object"))?);
        } else {
            params.add_pairs(std::str::from_utf8(&bytes).map_err(|_| malformed())?);
        }
        Ok(params)
    }

    fn add_pairs(&mut self, encoded: &str) {
        // The decoder of the address itself, so that there is one reading of `%` and `+`.
        let Ok(mut url) = reqwest::Url::parse("http://twin/") else {
            return;
        };
        url.set_query(Some(encoded));
        let pairs = url.query_pairs().filter(|(name, _)| !name.is_empty());
        self.values.extend(pairs.map(|(name, value)| (name.into_owned(), Value::from(value))));
    }

    async fn add_parts(&mut self, request: &Request, body: &mut RequestBody) -> Option<()> {
        let mut parts = Multipart::from_request(request, body).await.ok()?;
        while let Some(part) = parts.next_field().await.ok()? {
            let name = part.name()?.to_owned();
            if part.file_name().is_some() {
                self.files.insert(name, part.bytes().await.ok()?.into());
            } else {
                self.values.insert(name, Value::from(part.text().await.ok()?));
            }
        }
        Some(())
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.values.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A file under this name, or under the one that `attach://` in its place points to.
    pub(super) fn file(&self, name: &str) -> Option<Bytes> {
        let elsewhere = || self.values.get(name)?.as_str()?.strip_prefix("attach://");
        self.files.get(name).or_else(|| self.files.get(elsewhere()?)).cloned()
    }

    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        match self.values.get(name)? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        match self.values.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => {
                matches!(text.to_ascii_lowercase().as_str(), "true" | "1" | "yes")
            }
            Some(Value::Number(number)) => number.as_i64() == Some(1),
            _ => false,
        }
    }

    /// A list or an object, given as such or as JSON in a text.
    pub(super) fn structured(&self, name: &str) -> Result<Option<Value>, Refusal> {
        match self.values.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => serde_json::from_str(text)
                .map(Some)
                .map_err(|_| Refusal::bad_request(format!("can't parse {name} JSON object"))),
            Some(value) => Ok(Some(value.clone())),
        }
    }
}

fn malformed() -> Refusal {
    Refusal::bad_request("can't parse the request")
}
