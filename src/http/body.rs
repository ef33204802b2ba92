//! Bodies: JSON objects read field by field, so that everything that is wrong
//! with one is said at once, by name, and nothing of what was sent is repeated.

use bytes::Bytes;
use chrono::{DateTime, SubsecRound, Utc};
use poem::{Request, RequestBody, error::ReadBodyError, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaMediaType, MetaRequest, Registry},
    types::{MaybeUndefined, Type},
};
use projections::page::is_usual;
use serde_json::{Map, Value};
use tokio::time::Duration;
use trading::Price;

use super::{
    params::UNUSUAL,
    problem::{Answer, FieldError, Kind, Problem},
};

/// Largest body.
pub(super) const LIMIT: usize = 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads a body within its limits of size and time.
pub(super) async fn bytes(request: &Request, body: &mut RequestBody) -> Answer<Bytes> {
    bytes_within(request, body, LIMIT).await
}

/// How long a body says that it is.
pub(super) fn announced(request: &Request) -> Option<u64> {
    request.header(header::CONTENT_LENGTH).and_then(|length| length.parse().ok())
}

/// Reads a body of at most `limit` bytes within the limit of time. One that announces more is
/// not waited for.
pub(super) async fn bytes_within(request: &Request, body: &mut RequestBody, limit: usize) -> Answer<Bytes> {
    if announced(request).is_some_and(|length| length > limit as u64) {
        return Err(Kind::BodyTooLarge.into());
    }
    let Ok(body) = body.take() else { return Ok(Bytes::new()) };
    match tokio::time::timeout(PATIENCE, body.into_bytes_limit(limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(ReadBodyError::PayloadTooLarge)) => Err(Kind::BodyTooLarge.into()),
        Ok(Err(_)) => Err(Problem::input("body", "could not be read to its end")),
        Err(_) => Err(Kind::BodyTooSlow.into()),
    }
}

/// An input that can be read from the fields of an object.
pub(super) trait Input: Sized {
    /// The object as the document describes it.
    type Document: Type;

    /// Reads it; none when an error was noted.
    fn read(fields: &mut Fields) -> Option<Self>;
}

/// A body that is a JSON object.
pub(super) struct Body<T> {
    /// What it says.
    pub(super) value: T,
    /// The body itself, with its fields in a fixed order.
    pub(super) canonical: String,
}

impl<'a, T: Input> ApiExtractor<'a> for Body<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::Document::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = MetaMediaType { content_type: "application/json", schema: T::Document::schema_ref() };
        Some(MetaRequest { description: None, content: vec![content], required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        // Also keeps forms of other sites out: they cannot send this type.
        if !request.content_type().is_some_and(is_json) {
            return Err(Problem::from(Kind::MediaType).into());
        }
        Ok(read(&bytes(request, body).await?)?)
    }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn read<T: Input>(bytes: &[u8]) -> Answer<Body<T>> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        Problem::input("body", format!("is not JSON (line {}, column {})", error.line(), error.column()))
    })?;
    let canonical = value.to_string();
    let Value::Object(map) = value else { return Err(Problem::input("body", "must be a JSON object")) };
    let mut fields = Fields { map, errors: vec![] };
    let value = T::read(&mut fields);
    let names: Vec<String> = fields.map.keys().map(|name| name.chars().take(64).collect()).collect();
    for name in names {
        fields.note(&name, "is not a field of this body");
    }
    match value {
        Some(value) if fields.errors.is_empty() => Ok(Body { value, canonical }),
        _ => Err(Problem::from(Kind::InvalidInput).with_errors(fields.errors)),
    }
}

/// The fields of an object that were not read yet, and what was wrong so far.
pub(super) struct Fields {
    map: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// Whether something is wrong with one of these already, so that what depends on them cannot be judged.
    pub(super) fn is_wrong(&self, names: &[&str]) -> bool {
        self.errors.iter().any(|error| names.contains(&error.field.as_str()))
    }

    /// Notes what is wrong with a field.
    pub(super) fn note(&mut self, field: &str, reason: impl Into<String>) {
        self.errors.push(FieldError { field: field.to_owned(), reason: reason.into() });
    }

    /// A field that may be missing, null or there.
    pub(super) fn given<T>(&mut self, name: &str, read: impl FnOnce(Value) -> Result<T, String>) -> MaybeUndefined<T> {
        match self.map.remove(name) {
            None => MaybeUndefined::Undefined,
            Some(Value::Null) => MaybeUndefined::Null,
            Some(value) => match read(value) {
                Ok(value) => MaybeUndefined::Value(value),
                Err(reason) => {
                    self.note(name, reason);
                    MaybeUndefined::Undefined
                }
            },
        }
    }

    /// An object inside this one, for which null means the same as nothing. What is
    /// wrong in it is named by its path.
    pub(super) fn object<T: Input>(&mut self, name: &str) -> Option<T> {
        let value = self.optional(name, Ok)?;
        self.inside(name, value)
    }

    /// An object inside this one, which must be there.
    pub(super) fn required_object<T: Input>(&mut self, name: &str) -> Option<T> {
        let value = self.required(name, Ok)?;
        self.inside(name, value)
    }

    /// A list of at most so many objects, which must be there. What is wrong in them is
    /// named by its path, as `fields[2].width`.
    pub(super) fn list<T: Input>(&mut self, name: &str, most: usize) -> Option<Vec<T>> {
        let values = self.required(name, values(most))?;
        self.entries(name, values)
    }

