//! Templates as they come in and go out.

use aggregates::template::MediaType as StoredType;
use cards::Layout as CardLayout;
use chrono::{DateTime, Utc};
use poem_openapi::{
    Enum, Object,
    types::{Example, MaybeUndefined},
};
use projections::templates::Row;
use serde_json::Value;
use uuid::Uuid;

use super::{
    body::{Fields, Input, id, text},
    layout_json::{Layout, LayoutDraft},
    mutation::EXAMPLE_ID,
    problem::{Answer, Kind, Problem},
};
use crate::cards::SAMPLE_CODE;

/// What a picture is.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
enum PictureType {
    /// PNG.
    #[oai(rename = "image/png")]
    Png,
    /// JPEG.
    #[oai(rename = "image/jpeg")]
    Jpeg,
    /// SVG.
    #[oai(rename = "image/svg+xml")]
    Svg,
}

/// A template of cards.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct Template {
    /// Its id.
    id: Uuid,
    /// What it is called; for people.
    name: String,
    /// What its picture is.
    media_type: PictureType,
    /// Of its picture, in pixels.
    width: i32,
    /// Of its picture, in pixels.
    height: i32,
    /// Length of its picture's file.
    bytes: i32,
    /// What is written where.
    layout: Layout,
    /// When it was put away; without it, campaigns can choose it.
    archived_at: Option<DateTime<Utc>>,
    /// When it was uploaded.
    created_at: DateTime<Utc>,
    /// Its last change.
    updated_at: DateTime<Utc>,
    /// Its version, which is also its ETag.
    version: i64,
}

impl Example for Template {
    fn example() -> Self {
        let time = DateTime::from_timestamp(1_800_000_000, 0).unwrap_or_default();
        Self {
            id: Uuid::from_u128(EXAMPLE_ID),
            name: "Spring".to_owned(),
            media_type: PictureType::Png,
            width: 1200,
            height: 630,
            bytes: 48_213,
            layout: Layout::example(),
            archived_at: None,
            created_at: time,
            updated_at: time,
            version: 2,
        }
    }
}

impl TryFrom<Row> for Template {
    type Error = Problem;

    fn try_from(row: Row) -> Answer<Self> {
        let stored = StoredType::ALL.into_iter().find(|media_type| media_type.as_str() == row.media_type);
        let media_type = match stored {
            Some(StoredType::Png) => PictureType::Png,
            Some(StoredType::Jpeg) => PictureType::Jpeg,
            Some(StoredType::Svg) => PictureType::Svg,
            // Written by a newer version than this one.
            None => return Err(Kind::Internal.into()),
        };
        let layout: CardLayout =
            serde_json::from_value(row.layout.0).map_err(|error| Problem::from(Kind::Internal).because(error))?;
        Ok(Self {
            id: row.id,
            name: row.name,
            media_type,
            width: row.width,
            height: row.height,
            bytes: row.bytes,
            layout: layout.into(),
            archived_at: row.archived_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        })
    }
}

/// A page of templates.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct TemplatePage {
    /// The templates.
    pub(super) items: Vec<Template>,
    /// The `cursor` of the next page; missing on the last one.
    pub(super) next_cursor: Option<String>,
}

impl Example for TemplatePage {
    fn example() -> Self {
        Self { items: vec![Template::example()], next_cursor: Some(super::params::example_cursor()) }
    }
}

/// Another name.
#[derive(Object)]
#[oai(example, rename = "TemplateChange")]
pub(super) struct NameDocument {
    /// What it is called; for people. One line.
    #[oai(validator(min_length = 1, max_length = 120))]
    name: String,
}

impl Example for NameDocument {
    fn example() -> Self {
        Self { name: "Spring, second version".to_owned() }
    }
}

/// Another name, as it was read.
pub(super) struct NewName(pub(super) String);

impl Input for NewName {
    type Document = NameDocument;

    fn read(fields: &mut Fields) -> Option<Self> {
        fields.required("name", text).map(Self)
    }
}

/// What a campaign's coupons are drawn on.
#[derive(Object)]
#[oai(example, rename = "TemplateChoice")]
pub(super) struct ChoiceDocument {
    /// The template's id; null or nothing: our ticket.
    template: Option<Uuid>,
}

impl Example for ChoiceDocument {
    fn example() -> Self {
        Self { template: Some(Uuid::from_u128(EXAMPLE_ID)) }
    }
}

/// What a campaign's coupons are drawn on, as it was read.
pub(super) struct Choice(pub(super) Option<Uuid>);

impl Input for Choice {
    type Document = ChoiceDocument;

    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self(fields.optional("template", id)))
    }
}

/// A card to look at.
#[derive(Object)]
#[oai(example, rename = "CardSample", skip_serializing_if_is_none)]
pub(super) struct SampleDocument {
    /// A layout to try out; without it, the one that the template has.
    layout: Option<Layout>,
    /// The code: 1 to 64 letters A to Z, a to z, digits, `_` and `-`.
    #[oai(validator(pattern = "^[A-Za-z0-9_-]{1,64}$"))]
    code: Option<String>,
    /// To whom it belongs; null: nobody.
    #[oai(validator(max_length = 200))]
    holder_name: Option<String>,
    /// Until when it can be redeemed, in words; null: for ever.
    #[oai(validator(max_length = 200))]
    validity: Option<String>,
    /// The campaign's name.
    #[oai(validator(max_length = 200))]
    campaign_name: Option<String>,
    /// What the holder gets, in words.
    #[oai(validator(max_length = 200))]
    benefit: Option<String>,
}

impl Example for SampleDocument {
    fn example() -> Self {
        Self {
            layout: Some(Layout::example()),
            code: Some("GOLD10".to_owned()),
            holder_name: Some("Anna Müller".to_owned()),
            validity: Some("Valid until 31 August 2027".to_owned()),
            campaign_name: Some("Gold week".to_owned()),
            benefit: Some("10% off".to_owned()),
        }
    }
}

/// A card to look at, as it was read.
pub(super) struct Sample {
    pub(super) layout: Option<CardLayout>,
    /// Without a link.
    pub(super) values: cards::Values,
}

impl Input for Sample {
    type Document = SampleDocument;

    fn read(fields: &mut Fields) -> Option<Self> {
        let layout = fields.object::<LayoutDraft>("layout").map(|layout| layout.0);
        let code = fields.optional("code", |value| {
            let code = text(value)?;
            // As a link has it.
            cards::deep_link("a_bot", &code)
                .map(|_| code)
                .map_err(|_| "must have 1 to 64 of the characters A-Z, a-z, 0-9, _ and -".to_owned())
        });
        let mut line = |name: &str, otherwise: &str| match fields.given(name, one_line) {
            MaybeUndefined::Undefined => Some(otherwise.to_owned()),
            MaybeUndefined::Null => None,
            MaybeUndefined::Value(text) => Some(text),
        };
        let values = cards::Values {
            code: code.unwrap_or_else(|| SAMPLE_CODE.to_owned()),
            holder_name: line("holder_name", "Anna Müller"),
            validity: line("validity", "Valid until 31 August 2027, 12:00 UTC"),
            campaign_name: line("campaign_name", "Campaign").unwrap_or_default(),
            benefit: line("benefit", "10% off").unwrap_or_default(),
            link: String::new(),
        };
        Some(Self { layout, values })
    }
}

fn one_line(value: Value) -> Result<String, String> {
    let text = text(value)?;
    if text.chars().count() > 200 {
        return Err("must have at most 200 characters".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("must not contain control characters".to_owned());
    }
    Ok(text)
}
