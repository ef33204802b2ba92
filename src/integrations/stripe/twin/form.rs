//! Parameters as Stripe takes them: `items[0][price]=price_1`, from the address and from
//! a form.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::answer::Refusal;

/// Parameters by their whole name.
#[derive(Debug, Default)]
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    pub(super) fn read(query: &str, body: &[u8]) -> Result<Self, Refusal> {
        let body = std::str::from_utf8(body).map_err(|_| Refusal::invalid("The body is no form."))?;
        let mut form = Self::default();
        for encoded in [query, body] {
            // The decoder of addresses, so that there is one reading of `%` and `+`.
            let Ok(mut url) = reqwest::Url::parse("http://twin/") else { continue };
            url.set_query(Some(encoded));
            let pairs = url.query_pairs().filter(|(name, _)| !name.is_empty());
            form.0.extend(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())));
        }
        if form.0.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
            return Err(Refusal::invalid("A parameter holds the character NUL."));
        }
        if form.0.contains_key("expand") {
            return Err(Refusal::param("expand", "Invalid array"));
        }
        Ok(form)
    }

    /// A text that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    pub(super) fn need(&self, name: &str) -> Result<&str, Refusal> {
        self.text(name).ok_or_else(|| Refusal::missing_param(name))
    }

    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let invalid = |_| Refusal::param(name, format!("Invalid integer: {name}"));
        self.text(name).map(|text| text.parse().map_err(invalid)).transpose()
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        let invalid = |_| Refusal::param(name, format!("Invalid boolean: {name}"));
        self.text(name).map(|text| text.parse().map_err(invalid)).transpose()
    }

    /// `metadata[x]=y` as an object; also under a prefix such as `subscription_data`.
    pub(super) fn metadata(&self, prefix: &str) -> Value {
        let start = if prefix.is_empty() { "metadata[".to_owned() } else { format!("{prefix}[metadata][") };
        let within = |(name, value): (&String, &String)| {
            let key = name.strip_prefix(&start)?.strip_suffix(']')?;
            Some((key.to_owned(), Value::from(value.as_str())))
        };
        Value::Object(self.0.iter().filter_map(within).collect::<Map<_, _>>())
    }

    /// All values of a list, `types[0]=…` or `types[]=…`.
    pub(super) fn list(&self, name: &str) -> Vec<&str> {
        let start = format!("{name}[");
        self.0.iter().filter(|(key, _)| key.starts_with(&start)).map(|(_, value)| value.as_str()).collect()
    }

    /// All of it, as one text.
    pub(super) fn fingerprint(&self) -> String {
        format!("{:?}", self.0)
    }
}