    /// A list of at most so many objects, for which null means the same as nothing.
    pub(super) fn optional_list<T: Input>(&mut self, name: &str, most: usize) -> Option<Vec<T>> {
        let values = self.optional(name, values(most))?;
        self.entries(name, values)
    }

    fn entries<T: Input>(&mut self, name: &str, values: Vec<Value>) -> Option<Vec<T>> {
        // All of them, so that all that is wrong is noted.
        let read: Vec<Option<T>> = (0..)
            .zip(values)
            .map(|(index, value): (usize, _)| self.inside(&format!("{name}[{index}]"), value))
            .collect();
        read.into_iter().collect()
    }

    /// Reads an object that is called `name` here.
    fn inside<T: Input>(&mut self, name: &str, value: Value) -> Option<T> {
        let Value::Object(map) = value else {
            self.note(name, "must be an object");
            return None;
        };
        let mut inner = Self { map, errors: vec![] };
        let value = T::read(&mut inner);
        let names: Vec<String> = inner.map.keys().map(|name| name.chars().take(64).collect()).collect();
        for name in names {
            inner.note(&name, "is not a field of this object");
        }
        for error in inner.errors {
            self.note(&format!("{name}.{}", error.field), error.reason);
        }
        value
    }

    /// A field for which null means the same as nothing.
    pub(super) fn optional<T>(&mut self, name: &str, read: impl FnOnce(Value) -> Result<T, String>) -> Option<T> {
        self.given(name, read).take()
    }

    /// A field that may be missing but not null: nothing can be taken away.
    pub(super) fn changed<T>(&mut self, name: &str, read: impl FnOnce(Value) -> Result<T, String>) -> Option<T> {
        match self.given(name, read) {
            MaybeUndefined::Value(value) => Some(value),
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => {
                self.note(name, "must not be null");
                None
            }
        }
    }

    /// A field that must be there.
    pub(super) fn required<T>(&mut self, name: &str, read: impl FnOnce(Value) -> Result<T, String>) -> Option<T> {
        let missing = self.map.get(name).is_none_or(Value::is_null);
        if missing {
            self.map.remove(name);
            self.note(name, "is required");
            return None;
        }
        self.optional(name, read)
    }
}

/// A list of at most so many.
fn values(most: usize) -> impl FnOnce(Value) -> Result<Vec<Value>, String> {
    move |value| match value {
        Value::Array(values) if values.len() <= most => Ok(values),
        Value::Array(_) => Err(format!("must have at most {most} entries")),
        _ => Err("must be a list".to_owned()),
    }
}

/// A text that PostgreSQL can hold.
pub(super) fn text(value: Value) -> Result<String, String> {
    match value {
        Value::String(text) if text.contains('\0') => Err("must not contain the character NUL".to_owned()),
        Value::String(text) => Ok(text),
        _ => Err("must be a string".to_owned()),
    }
}

/// An instant, to the microsecond: what PostgreSQL keeps.
pub(super) fn instant(value: Value) -> Result<DateTime<Utc>, String> {
    let time = value
        .as_str()
        .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
        .map(|time| time.to_utc().trunc_subsecs(6))
        .ok_or_else(|| "must be an instant as in RFC 3339, such as 2027-01-31T12:00:00Z".to_owned())?;
    if is_usual(&time) { Ok(time) } else { Err(UNUSUAL.to_owned()) }
}

/// Yes or no.
pub(super) fn flag(value: Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| "must be true or false".to_owned())
}

/// An id.
pub(super) fn id(value: Value) -> Result<uuid::Uuid, String> {
    let id = value.as_str().and_then(|text| text.parse().ok());
    id.ok_or_else(|| "must be a UUID".to_owned())
}

/// A number of things, at least one.
pub(super) fn count(value: Value) -> Result<u32, String> {
    value
        .as_u64()
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| (1..=i32::MAX as u32).contains(number))
        .ok_or_else(|| "must be a whole number from 1 to 2147483647".to_owned())
}

/// A price, exact.
pub(super) fn price(value: Value) -> Result<Price, String> {
    let price = value.as_str().and_then(|text| text.parse().ok());
    price.ok_or_else(|| "must be a decimal text with at most 5 decimal places, such as \"4012.35\"".to_owned())
}

/// One of a few words.
pub(super) fn one_of<T: Copy>(
    all: &[T],
    as_str: impl Fn(T) -> &'static str,
) -> impl FnOnce(Value) -> Result<T, String> {
    move |value| {
        let found = value.as_str().and_then(|word| all.iter().copied().find(|one| as_str(*one) == word));
        found.ok_or_else(|| {
            let words: Vec<_> = all.iter().map(|one| as_str(*one)).collect();
            format!("must be one of {}", words.join(", "))
        })
    }
}

/// A whole number from `least` to `most`.
pub(super) fn whole<T: TryFrom<u64>>(least: u64, most: u64) -> impl FnOnce(Value) -> Result<T, String> {
    move |value| {
        let number = value.as_u64().filter(|number| (least..=most).contains(number));
        number
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| format!("must be a whole number from {least} to {most}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_that_announces_too_much_is_not_waited_for() {
        for (length, is_read) in [("99000000000", false), ("1048577", false), ("1048576", true), ("many", true)] {
            let request = Request::builder().header(header::CONTENT_LENGTH, length).body("{}");
            let (request, mut body) = request.split();
            let read = bytes(&request, &mut body).await.map_err(|problem| problem.kind());
            assert_eq!(read, if is_read { Ok(Bytes::from("{}")) } else { Err(Kind::BodyTooLarge) }, "{length}");
        }
    }
}
