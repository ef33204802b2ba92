//! How coupons look: an uploaded picture, and where on it is written what.
//!
//! ready ⇄ archived. The picture itself is an object in storage and never
//! changes; another picture is another template. What a layout may be is known
//! to who draws, so it was judged before it came here, and is kept as it came.

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Decide, decide};

/// The lifecycle of a template.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Template {
    /// Nothing happened under this id.
    #[default]
    Missing,
    /// Campaigns can choose it.
    Ready(Design),
    /// Put away: no campaign can choose it. Those that have, keep it.
    Archived(Design),
}

/// What a card is drawn with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Design {
    /// For people.
    pub name: String,
    /// The background.
    pub picture: Picture,
    /// What is written where, as JSON of who draws.
    pub layout: Value,
}

/// An uploaded picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// Its key in the object storage, made from its bytes.
    pub object: String,
    /// What it is.
    pub media_type: MediaType,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Length of the file.
    pub bytes: u32,
}

/// What a picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MediaType {
    /// PNG.
    #[serde(rename = "image/png")]
    Png,
    /// JPEG.
    #[serde(rename = "image/jpeg")]
    Jpeg,
    /// SVG.
    #[serde(rename = "image/svg+xml")]
    Svg,
}

impl MediaType {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Png, Self::Jpeg, Self::Svg];

    /// As it is registered.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Svg => "image/svg+xml",
        }
    }
}

/// Wishes about a template. `at` is always the time of the wish.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are those of the events")]
pub enum Command {
    /// Make a template of a picture that is in the storage.
    Upload { name: String, picture: Picture, layout: Value, at: DateTime<Utc> },
    /// Call it something else.
    Rename { name: String, at: DateTime<Utc> },
    /// Write other things, or elsewhere.
    PlaceLayout { layout: Value, at: DateTime<Utc> },
    /// Put it away.
    Archive { at: DateTime<Utc> },
    /// Bring it back.
    Restore { at: DateTime<Utc> },
}

/// Facts about a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field says what it is by its name and type")]
pub enum Event {
    /// Its picture came.
    Uploaded { name: String, picture: Picture, at: DateTime<Utc> },
    /// It is called something else.
    Named { name: String, at: DateTime<Utc> },
    /// It was said what is written where.
    LayoutPlaced { layout: Value, at: DateTime<Utc> },
    /// It was put away.
    Archived { at: DateTime<Utc> },
    /// It was brought back.
    Restored { at: DateTime<Utc> },
}

/// Why a wish is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each field says what it is by its name and type")]
pub enum Refusal {
    /// Nothing exists under this id.
    #[error("there is no such template")]
    Missing,
    /// The id is taken.
    #[error("the template exists already")]
    Exists,
    /// It was put away.
    #[error("a template that is archived cannot be changed")]
    Archived,
    /// The name is none.
    #[error("name {reason}")]
    Name { reason: String },
}

impl Template {
    /// Longest name, in characters.
    pub const NAME_LENGTH: usize = 120;

    /// What a card is drawn with, archived or not; none when there is no template.
    #[must_use]
    pub const fn design(&self) -> Option<&Design> {
        match self {
            Self::Missing => None,
            Self::Ready(design) | Self::Archived(design) => Some(design),
        }
    }

    /// Whether a campaign can choose it.
    ///
    /// # Errors
    /// [`Refusal::Missing`] or [`Refusal::Archived`].
    pub const fn choosable(&self) -> Result<&Design, Refusal> {
        match self {
            Self::Missing => Err(Refusal::Missing),
            Self::Ready(design) => Ok(design),
            Self::Archived(_) => Err(Refusal::Archived),
        }
    }

    /// Checks a name.
    ///
    /// # Errors
    /// [`Refusal::Name`].
    pub fn check_name(name: &str) -> Result<(), Refusal> {
        let wrong = |reason: &str| Err(Refusal::Name { reason: reason.to_owned() });
        if name.trim().is_empty() {
            return wrong("must not be empty");
        }
        if name.chars().count() > Self::NAME_LENGTH {
            return wrong("must have at most 120 characters");
        }
        if name.chars().any(char::is_control) {
            return wrong("must not contain control characters");
        }
        Ok(())
    }
}

impl Decide for Template {
    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        match (self, command) {
            (Self::Missing, Command::Upload { name, picture, layout, at }) => {
                Self::check_name(name)?;
                Ok(vec![
                    Event::Uploaded { name: name.clone(), picture: picture.clone(), at: *at },
                    Event::LayoutPlaced { layout: layout.clone(), at: *at },
                ])
            }
            (_, Command::Upload { .. }) => Err(Refusal::Exists),

            (_, Command::Rename { name, at }) => {
                Self::check_name(name)?;
                let same = self.choosable()?.name == *name;
                Ok(if same { vec![] } else { vec![Event::Named { name: name.clone(), at: *at }] })
            }
            (_, Command::PlaceLayout { layout, at }) => {
                let same = self.choosable()?.layout == *layout;
                Ok(if same { vec![] } else { vec![Event::LayoutPlaced { layout: layout.clone(), at: *at }] })
            }

            (Self::Missing, Command::Archive { .. } | Command::Restore { .. }) => Err(Refusal::Missing),
            (Self::Ready(_), &Command::Archive { at }) => Ok(vec![Event::Archived { at }]),
            (Self::Archived(_), &Command::Restore { at }) => Ok(vec![Event::Restored { at }]),
            // It is so already.
            (Self::Archived(_), Command::Archive { .. }) | (Self::Ready(_), Command::Restore { .. }) => Ok(vec![]),
        }
    }
}

impl Aggregate for Template {
    const TYPE: &'static str = "template";
    type Command = Command;
    type Event = Event;
    type Error = Refusal;
    type Services = ();

    async fn handle(&mut self, command: Command, _: &(), sink: &EventSink<Self>) -> Result<(), Refusal> {
        decide::collect(self, command, sink).await
    }

    fn apply(&mut self, event: Event) {
        *self = match (std::mem::take(self), event) {
            (_, Event::Uploaded { name, picture, .. }) => Self::Ready(Design { name, picture, layout: Value::Null }),
            (Self::Ready(design), Event::Named { name, .. }) => Self::Ready(Design { name, ..design }),
            (Self::Ready(design), Event::LayoutPlaced { layout, .. }) => Self::Ready(Design { layout, ..design }),
            (Self::Ready(design), Event::Archived { .. }) => Self::Archived(design),
            (Self::Archived(design), Event::Restored { .. }) => Self::Ready(design),
            // `decide` writes no other pair; a log that holds one changes nothing.
            (state, _) => state,
        };
    }
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        match self {
            Self::Uploaded { .. } => "Uploaded",
            Self::Named { .. } => "Named",
            Self::LayoutPlaced { .. } => "LayoutPlaced",
            Self::Archived { .. } => "Archived",
            Self::Restored { .. } => "Restored",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
