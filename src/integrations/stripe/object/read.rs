//! Walking through JSON with the path at hand.

use std::{collections::BTreeMap, fmt};

use chrono::{DateTime, Utc};
use serde_json::Value;

/// What is wrong at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It is not there, or null.
    Missing,
    /// It should be this.
    Type(&'static str),
    /// The object should be one of this name.
    Kind(&'static str),
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::Type(wanted) => write!(f, "should be {wanted}"),
            Self::Kind(name) => write!(f, "should be {name:?}"),
        }
    }
}

/// An object that does not say what we need to know. Holds no value of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} {wrong}")]
pub struct ObjectError {
    /// Where, as in `subscription.items.data[0].price.id`.
    pub path: String,
    /// What is wrong there.
    pub wrong: Wrong,
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct Node<'a> {
    value: &'a Value,
    path: String,
}

impl<'a> Node<'a> {
    /// The outermost value, under a name of our choice.
    #[must_use]
    pub fn root(value: &'a Value, name: &str) -> Self {
        Self { value, path: name.to_owned() }
    }

    /// The JSON itself.
    #[must_use]
    pub const fn value(&self) -> &'a Value {
        self.value
    }

    /// An error at this place.
    #[must_use]
    pub fn wrong(&self, wrong: Wrong) -> ObjectError {
        ObjectError { path: self.path.clone(), wrong }
    }

    /// A field that may be missing or null.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Self> {
        let value = self.value.get(name).filter(|value| !value.is_null())?;
        Some(Self { value, path: format!("{}.{name}", self.path) })
    }

    /// The value at the end of a path of fields, any of which may be missing or null.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<Self> {
        let mut node = self.clone();
        for name in path {
            node = node.get(name)?;
        }
        Some(node)
    }

    /// A field that has to be there.
    pub fn need(&self, name: &str) -> Result<Self, ObjectError> {
        self.get(name).ok_or_else(|| ObjectError { path: format!("{}.{name}", self.path), wrong: Wrong::Missing })
    }

    /// A text.
    pub fn text(&self) -> Result<&'a str, ObjectError> {
        self.value.as_str().ok_or_else(|| self.wrong(Wrong::Type("a text")))
    }

    /// A whole number.
    pub fn integer(&self) -> Result<i64, ObjectError> {
        self.value.as_i64().ok_or_else(|| self.wrong(Wrong::Type("a whole number")))
    }

    /// Yes or no.
    pub fn flag(&self) -> Result<bool, ObjectError> {
        self.value.as_bool().ok_or_else(|| self.wrong(Wrong::Type("true or false")))
    }

    /// An instant, which Stripe writes as seconds since 1970.
    pub fn time(&self) -> Result<DateTime<Utc>, ObjectError> {
        let time = DateTime::from_timestamp(self.integer()?, 0).filter(projections::page::is_usual);
        time.ok_or_else(|| self.wrong(Wrong::Type("an instant in the years 0 to 9999")))
    }

    /// The id of an object that is either named or there as a whole (expanded).
    pub fn reference(&self) -> Result<String, ObjectError> {
        match self.value {
            Value::String(id) => Ok(id.clone()),
            Value::Object(_) => Ok(self.need("id")?.text()?.to_owned()),
            _ => Err(self.wrong(Wrong::Type("an id or an object"))),
        }
    }

    /// The elements of a list, whether a plain one or one of Stripe's pages.
    pub fn list(&self) -> Result<Vec<Self>, ObjectError> {
        let node = if self.value.is_object() { self.need("data")? } else { self.clone() };
        let Value::Array(values) = node.value else { return Err(node.wrong(Wrong::Type("a list"))) };
        let element = |(n, value)| Self { value, path: format!("{}[{n}]", node.path) };
        Ok(values.iter().enumerate().map(element).collect())
    }

    /// Texts by name, as Stripe keeps them for us. Without those that are no texts.
    #[must_use]
    pub fn metadata(&self) -> BTreeMap<String, String> {
        let Some(Value::Object(map)) = self.value.get("metadata") else { return BTreeMap::new() };
        let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        map.iter().filter_map(text).collect()
    }

    pub(super) fn owned(&self, name: &str) -> Result<String, ObjectError> {
        Ok(self.need(name)?.text()?.to_owned())
    }

    pub(super) fn maybe_text(&self, name: &str) -> Result<Option<String>, ObjectError> {
        self.get(name).map(|node| node.text().map(str::to_owned)).transpose()
    }

    pub(super) fn maybe_integer(&self, name: &str) -> Result<Option<i64>, ObjectError> {
        self.get(name).map(|node| node.integer()).transpose()
    }

    pub(super) fn maybe_time(&self, name: &str) -> Result<Option<DateTime<Utc>>, ObjectError> {
        self.get(name).map(|node| node.time()).transpose()
    }

    pub(super) fn maybe_reference(&self, name: &str) -> Result<Option<String>, ObjectError> {
        self.get(name).map(|node| node.reference()).transpose()
    }

    /// Yes or no; no when nothing is said.
    pub(super) fn flag_or_no(&self, name: &str) -> Result<bool, ObjectError> {
        self.get(name).map_or(Ok(false), |node| node.flag())
    }
}
