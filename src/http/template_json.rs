//! Templates and their layouts as they come in and go out.

use aggregates::template::MediaType as StoredType;
use cards::{Content, Layout as CardLayout};
use chrono::{DateTime, Utc};
use poem_openapi::{
    Enum, Object,
    types::{Example, MaybeUndefined},
};
use projections::templates::Row;
use serde_json::Value;
use uuid::Uuid;

use super::{
    body::{Fields, Input, flag, id, text},
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

/// What is written on a card, and where.
#[derive(Object, Debug, Clone, PartialEq, Eq)]
#[oai(example, rename = "CardLayout", deny_unknown_fields)]
pub(super) struct Layout {
    /// Drawn in this order, later ones over earlier ones; at most 32.
    #[oai(validator(max_items = 32))]
    fields: Vec<Field>,
}

impl Example for Layout {
    fn example() -> Self {
        CardLayout::usual(1200, 630).into()
    }
}

/// What a field shows.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "CardContent", rename_all = "snake_case")]
pub(super) enum Shows {
    /// The coupon's code.
    Code,
    /// To whom it belongs; left out if nobody.
    HolderName,
    /// Until when it can be redeemed; left out if for ever.
    Validity,
    /// The campaign's name.
    CampaignName,
    /// What the holder gets.
    Benefit,
    /// The same text on every card: `text`.
    Text,
    /// The link as a QR code, dark on a white plate.
    Qr,
    /// A plain plate with round corners, to make what is drawn on it later legible.
    Plate,
}

/// Where a text is in its box.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "CardAlign", rename_all = "snake_case")]
pub(super) enum Align {
    /// At the left edge.
    Left,
    /// In the middle.
    Centre,
    /// At the right edge.
    Right,
}

/// A typeface.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "CardFace", rename_all = "snake_case")]
pub(super) enum Face {
    /// For all texts.
    Sans,
    /// Letters of one width, for codes.
    Mono,
}

/// A box on the picture, in its pixels, and what is in it. A text shrinks until it fits, to about half its size.
#[derive(Object, Debug, Clone, PartialEq, Eq)]
#[oai(example, rename = "CardField", skip_serializing_if_is_none, deny_unknown_fields)]
pub(super) struct Field {
    /// What it shows.
    shows: Shows,
    /// For `text`: what.
    #[oai(validator(min_length = 1, max_length = 200))]
    text: Option<String>,
    /// From the left edge of the picture.
    x: u32,
    /// From its upper edge.
    y: u32,
    /// At least 16; a QR code at least 120.
    width: u32,
    /// As the width. A QR code is square, give or take a quarter.
    height: u32,
    /// Size of the letters, at most. Of no meaning for `qr` and `plate`.
    #[oai(default = "font_size", validator(minimum(value = "10"), maximum(value = "400")))]
    font_size: u32,
    /// Of the letters or the plate.
    #[oai(default = "black", validator(pattern = "^#[0-9A-Fa-f]{6}$"))]
    colour: String,
    /// Where the text is in its box.
    #[oai(default = "left")]
    align: Align,
    /// The typeface.
    #[oai(default = "sans")]
    face: Face,
    /// Whether the strokes are thicker.
    #[oai(default)]
    bold: bool,
}

fn font_size() -> u32 {
    32
}

fn black() -> String {
    "#000000".to_owned()
}

fn left() -> Align {
    Align::Left
}

fn sans() -> Face {
    Face::Sans
}

impl Example for Field {
    fn example() -> Self {
        Self {
            shows: Shows::Code,
            text: None,
            x: 80,
            y: 480,
            width: 400,
            height: 60,
            font_size: 44,
            colour: "#141622".to_owned(),
            align: Align::Centre,
            face: Face::Mono,
            bold: true,
        }
    }
}

impl From<CardLayout> for Layout {
    fn from(layout: CardLayout) -> Self {
        Self { fields: layout.fields.into_iter().map(Field::from).collect() }
    }
}

impl From<cards::Field> for Field {
    fn from(field: cards::Field) -> Self {
        let (shows, text) = match field.shows {
            Content::Code => (Shows::Code, None),
            Content::HolderName => (Shows::HolderName, None),
            Content::Validity => (Shows::Validity, None),
            Content::CampaignName => (Shows::CampaignName, None),
            Content::Benefit => (Shows::Benefit, None),
            Content::Text(text) => (Shows::Text, Some(text)),
            Content::Qr => (Shows::Qr, None),
            Content::Plate => (Shows::Plate, None),
        };
        Self {
            shows,
            text,
            x: field.x,
            y: field.y,
            width: field.width,
            height: field.height,
            font_size: field.font_size,
            colour: field.colour,
            align: match field.align {
                cards::Align::Left => Align::Left,
                cards::Align::Centre => Align::Centre,
                cards::Align::Right => Align::Right,
            },
            face: match field.face {
                cards::Face::Sans => Face::Sans,
                cards::Face::Mono => Face::Mono,
            },
            bold: field.bold,
        }
    }
}

/// A layout as it was read.
pub(super) struct LayoutDraft(pub(super) CardLayout);

impl Input for LayoutDraft {
    type Document = Layout;

    fn read(fields: &mut Fields) -> Option<Self> {
        let read = fields.list::<FieldDraft>("fields", CardLayout::MOST_FIELDS)?;
        Some(Self(CardLayout { fields: read.into_iter().map(|field| field.0).collect() }))
    }
}

struct FieldDraft(cards::Field);

impl Input for FieldDraft {
    type Document = Field;

    fn read(fields: &mut Fields) -> Option<Self> {
        let shows = fields.required("shows", |value| match value.as_str() {
            Some("code") => Ok(Content::Code),
            Some("holder_name") => Ok(Content::HolderName),
            Some("validity") => Ok(Content::Validity),
            Some("campaign_name") => Ok(Content::CampaignName),
            Some("benefit") => Ok(Content::Benefit),
            Some("text") => Ok(Content::Text(String::new())),
            Some("qr") => Ok(Content::Qr),
            Some("plate") => Ok(Content::Plate),
            _ => Err("must be code, holder_name, validity, campaign_name, benefit, text, qr or plate".to_owned()),
        });
        let shows = match (shows, fields.optional("text", text)) {
            (Some(Content::Text(_)), Some(text)) => Some(Content::Text(text)),
            (Some(Content::Text(_)), None) => {
                fields.note("text", "is required where shows is text");
                None
            }
            (_, Some(_)) => {
                fields.note("text", "is only for fields where shows is text");
                None
            }
            (shows, None) => shows,
        };
        let [x, y, width, height] = ["x", "y", "width", "height"].map(|name| fields.required(name, whole));
        let font_size = fields.optional("font_size", whole).unwrap_or_else(font_size);
        let colour = fields.optional("colour", text).unwrap_or_else(black);
        let align = fields.optional("align", |value| match value.as_str() {
            Some("left") => Ok(cards::Align::Left),
            Some("centre") => Ok(cards::Align::Centre),
            Some("right") => Ok(cards::Align::Right),
            _ => Err("must be left, centre or right".to_owned()),
        });
        let face = fields.optional("face", |value| match value.as_str() {
            Some("sans") => Ok(cards::Face::Sans),
            Some("mono") => Ok(cards::Face::Mono),
            _ => Err("must be sans or mono".to_owned()),
        });
        let bold = fields.optional("bold", flag).unwrap_or_default();
        Some(Self(cards::Field {
            shows: shows?,
            x: x?,
            y: y?,
            width: width?,
            height: height?,
            font_size,
            colour,
            align: align.unwrap_or_default(),
            face: face.unwrap_or_default(),
            bold,
        }))
    }
}

fn whole(value: Value) -> Result<u32, String> {
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| "must be a whole number from 0 to 4294967295".to_owned())
}

/// Checks a layout against its picture; what is wrong is named from `within`.
pub(super) fn fits(layout: &CardLayout, width: u32, height: u32, within: &str) -> Answer<()> {
    layout.check(width, height).map_err(|invalid| {
        // In the body, the text of a field is a field of its own.
        let field = invalid.field.replace(".shows.text", ".text");
        Problem::from(Kind::InvalidLayout).with_error(format!("{within}{field}"), invalid.problem.to_string())
    })
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
