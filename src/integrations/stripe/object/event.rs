//! Events: something happened at Stripe, with the object as it was then.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::{Node, Object, ObjectError};

/// The longest id, type or version that is taken for one.
const LONGEST: usize = 255;

/// What stands on the envelope, read without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// `evt_…`.
    pub id: String,
    /// As in `invoice.paid`.
    pub kind: String,
    /// When it happened.
    pub created: Option<DateTime<Utc>>,
    /// The version that shaped the object in it.
    pub api_version: Option<String>,
    /// No test.
    pub livemode: bool,
}

impl Envelope {
    /// Reads the envelope of a webhook's body; none if it has no id and type.
    #[must_use]
    pub fn of(body: &[u8]) -> Option<Self> {
        /// Values rather than texts, so that an odd one does not hide the others.
        #[derive(Deserialize)]
        struct Head {
            id: Value,
            r#type: Value,
            #[serde(default)]
            created: Value,
            #[serde(default)]
            api_version: Value,
            #[serde(default)]
            livemode: Value,
        }
        let plain = |value: &Value| {
            let text = value.as_str().filter(|text| !text.is_empty() && text.len() <= LONGEST && !text.contains('\0'));
            text.map(str::to_owned)
        };
        let head: Head = serde_json::from_slice(body).ok()?;
        Some(Self {
            id: plain(&head.id)?,
            kind: plain(&head.r#type)?,
            created: Node::root(&head.created, "created").time().ok(),
            api_version: plain(&head.api_version),
            livemode: head.livemode.as_bool().unwrap_or(false),
        })
    }
}

/// An event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// `evt_…`.
    pub id: String,
    /// As in `invoice.paid`.
    pub kind: String,
    /// When it happened.
    pub created: DateTime<Utc>,
    /// The version that shaped `object`.
    pub api_version: Option<String>,
    /// No test.
    pub livemode: bool,
    /// The object as it was then.
    pub object: Value,
}

impl Object for Event {
    const NAME: &'static str = "event";

    fn read(node: &Node<'_>) -> Result<Self, ObjectError> {
        Ok(Self {
            id: node.owned("id")?,
            kind: node.owned("type")?,
            created: node.need("created")?.time()?,
            api_version: node.maybe_text("api_version")?,
            livemode: node.flag_or_no("livemode")?,
            object: node.need("data")?.need("object")?.value().clone(),
        })
    }
}

impl Event {
    /// The object, read.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub fn object<T: Object>(&self) -> Result<T, ObjectError> {
        T::from_json(&self.object)
    }

    /// The id of the object; none for one that is only announced.
    #[must_use]
    pub fn object_id(&self) -> Option<&str> {
        self.object.get("id").and_then(Value::as_str)
    }
}
