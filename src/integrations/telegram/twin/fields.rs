//! Strict reading of a JSON object: a wrong, missing or unexpected field is named.

use poem::Body;
use serde_json::{Map, Value};

use super::problem::{Problem, Result};

const LARGEST_BODY: usize = 256 * 1024;

pub(super) struct Fields {
    /// Leads to a nested object: `error.` in `error.status`.
    path: String,
    rest: Map<String, Value>,
}

impl Fields {
    pub(super) async fn read(body: Body) -> Result<Self> {
        let bytes = body.into_bytes_limit(LARGEST_BODY).await.map_err(|_| Problem::NotAnObject)?;
        let rest = serde_json::from_slice(&bytes).map_err(|_| Problem::NotAnObject)?;
        Ok(Self { path: String::new(), rest })
    }

    pub(super) fn text(&mut self, name: &str) -> Result<String> {
        self.optional_text(name)?.ok_or_else(|| self.wrong(name, "is missing"))
    }

    pub(super) fn optional_text(&mut self, name: &str) -> Result<Option<String>> {
        match self.rest.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "must be a text")),
        }
    }

    pub(super) fn optional_integer(&mut self, name: &str, min: i64, max: i64) -> Result<Option<i64>> {
        match self.rest.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_i64().filter(|n| (min..=max).contains(n)) {
                Some(number) => Ok(Some(number)),
                None => Err(self.wrong(name, &format!("must be a whole number from {min} to {max}"))),
            },
        }
    }

    pub(super) fn optional_flag(&mut self, name: &str) -> Result<Option<bool>> {
        match self.rest.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.wrong(name, "must be true or false")),
        }
    }

    pub(super) fn object(&mut self, name: &str) -> Result<Self> {
        match self.rest.remove(name) {
            Some(Value::Object(rest)) => Ok(Self { path: format!("{}{name}.", self.path), rest }),
            Some(_) => Err(self.wrong(name, "must be an object")),
            None => Err(self.wrong(name, "is missing")),
        }
    }

    /// To be called last: what is left was not expected.
    pub(super) fn finish(self) -> Result<()> {
        match self.rest.keys().next() {
            Some(name) => Err(self.wrong(name, "is not a field of this request")),
            None => Ok(()),
        }
    }

    pub(super) fn wrong(&self, name: &str, reason: &str) -> Problem {
        Problem::field(&format!("{}{name}", self.path), reason)
    }
}
